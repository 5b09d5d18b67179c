"""The runs of chapter 1: bowls, the halves of standardising, the headline, and what trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bncourse.activations import ReLU, Sigmoid, Tanh
from bncourse.arrays import Floats
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    describe_inputs,
    full_statistics_accuracy,
    steps_to_accuracy,
    train_digits,
)
from bncourse.chapters.measured import measured, take_down
from bncourse.chapters.stored import StoredRun
from bncourse.data import Digits, load_digits, standardize, two_features, whiten
from bncourse.display.card import Card
from bncourse.landscape import gram_spectrum, max_over_median
from bncourse.layers import Dense, Layer
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent
from bncourse.statistics import layer_outputs
from bncourse.sweeps import SweepResult
from bncourse.training import train

#: Learning rates of the ranges, half a decade apart; at 10 nothing trains any more.
RATES = np.logspace(-3, 1, 9)
#: Factors on the initial weights, half a decade apart.
GAINS = np.logspace(-3, 2, 11)
GRID_STEP = 0.5  # decades
GOOD = 0.90
#: The seeds of what is no headline.
SEEDS = range(5)


def two_digits(value: float) -> str:
    """Return a number rounded to two digits: 5880.3 gives ``5,900``."""
    return f"{float(f'{value:.2g}'):,.0f}"


class Descent(NamedTuple):
    """Gradient descent on a quadratic bowl.

    Attributes
    ----------
    path : array, shape (steps + 1, 2)
        The weights, relative to the minimum.
    kappa : float
        Condition number of the bowl.
    hessian : array, shape (2, 2)
    """

    path: Floats
    kappa: float
    hessian: Floats

    @property
    def steps(self) -> int:
        """How many it took."""
        return len(self.path) - 1


def descend(x: Floats, rate: float, start: Floats, tolerance: float = 1e-3) -> Descent:
    r"""Minimise :math:`\frac{1}{2m}\lVert xw - y\rVert^2` for two features by gradient descent.

    Parameters
    ----------
    x : array, shape (m, 2)
        Features. The bowl depends on y only by the place of its minimum, which is set to 0.
    rate : float
        Learning rate as a multiple of 1/λmax; below 2.
    start : array, shape (2,)
        Starting point.
    tolerance : float
        Stop when along no axis of the bowl more than this share of the start's longest distance
        is left.

    Returns
    -------
    Descent
    """
    hessian = x.T @ x / len(x)
    values, axes = np.linalg.eigh(hessian)
    alpha = rate / values[-1]
    w = np.array(start, dtype=np.float64)
    path = [w]
    while np.abs(w @ axes).max() > tolerance * np.abs(path[0] @ axes).max():
        w = w - alpha * hessian @ w
        path.append(w)
    return Descent(np.array(path), float(values[-1] / values[0]), hessian)


def predicted_steps(kappa: float, tolerance: float = 1e-3) -> int:
    """Return the steps that gradient descent at rate 1/λmax takes along the flattest direction.

    Parameters
    ----------
    kappa : float
        Condition number, at least 1.
    tolerance : float
        Share of the starting distance that may be left.

    Returns
    -------
    int
        The smallest t with (1 − 1/κ)^t ≤ tolerance.
    """
    if kappa == 1.0:
        return 1
    return int(np.ceil(np.log(tolerance) / np.log1p(-1.0 / kappa)))


#: What can be done to the pixels: neither half of standardising, one of them, or both.
CURES = ("nothing", "divide by σ", "subtract μ", "both")
#: Learning rates of softmax regression, as multiples of 1/L.
MULTIPLES = tuple(2**k for k in range(11))


def cure(digits: Digits, name: str) -> Digits:
    """Return the digits after one of `CURES`; a constant pixel is never divided."""
    mu, sigma = digits.x_train.mean(axis=0), digits.x_train.std(axis=0)
    shift = mu if name in ("subtract μ", "both") else 0.0
    divisor = np.where(sigma > 0, sigma, 1.0) if name in ("divide by σ", "both") else 1.0
    return digits._replace(
        x_train=(digits.x_train - shift) / divisor, x_test=(digits.x_test - shift) / divisor
    )


def softmax_regression_steps(
    digits: Digits, times: float = 1.0, target: float = 0.95, at_most: int = 3000
) -> float:
    """Return the full-batch steps of softmax regression to a training accuracy.

    One Dense layer from zero weights. The learning rate is a multiple of 1/L, with L the largest
    curvature that the loss can have: half of the largest eigenvalue of the inputs' Gram matrix
    (with a column of ones for the bias). No randomness is left.

    Parameters
    ----------
    digits : Digits
        The training set counts.
    times : float
        Learning rate, as a multiple of 1/L.
    target : float
        Training accuracy.
    at_most : int
        Steps after which to give up.

    Returns
    -------
    float
        Infinity if the target was not reached.
    """
    x, y = digits.x_train, digits.y_train
    with_ones = np.column_stack([x, np.ones(len(x))])
    rate = 2.0 * times / gram_spectrum(with_ones)[0]
    layer = Dense(x.shape[1], 10, gain=0.0)
    loss = SoftmaxCrossEntropy()
    for step in range(at_most + 1):
        z = layer.forward(x, training=True)
        if np.mean(z.argmax(axis=1) == y) >= target:
            return step
        _, dz = loss(z, y)
        layer.backward(dz)
        for name, p in layer.params.items():
            p -= rate * layer.grads[name]
    return float("inf")


class Cure(NamedTuple):
    """What one cure of the pixels does to softmax regression.

    Attributes
    ----------
    name : str
        One of `CURES`.
    eigenvalues : array, shape (64,)
        Of the inputs' Gram matrix, largest first.
    steps : dict of int to float
        Steps to 95 % training accuracy by the multiple of 1/L.
    """

    name: str
    eigenvalues: Floats
    steps: dict[int, float]

    @property
    def ratio(self) -> float:
        """Largest eigenvalue over the next one: how far one direction stands out."""
        return float(self.eigenvalues[0] / self.eigenvalues[1])

    @property
    def safe(self) -> float:
        """Steps at 1/L."""
        return self.steps[1]

    @property
    def best(self) -> float:
        """Steps at the best of the multiples."""
        return min(self.steps.values())


@dataclass(frozen=True)
class Cures:
    """The four arms, in the order of `CURES`."""

    arms: list[Cure]
    card: Card | None = None


@measured(
    question="Which half of standardising saves the steps of softmax regression on the digits: "
    "the subtraction of μ or the division by σ?",
    control="Neither half and both, from the same zero weights; and each arm at its best learning "
    "rate too.",
    mode="Training accuracy 95 %, all training images in one batch; nothing is random.",
)
def cures(multiples: Sequence[int] = MULTIPLES) -> Cures:
    """Return the four arms at several multiples of 1/L."""
    digits = load_digits()
    take_down(data="the digits", init="zero", sizes="64-10", batch_size=len(digits.x_train))
    arms = []
    for name in CURES:
        take_down(inputs=name)
        cured = cure(digits, name)
        steps = {k: softmax_regression_steps(cured, k, at_most=600) for k in multiples}
        arms.append(Cure(name, gram_spectrum(cured.x_train), steps))
    take_down(steps=600)
    return Cures(arms)


def start_of(seed: int, activation: type[Layer], init: str = "he") -> Sequential:
    """Return the plain network with which `train_digits` begins."""
    weights, _ = np.random.default_rng(seed).spawn(2)
    return mlp(SIZES, activation, None, init=init, rng=weights)


class Shared(NamedTuple):
    """How steep a layer's bowl is along what its inputs share.

    Attributes
    ----------
    inputs : str
        Of which layer.
    largest, next : float
        Eigenvalues of their Gram matrix.
    cosine : float
        Between the first eigenvector and the inputs' mean; NaN where the mean is 0.
    """

    inputs: str
    largest: float
    next: float
    cosine: float


def _shared(name: str, x: Floats) -> Shared:
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    mean = x.mean(axis=0)
    length = float(np.linalg.norm(mean))
    cosine = abs(float(vectors[:, -1] @ mean)) / length if length > 1e-9 else float("nan")
    return Shared(name, float(values[-1]), float(values[-2]), cosine)


@dataclass(frozen=True)
class SharedDirections:
    """The inputs of the plain network's layers, medians over the seeds."""

    rows: list[Shared]
    card: Card | None = None


@measured(
    question="Along which direction is the bowl of a hidden layer's weights steepest, before "
    "training?",
    control="The pixels as they are, and standardised: the same measure of the first layer's "
    "inputs.",
    mode="All training images at once, before the first step.",
)
def shared_directions(seeds: Sequence[int] = SEEDS) -> SharedDirections:
    """Return the steepest direction of the pixels and of each hidden layer's activations.

    Parameters
    ----------
    seeds : sequence of int
        Of the weights. The inputs of the networks are standardised.
    """
    x = load_digits(standardized=True).x_train
    rows = [_shared("pixels from 0 to 1", load_digits().x_train), _shared("standardised", x)]
    take_down(activation="ReLU", init="he", sizes="-".join(map(str, SIZES)))
    take_down(inputs=describe_inputs(x))
    hidden = []
    for seed in seeds:
        take_down(seed=seed)
        net = start_of(seed, ReLU)
        outputs = layer_outputs(net, x, statistics="batch")
        activations = [a for layer, a in zip(net.layers, outputs, strict=True) if _is_relu(layer)]
        hidden.append([_shared("", a)[1:] for a in activations])
    for number, values in enumerate(np.median(hidden, axis=0), start=1):
        rows.append(Shared(f"a[{number}], after ReLU", *map(float, values)))
    return SharedDirections(rows)


def _is_relu(layer: Layer) -> bool:
    return isinstance(layer, ReLU)


@dataclass(frozen=True)
class Drift:
    """How far the units' means move while a plain network trains.

    Attributes
    ----------
    shift : dict of str to array of shape (seeds, 3)
        By the inputs: of each hidden layer's z, the median unit's shift of its mean, in its own
        standard deviations at the start.
    """

    shift: dict[str, Floats]
    card: Card | None = None


@measured(
    question="How far do the means of hidden units move while a network without batch norm "
    "trains?",
    control="The same weights and batches on pixels from 0 to 1 and on standardised ones.",
    mode="z over all training images, before and after; there is no batch norm.",
)
def drift(seeds: Sequence[int] = SEEDS, steps: int = 100, rate: float = 0.1) -> Drift:
    """Return the shifts of each hidden layer for both kinds of inputs.

    Parameters
    ----------
    seeds : sequence of int
        Of weights and batches.
    steps, rate : int and float
        Of the training.
    """
    shift = {}
    for name, standardized in (("pixels from 0 to 1", False), ("standardised", True)):
        digits = load_digits(standardized=standardized)
        rows = []
        for seed in seeds:
            trained, _ = train_digits(seed, ReLU, False, rate, steps, digits=digits)
            before, after = (
                layer_outputs(net, digits.x_train, statistics="batch")[:-1:2]
                for net in (start_of(seed, ReLU), trained)
            )
            rows.append(
                [
                    np.median(np.abs(new.mean(axis=0) - old.mean(axis=0)) / old.std(axis=0))
                    for old, new in zip(before, after, strict=True)
                ]
            )
        shift[name] = np.array(rows)
    return Drift(shift)


def hidden_activations(
    activation: type[Layer], centre: bool, scale: bool, seed: int = 0, init: str = "he"
) -> list[Floats]:
    """Return each hidden layer's activations of all training images at the start.

    With both halves this is batch norm, on the whole training set as one batch.

    Parameters
    ----------
    activation : type
        Of the hidden layers.
    centre : bool
        Whether the mean of each unit's z is subtracted.
    scale : bool
        Whether z is divided by its standard deviation, ε included.
    seed : int
        Of the weights.
    init : str
        As for `Dense`.
    """
    epsilon = BatchNorm(1).epsilon
    x = load_digits().x_train
    found = []
    for layer in start_of(seed, activation, init).layers:
        x = layer.forward(x, training=False)
        if isinstance(layer, Dense):
            mean, std = x.mean(axis=0), np.sqrt(x.var(axis=0) + epsilon)
            x = (x - mean if centre else x) / (std if scale else 1.0)
        else:
            found.append(x)
    return found


def hidden_spectra(
    activation: type[Layer], centre: bool, scale: bool, seed: int = 0, init: str = "he"
) -> list[Floats]:
    """Return the eigenvalues of the Gram matrix of each of `hidden_activations`, largest first."""
    return [gram_spectrum(a) for a in hidden_activations(activation, centre, scale, seed, init)]


def hidden_spread(
    activation: type[Layer],
    centre: bool,
    scale: bool,
    seed: int,
    init: str = "he",
    centre_activations: bool = False,
) -> float:
    """Return λmax over the median λ of the last hidden layer's Gram matrix at the start."""
    a = hidden_activations(activation, centre, scale, seed, init)[-1]
    return max_over_median(gram_spectrum(a, centred=centre_activations))


@dataclass(frozen=True)
class Halves:
    """What each half of batch norm does to the bowl behind the last hidden layer.

    Attributes
    ----------
    spread : dict of str to dict of str to list of float
        By activation and arm, λmax over the median λ for each seed.
    """

    spread: dict[str, dict[str, list[float]]]
    card: Card | None = None

    def median(self, activation: str, arm: str) -> float:
        """Return the median over the seeds."""
        return float(np.median(self.spread[activation][arm]))


#: Arms of `halves`: whether each unit's z is centred, whether it is divided, and whether the
#: activations are centred as well before they are looked at.
HALVES = {
    "nothing": (False, False, False),
    "subtract": (True, False, False),
    "divide": (False, True, False),
    "both": (True, True, False),
    "both, a centred": (True, True, True),
}


@measured(
    question="How elongated is the bowl behind the last hidden layer, and which half of batch "
    "norm makes it rounder?",
    control="The same weights with nothing done, with either half alone, and with the mean of "
    "the activations taken away as well.",
    mode="All training images as one batch, before the first step.",
)
def halves(seeds: Sequence[int] = SEEDS) -> Halves:
    """Return λmax over the median λ of the last hidden layer's Gram matrix, arm by arm."""
    take_down(inputs="pixels from 0 to 1", sizes="-".join(map(str, SIZES)))
    spread: dict[str, dict[str, list[float]]] = {}
    for activation, init in ((ReLU, "he"), (Tanh, "lecun"), (Sigmoid, "lecun")):
        take_down(activation=activation.__name__, init=init)
        spread[activation.__name__] = {
            name: [hidden_spread(activation, *arm[:2], s, init, arm[2]) for s in seeds]
            for name, arm in HALVES.items()
        }
    for seed in seeds:
        take_down(seed=seed)
    return Halves(spread)


@dataclass(frozen=True)
class Spectra:
    """All eigenvalues of one network's last hidden layer, without and with batch norm.

    Attributes
    ----------
    without, with_bn : array, shape (n,)
        Largest first.
    silent : int
        How many units of the network without batch norm are 0 for every training image.
    """

    without: Floats
    with_bn: Floats
    silent: int
    card: Card | None = None


@measured(
    question="What do all eigenvalues of the last hidden layer's Gram matrix look like?",
    control="The same weights without batch norm.",
    mode="All training images as one batch, before the first step.",
)
def spectra(seed: int = 0) -> Spectra:
    """Return the eigenvalues for ReLU."""
    take_down(activation="ReLU", init="he", inputs="pixels from 0 to 1", seed=seed)
    take_down(sizes="-".join(map(str, SIZES)))
    without, with_bn = (hidden_spectra(ReLU, bn, bn, seed)[-1] for bn in (False, True))
    outputs = layer_outputs(start_of(seed, ReLU), load_digits().x_train, statistics="batch")
    return Spectra(without, with_bn, int(np.sum(outputs[-2].max(axis=0) == 0.0)))


class Setting(NamedTuple):
    """A network, what it is fed, and how its steps are counted."""

    activation: type[Layer]
    init: str
    standardized: bool
    every: int
    at_most: int
    rates: tuple[float, ...]
    gain: float = 1.0


CLASSIC, HELPED, MODERN = "sigmoid, pixels", "sigmoid, standardised", "ReLU, He, standardised"
SETTINGS = {
    CLASSIC: Setting(Sigmoid, "lecun", False, 1, 1000, (0.3, 1.0, 3.0, 10.0)),
    HELPED: Setting(Sigmoid, "lecun", True, 1, 1000, (0.3, 1.0, 3.0)),
    MODERN: Setting(ReLU, "he", True, 1, 60, (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 3.0)),
}
SCALED, SCALED_HELPED = "sigmoid, weights × 4, pixels", "sigmoid, weights × 4, standardised"
RAW = "ReLU, He, pixels"
#: The steps between the panels of the headline, one change at a time. A sigmoid's slope is at
#: most 1/4, so four times the weights keep the size of a signal that is near 0.
BETWEEN = {
    SCALED: Setting(Sigmoid, "lecun", False, 1, 1000, (0.3, 1.0, 3.0), gain=4.0),
    SCALED_HELPED: Setting(Sigmoid, "lecun", True, 1, 1000, (0.3, 1.0, 3.0), gain=4.0),
    RAW: Setting(ReLU, "he", False, 1, 100, (0.1, 0.3, 1.0, 3.0)),
}
#: Learning rates of the modern panel, half a decade apart; `SETTINGS` has a finer grid.
COARSE = (0.1, 0.3, 1.0, 3.0)


def headline_steps(seed: int, setting: str, batch_norm: bool, learning_rate: float) -> float:
    """Return the steps to 90 % of the test images.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    setting : str
        One of `SETTINGS` or `BETWEEN`.
    batch_norm : bool
        With or without.
    learning_rate : float
        Of gradient descent.
    """
    chosen = (SETTINGS | BETWEEN)[setting]
    return steps_to_accuracy(
        seed,
        chosen.activation,
        batch_norm,
        learning_rate,
        init=chosen.init,
        gain=chosen.gain,
        digits=load_digits(standardized=chosen.standardized),
        every=chosen.every,
        at_most=chosen.at_most,
    )


@dataclass(frozen=True)
class Headline:
    """Steps to 90 % in three settings, at several learning rates, paired by seed.

    Attributes
    ----------
    steps : dict of (str, bool, float) to list of float
        By the setting, with or without batch norm, and the learning rate: one number a seed.
    """

    steps: dict[tuple[str, bool, float], list[float]]
    card: Card | None = None

    def median(self, setting: str, batch_norm: bool, rate: float) -> float:
        """Return the median over the seeds."""
        return float(np.median(self.steps[setting, batch_norm, rate]))

    def best(self, setting: str, batch_norm: bool, among: Sequence[float] | None = None) -> float:
        """Return the learning rate with the lowest median, the smaller one of two equals."""
        rates = SETTINGS[setting].rates if among is None else among
        return min(rates, key=lambda rate: (self.median(setting, batch_norm, rate), rate))

    def at_best(
        self, setting: str, among: Sequence[float] | None = None
    ) -> tuple[list[float], list[float]]:
        """Return the steps without and with batch norm, each at its best rate."""
        without, with_bn = (
            self.steps[setting, bn, self.best(setting, bn, among)] for bn in (False, True)
        )
        return without, with_bn


@measured(
    question="How many steps does batch norm save, until 90 % of the test images are right?",
    control="The same weights and batches without batch norm, paired by seed; the same network "
    "with standardised inputs; and a network with today's units and initial weights.",
    mode="Test accuracy with the statistics of the whole training set, after every step; at most "
    "1,000 steps for the sigmoid and 60 for ReLU.",
)
def headline(seeds: Sequence[int] | None = None) -> Headline:
    """Return the stored runs of the headline.

    Parameters
    ----------
    seeds : sequence of int, optional
        Only these of the stored ones.
    """
    stored = (HEADLINE_STORED, MODERN_STORED)
    runs = SweepResult([run for each in stored for run in each.load(seeds).runs])
    return Headline(
        {
            (name, bn, rate): runs.select(setting=name, batch_norm=bn, learning_rate=rate)
            for name, setting in SETTINGS.items()
            for rate in setting.rates
            for bn in (False, True)
        }
    )


def standardise_once(net: Sequential, x: Floats) -> None:
    """Fold μ and σ of each hidden unit's z into w and b, so that z begins standardised.

    The network then computes what the one with batch norm does before its first step, on all of
    x as one batch; from there on it is a plain network.

    Parameters
    ----------
    net : Sequential
        Plain, changed in place. The output layer stays as it is.
    x : array, shape (m, n)
        The training set.
    """
    epsilon = BatchNorm(1).epsilon
    for layer in net.layers[:-1]:
        if isinstance(layer, Dense):
            z = layer.forward(x, training=False)
            mean, std = z.mean(axis=0), np.sqrt(z.var(axis=0) + epsilon)
            layer.params["w"][...] /= std[:, np.newaxis]
            layer.params["b"][...] = (layer.params["b"] - mean) / std
        x = layer.forward(x, training=False)


def once_steps(seed: int, setting: str, learning_rate: float) -> float:
    """Return the steps of a plain network whose hidden units were standardised once.

    Parameters
    ----------
    seed, setting, learning_rate
        As for `headline_steps`: the same weights, before they are folded, and the same batches.
    """
    chosen = (SETTINGS | BETWEEN)[setting]
    digits = load_digits(standardized=chosen.standardized)
    take_down(
        activation=chosen.activation.__name__,
        arm="standardised once",
        learning_rate=learning_rate,
        init=chosen.init,
        gain=chosen.gain,
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, SIZES)),
        batch_size=BATCH_SIZE,
        steps=chosen.at_most,
        seed=seed,
    )
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, chosen.activation, None, init=chosen.init, gain=chosen.gain, rng=weights)
    standardise_once(net, digits.x_train)
    return _steps_to_good(net, digits, learning_rate, order, chosen.at_most, chosen.every)


def _steps_to_good(
    net: Sequential,
    digits: Digits,
    learning_rate: float,
    order: np.random.Generator,
    at_most: int,
    every: int = 1,
) -> float:
    """Train a network that is ready and return its steps to `GOOD`, or infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        history = train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=GradientDescent(learning_rate),
            batch_size=BATCH_SIZE,
            steps=at_most,
            rng=order,
            metrics={"test accuracy": lambda net: full_statistics_accuracy(net, digits)},
            every=every,
            stop=lambda history: history.metrics["test accuracy"][-1] >= GOOD,
        )
    step = history.first_step("test accuracy", GOOD)
    return float("inf") if step is None else float(step)


def _both_arms(*settings: str) -> list[dict[str, Any]]:
    return [
        {"setting": name, "batch_norm": bn, "learning_rate": rate}
        for name in settings
        for rate in (SETTINGS | BETWEEN)[name].rates
        for bn in (False, True)
    ]


def _once(*settings: str) -> list[dict[str, Any]]:
    return [
        {"setting": name, "learning_rate": rate}
        for name in settings
        for rate in (SETTINGS | BETWEEN)[name].rates
    ]


#: A run may reach its target a few steps earlier or later on another processor. The modern network
#: has runs of its own, so that the cards of what it alone did name no other network.
_CLASSIC = [name for name in SETTINGS if name != MODERN]
HEADLINE_STORED = StoredRun(
    "headline", headline_steps, _both_arms(*_CLASSIC), seeds=range(10), tolerance=40.0
)
MODERN_STORED = StoredRun(
    "modern", headline_steps, _both_arms(MODERN), seeds=range(10), tolerance=15.0
)
SCALED_STORED = StoredRun(
    "scaled", headline_steps, _both_arms(SCALED, SCALED_HELPED), seeds=range(10), tolerance=40.0
)
RAW_STORED = StoredRun("raw", headline_steps, _both_arms(RAW), seeds=range(10), tolerance=15.0)
RAW_ONCE_STORED = StoredRun("raw_once", once_steps, _once(RAW), seeds=range(10), tolerance=15.0)
ONCE_STORED = StoredRun("once", once_steps, _once(*_CLASSIC), seeds=range(10), tolerance=40.0)
MODERN_ONCE_STORED = StoredRun(
    "modern_once", once_steps, _once(MODERN), seeds=range(10), tolerance=15.0
)


WITHOUT_IT, ONCE, AT_EVERY_STEP = "without", "once", "with batch norm"


@dataclass(frozen=True)
class Controls:
    """Steps to 90 % without batch norm, with the hidden units standardised once, and with it.

    Attributes
    ----------
    steps : dict of (str, str, float) to list of float
        By the setting, the arm (`WITHOUT_IT`, `ONCE` or `AT_EVERY_STEP`), and the learning rate:
        one number a seed.
    """

    steps: dict[tuple[str, str, float], list[float]]
    card: Card | None = None

    def median(self, setting: str, arm: str, rate: float) -> float:
        """Return the median over the seeds."""
        return float(np.median(self.steps[setting, arm, rate]))

    def best(self, setting: str, arm: str, among: Sequence[float]) -> float:
        """Return the median at the best of these rates; NaN where the arm was not run."""
        ran = [rate for rate in among if (setting, arm, rate) in self.steps]
        return min((self.median(setting, arm, rate) for rate in ran), default=float("nan"))


def _three_arms(
    both: StoredRun, once: StoredRun | None, seeds: Sequence[int] | None
) -> dict[tuple[str, str, float], list[float]]:
    found: dict[tuple[str, str, float], list[float]] = {}
    names = {False: WITHOUT_IT, True: AT_EVERY_STEP, None: ONCE}
    for stored in (both, once):
        for run in stored.load(seeds).runs if stored else ():
            arm = names[run.settings.get("batch_norm")]
            key = (run.settings["setting"], arm, run.settings["learning_rate"])
            found.setdefault(key, []).append(run.result)
    return found


@measured(
    question="Does it suffice to standardise the hidden units once, before training?",
    control="The same weights and batches with nothing done, and with batch norm at every step, "
    "paired by seed.",
    mode="Standardised once: μ and σ of all training images, folded into w and b before the first "
    "step. Test accuracy, for batch norm with the statistics of the whole training set, after "
    "every step; at most 100 steps on raw pixels, 60 on standardised ones.",
)
def once(seeds: Sequence[int] | None = None) -> Controls:
    """Return the three arms of the ReLU network, on raw and on standardised pixels."""
    return Controls(
        _three_arms(RAW_STORED, RAW_ONCE_STORED, seeds)
        | _three_arms(MODERN_STORED, MODERN_ONCE_STORED, seeds)
    )


@measured(
    question="Which part of the headline's factors do simpler repairs of the plain network give?",
    control="One change at a time: hidden units standardised once; four times the initial "
    "weights; ReLU on pixels as they are. Each with batch norm too, paired by seed.",
    mode="Test accuracy, for batch norm with the statistics of the whole training set, after "
    "every step; at most 1,000 steps for the sigmoid, 60 or 100 for ReLU.",
)
def controls(seeds: Sequence[int] | None = None) -> Controls:
    """Return all arms of all settings from the stored runs.

    Parameters
    ----------
    seeds : sequence of int, optional
        Only these of the stored ones.
    """
    return Controls(
        _three_arms(HEADLINE_STORED, ONCE_STORED, seeds)
        | _three_arms(MODERN_STORED, MODERN_ONCE_STORED, seeds)
        | _three_arms(SCALED_STORED, None, seeds)
        | _three_arms(RAW_STORED, RAW_ONCE_STORED, seeds)
    )


def map_run(
    seed: int, batch_norm: bool, learning_rate: float, gain: float, steps: int
) -> tuple[float, Floats]:
    """Return the test accuracy of the ReLU network after so many steps, and its losses.

    A network whose numbers overflowed gets what its logits still say, which is chance.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    batch_norm : bool
        With or without.
    learning_rate : float
        Of gradient descent.
    gain : float
        Factor on He's initial weights.
    steps : int
        Updates.

    Returns
    -------
    accuracy : float
    losses : array, shape (steps,)
        In nats; not finite where numbers overflowed.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        net, history = train_digits(seed, ReLU, batch_norm, learning_rate, steps, gain=gain)
        return full_statistics_accuracy(net, load_digits()), np.array(history.loss)


def final_accuracy(
    seed: int, batch_norm: bool, learning_rate: float, gain: float, steps: int
) -> float:
    """Return the test accuracy of `map_run`."""
    return map_run(seed, batch_norm, learning_rate, gain, steps)[0]


#: A tolerance of seven test images: on another processor some runs end a little elsewhere.
RATES_STORED = StoredRun(
    "learning_rates",
    final_accuracy,
    {"batch_norm": [False, True], "learning_rate": RATES, "gain": [1.0], "steps": [300]},
    seeds=range(10),
    tolerance=0.02,
)
GAINS_STORED = StoredRun(
    "gains",
    final_accuracy,
    {"batch_norm": [False, True], "learning_rate": [0.1], "gain": GAINS, "steps": [300]},
    seeds=range(10),
    tolerance=0.02,
)


class Range(NamedTuple):
    """Test accuracy over a grid of learning rates or of initial gains, pixels from 0 to 1.

    Attributes
    ----------
    values : array, shape (k,)
        The grid, half a decade apart.
    without, with_bn : array, shape (k,)
        Median test accuracy over the seeds.
    """

    values: Floats
    without: Floats
    with_bn: Floats

    def decades(self, batch_norm: bool) -> float:
        """Return how many decades of the grid reach 90 %."""
        return GRID_STEP * int(np.sum(self.accuracies(batch_norm) >= GOOD))

    def accuracies(self, batch_norm: bool) -> Floats:
        """Return one of the two rows."""
        return self.with_bn if batch_norm else self.without

    def limits(self, batch_norm: bool) -> tuple[float, float]:
        """Return the smallest and the largest value that reaches 90 %."""
        good = self.values[self.accuracies(batch_norm) >= GOOD]
        return float(good.min()), float(good.max())


@dataclass(frozen=True)
class WorkingRanges:
    """Which learning rates and which initial gains train the ReLU network.

    Attributes
    ----------
    rates : Range
        Over learning rates, with He's initial weights.
    gains : Range
        Over factors on them, at learning rate 0.1.
    card : Card
    """

    rates: Range
    gains: Range
    card: Card | None = None


@measured(
    question="Which learning rates and which initial weights reach 90 % of the test images in "
    "300 steps, one of the two varied at a time?",
    control="The same weights, batches and grid without batch norm, paired by seed.",
    mode="Test accuracy with the statistics of the whole training set.",
)
def working_ranges(seeds: Sequence[int] | None = None) -> WorkingRanges:
    """Return the two ranges from the stored runs.

    Parameters
    ----------
    seeds : sequence of int, optional
        Only these of the stored ones.
    """
    return WorkingRanges(
        _range(RATES_STORED, "learning_rate", RATES, seeds),
        _range(GAINS_STORED, "gain", GAINS, seeds),
    )


def _range(stored: StoredRun, name: str, values: Floats, seeds: Sequence[int] | None) -> Range:
    runs = stored.load(seeds)
    rows = [
        np.array([runs.median(**{name: value, "batch_norm": bn}) for value in values.tolist()])
        for bn in (False, True)
    ]
    return Range(values, *rows)


@dataclass(frozen=True)
class Map:
    """Test accuracy over learning rate and initial gain.

    Attributes
    ----------
    rates, gains : array, shape (k,) and (j,)
    without, with_bn : array, shape (j, k)
        One row for each gain.
    losses : array, shape (2, j, k, steps)
        Loss of every step, without (0) and with (1) batch norm, in nats.
    card : Card
    """

    rates: Floats
    gains: Floats
    without: Floats
    with_bn: Floats
    losses: Floats
    card: Card | None = None


@measured(
    question="Which pairs of learning rate and initial weights train the network?",
    control="The same weights, batches and grid without batch norm.",
    mode="Test accuracy with the statistics of the whole training set; losses in training mode.",
)
def learning_rate_map(seed: int = 0, steps: int = 100) -> Map:
    """Return the accuracy of the ReLU network over both grids at once, a decade apart."""
    rates, gains = RATES[::2], GAINS[::2]
    accuracies = np.empty((2, len(gains), len(rates)))
    losses = np.empty((*accuracies.shape, steps))
    for bn, row, column in np.ndindex(accuracies.shape):
        accuracies[bn, row, column], losses[bn, row, column] = map_run(
            seed, bool(bn), float(rates[column]), float(gains[row]), steps
        )
    return Map(rates, gains, accuracies[0], accuracies[1], losses)


def badly_scaled_digits(seed: int) -> Digits:
    """Return the digits with each pixel multiplied by its own factor, 0.01 to 100, log-uniform."""
    digits = load_digits()
    factors = 10 ** np.random.default_rng(seed).uniform(-2, 2, digits.x_train.shape[1])
    return digits._replace(x_train=digits.x_train * factors, x_test=digits.x_test * factors)


#: Learning rates of the badly scaled pixels, a decade apart.
BAD_RATES = (0.01, 0.1, 1.0)


def badly_scaled_steps(
    seed: int, standardise_first: bool, batch_norm: bool, learning_rate: float = 0.1
) -> float:
    """Return the ReLU network's steps to 90 % on badly scaled pixels, at most 600."""
    digits = badly_scaled_digits(seed)
    if standardise_first:
        x_train, x_test = standardize(digits.x_train, digits.x_test)
        digits = digits._replace(x_train=x_train, x_test=x_test)
    return steps_to_accuracy(seed, ReLU, batch_norm, learning_rate, digits=digits, at_most=600)


BAD_PIXELS_STORED = StoredRun(
    "bad_pixels",
    badly_scaled_steps,
    {
        "standardise_first": [False, True],
        "batch_norm": [False, True],
        "learning_rate": BAD_RATES,
    },
    seeds=SEEDS,
    tolerance=60.0,
)


@dataclass(frozen=True)
class BadPixels:
    """Steps to 90 % on badly scaled pixels.

    Attributes
    ----------
    steps : dict of (bool, bool, float) to list of float
        By standardised first or not, with batch norm or not, and the learning rate.
    """

    steps: dict[tuple[bool, bool, float], list[float]]
    card: Card | None = None


@measured(
    question="Each pixel is multiplied by a random factor from 0.01 to 100: what repairs it, "
    "batch norm or standardising the inputs?",
    control="Neither, and both; the same factors, weights and batches, paired by seed.",
    mode="Test accuracy with the statistics of the whole training set, every 10 steps.",
)
def bad_pixels(seeds: Sequence[int] | None = None) -> BadPixels:
    """Return the four arms from the stored runs."""
    runs = BAD_PIXELS_STORED.load(seeds)
    return BadPixels(
        {
            (first, bn, rate): runs.select(
                standardise_first=first, batch_norm=bn, learning_rate=rate
            )
            for first in (False, True)
            for bn in (False, True)
            for rate in BAD_RATES
        }
    )


def tiny_batch_accuracy(seed: int, batch_norm: bool, batch_size: int = 2) -> float:
    """Return the test accuracy after 600 steps of rate 0.05 on small batches."""
    net, _ = train_digits(seed, ReLU, batch_norm, 0.05, 600, batch_size=batch_size, drop_last=True)
    return full_statistics_accuracy(net, load_digits())


TINY_STORED = StoredRun(
    "tiny_batches",
    tiny_batch_accuracy,
    {"batch_size": [2, BATCH_SIZE], "batch_norm": [False, True]},
    seeds=SEEDS,
    tolerance=0.05,
)


@dataclass(frozen=True)
class TinyBatches:
    """Test accuracy after training on batches of two, and of the book's size.

    Attributes
    ----------
    accuracy : dict of (int, bool) to list of float
        By batch size, and with batch norm or not.
    """

    accuracy: dict[tuple[int, bool], list[float]]
    card: Card | None = None


@measured(
    question="What becomes of batch norm when a batch holds two examples?",
    control="The same batches without batch norm, paired by seed; and batches of 60.",
    mode="Test accuracy with the statistics of the whole training set.",
)
def tiny_batches(seeds: Sequence[int] | None = None) -> TinyBatches:
    """Return the accuracies of both batch sizes, with and without batch norm."""
    runs = TINY_STORED.load(seeds)
    return TinyBatches(
        {
            (m, bn): runs.select(batch_size=m, batch_norm=bn)
            for m in (2, BATCH_SIZE)
            for bn in (False, True)
        }
    )


LARGE_WEIGHTS_STORED = StoredRun(
    "large_weights",
    final_accuracy,
    {
        "batch_norm": [False, True],
        "learning_rate": [0.001, 0.1],
        "gain": [1.0, 10.0],
        "steps": [300],
    },
    seeds=SEEDS,
    tolerance=0.03,
)


@dataclass(frozen=True)
class LargeWeights:
    """Test accuracy after 300 steps, for small rates and large initial weights.

    Attributes
    ----------
    accuracy : dict of (float, float, bool) to list of float
        By learning rate, gain, and with batch norm or not.
    """

    accuracy: dict[tuple[float, float, bool], list[float]]
    card: Card | None = None


@measured(
    question="Is batch norm ahead for small learning rates and large initial weights too?",
    control="The same weights and batches without batch norm, paired by seed; and He's weights.",
    mode="Test accuracy with the statistics of the whole training set.",
)
def large_weights(seeds: Sequence[int] | None = None) -> LargeWeights:
    """Return the accuracies from the stored runs."""
    runs = LARGE_WEIGHTS_STORED.load(seeds)
    return LargeWeights(
        {
            (rate, gain, bn): runs.select(learning_rate=rate, gain=gain, batch_norm=bn)
            for gain in (1.0, 10.0)
            for rate in (0.001, 0.1)
            for bn in (False, True)
        }
    )


class EpsilonRow(NamedTuple):
    """One gain: medians over the seeds.

    Attributes
    ----------
    gain : float
        Factor on He's weights.
    at_start : array, shape (3,)
        Standard deviation of the median unit's z_norm in each hidden layer, before training.
    later : array, shape (2,)
        That of the last hidden layer after 5 and 10 steps.
    steps, steps_without : float
        To 90 % of the test images, with ε = 1e-5 and with ε = 1e-12.
    """

    gain: float
    at_start: Floats
    later: Floats
    steps: float
    steps_without: float


@dataclass(frozen=True)
class EpsilonAtWork:
    """Where ε, and no longer the batch's variance, decides what batch norm divides by."""

    rows: list[EpsilonRow]
    card: Card | None = None


@measured(
    question="From which initial weights on is ε larger than the variance that it is added to, "
    "and does that matter?",
    control="ε = 1e-12 instead of 1e-5: the same weights and batches, paired by seed.",
    mode="z_norm over all training images as one batch; test accuracy with the statistics of the "
    "whole training set, after every step.",
)
def epsilon_at_work(
    seeds: Sequence[int] = SEEDS, gains: Sequence[float] = (1.0, 0.1, 0.01, 0.001)
) -> EpsilonAtWork:
    """Return how large z_norm is for small initial weights, at the start and soon after."""
    rows = []
    for gain in gains:
        spreads = {
            steps: np.median([_normalised_spread(s, gain, steps) for s in seeds], axis=0)
            for steps in (0, 5, 10)
        }
        to_target = [
            float(
                np.median(
                    [
                        steps_to_accuracy(
                            seed,
                            ReLU,
                            True,
                            0.1,
                            gain=gain,
                            norm=norm,
                            every=1,
                            at_most=300,
                        )
                        for seed in seeds
                    ]
                )
            )
            for norm in (BatchNorm, SMALL_EPSILON)
        ]
        later = np.array([spreads[5][-1], spreads[10][-1]])
        rows.append(EpsilonRow(gain, spreads[0], later, *to_target))
    return EpsilonAtWork(rows)


#: Batch norm whose ε is far below every variance here.
SMALL_EPSILON = partial(BatchNorm, epsilon=1e-12)
SMALL_EPSILON.__name__ = "with ε = 1e-12"  # type: ignore[attr-defined]


def _normalised_spread(seed: int, gain: float, steps: int) -> Floats:
    """Return the median unit's standard deviation of z_norm in each hidden layer."""
    if steps:
        net, _ = train_digits(seed, ReLU, True, 0.1, steps, gain=gain)
    else:
        weights, _ = np.random.default_rng(seed).spawn(2)
        net = mlp(SIZES, ReLU, gain=gain, rng=weights)
    spread = []
    outputs = layer_outputs(net, load_digits().x_train, statistics="batch")
    for layer, z_tilde in zip(net.layers, outputs, strict=True):
        if isinstance(layer, BatchNorm):
            spread.append(np.median(z_tilde.std(axis=0) / np.abs(layer.gamma)))
    return np.array(spread)


@dataclass(frozen=True)
class SmallWhere:
    """Steps to 90 % with batch norm, when only some of the initial weights are made smaller.

    Attributes
    ----------
    steps : dict of (str, float) to list of float
        By which weights (`WHICH`) and the factor on them: one number a seed.
    """

    steps: dict[tuple[str, float], list[float]]
    card: Card | None = None

    def median(self, which: str, gain: float) -> float:
        """Return the median over the seeds."""
        return float(np.median(self.steps[which, gain]))


#: Which weights `small_where` makes smaller: those in front of a batch norm, the others, or all.
WHICH = ("all weights", "hidden layers only", "output layer only")


def small_where_steps(seed: int, which: str, gain: float) -> float:
    """Return the steps to 90 % with batch norm at rate 0.1, at most 300.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    which : str
        One of `WHICH`.
    gain : float
        Factor on these of He's weights; the others stay as they are.
    """
    digits = load_digits()
    take_down(
        activation="ReLU",
        arm="with batch norm",
        learning_rate=0.1,
        init="he",
        gain=gain,
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, SIZES)),
        batch_size=BATCH_SIZE,
        steps=300,
        seed=seed,
    )
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, ReLU, rng=weights)
    *hidden, output = (layer for layer in net.layers if isinstance(layer, Dense))
    chosen = {WHICH[0]: [*hidden, output], WHICH[1]: hidden, WHICH[2]: [output]}[which]
    for layer in chosen:
        layer.params["w"][...] *= gain
    return _steps_to_good(net, digits, 0.1, order, 300)


@measured(
    question="Which small initial weights cost a network with batch norm steps: those in front "
    "of a batch norm, or those of the output layer?",
    control="All weights made small, only those of the hidden layers, and only those of the "
    "output layer: the same seeds and batches, paired by seed.",
    mode="Test accuracy with the statistics of the whole training set, after every step.",
)
def small_where(
    seeds: Sequence[int] = SEEDS, gains: Sequence[float] = (1.0, 0.1, 0.01, 0.001)
) -> SmallWhere:
    """Return the steps of each arm at each factor."""
    return SmallWhere(
        {
            (which, gain): [small_where_steps(seed, which, gain) for seed in seeds]
            for which in WHICH
            for gain in gains
        }
    )


#: What can be done to the two features before descent.
FEATURES = ("raw", "standardised", "whitened")


START = np.array([1.0, 0.7])


def bowl(scale: float, correlation: float, features: str) -> Floats:
    """Return the curvature matrix of the bowl over two features.

    Parameters
    ----------
    scale : float
        Standard deviation of the second feature; that of the first is 1.
    correlation : float
        Between them.
    features : str
        One of `FEATURES`.

    Returns
    -------
    array, shape (2, 2)
        XᵀX/m.
    """
    x = two_features(100, scale, correlation, np.random.default_rng(0))
    if features == "standardised":
        (x,) = standardize(x)
    if features == "whitened":
        (x,) = whiten(x)
    return x.T @ x / len(x)


def descent_path(hessian: Floats, rate: float, steps: Floats) -> Floats:
    """Return where gradient descent is after so many steps, by its closed form.

    In the directions of the bowl's axes each step multiplies the distance to the minimum by
    1 − αλ, so that thousands of steps cost no more than one.

    Parameters
    ----------
    hessian : array, shape (2, 2)
        Curvature.
    rate : float
        α as a multiple of 1/λmax.
    steps : array, shape (k,)
        Numbers of steps.

    Returns
    -------
    array, shape (k, 2)
    """
    values, axes = np.linalg.eigh(hessian)
    shrink = 1.0 - rate * values / values[-1]
    path: Floats = (shrink ** np.asarray(steps)[:, np.newaxis] * (START @ axes)) @ axes.T
    return path


def steps_down(hessian: Floats, rate: float, tolerance: float = 1e-3) -> int:
    """Return the steps of `descend` from `START`, for rates below 2."""
    axes = np.linalg.eigh(hessian)[1]

    def arrived(step: int) -> bool:
        (w,) = descent_path(hessian, rate, np.array([step]))
        return bool(np.abs(w @ axes).max() <= tolerance * np.abs(START @ axes).max())

    high = 1
    while not arrived(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if arrived(middle) else (middle, high)
    return high

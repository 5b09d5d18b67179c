"""The runs of chapter 5: three reasons, their rivals, and depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from bncourse.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from bncourse.arrays import Floats
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    Centre,
    Divide,
    DivideByRMS,
    Shift,
    backpropagate,
    full_statistics_accuracy,
    sizes_for,
    steps_to_accuracy,
    train_digits,
)
from bncourse.chapters.gaussian import gaussian_mean, relu, sigmoid
from bncourse.chapters.intuition import landscape
from bncourse.chapters.measured import measured, merge, take_down, taking_down
from bncourse.chapters.stored import StoredRun
from bncourse.data import Digits, load_digits, standardize, whiten
from bncourse.display.card import Card
from bncourse.landscape import (
    gauss_newton_spectrum,
    loss_and_gradient,
    max_over_median,
    walk_along_gradient,
)
from bncourse.layers import Dense, Layer
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Residual, Sequential, mlp
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent
from bncourse.statistics import layer_outputs
from bncourse.training import History, train

#: How each activation is initialised in this chapter.
INIT: dict[type[Layer], str] = {ReLU: "he", Tanh: "lecun", Sigmoid: "lecun"}
#: And the learning rate at which it is trained.
RATE: dict[type[Layer], float] = {ReLU: 0.1, Tanh: 0.1, Sigmoid: 1.0}


def curvature_spread(
    activation: type[Layer],
    batch_norm: bool,
    seed: int = 0,
    standardized: bool = False,
    images: int = 20,
    digits: Digits | None = None,
) -> float:
    """Return λmax over the median λ of the Gauss–Newton matrix at the start, on few images.

    Parameters
    ----------
    activation : type
        Of the hidden layers.
    batch_norm : bool
        With or without.
    seed : int
        Of the weights.
    standardized : bool
        Whether the pixels are, of the digits that are loaded by default.
    images : int
        Examples; the spectrum has nine values above zero for each.
    digits : Digits, optional
        Instead of ``load_digits(standardized=standardized)``.

    Returns
    -------
    float
        Over the eigenvalues that are not zero.
    """
    digits = load_digits(standardized=standardized) if digits is None else digits
    x = digits.x_train[:images]
    norm, rng = BatchNorm if batch_norm else None, np.random.default_rng(seed)
    net = mlp(sizes_for(digits), activation, norm, init=INIT[activation], rng=rng)
    values = gauss_newton_spectrum(net, x)
    return max_over_median(values[values > 1e-12 * values[0]])


class _WatchedReLU(ReLU):
    """A ReLU that keeps the means and the standard deviations of what it last received."""

    received: tuple[Floats, Floats]

    def _forward(self, z: Floats, training: bool) -> Floats:
        if training:
            self.received = z.mean(axis=0), z.std(axis=0)
        return super()._forward(z, training)


def gradient_shift(
    seed: int,
    activation: type[Layer],
    batch_norm: bool,
    steps: int = 60,
    digits: Digits | None = None,
) -> float:
    r"""Return Santurkar et al.'s measure of internal covariate shift, relative, averaged.

    At step t, :math:`G` is the gradient for a layer's weights, and :math:`G'` the one after the
    layers *before* it have made their step; the measure is
    :math:`\lVert G - G' \rVert / \lVert G \rVert`, averaged over the last hidden layer's steps.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    activation : type
        Of the hidden layers.
    batch_norm : bool
        With or without.
    steps : int
        Training steps to average over.
    digits : Digits, optional
        By default ``load_digits()``.

    Returns
    -------
    float

    Notes
    -----
    Source: Santurkar et al. (2018), arXiv:1805.11604, definition 2.1.
    """
    digits = load_digits() if digits is None else digits
    rng = np.random.default_rng(seed)
    norm = BatchNorm if batch_norm else None
    net = mlp(sizes_for(digits), activation, norm, init=INIT[activation], rng=rng)
    layer = [la for la in net.layers if isinstance(la, Dense)][-2]
    before = np.zeros(net.theta.size, bool)
    start = 0
    for la in net.layers:
        if la is layer:
            break
        size = sum(p.size for p in la.params.values())
        before[start : start + size] = True
        start += size
    rate = RATE[activation]
    shifts = []
    for _ in range(steps):
        batch = rng.permutation(len(digits.x_train))[:BATCH_SIZE]
        x, y = digits.x_train[batch], digits.y_train[batch]
        backpropagate(net, x, y)
        gradient, g = net.dtheta.copy(), layer.grads["w"].copy()
        net.theta[before] -= rate * gradient[before]
        backpropagate(net, x, y)
        shifts.append(float(np.linalg.norm(g - layer.grads["w"]) / np.linalg.norm(g)))
        net.theta[~before] -= rate * gradient[~before]
    return float(np.mean(shifts))


class Smoothness(NamedTuple):
    """The landscape along the gradient, averaged over the start of training.

    Attributes
    ----------
    beta : float
        Effective β-smoothness: the gradient's largest change per unit of length walked.
    predictiveness : float
        The gradient's largest change over its norm.
    variation : float
        The loss's range along the walk, in nats.
    """

    beta: float
    predictiveness: float
    variation: float


def smoothness(
    seed: int,
    activation: type[Layer],
    batch_norm: bool,
    *,
    gain: float = 1.0,
    rate: float | None = None,
    steps: int = 100,
    every: int = 10,
    sizes: Sequence[int] | None = None,
    digits: Digits | None = None,
) -> Smoothness:
    """Train, and every few steps walk ½, 1, 2 and 4 learning rates along the gradient.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    activation : type
        Of the hidden layers.
    batch_norm : bool
        With or without.
    gain : float
        Factor on the initial weights.
    rate : float, optional
        Learning rate, by default that of `RATE`.
    steps : int
        Training steps; 0 measures at the start only.
    every : int
        Steps between walks.
    sizes : sequence of int, optional
        Widths, by default `SIZES`, with as many inputs as the data have.
    digits : Digits, optional
        By default ``load_digits()``.

    Returns
    -------
    Smoothness
        Medians over the walks.
    """
    digits = load_digits() if digits is None else digits
    sizes = sizes_for(digits) if sizes is None else sizes
    rate = RATE[activation] if rate is None else rate
    weights, order = np.random.default_rng(seed).spawn(2)
    norm = BatchNorm if batch_norm else None
    net = mlp(sizes, activation, norm, init=INIT[activation], gain=gain, rng=weights)
    x, y = digits.x_train[:BATCH_SIZE], digits.y_train[:BATCH_SIZE]
    etas = rate * np.array([0.5, 1.0, 2.0, 4.0])
    optimizer = GradientDescent(rate)
    rows = []
    for done in range(0, steps + 1, every):
        walk = walk_along_gradient(net, x, y, etas)
        rows.append(
            [walk.smoothness.max(), walk.distance.max() / walk.gradient_norm, np.ptp(walk.loss)]
        )
        if done < steps:
            train(
                net,
                digits.x_train,
                digits.y_train,
                optimizer=optimizer,
                batch_size=BATCH_SIZE,
                steps=every,
                rng=order,
            )
    return Smoothness(*map(float, np.median(rows, axis=0)))


@cache
def smoothness_at_loss(
    seed: int,
    activation: type[Layer],
    batch_norm: bool,
    loss: float,
    *,
    eta: float = 0.1,
    gain: float = 1.0,
    sizes: tuple[int, ...] = SIZES,
    at_most: int = 1000,
) -> float:
    """Train until a batch's loss is below `loss`, then walk one step along the gradient.

    A network on a plateau is smooth because it is level. At equal loss a descent is compared with
    a descent, and with one step η for all the answer does not hang on a grid of steps.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    activation : type
        Of the hidden layers.
    batch_norm : bool
        With or without.
    loss : float
        In nats, of the first 60 training images; looked at every 2 steps. Infinity measures at
        the start.
    eta : float
        How many gradients to walk.
    gain : float
        Factor on the initial weights.
    sizes : tuple of int
        Widths.
    at_most : int
        Training steps after which to give up.

    Returns
    -------
    float
        The gradient's change per unit of length walked; NaN if the loss is not reached.
    """
    digits = load_digits()
    weights, order = np.random.default_rng(seed).spawn(2)
    norm = BatchNorm if batch_norm else None
    net = mlp(sizes, activation, norm, init=INIT[activation], gain=gain, rng=weights)
    x, y = digits.x_train[:BATCH_SIZE], digits.y_train[:BATCH_SIZE]
    optimizer = GradientDescent(RATE[activation])
    for _ in range(0, at_most + 1, 2):
        if loss_and_gradient(net, x, y)[0] < loss:
            return float(walk_along_gradient(net, x, y, np.array([eta])).smoothness[0])
        train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=optimizer,
            batch_size=BATCH_SIZE,
            steps=2,
            rng=order,
        )
    return float("nan")


#: The settings in which smoothness is compared: name, activation, gain, training steps, widths.
SMOOTHNESS_SETTINGS: tuple[tuple[str, type[Layer], float, int, tuple[int, ...]], ...] = (
    ("ReLU, He", ReLU, 1.0, 100, SIZES),
    ("tanh", Tanh, 1.0, 100, SIZES),
    ("sigmoid", Sigmoid, 1.0, 100, SIZES),
    ("ReLU, 0.3 × He", ReLU, 0.3, 100, SIZES),
    ("ReLU, He, at the start", ReLU, 1.0, 0, SIZES),
    ("tanh, 10 layers, at the start", Tanh, 1.0, 0, (64, *[100] * 10, 10)),
)


def smoothness_ratios(seeds: Sequence[int]) -> dict[str, list[float]]:
    """Return β-smoothness without over with batch norm, in each setting, for each seed."""
    return {
        name: [
            smoothness(seed, kind, False, gain=gain, steps=steps, sizes=sizes).beta
            / smoothness(seed, kind, True, gain=gain, steps=steps, sizes=sizes).beta
            for seed in seeds
        ]
        for name, kind, gain, steps, sizes in SMOOTHNESS_SETTINGS
    }


def scaled_smoothness(seed: int, batch_norm: bool, factor: float) -> float:
    """Return β-smoothness of the ReLU network at the start, all hidden weights times a factor.

    Behind batch norm the factor changes nothing that the network computes.

    Parameters
    ----------
    seed : int
        Of the weights.
    batch_norm : bool
        With or without.
    factor : float
        On the hidden layers' weights; the output layer keeps its own.

    Returns
    -------
    float
        Over ½, 1, 2 and 4 learning rates of 0.1, on the first batch of the training set.
    """
    digits = load_digits()
    net = mlp(SIZES, ReLU, BatchNorm if batch_norm else None, rng=np.random.default_rng(seed))
    for layer in [la for la in net.layers if isinstance(la, Dense)][:-1]:
        layer.params["w"] *= factor
    x, y = digits.x_train[:BATCH_SIZE], digits.y_train[:BATCH_SIZE]
    walk = walk_along_gradient(net, x, y, RATE[ReLU] * np.array([0.5, 1.0, 2.0, 4.0]))
    return float(walk.smoothness.max())


def relative_change(factor: float, change: float = 0.01) -> Floats:
    """Return by how much the logits move when each hidden weight moves by about 1 %.

    Parameters
    ----------
    factor : float
        On the hidden layers' weights, before the change. Batch norm has ε = 0.
    change : float
        Standard deviation of the relative change; the same draws for every factor.

    Returns
    -------
    array, shape (1437, 10)
    """
    return _moved_logits(factor, lambda w, draws: w * change * draws)


def absolute_change(factor: float, change: float = 1e-3) -> Floats:
    """Return by how much the logits move when each hidden weight moves by about `change`.

    Parameters
    ----------
    factor : float
        On the hidden layers' weights, before the change. Batch norm has ε = 0.
    change : float
        Standard deviation of the change; the same draws for every factor.

    Returns
    -------
    array, shape (1437, 10)
    """
    return _moved_logits(factor, lambda _, draws: change * draws)


def _moved_logits(factor: float, step: Callable[[Floats, Floats], Floats]) -> Floats:
    x = load_digits().x_train
    rng = np.random.default_rng(1)
    net = mlp(SIZES, ReLU, partial(BatchNorm, epsilon=0.0), rng=np.random.default_rng(0))
    weights = [la.params["w"] for la in net.layers if isinstance(la, Dense)][:-1]
    for w in weights:
        w *= factor
    before = layer_outputs(net, x, statistics="batch")[-1]
    for w in weights:
        w += step(w, rng.standard_normal(w.shape))
    return np.asarray(layer_outputs(net, x, statistics="batch")[-1] - before)


def fixed_length_accuracy(
    seed: int, rate: float, fixed: bool, steps: int = 200, digits: Digits | None = None
) -> float:
    """Return the test accuracy of the ReLU network with batch norm when weights may not grow.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    rate : float
        Learning rate.
    fixed : bool
        Whether each hidden unit's weights are scaled back to their initial length after every
        step. This changes no output; it takes the falling effective rate away.
    steps : int
        Updates.
    digits : Digits, optional
        By default ``load_digits()``.

    Returns
    -------
    float
    """
    digits = load_digits() if digits is None else digits
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(sizes_for(digits), ReLU, rng=weights)
    hidden = [layer for layer in net.layers if isinstance(layer, Dense)][:-1]
    lengths = [np.linalg.norm(layer.w, axis=1, keepdims=True) for layer in hidden]

    def restore_lengths(history: History) -> None:
        for layer, length in zip(hidden, lengths, strict=True):
            layer.w *= length / np.linalg.norm(layer.w, axis=1, keepdims=True)

    with np.errstate(over="ignore", invalid="ignore"):
        train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=GradientDescent(rate),
            batch_size=BATCH_SIZE,
            steps=steps,
            rng=order,
            after_step=restore_lengths if fixed else None,
        )
        return full_statistics_accuracy(net, digits)


def gradient_norms(
    seed: int,
    activation: type[Layer],
    batch_norm: bool,
    depth: int = 50,
    width: int = 100,
    digits: Digits | None = None,
) -> Floats:
    """Return ‖∂J/∂w‖ of each hidden layer at the start, from the input to the output.

    Parameters
    ----------
    seed : int
        Of the weights.
    activation : type
        Of the hidden layers.
    batch_norm : bool
        With or without.
    depth, width : int
        Hidden layers, and units in each.
    digits : Digits, optional
        By default ``load_digits()``.

    Returns
    -------
    array, shape (depth,)
    """
    digits = load_digits() if digits is None else digits
    net = mlp(
        (digits.x_train.shape[1], *[width] * depth, 10),
        activation,
        BatchNorm if batch_norm else None,
        init=INIT[activation],
        rng=np.random.default_rng(seed),
    )
    backpropagate(net, digits.x_train[:200], digits.y_train[:200])
    layers = [la for la in net.layers if isinstance(la, Dense)][:-1]
    return np.array([np.linalg.norm(la.grads["w"]) for la in layers])


def growth_per_layer(norms: Floats) -> float:
    """Return the factor by which a gradient grows per layer on its way to the input.

    The first and the last five layers are left out: the input and the output differ.
    """
    inner = np.log(norms[5:-5])
    return float(np.exp(-np.polyfit(np.arange(len(inner)), inner, 1)[0]))


def predicted_growth(
    f: Callable[[Floats], Floats], derivative: Callable[[Floats], Floats]
) -> float:
    r"""Return :math:`\sqrt{E[g'(z)^2] / \operatorname{Var}[g(z)]}` for z from N(0, 1).

    Parameters
    ----------
    f, derivative : callable
        The activation function g and its derivative.

    Returns
    -------
    float
        Growth of the gradient per normalised layer, for a wide network and a large batch.
    """
    mean = gaussian_mean(f)
    variance = gaussian_mean(lambda z: (f(z) - mean) ** 2)
    return float(np.sqrt(gaussian_mean(lambda z: derivative(z) ** 2) / variance))


ACTIVATIONS: dict[str, type[Layer]] = {"ReLU": ReLU, "tanh": Tanh, "sigmoid": Sigmoid}


# ---------------------------------------------------------------- book/05-intuition.ipynb

#: What medians and ranges of the core page are taken over, and what its headlines are.
FIVE, TEN = tuple(range(5)), tuple(range(10))
#: Test accuracy that a network is trained to.
GOOD = 0.90

RAW, CENTRED, STANDARDISED = "pixels from 0 to 1", "pixels, centred once", "standardised"
#: The same for the pixels that vary by more than `VARIES`, and without their correlation.
VARYING, WHITENED = "52 pixels, standardised", "52 pixels, whitened"
VARIES = 0.05
#: What stands behind each hidden w.
NOTHING, DIVISION, ROOT_MEAN_SQUARE, SUBTRACTION, BOTH = (
    "nothing: a bias",
    "division, γ and β",
    "root mean square, γ and β",
    "subtraction and β",
    "batch norm",
)


def inputs_of(name: str) -> Digits:
    """Return the digits as they are, or with statistics of the training images taken away.

    Parameters
    ----------
    name : str
        `RAW`, `CENTRED`, each pixel's mean subtracted, `STANDARDISED`; or, with 0 for the pixels
        that hardly vary, `VARYING` or `WHITENED`.
    """
    digits = load_digits(standardized=name == STANDARDISED)
    if name in (VARYING, WHITENED):
        keep = digits.x_train.std(axis=0) > VARIES
        pair = digits.x_train[:, keep], digits.x_test[:, keep]
        x_train, x_test = np.zeros_like(digits.x_train), np.zeros_like(digits.x_test)
        x_train[:, keep], x_test[:, keep] = (whiten if name == WHITENED else standardize)(*pair)
        return digits._replace(x_train=x_train, x_test=x_test)
    if name != CENTRED:
        return digits
    mean = digits.x_train.mean(axis=0)
    return digits._replace(x_train=digits.x_train - mean, x_test=digits.x_test - mean)


def note_down(activation: str, arm: str, inputs: str, rate: float, steps: int, seed: int) -> None:
    """Take down what the runs of this page have in common."""
    take_down(
        activation=activation,
        arm=arm,
        learning_rate=rate,
        init=INIT[ACTIVATIONS[activation]],
        inputs=inputs,
        sizes="-".join(map(str, SIZES)),
        batch_size=BATCH_SIZE,
        steps=steps,
        seed=seed,
    )


def half_steps(
    seed: int,
    activation: str,
    inputs: str,
    behind: str,
    rate: float,
    gain: float = 1.0,
    at_most: int = 100,
) -> float:
    """Return the steps to 90 % of the test images with a half of batch norm behind each hidden w.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    activation : str
        One of `ACTIVATIONS`.
    inputs : str
        `RAW`, `CENTRED` or `STANDARDISED`.
    behind : str
        `NOTHING`, `DIVISION`, `ROOT_MEAN_SQUARE`, `SUBTRACTION` or `BOTH`.
    rate : float
        Learning rate.
    gain : float
        Factor on the initial hidden weights.
    at_most : int
        Steps.

    Returns
    -------
    float
        Counted every step; infinity if `at_most` were not enough.
    """
    note_down(activation, behind, inputs, rate, at_most, seed)
    if gain != 1.0:
        take_down(gain=gain)
    kind, digits = ACTIVATIONS[activation], inputs_of(inputs)
    weights, order = np.random.default_rng(seed).spawn(2)
    layers: list[Layer] = []
    for n_in, n in zip(SIZES[:-2], SIZES[1:-1], strict=True):
        layers.append(Dense(n_in, n, behind == NOTHING, init=INIT[kind], gain=gain, rng=weights))
        if behind == SUBTRACTION:
            layers += [Centre(), Shift(n)]
        elif behind == DIVISION:
            layers.append(Divide(n))
        elif behind == ROOT_MEAN_SQUARE:
            layers.append(DivideByRMS(n))
        elif behind == BOTH:
            layers.append(BatchNorm(n))
        layers.append(kind())
    net = Sequential([*layers, Dense(SIZES[-2], SIZES[-1], init=INIT[kind], rng=weights)])

    def good(_: History) -> bool:
        logits = layer_outputs(net, digits.x_test, statistics="batch")[-1]
        return bool(np.mean(logits.argmax(axis=1) == digits.y_test) >= GOOD)

    with np.errstate(over="ignore", invalid="ignore"):
        return steps_until(net, digits, rate, order, good, at_most)


def steps_until(
    net: Sequential,
    digits: Digits,
    rate: float,
    order: np.random.Generator,
    good: Callable[[History], bool],
    at_most: int,
) -> float:
    """Train until `good`, and return the steps, or infinity."""
    reached: list[int] = []

    def look(history: History) -> bool:
        if good(history):
            reached.append(history.steps)
        return bool(reached) or not np.isfinite(history.loss[-1])

    train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=GradientDescent(rate),
        batch_size=BATCH_SIZE,
        steps=at_most,
        rng=order,
        after_step=look,
    )
    return float(reached[0]) if reached else float("inf")


def _halves_grid() -> list[dict[str, object]]:
    every = [NOTHING, DIVISION, ROOT_MEAN_SQUARE, SUBTRACTION, BOTH]
    shown = [
        ("ReLU", RAW, every),
        ("tanh", RAW, every),
        ("sigmoid", RAW, every),
        ("ReLU", CENTRED, [NOTHING]),
        ("tanh", CENTRED, [NOTHING]),
        ("sigmoid", CENTRED, [NOTHING]),
        ("ReLU", STANDARDISED, every),
        ("tanh", STANDARDISED, every),
    ]
    return [
        {"activation": activation, "inputs": inputs, "behind": behind, "rate": 1.0}
        for activation, inputs, arms in shown
        for behind in arms
    ]


HALVES = StoredRun("halves", half_steps, _halves_grid(), FIVE, tolerance=12.0)


@dataclass(frozen=True)
class Halves:
    """Steps to 90 % with halves of batch norm, at rate 1.

    Attributes
    ----------
    steps : dict of (str, str, str) to list of float
        By activation, inputs, and what stands behind each hidden w: one value a seed.
    card : Card
    """

    steps: dict[tuple[str, str, str], list[float]]
    card: Card | None = None


@measured(
    question="Which half of batch norm lets rate 1 train?",
    control="The same weights and batches with neither half and with both; division by a scale "
    "that sees the mean; and no batch norm at all, with each pixel's mean subtracted once before "
    "training.",
    mode="Test accuracy with the statistics of the whole test set as one batch, after every step.",
)
def halves(seeds: Sequence[int] | None = None) -> Halves:
    """Return the stored runs."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for run in HALVES.load(seeds).runs:
        key = run.settings["activation"], run.settings["inputs"], run.settings["behind"]
        found.setdefault(key, []).append(run.result)
    return Halves(found)


#: The rates at which tanh is trained, without and with batch norm.
TANH_RATES = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0)


def tanh_steps(seed: int, inputs: str, batch_norm: bool, rate: float) -> float:
    """Return the steps of the tanh network to 90 % of the test images, counted every step.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    inputs : str
        `RAW` or `STANDARDISED`.
    batch_norm : bool
        With or without.
    rate : float
        Learning rate.
    """
    return steps_to_accuracy(
        seed,
        Tanh,
        batch_norm,
        rate,
        target=GOOD,
        at_most=100,
        init=INIT[Tanh],
        digits=inputs_of(inputs),
        every=1,
    )


TANH = StoredRun(
    "tanh",
    tanh_steps,
    {"inputs": [RAW, STANDARDISED], "batch_norm": [False, True], "rate": TANH_RATES},
    TEN,
    tolerance=12.0,
)


class Descent(NamedTuple):
    """A network whose descent is measured: activation, inputs, factor on the initial weights."""

    activation: str
    inputs: str
    gain: float


DESCENTS = {
    "ReLU": Descent("ReLU", RAW, 1.0),
    "tanh": Descent("tanh", RAW, 1.0),
    "sigmoid": Descent("sigmoid", RAW, 1.0),
    "ReLU, 0.3 × He": Descent("ReLU", RAW, 0.3),
    "tanh, standardised": Descent("tanh", STANDARDISED, 1.0),
}
#: Losses at which two networks are compared, and the step at which they are too, in nats.
LOSSES = (1.5, 1.0, 0.5)
AT_STEP = 50
#: And how many gradients are walked; the first of them where none is named.
ETAS = (0.1, 0.3, 1.0)
LONGER = tuple(f", η {eta:g}" for eta in ETAS[1:])


def descent(seed: int, network: str, batch_norm: bool) -> dict[str, float]:
    """Train one network; measure the gradient shift, the smoothness, and the steps to 90 %.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    network : str
        One of `DESCENTS`.
    batch_norm : bool
        With or without.

    Returns
    -------
    dict of str to float
        ``"shift"``: that of `gradient_shift`, over 60 steps. ``"steps"``: to 90 % of the test
        images, counted every step. ``"step 50"`` and ``"loss at step 50"``: the gradient's change
        per unit of length over one step of η = 0.1, on the first 60 training images, and their
        loss, after 50 steps. ``"loss 1.5"``, … : that change when their loss was first below 1.5
        nats, looked at every 2 steps; ``"loss 1.5, η 0.3"``, … : with a longer step. Infinity for
        what 1,000 steps don't reach.
    """
    setting = DESCENTS[network]
    kind, digits = ACTIVATIONS[setting.activation], inputs_of(setting.inputs)
    name = "with batch norm" if batch_norm else "without batch norm"
    note_down(setting.activation, name, setting.inputs, RATE[kind], 1000, seed)
    take_down(gain=setting.gain)
    weights, order = np.random.default_rng(seed).spawn(2)
    norm = BatchNorm if batch_norm else None
    net = mlp(SIZES, kind, norm, init=INIT[kind], gain=setting.gain, rng=weights)
    x, y = digits.x_train[:BATCH_SIZE], digits.y_train[:BATCH_SIZE]
    found = dict.fromkeys([*(f"loss {level}" for level in LOSSES), "steps"], float("inf"))

    def change() -> list[float]:
        return list(map(float, walk_along_gradient(net, x, y, np.array(ETAS)).smoothness))

    def look(history: History) -> bool:
        step = history.steps
        if np.isinf(found["steps"]) and full_statistics_accuracy(net, digits) >= GOOD:
            found["steps"] = float(step)
        if step % 2 == 0:
            loss = loss_and_gradient(net, x, y)[0]
            for level in LOSSES:
                if loss < level and np.isinf(found[f"loss {level}"]):
                    found[f"loss {level}"], *longer = change()
                    for eta, value in zip(LONGER, longer, strict=True):
                        found[f"loss {level}{eta}"] = value
            if step == AT_STEP:
                found[f"step {AT_STEP}"], found[f"loss at step {AT_STEP}"] = change()[0], loss
        return step >= AT_STEP and all(map(np.isfinite, found.values()))

    train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=GradientDescent(RATE[kind]),
        batch_size=BATCH_SIZE,
        steps=1000,
        rng=order,
        after_step=look,
    )
    if setting.gain == 1.0:
        found["shift"] = gradient_shift(seed, kind, batch_norm, digits=digits)
    return found


DESCENT = StoredRun(
    "descent",
    descent,
    {"network": list(DESCENTS), "batch_norm": [False, True]},
    FIVE,
    tolerance=40.0,
)


class Shake(Layer):
    """Shift each unit by a random number, another one at every step of training.

    Parameters
    ----------
    n : int
        Number of units.
    level : float
        Shifts are uniform in ±level.
    rng : numpy.random.Generator
        Source of the shifts.
    """

    def __init__(self, n: int, level: float, rng: np.random.Generator) -> None:
        super().__init__(n, n)
        self.level, self.rng = level, rng

    def _forward(self, x: Floats, training: bool) -> Floats:
        if not training:
            return x
        shift = self.rng.uniform(-self.level, self.level, size=x.shape[1])
        return x + shift

    def _backward(self, dz: Floats) -> Floats:
        return dz


class ShakeBySpread(Shake):
    """Shift each unit by a random share of its own standard deviation over the batch."""

    def _forward(self, x: Floats, training: bool) -> Floats:
        if not training:
            return x
        shift = self.rng.uniform(-self.level, self.level, size=x.shape[1])
        shaken: Floats = x + shift * x.std(axis=0)
        return shaken


class Arm(NamedTuple):
    """A network that is shaken or not: batch norm, level, and in units of its own spread."""

    batch_norm: bool
    level: float
    by_spread: bool = False


SHAKEN = {
    "no batch norm": Arm(False, 0.0),
    "batch norm": Arm(True, 0.0),
    "batch norm, shaken, level 1": Arm(True, 1.0),
    "batch norm, shaken, level 2": Arm(True, 2.0),
    "no batch norm, shaken, level 1": Arm(False, 1.0),
    "no batch norm, shaken by its own spread": Arm(False, 1.0, True),
}


@dataclass(frozen=True)
class ShakeRun:
    """One training run of a network that is shaken or not.

    Attributes
    ----------
    steps : float
        To 90 % of the test images, counted every step; infinity if not reached.
    drift : float
        How far the mean of what a ReLU receives moves from a batch to the one 10 steps later, in
        standard deviations, over units, layers and the first 60 steps; infinity if it overflows.
    curve : list of float
        The accuracies that were kept.
    """

    steps: float
    drift: float
    curve: list[float]


def shake_run(
    seed: int,
    arm: Arm,
    rate: float,
    inputs: str = RAW,
    shake: Callable[[int, float, np.random.Generator], Layer] = Shake,
    at_most: int = 120,
    every: int = 1,
    whole: bool = False,
) -> ShakeRun:
    """Train the ReLU network with a layer in front of each ReLU that shifts its units.

    Parameters
    ----------
    seed : int
        Of weights, batches and shifts.
    arm : Arm
        With level 0 no such layer is there.
    rate : float
        Learning rate.
    inputs : str
        `RAW` or `STANDARDISED`.
    shake : callable
        Makes the layer from a width, a level and a generator.
    at_most : int
        Steps. The accuracy is measured after each, without shifts, until it is 90 %.
    every : int
        How often it is kept for the curve.
    whole : bool
        Whether training goes on when 90 % are reached.

    Returns
    -------
    ShakeRun
    """
    digits = inputs_of(inputs)
    weights, order = np.random.default_rng(seed).spawn(2)
    noise = np.random.default_rng([seed, 1])
    net = mlp(SIZES, _WatchedReLU, BatchNorm if arm.batch_norm else None, rng=weights)
    if arm.level:
        make = ShakeBySpread if arm.by_spread else shake
        layers: list[Layer] = []
        for layer in net.layers:
            if isinstance(layer, _WatchedReLU):
                layers.append(make(SIZES[1], arm.level, noise))
            layers.append(layer)
        net = Sequential(layers)
    watched = [layer for layer in net.layers if isinstance(layer, _WatchedReLU)]
    received: list[list[tuple[Floats, Floats]]] = []
    curve: list[float] = []
    reached = float("inf")

    def look(history: History) -> bool:
        nonlocal reached
        if len(received) < 60:
            received.append([layer.received for layer in watched])
        shown = history.steps % every == 0
        if np.isinf(reached) or (whole and shown):
            value = full_statistics_accuracy(net, digits)
            if np.isinf(reached) and value >= GOOD:
                reached = float(history.steps)
            if shown:
                curve.append(value)
        return not whole and np.isfinite(reached) and len(received) == 60

    with np.errstate(over="ignore", invalid="ignore"):
        train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=GradientDescent(rate),
            batch_size=BATCH_SIZE,
            steps=at_most,
            rng=order,
            after_step=look,
        )
        moved = [
            float(np.mean(np.abs(mean - old_mean) / (old_sd + 1e-6)))
            for old, new in zip(received[:-10], received[10:], strict=True)
            for (old_mean, old_sd), (mean, _) in zip(old, new, strict=True)
        ]
    drift = float(np.mean(moved))
    return ShakeRun(reached, drift if np.isfinite(drift) else float("inf"), curve)


def shaken(seed: int, arm: str, rate: float, inputs: str) -> dict[str, float]:
    """Return ``"steps"`` and ``"drift"`` of one arm.

    Parameters
    ----------
    seed : int
        Of weights, batches and shifts.
    arm : str
        One of `SHAKEN`.
    rate : float
        Learning rate.
    inputs : str
        `RAW` or `STANDARDISED`.
    """
    note_down("ReLU", arm, inputs, rate, 120, seed)
    run = shake_run(seed, SHAKEN[arm], rate, inputs)
    return {"steps": run.steps, "drift": run.drift}


SHAKE_RATES = (0.1, 0.3, 1.0)
SHAKE = StoredRun(
    "shake",
    shaken,
    [
        *({"arm": arm, "rate": rate, "inputs": RAW} for arm in SHAKEN for rate in SHAKE_RATES),
        *({"arm": arm, "rate": 0.1, "inputs": STANDARDISED} for arm in SHAKEN),
    ],
    FIVE,
    tolerance=12.0,
)


#: What is done to the length of each hidden unit's weights after every step.
FREE, AT_START, AT_END = "free to grow", "held at its start", "held at its end"


def held_accuracy(seed: int, rate: float, length: str) -> float:
    """Return the test accuracy of the ReLU network with batch norm after 200 steps.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    rate : float
        Learning rate.
    length : str
        `FREE`; or each hidden unit's weights are brought after every step to the length that they
        had at the start (`AT_START`), or to that which they have at the end when they are free
        (`AT_END`), from the same directions.
    """
    note_down("ReLU", f"length {length}", RAW, rate, 200, seed)
    digits = load_digits()
    ends = _held(seed, rate, None, digits)[1] if length == AT_END else None
    weights, _ = np.random.default_rng(seed).spawn(2)
    start = [
        np.linalg.norm(layer.w, axis=1, keepdims=True)
        for layer in hidden_layers(mlp(SIZES, ReLU, rng=weights))
    ]
    hold = {FREE: None, AT_START: start, AT_END: ends}[length]
    return _held(seed, rate, hold, digits)[0]


def _held(
    seed: int, rate: float, hold: list[Floats] | None, digits: Digits
) -> tuple[float, list[Floats]]:
    """Return the accuracy after 200 steps, and the length of each hidden unit's weights."""
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, ReLU, rng=weights)

    def restore(_: History | None = None) -> None:
        for layer, length in zip(hidden_layers(net), hold or [], strict=True):
            layer.w *= length / np.linalg.norm(layer.w, axis=1, keepdims=True)

    if hold:
        restore()
    with np.errstate(over="ignore", invalid="ignore"):
        train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=GradientDescent(rate),
            batch_size=BATCH_SIZE,
            steps=200,
            rng=order,
            after_step=restore if hold else None,
        )
        lengths = [np.linalg.norm(layer.w, axis=1, keepdims=True) for layer in hidden_layers(net)]
        return full_statistics_accuracy(net, digits), lengths


HELD_RATES = (1.0, 3.0, 5.0, 8.0)
HELD = StoredRun(
    "lengths",
    held_accuracy,
    {"rate": HELD_RATES, "length": [FREE, AT_START, AT_END]},
    FIVE,
    tolerance=0.35,
    edge=0.2,
)


@dataclass(frozen=True)
class TanhRates:
    """Steps of the tanh network to 90 % by inputs, batch norm and learning rate.

    Attributes
    ----------
    steps : dict of (str, bool, float) to list of float
        One value a seed.
    card : Card
    """

    steps: dict[tuple[str, bool, float], list[float]]
    card: Card | None = None

    def median(self, inputs: str, batch_norm: bool, rate: float) -> float:
        """Return the median over the seeds."""
        return float(np.median(self.steps[inputs, batch_norm, rate]))

    def best(self, inputs: str, batch_norm: bool) -> float:
        """Return the rate with the lowest median, the smaller one of two equals."""
        return min(TANH_RATES, key=lambda rate: (self.median(inputs, batch_norm, rate), rate))


@measured(
    question="How many steps does batch norm save the tanh network, at one rate and at the best?",
    control="The same weights and batches without batch norm, paired by seed; and standardised "
    "pixels.",
    mode="Test accuracy with the statistics of the whole training set, after every step; at most "
    "100 steps.",
)
def tanh_rates(seeds: Sequence[int] | None = None) -> TanhRates:
    """Return the stored runs."""
    stored = TANH.load(seeds)
    return TanhRates(
        {
            (inputs, bn, rate): stored.select(inputs=inputs, batch_norm=bn, rate=rate)
            for inputs in (RAW, STANDARDISED)
            for bn in (False, True)
            for rate in TANH_RATES
        }
    )


@dataclass(frozen=True)
class Descents:
    """Gradient shift, smoothness and steps of five networks, without and with batch norm.

    Attributes
    ----------
    values : dict of (str, bool) to dict of str to list of float
        By the network and batch norm, each quantity of `descent`, one value a seed.
    card : Card
    """

    values: dict[tuple[str, bool], dict[str, list[float]]]
    card: Card | None = None

    def median(self, network: str, batch_norm: bool, key: str) -> float:
        """Return the median over the seeds."""
        return float(np.median(self.values[network, batch_norm][key]))

    def ratios(self, network: str, key: str) -> Floats:
        """Return one network's values without over those with batch norm, paired by seed."""
        without, with_bn = (np.array(self.values[network, bn][key]) for bn in (False, True))
        return np.asarray(without / with_bn)


@measured(
    question="Do a smaller gradient shift or a smoother landscape go with the steps that batch "
    "norm saves?",
    control="The same weights and batches without batch norm, paired by seed, at the same rate: "
    "0.1 for ReLU and tanh, 1 for the sigmoid. Smoothness after the same number of steps, and at "
    "the same losses.",
    mode="Gradients and losses in training mode, smoothness on the first 60 training images with "
    "one step of 0.1, 0.3 or 1. Test accuracy with the statistics of the whole training set, "
    "after every step.",
)
def descents(seeds: Sequence[int] | None = None) -> Descents:
    """Return the stored runs."""
    stored = DESCENT.load(seeds)
    found = {}
    for network in DESCENTS:
        for bn in (False, True):
            results = stored.select(network=network, batch_norm=bn)
            found[network, bn] = {key: [r[key] for r in results] for key in results[0]}
    return Descents(found)


@dataclass(frozen=True)
class Shaken:
    """Steps and drift of shaken and unshaken networks.

    Attributes
    ----------
    values : dict of (str, float, str) to dict of str to list of float
        By the arm, the rate and the inputs: ``"steps"`` and ``"drift"``, one value a seed.
    card : Card
    """

    values: dict[tuple[str, float, str], dict[str, list[float]]]
    card: Card | None = None

    def steps(self, arm: str, rate: float, inputs: str = RAW) -> list[float]:
        """Return the steps to 90 %."""
        return self.values[arm, rate, inputs]["steps"]

    def drift(self, arm: str, rate: float, inputs: str = RAW) -> float:
        """Return the median drift."""
        return float(np.median(self.values[arm, rate, inputs]["drift"]))


@measured(
    question="Does batch norm keep its gain when the means that it steadies are shifted again?",
    control="No batch norm, with and without the same shifts, paired by seed; shifts in units of "
    "the plain network's own spread; three rates; standardised pixels.",
    mode="Test accuracy without shifts, with the statistics of the whole training set, after "
    "every step. Drift as a ReLU receives it in training, between batches 10 steps apart.",
)
def shaken_networks(seeds: Sequence[int] | None = None) -> Shaken:
    """Return the stored runs."""
    found: dict[tuple[str, float, str], dict[str, list[float]]] = {}
    for run in [*SHAKE.load(seeds).runs, *SHAKE_STANDARDISED.load(seeds).runs]:
        key = run.settings["arm"], run.settings["rate"], run.settings["inputs"]
        values = found.setdefault(key, {"steps": [], "drift": []})
        for name in values:
            values[name].append(run.result[name])
    return Shaken(found)


@measured(
    question="How many steps do four networks take to 90 %, two of them shaken by your layer?",
    control="The same weights and batches without your layer, and without batch norm.",
    mode="Test accuracy without shifts, with the statistics of the whole training set, after "
    "every step. Drift as a ReLU receives it in training, between batches 10 steps apart.",
)
def shake_yours(
    layer: Callable[[int, float, np.random.Generator], Layer],
    level: float = 1.0,
    rate: float = 0.1,
    seed: int = 0,
) -> Shaken:
    """Train four networks on raw pixels, two of them with a layer in front of each ReLU.

    Parameters
    ----------
    layer : callable
        Makes the layer from a width, a level and a generator, as `Shake`.
    level : float
        Of the shifts.
    rate : float
        Learning rate.
    seed : int
        Of weights, batches and shifts.

    Returns
    -------
    Shaken
    """
    arms = {
        "no batch norm": Arm(False, 0.0),
        "no batch norm, shaken": Arm(False, level),
        "batch norm": Arm(True, 0.0),
        "batch norm, shaken": Arm(True, level),
    }
    found = {}
    for name, arm in arms.items():
        note_down("ReLU", name, RAW, rate, 120, seed)
        run = shake_run(seed, arm, rate, shake=layer)
        found[name, rate, RAW] = {"steps": [run.steps], "drift": [run.drift]}
    return Shaken(found)


@dataclass(frozen=True)
class Held:
    """Test accuracies after 200 steps by rate and by what is done to the length of the weights.

    Attributes
    ----------
    values : dict of (float, str) to list of float
        One value a seed.
    card : Card
    """

    values: dict[tuple[float, str], list[float]]
    card: Card | None = None


@measured(
    question="Is it the falling effective rate that makes large rates train?",
    control="The same runs with each hidden unit's weights held at their first length, and at "
    "the length that the free ones end with.",
    mode="Test accuracy with the statistics of the whole training set.",
)
def held(seeds: Sequence[int] | None = None) -> Held:
    """Return the stored runs."""
    stored = HELD.load(seeds)
    return Held(
        {
            (rate, length): stored.select(rate=rate, length=length)
            for rate in HELD_RATES
            for length in (FREE, AT_START, AT_END)
        }
    )


#: Networks of 50 layers: activation, batch norm, and a shortcut around each layer.
DEEP: dict[str, tuple[str, bool, bool]] = {
    "sigmoid": ("sigmoid", False, False),
    "sigmoid, batch norm": ("sigmoid", True, False),
    "ReLU": ("ReLU", False, False),
    "ReLU, batch norm": ("ReLU", True, False),
    "ReLU, shortcuts": ("ReLU", False, True),
    "ReLU, batch norm, shortcuts": ("ReLU", True, True),
}


@dataclass(frozen=True)
class Depth:
    """The gradient of each of 50 hidden layers at the start.

    Attributes
    ----------
    norms : dict of str to array of shape (seeds, 50)
        ‖∂J/∂w‖ by the network, from the input to the output.
    predicted : float
        By how much it grows per layer with ReLU and batch norm, in theory.
    card : Card
    """

    norms: dict[str, Floats]
    predicted: float
    card: Card | None = None

    def growth(self, name: str) -> float:
        """Return the factor per layer towards the input, median over seeds."""
        return float(np.median([growth_per_layer(row) for row in self.norms[name]]))

    def first_to_last(self, name: str) -> float:
        """Return the first layer's gradient over the last one's, median over seeds."""
        return float(np.median(self.norms[name][:, 0] / self.norms[name][:, -1]))


@measured(
    question="What becomes of the gradient through 50 layers, with and without batch norm?",
    control="The same weights without batch norm, paired by seed; and both with a shortcut around "
    "each layer but the first.",
    mode="One backward pass in training mode at the start, with 200 images as the batch.",
)
def depth(seeds: Sequence[int] = FIVE) -> Depth:
    """Return the gradients of six networks."""
    digits = load_digits()
    found = {}
    for name, (activation, batch_norm, shortcuts) in DEEP.items():
        rows = []
        for seed in seeds:
            take_down(
                activation=activation,
                arm=name,
                init=INIT[ACTIVATIONS[activation]],
                inputs=RAW,
                sizes="64, then 50 layers of 100, and 10",
                batch_size=200,
                seed=seed,
            )
            net, dense = _deep(seed, ACTIVATIONS[activation], batch_norm, shortcuts)
            backpropagate(net, digits.x_train[:200], digits.y_train[:200])
            rows.append([np.linalg.norm(layer.grads["w"]) for layer in dense])
        found[name] = np.array(rows)
    relu_growth = predicted_growth(lambda z: np.maximum(z, 0.0), lambda z: (z > 0) * 1.0)
    return Depth(found, relu_growth)


def _deep(
    seed: int, activation: type[Layer], batch_norm: bool, shortcuts: bool
) -> tuple[Sequential, list[Dense]]:
    """Return a network of 50 hidden layers, and their `Dense` layers."""
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    for k in range(50):
        dense = Dense(64 if k == 0 else 100, 100, not batch_norm, init=INIT[activation], rng=rng)
        block: list[Layer] = [dense, *([BatchNorm(100)] if batch_norm else []), activation()]
        layers += [Residual(block)] if shortcuts and k else block
    net = Sequential([*layers, Dense(100, 10, init=INIT[activation], rng=rng)])
    inside = [
        inner
        for layer in net.layers
        for inner in (layer.layers if isinstance(layer, Residual) else [layer])
    ]
    return net, [layer for layer in inside if isinstance(layer, Dense)][:-1]


def told(values: Sequence[float], form: str = ".0f", most: str = "none") -> str:
    """Return median and range over seeds, in words.

    Parameters
    ----------
    values : sequence of float
        One a seed; infinity where a run did not arrive.
    form : str
        Of a number.
    most : str
        What infinity is called.

    Returns
    -------
    str
        Such as ``"8 (7 to 14)"``, or one number where all agree.
    """
    middle, low, high = (
        f"{value:{form}}" if np.isfinite(value) else most
        for value in (float(np.median(values)), min(values), max(values))
    )
    return middle if low == high else f"{middle} ({low} to {high})"


#: The reasons that are often given, in the order in which they are usually told.
USUAL = ("scale", "stability", "smoothness")


@dataclass(frozen=True)
class Verdicts:
    """What the experiments of this page say of each reason.

    Attributes
    ----------
    rows : list of list of str
        The reason, its rank, what was measured, the verdict, and what would change it.
    card : Card
    """

    rows: list[list[str]]
    card: Card | None = None


@measured(
    question="Which explanations of batch norm's gain survive the experiments of this page?",
    control="That of each experiment, as its own card says.",
    mode="As the cards of the experiments say.",
)
def verdicts(
    ranking: Mapping[str, int | str],
    halved: HalvesByRate,
    rounded: HalvesByRate,
    descended: Descents,
    shifted: GradientShifts,
    shook: Shaken,
    plain_and_best: Sequence[float],
    lengths: Held,
    deep: Depth,
) -> Verdicts:
    """Judge each reason by the page's results, beside the rank that a reader gave it.

    Parameters
    ----------
    ranking : mapping of str to int
        For each of `USUAL` its rank.
    halved, rounded, descended, shifted, shook, lengths, deep
        The results of the page.
    plain_and_best : sequence of float
        Median steps of the modern network: without batch norm at its best rate, with batch norm
        at that rate, with batch norm at its own best rate; without and with it at rate 0.5.

    Returns
    -------
    Verdicts
    """
    if set(ranking) != set(USUAL):
        raise ValueError(f"ranking: expected the reasons {USUAL}, got {tuple(ranking)}")
    for result in (halved, rounded, descended, shifted, shook, lengths, deep):
        if result.card is not None:
            merge({name: list(values) for name, values in result.card.settings.items()})

    arms = (NOTHING, DIVISION, ROOT_MEAN_SQUARE, SUBTRACTION, BOTH)
    raw = [halved.fewest("ReLU", RAW, arm) for arm in arms]
    _, half, _, other, both = raw
    by_the_mean = other - both < 0.25 * (half - both)
    long, round_ = (
        {kind: rounded.fewest(kind, inputs, NOTHING) for kind in ("ReLU", "tanh")}
        for inputs in (VARYING, WHITENED)
    )
    no_gain = all(round_[kind] > long[kind] for kind in long)

    quiet, plain, once = (
        shook.steps(arm, 0.1)
        for arm in ("batch norm", "no batch norm", "batch norm, shaken, level 1")
    )
    drifts = [shook.drift(arm, 0.1) for arm in ("no batch norm", "batch norm, shaken, level 1")]
    tolerated = drifts[1] > drifts[0] and all(a < b for a, b in zip(once, plain, strict=True))

    # The network that decides: faster with batch norm on each seed, never smoother or steadier.
    judge = "tanh, standardised"
    faster = bool((descended.ratios(judge, "steps") > 1).all())
    keys = [f"loss {level}{eta}" for level in LOSSES for eta in ("", *LONGER)]
    rougher = faster and all((descended.ratios(judge, key) < 1).all() for key in keys)
    moves = [shifted.values[judge, 0.1, bn] for bn in (False, True)]
    shakier = faster and all(
        a < b for key in moves[0] for a, b in zip(moves[0][key], moves[1][key], strict=True)
    )
    saved = [descended.median(judge, bn, "steps") for bn in (False, True)]
    betas = [descended.median(judge, bn, "loss 1.0") for bn in (False, True)]
    shift = [shifted.median(judge, 0.1, bn, "layer 3, 1 to 0.5 nat") for bn in (False, True)]
    relu = [descended.median("ReLU", bn, "loss 1.0") for bn in (False, True)]

    without, same, own, plain_half, normed_half = plain_and_best
    share = np.log(without / same) / np.log(without / own)
    partly = 0.25 < share < 0.75 and np.isfinite(plain_half) and normed_half < 1.1 * own
    at_five = [float(np.median(lengths.values[5.0, kind])) for kind in (FREE, AT_START, AT_END)]
    at_three = [float(np.median(lengths.values[3.0, kind])) for kind in (FREE, AT_START)]
    growth = {name: deep.growth(name) for name in DEEP}

    rows = [
        [
            "The bowl is rounder",
            str(ranking["scale"]),
            f"ReLU, raw pixels, steps at the best rate: neither half {raw[0]:g}, division "
            f"{raw[1]:g}, by root mean square {raw[2]:g}, subtraction {raw[3]:g}, both "
            f"{raw[4]:g}. Without batch norm, first bowl standardised {long['ReLU']:g}, whitened "
            f"{round_['ReLU']:g}.",
            "centring, which shortens it most, helps at large rates; a round first bowl "
            "gained nothing more"
            if by_the_mean and no_gain
            else "open",
            "If a division, by either scale, at its best rate got as far as both halves on raw "
            "pixels; or if whitened pixels trained faster.",
        ],
        [
            "Later layers see less change",
            str(ranking["stability"]),
            f"tanh, standardised, rate 0.1: gradient shift {shift[0]:.2f} without, {shift[1]:.2f} "
            f"with; steps {saved[0]:.0f} and {saved[1]:.0f}. ReLU, raw, rate 0.1, shaken at level "
            f"1: drift {drifts[1]:.2f}, plain {drifts[0]:.2f}; steps {np.median(once):g}, plain "
            f"{np.median(plain):g}, unshaken {np.median(quiet):g}.",
            "not needed in some settings; worth something" if tolerated and shakier else "open",
            "If lasting movements, no larger than the plain network's own, took the whole gain.",
        ],
        [
            "The landscape is smoother",
            str(ranking["smoothness"]),
            f"β_eff at 1 nat, η = 0.1: tanh, standardised, {betas[0]:.1f} without, {betas[1]:.1f} "
            f"with; ReLU, raw, {relu[0]:.1f} and {relu[1]:.1f}.",
            "true of some; a gain at rate 0.1 needs none" if rougher else "open",
            "If a measure that doesn't depend on the weights' lengths found tanh smoother there.",
        ],
        [
            "It allows larger rates",
            "",
            f"ReLU, standardised, rates 0.1, 0.3, 1, 3: {without:g} steps without, {same:g} with "
            f"it at the same rate, {own:g} at its best of these. At rate 0.5: {plain_half:g} and "
            f"{normed_half:g}.",
            "some of it, in this network" if partly else "open",
            "If batch norm saved nothing at any rate at which the plain network trains.",
        ],
        [
            "It tunes the rate by itself",
            "",
            f"Accuracy at rate 5: {at_five[0]:.2f} free, {at_five[1]:.2f} held at the start's "
            f"length, {at_five[2]:.2f} at the end's; at rate 3: {at_three[0]:.2f} and "
            f"{at_three[1]:.2f}.",
            "moves the edge" if at_five[0] - at_five[1] > 0.3 else "open",
            "If weights held at their first length trained more slowly at 0.1, too.",
        ],
        [
            "It keeps gradients alive in deep networks",
            "",
            f"Factor per layer: sigmoid {growth['sigmoid']:.2f} without, "
            f"{growth['sigmoid, batch norm']:.2f} with; ReLU {growth['ReLU']:.2f} and "
            f"{growth['ReLU, batch norm']:.2f}.",
            "at the start true of sigmoids; with ReLU it is the other way round"
            if growth["ReLU, batch norm"] > 1.1 > growth["sigmoid, batch norm"]
            else "open",
            "If plain sigmoids trained as deep.",
        ],
    ]
    return Verdicts(rows)


def one_network(
    question: str,
    activation: str = "sigmoid",
    rate: float = 1.0,
    steps: int = 800,
    seeds: Sequence[int] = (0,),
    inputs: str = RAW,
) -> Card:
    """Return the card of what a reader measures in an exercise with a loop of their own."""
    with taking_down() as taken:
        for seed in seeds:
            note_down(activation, "as the table says", inputs, rate, steps, seed)
    return Card(
        question,
        "The other rows of the table.",
        "Losses and gradients in training mode; accuracies with the statistics of the whole "
        "training set.",
        taken,
    )


#: Arms that say how far the halves of batch norm carry: at a smaller rate, or from larger weights.
MORE_HALVES = StoredRun(
    "more_halves",
    half_steps,
    [
        *(
            {"activation": kind, "inputs": CENTRED, "behind": NOTHING, "rate": rate}
            for kind in ("ReLU", "tanh")
            for rate in (0.1, 0.3)
        ),
        *(
            {"activation": "sigmoid", "inputs": RAW, "behind": behind, "rate": rate}
            | {"gain": gain, "at_most": 400}
            for behind, rate, gain in (
                (NOTHING, 1.0, 4.0),
                (DIVISION, 0.3, 1.0),
                (SUBTRACTION, 1.0, 1.0),
                (SUBTRACTION, 1.0, 4.0),
            )
        ),
    ],
    FIVE,
    tolerance=30.0,
)

#: A first bowl that is round, beside one that isn't.
ROUND = StoredRun(
    "round",
    half_steps,
    {
        "activation": ["ReLU", "tanh"],
        "inputs": [VARYING, WHITENED],
        "behind": [NOTHING],
        "rate": [0.1, 0.3, 1.0, 3.0],
    },
    FIVE,
    tolerance=12.0,
)

#: When the gradient shift is averaged: over first steps, or while the batch's loss is in a band.
WINDOWS = ("steps 1 to 10", "steps 1 to 60", "1.5 to 1 nat", "1 to 0.5 nat")


def shifts(seed: int, network: str, batch_norm: bool, rate: float) -> dict[str, float]:
    """Train one network, and measure the gradient shift of its later hidden layers.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    network : str
        One of `DESCENTS`.
    batch_norm : bool
        With or without.
    rate : float
        Learning rate.

    Returns
    -------
    dict of str to float
        ``"layer 2, steps 1 to 10"``, …: the mean, over the steps of each of `WINDOWS`, of how far
        that layer's gradient moves when the layers before it make their step, over its length.
    """
    setting = DESCENTS[network]
    kind, digits = ACTIVATIONS[setting.activation], inputs_of(setting.inputs)
    name = "with batch norm" if batch_norm else "without batch norm"
    note_down(setting.activation, name, setting.inputs, rate, 1000, seed)
    weights, order = np.random.default_rng(seed).spawn(2)
    norm = BatchNorm if batch_norm else None
    net = mlp(SIZES, kind, norm, init=INIT[kind], gain=setting.gain, rng=weights)
    dense = [layer for layer in net.layers if isinstance(layer, Dense)][1:-1]
    starts, start = [], 0
    for layer in net.layers:
        if any(layer is later for later in dense):
            starts.append(start)
        start += sum(p.size for p in layer.params.values())
    seen: dict[str, list[float]] = {}
    for step in range(1, 1001):
        batch = order.permutation(len(digits.x_train))[:BATCH_SIZE]
        x, y = digits.x_train[batch], digits.y_train[batch]
        loss = backpropagate(net, x, y)
        gradient = net.dtheta.copy()
        windows = [
            window
            for window, inside in zip(
                WINDOWS,
                (step <= 10, step <= 60, 1.0 < loss <= 1.5, 0.5 < loss <= 1.0),
                strict=True,
            )
            if inside
        ]
        if windows:
            theta, own = net.theta.copy(), [layer.grads["w"].copy() for layer in dense]
            for k, (layer, g, end) in enumerate(zip(dense, own, starts, strict=True), 2):
                net.theta[:end] -= rate * gradient[:end]
                backpropagate(net, x, y)
                moved = float(np.linalg.norm(g - layer.grads["w"]) / np.linalg.norm(g))
                net.theta[...] = theta
                for window in windows:
                    seen.setdefault(f"layer {k}, {window}", []).append(moved)
        net.theta -= rate * gradient
        if step >= 60 and loss < 0.4:
            break
    return {key: float(np.mean(values)) for key, values in seen.items()}


SHIFTS = StoredRun(
    "shifts",
    shifts,
    [
        {"network": network, "batch_norm": bn, "rate": rate}
        for network, rate in (
            ("ReLU", 0.1),
            ("tanh", 0.1),
            ("tanh", 0.3),
            ("tanh, standardised", 0.1),
            ("sigmoid", 1.0),
        )
        for bn in (False, True)
    ],
    FIVE,
    tolerance=0.5,
)


#: The rates of `landscape.HALVES` for ReLU and tanh, of which the best is taken.
HALF_RATES = (0.1, 0.3, 1.0)


@dataclass(frozen=True)
class HalvesByRate:
    """Steps to 90 % with halves of batch norm at several rates.

    Attributes
    ----------
    steps : dict of (str, str, str, float) to list of float
        By activation, inputs, what stands behind each hidden w, and the rate: one value a seed.
    sigmoid : list of (str, float, float, list of float)
        What stands behind each hidden w of a sigmoid network on raw pixels, the rate, the factor
        on the initial weights, and the steps, at most 400.
    card : Card
    """

    steps: dict[tuple[str, str, str, float], list[float]]
    sigmoid: list[tuple[str, float, float, list[float]]]
    card: Card | None = None

    def best(self, activation: str, inputs: str, behind: str) -> float:
        """Return the rate with the lowest median, the smaller one of two equals."""
        return min(
            HALF_RATES,
            key=lambda rate: (np.median(self.steps[activation, inputs, behind, rate]), rate),
        )

    def fewest(self, activation: str, inputs: str, behind: str) -> float:
        """Return the median of the steps at the best rate."""
        rate = self.best(activation, inputs, behind)
        return float(np.median(self.steps[activation, inputs, behind, rate]))

    def told(self, activation: str, inputs: str, behind: str) -> str:
        """Return the steps at the best rate, and that rate."""
        rate = self.best(activation, inputs, behind)
        return f"{told(self.steps[activation, inputs, behind, rate])} at {rate:g}"


@measured(
    question="How far does each half of batch norm carry at a small rate, and at its best one?",
    control="The same weights and batches with neither half and with both, with division by a "
    "scale that sees the mean, and with each pixel's mean subtracted once; standardised pixels; "
    "for the sigmoid, initial weights four times as large.",
    mode="Test accuracy with the statistics of the whole test set as one batch, after every step.",
)
def halves_by_rate(seeds: Sequence[int] | None = None) -> HalvesByRate:
    """Return the stored runs of this page and of page 5.2."""
    names = dict(
        zip(landscape.ARMS, (NOTHING, SUBTRACTION, DIVISION, ROOT_MEAN_SQUARE, BOTH), strict=True)
    )
    found: dict[tuple[str, str, str, float], list[float]] = {}
    sigmoid: dict[tuple[str, float, float], list[float]] = {}
    for run in landscape.HALVES.load(seeds).runs:
        s = run.settings
        if s["setting"] in ("ReLU", "tanh"):
            inputs = STANDARDISED if s["standardized"] else RAW
            key = s["setting"], inputs, names[s["arm"]], s["rate"]
            found.setdefault(key, []).append(run.result)
        elif s["arm"] == "both" and s["rate"] == 1.0 and not s["standardized"]:
            sigmoid.setdefault((BOTH, 1.0, 1.0), []).append(run.result)
    for run in [*HALVES.load(seeds).runs, *MORE_HALVES.load(seeds).runs]:
        s = run.settings
        if s["inputs"] == CENTRED:
            key = s["activation"], CENTRED, s["behind"], s["rate"]
            found.setdefault(key, []).append(run.result)
        elif "gain" in s:
            sigmoid.setdefault((s["behind"], s["rate"], s["gain"]), []).append(run.result)
    return HalvesByRate(found, [(*key, steps) for key, steps in sigmoid.items()])


@measured(
    question="Does a network train faster when its first layer's bowl is round?",
    control="The same weights and batches on the same pixels, standardised but not whitened.",
    mode="Test accuracy with the statistics of the whole test set as one batch, after every step.",
)
def rounder(seeds: Sequence[int] | None = None) -> HalvesByRate:
    """Return the stored runs on pixels whose bowl is long, and on those whose is round."""
    found: dict[tuple[str, str, str, float], list[float]] = {}
    for run in ROUND.load(seeds).runs:
        s = run.settings
        key = s["activation"], s["inputs"], s["behind"], s["rate"]
        found.setdefault(key, []).append(run.result)
    return HalvesByRate(found, [])


@dataclass(frozen=True)
class GradientShifts:
    """The gradient shift of layers 2 and 3, over first steps and at equal loss.

    Attributes
    ----------
    values : dict of (str, float, bool) to dict of str to list of float
        By the network, the rate and batch norm: each quantity of `shifts`, one value a seed.
    card : Card
    """

    values: dict[tuple[str, float, bool], dict[str, list[float]]]
    card: Card | None = None

    def median(self, network: str, rate: float, batch_norm: bool, key: str) -> float:
        """Return the median over the seeds."""
        return float(np.median(self.values[network, rate, batch_norm][key]))


@measured(
    question="By how much does a layer's gradient move when the layers before it make their step?",
    control="The same weights and batches without batch norm, at the same rate; over the same "
    "steps, and at the same losses.",
    mode="Gradients and losses in training mode, on the batch of the step.",
)
def gradient_shifts(seeds: Sequence[int] | None = None) -> GradientShifts:
    """Return the stored runs."""
    found: dict[tuple[str, float, bool], dict[str, list[float]]] = {}
    for run in SHIFTS.load(seeds).runs:
        s = run.settings
        values = found.setdefault((s["network"], s["rate"], s["batch_norm"]), {})
        for key, value in run.result.items():
            values.setdefault(key, []).append(value)
    return GradientShifts(found)


#: The arms of `SHAKE` on standardised pixels at its other rates.
SHAKE_STANDARDISED = StoredRun(
    "shake_standardised",
    shaken,
    {
        "arm": list(SHAKEN),
        "rate": SHAKE_RATES[1:],
        "inputs": [STANDARDISED],
    },
    FIVE,
    tolerance=12.0,
)


# --- 5.3, Look through fifty layers

#: Images of the backward pass at the start.
IMAGES = 200


def deep_network(
    seed: int,
    activation: Callable[[], Layer],
    *,
    batch_norm: bool,
    shortcuts: bool = False,
    gain: float = 1.0,
    depth: int = 50,
    width: int = 100,
    init: str = "he",
) -> Sequential:
    """Return a deep network whose blocks are Dense, batch norm if wanted, activation.

    Parameters
    ----------
    seed : int
        Of the weights.
    activation : callable
        Makes a layer.
    batch_norm, shortcuts : bool
        Whether each block has a batch norm, and whether each but the first has a shortcut around
        it, so that it adds to its input.
    gain : float
        Factor on the initial weights of the hidden layers.
    depth, width : int
        Hidden layers, and units in each.
    init : str
        As for `Dense`.

    Returns
    -------
    Sequential
        With 64 inputs and 10 outputs. Without shortcuts it is that of `mlp`.
    """
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    for k in range(depth):
        n_in = width if k else 64
        block: list[Layer] = [Dense(n_in, width, not batch_norm, init=init, gain=gain, rng=rng)]
        if batch_norm:
            block.append(BatchNorm(width))
        block.append(activation())
        layers += [Residual(block)] if shortcuts and k else block
    return Sequential([*layers, Dense(width, 10, init=init, rng=rng)])


def hidden_layers(net: Sequential) -> list[Dense]:
    """Return the Dense layers of a network in their order, those in blocks too, less the last."""
    found: list[Dense] = []
    for layer in net.layers:
        inside = layer.layers if isinstance(layer, Sequential) else (layer,)
        found += [la for la in inside if isinstance(la, Dense)]
    return found[:-1]


@dataclass(frozen=True)
class Profiles:
    """The gradients of deep networks at their start.

    Attributes
    ----------
    norms : dict of str to array of shape (seeds, depth)
        ‖∂J/∂w‖ of each hidden layer, by the network's name.
    loss : dict of str to list of float
        Of the same batch.
    card : Card
    """

    norms: dict[str, Floats]
    loss: dict[str, list[float]]
    card: Card | None = None

    def growth(self, name: str) -> list[float]:
        """Return for each seed the factor of `growth_per_layer`."""
        return [growth_per_layer(row) for row in self.norms[name]]

    def first_to_last(self, name: str) -> list[float]:
        """Return for each seed the first layer's gradient over the last one's."""
        return [float(row[0] / row[-1]) for row in self.norms[name]]


def _profiles(networks: dict[str, dict[str, Any]], seeds: Sequence[int]) -> Profiles:
    norms, loss = {}, {}
    for name, options in networks.items():
        rows, losses = [], []
        for seed in seeds:
            J, row = _at_the_start(seed, **options)
            losses.append(J)
            rows.append(row)
            _take_down_deep(seed, options, batch_size=IMAGES)
        norms[name], loss[name] = np.array(rows), losses
    return Profiles(norms, loss)


@cache
def _at_the_start(seed: int, **options: Any) -> tuple[float, Floats]:
    """Return the loss of 200 images, and ‖∂J/∂w‖ of each hidden layer."""
    digits = load_digits()
    net = deep_network(seed, **options)
    J = backpropagate(net, digits.x_train[:IMAGES], digits.y_train[:IMAGES])
    return J, np.array([np.linalg.norm(layer.grads["w"]) for layer in hidden_layers(net)])


def _take_down_deep(seed: int, options: dict[str, Any], **others: Any) -> None:
    kind, width = options["activation"], options.get("width", 100)
    arm = "with batch norm" if options["batch_norm"] else "without batch norm"
    take_down(
        activation=getattr(kind, "__name__", "LeakyReLU"),
        arm=arm + (", with shortcuts" if options.get("shortcuts") else ""),
        init=options.get("init", "he"),
        gain=options.get("gain", 1.0),
        inputs="pixels from 0 to 1",
        sizes=f"{options.get('depth', 50)} hidden layers of {width}",
        seed=seed,
        **others,
    )


@measured(
    question="How does the gradient of w change from layer to layer of fifty?",
    control="The same weights without batch norm, paired by seed, for each activation.",
    mode="One backward pass in training mode, before the first update.",
)
def depth_profiles(seeds: Sequence[int] = FIVE) -> Profiles:
    """Return the gradients of ReLU, tanh and sigmoid networks without and with batch norm."""
    return _profiles(
        {
            name + (", batch norm" if bn else ""): {
                "activation": kind,
                "batch_norm": bn,
                "init": INIT[kind],
            }
            for name, kind in ACTIVATIONS.items()
            for bn in (False, True)
        },
        seeds,
    )


#: The factor on the weights of a block with which fifty of them add up to a moderate sum.
SMALL = 50**-0.5
#: The networks with and without shortcuts: name, batch norm, shortcuts, factor on the weights.
ARMS: tuple[tuple[str, bool, bool, float], ...] = (
    ("plain", False, False, 1.0),
    ("batch norm", True, False, 1.0),
    ("shortcuts", False, True, 1.0),
    ("shortcuts, small weights", False, True, SMALL),
    ("shortcuts, batch norm", True, True, 1.0),
)


@measured(
    question="What do shortcuts make of the gradients' growth, with and without batch norm?",
    control="The same weights without shortcuts, and shortcuts without batch norm, at He's "
    "weights and at 1/√50 of them; paired by seed.",
    mode="One backward pass in training mode, before the first update.",
)
def shortcut_profiles(seeds: Sequence[int] = FIVE) -> Profiles:
    """Return the gradients of the ReLU networks of `ARMS`."""
    return _profiles(
        {
            name: {"activation": ReLU, "batch_norm": bn, "init": "he"}
            | ({"shortcuts": True, "gain": gain} if short else {})
            for name, bn, short, gain in ARMS
        },
        seeds,
    )


@measured(
    question="By what does one layer with batch norm multiply the mean square of a gradient?",
    control="What the derivation predicts for each of its three factors.",
    mode="One backward pass in training mode, before the first update; layers 6 to 45.",
)
def growth_factors(seeds: Sequence[int] = FIVE, images: int = IMAGES) -> Factors:
    """Measure the three factors of the growth in ReLU networks with batch norm.

    Parameters
    ----------
    seeds : sequence of int
        Of the weights.
    images : int
        In the batch.

    Returns
    -------
    Factors
    """
    digits = load_digits()
    x, y = digits.x_train[:images], digits.y_train[:images]
    rows = []
    for seed in seeds:
        net = deep_network(seed, ReLU, batch_norm=True)
        _take_down_deep(seed, {"activation": ReLU, "batch_norm": True}, batch_size=images)
        _, gradient = SoftmaxCrossEntropy()(net.forward(x, training=True), y)
        # The mean square of the gradient with respect to each layer's input, the output's last.
        squares = [float(np.mean(gradient**2))]
        for layer in reversed(net.layers):
            gradient = layer._backward(gradient)
            squares.append(float(np.mean(gradient**2)))
        squares = squares[::-1]
        # Dense, batch norm and ReLU of hidden layer l are net.layers[3l], [3l + 1] and [3l + 2].
        ratios = np.array([np.divide(squares[:-2], squares[1:-1])]).reshape(-1, 3)[5:45]
        rows.append(np.exp(np.log(ratios).mean(axis=0))[::-1].tolist())
    return Factors(rows)


@dataclass(frozen=True)
class Factors:
    """By what one layer multiplies the mean square of the gradient on its way back.

    Attributes
    ----------
    values : list of list of float
        For each seed that of the activation, of batch norm, and of the weights.
    card : Card
    """

    values: list[list[float]]
    card: Card | None = None


def shortcut_growth(depth: int, activation_growth: float) -> float:
    r"""Return :math:`\sqrt{\prod_{k=1}^{L-1} (1 + \rho / k)}`, first to last with shortcuts.

    Parameters
    ----------
    depth : int
        L, the number of hidden layers.
    activation_growth : float
        The growth per layer without shortcuts, whose square is ρ.

    Returns
    -------
    float
    """
    return float(np.sqrt(np.prod(1 + activation_growth**2 / np.arange(1, depth))))


#: The rates of the first steps, and the steps after which the gradients are looked at.
STEP_RATES = (0.001, 0.01, 0.1, 1.0)
LOOKS = (0, 1, 2, 5)


def first_steps(seed: int, *, rate: float) -> dict[str, list[float]]:
    """Take a few steps with fifty ReLU layers and batch norm, and look at the gradients.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    rate : float
        Learning rate.

    Returns
    -------
    dict of str to list of float
        ``"ratio"``: the first layer's gradient over the last one's, at each of `LOOKS`.
        ``"length"``: by what the first step multiplies the length of the first and of the last
        hidden layer's weights.
    """
    digits = load_digits()
    net = deep_network(seed, ReLU, batch_norm=True)
    options = {"activation": ReLU, "batch_norm": True}
    _take_down_deep(seed, options, learning_rate=rate, batch_size=BATCH_SIZE, steps=max(LOOKS))
    hidden, order = hidden_layers(net), np.random.default_rng([seed, 1])
    ends, ratio, length = [hidden[0], hidden[-1]], [], []
    start = [float(np.linalg.norm(layer.w)) for layer in ends]
    for done in range(max(LOOKS) + 1):
        if done in LOOKS:
            backpropagate(net, digits.x_train[:IMAGES], digits.y_train[:IMAGES])
            first, last = (float(np.linalg.norm(layer.grads["w"])) for layer in ends)
            ratio.append(first / last)
        if done == 1:
            now = [float(np.linalg.norm(layer.w)) for layer in ends]
            length = [b / a for a, b in zip(start, now, strict=True)]
        batch = order.permutation(len(digits.x_train))[:BATCH_SIZE]
        backpropagate(net, digits.x_train[batch], digits.y_train[batch])
        net.theta -= rate * net.dtheta
    return {"ratio": ratio, "length": length}


FIRST_STEPS = StoredRun("first_steps", first_steps, {"rate": STEP_RATES}, FIVE, tolerance=100.0)


@dataclass(frozen=True)
class FirstSteps:
    """What the first updates make of the gradients.

    Attributes
    ----------
    ratio, length : dict of float to array of shape (seeds, any)
        As `first_steps` returns them, by rate.
    card : Card
    """

    ratio: dict[float, Floats]
    length: dict[float, Floats]
    card: Card | None = None


@measured(
    question="What do the first steps of gradient descent make of the growth of the gradients?",
    control="The same network before the first step; the last hidden layer beside the first.",
    mode="Gradients in training mode, always of the same 200 images.",
)
def first_steps_by_rate(seeds: Sequence[int] = FIVE) -> FirstSteps:
    """Load the gradients of `first_steps` by rate."""
    stored = FIRST_STEPS.load(seeds)
    rows = {rate: stored.select(rate=rate) for rate in STEP_RATES}
    return FirstSteps(
        {rate: np.array([run["ratio"] for run in row]) for rate, row in rows.items()},
        {rate: np.array([run["length"] for run in row]) for rate, row in rows.items()},
    )


def deep_relu(seed: int, *, arm: str, rate: float, steps: int = 100) -> float:
    """Return the test accuracy of one of `ARMS`, 50 units wide, after some steps.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    arm : str
        A name of `ARMS`.
    rate : float
        Learning rate.
    steps : int
        Updates.

    Returns
    -------
    float
        With the statistics of the whole training set; that of naming one digit always when the
        numbers have overflowed.
    """
    _, batch_norm, shortcuts, gain = next(a for a in ARMS if a[0] == arm)
    options = {"activation": ReLU, "batch_norm": batch_norm, "shortcuts": shortcuts, "gain": gain}
    options["width"] = 50
    _take_down_deep(seed, options, learning_rate=rate, batch_size=BATCH_SIZE, steps=steps)
    net, digits = deep_network(seed, **options), load_digits()  # type: ignore[arg-type]
    optimizer, order = GradientDescent(rate), np.random.default_rng([seed, 1])
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(0, steps, 10):
            train(
                net,
                digits.x_train,
                digits.y_train,
                optimizer=optimizer,
                batch_size=BATCH_SIZE,
                steps=10,
                rng=order,
            )
            if not np.isfinite(net.theta).all():
                return float(np.mean(digits.y_test == 0))
        return full_statistics_accuracy(net, digits)


DEEP_RELU = StoredRun(
    "deep_relu",
    deep_relu,
    {"arm": [name for name, *_ in ARMS], "rate": [0.001, 0.01, 0.1]},
    FIVE,
    tolerance=0.2,
)


@dataclass(frozen=True)
class DeepAccuracies:
    """Test accuracies of deep networks.

    Attributes
    ----------
    values : dict of tuple to list of float
        By the settings, one value a seed.
    card : Card
    """

    values: dict[tuple[Any, ...], list[float]]
    card: Card | None = None


@measured(
    question="Do fifty ReLU layers begin to train, without and with batch norm and shortcuts?",
    control="Shortcuts without batch norm and with small weights; each at three rates.",
    mode="Test accuracy with the statistics of the whole training set, after 100 steps.",
)
def deep_relus(seeds: Sequence[int] = FIVE) -> DeepAccuracies:
    """Load the accuracies of `deep_relu` by arm and rate."""
    stored = DEEP_RELU.load(seeds)
    return DeepAccuracies(
        {
            (name, rate): stored.select(arm=name, rate=rate)
            for name, *_ in ARMS
            for rate in (0.001, 0.01, 0.1)
        }
    )


#: A small budget for sigmoids, and a fair one: rate and steps.
BUDGETS = ((0.1, 200), (1.0, 1200))


def deep_sigmoid(seed: int, *, depth: int, batch_norm: bool, rate: float, steps: int) -> float:
    """Return the test accuracy of sigmoid layers of 50 units.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    depth : int
        Hidden layers.
    batch_norm : bool
        With or without.
    rate : float
        Learning rate.
    steps : int
        Updates.

    Returns
    -------
    float
        With the statistics of the whole training set.
    """
    sizes = (64, *[50] * depth, 10)
    net, _ = train_digits(seed, Sigmoid, batch_norm, rate, steps, init="lecun", sizes=sizes)
    return full_statistics_accuracy(net, load_digits())


DEEP_SIGMOID = StoredRun(
    "deep_sigmoid",
    deep_sigmoid,
    [
        {"depth": depth, "batch_norm": bn, "rate": rate, "steps": steps}
        for rate, steps in BUDGETS
        for depth in (3, 20)
        for bn in (False, True)
    ],
    range(9),
    tolerance=0.1,
)


@measured(
    question="Do twenty sigmoid layers train, without and with batch norm?",
    control="Three such layers, at the same rate and for as many steps.",
    mode="Test accuracy with the statistics of the whole training set.",
)
def deep_sigmoids(seeds: Sequence[int] = FIVE) -> DeepAccuracies:
    """Load the accuracies of `deep_sigmoid` by depth, batch norm and budget."""
    stored = DEEP_SIGMOID.load(seeds)
    return DeepAccuracies(
        {
            (depth, bn, rate): stored.select(depth=depth, batch_norm=bn, rate=rate, steps=steps)
            for rate, steps in BUDGETS
            for depth in (3, 20)
            for bn in (False, True)
        }
    )


@dataclass(frozen=True)
class LeakyGrowth:
    """The growth per layer for leaky ReLUs.

    Attributes
    ----------
    slopes : tuple of float
        For negative inputs.
    growth : list of list of float
        For each slope one value a seed.
    card : Card
    """

    slopes: tuple[float, ...]
    growth: list[list[float]]
    card: Card | None = None


@measured(
    question="By what does a gradient grow per layer with leaky ReLUs and batch norm?",
    control="The slope 0, which is ReLU, and what the derivation predicts.",
    mode="One backward pass in training mode, before the first update.",
)
def leaky_growth(slopes: Sequence[float], seeds: Sequence[int] = FIVE) -> LeakyGrowth:
    """Return the growth per layer through fifty layers for each slope and seed.

    Parameters
    ----------
    slopes : sequence of float
        Of the activation for negative inputs.
    seeds : sequence of int
        Of the weights.

    Returns
    -------
    LeakyGrowth
    """
    networks = {
        str(slope): {
            "activation": partial(LeakyReLU, slope) if slope else ReLU,
            "batch_norm": True,
            "init": "he",
        }
        for slope in slopes
    }
    profiles = _profiles(networks, seeds)
    return LeakyGrowth(tuple(slopes), [profiles.growth(name) for name in networks])


#: The networks that the explorable knows: batch norm, shortcuts.
NETWORKS: dict[str, tuple[bool, bool]] = {
    "plain": (False, False),
    "batch norm": (True, False),
    "batch norm, shortcuts": (True, True),
}


@cache
def narrow_profile(activation: str, network: str, depth: int) -> Floats:
    """Return the gradient norms of one of `NETWORKS` at the start, 50 units wide.

    Parameters
    ----------
    activation : str
        One of `ACTIVATIONS`.
    network : str
        One of `NETWORKS`.
    depth : int
        Hidden layers.

    Returns
    -------
    array, shape (depth,)
    """
    kind, (bn, short) = ACTIVATIONS[activation], NETWORKS[network]
    options = {"activation": kind, "batch_norm": bn, "shortcuts": short, "init": INIT[kind]}
    return _at_the_start(0, **options, depth=depth, width=50)[1]


@cache
def predicted(activation: str) -> float:
    """Return the growth per layer with batch norm that is derived for one of `ACTIVATIONS`."""
    shapes: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
        "ReLU": (relu, lambda z: (z > 0) * 1.0),
        "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    }
    return predicted_growth(*shapes[activation])


def predicted_profile(activation: str, network: str, depth: int) -> Floats | None:
    """Return the gradient of each layer over the last one's, as it is derived.

    Parameters
    ----------
    activation : str
        One of `ACTIVATIONS`.
    network : str
        One of `NETWORKS`.
    depth : int
        Hidden layers.

    Returns
    -------
    array, shape (depth,), or None
        None where nothing was derived: tanh without batch norm.
    """
    above = np.arange(depth - 1, -1, -1)
    if network == "batch norm, shortcuts":
        rho = predicted(activation) ** 2
        steps = 1 + rho / np.arange(1, depth)
        return np.asarray(np.sqrt(np.append(np.cumprod(steps[::-1])[::-1], 1.0)))
    if network == "batch norm":
        return np.asarray(predicted(activation) ** above)
    # The sigmoid's slope is at most 1/4; He's weights keep the size of a ReLU's gradient.
    growth = {"ReLU": 1.0, "sigmoid": 0.25}.get(activation)
    return None if growth is None else np.asarray(growth**above)


@measured(
    question="How do the gradients of deep networks change from layer to layer?",
    control="The same weights without batch norm; and what is derived, dashed.",
    mode="One backward pass in training mode, before the first update.",
)
def narrow_profiles(depths: Sequence[int]) -> Profiles:
    """Return the gradients that the explorable shows, by activation, network and depth."""
    norms = {}
    for activation, kind in ACTIVATIONS.items():
        for network, (bn, short) in NETWORKS.items():
            for depth in depths:
                options = {"activation": kind, "batch_norm": bn, "shortcuts": short}
                options |= {"init": INIT[kind], "depth": depth, "width": 50}
                _take_down_deep(0, options, batch_size=IMAGES)
                row = narrow_profile(activation, network, depth)
                norms[f"{activation}, {network}, {depth}"] = row[np.newaxis]
    return Profiles(norms, {})


# --- 5.3, Look through fifty layers: what the blocks behind shortcuts add


@dataclass(frozen=True)
class Blocks:
    """What 49 blocks with shortcuts make of the sizes, at the start.

    Attributes
    ----------
    forward, backward : list of float
        Without batch norm, for each seed: by what a block multiplies the mean square of x, and
        that of the gradient on its way back.
    variance : dict of int to list of float
        With batch norm, by k and for each seed: Var[x_k] over k Var[g].
    card : Card
    """

    forward: list[float]
    backward: list[float]
    variance: dict[int, list[float]]
    card: Card | None = None


@measured(
    question="What do blocks with shortcuts add, without and with batch norm?",
    control="What uncorrelated blocks would add: a factor of 2 without batch norm, and Var[g] "
    "each with it; the same weights.",
    mode="One forward and one backward pass in training mode, before the first update.",
)
def blocks(looked_at: Sequence[int] = (1, 10, 20, 30, 50), seeds: Sequence[int] = FIVE) -> Blocks:
    """Measure the sizes in ReLU networks with shortcuts.

    Parameters
    ----------
    looked_at : sequence of int
        k of the x_k whose variance is compared with k Var[g].
    seeds : sequence of int
        Of the weights.

    Returns
    -------
    Blocks
    """
    digits = load_digits()
    x, y = digits.x_train[:IMAGES], digits.y_train[:IMAGES]
    added = 1 / 2 - 1 / (2 * np.pi)
    found = Blocks([], [], {k: [] for k in looked_at})
    for batch_norm in (False, True):
        options = {"activation": ReLU, "batch_norm": batch_norm, "shortcuts": True}
        for seed in seeds:
            net = deep_network(seed, ReLU, batch_norm=batch_norm, shortcuts=True)
            _take_down_deep(seed, options, batch_size=IMAGES)
            # x_1, which the first hidden layer gives, and what each block makes of it.
            first = next(i for i, layer in enumerate(net.layers) if isinstance(layer, Residual))
            sums, z = [], x
            for i, layer in enumerate(net.layers):
                if first <= i:
                    sums.append(z)
                z = layer.forward(z, training=True)
            if batch_norm:
                for k in looked_at:
                    found.variance[k].append(float(sums[k - 1].var(axis=0).mean() / (k * added)))
                continue
            squares = np.array([np.mean(a**2) for a in sums])
            found.forward.append(_growth(squares))
            _, gradient = SoftmaxCrossEntropy()(z, y)
            back = []
            for layer in net.layers[: first - 1 : -1]:
                gradient = layer._backward(gradient)
                back.append(np.mean(gradient**2))
            found.backward.append(_growth(np.array(back)))
    return found


def _growth(squares: Floats) -> float:
    return float((squares[-1] / squares[0]) ** (1 / (len(squares) - 1)))

"""The runs of chapter 1: bowls, softmax regression, the headline and its control, the ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bncourse.activations import ReLU, Sigmoid
from bncourse.arrays import Floats
from bncourse.chapters.common import (
    SIZES,
    full_statistics_accuracy,
    steps_to_accuracy,
    train_digits,
)
from bncourse.chapters.measured import measured
from bncourse.chapters.stored import StoredRun
from bncourse.data import Digits, load_digits, standardize, two_features, whiten
from bncourse.display.card import Card
from bncourse.landscape import gram_spectrum, max_over_median
from bncourse.layers import Dense, Layer
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import mlp
from bncourse.normalization import BatchNorm

#: Learning rates of the ranges, half a decade apart; at 10 nothing trains any more.
RATES = np.logspace(-3, 1, 9)
#: Factors on the initial weights, half a decade apart.
GAINS = np.logspace(-3, 2, 11)
GRID_STEP = 0.5  # decades
GOOD = 0.90


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
        Stop when the distance to the minimum is at most this share of that at the start.

    Returns
    -------
    Descent
    """
    hessian = x.T @ x / len(x)
    values = np.linalg.eigvalsh(hessian)
    alpha = rate / values[-1]
    w = np.array(start, dtype=np.float64)
    path = [w]
    while np.linalg.norm(w) > tolerance * np.linalg.norm(start):
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


def measured_steps(x: Floats, tolerance: float = 1e-3) -> int:
    """Return the steps that `descend` takes at rate 1/λmax from the flattest direction."""
    _, vectors = np.linalg.eigh(x.T @ x / len(x))
    return len(descend(x, 1.0, vectors[:, 0], tolerance).path) - 1


def softmax_regression_steps(digits: Digits, target: float = 0.95, at_most: int = 3000) -> int:
    """Return the full-batch steps of softmax regression to a training accuracy.

    One Dense layer from zero weights, learning rate 1/L with L the largest curvature that the
    loss can have: half of the largest eigenvalue of the inputs' Gram matrix (with a column of
    ones for the bias). No randomness is left.

    Parameters
    ----------
    digits : Digits
        The training set counts.
    target : float
        Training accuracy.
    at_most : int
        Steps after which to give up.

    Returns
    -------
    int

    Raises
    ------
    RuntimeError
        If the target was not reached.
    """
    x, y = digits.x_train, digits.y_train
    with_ones = np.column_stack([x, np.ones(len(x))])
    rate = 2.0 / gram_spectrum(with_ones)[0]
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
    raise RuntimeError(f"{target} was not reached in {at_most} steps")


def hidden_spectra(
    activation: type[Layer], centre: bool, scale: bool, seed: int = 0, init: str = "he"
) -> list[Floats]:
    """Return the eigenvalues of the Gram matrix of each hidden layer's activations at the start.

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

    Returns
    -------
    list of arrays
        One for each hidden layer, largest eigenvalue first.
    """
    net = mlp(SIZES, activation, None, init=init, rng=np.random.default_rng(seed))
    epsilon = BatchNorm(1).epsilon
    x = load_digits().x_train
    spectra = []
    for layer in net.layers:
        x = layer.forward(x, training=False)
        if isinstance(layer, Dense):
            mean, std = x.mean(axis=0), np.sqrt(x.var(axis=0) + epsilon)
            x = (x - mean if centre else x) / (std if scale else 1.0)
        else:
            spectra.append(gram_spectrum(x))
    return spectra


def hidden_spread(
    activation: type[Layer], centre: bool, scale: bool, seed: int, init: str = "he"
) -> float:
    """Return λmax over the median λ of the last hidden layer's Gram matrix at the start."""
    return max_over_median(hidden_spectra(activation, centre, scale, seed, init)[-1])


def headline(
    seeds: Sequence[int], rate: float = 1.0, standardized: bool = False, at_most: int = 2000
) -> dict[bool, list[float]]:
    """Return the steps to 90 % of the classic setting, without (False) and with batch norm.

    Sigmoid, initial weights of variance 1/n_in; checked every 10 steps.

    Parameters
    ----------
    seeds : sequence of int
        One run each.
    rate : float
        Learning rate.
    standardized : bool
        Whether the inputs are; otherwise they are pixels from 0 to 1.
    at_most : int
        Steps after which a run counts as infinity.

    Returns
    -------
    dict of bool to list of float
    """
    digits = load_digits(standardized=standardized)
    return {
        bn: [
            steps_to_accuracy(
                seed, Sigmoid, bn, rate, init="lecun", digits=digits, at_most=at_most
            )
            for seed in seeds
        ]
        for bn in (False, True)
    }


def best(steps: dict[float, list[float]]) -> tuple[float, list[float]]:
    """Return the learning rate with the lowest median of steps, and its steps."""
    rate = min(steps, key=lambda rate: float(np.median(steps[rate])))
    return rate, steps[rate]


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


def badly_scaled_steps(seed: int, standardise_first: bool) -> float:
    """Return the steps to 90 % with batch norm on badly scaled pixels, standardised or not."""
    digits = badly_scaled_digits(seed)
    if standardise_first:
        x_train, x_test = standardize(digits.x_train, digits.x_test)
        digits = digits._replace(x_train=x_train, x_test=x_test)
    return steps_to_accuracy(seed, ReLU, True, 0.1, digits=digits)


def tiny_batch_accuracy(seed: int, batch_norm: bool) -> float:
    """Return the test accuracy after 600 steps of rate 0.05 on batches of two."""
    net, _ = train_digits(seed, ReLU, batch_norm, 0.05, 600, batch_size=2, drop_last=True)
    return full_statistics_accuracy(net, load_digits())


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
    """Return the steps until a thousandth of the starting distance is left, for rates below 2."""

    def arrived(step: int) -> bool:
        (w,) = descent_path(hessian, rate, np.array([step]))
        return bool(np.linalg.norm(w) <= tolerance * np.linalg.norm(START))

    high = 1
    while not arrived(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if arrived(middle) else (middle, high)
    return high

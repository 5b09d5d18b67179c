"""The runs of chapter 6: batch statistics at test time, and running averages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bncourse.activations import ReLU
from bncourse.arrays import Floats, Integers
from bncourse.averages import CumulativeAverage, ExponentialMovingAverage
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    full_statistics_accuracy,
    sizes_for,
    steps_to_accuracy,
    train_digits,
)
from bncourse.chapters.measured import measured, take_down
from bncourse.chapters.stored import StoredRun
from bncourse.data import Digits, load_digits, load_mnist1d
from bncourse.display.card import Card
from bncourse.layers import Dense, Layer
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent
from bncourse.statistics import (
    Statistics,
    layer_outputs,
    preserve_statistics,
    set_statistics,
)
from bncourse.training import History, accuracy, train

Averager = ExponentialMovingAverage | CumulativeAverage


def trained_network(seed: int, steps: int = 300) -> Sequential:
    """Return the book's ReLU network with batch norm after `steps` steps at rate 0.1."""
    net, _ = train_digits(seed, ReLU, True, 0.1, steps)
    return net


def batch_mode_accuracy(
    net: Sequential, digits: Digits, batch_size: int, by_class: bool, seed: int = 0
) -> float:
    """Return the test accuracy when each test batch is normalised by its own statistics.

    Parameters
    ----------
    net : Sequential
        Trained.
    digits : Digits
        The test set is predicted.
    batch_size : int
        Images per batch.
    by_class : bool
        Whether the test set is sorted by digit or shuffled.
    seed : int
        Of the shuffle.

    Returns
    -------
    float
    """
    order = (
        np.argsort(digits.y_test, kind="stable")
        if by_class
        else np.random.default_rng(seed).permutation(len(digits.y_test))
    )
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return _accuracy_in_company(net, digits, batches)


def one_digit_accuracy(net: Sequential, digits: Digits) -> float:
    """Return the test accuracy when each batch holds all test images of one digit.

    Parameters
    ----------
    net : Sequential
        Trained; batch norm uses the statistics of each batch.
    digits : Digits
        The test set is predicted.

    Returns
    -------
    float
    """
    batches = [np.flatnonzero(digits.y_test == digit) for digit in np.unique(digits.y_test)]
    return _accuracy_in_company(net, digits, batches)


def _accuracy_in_company(net: Sequential, digits: Digits, batches: Sequence[Integers]) -> float:
    """Return the test accuracy when each of the batches is normalised by itself."""
    right = [
        layer_outputs(net, digits.x_test[batch], statistics="batch")[-1].argmax(axis=1)
        == digits.y_test[batch]
        for batch in batches
    ]
    return float(np.mean(np.concatenate(right)))


def averaged_accuracy(
    seed: int,
    make: Callable[[], Averager],
    steps: int,
    *,
    batch_size: int = BATCH_SIZE,
    unbiased: bool = True,
) -> float:
    """Train, average the batches' statistics meanwhile, and predict the test set with them.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    make : callable
        Returns a fresh average; one is made for each layer's mean and one for its variance.
    steps : int
        Updates at learning rate 0.1.
    batch_size : int
        m.
    unbiased : bool
        Whether each batch's variance is multiplied by m/(m − 1).

    Returns
    -------
    float
        Test accuracy.
    """
    return averaged_accuracies(
        seed, {"one": make}, [steps], batch_size=batch_size, unbiased=unbiased
    )["one"][0]


def averaged_accuracies(
    seed: int,
    makers: dict[str, Callable[[], Averager]],
    checkpoints: Sequence[int],
    *,
    batch_size: int = BATCH_SIZE,
    unbiased: bool = True,
    decay: float = 0.9,
    digits: Digits | None = None,
) -> dict[str, list[float]]:
    """Compare several averages of the same batches' statistics along one training run.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    makers : dict of str to callable
        Each returns a fresh average.
    checkpoints : sequence of int
        Steps at which the test set is predicted, increasing.
    batch_size : int
        m.
    unbiased : bool
        Whether each batch's variance is multiplied by m/(m − 1).
    decay : float
        Of the layers' own running averages.
    digits : Digits, optional
        By default ``load_digits()``.

    Returns
    -------
    dict of str to list of float
        Test accuracies at the checkpoints; ``"from 0 and 1"`` has those with the layers' own
        running averages, which start at mean 0 and variance 1, and ``"precise"`` those with the
        statistics of the whole training set.
    """
    digits = load_digits() if digits is None else digits
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(sizes_for(digits), ReLU, partial(BatchNorm, decay=decay), rng=weights)
    pairs = {name: [(make(), make()) for _ in net.batch_norms] for name, make in makers.items()}
    results: dict[str, list[float]] = {name: [] for name in (*makers, "from 0 and 1", "precise")}

    def watch(history: History) -> None:
        for k, layer in enumerate(net.batch_norms):
            assert layer.cache is not None
            m = len(layer.cache.z_norm)
            factor = m / (m - 1) if unbiased else 1.0
            for averages in pairs.values():
                averages[k][0].update(layer.cache.mean)
                averages[k][1].update(layer.cache.var * factor)

    optimizer = GradientDescent(0.1)
    done = 0
    for checkpoint in checkpoints:
        train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=optimizer,
            batch_size=batch_size,
            steps=checkpoint - done,
            rng=order,
            after_step=watch,
            drop_last=True,
        )
        done = checkpoint
        for name, averages in pairs.items():
            with preserve_statistics(net):
                set_statistics(net, [Statistics(mean.value, var.value) for mean, var in averages])
                results[name].append(accuracy(net, digits.x_test, digits.y_test))
        results["from 0 and 1"].append(accuracy(net, digits.x_test, digits.y_test))
        results["precise"].append(full_statistics_accuracy(net, digits))
    return results


def misread_momentum(seed: int, decay: float, steps: int = 300, batch_size: int = 8) -> float:
    """Return the test accuracy with the layer's own running statistics and that decay."""
    norm = partial(BatchNorm, decay=decay)
    net, _ = train_digits(
        seed, ReLU, True, 0.1, steps, batch_size=batch_size, norm=norm, drop_last=True
    )
    digits = load_digits()
    return accuracy(net, digits.x_test, digits.y_test)


def sorted_training(seed: int, steps: int = 200) -> tuple[float, float]:
    """Train on batches sorted by digit, never shuffled, and predict the test set in two ways.

    Parameters
    ----------
    seed : int
        Of the weights.
    steps : int
        Updates at learning rate 0.1.

    Returns
    -------
    running, precise : float
        Test accuracy with the layers' running averages, and with the statistics of the whole
        training set.
    """
    digits = load_digits()
    weights, _ = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, ReLU, rng=weights)
    order = np.argsort(digits.y_train, kind="stable")
    train(
        net,
        digits.x_train[order],
        digits.y_train[order],
        optimizer=GradientDescent(0.1),
        batch_size=BATCH_SIZE,
        steps=steps,
        shuffle=False,
    )
    running = accuracy(net, digits.x_test, digits.y_test)
    return running, full_statistics_accuracy(net, digits)


class VarianceEstimates(NamedTuple):
    """Estimates of a variance from batches, over the true one, averaged over units.

    Attributes
    ----------
    biased : float
        Mean of the batches' variances.
    bessel : float
        The same times m/(m − 1).
    total : float
        Mean of the batches' variances plus the variance of their means.
    both : float
        Both corrections at once.
    """

    biased: float
    bessel: float
    total: float
    both: float


def variance_estimates(
    batch_size: int, by_class: bool = False, seed: int = 0
) -> VarianceEstimates:
    """Estimate the variance of the first layer's z over the training set, from batches.

    Parameters
    ----------
    batch_size : int
        m. The set is cut to a whole number of batches.
    by_class : bool
        Whether the batches are taken from the set sorted by digit; else they are drawn
        independently, with replacement, 20,000 examples in all.
    seed : int
        Of weights and draws.

    Returns
    -------
    VarianceEstimates
    """
    digits = load_digits()
    rng = np.random.default_rng(seed)
    z = Dense(64, 100, bias=False, rng=rng).forward(digits.x_train, training=False)
    if by_class:
        z = z[np.argsort(digits.y_train, kind="stable")]
        z = z[: len(z) // batch_size * batch_size]
        truth = z.var(axis=0)
    else:
        truth = z.var(axis=0)
        z = z[rng.integers(0, len(z), 20_000 // batch_size * batch_size)]
    batches = z.reshape(-1, batch_size, z.shape[1])
    within = batches.var(axis=1).mean(axis=0)
    between = batches.mean(axis=1).var(axis=0)
    bessel = within * batch_size / (batch_size - 1)
    ratios = [
        float(np.mean(v / truth)) for v in (within, bessel, within + between, bessel + between)
    ]
    return VarianceEstimates(*ratios)


#: What the number d weighs.
WEIGHED = ("the old value", "the new value")


TRUE_VARIANCE = 4.0


def running_variance(
    decay: float, steps: int, m: int, correction: bool, bessel: bool, convention: str
) -> tuple[Floats, Floats]:
    """Return batch variances of normal draws with variance 4, and their running average.

    Parameters
    ----------
    decay : float
        The number d, in (0, 1).
    steps : int
        Batches.
    m : int
        Examples in each, at least 2.
    correction : bool
        Whether the average's start at 0 is corrected.
    bessel : bool
        Whether each batch's variance is multiplied by m/(m − 1).
    convention : str
        One of `WEIGHED`: what d weighs.

    Returns
    -------
    batches, average : array, shape (steps,)
    """
    z = np.random.default_rng(0).normal(1.0, np.sqrt(TRUE_VARIANCE), (steps, m))
    batches = z.var(axis=1) * (m / (m - 1) if bessel else 1.0)
    old = decay if convention == WEIGHED[0] else 1.0 - decay
    average = ExponentialMovingAverage(old, bias_correction=correction)
    return batches, np.array([float(average.update(float(v))) for v in batches])


def expected_average(
    decay: float, steps: int, m: int, correction: bool, bessel: bool, convention: str
) -> Floats:
    """Return the mean of `running_variance`'s average over all draws: what is left is its bias.

    Parameters
    ----------
    decay, steps, m, correction, bessel, convention
        As for `running_variance`.

    Returns
    -------
    array, shape (steps,)
    """
    old = decay if convention == WEIGHED[0] else 1.0 - decay
    batch = TRUE_VARIANCE * (1.0 if bessel else (m - 1) / m)
    weights = np.ones(steps) if correction else 1.0 - old ** np.arange(1.0, steps + 1)
    return np.asarray(batch * weights)


# --- 6.3, Use it elsewhere

FIVE = (0, 1, 2, 3, 4)


class Convolution(Layer):
    """A convolution over a sequence: the same weights at each place.

    Parameters
    ----------
    channels, length : int
        Of the input, whose rows hold a channel after the other.
    n_out : int
        Channels of the output.
    rng : numpy.random.Generator
        Source of the weights, which have He's variance.
    bias : bool
        Whether there is a b, one number for each channel of the output.
    window, stride : int
        Numbers of a channel that one output sees, and how far apart two outputs look.

    Notes
    -----
    Its weights have the shape (channels out, channels in · window): to one place of one example
    it is a `Dense`.
    """

    w: Floats

    def __init__(
        self,
        channels: int,
        length: int,
        n_out: int,
        rng: np.random.Generator,
        bias: bool = False,
        window: int = 5,
        stride: int = 2,
    ) -> None:
        self.channels, self.length, self.window, self.stride = channels, length, window, stride
        self.places = (length - window) // stride + 1
        seen = channels * window
        w = rng.normal(0.0, np.sqrt(2.0 / seen), (n_out, seen))
        b = {"b": np.zeros(n_out)} if bias else {}
        super().__init__(channels * length, n_out * self.places, w=w, **b)

    def _forward(self, x: Floats, training: bool) -> Floats:
        x = x.reshape(len(x), self.channels, self.length)
        windows = sliding_window_view(x, self.window, axis=2)[:, :, :: self.stride]
        # A row for each place of each example, as `Dense` has one for each example.
        self._seen = windows.transpose(0, 2, 1, 3).reshape(-1, self.channels * self.window)
        z = self._seen @ self.w.T
        if "b" in self.params:
            z = z + self.params["b"]
        z = z.reshape(len(x), self.places, -1)
        return np.asarray(z.transpose(0, 2, 1).reshape(len(x), -1))

    def _backward(self, dz: Floats) -> Floats:
        m = len(dz)
        dz = dz.reshape(m, -1, self.places).transpose(0, 2, 1).reshape(m * self.places, -1)
        self.grads["w"] = dz.T @ self._seen
        if "b" in self.params:
            self.grads["b"] = dz.sum(axis=0)
        dwindows = (dz @ self.w).reshape(m, self.places, self.channels, self.window)
        dx = np.zeros((m, self.channels, self.length))
        for k in range(self.window):
            dx[:, :, k : k + self.stride * self.places : self.stride] += dwindows[
                ..., k
            ].transpose(0, 2, 1)
        return dx.reshape(m, -1)


class BoxNorm(Layer):
    """Normalises what lies in one box: some examples, some channels, all places.

    Parameters
    ----------
    channels, length : int
        Of the input, whose rows hold a channel after the other.
    examples : int or None
        Examples in a box; None for the whole batch.
    group : int
        Channels in a box.
    stored : bool
        Whether predictions use stored statistics, those of the last pass in training mode that
        had one box of examples; otherwise each example's own.
    epsilon : float
        Under the root.

    Notes
    -----
    γ and β have one number for each channel. Batch norm is ``examples=None, group=1``, instance
    norm ``examples=1, group=1``, layer norm ``examples=1, group=channels``.
    """

    gamma: Floats
    beta: Floats

    def __init__(
        self,
        channels: int,
        length: int,
        examples: int | None,
        group: int,
        stored: bool,
        epsilon: float = 1e-5,
    ) -> None:
        self.channels, self.length = channels, length
        self.examples, self.group, self.stored, self.epsilon = examples, group, stored, epsilon
        self.mean, self.var = np.zeros(0), np.zeros(0)
        n = channels * length
        super().__init__(n, n, gamma=np.ones(channels), beta=np.zeros(channels))

    def _forward(self, z: Floats, training: bool) -> Floats:
        m = len(z)
        use_stored = self.stored and not training
        in_box = m if use_stored or self.examples is None else self.examples
        boxes = z.reshape(-1, in_box, self.channels // self.group, self.group, self.length)
        if use_stored:
            mean, var = self.mean, self.var
        else:
            mean = boxes.mean(axis=(1, 3, 4), keepdims=True)
            var = boxes.var(axis=(1, 3, 4), keepdims=True)
            if self.stored and training and len(mean) == 1:
                self.mean, self.var = mean, var
        self._std = np.sqrt(var + self.epsilon)
        self._z_norm = (boxes - mean) / self._std
        z_norm = self._z_norm.reshape(m, self.channels, self.length)
        z_tilde = self.gamma[:, np.newaxis] * z_norm + self.beta[:, np.newaxis]
        return np.asarray(z_tilde.reshape(m, -1))

    def _backward(self, dz: Floats) -> Floats:
        m, box = len(dz), self._z_norm
        dz = dz.reshape(m, self.channels, self.length)
        self.grads["beta"] = dz.sum(axis=(0, 2))
        self.grads["gamma"] = (dz * box.reshape(dz.shape)).sum(axis=(0, 2))
        d = (self.gamma[:, np.newaxis] * dz).reshape(box.shape)
        over = (1, 3, 4)
        along = box * (d * box).mean(axis=over, keepdims=True)
        d = (d - d.mean(axis=over, keepdims=True) - along) / self._std
        return np.asarray(d.reshape(m, -1))


#: Channels of each convolution.
CHANNELS = 16
#: Rulers: examples in a box (None for the batch), channels in a box, whether statistics are
#: stored for predictions.
RULERS: dict[str, tuple[int | None, int, bool] | None] = {
    "none": None,
    "batch norm, 60 examples": (None, 1, True),
    "batch norm, 2 examples": (2, 1, True),
    "batch norm, 1 example": (1, 1, True),
    "instance norm": (1, 1, False),
    "group norm, 4 channels": (1, 4, False),
    "layer norm, 16 channels": (1, 16, False),
}
#: The rates at which each ruler is tried.
RULER_RATES = (0.3, 0.5, 1.0)


def convolutional(seed: int, ruler: str) -> Sequential:
    """Return two convolutions of 16 channels and an output layer for MNIST-1D.

    Parameters
    ----------
    seed : int
        Of the weights, which are the same for every ruler.
    ruler : str
        A name of `RULERS`.

    Returns
    -------
    Sequential
    """
    rng, box = np.random.default_rng(seed), RULERS[ruler]
    layers: list[Layer] = []
    channels, length = 1, 40
    for _ in range(2):
        convolution = Convolution(channels, length, CHANNELS, rng, bias=box is None)
        layers.append(convolution)
        channels, length = CHANNELS, convolution.places
        if box is not None:
            examples, group, stored = box
            layers.append(BoxNorm(channels, length, examples, group, stored))
        layers.append(ReLU())
    return Sequential([*layers, Dense(channels * length, 10, rng=rng)])


def ruler_accuracy(seed: int, *, ruler: str, rate: float, steps: int = 300) -> float:
    """Return the test accuracy on MNIST-1D of a convolutional network with one of the rulers.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    ruler : str
        A name of `RULERS`.
    rate : float
        Learning rate.
    steps : int
        Updates, with batches of 60.

    Returns
    -------
    float
        In evaluation mode. Stored statistics are those of the whole training set in one pass.
    """
    data = load_mnist1d()
    net = convolutional(seed, ruler)
    take_down(
        data="MNIST-1D",
        activation="ReLU",
        arm=ruler,
        learning_rate=rate,
        init="he",
        inputs="standardised as a whole",
        sizes="2 convolutions of 16 channels, 10",
        batch_size=BATCH_SIZE,
        steps=steps,
        seed=seed,
    )
    with np.errstate(over="ignore", invalid="ignore"):
        train(
            net,
            data.x_train,
            data.y_train,
            optimizer=GradientDescent(rate),
            batch_size=BATCH_SIZE,
            steps=steps,
            rng=np.random.default_rng([seed, 1]),
            drop_last=True,
        )
        boxes = [layer for layer in net.layers if isinstance(layer, BoxNorm) and layer.stored]
        for layer in boxes:
            layer.examples = None
        if boxes:
            net.forward(data.x_train, training=True)
        return accuracy(net, data.x_test, data.y_test)


RULERS_TRIED = StoredRun(
    "rulers",
    ruler_accuracy,
    {"ruler": list(RULERS), "rate": RULER_RATES},
    FIVE,
    tolerance=0.15,
)


@dataclass(frozen=True)
class Rulers:
    """Test accuracies by ruler and rate.

    Attributes
    ----------
    values : dict of str to dict of float to list of float
        One value a seed.
    card : Card
    """

    values: dict[str, dict[float, list[float]]]
    card: Card | None = None

    def best(self, ruler: str) -> tuple[float, list[float]]:
        """Return the rate with the highest median accuracy, and the accuracies there."""
        by_rate = self.values[ruler]
        rate = max(by_rate, key=lambda r: float(np.median(by_rate[r])))
        return rate, by_rate[rate]


@measured(
    question="Over which box should a convolutional network's statistics be taken?",
    control="No normalisation, from the same weights with the same batches; each ruler at three "
    "rates.",
    mode="Test accuracy in evaluation mode: stored statistics are those of the whole training "
    "set, the others are each example's own.",
)
def rulers(seeds: Sequence[int] = FIVE) -> Rulers:
    """Load the accuracies of `ruler_accuracy`."""
    stored = RULERS_TRIED.load(seeds)
    return Rulers(
        {
            ruler: {rate: stored.select(ruler=ruler, rate=rate) for rate in RULER_RATES}
            for ruler in RULERS
        }
    )


class LayerNorm(BoxNorm):
    """Layer norm of a dense layer: the units of one example are one box.

    Parameters
    ----------
    n : int
        Number of units.
    """

    def __init__(self, n: int) -> None:
        super().__init__(n, 1, 1, n, stored=False)


#: What stands behind the dense layers of the digits' network.
PER_EXAMPLE = ("none", "batch norm", "layer norm")
DENSE_RATES = (0.1, 0.3, 1.0)


def dense_steps(seed: int, *, norm: str, standardized: bool, rate: float) -> float:
    """Return the steps to 90 % of the ReLU network on the digits with one of `PER_EXAMPLE`.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    norm : str
        One of `PER_EXAMPLE`.
    standardized : bool
        Whether the pixels are.
    rate : float
        Learning rate.

    Returns
    -------
    float
        Counted every step; infinity if it takes more than 150.
    """
    return steps_to_accuracy(
        seed,
        ReLU,
        norm != "none",
        rate,
        norm=LayerNorm if norm == "layer norm" else BatchNorm,
        digits=load_digits(standardized=standardized),
        at_most=150,
        every=1,
    )


DENSE = StoredRun(
    "per_example",
    dense_steps,
    {"norm": PER_EXAMPLE, "standardized": [False, True], "rate": DENSE_RATES},
    FIVE,
    tolerance=15.0,
)


@dataclass(frozen=True)
class DenseSteps:
    """Steps to 90 % by what is normalised.

    Attributes
    ----------
    values : dict of tuple to list of float
        By name, whether the pixels are standardised, and rate; one value a seed.
    card : Card
    """

    values: dict[tuple[str, bool, float], list[float]]
    card: Card | None = None


@measured(
    question="Does layer norm do for the digits' ReLU network what batch norm does?",
    control="No normalisation, from the same weights with the same batches; each at three rates, "
    "on raw and on standardised pixels.",
    mode="Test accuracy, counted every step; batch norm with the statistics of the whole training "
    "set, layer norm with each example's own.",
)
def dense_by_norm(seeds: Sequence[int] = FIVE) -> DenseSteps:
    """Load the steps of `dense_steps`."""
    stored = DENSE.load(seeds)
    return DenseSteps(
        {
            (norm, standardized, rate): stored.select(
                norm=norm, standardized=standardized, rate=rate
            )
            for norm in PER_EXAMPLE
            for standardized in (False, True)
            for rate in DENSE_RATES
        }
    )

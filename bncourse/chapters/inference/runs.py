"""The runs of chapter 6: batch statistics at test time, and running averages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from bncourse.activations import ReLU
from bncourse.arrays import Floats, Integers
from bncourse.averages import CumulativeAverage, ExponentialMovingAverage
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    full_statistics_accuracy,
    sizes_for,
    train_digits,
)
from bncourse.data import Digits, load_digits
from bncourse.layers import Dense
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

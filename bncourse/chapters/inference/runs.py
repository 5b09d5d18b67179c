"""The runs of chapter 6: batch statistics at test time, and running averages."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
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
    describe_inputs,
    full_statistics_accuracy,
    sizes_for,
    steps_to_accuracy,
    train_digits,
)
from bncourse.chapters.inference.conventions import CONVENTIONS
from bncourse.chapters.measured import measured, take_down
from bncourse.chapters.stored import StoredRun
from bncourse.data import Digits, load_digits, load_mnist1d
from bncourse.display import Card
from bncourse.layers import Dense, Layer
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm, fold_batch_norm
from bncourse.optimizers import GradientDescent
from bncourse.statistics import (
    Statistics,
    layer_outputs,
    population_statistics,
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
    rate: float = 0.1,
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
    rate : float
        Learning rate.

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

    optimizer = GradientDescent(rate)
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


def sorted_training(
    seed: int, steps: int = 200, *, batch_norm: bool = True, shuffle: bool = False
) -> tuple[float, float]:
    """Train on batches sorted by digit, and predict the test set in two ways.

    Parameters
    ----------
    seed : int
        Of the weights, and of the order if the examples are shuffled.
    steps : int
        Updates at learning rate 0.1.
    batch_norm : bool
        Without it both predictions are the same.
    shuffle : bool
        Whether to shuffle the examples after all.

    Returns
    -------
    running, precise : float
        Test accuracy with the layers' running averages, and with the statistics of the whole
        training set.
    """
    take_down(activation="ReLU", learning_rate=0.1, init="he", steps=steps, seed=seed)
    take_down(arm="with batch norm" if batch_norm else "without batch norm")
    take_down(inputs="pixels from 0 to 1", sizes="-".join(map(str, SIZES)), batch_size=BATCH_SIZE)
    digits = load_digits()
    weights, dealt = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, ReLU, BatchNorm if batch_norm else None, rng=weights)
    order = np.argsort(digits.y_train, kind="stable")
    train(
        net,
        digits.x_train[order],
        digits.y_train[order],
        optimizer=GradientDescent(0.1),
        batch_size=BATCH_SIZE,
        steps=steps,
        shuffle=shuffle,
        rng=dealt,
    )
    running = accuracy(net, digits.x_test, digits.y_test)
    return running, full_statistics_accuracy(net, digits)


# ---------------------------------------------------------------- The core page, 6
FIVE = (0, 1, 2, 3, 4)
#: The dots of the course, and two ways to cut them into batches of two.
DOTS = np.array([1.0, 3.0, 5.0, 7.0])


def dots_batches(how: str) -> Floats:
    """Return batches of two of the dots.

    Parameters
    ----------
    how : {"cut", "random", "shuffled"}
        The row of dots cut in the middle; or all sixteen pairs that two independent draws can
        give, each once; or all pairs that cutting a shuffled row can give, in which no dot meets
        itself.

    Returns
    -------
    array, shape (batches, 2)
    """
    if how == "cut":
        return DOTS.reshape(2, 2)
    if how == "shuffled":
        return np.array(list(itertools.combinations(DOTS, 2)))
    first, second = np.meshgrid(DOTS, DOTS)
    return np.column_stack([first.ravel(), second.ravel()])


def half_cold(decay: float, steps: int) -> dict[str, tuple[float, float, float]]:
    """Return rulers stored from batches that all have the dots' mean and variance.

    Parameters
    ----------
    decay : float
    steps : int
        Batches averaged, from a start at mean 0 and variance 1.

    Returns
    -------
    dict of str to tuple of float
        Mean, variance, and what the dot at 5 reads by them (ε = 0), by what is cold.
    """
    left = decay**steps
    mean, var = float(DOTS.mean()), float(DOTS.var())
    cold_mean, cold_var = (1 - left) * mean, (1 - left) * var + left
    pairs = {
        "nothing cold": (mean, var),
        "both cold": (cold_mean, cold_var),
        "only the mean cold": (cold_mean, var),
        "only the variance cold": (mean, cold_var),
    }
    return {name: (m, v, float((DOTS[2] - m) / np.sqrt(v))) for name, (m, v) in pairs.items()}


#: How one test image can arrive.
WAYS = (
    "alone",
    "with one other image",
    "with its own digit only",
    "with 59 mixed others",
    "alone, ruler stored",
)


@dataclass(frozen=True)
class Arrivals:
    """The test set predicted by the same weights in several ways.

    Attributes
    ----------
    accuracy : dict of str to list of float
        Of each seed, by `WAYS`.
    answers : list of int
        How many different answers the test images get when each is alone, of each seed.
    of_digit : list of int
        How many test images there are of each digit.
    card : Card, optional
    """

    accuracy: dict[str, list[float]]
    answers: list[int]
    of_digit: list[int]
    card: Card | None = None


@measured(
    question="How many test images are right, by how an image arrives?",
    control="The same weights and images with the stored statistics, which know no company.",
    mode="Statistics of the batch that the image comes in; in the last way evaluation mode, with "
    "the averages stored in training (decay 0.9).",
)
def arrivals(seeds: Sequence[int] = FIVE) -> Arrivals:
    """Predict the test set as the images come alone, in three companies, and by the averages."""
    digits = load_digits()
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    answers = []
    for seed in seeds:
        net = trained_network(seed)
        alone = np.array(
            [layer_outputs(net, x[np.newaxis], statistics="batch")[-1][0] for x in digits.x_test]
        ).argmax(axis=1)
        values = (
            float(np.mean(alone == digits.y_test)),
            batch_mode_accuracy(net, digits, 2, False),
            one_digit_accuracy(net, digits),
            batch_mode_accuracy(net, digits, 60, False),
            accuracy(net, digits.x_test, digits.y_test),
        )
        for way, value in zip(WAYS, values, strict=True):
            found[way].append(value)
        answers.append(len(set(alone)))
    return Arrivals(found, answers, np.bincount(digits.y_test).tolist())


#: Which half of the averages is corrected for its start.
CORRECTED = (
    "neither",
    "only the mean",
    "only the mean of layer 1",
    "the mean, and layer 1's variance",
    "only the variance",
    "both",
    "precise statistics",
)
#: The start of the variance; that of the mean is always 0.
STARTS = (1.0, 0.0)
TEN = tuple(range(10))


@dataclass(frozen=True)
class ColdStart:
    """The test accuracy with averages of which a half or both still remember their start.

    Attributes
    ----------
    accuracy : dict of str to dict of float to list of float
        Of each seed, by `CORRECTED` and by where the variance started.
    variances : tuple of float
        Smallest and largest variance in the first layer, over units and seeds.
    steps : int
        Of training.
    card : Card, optional
    """

    accuracy: dict[str, dict[float, list[float]]]
    variances: tuple[float, float]
    steps: int
    card: Card | None = None

    def worse(self, corrected: str, start: float) -> int:
        """How many networks are worse with this half corrected than with neither."""
        pairs = zip(
            self.accuracy[corrected][start], self.accuracy[CORRECTED[0]][start], strict=True
        )
        return sum(half < neither for half, neither in pairs)


@measured(
    question="What does an average cost that still remembers its start, and which half of it?",
    control="The same weights with both averages corrected, and with the statistics of the whole "
    "training set (precise).",
    mode="Evaluation mode, with averages of decay 0.99 in every row but the last.",
)
def cold_start(
    seeds: Sequence[int] = TEN,
    decay: float = 0.99,
    steps: int = 50,
    standardized: bool = False,
) -> ColdStart:
    """Train, average the batches' statistics, and predict with each half corrected or not."""
    digits = load_digits(standardized=standardized)
    found: dict[str, dict[float, list[float]]] = {
        name: {start: [] for start in STARTS} for name in CORRECTED
    }
    extremes: list[float] = []
    for seed in seeds:
        net, _ = train_digits(
            seed,
            ReLU,
            True,
            0.1,
            steps,
            norm=_with_decay(decay),
            drop_last=True,
            digits=digits,
        )
        left = decay**steps  # what is left of the start, which is 0 and 1 in the layer
        cold = [Statistics(bn.running_mean, bn.running_var) for bn in net.batch_norms]
        warm = [Statistics(mean / (1 - left), (var - left) / (1 - left)) for mean, var in cold]
        precise = population_statistics(net, digits.x_train)
        extremes += [float(precise[0].var.min()), float(precise[0].var.max())]
        for start in STARTS:
            begun = [Statistics(mean, var - left * (1 - start)) for mean, var in cold]
            both = list(zip(begun, warm, strict=True))
            arms = (
                begun,
                [Statistics(w.mean, c.var) for c, w in both],
                [Statistics((c if k else w).mean, c.var) for k, (c, w) in enumerate(both)],
                [Statistics(w.mean, (c if k else w).var) for k, (c, w) in enumerate(both)],
                [Statistics(c.mean, w.var) for c, w in both],
                warm,
                precise,
            )
            for name, statistics in zip(CORRECTED, arms, strict=True):
                with preserve_statistics(net):
                    set_statistics(net, statistics)
                    score = accuracy(net, digits.x_test, digits.y_test)
                found[name][start].append(score)
    return ColdStart(found, (min(extremes), max(extremes)), steps)


def _with_decay(decay: float) -> Callable[[int], BatchNorm]:
    """Return a maker of batch norms that keep `decay` of the old value."""

    def norm(n: int) -> BatchNorm:
        return BatchNorm(n, decay=decay)

    norm.__name__ = f"batch norm, decay {decay:g}"
    return norm


@dataclass(frozen=True)
class VarianceStudy:
    """Four estimates of a variance, for batches at random and cut from a sorted set.

    Attributes
    ----------
    shuffled, by_class : dict of int to VarianceEstimates
        By batch size.
    card : Card, optional
    """

    shuffled: dict[int, VarianceEstimates]
    by_class: dict[int, VarianceEstimates]
    card: Card | None = None


@measured(
    question="Which averages of the batches' statistics give the variance of all examples?",
    control="The variance of all examples itself, which every estimate is divided by.",
    mode="No training: z of the first layer at its initial weights; the ratio averaged over the "
    "100 units.",
)
def variance_study(sizes: Sequence[int] = (2, 4, 8, 16, 60)) -> VarianceStudy:
    """Estimate a variance of the digits from batches at random, and from sorted batches."""
    digits = load_digits()
    take_down(inputs=describe_inputs(digits.x_train), sizes="64-100", seed=0, init="he")
    for m in sizes:
        take_down(batch_size=m)
    return VarianceStudy(
        {m: variance_estimates(m) for m in sizes},
        {m: variance_estimates(m, by_class=True) for m in sizes},
    )


@dataclass(frozen=True)
class Misread:
    """The test accuracy with a decay that was meant for another framework.

    Attributes
    ----------
    accuracy : dict of int to dict of float to list of float
        Of each seed, by batch size and decay.
    card : Card, optional
    """

    accuracy: dict[int, dict[float, list[float]]]
    card: Card | None = None


@measured(
    question="What does a momentum of 0.99 or 0.1 cost when it is read the other way round?",
    control="The same weights with the decays that were meant, 0.99 and 0.9.",
    mode="Evaluation mode, with corrected averages of the batches' statistics.",
)
def misread(
    seeds: Sequence[int] = FIVE,
    decays: Sequence[float] = (0.99, 0.01, 0.9, 0.1),
    sizes: Sequence[int] = (8, 60),
) -> Misread:
    """Average the statistics of one training with several decays."""
    take_down(activation="ReLU", arm="with batch norm", learning_rate=0.1, init="he", steps=300)
    take_down(inputs="pixels from 0 to 1", sizes="-".join(map(str, SIZES)))
    found: dict[int, dict[float, list[float]]] = {}
    for m in sizes:
        take_down(batch_size=m)
        makers: dict[str, Callable[[], Averager]] = {
            f"{d:g}": partial(ExponentialMovingAverage, d) for d in decays
        }
        rows = []
        for seed in seeds:
            take_down(seed=seed)
            rows.append(averaged_accuracies(seed, makers, [300], batch_size=m))
        found[m] = {d: [row[f"{d:g}"][0] for row in rows] for d in decays}
    return Misread(found)


CHECKPOINTS = (5, 10, 20, 40, 80, 160, 320)


@dataclass(frozen=True)
class Averages:
    """Test accuracies with several averages along a training.

    Attributes
    ----------
    accuracy : dict of str to list of list of float
        By the average's name: for each seed the accuracies at the checkpoints.
    checkpoints : list of int
    card : Card, optional
    """

    accuracy: dict[str, list[list[float]]]
    checkpoints: list[int]
    card: Card | None = None


@measured(
    question="From which step on does it matter which average is stored?",
    control="The same weights with the statistics of the whole training set (precise).",
    mode="Evaluation mode, with each of the averages in turn.",
)
def averages(
    seeds: Sequence[int] = FIVE,
    checkpoints: Sequence[int] = CHECKPOINTS,
) -> Averages:
    """Compare averages of one decay, a cumulative one and precise statistics along a training."""
    take_down(activation="ReLU", arm="with batch norm", learning_rate=0.1, init="he", steps=320)
    take_down(inputs="pixels from 0 to 1", sizes="-".join(map(str, SIZES)), batch_size=BATCH_SIZE)
    makers: dict[str, Callable[[], Averager]] = {
        "from 0": partial(ExponentialMovingAverage, 0.99, bias_correction=False),
        "corrected": partial(ExponentialMovingAverage, 0.99),
        "cumulative": CumulativeAverage,
    }
    rows = []
    for seed in seeds:
        take_down(seed=seed)
        rows.append(averaged_accuracies(seed, makers, checkpoints, decay=0.99))
    names = ("from 0", "from 0 and 1", "corrected", "cumulative", "precise")
    return Averages({name: [row[name] for row in rows] for name in names}, list(checkpoints))


SORTED = StoredRun(
    "sorted_training",
    sorted_training,
    {"batch_norm": [True, False], "shuffle": [False, True]},
    FIVE,
    tolerance=0.1,
)


@dataclass(frozen=True)
class SortedTraining:
    """The test accuracy after training on batches sorted by digit, and on shuffled ones.

    Attributes
    ----------
    accuracy : dict of str to dict of str to list of float
        Of each seed, by what predicts and by the order of the examples.
    card : Card, optional
    """

    accuracy: dict[str, dict[str, list[float]]]
    card: Card | None = None


@measured(
    question="Do precise statistics repair a training on batches sorted by digit?",
    control="The same weights with the running averages; the same network without batch norm; and "
    "each of them after as many steps on shuffled batches.",
    mode="Evaluation mode, with the running averages (decay 0.9) or with the statistics of the "
    "whole training set.",
)
def sorted_trainings(seeds: Sequence[int] = FIVE) -> SortedTraining:
    """Train on sorted and on shuffled batches, and predict by both kinds of statistics."""
    stored = SORTED.load(seeds)
    found: dict[str, dict[str, list[float]]] = {}
    for order, shuffle in (("sorted", False), ("shuffled", True)):
        normed, plain = (stored.select(batch_norm=bn, shuffle=shuffle) for bn in (True, False))
        scores = {
            "running averages": [running for running, _ in normed],
            "precise": [precise for _, precise in normed],
            "no batch norm": [running for running, _ in plain],
        }
        for name, of_seeds in scores.items():
            found.setdefault(name, {})[order] = of_seeds
    return SortedTraining(found)


def well_built_steps(seed: int, batch_norm: bool, rate: float) -> float:
    """Return the steps to 90 % on standardised inputs, counted every step.

    Parameters
    ----------
    seed : int
    batch_norm : bool
    rate : float

    Returns
    -------
    float
    """
    digits = load_digits(standardized=True)
    return steps_to_accuracy(seed, ReLU, batch_norm, rate, digits=digits, at_most=300, every=1)


WELL_BUILT_RATES = (0.1, 0.3, 0.5, 0.7, 1.0)
WELL_BUILT = StoredRun(
    "well_built",
    well_built_steps,
    {"batch_norm": [False, True], "rate": WELL_BUILT_RATES},
    FIVE,
    tolerance=10.0,
)


@dataclass(frozen=True)
class Further:
    """Steps to 90 % of a well-built network without and with batch norm.

    Attributes
    ----------
    steps : dict of str to dict of float to list of float
        Of each seed, by arm and rate.
    card : Card, optional
    """

    steps: dict[str, dict[float, list[float]]]
    card: Card | None = None


@measured(
    question="What does batch norm add to inputs that are standardised already?",
    control="The same weights and batches without batch norm, at each of the rates.",
    mode="Test accuracy with the statistics of the whole training set, checked every step.",
)
def further(seeds: Sequence[int] = FIVE) -> Further:
    """Compare the modern setting without and with batch norm at several rates."""
    stored = WELL_BUILT.load(seeds)
    return Further(
        {
            arm: {
                rate: stored.select(batch_norm=batch_norm, rate=rate) for rate in WELL_BUILT_RATES
            }
            for arm, batch_norm in (("without", False), ("with", True))
        }
    )


#: The company of one image of a 0.
COMPANIES = ("nine other digits", "nine other zeros", "nobody")


def company(which: str, digits: Digits, seed: int) -> Integers:
    """Return the numbers of nine test images, or of none, that the first 0 comes with.

    Parameters
    ----------
    which : str
        One of `COMPANIES`; the other digits are one of each, from 1 to 9.
    digits : Digits
    seed : int
        Of the draw.

    Returns
    -------
    array of int, shape (9,) or (0,)
    """
    rng = np.random.default_rng(seed)
    mine = first_zero(digits)
    if which == COMPANIES[2]:
        return np.array([], dtype=int)
    if which == COMPANIES[1]:
        others = np.flatnonzero(digits.y_test == 0)
        return rng.choice(others[others != mine], 9, replace=False)
    return np.array([rng.choice(np.flatnonzero(digits.y_test == d)) for d in range(1, 10)])


def first_zero(digits: Digits) -> int:
    """Return the number of the first 0 among the test images."""
    return int(np.flatnonzero(digits.y_test == 0)[0])


@dataclass(frozen=True)
class Neighbours:
    """What one image of a 0 is taken for, by its company and by where the ruler is from.

    Attributes
    ----------
    answers : dict of tuple of str to list of int
        Of all seeds and draws, by company and ruler (``"made"`` or ``"stored"``).
    sure : dict of tuple of str to list of float
        The probability that the answer had.
    card : Card, optional
    """

    answers: dict[tuple[str, str], list[int]]
    sure: dict[tuple[str, str], list[float]]
    card: Card | None = None


@measured(
    question="What is one image of a 0 taken for, in three companies?",
    control="The same images and weights, with the ruler that was stored in training.",
    mode="Ruler made: statistics of the ten images, or of the one. Ruler stored: evaluation mode, "
    "averages of decay 0.9.",
)
def neighbours(seeds: Sequence[int] = FIVE, draws: int = 20) -> Neighbours:
    """Ask trained networks about the first 0 of the test set among draws of company."""
    digits = load_digits()
    answers: dict[tuple[str, str], list[int]] = {}
    sure: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        net = trained_network(seed)
        for which in COMPANIES:
            for draw in range(1 if which == COMPANIES[2] else draws):
                x = digits.x_test[[first_zero(digits), *company(which, digits, draw)]]
                for ruler, statistics in (("made", "batch"), ("stored", "running")):
                    logits = layer_outputs(net, x, statistics=statistics)[-1][0]
                    p = np.exp(logits - logits.max())
                    answers.setdefault((which, ruler), []).append(int(p.argmax()))
                    sure.setdefault((which, ruler), []).append(float(p.max() / p.sum()))
    return Neighbours(answers, sure)


def told(values: Sequence[float], form: str = ".2f") -> str:
    """Return the median and the range of some values, or the one value that all are.

    >>> told([0.5, 0.25, 0.75]), told([1.0, 1.0])
    ('0.50 (0.25 to 0.75)', '1.00')
    """
    low, middle, high = (format(float(f(values)), form) for f in (np.min, np.median, np.max))
    return middle if low == high else f"{middle} ({low} to {high})"


def tally(answers: list[int]) -> str:
    """Say which answers came how often, the most frequent first.

    >>> tally([5, 0, 5])
    '5: 2, 0: 1 of 3'
    """
    counts = sorted(((answers.count(a), a) for a in set(answers)), key=lambda c: (-c[0], c[1]))
    return ", ".join(f"{a}: {n}" for n, a in counts) + f" of {len(answers)}"


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


def running_variances(
    decay: float,
    steps: int,
    m: int,
    correction: bool,
    bessel: bool,
    convention: str,
    runs: int,
) -> Floats:
    """Return the running averages of batch variances of normal draws with variance 4.

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
    runs : int
        How many independent runs.

    Returns
    -------
    array, shape (runs, steps)
    """
    rng = np.random.default_rng(0)
    # (m − 1) times the unbiased variance, over the true one, is a χ² of m − 1 degrees.
    unbiased = TRUE_VARIANCE * rng.chisquare(m - 1, (steps, runs)) / (m - 1)
    batches = unbiased if bessel else unbiased * ((m - 1) / m)
    old = decay if convention == WEIGHED[0] else 1.0 - decay
    average = ExponentialMovingAverage(old, bias_correction=correction)
    return np.array([average.update(v) for v in batches]).T


def deviation_of_average(
    decay: float, steps: int, m: int, correction: bool, bessel: bool, convention: str
) -> float:
    """Return the standard deviation of the last average of `running_variances` over all draws.

    Parameters
    ----------
    decay, steps, m, correction, bessel, convention
        As for `running_variances`.

    Returns
    -------
    float
    """
    old = decay if convention == WEIGHED[0] else 1.0 - decay
    weights = (1.0 - old) * old ** np.arange(steps)
    if correction:
        weights = weights / weights.sum()
    batch = TRUE_VARIANCE * np.sqrt(2.0 / (m - 1)) * (1.0 if bessel else (m - 1) / m)
    return float(batch * np.sqrt(np.sum(weights**2)))


def expected_average(
    decay: float, steps: int, m: int, correction: bool, bessel: bool, convention: str
) -> Floats:
    """Return the mean of `running_variances` over all draws: what is left is its bias.

    Parameters
    ----------
    decay, steps, m, correction, bessel, convention
        As for `running_variances`.

    Returns
    -------
    array, shape (steps,)
    """
    old = decay if convention == WEIGHED[0] else 1.0 - decay
    batch = TRUE_VARIANCE * (1.0 if bessel else (m - 1) / m)
    weights = np.ones(steps) if correction else 1.0 - old ** np.arange(1.0, steps + 1)
    return np.asarray(batch * weights)


def divided_accuracy(seed: int, batch_size: int) -> dict[str, float]:
    """Train for 300 steps at rate 0.1, and predict with the variance stored in three ways.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    batch_size : int
        m.

    Returns
    -------
    dict of str to float
        Test accuracy with moving averages whose variance is that of the batches (``"biased"``) or
        m/(m − 1) times that (``"bessel"``), and with the statistics of the whole training set
        (``"precise"``).
    """
    net, _ = train_digits(seed, ReLU, True, 0.1, 300, batch_size=batch_size, drop_last=True)
    digits = load_digits()
    found = {"bessel": accuracy(net, digits.x_test, digits.y_test)}
    factor = (batch_size - 1) / batch_size
    with preserve_statistics(net):
        set_statistics(
            net, [Statistics(bn.running_mean, bn.running_var * factor) for bn in net.batch_norms]
        )
        found["biased"] = accuracy(net, digits.x_test, digits.y_test)
    return found | {"precise": full_statistics_accuracy(net, digits)}


SMALL = (2, 4, 8)
DIVIDED = StoredRun("divided", divided_accuracy, {"batch_size": SMALL}, TEN, tolerance=0.15)


@dataclass(frozen=True)
class Divided:
    """The test accuracy with a running variance that is corrected by m/(m − 1), or isn't.

    Attributes
    ----------
    accuracy : dict of str to dict of int to list of float
        Of each seed, by what is stored and batch size.
    card : Card, optional
    """

    accuracy: dict[str, dict[int, list[float]]]
    card: Card | None = None

    def better(self, m: int) -> tuple[int, int]:
        """In how many networks the uncorrected variance predicts better, and in how many worse."""
        pairs = list(zip(self.accuracy["biased"][m], self.accuracy["bessel"][m], strict=True))
        return sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)


@measured(
    question="Does the factor m/(m − 1) in the stored variance make predictions better?",
    control="The same weights without the factor, and with the statistics of the whole training "
    "set (precise).",
    mode="Evaluation mode, with averages of decay 0.9 but in the last row.",
)
def divided(seeds: Sequence[int] = TEN) -> Divided:
    """Compare the predictions with the running variance that either divisor gives."""
    stored = DIVIDED.load(seeds)
    return Divided(
        {
            name: {m: [found[name] for found in stored.select(batch_size=m)] for m in SMALL}
            for name in ("biased", "bessel", "precise")
        }
    )


#: The averages that never remember a start.
WARM = ("corrected", "cumulative")


def shortfall(seed: int, batch_size: int, rate: float) -> dict[str, list[float]]:
    """Return by how much two averages predict worse than precise statistics along a training.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    batch_size : int
    rate : float

    Returns
    -------
    dict of str to list of float
        By `WARM`: precise less this accuracy after 5, 10, 20, … 320 steps.
    """
    take_down(activation="ReLU", arm="with batch norm", learning_rate=rate, init="he", steps=320)
    take_down(inputs="pixels from 0 to 1", sizes="-".join(map(str, SIZES)), batch_size=batch_size)
    take_down(seed=seed)
    makers: dict[str, Callable[[], Averager]] = {
        "corrected": partial(ExponentialMovingAverage, 0.99),
        "cumulative": CumulativeAverage,
    }
    row = averaged_accuracies(seed, makers, CHECKPOINTS, batch_size=batch_size, rate=rate)
    return {name: [p - a for p, a in zip(row["precise"], row[name], strict=True)] for name in WARM}


#: Batch sizes and rates: the book's, and three at which the batches' statistics change faster.
FASTER = ((60, 0.1), (60, 1.0), (60, 3.0), (8, 0.1))
SHORTFALL = StoredRun(
    "shortfall",
    shortfall,
    [{"batch_size": m, "rate": rate} for m, rate in FASTER],
    FIVE,
    tolerance=0.15,
)


@dataclass(frozen=True)
class Shortfalls:
    """How much worse two averages predict than precise statistics, by setting.

    Attributes
    ----------
    worst, last : dict of tuple to dict of str to float
        The largest shortfall of any seed, after any number of steps and after the last; by batch
        size and rate, and by `WARM`.
    card : Card, optional
    """

    worst: dict[tuple[int, float], dict[str, float]]
    last: dict[tuple[int, float], dict[str, float]]
    card: Card | None = None


@measured(
    question="How far behind precise statistics is an average when training is faster?",
    control="The same weights with the statistics of the whole training set (precise).",
    mode="Evaluation mode, after 5, 10, 20, 40, 80, 160 and 320 steps.",
)
def shortfalls(seeds: Sequence[int] = FIVE) -> Shortfalls:
    """Compare how far two averages fall behind at several rates and batch sizes."""
    stored = SHORTFALL.load(seeds)
    rows = {(m, rate): stored.select(batch_size=m, rate=rate) for m, rate in FASTER}
    return Shortfalls(
        {k: {name: max(max(r[name]) for r in v) for name in WARM} for k, v in rows.items()},
        {k: {name: max(r[name][-1] for r in v) for name in WARM} for k, v in rows.items()},
    )


# ---------------------------------------------------------------- 6.1 and 6.2


@dataclass(frozen=True)
class Carried:
    """Test accuracies with running averages of several decays, along the same training.

    Attributes
    ----------
    values : dict
        By batch size and decay, one accuracy a seed.
    card : Card
    """

    values: dict[tuple[int, float], list[float]]
    card: Card | None = None


def _stored_along(
    seed: int,
    rules: Mapping[str, tuple[float, bool]],
    checkpoints: Sequence[int],
    batch_size: int = BATCH_SIZE,
) -> dict[str, list[float]]:
    """Train once, and keep running statistics by several rules, all from mean 0 and variance 1.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    rules : mapping of str to (float, bool)
        Decay, and whether the variance is multiplied by m/(m − 1).
    checkpoints : sequence of int
        Steps at which the test set is predicted.
    batch_size : int
        m; a smaller last batch is left out.

    Returns
    -------
    dict of str to list of float
        Accuracies at the checkpoints, by rule; and with ``"precise"`` statistics.
    """
    digits = load_digits()
    take_down(
        arm="with batch norm",
        activation="ReLU",
        learning_rate=0.1,
        init="he",
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, SIZES)),
        batch_size=batch_size,
        steps=max(checkpoints),
        seed=seed,
    )
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, ReLU, rng=weights)
    kept = {
        name: [Statistics(np.zeros(layer.n), np.ones(layer.n)) for layer in net.batch_norms]
        for name in rules
    }
    results: dict[str, list[float]] = {name: [] for name in (*rules, "precise")}

    def watch(history: History) -> None:
        for name, (d, unbiased) in rules.items():
            factor = batch_size / (batch_size - 1) if unbiased else 1.0
            kept[name] = [
                Statistics(
                    d * mean + (1.0 - d) * layer.cache.mean,
                    d * var + (1.0 - d) * factor * layer.cache.var,
                )
                for (mean, var), layer in zip(kept[name], net.batch_norms, strict=True)
                if layer.cache is not None
            ]
        if history.steps in checkpoints:
            for name in rules:
                with preserve_statistics(net):
                    set_statistics(net, kept[name])
                    results[name].append(accuracy(net, digits.x_test, digits.y_test))
            results["precise"].append(full_statistics_accuracy(net, digits))

    train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=GradientDescent(0.1),
        batch_size=batch_size,
        steps=max(checkpoints),
        rng=order,
        after_step=watch,
        drop_last=True,
    )
    return results


@measured(
    question="What does a momentum cost that is carried to a framework in which it weighs the "
    "other value?",
    control="The decay that was meant, along the same training, so with the same weights.",
    mode="Test accuracy in evaluation mode, with running statistics that started at 0 and 1.",
)
def carried_momentum(
    seeds: Sequence[int] = FIVE, steps: int = 300, sizes: Sequence[int] = (8, 16, 30, 60)
) -> Carried:
    """Return the accuracies for batches of several sizes."""
    decays = (0.99, 0.01, 0.9, 0.1)
    rules = {str(d): (d, True) for d in decays}
    values: dict[tuple[int, float], list[float]] = {}
    for m in sizes:
        rows = [_stored_along(seed, rules, [steps], m) for seed in seeds]
        values |= {(m, d): [row[str(d)][0] for row in rows] for d in decays}
    return Carried(values)


@dataclass(frozen=True)
class ColdStarts:
    """Test accuracies early in training, with each framework's running statistics.

    Attributes
    ----------
    checkpoints : tuple of int
        Steps.
    values : dict of str to list of list of float
        By framework, a list for each seed; and with ``"precise"`` statistics.
    card : Card
    """

    checkpoints: tuple[int, ...]
    values: dict[str, list[list[float]]]
    card: Card | None = None

    def at(self, name: str, step: int) -> list[float]:
        """Return one value a seed."""
        return [row[self.checkpoints.index(step)] for row in self.values[name]]


@measured(
    question="How long do predictions suffer from where each framework's averages start?",
    control="Statistics of the whole training set, with the same weights.",
    mode="Test accuracy in evaluation mode, with the running statistics that each framework "
    "would have.",
)
def cold_starts(
    seeds: Sequence[int] = FIVE, checkpoints: Sequence[int] = (10, 50, 100, 300)
) -> ColdStarts:
    """Return the accuracies with the default decay and variance of each framework."""
    rules = {
        c.framework: (c.decay, c.running_variance == "unbiased")
        for c in CONVENTIONS
        if c.framework != "bncourse"
    }
    rows = [_stored_along(seed, rules, checkpoints) for seed in seeds]
    return ColdStarts(
        tuple(checkpoints), {name: [row[name] for row in rows] for name in (*rules, "precise")}
    )


def average_deviation(decay: float, steps: int | None = None) -> float:
    """Return the standard deviation of an average of independent values, over that of a value.

    Parameters
    ----------
    decay : float
        d, in (0, 1).
    steps : int, optional
        Values averaged, the start corrected; by default so many that it is forgotten.

    Returns
    -------
    float
    """
    forgotten = (1.0 - decay) / (1.0 + decay)
    fade = 0.0 if steps is None else decay**steps
    return float(np.sqrt(forgotten * (1.0 + fade) / (1.0 - fade)))


@dataclass(frozen=True)
class Scatter:
    """Averages of the variances of batches, in many runs.

    Attributes
    ----------
    steps : tuple of int
        Batches averaged.
    deviation : float
        Of the variance of one batch.
    averages : dict of float to array, shape (len(steps), runs)
        By decay.
    paths : dict of float to array, shape (batches, 20)
        The first twenty runs, batch by batch.
    card : Card
    """

    steps: tuple[int, ...]
    deviation: float
    averages: dict[float, Floats]
    paths: dict[float, Floats]
    card: Card | None = None


@measured(
    question="How far apart are the running variances of many runs?",
    control="The formula for independent values.",
    mode="Averages of the batches' variances times m/(m − 1), their start corrected; no network.",
)
def scatter(
    decays: Sequence[float] = (0.99, 0.9, 0.01),
    steps: Sequence[int] = (100, 1000),
    runs: int = 20_000,
    m: int = 2,
) -> Scatter:
    """Return the averages in many runs of batches of normal draws with variance 4."""
    take_down(
        data=f"normal draws, variance {TRUE_VARIANCE:g}; {runs:,} runs",
        batch_size=m,
        steps=max(steps),
        seed=0,
    )
    rng = np.random.default_rng(0)
    averagers = {d: ExponentialMovingAverage(d) for d in decays}
    kept: dict[float, list[Floats]] = {d: [] for d in decays}
    paths: dict[float, list[Floats]] = {d: [] for d in decays}
    squares = 0.0
    for t in range(1, max(steps) + 1):
        values = rng.normal(1.0, np.sqrt(TRUE_VARIANCE), (runs, m)).var(axis=1, ddof=1)
        squares += float(np.mean((values - TRUE_VARIANCE) ** 2))
        for d, averager in averagers.items():
            averages = averager.update(values)
            if t <= min(steps):
                paths[d].append(averages[:20])
            if t in steps:
                kept[d].append(averages)
    return Scatter(
        tuple(steps),
        float(np.sqrt(squares / max(steps))),
        {d: np.array(a) for d, a in kept.items()},
        {d: np.array(p) for d, p in paths.items()},
    )


def merge(
    first: tuple[Floats, Floats, int], second: tuple[Floats, Floats, int]
) -> tuple[Floats, Floats, int]:
    """Return mean, variance and number of two sets of examples together, from those of each.

    Parameters
    ----------
    first, second : (mean, variance, number)
        The variances are biased ones.

    Returns
    -------
    mean, variance, number
    """
    (mean_a, var_a, a), (mean_b, var_b, b) = first, second
    n = a + b
    step = mean_b - mean_a
    within = (a * var_a + b * var_b) / n
    return mean_a + b / n * step, within + a * b / n**2 * step**2, n


@dataclass(frozen=True)
class Streamed:
    """Estimates of a variance over the training set from batches of several cuts.

    Attributes
    ----------
    values : dict of str to dict of str to list of float
        By the cut and the estimate, the mean over units of the estimate over the truth, one a
        seed.
    card : Card
    """

    values: dict[str, dict[str, list[float]]]
    card: Card | None = None


@measured(
    question="Which estimate of the variance over all images holds for any cut into batches?",
    control="The variance of all images together.",
    mode="z of the first layer with its initial weights.",
)
def streamed_variances(seeds: Sequence[int] = FIVE) -> Streamed:
    """Return estimates from equal and unequal batches, mixed and of one digit each."""
    digits = load_digits()
    by_digit = np.argsort(digits.y_train, kind="stable")
    values: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        take_down(
            inputs=describe_inputs(digits.x_train), init="he", sizes=f"{SIZES[0]}-100", seed=seed
        )
        rng = np.random.default_rng(seed)
        z = Dense(SIZES[0], 100, bias=False, rng=rng).forward(digits.x_train, training=False)
        mixed = rng.permutation(len(z))
        cuts = {
            "mixed, 60 each": np.split(mixed, range(60, len(z), 60)),
            "mixed, 2, 10, 100, the rest": np.split(mixed, [2, 12, 112]),
            "one digit each": np.split(by_digit, np.cumsum(np.bincount(digits.y_train))[:-1]),
        }
        for cut, batches in cuts.items():
            found = [(z[b].mean(axis=0), z[b].var(axis=0), len(b)) for b in batches]
            estimates = {
                "mean of σ²": np.mean([v for _, v, _ in found], axis=0),
                "mean of m/(m−1) σ²": np.mean([v * m / (m - 1) for _, v, m in found], axis=0),
                "merged": functools.reduce(merge, found)[1],
            }
            for name, estimate in estimates.items():
                ratio = float(np.mean(estimate / z.var(axis=0)))
                values.setdefault(cut, {}).setdefault(name, []).append(ratio)
    return Streamed(values)


#: What becomes of the images, in 6.2.
NEW_DATA = ("same", "grey paper", "moved")


def changed_images(x: Floats, data: str) -> Floats:
    """Return the digits as they are, on grey paper, or moved by a pixel to the right.

    Parameters
    ----------
    x : array, shape (m, 64)
        Pixels from 0 (paper) to 1 (ink).
    data : str
        One of `NEW_DATA`.

    Returns
    -------
    array, shape (m, 64)
    """
    if data == "same":
        return x
    if data == "grey paper":
        return 0.5 + 0.5 * x
    moved = np.zeros_like(x).reshape(-1, 8, 8)
    moved[:, :, 1:] = x.reshape(-1, 8, 8)[:, :, :-1]
    return moved.reshape(x.shape)


#: The arms of 6.2: whether statistics move, and which parameters gradient descent moves.
TUNED = {
    "statistics only": (True, "none"),
    "everything moves": (True, "all"),
    "γ, β frozen": (True, "weights"),
    "statistics frozen": (False, "all"),
    "statistics, γ, β frozen": (False, "weights"),
    "frozen, rates over s²": (False, "rescaled"),
}
TUNING_RATES = (0.003, 0.01, 0.03, 0.1)
#: Training images that are kept for fine-tuning.
KEPT = 400


def tune(
    net: Sequential,
    x: Floats,
    y: Integers,
    rng: np.random.Generator,
    *,
    moves: bool,
    trained: str,
    rate: float,
    batch_size: int,
    steps: int = 100,
) -> Sequential:
    """Return a copy of a network, trained on.

    Parameters
    ----------
    net : Sequential
        Not changed.
    x, y : arrays
        Images and labels.
    rng : numpy.random.Generator
        Of the batches.
    moves : bool
        Whether the forward pass is in training mode, in which the batch's statistics count and
        the running ones move; else in evaluation mode.
    trained : {"all", "weights", "none", "rescaled"}
        What gradient descent moves: everything, everything but γ and β, nothing, or everything
        with the rate of each unit's weights divided by what frozen statistics multiply it by.
    rate : float
        Learning rate.
    batch_size : int
    steps : int

    Returns
    -------
    Sequential
    """
    net, loss, dealt = copy.deepcopy(net), SoftmaxCrossEntropy(), np.empty(0, dtype=int)
    for _ in range(steps):
        if len(dealt) < batch_size:
            dealt = rng.permutation(len(x))
        batch, dealt = dealt[:batch_size], dealt[batch_size:]
        _, dz = loss(net.forward(x[batch], training=moves), y[batch])
        if trained == "none":
            continue
        net.backward(dz, need_input_gradient=False)
        if trained == "weights":
            for layer in net.batch_norms:
                layer.grads["gamma"] = np.zeros(layer.n)
                layer.grads["beta"] = np.zeros(layer.n)
        if trained == "rescaled":
            for dense, norm in itertools.pairwise(net.layers):
                if isinstance(norm, BatchNorm):
                    squared = norm.gamma**2 / (norm.running_var + norm.epsilon)
                    dense.grads["w"] = dense.grads["w"] / squared[:, np.newaxis]
        net.theta -= rate * net.dtheta
    return net


# Not cached: what a run is made of would depend on which run came before.
def _before_tuning(seed: int, batch_norm: bool) -> Sequential:
    """Return the network that 6.2 trains on; it has not seen the last `KEPT` images."""
    digits = load_digits()
    first = digits._replace(x_train=digits.x_train[:-KEPT], y_train=digits.y_train[:-KEPT])
    return train_digits(seed, ReLU, batch_norm, 0.1, 300, digits=first)[0]


def fine_tuned(
    seed: int, data: str, images: int, batch_size: int, rate: float
) -> dict[str, list[float]]:
    """Train a network on with other images, in each of the ways of `TUNED`.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    data : str
        One of `NEW_DATA`.
    images : int
        How many of the `KEPT` training images, which the network has not seen, are used.
    batch_size : int
        Of the fine-tuning.
    rate : float
        Its learning rate.

    Returns
    -------
    dict of str to list of float
        By arm the test accuracies on new images and on old ones. Besides `TUNED`, ``"nothing"``
        (no fine-tuning), ``"folded"`` (the batch norms folded first) and ``"without batch norm"``.
    """
    digits = load_digits()
    x = changed_images(digits.x_train[-KEPT:][:images], data)
    y = digits.y_train[-KEPT:][:images]
    take_down(
        data={"same": "digits", "moved": "digits moved by a pixel"}.get(data, f"digits on {data}"),
        activation="ReLU",
        init="he",
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, SIZES)),
        learning_rate=rate,
        batch_size=batch_size,
        steps=100,
        seed=seed,
    )
    normed, plain = (_before_tuning(seed, bn) for bn in (True, False))

    def arm(net: Sequential, moves: bool, trained: str) -> list[float]:
        with np.errstate(over="ignore", invalid="ignore"):
            tuned = tune(
                net,
                x,
                y,
                np.random.default_rng(seed),
                moves=moves,
                trained=trained,
                rate=rate,
                batch_size=batch_size,
            )
            return accuracies(tuned)

    def accuracies(net: Sequential) -> list[float]:
        tests = (changed_images(digits.x_test, data), digits.x_test)
        return [_finite_accuracy(net, test, digits.y_test) for test in tests]

    return {
        "nothing": accuracies(normed),
        **{name: arm(normed, *how) for name, how in TUNED.items()},
        "folded": arm(folded(normed), False, "all"),
        "without batch norm": arm(plain, True, "all"),
    }


def _finite_accuracy(net: Sequential, x: Floats, y: Integers) -> float:
    # A network whose numbers overflowed says NaN of every class, and argmax takes the first.
    if not np.isfinite(net.theta).all():
        return float(np.mean(y == 0))
    return accuracy(net, x, y)


def folded(net: Sequential) -> Sequential:
    """Return a network with each batch norm folded into the dense layer before it."""
    layers: list[Layer] = []
    for layer in net.layers:
        if isinstance(layer, BatchNorm):
            dense = layers.pop()
            assert isinstance(dense, Dense)
            layers.append(fold_batch_norm(dense, layer))
        else:
            layers.append(layer)
    return Sequential(layers)


# Where gradient descent diverges, last digits decide at which accuracy it stops.
FINE_TUNED = StoredRun(
    "fine_tuned",
    fine_tuned,
    [
        {"data": data, "images": images, "batch_size": m, "rate": rate}
        for data in NEW_DATA
        for images, m in ((40, 4), (KEPT, 20))
        for rate in TUNING_RATES
    ],
    FIVE,
    tolerance=0.3,
)


@dataclass(frozen=True)
class FineTuned:
    """Test accuracies of one way of fine-tuning after another.

    Attributes
    ----------
    arms : dict of str to array, shape (rates, seeds, 2)
        By arm the accuracies on new and on old images.
    card : Card
    """

    arms: dict[str, Floats]
    card: Card | None = None

    def at(self, arm: str, rate: float) -> tuple[Floats, Floats]:
        """Return the accuracies on new and on old images at one rate, one a seed."""
        return tuple(self.arms[arm][TUNING_RATES.index(rate)].T)

    def best_rate(self, arm: str) -> float:
        """Return the rate with the highest median on new images."""
        medians = np.median(self.arms[arm][:, :, 0], axis=1)
        return TUNING_RATES[int(np.argmax(medians))]

    def best(self, arm: str) -> tuple[Floats, Floats]:
        """Return the accuracies on new and on old images at that rate, one a seed."""
        return self.at(arm, self.best_rate(arm))


@measured(
    question="What may move when a trained network is trained on with other images?",
    control="No fine-tuning; statistics that move without any gradient; the same network folded; "
    "a network without batch norm. All paired by seed.",
    mode="Test accuracy in evaluation mode, with the stored statistics as fine-tuning left them. "
    "Before, 300 steps at rate 0.1 in batches of 60; then 100 steps, on 40 images in batches of 4 "
    "or on 400 in batches of 20, as the result says.",
)
def fine_tuning(
    data: str, images: int, batch_size: int, seeds: Sequence[int] | None = None
) -> FineTuned:
    """Return the stored runs of one kind of images, with 100 steps on so many of them."""
    stored = FINE_TUNED.load(seeds)
    found = [
        stored.select(data=data, images=images, batch_size=batch_size, rate=rate)
        for rate in TUNING_RATES
    ]
    return FineTuned(
        {arm: np.array([[r[arm] for r in results] for results in found]) for arm in found[0][0]}
    )


@dataclass(frozen=True)
class StrangeBias:
    """What a bias does that was not there when the statistics were stored.

    Attributes
    ----------
    values : dict of str to dict of str to list of float
        By the size of the bias and by quantity, one value a seed: ``"batch loss"`` and
        ``"stored loss"`` (training loss, with the statistics of the set and the stored ones),
        and test accuracies: ``"stored"``, ``"frozen"`` and ``"moving"`` (after 50 steps of
        fine-tuning), and ``"precise"``.
    card : Card
    """

    values: dict[str, dict[str, list[float]]]
    card: Card | None = None


#: Half-widths of the uniform distribution from which the biases are drawn.
BIASES: dict[str, float | None] = {"none": 0.0, "±1/√n": None, "±0.3": 0.3, "±1": 1.0}


@measured(
    question="What does a bias do in front of statistics that were stored without it?",
    control="The same network without the bias, paired by seed.",
    mode="Loss of all training images, once with their own statistics as one batch, once with "
    "the stored ones. Test accuracy in evaluation mode, also after 50 steps of fine-tuning at "
    "rate 0.01 with batches of 20, in evaluation mode (frozen) or in training mode (moving).",
)
def strange_bias(seeds: Sequence[int] = FIVE) -> StrangeBias:
    """Return the effects of biases of several sizes in front of all three batch norms."""
    digits, loss = load_digits(), SoftmaxCrossEntropy()
    values: dict[str, dict[str, list[float]]] = {name: {} for name in BIASES}
    for seed in seeds:
        trained = trained_network(seed)
        for name, half_width in BIASES.items():
            net = with_biases(trained, half_width, np.random.default_rng(seed))
            found = {
                f"{kind} loss": loss(
                    layer_outputs(net, digits.x_train, statistics=statistics)[-1], digits.y_train
                )[0]
                for kind, statistics in (("batch", "batch"), ("stored", "running"))
            }
            found["stored"] = accuracy(net, digits.x_test, digits.y_test)
            for how, moves in (("frozen", False), ("moving", True)):
                tuned = tune(
                    net,
                    digits.x_train,
                    digits.y_train,
                    np.random.default_rng(seed),
                    moves=moves,
                    trained="all",
                    rate=0.01,
                    batch_size=20,
                    steps=50,
                )
                found[how] = accuracy(tuned, digits.x_test, digits.y_test)
            found["precise"] = full_statistics_accuracy(net, digits)
            for key, value in found.items():
                values[name].setdefault(key, []).append(float(value))
    return StrangeBias(values)


def with_biases(net: Sequential, half_width: float | None, rng: np.random.Generator) -> Sequential:
    """Return a copy whose dense layers in front of batch norm have random biases.

    Parameters
    ----------
    net : Sequential
        Its dense layers in front of batch norm have none.
    half_width : float or None
        The biases are uniform between minus this and this; None is 1/√n, with n inputs.
    rng : numpy.random.Generator

    Returns
    -------
    Sequential
    """
    layers: list[Layer] = []
    for layer, following in itertools.pairwise((*net.layers, None)):
        if isinstance(layer, Dense) and isinstance(following, BatchNorm):
            n_out, n_in = layer.w.shape
            width = float(n_in**-0.5 if half_width is None else half_width)
            biased = Dense(n_in, n_out, bias=True)
            biased.params["w"] = layer.w
            biased.params["b"] = width * rng.uniform(-np.ones(n_out), np.ones(n_out))
            layers.append(biased)
        elif layer is not None:
            layers.append(copy.deepcopy(layer))
    return Sequential(layers)


# --- 6.3, Use it elsewhere


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
DENSE_RATES = (0.1, 0.2, 0.3, 1.0)


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
    control="No normalisation, from the same weights with the same batches; each at four rates, "
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


# ---------------------------------------------------------------- 6.2, how far w′ moved

#: Images, their batches and the rate of 6.2's question of distances; all are moved by a pixel.
FARTHER = (
    {"images": KEPT, "batch_size": 20, "rate": 0.1},
    {"images": 40, "batch_size": 4, "rate": 0.03},
)
#: The arms that begin as the same function.
ALIKE = ("statistics frozen", "frozen, rates over s²", "folded")


def folded_weights(net: Sequential) -> list[Floats]:
    """Return the weights of each dense layer, times the scale of a batch norm behind it."""
    return [layer.w for layer in folded(net).layers if isinstance(layer, Dense)]


def distances_moved(
    seed: int, images: int, batch_size: int, rate: float
) -> dict[str, list[float]]:
    """Return how far the folded weights of each layer are moved by fine-tuning on moved digits.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    images, batch_size, rate
        As for `fine_tuned`.

    Returns
    -------
    dict of str to list of float
        For each arm of `ALIKE` the lengths of the changes of w′, by layer, the output's last.
    """
    digits, net = load_digits(), _before_tuning(seed, True)
    x = changed_images(digits.x_train[-KEPT:][:images], "moved")
    y = digits.y_train[-KEPT:][:images]
    take_down(
        data="digits moved by a pixel",
        activation="ReLU",
        arm="with batch norm",
        init="he",
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, SIZES)),
        learning_rate=rate,
        batch_size=batch_size,
        steps=100,
        seed=seed,
    )
    found = {}
    for arm in ALIKE:
        before = folded(net) if arm == "folded" else net
        after = tune(
            before,
            x,
            y,
            np.random.default_rng(seed),
            moves=False,
            trained=TUNED.get(arm, (False, "all"))[1],
            rate=rate,
            batch_size=batch_size,
        )
        pairs = zip(folded_weights(before), folded_weights(after), strict=True)
        found[arm] = [float(np.linalg.norm(new - old)) for old, new in pairs]
    return found


DISTANCES = StoredRun("distances_moved", distances_moved, FARTHER, FIVE, tolerance=0.5)


@dataclass(frozen=True)
class Distances:
    """How far fine-tuning moved the folded weights.

    Attributes
    ----------
    values : dict of int to dict of str to array, shape (seeds, layers)
        By the number of images, then by arm.
    card : Card
    """

    values: dict[int, dict[str, Floats]]
    card: Card | None = None

    def first(self, images: int, arm: str) -> Floats:
        """Return how far the first layer's w′ moved, one number a seed."""
        return self.values[images][arm][:, 0]

    def others(self, images: int, arm: str) -> Floats:
        """Return how far those of all other layers moved together, one number a seed."""
        return np.asarray(np.linalg.norm(self.values[images][arm][:, 1:], axis=1))


@measured(
    question="How far do two networks move that begin as the same function?",
    control="The same network frozen, frozen with rates over s², and folded; the same batches.",
    mode="Length of the change of w′, which is w times s where batch norm is not folded; 100 "
    "steps on digits moved by a pixel, 400 in batches of 20 at rate 0.1 or 40 in batches "
    "of 4 at 0.03.",
)
def distances(seeds: Sequence[int] = FIVE) -> Distances:
    """Load the distances of `distances_moved`."""
    stored = DISTANCES.load(seeds)
    values = {}
    for how in FARTHER:
        found = stored.select(**how)
        values[int(how["images"])] = {arm: np.array([one[arm] for one in found]) for arm in ALIKE}
    return Distances(values)

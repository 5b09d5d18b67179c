"""The runs of chapter 6: batch statistics at test time, and running averages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from bncourse.activations import ReLU
from bncourse.arrays import Floats, Integers
from bncourse.averages import CumulativeAverage, ExponentialMovingAverage
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    control,
    describe_inputs,
    full_statistics_accuracy,
    sizes_for,
    train_digits,
)
from bncourse.chapters.measured import measured, take_down
from bncourse.data import Digits, load_digits
from bncourse.display import Card
from bncourse.layers import Dense
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm
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


# ---------------------------------------------------------------- The core page, 6
FIVE = (0, 1, 2, 3, 4)
#: The dots of the course, and two ways to cut them into batches of two.
DOTS = np.array([1.0, 3.0, 5.0, 7.0])


def dots_batches(how: str) -> Floats:
    """Return batches of two of the dots.

    Parameters
    ----------
    how : {"cut", "random"}
        The row of dots cut in the middle; or all sixteen pairs that two independent draws can
        give, each once.

    Returns
    -------
    array, shape (batches, 2)
    """
    if how == "cut":
        return DOTS.reshape(2, 2)
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
CORRECTED = ("neither", "only the mean", "only the variance", "both", "precise statistics")
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
    card : Card, optional
    """

    accuracy: dict[str, dict[float, list[float]]]
    variances: tuple[float, float]
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
def cold_start(seeds: Sequence[int] = TEN, decay: float = 0.99, steps: int = 50) -> ColdStart:
    """Train, average the batches' statistics, and predict with each half corrected or not."""
    digits = load_digits()
    found: dict[str, dict[float, list[float]]] = {
        name: {start: [] for start in STARTS} for name in CORRECTED
    }
    extremes: list[float] = []
    for seed in seeds:
        net, _ = train_digits(
            seed, ReLU, True, 0.1, steps, norm=_with_decay(decay), drop_last=True
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
                [Statistics(c.mean, w.var) for c, w in both],
                warm,
                precise,
            )
            for name, statistics in zip(CORRECTED, arms, strict=True):
                with preserve_statistics(net):
                    set_statistics(net, statistics)
                    score = accuracy(net, digits.x_test, digits.y_test)
                found[name][start].append(score)
    return ColdStart(found, (min(extremes), max(extremes)))


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
    checkpoints: Sequence[int] = (5, 10, 20, 40, 80, 160, 320),
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


@dataclass(frozen=True)
class SortedTraining:
    """The test accuracy after training on batches sorted by digit.

    Attributes
    ----------
    running, precise : list of float
        Of each seed.
    card : Card, optional
    """

    running: list[float]
    precise: list[float]
    card: Card | None = None


@measured(
    question="Do precise statistics repair a training on batches sorted by digit?",
    control="The same weights with the running averages; the same network on shuffled batches is "
    "the last row of the page's first table.",
    mode="Evaluation mode, with the running averages (decay 0.9) or with the statistics of the "
    "whole training set.",
)
def sorted_trainings(seeds: Sequence[int] = FIVE) -> SortedTraining:
    """Train on sorted batches, and predict by both kinds of statistics."""
    take_down(activation="ReLU", arm="with batch norm", learning_rate=0.1, init="he", steps=200)
    take_down(inputs="pixels from 0 to 1", sizes="-".join(map(str, SIZES)), batch_size=BATCH_SIZE)
    rows = []
    for seed in seeds:
        take_down(seed=seed)
        rows.append(sorted_training(seed))
    return SortedTraining([running for running, _ in rows], [precise for _, precise in rows])


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
    mode="Test accuracy with the statistics of the whole training set, checked every 2 steps.",
)
def further(seeds: Sequence[int] = FIVE, rates: Sequence[float] = (0.1, 0.3, 1.0)) -> Further:
    """Train the modern setting at several rates without and with batch norm."""
    steps = control(seeds, rates)
    return Further({"without": steps[False], "with": steps[True]})


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

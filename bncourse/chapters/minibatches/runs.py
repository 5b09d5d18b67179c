"""The runs of chapter 4: what a mini-batch does to its statistics, its examples and the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bncourse.activations import ReLU
from bncourse.arrays import Floats, Integers
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    backpropagate,
    describe_inputs,
    full_statistics_accuracy,
    sizes_for,
    train_digits,
)
from bncourse.chapters.measured import measured, take_down
from bncourse.chapters.stored import StoredRun
from bncourse.data import Digits, load_digits
from bncourse.display.card import Card
from bncourse.layers import Dense
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm, batch_norm, batch_norm_backward
from bncourse.optimizers import GradientDescent
from bncourse.statistics import (
    layer_outputs,
    population_statistics,
    preserve_statistics,
    set_statistics,
)
from bncourse.training import accuracy, train

BATCH_SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class MeanVariance(NamedTuple):
    """Variance of the batch mean over many batches, in units of σ², averaged over units.

    Attributes
    ----------
    sizes : array, shape (k,)
        m.
    replaced, dealt : array, shape (k,)
        Batches drawn with replacement, and dealt without, as in an epoch.
    population : int
        N: examples in the set.
    """

    sizes: Floats
    replaced: Floats
    dealt: Floats
    population: int

    def slope(self) -> float:
        """Return the log-log slope of `replaced` in m."""
        return float(np.polyfit(np.log(self.sizes), np.log(self.replaced), 1)[0])


def batch_mean_variance(
    seed: int, sizes: Sequence[int] = BATCH_SIZES, draws: int = 400
) -> MeanVariance:
    """Measure how much the mean of a batch scatters around that of the training set.

    Parameters
    ----------
    seed : int
        Of the network's weights and of the draws.
    sizes : sequence of int
        Batch sizes.
    draws : int
        Batches of each size.

    Returns
    -------
    MeanVariance
        For the 100 units of the first layer's z at the start.
    """
    rng = np.random.default_rng(seed)
    x = load_digits().x_train
    z = Dense(64, 100, bias=False, rng=rng).forward(x, training=False)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    rows = []
    for replace in (True, False):
        rows.append(
            [
                np.mean(
                    np.square(
                        [
                            z[rng.choice(len(z), m, replace=replace)].mean(axis=0)
                            for _ in range(draws)
                        ]
                    )
                )
                for m in sizes
            ]
        )
    replaced, dealt = map(np.array, rows)
    return MeanVariance(np.array(sizes, float), replaced, dealt, len(x))


#: How the training set is cut into batches in `order_of_batches`.
ORDERS = ("shuffled", "sorted by digit", "one digit at a time, in random order")


class Trained(NamedTuple):
    """How a training run ended.

    Attributes
    ----------
    loss : float
        Mean training loss of the last epoch's steps, in nats.
    accuracy : float
        On the test set, with full-train statistics.
    """

    loss: float
    accuracy: float


def order_of_batches(
    seed: int, batch_norm: bool, order: str, steps: int = 200, digits: Digits | None = None
) -> Trained:
    """Train at rate 0.1 on batches of 60 that are fair samples, or hold mostly one digit.

    Parameters
    ----------
    seed : int
        Of the weights and of the order.
    batch_norm : bool
        With or without.
    order : str
        One of `ORDERS`. The last two cut the training set, sorted by label, into the same
        batches; the second deals them in that order, the third in a new random one each epoch.
    steps : int
        Updates.
    digits : Digits, optional
        By default ``load_digits()``.

    Returns
    -------
    Trained
    """
    ended = dealt(seed, batch_norm, order, steps, digits)
    return Trained(float(np.mean(ended["losses"])), ended["accuracy"])


#: What is trained in `small_batch_accuracy`.
TINY = ("without batch norm", "with batch norm", "with batch norm, output layer only")


def small_batch_accuracy(seed: int, kind: str, batch_size: int) -> float:
    """Return the test accuracy after 600 steps at rate 0.05 with so many examples a batch.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    kind : str
        One of `TINY`. With the last, the hidden layers keep their initial random weights.
    batch_size : int
        m.

    Returns
    -------
    float
        With full-train statistics.
    """

    def output_layer_only(net: Sequential) -> None:
        for layer in net.layers[:-1]:
            for gradient in layer.grads.values():
                gradient[...] = 0.0

    net, _ = train_digits(
        seed,
        ReLU,
        kind != TINY[0],
        0.05,
        600,
        batch_size=batch_size,
        drop_last=True,
        after_backward=output_layer_only if kind == TINY[2] else None,
    )
    return full_statistics_accuracy(net, load_digits())


def units_with_gradient(m: int, seeds: int = 20) -> float:
    """Return how many of the 300 hidden units hold 99 % of the squared gradient of a batch.

    Parameters
    ----------
    m : int
        Examples in the batch.
    seeds : int
        Networks, each at its start, with a batch of its own.

    Returns
    -------
    float
        Median over the networks.
    """
    digits = load_digits()
    counts = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        net = mlp(SIZES, ReLU, rng=rng)
        batch = rng.permutation(len(digits.x_train))[:m]
        backpropagate(net, digits.x_train[batch], digits.y_train[batch])
        dense = [layer for layer in net.layers if isinstance(layer, Dense)][:-1]
        squares = np.concatenate([np.sum(layer.grads["w"] ** 2, axis=1) for layer in dense])
        shares = np.cumsum(np.sort(squares)[::-1]) / squares.sum()
        counts.append(1 + int(np.searchsorted(shares, 0.99)))
    return float(np.median(counts))


class GhostBatchNorm(BatchNorm):
    """Batch norm over equal parts of the batch, each normalised by itself.

    Parameters
    ----------
    n : int
        Number of units.
    ghost_size : int
        Examples per part, at least 2; it has to divide the batch.

    Notes
    -----
    A part is normalised like a unit of its own, so the parts are laid side by side:
    (parts · g, n) becomes (g, parts · n), and `batch_norm` does the rest. It is for training; a
    backward pass goes through the last training batch.

    Source: Hoffer, Hubara and Soudry (2017), arXiv:1705.08741, section 4.
    """

    def __init__(self, n: int, ghost_size: int) -> None:
        super().__init__(n)
        if ghost_size < 2:
            raise ValueError(f"ghost_size: expected at least 2, got {ghost_size}")
        self.ghost_size = ghost_size

    def _side_by_side(self, z: Floats) -> Floats:
        return z.reshape(-1, self.ghost_size, self.n).swapaxes(0, 1).reshape(self.ghost_size, -1)

    def _stacked(self, wide: Floats) -> Floats:
        return wide.reshape(self.ghost_size, -1, self.n).swapaxes(0, 1).reshape(-1, self.n)

    def _forward(self, z: Floats, training: bool) -> Floats:
        if not training:
            return super()._forward(z, training)
        parts, rest = divmod(len(z), self.ghost_size)
        if rest:
            raise ValueError(f"z: expected a multiple of {self.ghost_size} rows, got {len(z)}")
        gamma, beta = np.tile(self.gamma, parts), np.tile(self.beta, parts)
        z_tilde, self.ghosts = batch_norm(self._side_by_side(z), gamma, beta, self.epsilon)
        mean, var = (v.reshape(parts, self.n).mean(axis=0) for v in self.ghosts[1:3])
        self._update(mean, var * self.ghost_size / (self.ghost_size - 1))
        return self._stacked(z_tilde)

    def _backward(self, dz: Floats) -> Floats:
        wide, dgamma, dbeta = batch_norm_backward(self._side_by_side(dz), self.ghosts)
        for name, gradient in (("gamma", dgamma), ("beta", dbeta)):
            self.grads[name] = gradient.reshape(-1, self.n).sum(axis=0)
        return self._stacked(wide)


def ghost_network(ghost_size: int, seed: int, sizes: Sequence[int] = SIZES) -> Sequential:
    """Return the book's ReLU network with `GhostBatchNorm`."""
    rng = np.random.default_rng(seed)
    return mlp(sizes, ReLU, lambda n: GhostBatchNorm(n, ghost_size), rng=rng)


# ---- Page 4: train with mini-batches ----

#: What medians and ranges of the page are taken over.
FIVE = (0, 1, 2, 3, 4)
#: Images of each digit that are dealt where every batch holds one digit: two batches of 60.
OF_EACH = 2 * BATCH_SIZE
#: The orders of `dealt`: those of `order_of_batches`, two of as many images of each digit, and
#: those of the sorted batches that hold several digits.
DEALS = (
    *ORDERS,
    "one digit a batch",
    "the same images, shuffled",
    "only the mixed batches of these",
)
#: How pages call the orders of the sorted set.
CALLED = {
    ORDERS[0]: "shuffled",
    ORDERS[1]: "sorted by digit",
    ORDERS[2]: "the sorted batches, in random order",
    DEALS[5]: "only the mixed ones of these",
}
#: An epoch's steps, and how many epochs the sorted set is trained for.
EPOCH, EPOCHS = 24, 9


class Dealer:
    """Deals as a generator's ``permutation`` does, but each run of 60 shows one digit.

    Parameters
    ----------
    y : array of int, shape (n,)
        Labels, with a multiple of 60 of each that occurs.
    seed : int or numpy.random.Generator
        Of the order: which of its images stand in which batch of a digit, and in which order
        the batches come.
    """

    def __init__(self, y: Integers, seed: int | np.random.Generator) -> None:
        self.y = y
        self.rng = np.random.default_rng(seed)

    def permutation(self, n: int) -> Integers:
        """Return the numbers below n, the number of labels, in a new order."""
        if n != len(self.y):
            raise ValueError(f"n: expected {len(self.y)}, got {n}")
        of_digits = [self.rng.permutation(np.flatnonzero(self.y == k)) for k in np.unique(self.y)]
        batches = np.concatenate(of_digits).reshape(-1, BATCH_SIZE)
        order: Integers = self.rng.permutation(batches).ravel()
        return order


def as_many_of_each(digits: Digits) -> tuple[Floats, Integers]:
    """Return the first 120 training images of each class, and their labels."""
    y = digits.y_train
    chosen = np.concatenate([np.flatnonzero(y == k)[:OF_EACH] for k in np.unique(y)])
    return digits.x_train[chosen], y[chosen]


def _mixed(sorted_labels: Integers) -> NDArray[np.bool_]:
    """Return which of the batches that labels are cut into hold several of them."""
    batches = np.split(sorted_labels, range(BATCH_SIZE, len(sorted_labels), BATCH_SIZE))
    return np.array([len(set(batch.tolist())) > 1 for batch in batches])


def _epoch(
    order: str, y: Integers, by_label: Integers, rng: np.random.Generator, steps: int
) -> Iterator[Integers]:
    """Yield at most so many batches of one epoch, as rows of the training set."""
    if order == DEALS[3]:
        dealt: Integers = Dealer(y, rng).permutation(len(y))
    elif order in (ORDERS[0], DEALS[4]):
        dealt = rng.permutation(len(y))
    else:
        dealt = by_label
    count = -(-len(y) // BATCH_SIZE)
    starts = rng.permutation(count) if order in (ORDERS[2], DEALS[5]) else np.arange(count)
    if order == DEALS[5]:
        starts = starts[_mixed(y[by_label])[starts]]
    for start in BATCH_SIZE * starts[:steps]:
        yield dealt[start : start + BATCH_SIZE]


def dealt(
    seed: int,
    batch_norm: bool,
    order: str,
    steps: int = 200,
    digits: Digits | None = None,
    rate: float = 0.1,
    stops: int = 1,
) -> dict[str, Any]:
    """Train on batches of 60 that are dealt in some order.

    Parameters
    ----------
    seed, batch_norm, steps, digits
        As for `order_of_batches`.
    order : str
        One of `DEALS`.
    rate : float
        Learning rate.
    stops : int
        How often the accuracy is taken, in equal distances over the last `EPOCH` steps.

    Returns
    -------
    dict
        ``"accuracy"`` on the test set, with full-train statistics, and ``"stops"``, the same at
        each stop; ``"losses"``, those of the
        last epoch's steps, and ``"pure"``, whether the batch of each held one digit only;
        ``"own"`` and ``"previous"``, the share of images of the last epoch that were taken for
        the digit of their batch, and for that of the batch before, over pure batches behind one
        of another digit.
    """
    digits = load_digits() if digits is None else digits
    weights, rng = np.random.default_rng(seed).spawn(2)
    net = mlp(sizes_for(digits), ReLU, BatchNorm if batch_norm else None, rng=weights)
    take_down(
        activation="ReLU",
        arm="with batch norm" if batch_norm else "without batch norm",
        learning_rate=rate,
        init="he",
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, sizes_for(digits))),
        batch_size=BATCH_SIZE,
        steps=steps,
        seed=seed,
    )
    x, y = digits.x_train, digits.y_train
    if order in DEALS[3:5]:
        x, y = as_many_of_each(digits)
    by_label = np.argsort(y, kind="stable")
    loss, optimizer = SoftmaxCrossEntropy(), GradientDescent(rate)
    losses: list[float] = []
    pure: list[bool] = []
    followed: list[tuple[float, float]] = []
    at_stops: list[float] = []
    before = -1
    while len(losses) < steps:
        followed.clear()
        for batch in _epoch(order, y, by_label, rng, steps - len(losses)):
            logits = net.forward(x[batch], training=True)
            J, dz = loss(logits, y[batch])
            net.backward(dz, need_input_gradient=False)
            optimizer.step(net.theta, net.dtheta)
            losses.append(J)
            digit = int(y[batch][0])
            pure.append(bool((y[batch] == digit).all()))
            said = logits.argmax(axis=1)
            if pure[-1] and before not in (-1, digit):
                followed.append((float(np.mean(said == digit)), float(np.mean(said == before))))
            before = digit if pure[-1] else -1
            to_go = (steps - len(losses)) * stops
            if to_go % EPOCH == 0 and to_go < EPOCH * stops:
                at_stops.append(full_statistics_accuracy(net, digits))
    last = int(_mixed(y[by_label]).sum()) if order == DEALS[5] else -(-len(y) // BATCH_SIZE)
    own, previous = np.mean(followed, axis=0) if followed else (None, None)
    return {
        "accuracy": at_stops[-1],
        "stops": at_stops,
        "losses": losses[-last:],
        "pure": pure[-last:],
        "own": None if own is None else float(own),
        "previous": None if previous is None else float(previous),
    }


#: What `one_digit` shows: the rate, the steps, and without or with batch norm.
ONE_DIGIT = (
    (0.1, 200, False),
    (0.1, 200, True),
    (0.1, 2000, False),
    (0.1, 2000, True),
    (0.03, 200, True),
    (0.01, 200, True),
    (0.01, 2000, True),
)
DEALT = StoredRun(
    "dealt",
    dealt,
    [
        {"batch_norm": bn, "order": order, "steps": steps, "stops": stops}
        for order, steps, stops in (
            *((order, EPOCH * EPOCHS, 6) for order in ORDERS),
            (DEALS[5], 9 * EPOCHS, 1),
        )
        for bn in (False, True)
    ],
    seeds=FIVE,
    # The accuracy of a plain network swings within an epoch of sorted batches.
    tolerance=0.15,
)
PURE = StoredRun(
    "one_digit",
    dealt,
    [
        {"batch_norm": bn, "order": DEALS[3], "steps": steps, "rate": rate}
        for rate, steps, bn in ONE_DIGIT
    ],
    seeds=FIVE,
    tolerance=0.1,
)


@dataclass(frozen=True)
class Sorted:
    """What became of networks whose batches were dealt in several orders.

    Attributes
    ----------
    accuracy : dict of (str, bool) to list of float
        On the test set, at each stop of each seed; by order, and without or with batch norm.
    pure, mixed : dict of (str, bool) to list of float
        Mean loss of the last epoch's batches of one digit, and of the others; NaN where there
        were none.
    batches : tuple of int
        How many of the sorted batches hold one digit only, and how many others there are.
    card : Card
    """

    accuracy: dict[tuple[str, bool], list[float]]
    pure: dict[tuple[str, bool], list[float]]
    mixed: dict[tuple[str, bool], list[float]]
    batches: tuple[int, int]
    card: Card | None = None


def _mean(losses: Sequence[float], kept: Sequence[bool]) -> float:
    chosen = [J for J, keep in zip(losses, kept, strict=True) if keep]
    return float(np.mean(chosen)) if chosen else float("nan")


@measured(
    question="Are batches of one digit learned, and what do they teach?",
    control="The same images in shuffled batches; the mixed batches alone; and each without "
    "batch norm.",
    mode="Losses of the ninth epoch in training mode; test accuracy with the statistics of the "
    "whole training set, at six stops of that epoch.",
)
def sorted_batches(seeds: Sequence[int] = FIVE) -> Sorted:
    """Return the ends of nine epochs with sorted batches, from what is stored."""
    stored = DEALT.load(seeds)
    ended = {
        (order, bn): stored.select(batch_norm=bn, order=order)
        for order in CALLED
        for bn in (False, True)
    }
    mixed = _mixed(np.sort(load_digits().y_train))
    return Sorted(
        {key: [v for run in runs for v in run["stops"]] for key, runs in ended.items()},
        {key: [_mean(run["losses"], run["pure"]) for run in runs] for key, runs in ended.items()},
        {
            key: [_mean(run["losses"], [not kept for kept in run["pure"]]) for run in runs]
            for key, runs in ended.items()
        },
        (int(np.sum(~mixed)), int(mixed.sum())),
    )


@dataclass(frozen=True)
class OneDigit:
    """What became of networks that met batches of one digit only.

    Attributes
    ----------
    rows : dict of (float, int, bool) to dict
        By the rate, the steps, and without or with batch norm: ``"accuracy"``, ``"loss"``,
        ``"own"`` and ``"previous"``, each a list over the seeds.
    card : Card
    """

    rows: dict[tuple[float, int, bool], dict[str, list[float]]]
    card: Card | None = None


@measured(
    question="What does a network with batch norm say in batches of one digit, and does more "
    "training or a smaller rate help?",
    control="At rate 0.1 the same weights and batches without batch norm.",
    mode="Answers and losses of the last epoch in training mode, before each step; test accuracy "
    "with the statistics of the whole training set.",
)
def one_digit(seeds: Sequence[int] = FIVE) -> OneDigit:
    """Return the ends of the runs on batches of one digit, from what is stored."""
    stored = PURE.load(seeds)
    rows = {}
    for rate, steps, bn in ONE_DIGIT:
        runs = stored.select(batch_norm=bn, steps=steps, rate=rate)
        rows[rate, steps, bn] = {
            "accuracy": [run["accuracy"] for run in runs],
            "loss": [float(np.mean(run["losses"])) for run in runs],
            "own": [run["own"] for run in runs],
            "previous": [run["previous"] for run in runs],
        }
    return OneDigit(rows)


#: A loop as readers write it: (net, x, y, batch_size, learning_rate, epochs, rng) → losses.
Loop = Callable[[Sequential, Floats, Integers, int, float, int, Any], list[float]]


@dataclass(frozen=True)
class Looped:
    """What a training loop made of shuffled batches, and of batches of one digit.

    Attributes
    ----------
    accuracy, loss : dict of (str, bool) to list of float
        On the test set, and mean of the last epoch's steps; by the deal, and without or with
        batch norm.
    card : Card
    """

    accuracy: dict[tuple[str, bool], list[float]]
    loss: dict[tuple[str, bool], list[float]]
    card: Card | None = None


@measured(
    question="What does a training loop learn when every batch holds a single digit?",
    control="The same 1,200 images, 120 of each digit, in shuffled batches; and both "
    "without batch norm.",
    mode="Losses of the last epoch in training mode; test accuracy with the statistics of the "
    "whole training set.",
)
def with_loop(loop: Loop, epochs: int = 10, seeds: Sequence[int] = FIVE) -> Looped:
    """Train by a loop of the reader's, at rate 0.1 with batches of 60.

    Parameters
    ----------
    loop : callable
        ``loop(net, x, y, batch_size, learning_rate, epochs, rng)`` returns all losses. What it
        gets as `rng` is a generator, or a `Dealer`.
    epochs : int
        Of 20 steps each.
    seeds : sequence of int

    Returns
    -------
    Looped
    """
    digits = load_digits()
    x, y = as_many_of_each(digits)
    accuracies: dict[tuple[str, bool], list[float]] = {}
    losses: dict[tuple[str, bool], list[float]] = {}
    steps = epochs * len(y) // BATCH_SIZE
    for deal in (DEALS[4], DEALS[3]):
        for bn in (False, True):
            for seed in seeds:
                take_down(
                    activation="ReLU",
                    arm="with batch norm" if bn else "without batch norm",
                    learning_rate=0.1,
                    init="he",
                    inputs=describe_inputs(digits.x_train),
                    sizes="-".join(map(str, SIZES)),
                    batch_size=BATCH_SIZE,
                    steps=steps,
                    seed=seed,
                )
                weights, rng = np.random.default_rng(seed).spawn(2)
                net = mlp(SIZES, ReLU, BatchNorm if bn else None, rng=weights)
                order = Dealer(y, rng) if deal == DEALS[3] else rng
                came = loop(net, x, y, BATCH_SIZE, 0.1, epochs, order)
                losses.setdefault((deal, bn), []).append(float(np.mean(came[-steps // epochs :])))
                accuracies.setdefault((deal, bn), []).append(full_statistics_accuracy(net, digits))
    return Looped(accuracies, losses)


@dataclass(frozen=True)
class Wobble:
    """How much a batch's mean and variance scatter, root mean square over units and draws.

    Attributes
    ----------
    sizes : tuple of int
        m.
    mean : array, shape (seeds, k)
        Error of the batch's mean, in standard deviations of the unit over the training set.
    variance : array, shape (seeds, k)
        Error of the batch's variance, in variances of the unit.
    card : Card
    """

    sizes: tuple[int, ...]
    mean: Floats
    variance: Floats
    card: Card | None = None


@measured(
    question="How far are a batch's mean and variance from those of the whole training set?",
    control="The formulas for independent draws: 1/√m, and √(2/m) for a bell-shaped unit.",
    mode="z of the first hidden layer at the start; batches drawn with replacement.",
)
def wobble(
    sizes: Sequence[int] = (4, 8, 15, 30, 60, 120, 240),
    draws: int = 200,
    seeds: Sequence[int] = FIVE,
) -> Wobble:
    """Draw batches of several sizes and compare their statistics with the training set's.

    Parameters
    ----------
    sizes : sequence of int
        m.
    draws : int
        Batches of each size.
    seeds : sequence of int
        Of the weights and of the draws.

    Returns
    -------
    Wobble
    """
    x = load_digits().x_train
    means, variances = [], []
    for seed in seeds:
        take_down(init="he", inputs=describe_inputs(x), sizes="64-100", seed=seed)
        rng = np.random.default_rng(seed)
        z = Dense(x.shape[1], SIZES[1], bias=False, rng=rng).forward(x, training=False)
        z = (z - z.mean(axis=0)) / z.std(axis=0)
        batches = [[z[rng.integers(len(z), size=m)] for _ in range(draws)] for m in sizes]
        means.append([_rms([b.mean(axis=0) for b in of_size]) for of_size in batches])
        variances.append([_rms([b.var(axis=0) - 1.0 for b in of_size]) for of_size in batches])
    return Wobble(tuple(sizes), np.array(means), np.array(variances))


def _rms(values: Sequence[Floats]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


BY_SIZE = StoredRun(
    "accuracy_by_size",
    small_batch_accuracy,
    [
        {"kind": kind, "batch_size": m}
        for m in (1, 2, 3, 4, 8, 60)
        for kind in TINY
        if m > 1 or kind == TINY[0]
    ],
    seeds=FIVE,
    # What batches of two learn is chaotic.
    tolerance=0.15,
)


@dataclass(frozen=True)
class BySize:
    """Test accuracy after training on small batches.

    Attributes
    ----------
    accuracy : dict of str to dict of int to list of float
        One a seed; by `TINY`, and by the size of the batch. With batch norm there is none at 1.
    card : Card
    """

    accuracy: dict[str, dict[int, list[float]]]
    card: Card | None = None


@measured(
    question="How small may a batch be, if batch norm is to learn from it?",
    control="The same weights and batches without batch norm; and with batch norm, hidden layers "
    "left at their random weights.",
    mode="Test accuracy with the statistics of the whole training set.",
)
def accuracy_by_size(seeds: Sequence[int] = FIVE) -> BySize:
    """Return the accuracies after 600 steps at rate 0.05, from what is stored."""
    stored = BY_SIZE.load(seeds)
    return BySize(
        {
            kind: {
                m: stored.select(kind=kind, batch_size=m)
                for m in (1, 2, 3, 4, 8, 60)
                if m > 1 or kind == TINY[0]
            }
            for kind in TINY
        }
    )


#: Who else is in the batch of one image.
COMPANIES = ("mixed digits", "the same digit")
#: Sizes of the batch in `share_right`, and images that are asked for.
CROWDS = (2, 4, 8, 32, 128)
ASKED = 100


def _probabilities(logits: Floats) -> Floats:
    """Return the softmax of one image's logits."""
    e = np.exp(logits - logits.max())
    shares: Floats = e / e.sum()
    return shares


def mates(m: int, company: str, rng: np.random.Generator, image: int = 0) -> Integers:
    """Return the training images that share a test image's batch.

    Parameters
    ----------
    m : int
        Examples in the batch, at least 2.
    company : str
        One of `COMPANIES`.
    rng : numpy.random.Generator
        Of the draw.
    image : int
        Of the test set.

    Returns
    -------
    array of int, shape (m - 1,)
    """
    digits = load_digits()
    pool = np.arange(len(digits.y_train))
    if company == COMPANIES[1]:
        pool = pool[digits.y_train == digits.y_test[image]]
    chosen: Integers = rng.permutation(pool)[: m - 1]
    return chosen


def in_company(net: Sequential, others: Integers, image: int = 0) -> Floats:
    """Return the class probabilities of one test image, in training mode among others.

    Parameters
    ----------
    net : Sequential
    others : array of int
        Training images.
    image : int
        Of the test set.

    Returns
    -------
    array, shape (10,)
    """
    digits = load_digits()
    batch = np.concatenate([digits.x_test[image : image + 1], digits.x_train[others]])
    return _probabilities(layer_outputs(net, batch, statistics="batch")[-1][0])


def two_networks(seed: int = 0, steps: int = 200) -> dict[bool, Sequential]:
    """Return the book's ReLU network without and with batch norm, after `steps` at rate 0.1."""
    return {bn: train_digits(seed, ReLU, bn, 0.1, steps)[0] for bn in (False, True)}


def share_right(seed: int, batch_norm: bool) -> list[list[float]]:
    """Return the share of right answers to test images in either company, by size of the batch.

    Parameters
    ----------
    seed : int
        Of the network and of the mates.
    batch_norm : bool
        With or without.

    Returns
    -------
    list of list of float
        For each of `COMPANIES` one number for each of `CROWDS`, over the first `ASKED` images.
    """
    net, _ = train_digits(seed, ReLU, batch_norm, 0.1, 200)
    rng = np.random.default_rng(seed)
    labels = load_digits().y_test
    return [
        [
            float(
                np.mean(
                    [
                        in_company(net, mates(m, company, rng, i), i).argmax() == labels[i]
                        for i in range(ASKED)
                    ]
                )
            )
            for m in CROWDS
        ]
        for company in COMPANIES
    ]


CROWD = StoredRun(
    "company", share_right, {"batch_norm": [False, True]}, seeds=FIVE, tolerance=0.05
)


@dataclass(frozen=True)
class Company:
    """The share of right answers to single images, by who else is in their batch.

    Attributes
    ----------
    sizes : tuple of int
        m.
    right : dict of (bool, str) to array, shape (seeds, k)
        Without or with batch norm, and by `COMPANIES`.
    card : Card
    """

    sizes: tuple[int, ...]
    right: dict[tuple[bool, str], Floats]
    card: Card | None = None


@measured(
    question="How often is an image recognised, by who else is in its batch?",
    control="The network without batch norm, where company can't matter.",
    mode="Training mode: statistics of the batch. One test image among training images, 100 "
    "images, each in one batch of every size and kind.",
)
def company(seeds: Sequence[int] = FIVE) -> Company:
    """Return the shares after 200 steps at rate 0.1, from what is stored."""
    stored = CROWD.load(seeds)
    right = {}
    for bn in (False, True):
        shares = np.array(stored.select(batch_norm=bn))
        for k, kind in enumerate(COMPANIES):
            right[bn, kind] = shares[:, k]
    return Company(CROWDS, right)


#: How many images `gradient_bias` calls all, and how often it deals them in batches of each size.
ALL = 1200
DEALINGS = {4: 6, 8: 10, 60: 30}


def gradient_bias(
    seed: int, batch_norm: bool, steps: int, dealings: Mapping[int, int] = DEALINGS
) -> list[list[float]]:
    """Compare the gradients of small batches, and their average, with that of all images.

    Parameters
    ----------
    seed : int
        Of the network and of the batches.
    batch_norm : bool
        With or without.
    steps : int
        Of training at rate 0.1 before.
    dealings : mapping of int to int
        For each m, how often all images are dealt.

    Returns
    -------
    list of list of float
        For each m: the length of the difference of the average over all batches
        from the gradient of all, and the root mean square of that of a single batch, over the
        length of the gradient of all. All images are dealt again and again; the average's own
        scatter is taken out by multiplying the averages of two halves of the deals.
    """
    net, _ = train_digits(seed, ReLU, batch_norm, 0.1, steps)
    digits = load_digits()
    x, y = digits.x_train[:ALL], digits.y_train[:ALL]
    rng = np.random.default_rng(seed)

    def gradient(batch: Integers) -> Floats:
        backpropagate(net, x[batch], y[batch])
        return net.dtheta.copy()

    whole = gradient(np.arange(ALL))
    squared = float(whole @ whole)
    rows = []
    for m, deals in dealings.items():
        halves, singles = [], []
        # Without batch norm one deal is as good as many.
        times = deals // 2 if batch_norm else 1
        for _ in range(2):
            total = np.zeros_like(whole)
            for _ in range(times):
                for batch in np.split(rng.permutation(ALL), ALL // m):
                    difference = gradient(batch) - whole
                    singles.append(float(difference @ difference))
                    total += difference
            halves.append(total / (times * ALL // m))
        bias = max(float(halves[0] @ halves[1]), 0.0)
        rows.append([(bias / squared) ** 0.5, (float(np.mean(singles)) / squared) ** 0.5])
    return rows


BIASES = StoredRun(
    "gradient_bias",
    gradient_bias,
    {"batch_norm": [False, True], "steps": [0, 200]},
    seeds=FIVE,
    # Single batches of four have gradients with a few very large entries.
    tolerance=0.4,
    edge=0.3,
)


@dataclass(frozen=True)
class GradientBias:
    """How far gradients of batches, and their average, are from the gradient of all images.

    Attributes
    ----------
    sizes : tuple of int
        m.
    average, single : dict of (int, bool) to array, shape (seeds, k)
        By steps of training, and without or with batch norm; in lengths of the gradient of all.
    card : Card
    """

    sizes: tuple[int, ...]
    average: dict[tuple[int, bool], Floats]
    single: dict[tuple[int, bool], Floats]
    card: Card | None = None


@measured(
    question="Is the average gradient of small batches that of all images?",
    control="The network without batch norm.",
    mode="Gradients in training mode, by all parameters; 1,200 training images are all.",
)
def gradient_biases(seeds: Sequence[int] = FIVE) -> GradientBias:
    """Return the biases at the start and after 200 steps at rate 0.1, from what is stored."""
    stored = BIASES.load(seeds)
    average, single = {}, {}
    for steps in (0, 200):
        for bn in (False, True):
            values = np.array(stored.select(batch_norm=bn, steps=steps))
            average[steps, bn], single[steps, bn] = values[..., 0], values[..., 1]
    return GradientBias(tuple(DEALINGS), average, single)


#: What normalises in `share_right_by_halves`: the mean, and then the variance, of which set.
HALVES_OF_COMPANY = (
    ("the batch", "the batch"),
    ("the batch", "the training set"),
    ("the training set", "the batch"),
    ("the training set", "the training set"),
)


def share_right_by_halves(seed: int, m: int = 32) -> list[float]:
    """Return the share of right answers among the same digit, by whose statistics are used.

    Parameters
    ----------
    seed : int
        Of the network with batch norm, after 200 steps at rate 0.1, and of the mates.
    m : int
        Examples in the batch.

    Returns
    -------
    list of float
        One for each of `HALVES_OF_COMPANY`, over the first `ASKED` test images.
    """
    net, _ = train_digits(seed, ReLU, True, 0.1, 200)
    digits = load_digits()
    whole = population_statistics(net, digits.x_train)
    rng = np.random.default_rng(seed)
    right = np.zeros(len(HALVES_OF_COMPANY))
    for image in range(ASKED):
        others = mates(m, COMPANIES[1], rng, image)
        batch = np.concatenate([digits.x_test[image : image + 1], digits.x_train[others]])
        for k, (mean_of, variance_of) in enumerate(HALVES_OF_COMPANY):
            a, statistics = batch, iter(whole)
            for layer in net.layers:
                if isinstance(layer, BatchNorm):
                    mean, variance = next(statistics)
                    mean = a.mean(axis=0) if mean_of == "the batch" else mean
                    variance = a.var(axis=0) if variance_of == "the batch" else variance
                    a = layer.gamma * (a - mean) / np.sqrt(variance + layer.epsilon) + layer.beta
                else:
                    a = layer.forward(a, training=False)
            right[k] += a[0].argmax() == digits.y_test[image]
    shares: list[float] = (right / ASKED).tolist()
    return shares


BY_HALVES = StoredRun("company_halves", share_right_by_halves, {}, seeds=FIVE, tolerance=0.05)


@dataclass(frozen=True)
class CompanyHalves:
    """The share of right answers among 31 images of the same digit.

    Attributes
    ----------
    right : dict of (str, str) to list of float
        One a seed; by `HALVES_OF_COMPANY`.
    card : Card
    """

    right: dict[tuple[str, str], list[float]]
    card: Card | None = None


@measured(
    question="Is it the batch's mean or its variance that misleads among the same digit?",
    control="Both of the batch, and both of the training set.",
    mode="One test image among 31 training images of its digit, 100 images; each layer takes its "
    "mean and its variance from the batch or from the whole training set.",
)
def company_halves(seeds: Sequence[int] = FIVE) -> CompanyHalves:
    """Return the shares after 200 steps at rate 0.1, from what is stored."""
    rows = BY_HALVES.load(seeds).select()
    return CompanyHalves(
        {half: [row[k] for row in rows] for k, half in enumerate(HALVES_OF_COMPANY)}
    )


# --- Pages 4.1 Use the noise, and 4.2 Count what small batches lose

#: The seeds where five are too few to tell arms apart.
TEN = tuple(range(10))
#: Examples in a batch of page 4.1.
WHOLE = 128


def _loss(net: Sequential, x: Floats, y: Integers, training: bool) -> float:
    return float(SoftmaxCrossEntropy()(net.forward(x, training=training), y)[0])


def _noisy_loss(net: Sequential, x: Floats, y: Integers, seed: int, draws: int = 10) -> float:
    """Return the mean loss over random batches in training mode."""
    rng = np.random.default_rng(seed)
    with preserve_statistics(net):
        batches = [rng.permutation(len(x))[:WHOLE] for _ in range(draws)]
        return float(np.mean([_loss(net, x[batch], y[batch], True) for batch in batches]))


def ghost_losses(
    seed: int,
    ghost_size: int | None,
    rate: float = 0.1,
    standardized: bool = False,
    images: int | None = 300,
    steps: int = 300,
    digits: Digits | None = None,
) -> dict[str, float]:
    """Train on few images in batches of 128 that are normalised in parts, and take all losses.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    ghost_size : int or None
        Examples that are normalised together; 128 is ordinary batch norm, None is none.
    rate : float
        Learning rate.
    standardized : bool
        Whether each pixel is, by the whole training set.
    images : int or None
        Training images, the first ones; None for all.
    steps : int
        Updates.
    digits : Digits, optional
        Instead of the digits.

    Returns
    -------
    dict of str to float
        Losses in nats: ``"training"`` and ``"test"`` in evaluation mode, with the statistics of
        the training images; ``"noisy training"`` and ``"noisy test"`` in training mode, over ten
        random batches of 128. Without batch norm the modes don't differ. And ``"accuracy"``, of
        the test images in evaluation mode.
    """
    digits = load_digits(standardized=standardized) if digits is None else digits
    weights, order = np.random.default_rng(seed).spawn(2)
    rng = np.random.default_rng(int(weights.integers(2**31)))
    norm: Callable[[int], BatchNorm] | None = None
    if ghost_size is not None:
        norm = (lambda n: GhostBatchNorm(n, ghost_size)) if ghost_size < WHOLE else BatchNorm
    net = mlp(sizes_for(digits), ReLU, norm, rng=rng)
    x, y = digits.x_train[:images], digits.y_train[:images]
    take_down(
        activation="ReLU",
        arm=_ghost_arm(ghost_size),
        learning_rate=rate,
        init="he",
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, sizes_for(digits))),
        batch_size=WHOLE,
        steps=steps,
        seed=seed,
    )
    with np.errstate(over="ignore", invalid="ignore"):
        train(
            net,
            x,
            y,
            optimizer=GradientDescent(rate),
            batch_size=WHOLE,
            steps=steps,
            rng=order,
            drop_last=True,
        )
    found = {}
    if net.batch_norms:
        found["noisy training"] = _noisy_loss(net, x, y, seed)
        found["noisy test"] = _noisy_loss(net, digits.x_test, digits.y_test, seed)
        set_statistics(net, population_statistics(net, x))
    found["training"] = _loss(net, x, y, False)
    found["test"] = _loss(net, digits.x_test, digits.y_test, False)
    for name in ("training", "test"):
        found.setdefault(f"noisy {name}", found[name])
    return found | {"accuracy": accuracy(net, digits.x_test, digits.y_test)}


def _ghost_arm(ghost_size: int | None) -> str:
    if ghost_size is None:
        return "without batch norm"
    return "with batch norm" if ghost_size == WHOLE else f"ghosts of {ghost_size}"


GHOST_SIZES = (None, 128, 64, 32, 16, 8, 4, 2)
GHOST_RATES = (0.1, 0.3, 1.0)
# In batches of two, and where a plain network diverges, losses are chaotic.
GHOST_LOSSES = StoredRun(
    "ghost_losses",
    ghost_losses,
    [{"ghost_size": size, "rate": 0.1} for size in GHOST_SIZES]
    + [{"ghost_size": size, "rate": rate} for rate in GHOST_RATES[1:] for size in (None, 128, 8)]
    + [
        {"ghost_size": size, "rate": rate, "standardized": True}
        for rate in GHOST_RATES
        for size in (None, 128, 8)
    ]
    + [
        {"ghost_size": size, "rate": rate, "images": None}
        for rate in GHOST_RATES[:2]
        for size in (None, 128, 8)
    ],
    TEN,
    tolerance=0.05,
    edge=0.12,
)


@dataclass(frozen=True)
class GhostLosses:
    """Losses after training in batches of 128 that are normalised in parts.

    Attributes
    ----------
    values : dict
        By ghost size (None for no batch norm), rate, whether inputs are standardised, and
        training images (None for all): each quantity of `ghost_losses`, one value a seed.
    card : Card
    """

    values: dict[tuple[int | None, float, bool, int | None], dict[str, list[float]]]
    card: Card | None = None

    def of(
        self,
        ghost_size: int | None,
        rate: float = 0.1,
        standardized: bool = False,
        images: int | None = 300,
    ) -> dict[str, list[float]]:
        """Return the quantities of one setting."""
        return self.values[ghost_size, rate, standardized, images]

    def lower(
        self,
        one: int | None,
        other: int | None,
        rate: float = 0.1,
        standardized: bool = False,
        images: int | None = 300,
        key: str = "test",
    ) -> int:
        """Return on how many seeds a quantity, by default the test loss, is lower with `one`."""
        a, b = (self.of(size, rate, standardized, images)[key] for size in (one, other))
        return sum(u < v for u, v in zip(a, b, strict=True))


@measured(
    question="What does normalising a batch of 128 in parts do to the losses?",
    control="No batch norm, and ordinary batch norm over the 128, with the same weights and "
    "batches; other rates, standardised inputs, and all 1,437 training images instead of 300.",
    mode="Losses in training mode are over random batches of 128, normalised as in training; "
    "losses and accuracies in evaluation mode have the statistics of the training images.",
)
def ghosts(seeds: Sequence[int] | None = None) -> GhostLosses:
    """Return the stored runs over ghost size, rate, inputs and training images."""
    values = {}
    for point, results in _by_point(GHOST_LOSSES, seeds):
        setting = (
            point["ghost_size"],
            point["rate"],
            point.get("standardized", False),
            point.get("images", 300),
        )
        values[setting] = {key: [result[key] for result in results] for key in results[0]}
    return GhostLosses(values)


def _by_point(
    stored: StoredRun, seeds: Sequence[int] | None
) -> list[tuple[dict[str, Any], list[dict[str, float]]]]:
    points: list[tuple[dict[str, Any], list[dict[str, float]]]] = []
    for run in stored.load(seeds).runs:
        if not points or points[-1][0] != run.settings:
            points.append((dict(run.settings), []))
        points[-1][1].append(run.result)
    return points


#: What is done to each pixel in `halves_of_standardising`.
HALVES = (
    "nothing",
    "subtract the mean",
    "divide by the deviation",
    "both",
    "one factor for all",
    "subtract, then one factor",
)


@dataclass(frozen=True)
class Halves:
    """Test losses without batch norm, by what was done to the pixels; one value a seed.

    Attributes
    ----------
    losses : dict of str to list of float
    card : Card
    """

    losses: dict[str, list[float]]
    card: Card | None = None


@measured(
    question="Which half of standardising the pixels raises the test loss, on 300 images?",
    control="Each half by itself, the pixels as they are, and one factor for all pixels that "
    "makes them as large as dividing does, with the same weights and batches.",
    mode="No batch norm, so the two modes don't differ.",
)
def halves_of_standardising(seeds: Sequence[int] = (0, 1, 2, 3, 4), rate: float = 0.1) -> Halves:
    """Train without batch norm on pixels that are centred, divided, or both.

    The last two of `HALVES` divide all pixels by one number, so that their mean square is that
    of the two before.
    """
    raw = load_digits()
    mean, deviation = raw.x_train.mean(axis=0), raw.x_train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)

    def rms(x: Floats) -> float:
        return float(np.sqrt(np.mean(x**2)))

    losses = {}
    for name in HALVES:
        shift = mean if name in HALVES[1::2] else 0.0
        scale = deviation if name in HALVES[2:] else np.ones(len(deviation))
        if name in HALVES[4:]:
            scale = np.full_like(
                scale, rms(raw.x_train - shift) / rms((raw.x_train - shift) / scale)
            )
        digits = raw._replace(
            x_train=(raw.x_train - shift) / scale, x_test=(raw.x_test - shift) / scale
        )
        losses[name] = [ghost_losses(seed, None, rate, digits=digits)["test"] for seed in seeds]
    return Halves(losses)


@dataclass(frozen=True)
class SortedGhosts:
    """Losses with ghosts of 8 that are cut from each batch as it is, or sorted by digit.

    Attributes
    ----------
    losses : dict of (bool, bool) to list of float
        By batch norm and whether each batch was sorted: the test loss, one value a seed.
    accuracies : dict of (bool, bool) to list of float
        Likewise.
    card : Card
    """

    losses: dict[tuple[bool, bool], list[float]]
    accuracies: dict[tuple[bool, bool], list[float]]
    card: Card | None = None


@measured(
    question="What if each batch of 128 is sorted by digit before it is cut into ghosts of 8?",
    control="The same batches as they were dealt; and the same two orders without batch norm.",
    mode="Evaluation mode, with the statistics of the 300 training images.",
)
def sorted_ghosts(
    seeds: Sequence[int] = (0, 1, 2, 3, 4), steps: int = 300, images: int = 300
) -> SortedGhosts:
    """Train on the same batches at rate 0.1, sorted by digit within each batch or not."""
    digits = load_digits()
    x, y = digits.x_train[:images], digits.y_train[:images]
    losses: dict[tuple[bool, bool], list[float]] = {}
    accuracies: dict[tuple[bool, bool], list[float]] = {}
    for with_bn in (False, True):
        for by_digit in (False, True):
            ended = []
            for seed in seeds:
                take_down(
                    activation="ReLU",
                    arm="ghosts of 8" if with_bn else "without batch norm",
                    learning_rate=0.1,
                    init="he",
                    inputs=describe_inputs(x),
                    sizes="-".join(map(str, SIZES)),
                    batch_size=WHOLE,
                    steps=steps,
                    seed=seed,
                )
                net = (
                    ghost_network(8, seed)
                    if with_bn
                    else mlp(SIZES, ReLU, None, rng=np.random.default_rng(seed))
                )
                order, optimizer = np.random.default_rng(seed), GradientDescent(0.1)
                for _ in range(steps):
                    batch = order.permutation(images)[:WHOLE]
                    if by_digit:
                        batch = batch[np.argsort(y[batch], kind="stable")]
                    backpropagate(net, x[batch], y[batch])
                    optimizer.step(net.theta, net.dtheta)
                if with_bn:
                    set_statistics(net, population_statistics(net, x))
                ended.append(
                    (
                        _loss(net, digits.x_test, digits.y_test, False),
                        accuracy(net, digits.x_test, digits.y_test),
                    )
                )
            losses[with_bn, by_digit] = [loss for loss, _ in ended]
            accuracies[with_bn, by_digit] = [right for _, right in ended]
    return SortedGhosts(losses, accuracies)


def deals(values: Sequence[float], m: int) -> list[tuple[tuple[float, ...], float, float]]:
    """Return every hand of `m` cards that can be dealt, with its mean and its variance."""
    return [(hand, float(np.mean(hand)), float(np.var(hand))) for hand in combinations(values, m)]


@dataclass(frozen=True)
class Dealt:
    """The variance of a batch's mean, times m, in units of σ²; averaged over units.

    Attributes
    ----------
    sizes : array, shape (k,)
        m.
    replaced, dealt : array, shape (seeds, k)
        Batches drawn with replacement, and dealt without, as in an epoch.
    spread : array, shape (seeds, k)
        Deviation of a batch's variance over σ², in batches drawn with replacement.
    population : int
        N: examples in the set.
    card : Card
    """

    sizes: Integers
    replaced: Floats
    dealt: Floats
    spread: Floats
    population: int
    card: Card | None = None


@measured(
    question="How far does the mean of a batch scatter around that of the training set?",
    control="Batches drawn with replacement, whose examples are independent.",
    mode="z of the first layer at the start, 200 batches of each size; nothing is trained.",
)
def dealt_means(
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    sizes: Sequence[int] = (2, 8, 60, 128, 256, 512, 1024, 1400),
    draws: int = 200,
) -> Dealt:
    """Draw and deal batches of each size, and compare their statistics with the whole set's."""
    x = load_digits().x_train
    rows: dict[str, list[list[float]]] = {"replaced": [], "dealt": [], "spread": []}
    for seed in seeds:
        take_down(inputs=describe_inputs(x), sizes="64-100", init="he", seed=seed)
        rng = np.random.default_rng(seed)
        z = Dense(64, 100, bias=False, rng=rng).forward(x, training=False)
        z = (z - z.mean(axis=0)) / z.std(axis=0)
        for row in rows.values():
            row.append([])
        for m in sizes:
            # How often each example is in each batch.
            hands = {
                "replaced": rng.multinomial(m, np.full(len(x), 1 / len(x)), draws),
                "dealt": rng.permuted(np.tile(np.arange(len(x)) < m, (draws, 1)), axis=1),
            }
            for name, hand in hands.items():
                means = hand @ z / m
                rows[name][-1].append(float(m * np.mean(means**2)))
                if name == "replaced":
                    variances = hand @ z**2 / m - means**2
                    rows["spread"][-1].append(float(variances.std(axis=0).mean()))
    replaced, dealt, spread = (np.array(rows[name]) for name in ("replaced", "dealt", "spread"))
    return Dealt(np.array(sizes), replaced, dealt, spread, len(x))


def hidden_layers(net: Sequential) -> list[Dense]:
    """Return all `Dense` layers but the last."""
    return [layer for layer in net.layers if isinstance(layer, Dense)][:-1]


@dataclass(frozen=True)
class Lottery:
    """Who gets the gradient of one batch, at the start.

    Attributes
    ----------
    sizes : tuple of int
        m.
    winners : dict of int to list of float
        Hidden units, of 300, that hold 99 % of the squared gradient of the hidden weights.
    again : dict of int to list of float
        Share of them that is among the winners of another batch.
    narrow : dict of int to list of float
        Median deviation of z over the batch among the winners, over that of all units.
    card : Card
    """

    sizes: tuple[int, ...]
    winners: dict[int, list[float]]
    again: dict[int, list[float]]
    narrow: dict[int, list[float]]
    card: Card | None = None


@measured(
    question="How many of the 300 hidden units hold 99 % of the squared gradient of a batch?",
    control="Larger batches, in the same networks; and a second batch of the same size.",
    mode="Gradients in training mode, networks at their start.",
)
def lottery(sizes: Sequence[int] = (2, 3, 4, 60), seeds: Sequence[int] = range(20)) -> Lottery:
    """Return who gets the gradient, in a network and two batches of its own for each seed."""
    digits = load_digits()
    winners: dict[int, list[float]] = {m: [] for m in sizes}
    again: dict[int, list[float]] = {m: [] for m in sizes}
    narrow: dict[int, list[float]] = {m: [] for m in sizes}
    for seed in seeds:
        for m in sizes:
            rng = np.random.default_rng(seed)
            net = mlp(SIZES, ReLU, rng=rng)
            take_down(
                activation="ReLU",
                arm="with batch norm",
                init="he",
                inputs=describe_inputs(digits.x_train),
                sizes="-".join(map(str, SIZES)),
                batch_size=m,
                seed=seed,
            )
            dealt = rng.permutation(len(digits.x_train))
            first, deviations = _winners(net, dealt[:m])
            second, _ = _winners(net, dealt[m : 2 * m])
            winners[m].append(float(len(first)))
            again[m].append(len(first & second) / len(first))
            narrow[m].append(float(np.median(deviations[list(first)]) / np.median(deviations)))
    return Lottery(tuple(sizes), winners, again, narrow)


def _winners(net: Sequential, batch: Integers) -> tuple[set[int], Floats]:
    """Return the units that hold 99 % of the squared gradient, and each unit's deviation."""
    digits = load_digits()
    backpropagate(net, digits.x_train[batch], digits.y_train[batch])
    squares = np.concatenate(
        [np.sum(layer.grads["w"] ** 2, axis=1) for layer in hidden_layers(net)]
    )
    order = np.argsort(squares)[::-1]
    shares = np.cumsum(squares[order]) / squares.sum()
    count = 1 + int(np.searchsorted(shares, 0.99))
    caches = [norm.cache for norm in net.batch_norms]
    variances = np.concatenate([cache.var for cache in caches if cache is not None])
    return {int(unit) for unit in order[:count]}, np.sqrt(variances)


#: What `small_batch` trains.
SMALL = (
    "without batch norm",
    "with batch norm",
    "only the output layer",
    "hidden weights still",
    "hidden weights capped",
    "a fresh output layer",
)
#: How far a unit's weights may move in a step, in their length, where they are capped.
CAP = 0.01


class SplitEpsilon(BatchNorm):
    """Batch norm whose gradient reaches z as if ε were another one.

    Parameters
    ----------
    n : int
        Number of units.
    epsilon : float
        Of the forward pass, and of the gradients of γ and β.
    back : float
        The ε by which the gradient of z is computed.
    """

    def __init__(self, n: int, epsilon: float, back: float) -> None:
        super().__init__(n, epsilon=epsilon)
        self.back = back

    def _backward(self, dz: Floats) -> Floats:
        cache, ahead = self.cache, super()._backward(dz)
        if cache is None or self.back == self.epsilon:
            return ahead
        inv_std = 1 / np.sqrt(cache.var + self.back)
        z_norm = cache.z_norm * (inv_std / cache.inv_std)
        return batch_norm_backward(dz, cache._replace(z_norm=z_norm, inv_std=inv_std))[0]


def _readout(net: Sequential, digits: Digits) -> float:
    """Return the test accuracy of a linear output that all training images fit at once."""
    with preserve_statistics(net):
        if net.batch_norms:
            set_statistics(net, population_statistics(net, digits.x_train))
        # The input of the last layer, with a column of ones for its bias.
        a, b = (
            np.column_stack(
                [layer_outputs(net, x, statistics="running")[-2], np.ones((len(x), 1))]
            )
            for x in (digits.x_train, digits.x_test)
        )
    if not np.isfinite(a).all():
        return 0.1
    ridge = 1e-3 * np.trace(a.T @ a) / a.shape[1] * np.eye(a.shape[1])
    w = np.linalg.solve(a.T @ a + ridge, a.T @ np.eye(10)[digits.y_train])
    return float(np.mean(np.argmax(b @ w, axis=1) == digits.y_test))


def small_batch(
    seed: int,
    arm: str,
    batch_size: int,
    rate: float = 0.05,
    epsilon: float = 1e-5,
    back: float | None = None,
) -> dict[str, float]:
    """Train for 600 steps on small batches, and see how far each hidden unit's weights move.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    arm : str
        One of `SMALL`; all but the first with batch norm. With the third the hidden layers keep
        their initial weights, γ and β; with the fourth their weights; with the fifth no unit's
        weights move by more than `CAP` of their length in a step. With the last all layers are
        trained, and then the output layer once more from its start, on the same batches.
    batch_size : int
        m.
    rate : float
        Learning rate.
    epsilon : float
        Of batch norm.
    back : float, optional
        The ε of the way back (see `SplitEpsilon`), by default the same.

    Returns
    -------
    dict of str to float
        ``"accuracy"``, of the test images with the statistics of the whole training set;
        ``"readout"``, that of a linear output fitted to all training images at once; over
        the 300 hidden units, the distance of the weights from their start in units of their
        length: ``"median"``, ``"ninth"`` (the 90 % quantile), ``"largest"``; and ``"still"``, the
        share of the units that moved by less than a tenth.
    """
    start: list[Floats] = []
    back = epsilon if back is None else back
    only_output = arm == SMALL[2]

    def after_backward(net: Sequential) -> None:
        if not start:
            start.extend(layer.w.copy() for layer in hidden_layers(net))
        for layer in net.layers[:-1]:
            for name, gradient in layer.grads.items():
                if only_output or (arm == SMALL[3] and name == "w"):
                    gradient[...] = 0.0
        if arm == SMALL[4]:
            for dense in hidden_layers(net):
                gradient = dense.grads["w"]
                length = np.linalg.norm(gradient, axis=1, keepdims=True)
                most = CAP * np.linalg.norm(dense.w, axis=1, keepdims=True) / rate
                gradient *= np.minimum(1.0, most / np.maximum(length, 1e-300))

    if back != epsilon:
        way = "forward" if epsilon > back else "backward"
        take_down(arm=f"with batch norm, ε = {max(epsilon, back):g} {way} only")
    elif epsilon != 1e-5:
        take_down(arm=f"with batch norm, ε = {epsilon:g}")
    if arm not in SMALL[:2]:
        take_down(arm=arm)

    def norm(n: int) -> BatchNorm:
        return SplitEpsilon(n, epsilon, back)

    norm.__name__ = "with batch norm"
    with np.errstate(over="ignore", invalid="ignore"):
        net, _ = train_digits(
            seed,
            ReLU,
            arm != SMALL[0],
            rate,
            600,
            batch_size=batch_size,
            drop_last=True,
            norm=norm,
            after_backward=after_backward,
        )
    moved = np.concatenate(
        [
            np.linalg.norm(layer.w - w, axis=1) / np.linalg.norm(w, axis=1)
            for layer, w in zip(hidden_layers(net), start, strict=True)
        ]
    )
    digits = load_digits()
    if arm == SMALL[5]:
        only_output = True
        weights, order = np.random.default_rng(seed).spawn(2)
        fresh = mlp(SIZES, ReLU, norm, rng=weights).layers[-1]
        for name, value in net.layers[-1].params.items():
            value[...] = fresh.params[name]
        train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=GradientDescent(rate),
            batch_size=batch_size,
            steps=600,
            rng=order,
            drop_last=True,
            after_backward=after_backward,
        )
    return {
        "accuracy": full_statistics_accuracy(net, digits),
        "readout": _readout(net, digits),
        "median": float(np.median(moved)),
        "ninth": float(np.quantile(moved, 0.9)),
        "largest": float(moved.max()),
        "still": float(np.mean(moved < 0.1)),
    }


#: An ε that the variance of a unit, about 1, can be compared with.
SOFT = 0.1
OTHER_RATES = (0.005, 0.2)
TWENTY = tuple(range(20))
# What batches of two learn is chaotic.
SMALL_BATCHES = StoredRun(
    "small_batches",
    small_batch,
    [{"arm": arm, "batch_size": 2} for arm in SMALL]
    + [{"arm": arm, "batch_size": 2, "epsilon": SOFT} for arm in SMALL[1:3]]
    + [{"arm": SMALL[1], "batch_size": 2, "epsilon": SOFT, "back": 1e-5}]
    + [{"arm": SMALL[1], "batch_size": 2, "back": SOFT}]
    + [
        {"arm": arm, "batch_size": 2, "rate": r}
        for r in OTHER_RATES
        for arm in (*SMALL[:3], SMALL[5])
    ]
    + [{"arm": SMALL[1], "batch_size": m} for m in (3, 4, 8, 60)],
    TWENTY,
    tolerance=0.25,
    edge=0.5,
)


@dataclass(frozen=True)
class SmallBatches:
    """What becomes of networks that are trained on small batches.

    Attributes
    ----------
    values : dict
        By arm, batch size, rate, ε and ε of the way back: each quantity of `small_batch`, one
        value a seed.
    card : Card
    """

    values: dict[tuple[str, int, float, float, float], dict[str, list[float]]]
    card: Card | None = None

    def of(
        self,
        arm: str,
        batch_size: int = 2,
        rate: float = 0.05,
        epsilon: float = 1e-5,
        back: float | None = None,
    ) -> dict[str, list[float]]:
        """Return the quantities of one setting."""
        return self.values[arm, batch_size, rate, epsilon, epsilon if back is None else back]


@measured(
    question="What becomes of a network that is trained on batches of two?",
    control="The same weights and batches without batch norm; with only the output layer "
    "trained, before the hidden layers were or after; with the hidden weights held still, or "
    "their steps capped; with a large ε in both passes or in one; and larger batches.",
    mode="Weights in training; test accuracy with the statistics of the whole training set.",
)
def small_batches(seeds: Sequence[int] | None = None) -> SmallBatches:
    """Return the stored runs over arms, batch sizes, rates and ε."""
    values = {}
    for point, results in _by_point(SMALL_BATCHES, seeds):
        setting = (
            point["arm"],
            point["batch_size"],
            point.get("rate", 0.05),
            point.get("epsilon", 1e-5),
            point.get("back", point.get("epsilon", 1e-5)),
        )
        values[setting] = {key: [result[key] for result in results] for key in results[0]}
    return SmallBatches(values)


def accumulate(net: Sequential, x: Floats, y: Integers, part: int) -> Floats:
    """Return the mean of the gradients of equal parts of a batch, all at the same weights.

    Parameters
    ----------
    net : Sequential
    x, y : array
        The batch; its length is a multiple of `part`.
    part : int
        Examples in a part.

    Returns
    -------
    array
        Like ``net.dtheta``.
    """
    total = np.zeros_like(net.dtheta)
    starts = range(0, len(x), part)
    for start in starts:
        backpropagate(net, x[start : start + part], y[start : start + part])
        total += net.dtheta
    return total / len(starts)


@dataclass(frozen=True)
class Accumulated:
    """Accumulated gradients beside those of the whole batch, at the start.

    Attributes
    ----------
    parts : tuple of int
        Examples in a part of the batch of 128.
    without, with_bn : array, shape (seeds, parts)
        Distance from the gradient of the whole batch, over the length of that.
    ghosts : array, shape (seeds, parts)
        With batch norm, distance from the gradient of the whole batch with ghosts of that size.
    card : Card
    """

    parts: tuple[int, ...]
    without: Floats
    with_bn: Floats
    ghosts: Floats
    card: Card | None = None


@measured(
    question="Is the mean of the gradients of small parts the gradient of the batch of 128?",
    control="The same weights and parts without batch norm.",
    mode="Gradients in training mode, networks at their start.",
)
def accumulated(
    parts: Sequence[int] = (64, 32, 8, 4, 2), seeds: Sequence[int] = (0, 1, 2, 3, 4)
) -> Accumulated:
    """Return how far accumulated gradients are from those of the whole batch."""
    digits = load_digits()
    rows: list[list[list[float]]] = []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(digits.x_train))[:WHOLE]
        x, y = digits.x_train[order], digits.y_train[order]
        for arm in ("without batch norm", "with batch norm"):
            take_down(
                activation="ReLU",
                arm=arm,
                init="he",
                inputs=describe_inputs(digits.x_train),
                sizes="-".join(map(str, SIZES)),
                batch_size=WHOLE,
                seed=seed,
            )
        row: list[list[float]] = [[], [], []]
        for part in parts:
            for k, norm in enumerate((None, BatchNorm)):
                net = mlp(SIZES, ReLU, norm, rng=np.random.default_rng(seed))
                gradient = accumulate(net, x, y, part)
                row[k].append(_apart(gradient, accumulate(net, x, y, WHOLE)))
            in_parts = ghost_network(part, seed)
            row[2].append(_apart(gradient, accumulate(in_parts, x, y, WHOLE)))
        rows.append(row)
    return Accumulated(tuple(parts), *np.array(rows).swapaxes(0, 1))


def _apart(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))

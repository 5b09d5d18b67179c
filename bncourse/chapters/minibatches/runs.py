"""The runs of chapter 4: what a mini-batch does to its statistics, its examples and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bncourse.activations import ReLU
from bncourse.arrays import Floats
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    backpropagate,
    full_statistics_accuracy,
    sizes_for,
    train_digits,
)
from bncourse.data import Digits, load_digits
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


def trained_network(seed: int = 0, steps: int = 200) -> Sequential:
    """Return the book's ReLU network with batch norm after `steps` steps at rate 0.1."""
    net, _ = train_digits(seed, ReLU, True, 0.1, steps)
    return net


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


class Company(NamedTuple):
    """What becomes of the answer to one image among others, by the size of the batch.

    Attributes
    ----------
    sizes : array, shape (k,)
        m.
    shift : array, shape (k,)
        Distance of a logit from its value in the batch of the whole training set, root mean
        square over images, batches and classes.
    alike_shift : array, shape (k,)
        The same when all mates show the image's own digit.
    right, alike_right : array, shape (k,)
        Share of right answers in either company.
    """

    sizes: Floats
    shift: Floats
    alike_shift: Floats
    right: Floats
    alike_right: Floats


def batch_mates(
    net: Sequential,
    seed: int = 0,
    sizes: Sequence[int] = (2, 4, 8, 16, 32, 64, 128),
    draws: int = 10,
    images: int = 40,
) -> Company:
    """Show the same training images in many batches and see what the network says of them.

    Parameters
    ----------
    net : Sequential
        With batch norm, in batch mode.
    seed : int
        Of the draws.
    sizes : sequence of int
        Batch sizes.
    draws, images : int
        Batches for each image, and images: the first of the training set.

    Returns
    -------
    Company
    """
    digits = load_digits()
    rng = np.random.default_rng(seed)
    x, y = digits.x_train, digits.y_train
    whole = layer_outputs(net, x, statistics="batch")[-1]
    everyone = np.arange(len(x))
    rows: list[list[float]] = []
    for m in sizes:
        shifts: tuple[list[float], list[float]] = ([], [])
        right: tuple[list[bool], list[bool]] = ([], [])
        for i in range(images):
            mates = np.delete(everyone, i)
            for k, pool in enumerate((mates, mates[y[mates] == y[i]])):
                for _ in range(draws):
                    batch = x[[i, *rng.choice(pool, m - 1, replace=False)]]
                    z = layer_outputs(net, batch, statistics="batch")[-1][0]
                    shifts[k].append(float(np.mean((z - whole[i]) ** 2)))
                    right[k].append(bool(z.argmax() == y[i]))
        rows.append(
            [*(float(np.sqrt(np.mean(s))) for s in shifts), *(float(np.mean(r)) for r in right)]
        )
    return Company(np.array(sizes, float), *np.array(rows).T)


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
    digits = load_digits() if digits is None else digits
    weights, rng = np.random.default_rng(seed).spawn(2)
    net = mlp(sizes_for(digits), ReLU, BatchNorm if batch_norm else None, rng=weights)
    by_label = np.argsort(digits.y_train, kind="stable")
    x, y = digits.x_train[by_label], digits.y_train[by_label]
    optimizer = GradientDescent(0.1)
    losses: list[float] = []
    epoch = -(-len(x) // BATCH_SIZE)
    while len(losses) < steps:
        dealt = rng.permutation(len(x)) if order == ORDERS[0] else np.arange(len(x))
        starts = rng.permutation(epoch) if order == ORDERS[2] else np.arange(epoch)
        for start in BATCH_SIZE * starts[: steps - len(losses)]:
            batch = dealt[start : start + BATCH_SIZE]
            losses.append(backpropagate(net, x[batch], y[batch]))
            optimizer.step(net.theta, net.dtheta)
    return Trained(float(np.mean(losses[-epoch:])), full_statistics_accuracy(net, digits))


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


class Ghost(NamedTuple):
    """How a run with ghost batches ended.

    Attributes
    ----------
    training : float
        Mean training loss of the last 20 steps, in nats.
    test : float
        Test loss, in nats, with the statistics of the training images.
    accuracy : float
        Test accuracy, likewise.
    """

    training: float
    test: float
    accuracy: float


def ghost_run(
    seed: int,
    ghost_size: int,
    images: int = 300,
    steps: int = 300,
    digits: Digits | None = None,
) -> Ghost:
    """Train on few images in batches of 128 that are normalised in parts.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    ghost_size : int
        Examples that are normalised together; 128 is ordinary batch norm.
    images : int
        Training images.
    steps : int
        Updates at learning rate 0.1.
    digits : Digits, optional
        By default ``load_digits()``.

    Returns
    -------
    Ghost
    """
    digits = load_digits() if digits is None else digits
    weights, order = np.random.default_rng(seed).spawn(2)
    net = ghost_network(ghost_size, int(weights.integers(2**31)), sizes_for(digits))
    x, y = digits.x_train[:images], digits.y_train[:images]
    history = train(
        net,
        x,
        y,
        optimizer=GradientDescent(0.1),
        batch_size=128,
        steps=steps,
        rng=order,
        drop_last=True,
    )
    return Ghost(float(np.mean(history.loss[-20:])), *_on_test(net, digits, x))


def _on_test(net: Sequential, digits: Digits, x_statistics: Floats) -> tuple[float, float]:
    """Return loss and accuracy on the test set with the statistics of `x_statistics`."""
    with preserve_statistics(net):
        set_statistics(net, population_statistics(net, x_statistics))
        loss, _ = SoftmaxCrossEntropy()(net.forward(digits.x_test, training=False), digits.y_test)
        return loss, accuracy(net, digits.x_test, digits.y_test)


COMPANIES = ("shuffled", "its own digit only")


def _probabilities(logits: Floats) -> Floats:
    """Return the softmax of one image's logits."""
    e = np.exp(logits - logits.max())
    shares: Floats = e / e.sum()
    return shares


def in_company(net: Sequential, m: int, company: str, draw: int, image: int = 0) -> Floats:
    """Return the class probabilities of one test image among m − 1 training images.

    Parameters
    ----------
    net : Sequential
        With batch norm.
    m : int
        Examples in the batch, at least 2.
    company : str
        One of `COMPANIES`.
    draw : int
        Seed of the mates.
    image : int
        Of the test set.

    Returns
    -------
    array, shape (10,)
    """
    digits = load_digits()
    mates = np.arange(len(digits.x_train))
    if company != COMPANIES[0]:
        mates = mates[digits.y_train == digits.y_test[image]]
    chosen = np.random.default_rng(draw).permutation(mates)[: m - 1]
    batch = np.concatenate([digits.x_test[image : image + 1], digits.x_train[chosen]])
    return _probabilities(layer_outputs(net, batch, statistics="batch")[-1][0])


def with_stored_statistics(net: Sequential, image: int = 0) -> Floats:
    """Return the class probabilities of one test image with full-train statistics."""
    digits = load_digits()
    with preserve_statistics(net):
        set_statistics(net, population_statistics(net, digits.x_train))
        logits = net.forward(digits.x_test[image : image + 1], training=False)
    return _probabilities(logits[0])

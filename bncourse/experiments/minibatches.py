"""The runs of chapter 4: what a mini-batch does to its statistics, its examples and the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bncourse._validation import Floats
from bncourse.activations import ReLU
from bncourse.data import Digits, load_digits
from bncourse.experiments.common import (
    BATCH_SIZE,
    SIZES,
    full_statistics_accuracy,
    train_digits,
)
from bncourse.layers import Dense, Layer
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm, BatchNormCache, batch_norm, batch_norm_backward
from bncourse.optimizers import Adam, GradientDescent, Momentum, Optimizer, RMSprop
from bncourse.statistics import (
    kept_statistics,
    layer_outputs,
    population_statistics,
    use_statistics,
)
from bncourse.training import train

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
    """How much the logits of one image depend on its batch-mates.

    Attributes
    ----------
    sizes : array, shape (k,)
        m.
    scatter : array, shape (k,)
        Standard deviation of a logit over batches, root mean square over images and classes.
    sorted_scatter : array, shape (k,)
        The same distance, from the shuffled mean, when all mates show the image's own digit.
    """

    sizes: Floats
    scatter: Floats
    sorted_scatter: Floats


def batch_mates(
    net: Sequential,
    seed: int = 0,
    sizes: Sequence[int] = (2, 4, 8, 16, 32, 64, 128),
    draws: int = 40,
    images: int = 10,
) -> Company:
    """Show the same images in many batches and measure how far their logits move.

    Parameters
    ----------
    net : Sequential
        With batch norm, in batch mode.
    seed : int
        Of the draws.
    sizes : sequence of int
        Batch sizes.
    draws, images : int
        Batches for each image, and images.

    Returns
    -------
    Company
    """
    digits = load_digits()
    rng = np.random.default_rng(seed)
    x, y = digits.x_train, digits.y_train
    rows: list[tuple[float, float]] = []
    for m in sizes:
        shuffled, same = [], []
        for i in range(images):
            mates = np.delete(np.arange(len(x)), i)
            alike = mates[y[mates] == y[i]]
            both = []
            for pool in (mates, alike):
                logits = [
                    layer_outputs(net, x[[i, *rng.choice(pool, m - 1, replace=False)]])[-1][0]
                    for _ in range(draws)
                ]
                both.append(np.array(logits))
            centre = both[0].mean(axis=0)
            shuffled.append(np.mean((both[0] - centre) ** 2))
            same.append(np.mean((both[1] - centre) ** 2))
        rows.append((float(np.sqrt(np.mean(shuffled))), float(np.sqrt(np.mean(same)))))
    scatter, sorted_scatter = np.array(rows).T
    return Company(np.array(sizes, float), scatter, sorted_scatter)


def sorted_batches_accuracy(seed: int, batch_norm: bool, shuffled: bool) -> float:
    """Return the test accuracy after 200 steps on shuffled batches or on batches of one digit.

    Parameters
    ----------
    seed : int
        Of the weights.
    batch_norm : bool
        With or without.
    shuffled : bool
        False sorts the training set by label and deals it in that order.

    Returns
    -------
    float
        With full-train statistics.
    """
    digits = load_digits()
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, ReLU, batch_norm, rng=weights)
    by_label = np.argsort(digits.y_train, kind="stable")
    x, y = digits.x_train[by_label], digits.y_train[by_label]
    train(
        net,
        x,
        y,
        optimizer=GradientDescent(0.1),
        batch_size=BATCH_SIZE,
        steps=200,
        rng=order,
        shuffle=shuffled,
    )
    return full_statistics_accuracy(net, digits)


def small_batch_accuracy(seed: int, batch_norm: bool, batch_size: int) -> float:
    """Return the test accuracy after 600 steps at rate 0.05 with so many examples a batch."""
    net, _ = train_digits(seed, ReLU, batch_norm, 0.05, 600, batch_size=batch_size, drop_last=True)
    return full_statistics_accuracy(net, load_digits())


class GhostBatchNorm(BatchNorm):
    """Batch norm over parts of the batch, each normalised by itself.

    Parameters
    ----------
    n : int
        Number of units.
    ghost_size : int
        Examples per part, at least 2; a last part of one is joined to the one before.

    Notes
    -----
    Source: Hoffer, Hubara and Soudry (2017), arXiv:1705.08741, section 4.
    """

    def __init__(self, n: int, ghost_size: int) -> None:
        super().__init__(n)
        if ghost_size < 2:
            raise ValueError(f"ghost_size: expected at least 2, got {ghost_size}")
        self.ghost_size = ghost_size
        self._caches: list[BatchNormCache] = []

    def _parts(self, m: int) -> list[slice]:
        starts = list(range(0, m, self.ghost_size))
        if len(starts) > 1 and m - starts[-1] == 1:
            starts.pop()
        return [slice(a, b) for a, b in zip(starts, [*starts[1:], m], strict=True)]

    def forward(self, z: Floats, training: bool) -> Floats:
        """Normalise each part by its own statistics; evaluation as in `BatchNorm`."""
        if not training:
            return super().forward(z, training)
        gamma, beta = self.scale_and_shift(z.dtype)
        results = [batch_norm(z[part], gamma, beta, self.epsilon) for part in self._parts(len(z))]
        self._caches = [cache for _, cache in results]
        for part, cache in zip(self._parts(len(z)), self._caches, strict=True):
            m = part.stop - part.start
            self._update(cache.mu, cache.var * m / (m - 1))
        return np.concatenate([z_tilde for z_tilde, _ in results])

    def backward(self, dz: Floats) -> Floats:
        """Take each part back through its own statistics."""
        parts = self._parts(len(dz))
        results = [
            batch_norm_backward(dz[part], cache)
            for part, cache in zip(parts, self._caches, strict=True)
        ]
        self.grads["gamma"][...] = sum(dgamma for _, dgamma, _ in results)
        self.grads["beta"][...] = sum(dbeta for _, _, dbeta in results)
        return np.concatenate([dz_part for dz_part, _, _ in results])


def ghost_network(ghost_size: int, seed: int) -> Sequential:
    """Return the book's ReLU network with `GhostBatchNorm`."""
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    for n_in, n_out in zip(SIZES[:-2], SIZES[1:-1], strict=True):
        layers += [
            Dense(n_in, n_out, bias=False, rng=rng),
            GhostBatchNorm(n_out, ghost_size),
            ReLU(),
        ]
    return Sequential([*layers, Dense(SIZES[-2], SIZES[-1], rng=rng)])


def loss_on_test(net: Sequential, digits: Digits, x_statistics: Floats) -> float:
    """Return the loss on the test set with the statistics of `x_statistics`, in nats."""
    with kept_statistics(net):
        use_statistics(net, population_statistics(net, x_statistics))
        return SoftmaxCrossEntropy()(net.forward(digits.x_test, False), digits.y_test)[0]


def ghost_loss(seed: int, ghost_size: int, images: int = 300, steps: int = 300) -> float:
    """Return the test loss after training on few images, batch 128, with ghost batches.

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

    Returns
    -------
    float
        In nats.
    """
    digits = load_digits()
    weights, order = np.random.default_rng(seed).spawn(2)
    net = ghost_network(ghost_size, int(weights.integers(2**31)))
    x, y = digits.x_train[:images], digits.y_train[:images]
    train(
        net,
        x,
        y,
        optimizer=GradientDescent(0.1),
        batch_size=128,
        steps=steps,
        rng=order,
        drop_last=True,
    )
    return loss_on_test(net, digits, x)


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "gradient descent": lambda: GradientDescent(0.1),
    "momentum": lambda: Momentum(0.1),
    "RMSprop": lambda: RMSprop(0.001),
    "Adam": lambda: Adam(0.001),
}


def optimizer_losses(seed: int, steps: int = 120) -> dict[str, list[float]]:
    """Return the loss of each step for the four optimisers, same weights and batches."""
    return {
        name: train_digits(seed, ReLU, True, 0.1, steps, optimizer=make())[1].loss
        for name, make in OPTIMIZERS.items()
    }

"""The digits, MNIST-1D, two toy features, and mini-batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from bncourse import _checks as check
from bncourse.arrays import Floats, Integers

TRAIN_SIZE = 1437


class Digits(NamedTuple):
    """The digits, or MNIST-1D, split into a training and a test set.

    Attributes
    ----------
    x_train : array, shape (1437, 64) or (4000, 40)
    y_train : array of int, shape (1437,) or (4000,)
    x_test : array, shape (360, 64) or (1000, 40)
    y_test : array of int, shape (360,) or (1000,)
    """

    x_train: Floats
    y_train: Integers
    x_test: Floats
    y_test: Integers


@cache
def _stored_digits() -> tuple[Integers, Integers]:
    with (files("bncourse") / "digits" / "digits.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        return stored["images"], stored["labels"].astype(np.int64)


def load_digits(
    seed: int = 0, standardized: bool = False, dtype: DTypeLike = np.float64
) -> Digits:
    """Load 1,797 handwritten digits of 8 × 8 pixels, split into 1,437 and 360.

    Parameters
    ----------
    seed : int
        Of the split: a permutation by ``numpy.random.default_rng(seed)``.
    standardized : bool
        False: pixels / 16, from 0 to 1. True: each pixel minus its mean over the training set,
        over its standard deviation there (see `standardize`); the test set with the same two.
    dtype : float32 or float64
        Of the images.

    Returns
    -------
    Digits
        ``x_train, y_train, x_test, y_test``; new arrays each time.

    Raises
    ------
    ValueError
        For a negative seed or another dtype.

    Notes
    -----
    Source: Alpaydin and Kaynak (1998), UCI Machine Learning Repository, CC BY 4.0, in
    scikit-learn's copy. The file is part of this package; nothing is downloaded.
    """
    seed = check.count(seed, "seed", minimum=0)
    standardized = check.flag(standardized, "standardized")
    dtype = check.float_dtype(dtype)
    images, labels = _stored_digits()
    order = np.random.default_rng(seed).permutation(len(images))
    train, test = order[:TRAIN_SIZE], order[TRAIN_SIZE:]
    x_train: Floats = images[train] / 16.0
    x_test: Floats = images[test] / 16.0
    if standardized:
        x_train, x_test = standardize(x_train, x_test)
    return Digits(x_train.astype(dtype), labels[train], x_test.astype(dtype), labels[test])


@cache
def _stored_mnist1d() -> tuple[Floats, Integers, Floats, Integers]:
    with (files("bncourse") / "mnist1d" / "mnist1d.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        return stored["x_train"], stored["y_train"], stored["x_test"], stored["y_test"]


def load_mnist1d(standardized: bool = False) -> Digits:
    """Load MNIST-1D: 5,000 sequences of 40 numbers, of ten classes, split into 4,000 and 1,000.

    Parameters
    ----------
    standardized : bool
        False: as the authors made them, with mean 0 and variance 1 over all numbers together.
        True: each of the 40 features minus its mean over the training set, over its standard
        deviation there (see `standardize`); the test set with the same two.

    Returns
    -------
    Digits
        ``x_train, y_train, x_test, y_test``; new arrays each time. The split is the authors'.

    Raises
    ------
    TypeError
        If `standardized` is not a bool.

    Notes
    -----
    Source: Greydanus and Kobak (2020), arXiv:2011.14439, made by their package, Apache License
    2.0. The file is part of this package, in half precision; nothing is downloaded.
    """
    standardized = check.flag(standardized, "standardized")
    x_train, y_train, x_test, y_test = _stored_mnist1d()
    x_train, x_test = x_train.astype(np.float64), x_test.astype(np.float64)
    if standardized:
        x_train, x_test = standardize(x_train, x_test)
    return Digits(x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))


def standardize(x_train: Floats, *others: Floats) -> tuple[Floats, ...]:
    r"""Give each feature of the training set mean 0 and variance 1, and others the same map.

    .. math:: x \leftarrow \frac{x - \mu_\text{train}}{\sigma_\text{train}}

    A feature that is constant in the training set has σ = 0; it is centred and not divided.

    Parameters
    ----------
    x_train : array, shape (m, n)
        The mean and the standard deviation come from here only.
    *others : array, shape (any, n)
        Test sets, for example.

    Returns
    -------
    tuple of arrays
        `x_train` and the others, transformed.

    Raises
    ------
    ValueError, TypeError
        If one of them is not a float array of two dimensions and of the same width.
    """
    x_train = check.batch(x_train, None, "x_train")
    mu, sigma = x_train.mean(axis=0), x_train.std(axis=0)
    # A constant feature has σ = 0 only up to rounding, so ask the values instead.
    constant = x_train.max(axis=0) == x_train.min(axis=0)
    sigma = np.where(constant, 1, sigma).astype(x_train.dtype)
    n = x_train.shape[1]
    return tuple((check.batch(x, n, "x") - mu) / sigma for x in (x_train, *others))


def whiten(x_train: Floats, *others: Floats) -> tuple[Floats, ...]:
    r"""Remove the correlation between the features too, by the symmetric root of the covariance.

    With the covariance :math:`C = Q \Lambda Q^\top` of the training set,

    .. math:: x \leftarrow (x - \mu_\text{train})\, Q \Lambda^{-1/2} Q^\top

    Parameters
    ----------
    x_train : array, shape (m, n)
        The mean and the covariance come from here only.
    *others : array, shape (any, n)
        Test sets, for example.

    Returns
    -------
    tuple of arrays
        `x_train` and the others, transformed.

    Raises
    ------
    ValueError
        If a shape or dtype is wrong, or the covariance is not finite, or singular to working
        precision.
    TypeError
        If one of them is not an array.
    """
    x_train = check.batch(x_train, None, "x_train")
    mu = x_train.mean(axis=0)
    centred = x_train - mu
    covariance = check.finite(centred.T @ centred / len(x_train), "the covariance of x_train")
    values, q = np.linalg.eigh(covariance)
    if values[0] <= len(values) * np.finfo(x_train.dtype).eps * values[-1]:
        raise ValueError(
            "x_train: expected features none of which is a combination of the "
            f"others, got a covariance with eigenvalues from {values[0]:.3g} to "
            f"{values[-1]:.3g}"
        )
    transform = (q / np.sqrt(values)) @ q.T
    n = x_train.shape[1]
    return tuple((check.batch(x, n, "x") - mu) @ transform for x in (x_train, *others))


def two_features(m: int, scale: float, correlation: float, rng: np.random.Generator) -> Floats:
    r"""Draw two features whose *sample* moments are exactly the given ones.

    Both have mean 0; the standard deviations are 1 and `scale`, the correlation is `correlation`.

    Parameters
    ----------
    m : int
        Number of examples, at least 3.
    scale : float
        Standard deviation of the second feature, above 0.
    correlation : float
        r in (−1, 1).
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    array, shape (m, 2)

    Raises
    ------
    ValueError
        If a parameter is outside its interval.
    """
    m = check.count(m, "m", minimum=3)
    scale = check.number(scale, "scale", low=0.0, open_low=True)
    r = check.number(correlation, "correlation", low=-1.0, high=1.0, open_low=True)
    (white,) = whiten(check.generator(rng).normal(size=(m, 2)))
    mix = np.array([[1.0, r], [0.0, np.sqrt(1.0 - r * r)]])
    features: Floats = white @ mix * np.array([1.0, scale])
    return features


class MiniBatches:
    """Deal all examples into mini-batches, in a new random order each time it is iterated.

    Iterating once is one epoch: every example appears in exactly one batch, or, with
    `drop_last`, in at most one.

    Parameters
    ----------
    x : array, shape (m, n)
        Examples, one per row.
    y : array of int, shape (m,)
        Their labels.
    batch_size : int
        Examples per batch, from 1 to m. The last batch holds the remainder.
    rng : numpy.random.Generator, optional
        Source of the order. Without it the order differs from run to run.
    shuffle : bool
        False keeps the order of the data.
    drop_last : bool
        Whether to leave out a last batch that is smaller than the others.

    Raises
    ------
    ValueError, TypeError
        If shapes, dtypes or the batch size don't fit.

    Examples
    --------
    >>> x, y = np.zeros((5, 3)), np.array([0, 1, 2, 3, 4])
    >>> batches = MiniBatches(x, y, 2, shuffle=False)
    >>> [list(map(int, labels)) for _, labels in batches]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        x: Floats,
        y: Integers,
        batch_size: int,
        rng: np.random.Generator | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
    ) -> None:
        self.x = check.batch(x, None, "x")
        m = len(x)
        self.y = check.labels(y, m, np.iinfo(np.int64).max)
        self.batch_size = check.count(batch_size, "batch_size")
        if self.batch_size > m:
            raise ValueError(f"batch_size: expected at most the {m} examples, got {batch_size}")
        self.rng = check.generator(rng)
        self.shuffle = check.flag(shuffle, "shuffle")
        self.drop_last = check.flag(drop_last, "drop_last")

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(len(self.x), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Floats, Integers]]:
        """Yield ``(x, y)`` of each batch, as new arrays."""
        m = len(self.x)
        order = self.rng.permutation(m) if self.shuffle else np.arange(m)
        for t in range(len(self)):
            batch = order[t * self.batch_size : (t + 1) * self.batch_size]
            yield self.x[batch], self.y[batch]

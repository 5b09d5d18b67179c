"""The runs of chapter 2: ε, the sigmoid's window, γ and β, the backward pass, float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bncourse._validation import Floats
from bncourse.activations import ReLU, Sigmoid
from bncourse.data import load_digits
from bncourse.experiments.common import (
    BATCH_SIZE,
    SIZES,
    full_statistics_accuracy,
    steps_to_accuracy,
    train_digits,
)
from bncourse.layers import Dense, Layer
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent
from bncourse.training import train


def gaussian_mean(f: Callable[[Floats], Floats], mean: float = 0.0, sd: float = 1.0) -> float:
    r"""Return the mean of f(z) for normal z, by the trapezoid rule on ±12 standard deviations.

    Parameters
    ----------
    f : callable
        Element-wise.
    mean, sd : float
        Of z.

    Returns
    -------
    float
        Accurate to rounding for smooth functions, to about 1e-8 for those with a kink, and to
        1e-4 for those with a jump.
    """
    u = np.linspace(-12.0, 12.0, 48_001)
    density = np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
    return float(np.sum(density * f(mean + sd * u)) * (u[1] - u[0]))


def linear_r2(f: Callable[[Floats], Floats], mean: float = 0.0, sd: float = 1.0) -> float:
    """Return how much of the variance of f(z), for normal z, the best straight line explains.

    Parameters
    ----------
    f : callable
        Element-wise.
    mean, sd : float
        Of z.

    Returns
    -------
    float
        R², from 0 to 1.
    """
    f_mean = gaussian_mean(f, mean, sd)
    variance = gaussian_mean(lambda z: (f(z) - f_mean) ** 2, mean, sd)
    covariance = gaussian_mean(lambda z: (f(z) - f_mean) * (z - mean) / sd, mean, sd)
    return covariance**2 / variance


def sigmoid(z: Floats) -> Floats:
    """Return the logistic function of z."""
    a: Floats = 0.5 * (1.0 + np.tanh(0.5 * z))
    return a


def relu(z: Floats) -> Floats:
    """Return max(0, z)."""
    return np.maximum(z, 0.0)


class Frozen(NamedTuple):
    """A network with learned γ and β, or with none, after training.

    Attributes
    ----------
    loss : float
        Mean training loss of the last 24 steps, about one epoch, in nats.
    accuracy : float
        Test accuracy with full-train statistics.
    """

    loss: float
    accuracy: float


def affine_or_not(
    seed: int, affine: bool, activation: type[Layer] = Sigmoid, rate: float = 1.0, steps: int = 400
) -> Frozen:
    """Train the book's network with γ and β learned, or fixed at 1 and 0.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    affine : bool
        Whether γ and β are there.
    activation : type
        Of the hidden layers.
    rate : float
        Learning rate.
    steps : int
        Updates.

    Returns
    -------
    Frozen
    """
    init = "he" if activation is ReLU else "lecun"
    net, history = train_digits(seed, activation, True, rate, steps, init=init, affine=affine)
    return Frozen(float(np.mean(history.loss[-24:])), full_statistics_accuracy(net, load_digits()))


def deep_sigmoid(seed: int, steps: int = 600) -> Frozen:
    """Train six normalised sigmoid layers of 50 units without γ and β, at rate 1."""
    net, history = train_digits(
        seed, Sigmoid, True, 1.0, steps, init="lecun", affine=False, sizes=(64, *[50] * 6, 10)
    )
    return Frozen(float(np.mean(history.loss[-24:])), full_statistics_accuracy(net, load_digits()))


def linear_model(seed: int, steps: int = 600) -> Frozen:
    """Train softmax regression on the same pixels, for the same steps, at rate 1."""
    net, history = train_digits(seed, ReLU, False, 1.0, steps, sizes=(64, 10))
    return Frozen(float(np.mean(history.loss[-24:])), full_statistics_accuracy(net, load_digits()))


def placement_steps(seed: int, normalize: str, activation: type[Layer]) -> float:
    """Return the steps to 90 % at rate 0.1 with batch norm on z or on a, checked every 2."""
    init = "he" if activation is ReLU else "lecun"
    return steps_to_accuracy(
        seed, activation, True, 0.1, normalize=normalize, init=init, at_most=300, every=2
    )


class StoppedBatchNorm(BatchNorm):
    """Batch norm whose backward pass takes μ and σ² for constants: a mistake, on purpose."""

    def backward(self, dz: Floats) -> Floats:
        """Return only the direct path: dz̃ · γ / √(σ² + ε)."""
        super().backward(dz)
        assert self.cache is not None
        return dz * (self.cache.gamma * self.cache.inv_std)


def stopped_losses(seed: int, stopped: bool, steps: int = 300, rate: float = 0.1) -> list[float]:
    """Return the training losses with the right backward pass, or with the stopped one.

    Parameters
    ----------
    seed : int
        Of weights and batches; the same for both.
    stopped : bool
        Whether the gradient is stopped at μ and σ².
    steps : int
        Updates.
    rate : float
        Learning rate.

    Returns
    -------
    list of float
        In nats.
    """
    digits = load_digits()
    weights, order = np.random.default_rng(seed).spawn(2)
    kind = StoppedBatchNorm if stopped else BatchNorm
    layers: list[Layer] = []
    for n_in, n_out in zip(SIZES[:-2], SIZES[1:-1], strict=True):
        layers += [Dense(n_in, n_out, bias=False, rng=weights), kind(n_out), ReLU()]
    net = Sequential([*layers, Dense(SIZES[-2], SIZES[-1], rng=weights)])
    return train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=GradientDescent(rate),
        batch_size=BATCH_SIZE,
        steps=steps,
        rng=order,
    ).loss


def runaway_bias(steps: int, rate: float = 0.1, seed: int = 0) -> tuple[Floats, Floats]:
    r"""Run the example of Ioffe and Szegedy's section 2, with the gradient of the mean left out.

    A layer adds b to its input u and subtracts the mean: :math:`\hat x = u + b - \text{mean}(u +
    b)`. The loss is :math:`\frac12 \text{mean}((\hat x - y)^2)`, and the update of b pretends
    that the mean does not depend on b.

    Parameters
    ----------
    steps : int
        Updates.
    rate : float
        Learning rate.
    seed : int
        Of u and y.

    Returns
    -------
    b, loss : array, shape (steps + 1,)
    """
    rng = np.random.default_rng(seed)
    u, y = rng.normal(size=50), rng.normal(2.0, 1.0, 50)
    b, biases, losses = 0.0, [], []
    for _ in range(steps + 1):
        x_hat = u + b - np.mean(u + b)
        biases.append(b)
        losses.append(0.5 * np.mean((x_hat - y) ** 2))
        b -= rate * float(np.mean(x_hat - y))
    return np.array(biases), np.array(losses)


class VarianceErrors(NamedTuple):
    """Relative errors of a variance in float32.

    Attributes
    ----------
    means : array, shape (k,)
        Mean of the data; the standard deviation is 1.
    one_pass, two_pass : array, shape (k,)
        |computed − exact| / exact, median over units.
    negative : array, shape (k,)
        Share of units whose one-pass variance is below zero.
    """

    means: Floats
    one_pass: Floats
    two_pass: Floats
    negative: Floats


def variance_errors(means: Sequence[float] | Floats, m: int = 60, seed: int = 0) -> VarianceErrors:
    """Compare mean(z²) − mean(z)² with mean((z − mean)²) in float32.

    Parameters
    ----------
    means : sequence of float
        Means of the data.
    m : int
        Examples.
    seed : int
        Of 200 units of normal draws.

    Returns
    -------
    VarianceErrors
    """
    base = np.random.default_rng(seed).normal(size=(m, 200))
    rows = []
    for mean in means:
        z = (base + mean).astype(np.float32)
        exact = z.astype(np.float64).var(axis=0)
        ones = np.ones(m, np.float32)
        mu = ones @ z / np.float32(m)
        one = ones @ (z * z) / np.float32(m) - mu * mu
        two = ones @ np.square(z - mu) / np.float32(m)
        rows.append(
            [float(np.median(np.abs(v - exact) / exact)) for v in (one, two)]
            + [float(np.mean(one < 0))]
        )
    one_pass, two_pass, negative = np.array(rows).T
    return VarianceErrors(np.asarray(means, float), one_pass, two_pass, negative)


def sum_errors(m: int, seed: int = 0) -> tuple[float, float]:
    """Return the errors of two float32 means down the batch, relative to float64.

    Parameters
    ----------
    m : int
        Examples.
    seed : int
        Of 100 units with mean 1 and standard deviation 1.

    Returns
    -------
    sequential, product : float
        Root mean square error of ``a.sum(axis=0) / m`` and of ``ones @ a / m``.
    """
    a = np.random.default_rng(seed).normal(1.0, 1.0, (m, 100)).astype(np.float32)
    exact = a.astype(np.float64).mean(axis=0)
    sequential = a.sum(axis=0) / np.float32(m)
    product = np.ones(m, np.float32) @ a / np.float32(m)
    return tuple(float(np.sqrt(np.mean((v - exact) ** 2))) for v in (sequential, product))  # type: ignore[return-value]


def trained_network(seed: int = 0) -> Sequential:
    """Return the book's sigmoid network with batch norm after 100 steps at rate 1."""
    net, _ = train_digits(seed, Sigmoid, True, 1.0, 100, init="lecun")
    return net


def fresh_network(seed: int = 0) -> Sequential:
    """Return the book's ReLU network with batch norm before training."""
    return mlp(SIZES, ReLU, rng=np.random.default_rng(seed))

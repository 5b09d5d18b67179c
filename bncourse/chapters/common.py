"""What the chapters' experiments share: the setting of the book, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bncourse.activations import ReLU
from bncourse.arrays import Floats, Integers
from bncourse.chapters.measured import take_down
from bncourse.data import Digits, load_digits
from bncourse.layers import Layer
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent, Optimizer
from bncourse.statistics import population_statistics, preserve_statistics, set_statistics
from bncourse.training import History, accuracy, train

#: The seeds of the book; medians over them are reported.
SEEDS = (0, 1, 2)
SIZES = (64, 100, 100, 100, 10)
BATCH_SIZE = 60


def sizes_for(digits: Digits) -> tuple[int, ...]:
    """Return `SIZES` with as many inputs as the data have."""
    return digits.x_train.shape[1], *SIZES[1:]


def full_statistics_accuracy(net: Sequential, digits: Digits) -> float:
    """Return the test accuracy with full-train statistics, leaving the running ones as they were.

    Running averages need time to warm up (chapter 6). Statistics computed from the whole training
    set at the moment of asking show what the *weights* have learned.

    Parameters
    ----------
    net : Sequential
        With or without batch norm.
    digits : Digits
        Training set for the statistics, test set for the accuracy.

    Returns
    -------
    float
        From 0 to 1.
    """
    if not net.batch_norms:
        return accuracy(net, digits.x_test, digits.y_test)
    statistics = population_statistics(net, digits.x_train)
    if not all(np.isfinite(values).all() for pair in statistics for values in pair):
        # A network whose numbers overflowed says NaN of every class, and argmax takes the first.
        return float(np.mean(digits.y_test == 0))
    with preserve_statistics(net):
        set_statistics(net, statistics)
        return accuracy(net, digits.x_test, digits.y_test)


def train_digits(
    seed: int,
    activation: type[Layer],
    batch_norm: bool,
    learning_rate: float,
    steps: int,
    *,
    init: str = "he",
    gain: float = 1.0,
    sizes: Sequence[int] | None = None,
    batch_size: int = BATCH_SIZE,
    digits: Digits | None = None,
    optimizer: Optimizer | None = None,
    norm: Callable[[int], Layer] = BatchNorm,
    every: int = 10,
    stop: Callable[[History], bool] | None = None,
    measure: bool = False,
    drop_last: bool = False,
    after_backward: Callable[[Sequential], object] | None = None,
    **options: Any,
) -> tuple[Sequential, History]:
    """Train the book's network on the digits: the same weights and batches for the same seed.

    Parameters
    ----------
    seed : int
        Of the initial weights and of the order of the examples, by independent streams.
    activation : type
        Of the hidden layers.
    batch_norm : bool
        With or without `norm`; with the same seed both start from the same weights.
    learning_rate : float
        Of plain gradient descent, unless `optimizer` is given.
    steps : int
        At most.
    init, gain, **options
        As for `mlp`.
    sizes : sequence of int, optional
        Widths, by default `SIZES`, with as many inputs as the data have.
    batch_size : int
        Examples per mini-batch.
    digits : Digits, optional
        By default ``load_digits()``.
    optimizer : Optimizer, optional
        Instead of gradient descent.
    norm : callable
        What batch norm is here, as for `mlp`.
    every, stop, drop_last, after_backward
        As for `train`.
    measure : bool
        Whether to record ``"test accuracy"`` (see `full_statistics_accuracy`) every `every` steps.

    Returns
    -------
    net : Sequential
    history : History
    """
    digits = load_digits() if digits is None else digits
    sizes = sizes_for(digits) if sizes is None else sizes
    take_down(
        activation=activation.__name__,
        arm=_name(norm) if batch_norm else "without batch norm",
        init=init,
        gain=gain,
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, sizes)),
        batch_size=batch_size,
        steps=steps,
        seed=seed,
    )
    if optimizer is None:
        take_down(learning_rate=learning_rate)
    else:
        take_down(optimizer=type(optimizer).__name__)
    weights, order = np.random.default_rng(seed).spawn(2)
    norm_or_none = norm if batch_norm else None
    net = mlp(sizes, activation, norm_or_none, init=init, gain=gain, rng=weights, **options)
    history = train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=GradientDescent(learning_rate) if optimizer is None else optimizer,
        batch_size=batch_size,
        steps=steps,
        rng=order,
        metrics={"test accuracy": lambda net: full_statistics_accuracy(net, digits)}
        if measure
        else None,
        every=every,
        stop=stop,
        drop_last=drop_last,
        after_backward=after_backward,
    )
    return net, history


def _name(norm: Callable[[int], Layer]) -> str:
    return "with batch norm" if norm is BatchNorm else getattr(norm, "__name__", repr(norm))


def describe_inputs(x: Floats) -> str:
    """Return in words how the inputs are scaled, for a card."""
    mean, std = x.mean(axis=0), x.std(axis=0)
    # Constant pixels are centred and left undivided.
    if np.abs(mean).max() < 1e-9 and np.abs(std[std > 0] - 1).max() < 1e-9:
        return "standardised"
    if x.min() >= 0 and x.max() <= 1:
        return "pixels from 0 to 1"
    if abs(x.mean()) < 0.01 and abs(x.std() - 1) < 0.01:
        return "standardised as a whole"
    return "rescaled"


def backpropagate(net: Sequential, x: Floats, y: Integers) -> float:
    """Fill the gradients of all layers for one batch in training mode; return its loss."""
    J, dz = SoftmaxCrossEntropy()(net.forward(x, training=True), y)
    net.backward(dz, need_input_gradient=False)
    return J


def steps_to_accuracy(
    seed: int,
    activation: type[Layer],
    batch_norm: bool,
    learning_rate: float,
    *,
    target: float = 0.90,
    at_most: int = 2000,
    **options: Any,
) -> float:
    """Return the steps until the test accuracy first reaches the target.

    It is checked every 10 steps, or every `every`.

    Parameters
    ----------
    seed, activation, batch_norm, learning_rate, **options
        As for `train_digits`.
    target : float
        Test accuracy to reach.
    at_most : int
        Steps after which to give up.

    Returns
    -------
    float
        Steps; infinity if the target was not reached. (A median over seeds then stays right as
        long as fewer than half of the runs fail.)
    """
    # A run that diverges is a result too: it never reaches the target.
    with np.errstate(over="ignore", invalid="ignore"):
        _, history = train_digits(
            seed,
            activation,
            batch_norm,
            learning_rate,
            at_most,
            measure=True,
            stop=lambda history: history.metrics["test accuracy"][-1] >= target,
            **options,
        )
    step = history.first_step("test accuracy", target)
    return float("inf") if step is None else float(step)


def control(
    seeds: Sequence[int],
    rates: Sequence[float] = (0.03, 0.1, 0.3, 1.0),
    at_most: int = 300,
) -> dict[bool, dict[float, list[float]]]:
    """Return the steps to 90 % of the modern setting for several rates, checked every 2.

    ReLU, He initialisation, standardised inputs.

    Parameters
    ----------
    seeds : sequence of int
        One run each.
    rates : sequence of float
        Learning rates.
    at_most : int
        Steps after which a run counts as infinity.

    Returns
    -------
    dict of bool to dict of float to list of float
        Without (False) and with batch norm; by learning rate.
    """
    digits = load_digits(standardized=True)
    return {
        bn: {
            rate: [
                steps_to_accuracy(seed, ReLU, bn, rate, digits=digits, at_most=at_most, every=2)
                for seed in seeds
            ]
            for rate in rates
        }
        for bn in (False, True)
    }


class Shift(Layer):
    """Add a β to each unit.

    Parameters
    ----------
    n : int
        Number of units.
    """

    beta: Floats

    def __init__(self, n: int) -> None:
        super().__init__(n, n, beta=np.zeros(n))

    def _forward(self, x: Floats, training: bool) -> Floats:
        return x + self.beta

    def _backward(self, dz: Floats) -> Floats:
        self.grads["beta"] = dz.sum(axis=0)
        return dz


class Centre(Layer):
    """Subtract from each unit its mean over the batch, or the batch that is predicted."""

    def _forward(self, x: Floats, training: bool) -> Floats:
        centred: Floats = x - x.mean(axis=0)
        return centred

    def _backward(self, dz: Floats) -> Floats:
        centred: Floats = dz - dz.mean(axis=0)
        return centred


class Divide(Layer):
    """Divide each unit by its standard deviation over the batch, without subtracting its mean.

    Parameters
    ----------
    n : int
        Number of units; γ multiplies and β is added behind the division, as in `BatchNorm`.
    """

    gamma: Floats
    beta: Floats

    def __init__(self, n: int) -> None:
        super().__init__(n, n, gamma=np.ones(n), beta=np.zeros(n))

    def _forward(self, x: Floats, training: bool) -> Floats:
        self._inv_std = 1 / np.sqrt(x.var(axis=0) + 1e-5)
        self._divided = x * self._inv_std
        z_tilde: Floats = self.gamma * self._divided + self.beta
        return z_tilde

    def _backward(self, dz: Floats) -> Floats:
        self.grads["gamma"] = (dz * self._divided).sum(axis=0)
        self.grads["beta"] = dz.sum(axis=0)
        dz = dz * self.gamma
        centred = self._divided - self._divided.mean(axis=0)
        dx: Floats = self._inv_std * (dz - centred * np.mean(dz * self._divided, axis=0))
        return dx


class DivideByRMS(Divide):
    """Divide each unit by its root mean square over the batch, a scale that sees the mean.

    Parameters
    ----------
    n : int
        Number of units; γ multiplies and β is added behind the division, as in `BatchNorm`.
    held : bool
        Whether the way back takes the root mean square for a constant: then it isn't the
        derivative, and only the forward pass sees the mean.
    """

    def __init__(self, n: int, held: bool = False) -> None:
        super().__init__(n)
        self.held = held

    def _forward(self, x: Floats, training: bool) -> Floats:
        self._inv_rms = 1 / np.sqrt((x**2).mean(axis=0) + 1e-5)
        self._divided = x * self._inv_rms
        z_tilde: Floats = self.gamma * self._divided + self.beta
        return z_tilde

    def _backward(self, dz: Floats) -> Floats:
        self.grads["gamma"] = (dz * self._divided).sum(axis=0)
        self.grads["beta"] = dz.sum(axis=0)
        dz = dz * self.gamma
        if not self.held:
            dz = dz - self._divided * np.mean(dz * self._divided, axis=0)
        dx: Floats = self._inv_rms * dz
        return dx

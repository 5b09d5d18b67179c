"""The runs of chapter 3: the bias that batch norm cancels, and the scale that it ignores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from bncourse.activations import ReLU, Sigmoid
from bncourse.arrays import Floats
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    backpropagate,
    full_statistics_accuracy,
    train_digits,
)
from bncourse.data import load_digits
from bncourse.layers import Dense, Layer
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent
from bncourse.statistics import layer_outputs, population_statistics, set_statistics
from bncourse.training import History, train


def hidden_dense(net: Sequential) -> list[Dense]:
    """Return the `Dense` layers that batch norm follows directly."""
    return [
        layer
        for layer, following in zip(net.layers, net.layers[1:], strict=False)
        if isinstance(layer, Dense) and isinstance(following, BatchNorm)
    ]


def network_with_bias(seed: int, dtype: DTypeLike = np.float64) -> Sequential:
    """Return the book's ReLU network with batch norm *and* a bias in every layer, oddly set.

    Parameters
    ----------
    seed : int
        Of weights, biases, γ and β. The values are away from 0 and 1, so that nothing cancels
        by accident.
    dtype : float32 or float64
        Of the parameters.

    Returns
    -------
    Sequential
        With full-train statistics as its running statistics.
    """
    rng = np.random.default_rng(seed)
    net = mlp(SIZES, ReLU, bias=True, rng=rng, dtype=dtype)
    for layer in net.layers:
        for name, p in layer.params.items():
            if name != "w":
                p += rng.normal(0.0, 0.3, p.shape).astype(dtype)
    set_statistics(net, population_statistics(net, load_digits(dtype=dtype).x_train))
    return net


class ShiftEffect(NamedTuple):
    """The largest change of a logit after a shift of all hidden biases.

    Attributes
    ----------
    shifts : array, shape (k,)
        Standard deviation of the random shifts.
    training, training32, evaluation : array, shape (k,)
        In training mode in float64 and in float32, and in evaluation mode with the running
        statistics from before the shift, in float64.
    """

    shifts: Floats
    training: Floats
    training32: Floats
    evaluation: Floats


def shift_biases(shifts: Floats, seed: int = 0) -> ShiftEffect:
    """Shift all biases in front of batch norm by normal draws and see how far logits move.

    Parameters
    ----------
    shifts : array, shape (k,)
        Standard deviations.
    seed : int
        Of the network and of the shifts.

    Returns
    -------
    ShiftEffect
    """
    rows: list[list[float]] = []
    for dtype, statistics in (
        (np.float64, "batch"),
        (np.float32, "batch"),
        (np.float64, "running"),
    ):
        net = network_with_bias(seed, dtype)
        x = load_digits(dtype=dtype).x_train[:BATCH_SIZE]
        before = layer_outputs(net, x, statistics=statistics)[-1]
        kept = net.theta.copy()
        row = []
        for shift in shifts:
            rng = np.random.default_rng(seed)
            for layer in hidden_dense(net):
                b = layer.params["b"]
                b += rng.normal(0.0, shift, b.shape).astype(dtype)
            row.append(
                float(np.abs(layer_outputs(net, x, statistics=statistics)[-1] - before).max())
            )
            net.theta[...] = kept
        rows.append(row)
    return ShiftEffect(np.asarray(shifts), *map(np.array, rows))


class Growth(NamedTuple):
    """Squared norm of the hidden weights over training.

    Attributes
    ----------
    steps : array, shape (k,)
        Updates made.
    norm : array, shape (k,)
        ‖W‖², over all hidden layers, measured.
    pythagoras : array, shape (k,)
        ‖W‖² at the start plus the sum of the squared lengths of all updates since.
    rate : array, shape (k,)
        Effective learning rate α / mean ‖w_j‖², the mean over all hidden units j.
    accuracy : float
        Test accuracy at the end, with full-train statistics.
    """

    steps: Floats
    norm: Floats
    pythagoras: Floats
    rate: Floats
    accuracy: float


def weight_growth(
    seed: int,
    batch_norm: bool = True,
    activation: type[Layer] = Sigmoid,
    learning_rate: float = 3.0,
    steps: int = 300,
    weight_decay: float = 0.0,
    gain: float = 1.0,
    init: str = "lecun",
) -> Growth:
    r"""Train and record how the hidden weights grow.

    With `weight_decay` λ each step also shrinks the hidden weights:
    :math:`w \leftarrow (1 - \alpha\lambda)\,w - \alpha\,dw`.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    batch_norm : bool
        With or without.
    activation : type
        Of the hidden layers.
    learning_rate : float
        α of plain gradient descent.
    steps : int
        Updates.
    weight_decay : float
        λ, on the hidden weights only.
    gain : float
        Factor on the initial hidden weights. The output layer, which is not normalised, keeps
        its own.
    init : str
        Distribution of the initial weights.

    Returns
    -------
    Growth
    """
    digits = load_digits()
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, activation, BatchNorm if batch_norm else None, init=init, rng=weights)
    hidden = [layer for layer in net.layers if isinstance(layer, Dense)][:-1]
    for layer in hidden:
        layer.params["w"] *= gain
    units = sum(len(layer.w) for layer in hidden)

    def squared_norm() -> float:
        return sum(float(np.sum(layer.w**2)) for layer in hidden)

    def decay_and_note_update(net: Sequential) -> None:
        for layer in hidden:
            layer.w *= 1.0 - learning_rate * weight_decay
        gradient = sum(float(np.sum(layer.grads["w"] ** 2)) for layer in hidden)
        updates.append(learning_rate**2 * gradient)

    norms, updates = [squared_norm()], [0.0]
    train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=GradientDescent(learning_rate),
        batch_size=BATCH_SIZE,
        steps=steps,
        rng=order,
        after_backward=decay_and_note_update,
        after_step=lambda history: norms.append(squared_norm()),
    )
    norm = np.array(norms)
    return Growth(
        steps=np.arange(steps + 1.0),
        norm=norm,
        pythagoras=norm[0] + np.cumsum(updates),
        rate=learning_rate / (norm / units),
        accuracy=full_statistics_accuracy(net, digits),
    )


def scaled_weights(c: float, seed: int = 0, epsilon: float = 0.0) -> tuple[float, float]:
    """Multiply the hidden weights by `c`; return how far logits and c·gradient are from before.

    Parameters
    ----------
    c : float
        Factor, above 0.
    seed : int
        Of the network.
    epsilon : float
        Of batch norm.

    Returns
    -------
    logits : float
        Largest change of a logit.
    gradient : float
        Largest difference between c · ∂J/∂w after and ∂J/∂w before, over the largest |∂J/∂w|.
    """
    digits = load_digits()
    x, y = digits.x_train[:BATCH_SIZE], digits.y_train[:BATCH_SIZE]
    norm = partial(BatchNorm, epsilon=epsilon)
    net = mlp(SIZES, ReLU, norm, rng=np.random.default_rng(seed))
    z = layer_outputs(net, x, statistics="batch")[-1]
    backpropagate(net, x, y)
    before = [layer.grads["w"].copy() for layer in hidden_dense(net)]
    for layer in hidden_dense(net):
        layer.params["w"] *= c
    change = float(np.abs(layer_outputs(net, x, statistics="batch")[-1] - z).max())
    backpropagate(net, x, y)
    worst = max(
        float(np.abs(c * layer.grads["w"] - dw).max() / np.abs(dw).max())
        for layer, dw in zip(hidden_dense(net), before, strict=True)
    )
    return change, worst


def frozen_loss(seed: int, frozen: str, steps: int = 400, rate: float = 0.1) -> float:
    """Return the training loss of the book's ReLU network with β at 0, γ at 1, or both free.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    frozen : str
        ``"gamma"``, ``"beta"`` or ``"nothing"``.
    steps : int
        Updates.
    rate : float
        Learning rate.

    Returns
    -------
    float
        Mean of the last 24 steps, in nats.
    """

    def freeze(net: Sequential) -> None:
        for layer in net.batch_norms:
            if frozen in layer.grads:
                layer.grads[frozen][...] = 0.0

    _, history = train_digits(seed, ReLU, True, rate, steps, after_backward=freeze)
    return float(np.mean(history.loss[-24:]))


def _output_norm_run(
    seed: int, affine: bool | None, stop: Callable[[History], bool] | None
) -> History:
    digits = load_digits()
    weights, order = np.random.default_rng(seed).spawn(2)
    net = mlp(SIZES, ReLU, rng=weights)
    if affine is not None:
        net = Sequential([*net.layers, BatchNorm(SIZES[-1], affine=affine)])
    accuracy = {"accuracy": lambda net: full_statistics_accuracy(net, digits)}
    return train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=GradientDescent(0.1),
        batch_size=BATCH_SIZE,
        steps=500,
        rng=order,
        stop=stop,
        metrics=accuracy if stop else None,
        every=2,
    )


def output_norm_steps(seed: int, affine: bool | None, target: float = 0.90) -> float:
    """Return the steps to a test accuracy with batch norm on the output layer too.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    affine : bool or None
        Whether the output's batch norm has γ and β; None leaves it out.
    target : float
        Test accuracy.

    Returns
    -------
    float
        Steps, checked every 2; infinity if 500 were not enough.
    """
    history = _output_norm_run(
        seed, affine, lambda history: history.metrics["accuracy"][-1] >= target
    )
    step = history.first_step("accuracy", target)
    return float("inf") if step is None else float(step)


def output_norm_loss(seed: int, affine: bool | None) -> float:
    """Return the mean training loss of steps 401 to 500, in nats, in the same setting.

    Parameters
    ----------
    seed, affine
        As for `output_norm_steps`.

    Returns
    -------
    float
    """
    return float(np.mean(_output_norm_run(seed, affine, None).loss[-100:]))


def decay_run(gain: float, weight_decay: float, seed: int = 0) -> Growth:
    """Train the ReLU network with batch norm at rate 1 for 800 steps from scaled weights.

    Parameters
    ----------
    gain : float
        Factor on He's initial weights of the hidden layers.
    weight_decay : float
        λ, on the hidden weights.
    seed : int
        Of weights and batches.

    Returns
    -------
    Growth
    """
    return weight_growth(seed, True, ReLU, 1.0, 800, weight_decay, gain, "he")


MODES = ("training", "evaluation")


#: w·x of one unit for eight examples, and how much the loss likes each output.
WX = np.array([-1.6, -0.9, -0.4, -0.1, 0.3, 0.7, 1.1, 2.1])


LIKING = np.array([0.5, -1.0, 0.3, 0.8, -0.2, 1.0, -0.7, 0.4])


class Ghost(NamedTuple):
    """One unit with a bias in front of batch norm.

    Attributes
    ----------
    u, z_norm : array, shape (8,)
        Before and after normalisation.
    reference : array, shape (8,)
        z_norm with b = 0 and c = 1.
    slope : float
        ∂J/∂b of a loss that is linear in the outputs.
    """

    u: Floats
    z_norm: Floats
    reference: Floats
    slope: float


def ghost(b: float, c: float, epsilon: float, mode: str) -> Ghost:
    """Normalise u = c·(w·x) + b by its own statistics, or by those stored at b = 0 and c = 1.

    Parameters
    ----------
    b : float
        Bias.
    c : float
        Factor on the weights.
    epsilon : float
        Under the root, above 0 or 0.
    mode : str
        ``"training"`` or ``"evaluation"``.

    Returns
    -------
    Ghost
    """
    u = c * WX + b
    seen = u if mode == "training" else WX
    inv_std = 1.0 / np.sqrt(np.var(seen) + epsilon)
    z_norm = (u - np.mean(seen)) * inv_std
    reference = (WX - np.mean(WX)) / np.sqrt(np.var(WX) + epsilon)
    # In training mode the mean moves with b: each output's own slope meets that of the mean.
    through_mean = np.mean(LIKING) if mode == "training" else 0.0
    slope = float(np.sum(LIKING - through_mean) * inv_std)
    return Ghost(u, z_norm, reference, slope)

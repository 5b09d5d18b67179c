"""Compare the gradients that a network computes with those that its loss shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats, Integers
from bncourse.losses import Loss, SoftmaxCrossEntropy
from bncourse.network import Sequential, undisturbed


def gradient_errors(
    net: Sequential,
    x: Floats,
    y: Integers,
    loss: Loss | None = None,
    step: float = 1e-5,
    *,
    training: bool = True,
) -> dict[str, float]:
    r"""Return, for each parameter array, how far its gradient is from central differences.

    Each parameter is moved by ±h in turn:

    .. math::

        \begin{aligned}
        g_k &= \frac{J(\theta + h e_k) - J(\theta - h e_k)}{2h}, \\
        \text{error} &= \frac{\lVert d\theta - g \rVert}
                             {\max(\lVert d\theta \rVert + \lVert g \rVert, s)}
        \end{aligned}

    The norms run over one array. The floor s is 1/1000 of the norm of the whole gradient: without
    it, an array whose true gradient is zero, such as a bias before batch norm, would show the
    ratio of two rounding errors.

    Parameters
    ----------
    net : Sequential
        Of float64 parameters. It is left as it was, running statistics and gradients included.
    x : array, shape (m, n)
        Examples; float32 ones are converted.
    y : array of int, shape (m,)
        Labels.
    loss : callable, optional
        By default `SoftmaxCrossEntropy`.
    step : float
        h above.
    training : bool
        The mode of the passes. In evaluation batch norm's statistics are constants.

    Returns
    -------
    dict of str to float
        By names such as ``"1.gamma"``: layer number and parameter.

    Raises
    ------
    ValueError
        If the network is not float64 (float32 has too few digits to difference), or the data
        don't fit.
    TypeError
        If they are not arrays.
    """
    check.instance(net, Sequential, "net")
    loss = SoftmaxCrossEntropy() if loss is None else check.function(loss, "loss")
    h = check.number(step, "step", low=0.0, open_low=True)
    if net.dtype is not None and net.dtype != np.float64:
        raise ValueError(f"net: expected parameters of dtype float64, got {net.dtype}")
    # Differences need all digits of the loss.
    x = check.float_array(x, "x").astype(np.float64, copy=False)

    def cost() -> float:
        # Each pass starts from the same state, so that a random layer draws the same numbers.
        with undisturbed(net):
            return loss(net.forward(x, training=training), y)[0]

    with undisturbed(net):
        numeric = _central_differences(cost, net.theta, h)
        _, dz = loss(net.forward(x, training=training), y)
        net.backward(dz, need_input_gradient=False)
        analytic = net.dtheta.copy()

    floor = 1e-3 * float(np.linalg.norm(analytic))
    errors: dict[str, float] = {}
    start = 0
    for i, layer in enumerate(net.layers):
        for name, p in layer.params.items():
            ours, theirs = analytic[start : start + p.size], numeric[start : start + p.size]
            scale = max(float(np.linalg.norm(ours) + np.linalg.norm(theirs)), floor)
            # A gradient that is zero everywhere agrees with differences that are zero.
            difference = float(np.linalg.norm(ours - theirs))
            errors[f"{i}.{name}"] = difference / scale if difference else 0.0
            start += p.size
    return errors


def _central_differences(cost: Callable[[], float], theta: Floats, h: float) -> Floats:
    """Return the slopes of the cost, which reads θ; θ is left as it was."""
    slopes = np.empty_like(theta)
    for k, kept in enumerate(theta.copy()):
        theta[k] = kept + h
        above = cost()
        theta[k] = kept - h
        below = cost()
        theta[k] = kept
        slopes[k] = (above - below) / (2 * h)
    return slopes


def gradient_check(
    net: Sequential,
    x: Floats,
    y: Integers,
    loss: Loss | None = None,
    step: float = 1e-5,
    *,
    training: bool = True,
) -> float:
    """Return the largest of `gradient_errors`: below 1e-7 where the backward pass is right.

    Parameters
    ----------
    net, x, y, loss, step
        As for `gradient_errors`. Use odd parameters (γ not 1, β not 0, biases not 0): zeros hide
        a wrong backward pass. A ReLU whose input is within `step` of 0 has no derivative there
        and shows a large error without a fault.
    training : bool
        As for `gradient_errors`. A layer with two modes is checked in both.

    Returns
    -------
    float
        Relative error, without unit.

    Raises
    ------
    ValueError, TypeError
        As `gradient_errors`.
    """
    errors = gradient_errors(net, x, y, loss, step, training=training)
    return max(errors.values(), default=0.0)

"""Measures of the loss surface: along the gradient, and of the curvature's spread."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats, Integers
from bncourse.losses import Loss, SoftmaxCrossEntropy
from bncourse.network import Sequential, undisturbed


def loss_and_gradient(
    net: Sequential, x: Floats, y: Integers, loss: Loss | None = None
) -> tuple[float, Floats]:
    """Return J and ∂J/∂θ of a batch in training mode.

    Parameters
    ----------
    net : Sequential
        Left as it was, running statistics and gradients included.
    x : array, shape (m, n)
        Examples.
    y : array of int, shape (m,)
        Labels.
    loss : callable, optional
        By default `SoftmaxCrossEntropy`.

    Returns
    -------
    J : float
    gradient : array, shape of ``net.theta``
        A copy.

    Raises
    ------
    ValueError, TypeError
        If the data don't fit.
    """
    loss = SoftmaxCrossEntropy() if loss is None else check.function(loss, "loss")
    with undisturbed(check.instance(net, Sequential, "net")):
        value, dz = loss(net.forward(x, training=True), y)
        net.backward(dz, need_input_gradient=False)
        return value, net.dtheta.copy()


class GradientWalk(NamedTuple):
    """The loss surface along the negative gradient.

    Attributes
    ----------
    steps : array, shape (k,)
        η: multiples of the gradient that were walked.
    loss : array, shape (k,)
        J(θ − ηg), in nats.
    distance : array, shape (k,)
        ‖g(θ − ηg) − g(θ)‖: how far the gradient has changed.
    smoothness : array, shape (k,)
        distance / (η‖g‖): the gradient's change per unit of length walked.
    gradient_norm : float
        ‖g(θ)‖.
    """

    steps: Floats
    loss: Floats
    distance: Floats
    smoothness: Floats
    gradient_norm: float


def walk_along_gradient(
    net: Sequential, x: Floats, y: Integers, steps: Floats, loss: Loss | None = None
) -> GradientWalk:
    r"""Walk down the gradient from θ and see how loss and gradient change.

    For each η in `steps`, with :math:`g = \nabla J(\theta)`: the loss
    :math:`J(\theta - \eta g)`, the gradient's change
    :math:`\lVert \nabla J(\theta - \eta g) - g \rVert`, and that change per unit of length.

    Parameters
    ----------
    net : Sequential
        Left as it was.
    x : array, shape (m, n)
        Examples; one batch for the whole walk.
    y : array of int, shape (m,)
        Labels.
    steps : array, shape (k,)
        η, all above 0.
    loss : callable, optional
        By default `SoftmaxCrossEntropy`.

    Returns
    -------
    GradientWalk

    Raises
    ------
    ValueError, TypeError
        If the data don't fit, or a step is not above 0.

    Notes
    -----
    Source: Santurkar et al. (2018), arXiv:1805.11604, section 3: the range of the loss is their
    *variation of the loss*, the distance their *gradient predictiveness*, the largest change per
    unit of length their *effective β-smoothness*.
    """
    steps = check.float_array(steps, "steps")
    if steps.ndim != 1 or not len(steps) or not np.all((steps > 0) & np.isfinite(steps)):
        raise ValueError(f"steps: expected a vector of finite numbers above 0, got {steps}")
    _, g = loss_and_gradient(net, x, y, loss)
    start = net.theta.copy()
    losses, distances = np.empty(len(steps)), np.empty(len(steps))
    with undisturbed(net):
        for i, eta in enumerate(steps):
            net.theta = start - eta * g
            losses[i], g_there = loss_and_gradient(net, x, y, loss)
            distances[i] = np.linalg.norm(g_there - g)
    norm = float(np.linalg.norm(g))
    return GradientWalk(steps, losses, distances, distances / (steps * norm), norm)


def gram_spectrum(a: Floats, centred: bool = False) -> Floats:
    r"""Return the eigenvalues of a batch's Gram matrix, largest first.

    For a linear unit on inputs a with a squared loss, the curvature of the loss is

    .. math:: G = \frac{1}{m} A^\top A,

    so the spread of its eigenvalues is the elongation of the contours.

    Parameters
    ----------
    a : array, shape (m, n)
        Activations, one example per row.
    centred : bool
        Whether to take the mean of each feature away first, which makes G the covariance.

    Returns
    -------
    array, shape (n,)
        None below 0.

    Raises
    ------
    ValueError, TypeError
        If `a` is not a float array of two dimensions, or G is not finite.
    """
    a = check.batch(a, None, "a")
    if check.flag(centred, "centred"):
        a = a - a.mean(axis=0)
    gram = check.finite(a.T @ a / len(a), "the products of a")
    eigenvalues: Floats = np.linalg.eigvalsh(gram)[::-1]
    return np.maximum(eigenvalues, 0.0)


def max_over_median(eigenvalues: Floats) -> float:
    """Return the largest eigenvalue over the median one (the smallest is often 0).

    Parameters
    ----------
    eigenvalues : array, shape (n,)
        In any order, none below 0.

    Returns
    -------
    float
        At least 1, without unit; infinite when half of the eigenvalues are 0.

    Raises
    ------
    ValueError, TypeError
        If it is not a vector of finite floats, none below 0.
    """
    values = _checked(eigenvalues)
    median = float(np.median(values))
    return float(values.max()) / median if median else float("inf")


def condition_number(eigenvalues: Floats) -> float:
    """Return κ, the largest eigenvalue over the smallest.

    Parameters
    ----------
    eigenvalues : array, shape (n,)
        In any order, none below 0.

    Returns
    -------
    float
        At least 1, without unit; infinite when the smallest is 0.

    Raises
    ------
    ValueError, TypeError
        If it is not a vector of finite floats, none below 0.
    """
    values = _checked(eigenvalues)
    smallest = float(values.min())
    return float(values.max()) / smallest if smallest else float("inf")


def _checked(eigenvalues: Floats) -> Floats:
    values = check.finite(check.float_array(eigenvalues, "eigenvalues"), "eigenvalues")
    if values.ndim != 1 or not len(values):
        raise ValueError(f"eigenvalues: expected a vector, got shape {values.shape}")
    if values.min() < 0:
        raise ValueError(f"eigenvalues: expected none below 0, got {values.min()}")
    return values


def gauss_newton_spectrum(net: Sequential, x: Floats) -> Floats:
    r"""Return the nonzero part of the spectrum of the Gauss–Newton matrix, largest first.

    With the Jacobian :math:`J_i = \partial z^{(i)}/\partial\theta` of the logits of example i and
    the softmax's :math:`H_i = \operatorname{diag}(\hat y) - \hat y \hat y^\top`,

    .. math:: G = \frac{1}{m} \sum_i J_i^\top H_i J_i .

    It has as many nonzero eigenvalues as the m·k by m·k matrix of the products of its factors'
    rows, which is smaller and is what is computed.

    Parameters
    ----------
    net : Sequential
        In training mode: batch norm uses the statistics of `x`. Left as it was.
    x : array, shape (m, n)
        Few examples: the cost is m·k backward passes.

    Returns
    -------
    array, shape (m·k,)
        None below 0.

    Raises
    ------
    ValueError, TypeError
        If `x` doesn't fit the network, or its logits are not finite.

    Notes
    -----
    Source: Schraudolph (2002). It is the Hessian without the curvature of the network itself.
    """
    with undisturbed(check.instance(net, Sequential, "net")):
        z = check.finite(net.forward(x, training=True), "the logits")
        m, k = z.shape
        y_hat = np.exp(z - z.max(axis=1, keepdims=True))
        y_hat /= y_hat.sum(axis=1, keepdims=True)
        rows = np.empty((m * k, net.theta.size))
        for i in range(m):
            # A root of H: its columns c satisfy Σ c cᵀ = diag(ŷ) − ŷ ŷᵀ.
            root = np.diag(np.sqrt(y_hat[i])) - np.outer(y_hat[i], np.sqrt(y_hat[i]))
            for c in range(k):
                dz = np.zeros_like(z)
                dz[i] = root[:, c]
                net.backward(dz, need_input_gradient=False)
                rows[i * k + c] = net.dtheta
    return np.maximum(np.linalg.eigvalsh(rows @ rows.T / m)[::-1], 0.0)

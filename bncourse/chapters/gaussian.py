"""Activation functions under normal inputs: what several chapters need for their sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bncourse.arrays import Floats


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


def sigmoid(z: Floats) -> Floats:
    """Return the logistic function of z."""
    a: Floats = 0.5 * (1.0 + np.tanh(0.5 * z))
    return a


def relu(z: Floats) -> Floats:
    """Return max(0, z)."""
    return np.maximum(z, 0.0)

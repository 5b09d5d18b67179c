"""Activation functions as layers: element-wise, without parameters, forward beside backward."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bncourse import _checks as check
from bncourse.arrays import Floats
from bncourse.layers import Layer


class ReLU(Layer):
    r"""The rectified linear unit.

    .. math:: a = \max(0, z), \qquad a' = 1 \text{ if } z > 0 \text{ else } 0

    Notes
    -----
    At z = 0, where there is no derivative, 0 is used, as everywhere.

    Examples
    --------
    >>> ReLU().forward(np.array([[-1.0, 2.0]]), training=False)
    array([[0., 2.]])
    """

    _transient = ("_positive",)
    _positive: NDArray[np.bool_]

    def _forward(self, z: Floats, training: bool) -> Floats:
        # A boolean mask takes an eighth of the memory, and multiplying by it needs no branch.
        self._positive = z > 0
        # NumPy has a vectorised maximum for two arrays, and a slow one for an array and a number.
        return np.maximum(z, np.zeros(z.shape[1], z.dtype))

    def _backward(self, da: Floats) -> Floats:
        return da * self._positive


class LeakyReLU(Layer):
    r"""A rectified linear unit with a small slope on the left.

    .. math:: a = z \text{ if } z > 0 \text{ else } s z, \qquad
              a' = 1 \text{ if } z > 0 \text{ else } s

    Parameters
    ----------
    slope : float
        s above, in (0, 1). With 0 it would be `ReLU`.

    Raises
    ------
    ValueError
        If `slope` is outside (0, 1).

    Notes
    -----
    Source: Maas, Hannun and Ng (2013).

    Examples
    --------
    >>> LeakyReLU(0.5).forward(np.array([[-1.0, 2.0]]), training=False)
    array([[-0.5,  2. ]])
    """

    _transient = ("_slopes",)
    _slopes: Floats

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = check.number(slope, "slope", low=0.0, high=1.0, open_low=True)

    def _forward(self, z: Floats, training: bool) -> Floats:
        slope = z.dtype.type(self.slope)
        self._slopes = slope + (1 - slope) * (z > 0)
        # For a slope below 1 the larger of z and s·z is z on the right and s·z on the left.
        return np.maximum(z, slope * z)

    def _backward(self, da: Floats) -> Floats:
        return da * self._slopes


class Sigmoid(Layer):
    r"""The logistic function.

    .. math:: a = \frac{1}{1 + e^{-z}}, \qquad a' = a\,(1 - a)

    Examples
    --------
    >>> Sigmoid().forward(np.array([[0.0]]), training=False)
    array([[0.5]])
    """

    _transient = ("_slopes",)
    _slopes: Floats

    def _forward(self, z: Floats, training: bool) -> Floats:
        # ½(1 + tanh(z/2)) is the same function, and exp can't overflow in it.
        half = z.dtype.type(0.5)
        a: Floats = half * (1 + np.tanh(half * z))
        self._slopes = a * (1 - a)
        return a

    def _backward(self, da: Floats) -> Floats:
        return da * self._slopes


class Tanh(Layer):
    r"""The hyperbolic tangent.

    .. math:: a = \tanh z, \qquad a' = 1 - a^2

    Examples
    --------
    >>> Tanh().forward(np.array([[0.0]]), training=False)
    array([[0.]])
    """

    _transient = ("_slopes",)
    _slopes: Floats

    def _forward(self, z: Floats, training: bool) -> Floats:
        a = np.tanh(z)
        self._slopes = 1 - a * a
        return a

    def _backward(self, da: Floats) -> Floats:
        return da * self._slopes

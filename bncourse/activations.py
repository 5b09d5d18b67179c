"""Activation functions as layers: element-wise, without parameters, forward beside backward."""

from __future__ import annotations

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats
from bncourse.layers import Parameters


class _Activation:
    """What the activations share: no parameters, and a derivative kept from the forward pass.

    A subclass gives `_apply`, which returns the output and, for training, its derivative.
    """

    def __init__(self) -> None:
        self.params = Parameters()
        self.grads = Parameters()
        self._derivative: Floats | np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | None = None

    def forward(self, z: Floats, training: bool) -> Floats:
        """Apply the function to every element.

        Parameters
        ----------
        z : array, shape (m, n)
            One example per row.
        training : bool
            Whether to keep what `backward` needs.

        Returns
        -------
        array, shape (m, n), of the dtype of `z`

        Raises
        ------
        ValueError, TypeError
            If `z` is not a float array of two dimensions.
        """
        z, training = check.batch(z, None, "z"), check.flag(training, "training")
        a = self._apply(z)
        self._derivative = self._differentiate(z, a) if training else None
        return a

    def backward(self, dz: Floats) -> Floats:
        """Multiply the gradient by the derivative, element by element.

        Parameters
        ----------
        dz : array, shape (m, n)
            Gradient of the loss with respect to the output a.

        Returns
        -------
        array, shape (m, n)
            Gradient of the loss with respect to the input z.

        Raises
        ------
        ValueError
            If no forward pass in training mode came before, or if `dz` has another shape than
            that output, or another dtype than float32 or float64.
        TypeError
            If `dz` is not an array.
        """
        if self._derivative is None:
            raise ValueError("backward: expected a forward pass with training=True before it")
        return check.gradient(dz, self._derivative.shape, "dz") * self._derivative

    def _apply(self, z: Floats) -> Floats:
        raise NotImplementedError

    def _differentiate(
        self, z: Floats, a: Floats
    ) -> Floats | np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        raise NotImplementedError


class ReLU(_Activation):
    r"""The rectified linear unit.

    .. math:: a = \max(0, z), \qquad a' = 1 \text{ if } z > 0 \text{ else } 0

    Notes
    -----
    At z = 0, where there is no derivative, 0 is used, as everywhere.
    """

    def _apply(self, z: Floats) -> Floats:
        # NumPy has a vectorised maximum for two arrays, and a slow one for an array and a number.
        return np.maximum(z, np.zeros(z.shape[1], z.dtype))

    def _differentiate(
        self, z: Floats, a: Floats
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        # A boolean mask takes an eighth of the memory, and multiplying by it needs no branch.
        return z > 0


class LeakyReLU(_Activation):
    r"""A rectified linear unit with a small slope on the left.

    .. math:: a = z \text{ if } z > 0 \text{ else } s z, \qquad
              a' = 1 \text{ if } z > 0 \text{ else } s

    Parameters
    ----------
    slope : float
        s above, in [0, 1).

    Raises
    ------
    ValueError
        If `slope` is outside [0, 1).

    Notes
    -----
    Source: Maas, Hannun and Ng (2013).
    """

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = check.number(slope, "slope", low=0.0, high=1.0)

    def _apply(self, z: Floats) -> Floats:
        # For a slope below 1 the larger of z and s·z is z on the right and s·z on the left.
        return np.maximum(z, z * z.dtype.type(self.slope))

    def _differentiate(self, z: Floats, a: Floats) -> Floats:
        slope = z.dtype.type(self.slope)
        return slope + (1 - slope) * (z > 0)


class Sigmoid(_Activation):
    r"""The logistic function.

    .. math:: a = \frac{1}{1 + e^{-z}}, \qquad a' = a\,(1 - a)
    """

    def _apply(self, z: Floats) -> Floats:
        # ½(1 + tanh(z/2)) is the same function, and exp can't overflow in it.
        a = np.tanh(z * z.dtype.type(0.5))
        a += 1
        a *= z.dtype.type(0.5)
        return a

    def _differentiate(self, z: Floats, a: Floats) -> Floats:
        return a * (1 - a)


class Tanh(_Activation):
    r"""The hyperbolic tangent.

    .. math:: a = \tanh z, \qquad a' = 1 - a^2
    """

    def _apply(self, z: Floats) -> Floats:
        return np.tanh(z)

    def _differentiate(self, z: Floats, a: Floats) -> Floats:
        return 1 - a * a

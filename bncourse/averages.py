"""Averages of values that come one after the other: exponentially weighted, and cumulative."""

from __future__ import annotations

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats


class ExponentialMovingAverage:
    r"""An average in which the past fades by a constant factor.

    .. math:: v_t = d\,v_{t-1} + (1 - d)\,x_t, \qquad v_0 = 0

    With :math:`v_0 = 0` the weights of the first t values add up to :math:`1 - d^t` only;
    bias correction divides by that sum:

    .. math:: \hat v_t = \frac{v_t}{1 - d^t}

    Parameters
    ----------
    decay : float
        d above: the weight of the old value, in [0, 1).
    bias_correction : bool
        Whether `value` is v̂ or v.

    Attributes
    ----------
    steps : int
        Values seen.

    Raises
    ------
    ValueError
        If `decay` is outside [0, 1).

    Examples
    --------
    >>> average = ExponentialMovingAverage(0.9)
    >>> [round(float(average.update(x)), 3) for x in (4.0, 4.0, 1.0)]
    [4.0, 4.0, 2.893]
    """

    def __init__(self, decay: float, bias_correction: bool = True) -> None:
        self.decay = check.number(decay, "decay", low=0.0, high=1.0)
        self.bias_correction = check.flag(bias_correction, "bias_correction")
        self.steps = 0
        self._v: Floats = np.zeros(())

    def update(self, x: Floats | float) -> Floats:
        """Take in a value (a number or an array, always of one shape) and return the average.

        Raises
        ------
        ValueError
            If the shape is not that of the values before, or the value is not real.
        """
        x = _real(x)
        if self.steps and x.shape != self._v.shape:
            raise ValueError(f"x: expected shape {self._v.shape}, as before, got {x.shape}")
        if not self.steps:
            self._v = np.zeros(x.shape, x.dtype)
        self._v = self.decay * self._v + (1.0 - self.decay) * x
        self.steps += 1
        return self.value

    @property
    def value(self) -> Floats:
        """The average so far; ValueError before the first value."""
        if not self.steps:
            raise ValueError("value: expected at least one update before it, got none")
        v = self._v / (1.0 - self.decay**self.steps) if self.bias_correction else self._v
        return np.array(v)

    @property
    def window(self) -> float:
        """About how many recent values count, 1 / (1 − d)."""
        return 1.0 / (1.0 - self.decay)


class CumulativeAverage:
    r"""An average in which all values weigh the same.

    .. math:: v_t = v_{t-1} + \frac{x_t - v_{t-1}}{t}

    Attributes
    ----------
    steps : int
        Values seen.

    Examples
    --------
    >>> average = CumulativeAverage()
    >>> [float(average.update(x)) for x in (4.0, 2.0, 3.0)]
    [4.0, 3.0, 3.0]
    """

    def __init__(self) -> None:
        self.steps = 0
        self._v: Floats = np.zeros(())

    def update(self, x: Floats | float) -> Floats:
        """Take in a value (a number or an array, always of one shape) and return the average.

        Raises
        ------
        ValueError
            If the shape is not that of the values before, or the value is not real.
        """
        x = _real(x)
        if self.steps and x.shape != self._v.shape:
            raise ValueError(f"x: expected shape {self._v.shape}, as before, got {x.shape}")
        self.steps += 1
        self._v = x.copy() if self.steps == 1 else self._v + (x - self._v) / self.steps
        return self.value

    @property
    def value(self) -> Floats:
        """The average so far; ValueError before the first value."""
        if not self.steps:
            raise ValueError("value: expected at least one update before it, got none")
        return np.array(self._v)


def _real(x: Floats | float) -> Floats:
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"x: expected real numbers, got {x!r}") from error
    if array.dtype.kind not in "fiu" or isinstance(x, np.ma.MaskedArray):
        raise ValueError(
            f"x: expected real numbers, got {type(x).__name__} of dtype {array.dtype}"
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)

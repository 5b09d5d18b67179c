"""What a public call refuses, in one place.

A layer that accepts a wrong array does not fail: it learns something else. So each check
names what was expected and what came, and is made before anything is written. Public calls
check what comes in, once; inside a network, layers call each other without.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from bncourse.arrays import Floats, Integers

T = TypeVar("T")

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
FLOAT_DTYPES = (FLOAT32, FLOAT64)


def _describe(value: object) -> str:
    """Name a value in an error message: shape and dtype of an array, repr of the rest."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return `dtype` as a NumPy dtype; ValueError unless it is float32 or float64."""
    try:
        result = np.dtype(dtype)
    except TypeError:
        result = np.dtype(object)
    # np.dtype(None) is float64: a forgotten value must not pass for a choice.
    if dtype is None or result not in FLOAT_DTYPES:
        raise ValueError(f"dtype: expected float32 or float64, got {dtype!r}")
    return result


def float_array(value: object, name: str) -> Floats:
    """Return `value` if it is a plain NumPy array of float32 or float64.

    Raises
    ------
    TypeError
        If it is not an array, or a masked one (its mask would be silently ignored), or a matrix
        (its ``*`` is another product).
    ValueError
        If its dtype is another one.
    """
    # The usual case first, because a training step comes here some thirty times.
    if type(value) is np.ndarray and (value.dtype is FLOAT32 or value.dtype is FLOAT64):
        return value
    if not isinstance(value, np.ndarray) or isinstance(value, (np.ma.MaskedArray, np.matrix)):
        raise TypeError(
            f"{name}: expected a NumPy array of float32 or float64, got {_describe(value)}"
        )
    if value.dtype not in FLOAT_DTYPES:
        raise ValueError(f"{name}: expected dtype float32 or float64, got {_describe(value)}")
    return value


def batch(value: object, width: int | None, name: str) -> Floats:
    """Return `value` if it is a float array of shape (m, width) with at least one row."""
    array = float_array(value, name)
    if array.ndim != 2 or (width is not None and array.shape[1] != width):
        expected = "(m, n)" if width is None else f"(m, {width})"
        raise ValueError(
            f"{name}: expected shape {expected}, one example per row, got {_describe(array)}"
        )
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(
            f"{name}: expected at least one example and one feature, got {_describe(array)}"
        )
    return array


def per_unit(value: object, n: int, name: str) -> Floats:
    """Return `value` if it is a float array of shape (n,), one number for each unit."""
    array = float_array(value, name)
    if array.shape != (n,):
        raise ValueError(
            f"{name}: expected shape ({n},), one number a unit, got {_describe(array)}"
        )
    return array


def batch_norm_arguments(
    z: object, gamma: object, beta: object, epsilon: object
) -> tuple[Floats, Floats, Floats, float]:
    """Return what `batch_norm` is given, if it fits together."""
    z = batch(z, None, "z")
    if not z.flags.forc:
        # BLAS does not take other layouts, and NumPy's own sum loses digits in float32.
        z = z.copy()
    n = z.shape[1]
    gamma, beta = per_unit(gamma, n, "gamma"), per_unit(beta, n, "beta")
    return z, gamma, beta, number(epsilon, "epsilon", low=0.0)


def numbers(value: object, shape: tuple[int, ...], name: str) -> Floats:
    """Return `value` as an array, if it holds real numbers and has exactly that shape."""
    array = np.asarray(value)
    if isinstance(value, np.ma.MaskedArray) or array.dtype.kind not in "fiubc":
        raise TypeError(f"{name}: expected an array of shape {shape}, got {_describe(value)}")
    if array.dtype.kind in "bc" or array.shape != shape:
        raise ValueError(f"{name}: expected real numbers of shape {shape}, got {_describe(array)}")
    return array


def finite(array: Floats, name: str) -> Floats:
    """Return `array` if it holds neither NaN nor infinities, of which eigenvalues know nothing."""
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name}: expected finite numbers, got {np.count_nonzero(~np.isfinite(array))} of "
            f"{array.size} that are not"
        )
    return array


def statistics(mean: object, var: object, n: int) -> tuple[Floats, Floats]:
    """Return a mean and a variance of n units, if they can be used to normalise."""
    means, variances = per_unit(mean, n, "mean"), per_unit(var, n, "var")
    finite(means, "mean"), finite(variances, "var")
    if np.any(variances < 0):
        raise ValueError(f"var: expected no negative variance, got {variances.min()}")
    return means, variances


def labels(value: object, m: int, classes: int, name: str = "y") -> Integers:
    """Return `value` if it holds one integer label in [0, classes) for each of m examples."""
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name}: expected a NumPy array of integer labels, got {_describe(value)}"
        )
    if value.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected integer labels, got {_describe(value)}")
    if value.shape != (m,):
        raise ValueError(
            f"{name}: expected shape ({m},), one label an example, got {_describe(value)}"
        )
    low, high = int(value.min()), int(value.max())
    if low < 0 or high >= classes:
        raise ValueError(
            f"{name}: expected labels from 0 to {classes - 1}, got labels from {low} to {high}"
        )
    return value


def count(value: object, name: str, minimum: int = 1) -> int:
    """Return `value` as an int; ValueError unless it is a whole number >= minimum."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise ValueError(
            f"{name}: expected a whole number of at least {minimum}, got {_describe(value)}"
        )
    if value < minimum:
        raise ValueError(f"{name}: expected a whole number of at least {minimum}, got {value}")
    return int(value)


def number(
    value: object,
    name: str,
    *,
    low: float,
    high: float = np.inf,
    open_low: bool = False,
) -> float:
    """Return `value` as a float in [low, high), or in (low, high) with `open_low`.

    ValueError for everything else, NaN and infinity included.
    """
    if type(value) is float and low < value < high:
        return value
    interval = f"{'(' if open_low else '['}{low:g}, {'∞' if high == np.inf else f'{high:g}'})"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise ValueError(f"{name}: expected a number in {interval}, got {_describe(value)}")
    try:
        result = float(value)
    except OverflowError:
        # Whole numbers and fractions have no largest one, floats do.
        result = np.inf
    above = result > low if open_low else result >= low
    if not (above and result < high):
        raise ValueError(f"{name}: expected a number in {interval}, got {value}")
    return result


def flag(value: object, name: str) -> bool:
    """Return `value` as a bool; ValueError unless it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}: expected True or False, got {_describe(value)}")
    return bool(value)


def choice(value: object, options: Collection[str], name: str) -> str:
    """Return `value` if it is one of the words."""
    if not isinstance(value, str) or value not in options:
        words = " or ".join(repr(option) for option in options)
        raise ValueError(f"{name}: expected {words}, got {_describe(value)}")
    return value


def instance(value: object, kind: type[T], name: str) -> T:
    """Return `value` if it is of that class."""
    if not isinstance(value, kind):
        raise TypeError(f"{name}: expected a {kind.__name__}, got {_describe(value)}")
    return value


def function(value: T, name: str) -> T:
    """Return `value` if it can be called and is not a class, which would only make an object."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name}: expected a function, got {_describe(value)}")
    return value


def items(value: object, name: str) -> tuple[Any, ...]:
    """Return what `value` holds, or yields, as a tuple."""
    if not isinstance(value, Iterable):
        raise TypeError(f"{name}: expected a sequence, got {_describe(value)}")
    return tuple(value)


def mapping(value: object, name: str) -> dict[Any, Any]:
    """Return a dict of what `value` maps."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a dict, got {_describe(value)}")
    return dict(value)


def generator(value: object, name: str = "rng") -> np.random.Generator:
    """Return `value` if it is a numpy.random.Generator, or a fresh one for None."""
    if value is None:
        return np.random.default_rng()
    if not isinstance(value, np.random.Generator):
        raise TypeError(
            f"{name}: expected a numpy.random.Generator, such as numpy.random.default_rng(0), "
            f"got {_describe(value)}"
        )
    return value


def gradient(value: object, shape: tuple[int, ...], name: str) -> Floats:
    """Return `value` if it is a float array of that shape."""
    array = float_array(value, name)
    if array.shape != shape:
        raise ValueError(
            f"{name}: expected shape {shape}, that of the last output, got {_describe(array)}"
        )
    return array

"""What the tests of several modules need: differences, memory, hard inputs, layouts."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def numeric_gradient(f: Callable[[], float], x: np.ndarray[Any, Any], h: float = 1e-5) -> Any:
    """Return ∂f/∂x by central differences; `f` reads `x`, which is moved in place."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        above = f()
        x[index] = kept - h
        below = f()
        x[index] = kept
        gradient[index] = (above - below) / (2 * h)
    return gradient


def relative_error(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.linalg.norm(a - b) / (np.linalg.norm(a) + np.linalg.norm(b)))


def make_odd(layer: Any, rng: np.random.Generator) -> None:
    """Move every parameter away from the values (0 and 1) that hide a wrong backward pass."""
    for p in layer.params.values():
        p += rng.normal(0.3, 0.5, p.shape)


def peak_of(call):
    """Return the most memory, in bytes, that a call held beyond what there was before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


GAMMA, BETA = [2.0, -0.5, 3.0], [1.0, 7.0, -4.0]


def an_outlier(rng):
    z = rng.normal(size=(60, 3))
    z[7] = [1e3, -1e8, 1e15]
    return z


HARD = {
    "offset 1e4": lambda rng: rng.normal(1e4, 1.0, (60, 3)),
    "offset 1e8": lambda rng: rng.normal([1e8, -1e8, 1e8], [1.0, 100.0, 1e-3], (60, 3)),
    "std 1e-10": lambda rng: rng.normal(0.0, 1e-10, (60, 3)),
    "std 1e-20": lambda rng: rng.normal(0.0, 1e-20, (60, 3)),
    "two examples": lambda rng: rng.normal(3.0, 2.0, (2, 3)),
    "three examples": lambda rng: rng.normal(3.0, 2.0, (3, 3)),
    "constants": lambda rng: np.tile([0.1, 1e8 + 0.1, 1e15 + 0.3], (60, 1)),
    "the range of float16": lambda rng: np.exp2(rng.uniform(-24.0, 15.99, (60, 3))).astype(
        np.float16
    ),
    "up to 1e15": lambda rng: rng.uniform(-1e15, 1e15, (60, 3)),
    "scales mixed between units": lambda rng: rng.normal(size=(60, 3)) * [1e-20, 1.0, 1e15],
    "scales mixed in a unit": lambda rng: (
        rng.normal(size=(60, 3)) * np.logspace(-20, 15, 60)[:, np.newaxis]
    ),
    "an outlier": an_outlier,
}


EACH = pytest.mark.parametrize("make", HARD.values(), ids=HARD.keys())


def strided(a):
    wide = np.zeros((2 * a.shape[0], 3 * a.shape[1]), a.dtype)
    wide[::2, ::3] = a
    return wide[::2, ::3]


LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "strided": strided,
    "backwards": lambda a: a[::-1].copy()[::-1],
}


def frozen(a, layout="rows"):
    """Return a copy of `a` that can't be written to, in some layout."""
    a = LAYOUTS[layout](a)
    a.flags.writeable = False
    return a


def unit_of(z, sd):
    """Return, per unit, the error of a normalised value that one ulp of the largest |z| makes.

    The squares of tiny values lose digits below the smallest normal number; that is the last term.
    """
    info = np.finfo(z.dtype)
    largest = np.abs(z).max(axis=0).astype(float)
    sd = sd.astype(float)
    return float(info.eps) * (1.0 + largest / sd) + float(info.smallest_subnormal) / sd / sd

"""Numerical differentiation and odd initialisation, for tests of single layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


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

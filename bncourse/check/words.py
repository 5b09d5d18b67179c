"""Numbers and inputs in words, as a reader would write them on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SYMBOLS = {
    "gamma": "γ",
    "beta": "β",
    "epsilon": "ε",
    "mu": "μ",
    "var": "σ²",
    "sigma": "σ",
    "std": "√(σ² + ε)",
    "dz_tilde": "dz̃",
    "z_tilde": "z̃",
    "dgamma": "dγ",
    "dbeta": "dβ",
    "running_mean": "the running mean",
    "running_var": "the running variance",
    "learning_rate": "the rate",
    "batch_size": "the batch size",
    "batch_mean": "the batch's mean",
    "unbiased_var": "the batch's unbiased variance",
    "length_squared": "‖w‖²",
    "total": "the total size",
    "within": "the variance within",
    "between": "the variance between",
}
MOST_NUMBERS = 10


def symbol(name: str) -> str:
    """Return how the book writes the name."""
    return SYMBOLS.get(name, name)


def number(value: complex, digits: int = 4) -> str:
    """Return a number with so many digits, a true minus sign, and no needless zeros."""
    if isinstance(value, complex):
        return f"{number(value.real, digits)} + {number(value.imag, digits)}i"
    value = float(value)
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.{digits}g}"
    if text.startswith("-0") and float(text) == 0:
        text = "0"
    return text.replace("-", "−")


def array(value: Any, digits: int = 4, bare: bool = True) -> str:
    """Return an array as Python writes it, or its shape if it is large.

    A single number has no brackets where it is `bare`; with brackets the shape can be seen.
    """
    a = np.asarray(value)
    if a.ndim == 0 or (bare and a.size == 1):
        return number(a.item(), digits)
    if a.size > MOST_NUMBERS:
        return f"an array of shape {shape(a.shape)}"
    return f"[{', '.join(array(part, digits, bare=False) for part in a)}]"


def shape(value: Sequence[int]) -> str:
    """Return a shape as Python writes it."""
    return str(tuple(int(k) for k in value))


def pair(expected: Any, got: Any, bare: bool = False) -> tuple[str, str]:
    """Return two arrays with as many digits as it takes to see that they differ."""
    for digits in (4, 6, 9, 12, 17):
        texts = array(expected, digits, bare), array(got, digits, bare)
        if texts[0] != texts[1]:
            break
    return texts


def listed(items: Sequence[str], word: str = "and") -> str:
    """Return "a", "a and b", or "a, b and c"."""
    *first, last = items
    return f"{', '.join(first)} {word} {last}" if first else last


def assigned(values: Mapping[str, Any]) -> str:
    """Return "z = [[0], [2]], ε = 1" of what is small enough to be shown."""
    return ", ".join(
        f"{symbol(name)} = {array(value, bare=False)}"
        for name, value in values.items()
        if isinstance(value, int | float | np.ndarray | np.generic)
    )


def places(expected: np.ndarray[Any, Any], got: np.ndarray[Any, Any], wrong: Any) -> str:
    """Say of a large array where it is first wrong, and what stands there."""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    right, yours = pair(expected[index], got[index])
    inside = ", ".join(map(str, index))
    return f"at [{inside}] it should be {right}, and {yours} came"

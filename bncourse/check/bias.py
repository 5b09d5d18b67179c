"""Chapter 3: what a layer forgets when the mean is subtracted, and what the length of w sets."""

from __future__ import annotations

import numpy as np

from bncourse.check.diagnosis import register
from bncourse.check.findings import of_effective_rate
from bncourse.check.pieces import Piece, mistake

EFFECTIVE_RATE = register(
    Piece(
        source="""
def effective_rate(w, learning_rate):
    length_squared = np.sum(w ** 2, axis=1)
    return learning_rate / length_squared
""",
        outputs=("the rate",),
        mistakes=(
            mistake(
                "rate-divided-by-length", "np.sum(w ** 2, axis=1) → np.linalg.norm(w, axis=1)"
            ),
            mistake("whole-array", "np.sum(w ** 2, axis=1) → np.sum(w ** 2) * np.ones(len(w))"),
            mistake("whole-array", "np.sum(w ** 2, axis=1) → np.sum(w ** 2)"),
            mistake("whole-array", "np.sum(w ** 2, axis=1) → np.linalg.norm(w)"),
            mistake("rows-and-columns-swapped", "axis=1 → axis=0"),
            mistake("rate-multiplied", "learning_rate / → learning_rate *"),
            mistake("mean-instead-of-sum", "np.sum( → np.mean("),
            mistake("summed-before-squaring", "np.sum(w ** 2, axis=1) → np.sum(w, axis=1) ** 2"),
            mistake("not-squared", "w ** 2 → w"),
            mistake(
                "fraction-turned",
                "learning_rate / length_squared → length_squared / learning_rate",
            ),
        ),
        witnesses=(
            {"w": np.array([[2.0]]), "learning_rate": 1.0},
            {"w": np.array([[3.0, 4.0]]), "learning_rate": 1.0},
            {"w": np.array([[1.0, 0.0], [3.0, 4.0]]), "learning_rate": 1.0},
            {"w": np.array([[3.0, 4.0]]), "learning_rate": 0.5},
        ),
        findings=of_effective_rate,
    )
)

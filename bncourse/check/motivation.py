"""Chapter 1: put the inputs on one scale."""

from __future__ import annotations

import numpy as np

from bncourse.check.diagnosis import register
from bncourse.check.findings import of_standardize
from bncourse.check.pieces import Piece, mistake
from bncourse.check.symptoms import one_pass_variance

_OWN_MEAN = "x_test.mean(axis=0)"
_OWN_SD = "safe(x_test.std(axis=0))"
_BOTH = "np.concatenate([x_train, x_test])"

STANDARDIZE = register(
    Piece(
        source="""
def standardize(x_train, x_test):
    mu = x_train.mean(axis=0)
    sigma = x_train.std(axis=0)
    safe = lambda s: np.where(s > 0, s, 1.0)
    return (x_train - mu) / safe(sigma), (x_test - mu) / safe(sigma)
""",
        outputs=("x_train", "x_test"),
        mistakes=(
            mistake(
                "test-statistics-from-test-data",
                f"(x_test - mu) / safe(sigma) → (x_test - {_OWN_MEAN}) / {_OWN_SD}",
            ),
            mistake("test-statistics-from-test-data", f"(x_test - mu) → (x_test - {_OWN_MEAN})"),
            mistake(
                "test-statistics-from-test-data",
                f"mu) / safe(sigma)\n → mu) / {_OWN_SD}\n",
            ),
            mistake(
                "statistics-of-both-sets",
                f"x_train.mean(axis=0) → {_BOTH}.mean(axis=0)",
                f"x_train.std(axis=0) → {_BOTH}.std(axis=0)",
            ),
            mistake("test-not-transformed", "(x_test - mu) / safe(sigma) → x_test"),
            mistake(
                "whole-array",
                "x_train.mean(axis=0) → x_train.mean()",
                "x_train.std(axis=0) → x_train.std()",
            ),
            mistake("whole-array", "x_train.mean(axis=0) → x_train.mean()"),
            mistake("whole-array", "x_train.std(axis=0) → x_train.std()"),
            mistake("axis-1", "axis=0 → axis=1"),
            mistake("axis-1", "axis=0 → axis=1, keepdims=True"),
            mistake(
                "axis-1",
                f"(x_test - mu) / safe(sigma) → (x_test - {_OWN_MEAN}) / {_OWN_SD}",
                "axis=0 → axis=1, keepdims=True",
            ),
            mistake("no-root", "x_train.std(axis=0) → x_train.var(axis=0)"),
            mistake("division-by-zero", "np.where(s > 0, s, 1.0) → s"),
            mistake("divided-by-m-minus-1", "x_train.std(axis=0) → x_train.std(axis=0, ddof=1)"),
            mistake("mean-not-subtracted", "(x_train - mu) → x_train", "(x_test - mu) → x_test"),
            mistake("not-divided", " / safe(sigma) → "),
            mistake(
                "epsilon-too-large", "x_train.std(axis=0) → np.sqrt(x_train.var(axis=0) + 1e-5)"
            ),
            mistake("epsilon-too-large", "x_train.std(axis=0) → (x_train.std(axis=0) + 1e-5)"),
            mistake("epsilon-too-large", "x_train.std(axis=0) → (x_train.std(axis=0) + 1e-3)"),
            mistake(
                "outputs-swapped",
                "(x_train - mu) / safe(sigma), (x_test - mu) / safe(sigma) → "
                "(x_test - mu) / safe(sigma), (x_train - mu) / safe(sigma)",
            ),
        ),
        witnesses=(
            {"x_train": np.array([[1.0], [5.0]]), "x_test": np.array([[3.0], [9.0]])},
            {
                "x_train": np.array([[1.0, 2.0], [5.0, 2.0]]),
                "x_test": np.array([[3.0, 2.0], [9.0, 2.0]]),
            },
            {
                "x_train": np.array([[1.0, 0.0], [5.0, 20.0]]),
                "x_test": np.array([[3.0, 30.0], [9.0, 10.0]]),
            },
        ),
        probes=("varied",),
        findings=of_standardize,
        symptoms=one_pass_variance,
    )
)

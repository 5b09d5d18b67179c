"""Chapter 2: normalise a batch, and go back through it; and the other axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from bncourse.check.diagnosis import register
from bncourse.check.findings import of_backward, of_forward
from bncourse.check.pieces import Inputs, Mistake, Piece, mistake
from bncourse.check.symptoms import epsilon_or_one_pass

Array = np.ndarray[Any, Any]

_TWO = np.array([[1.0], [7.0]])

_LINED_UP = "Without `keepdims` the mean of a row is lined up with the columns."
_SIGN = "It is the sign of the path through {} in dz."
_WEIGHT = "It is the path through {}; the one through {} has its right weight."


def _witness(z: Array, gamma: float = 1.0, beta: float = 0.0, epsilon: float = 16.0) -> Inputs:
    """Return inputs of batch norm in which all units have one γ and one β."""
    n = z.shape[1]
    return {"z": z, "gamma": np.full(n, gamma), "beta": np.full(n, beta), "epsilon": epsilon}


def _scale_and_shift() -> tuple[Mistake, ...]:
    """Return the mistakes that batch norm and layer norm share."""
    return (
        mistake("no-epsilon", "var + epsilon → var"),
        mistake("epsilon-minus", "var + epsilon → var - epsilon"),
        mistake("epsilon-outside-root", "np.sqrt(var + epsilon) → (np.sqrt(var) + epsilon)"),
        mistake("epsilon-after-division", "(z - mu) / std → (z - mu) / np.sqrt(var) + epsilon"),
        mistake("sigma-for-variance", "var + epsilon → np.sqrt(var) + epsilon"),
        mistake("epsilon-squared", "var + epsilon → epsilon ** 2 + var"),
        mistake("epsilon-hard-coded", "var + epsilon → var + 1e-5"),
        mistake("epsilon-hard-coded", "var + epsilon → var + 1e-8"),
        mistake("epsilon-hard-coded", "var + epsilon → var + 1e-3"),
        mistake("no-root", "np.sqrt(var + epsilon) → (var + epsilon)"),
        mistake("mean-not-subtracted", "(z - mu) / std → z / std"),
        mistake("mean-not-subtracted", "(z - mu) → z"),
        mistake("variance-not-centred", "np.mean((z - mu) ** 2 → np.mean(z ** 2"),
        mistake("not-divided", "(z - mu) / std → (z - mu)"),
        mistake("multiplied-by-root", "(z - mu) / std → (z - mu) * std"),
        mistake("gamma-beta-swapped", "gamma * z_norm + beta → beta * z_norm + gamma"),
        mistake("gamma-forgotten", "gamma * z_norm → z_norm"),
        mistake("beta-forgotten", "z_norm + beta → z_norm"),
        mistake("beta-inside", "gamma * z_norm + beta → gamma * (z_norm + beta)"),
        mistake("beta-inside", "(z - mu) / std → (z - mu + beta) / std", "z_norm + beta → z_norm"),
        mistake("beta-subtracted", "z_norm + beta → z_norm - beta"),
    )


def _witnesses(turned: bool) -> tuple[Inputs, ...]:
    """Return the small inputs of batch norm, or turned over, those of layer norm."""

    def batch(*columns: list[float]) -> Array:
        return np.array(columns) if turned else np.array(columns).T

    return (
        # σ is 3, σ² 9 and the root 5: no two of them are alike.
        _witness(batch([1, 7.0])),
        _witness(batch([1, 7.0]), gamma=2.0, beta=5.0),
        _witness(batch([1, 1.0, 1.0, 5.0]), gamma=2.0, beta=5.0, epsilon=1.0),
        _witness(batch([1, 7.0], [0, 40.0]), epsilon=16.0),
        _witness(batch([1, 7.0]), epsilon=0.0),
        _witness(batch([2.0, 2.0])),
        _witness(batch([2.0**28, 2.0**28 + 2])),
    )


BATCH_NORM = register(
    Piece(
        source="""
def batch_norm(z, gamma, beta, epsilon):
    mu = z.mean(axis=0)
    var = np.mean((z - mu) ** 2, axis=0)
    std = np.sqrt(var + epsilon)
    z_norm = (z - mu) / std
    z_tilde = gamma * z_norm + beta
    return z_tilde
""",
        outputs=("z̃",),
        first_counts=True,
        mistakes=(
            mistake(
                "divided-by-m-minus-1",
                "np.mean((z - mu) ** 2, axis=0) → np.var(z, axis=0, ddof=1)",
            ),
            mistake("axis-1", "axis=0 → axis=1, keepdims=True"),
            mistake("axis-1", "axis=0 → axis=1", where=_LINED_UP),
            mistake(
                "axis-1",
                "np.mean((z - mu) ** 2, → np.var(z,",
                "axis=0 → axis=1",
                where=_LINED_UP,
            ),
            mistake("axis-1", "z.mean(axis=0) → z.mean(axis=1, keepdims=True)"),
            mistake("axis-1", "** 2, axis=0) → ** 2, axis=1, keepdims=True)"),
            mistake("whole-array", "z.mean(axis=0) → z.mean()", "** 2, axis=0) → ** 2)"),
            mistake(
                "whole-array",
                "z.mean(axis=0) → z.sum() / len(z)",
                "np.mean((z - mu) ** 2, axis=0) → np.sum((z - mu) ** 2) / len(z)",
            ),
            mistake("squared-after-averaging", "(z - mu) ** 2, axis=0) → z - mu, axis=0) ** 2"),
            mistake("whole-array", "z.mean(axis=0) → z.mean()"),
            mistake("whole-array", "np.mean((z - mu) ** 2, axis=0) → z.var()"),
            mistake("whole-array", "** 2, axis=0) → ** 2)"),
            mistake("one-pass-variance", "np.mean((z - mu) ** 2 → -mu ** 2 + np.mean(z ** 2"),
            *_scale_and_shift(),
        ),
        witnesses=_witnesses(turned=False),
        findings=of_forward,
        symptoms=epsilon_or_one_pass,
    )
)

LAYER_NORM = register(
    Piece(
        source="""
def layer_norm(z, gamma, beta, epsilon):
    mu = z.mean(axis=1, keepdims=True)
    var = np.mean((z - mu) ** 2, axis=1, keepdims=True)
    std = np.sqrt(var + epsilon)
    z_norm = (z - mu) / std
    z_tilde = gamma * z_norm + beta
    return z_tilde
""",
        outputs=("z̃",),
        first_counts=True,
        axis=1,
        mistakes=(
            mistake(
                "divided-by-m-minus-1",
                "np.mean((z - mu) ** 2, axis=1, keepdims=True) → "
                "np.var(z, axis=1, keepdims=True, ddof=1)",
            ),
            mistake("axis-0", "axis=1, keepdims=True → axis=0"),
            mistake("axis-0", "z.mean(axis=1, keepdims=True) → z.mean(axis=0)"),
            mistake("axis-0", "** 2, axis=1, keepdims=True) → ** 2, axis=0)"),
            mistake(
                "squared-after-averaging",
                "(z - mu) ** 2, axis=1, keepdims=True) → z - mu, axis=1, keepdims=True) ** 2",
            ),
            mistake("keepdims-forgotten", "axis=1, keepdims=True → axis=1"),
            mistake(
                "keepdims-forgotten",
                "np.mean((z - mu) ** 2, → np.var(z,",
                "axis=1, keepdims=True → axis=1",
            ),
            mistake(
                "whole-array",
                "z.mean(axis=1, keepdims=True) → z.mean()",
                "** 2, axis=1, keepdims=True) → ** 2)",
            ),
            mistake("whole-array", "z.mean(axis=1, keepdims=True) → z.mean()"),
            mistake("whole-array", "np.mean((z - mu) ** 2, axis=1, keepdims=True) → z.var()"),
            mistake("whole-array", "** 2, axis=1, keepdims=True) → ** 2)"),
            mistake("one-pass-variance", "np.mean((z - mu) ** 2 → -mu ** 2 + np.mean(z ** 2"),
            *_scale_and_shift(),
        ),
        witnesses=_witnesses(turned=True),
        findings=of_forward,
        symptoms=epsilon_or_one_pass,
    )
)

BATCH_NORM_BACKWARD = register(
    Piece(
        source="""
def batch_norm_backward(dz_tilde, z, gamma, epsilon):
    mu = z.mean(axis=0)
    var = z.var(axis=0)
    std = np.sqrt(var + epsilon)
    z_norm = (z - mu) / std
    dgamma = np.sum(dz_tilde * z_norm, axis=0)
    dbeta = np.sum(dz_tilde, axis=0)
    through_mu = np.mean(dz_tilde, axis=0)
    through_var = z_norm * np.mean(dz_tilde * z_norm, axis=0)
    dz = gamma / std * (dz_tilde - through_mu - through_var)
    return dz, dgamma, dbeta
""",
        outputs=("dz", "dγ", "dβ"),
        mistakes=(
            mistake("gradient-stopped-at-mean", " - through_mu → "),
            mistake("gradient-stopped-at-variance", " - through_var → "),
            mistake("gradient-stopped-at-both", " - through_mu - through_var → "),
            mistake(
                "gradient-mean-instead-of-sum",
                "np.sum(dz_tilde * z_norm → np.mean(dz_tilde * z_norm",
                "np.sum(dz_tilde, → np.mean(dz_tilde,",
            ),
            mistake(
                "gradient-mean-instead-of-sum",
                "np.sum(dz_tilde * z_norm → np.mean(dz_tilde * z_norm",
            ),
            mistake("gradient-mean-instead-of-sum", "np.sum(dz_tilde, → np.mean(dz_tilde,"),
            mistake(
                "gradient-sum-instead-of-mean",
                "np.mean(dz_tilde, → np.sum(dz_tilde,",
                "np.mean(dz_tilde * → np.sum(dz_tilde *",
                where="Both paths have it.",
            ),
            mistake(
                "gradient-sum-instead-of-mean",
                "np.mean(dz_tilde, → np.sum(dz_tilde,",
                where=_WEIGHT.format("μ", "σ²"),
            ),
            mistake(
                "gradient-sum-instead-of-mean",
                "np.mean(dz_tilde * → np.sum(dz_tilde *",
                where=_WEIGHT.format("σ²", "μ"),
            ),
            mistake("gamma-forgotten", "gamma / std → 1 / std"),
            mistake("gamma-twice", "gamma / std → gamma ** 2 / std"),
            mistake("gamma-twice", "np.sum(dz_tilde * z_norm → np.sum(dz_tilde * gamma * z_norm"),
            mistake(
                "gamma-twice",
                "np.sum(dz_tilde * z_norm → np.sum(dz_tilde * gamma * z_norm",
                "np.sum(dz_tilde, → np.sum(dz_tilde * gamma,",
            ),
            mistake("sign-turned", "- through_mu → + through_mu", where=_SIGN.format("μ")),
            mistake("sign-turned", "- through_var → + through_var", where=_SIGN.format("σ²")),
            mistake(
                "sign-turned",
                "- through_mu - through_var → + through_mu + through_var",
                where="In dz both paths have the sign of the direct one.",
            ),
            mistake("sign-turned", "dz = gamma → dz = -gamma"),
            mistake("sign-turned", "dgamma = np.sum → dgamma = -np.sum"),
            mistake("sign-turned", "dbeta = np.sum → dbeta = -np.sum"),
            mistake("outputs-swapped", "return dz, dgamma, dbeta → return dz, dbeta, dgamma"),
            mistake("not-divided", "gamma / std → gamma"),
            mistake("multiplied-by-root", "gamma / std → gamma * std"),
            mistake("no-root", "gamma / std → gamma / std ** 2"),
            mistake("no-root", "np.sqrt(var + epsilon) → (var + epsilon)"),
            mistake("no-epsilon", "var + epsilon → var"),
            mistake("epsilon-outside-root", "np.sqrt(var + epsilon) → (np.sqrt(var) + epsilon)"),
            mistake("sigma-for-variance", "var + epsilon → np.sqrt(var) + epsilon"),
            mistake("epsilon-hard-coded", "var + epsilon → var + 1e-5"),
            mistake("epsilon-hard-coded", "var + epsilon → var + 1e-8"),
            mistake("divided-by-m-minus-1", "z.var(axis=0) → z.var(axis=0, ddof=1)"),
            mistake("z-instead-of-z-norm", "np.sum(dz_tilde * z_norm → np.sum(dz_tilde * z"),
            mistake("axis-1", "axis=0 → axis=1, keepdims=True"),
            mistake("axis-1", "axis=0 → axis=1"),
            mistake("axis-1", "np.sum(dz_tilde, axis=0) → np.sum(dz_tilde, axis=1)"),
            mistake("whole-array", "axis=0 → axis=None"),
            mistake("whole-array", "z.mean(axis=0) → z.mean()", "z.var(axis=0) → z.var()"),
            mistake(
                "whole-array",
                "np.mean(dz_tilde, axis=0) → np.mean(dz_tilde)",
                "np.mean(dz_tilde * z_norm, axis=0) → np.mean(dz_tilde * z_norm)",
            ),
        ),
        witnesses=(
            {
                "dz_tilde": np.array([[1.0], [0.0]]),
                "z": _TWO,
                "gamma": np.array([2.0]),
                "epsilon": 16.0,
            },
            {
                "dz_tilde": np.array([[1.0], [0.0], [0.0], [0.0]]),
                "z": np.array([[1.0], [1.0], [1.0], [5.0]]),
                "gamma": np.array([2.0]),
                "epsilon": 1.0,
            },
        ),
        findings=of_backward,
        symptoms=epsilon_or_one_pass,
    )
)

"""Chapter 6: averages over batches, and one example at a time."""

from __future__ import annotations

import numpy as np

from bncourse.check.diagnosis import register
from bncourse.check.findings import (
    of_evaluate,
    of_fold,
    of_moving_average,
    of_running_statistics,
    of_total_statistics,
)
from bncourse.check.pieces import Mistake, Piece, mistake
from bncourse.check.symptoms import epsilon_hard_coded, one_pass_variance


def _one(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([value])


_STORED = {"gamma": _one(1.0), "beta": _one(0.0), "mean": _one(4.0), "var": _one(9.0)}
_PART = "That is in the part {} the batches; the other part is weighed."
_SCALED = _STORED | {"gamma": _one(2.0), "beta": _one(5.0)}
_EPSILON = (
    mistake("no-epsilon", "var + epsilon → var"),
    mistake("epsilon-minus", "var + epsilon → var - epsilon"),
    mistake("epsilon-outside-root", "np.sqrt(var + epsilon) → (np.sqrt(var) + epsilon)"),
    mistake("sigma-for-variance", "var + epsilon → np.sqrt(var) + epsilon"),
    mistake("epsilon-hard-coded", "var + epsilon → var + 1e-5"),
    mistake("epsilon-hard-coded", "var + epsilon → var + 1e-8"),
    mistake("no-root", "np.sqrt(var + epsilon) → (var + epsilon)"),
)


def _batch_statistics() -> tuple[Mistake, ...]:
    name, mean, var = (
        "batch-statistics-at-test",
        "z - mean → z - z.mean(axis=0)",
        "var + → z.var(axis=0) +",
    )
    return (
        mistake(name, mean, var),
        mistake(name, mean, var.replace("axis=0", "axis=0, ddof=1")),
        mistake(name, mean),
        mistake(name, var),
    )


EVALUATE = register(
    Piece(
        source="""
def evaluate(z, gamma, beta, mean, var, epsilon):
    std = np.sqrt(var + epsilon)
    z_norm = (z - mean) / std
    z_tilde = gamma * z_norm + beta
    return z_tilde
""",
        outputs=("z̃",),
        first_counts=True,
        mistakes=(
            *_batch_statistics(),
            *_EPSILON,
            mistake("gamma-beta-swapped", "gamma * z_norm + beta → beta * z_norm + gamma"),
            mistake("gamma-forgotten", "gamma * z_norm → z_norm"),
            mistake("beta-forgotten", "z_norm + beta → z_norm"),
            mistake("beta-inside", "gamma * z_norm + beta → gamma * (z_norm + beta)"),
            mistake(
                "beta-inside",
                "(z - mean) / std → (z - mean + beta) / std",
                "z_norm + beta → z_norm",
            ),
            mistake("beta-subtracted", "z_norm + beta → z_norm - beta"),
            mistake("mean-not-subtracted", "(z - mean) → z"),
            mistake("not-divided", "(z - mean) / std → (z - mean)"),
            mistake("multiplied-by-root", "(z - mean) / std → (z - mean) * std"),
            mistake("mean-and-variance-swapped", "(z - mean) → (z - var)", "var + → mean +"),
        ),
        witnesses=(
            {"z": np.array([[7.0]]), **_STORED, "epsilon": 16.0},
            {"z": np.array([[7.0], [9.0]]), **_STORED, "epsilon": 16.0},
            {"z": np.array([[7.0]]), **_SCALED, "epsilon": 16.0},
        ),
        probes=("one example",),
        findings=of_evaluate,
        symptoms=epsilon_hard_coded,
    )
)

FOLD = register(
    Piece(
        source="""
def fold(w, b, gamma, beta, mean, var, epsilon):
    std = np.sqrt(var + epsilon)
    scale = gamma / std
    w_folded = w * scale[:, None]
    b_folded = (b - mean) * scale + beta
    return w_folded, b_folded
""",
        outputs=("w", "b"),
        mistakes=(
            *_EPSILON,
            mistake("rows-and-columns-swapped", "scale[:, None] → scale"),
            mistake("transposed", "w * scale[:, None] → w.T * scale"),
            mistake("bias-not-folded", "(b - mean) * scale + beta → b"),
            mistake(
                "bias-not-scaled",
                "(b - mean) * scale → b - mean * scale",
                where="In yours b is not.",
            ),
            mistake(
                "bias-not-scaled",
                "(b - mean) * scale → b * scale - mean",
                where="In yours the mean is not.",
            ),
            mistake(
                "bias-not-scaled",
                "(b - mean) * scale → (b - mean)",
                where="In yours b − mean is not.",
            ),
            mistake("b-forgotten", "(b - mean) → (0 - mean)"),
            mistake("mean-not-subtracted", "(b - mean) → b"),
            mistake("mean-added", "(b - mean) → (b + mean)"),
            mistake("beta-forgotten", "scale + beta → scale"),
            mistake("beta-subtracted", "scale + beta → scale - beta"),
            mistake("beta-inside", "(b - mean) * scale + beta → (b - mean + beta) * scale"),
            mistake("gamma-forgotten", "gamma / std → 1 / std"),
            mistake(
                "gamma-beta-swapped", "gamma / std → beta / std", "scale + beta → scale + gamma"
            ),
            mistake("not-divided", "gamma / std → gamma"),
            mistake("multiplied-by-root", "gamma / std → gamma * std"),
            mistake("weights-not-scaled", "w * scale[:, None] → w + 0"),
            mistake("outputs-swapped", "w_folded, b_folded\n → b_folded, w_folded\n"),
        ),
        witnesses=(
            {"w": np.array([[2.0]]), "b": _one(9.0), **_STORED, "epsilon": 16.0},
            {"w": np.array([[2.0]]), "b": _one(9.0), **_SCALED, "epsilon": 16.0},
            {
                "w": np.array([[1.0, 2.0], [3.0, 4.0]]),
                "b": np.zeros(2),
                "gamma": np.array([5.0, -10.0]),
                "beta": np.zeros(2),
                "mean": np.zeros(2),
                "var": np.full(2, 9.0),
                "epsilon": 16.0,
            },
        ),
        findings=of_fold,
        symptoms=epsilon_hard_coded,
    )
)

RUNNING_STATISTICS = register(
    Piece(
        source="""
def running_statistics(running_mean, running_var, z, decay):
    batch_mean = z.mean(axis=0)
    unbiased_var = z.var(axis=0, ddof=1)
    new_mean = decay * running_mean + (1 - decay) * batch_mean
    new_var = decay * running_var + (1 - decay) * unbiased_var
    return new_mean, new_var
""",
        outputs=("the mean", "the variance"),
        mistakes=(
            mistake(
                "decay-swapped",
                "decay * running → (1 - d) * running",
                "(1 - decay) * → d *",
                "(1 - d) → (1 - decay)",
                "d * → decay *",
            ),
            mistake(
                "decay-swapped",
                "decay * running_mean + (1 - decay) → (1 - decay) * running_mean + decay",
            ),
            mistake(
                "decay-swapped",
                "decay * running_var + (1 - decay) → (1 - decay) * running_var + decay",
            ),
            mistake("biased-running-variance", "axis=0, ddof=1 → axis=0"),
            mistake("correction-twice", "ddof=1) → ddof=1) * (len(z) / (len(z) - 1))"),
            mistake("correction-turned", "axis=0, ddof=1) → axis=0) * ((len(z) - 1) / len(z))"),
            mistake("running-standard-deviation", "z.var( → z.std("),
            mistake("running-standard-deviation", "z.var(axis=0, ddof=1) → z.std(axis=0)"),
            mistake(
                "running-standard-deviation",
                "return new_mean, new_var → return new_mean, np.sqrt(new_var)",
            ),
            mistake(
                "variance-around-running-mean",
                "unbiased_var\n → np.sum((z - new_mean) ** 2, axis=0) / (len(z) - 1)\n",
            ),
            mistake(
                "variance-around-running-mean",
                "unbiased_var\n → np.mean((z - new_mean) ** 2, axis=0)\n",
            ),
            mistake(
                "variance-around-running-mean",
                "unbiased_var\n → np.mean((z - running_mean) ** 2, axis=0)\n",
            ),
            mistake("axis-1", "axis=0 → axis=1"),
            mistake("whole-array", "z.mean(axis=0) → z.mean()", "axis=0, ddof=1 → ddof=1"),
            mistake("whole-array", "z.mean(axis=0) → z.mean()"),
            mistake("whole-array", "axis=0, ddof=1 → ddof=1"),
            mistake("new-value-not-weighted", "(1 - decay) *  → "),
            mistake(
                "old-value-not-weighted",
                "decay * running_mean → running_mean",
                "decay * running_var → running_var",
            ),
            mistake(
                "old-value-forgotten", "decay * running_mean + → ", "decay * running_var + → "
            ),
            mistake(
                "old-value-forgotten",
                "decay * running_mean + (1 - decay) * → ",
                "decay * running_var + (1 - decay) * → ",
            ),
            mistake("outputs-swapped", "return new_mean, new_var → return new_var, new_mean"),
            mistake(
                "one-pass-variance",
                "z.var(axis=0, ddof=1) → "
                "(np.mean(z ** 2, axis=0) - batch_mean ** 2) * len(z) / (len(z) - 1)",
            ),
        ),
        witnesses=(
            {
                "running_mean": _one(0.0),
                "running_var": _one(1.0),
                "z": np.array([[0.0], [4.0]]),
                "decay": 0.75,
            },
            {
                "running_mean": _one(3.0),
                "running_var": _one(4.0),
                "z": np.array([[0.0], [4.0]]),
                "decay": 0.75,
            },
            {
                "running_mean": np.zeros(2),
                "running_var": np.ones(2),
                "z": np.array([[0.0, 10.0], [4.0, 50.0]]),
                "decay": 0.75,
            },
        ),
        findings=of_running_statistics,
        symptoms=one_pass_variance,
    )
)

MOVING_AVERAGE = register(
    Piece(
        source="""
def moving_average(values, decay):
    averages = []
    v = 0.0
    for t, value in enumerate(values, start=1):
        v = decay * v + (1 - decay) * value
        averages.append(v / (1 - decay ** t))
    return np.array(averages)
""",
        outputs=("the averages",),
        free_dtype=("the averages",),
        mistakes=(
            mistake("decay-swapped", "decay * v + (1 - decay) → (1 - decay) * v + decay"),
            mistake(
                "decay-swapped",
                "decay * v + (1 - decay) → (1 - decay) * v + decay",
                "1 - decay ** t → 1 - (1 - decay) ** t",
            ),
            mistake("no-bias-correction", " / (1 - decay ** t) → "),
            mistake("bias-correction-off-by-one", "decay ** t → decay ** (t - 1)"),
            mistake("bias-correction-off-by-one", "decay ** t → decay ** (t + 1)"),
            mistake(
                "bias-correction-off-by-one",
                "v / (1 - decay ** t) → (v / (1 - decay ** (t - 1)) if t > 1 else v)",
            ),
            mistake("decay-times-t", "decay ** t → decay * t"),
            mistake(
                "corrected-value-kept",
                "averages.append(v / (1 - decay ** t)) → "
                "v = v / (1 - decay ** t); averages.append(v)",
            ),
            mistake("correction-multiplied", "v / (1 - → v * (1 -"),
            mistake("starts-at-first-value", "v = 0.0 → v = values[0]", " / (1 - decay ** t) → "),
            mistake("starts-at-first-value", "v = 0.0 → v = values[0]"),
            mistake("new-value-not-weighted", "(1 - decay) * value → value"),
            mistake(
                "new-value-not-weighted", "(1 - decay) * value → value", " / (1 - decay ** t) → "
            ),
            mistake(
                "first-value-missing",
                "enumerate(values, start=1) → enumerate(values[1:], start=1)",
            ),
        ),
        witnesses=(
            {"values": np.array([4.0, 4.0]), "decay": 0.75},
            {"values": np.array([4.0, 0.0, 8.0]), "decay": 0.75},
        ),
        findings=of_moving_average,
    )
)

TOTAL_STATISTICS = register(
    Piece(
        source="""
def total_statistics(means, variances, sizes):
    weight = sizes / np.sum(sizes)
    mean = weight @ means
    within = weight @ variances
    between = weight @ (means - mean) ** 2
    return mean, within + between
""",
        outputs=("the mean", "the variance"),
        free_dtype=("the mean", "the variance"),
        mistakes=(
            mistake("between-batch-variance-forgotten", "within + between → within"),
            mistake("within-batch-variance-forgotten", "within + between → between"),
            mistake("variances-subtracted", "within + between → within - between"),
            mistake(
                "unweighted-batches", "sizes / np.sum(sizes) → np.ones(len(sizes)) / len(sizes)"
            ),
            mistake("unweighted-batches", "weight @ means → means.mean(axis=0)"),
            mistake(
                "unweighted-batches",
                "weight @ variances → variances.mean(axis=0)",
                where=_PART.format("within"),
            ),
            mistake(
                "unweighted-batches",
                "weight @ (means - mean) ** 2 → ((means - mean) ** 2).mean(axis=0)",
                where=_PART.format("between"),
            ),
            mistake(
                "unweighted-batches",
                "weight @ (means - mean) ** 2 → means.var(axis=0)",
                where=_PART.format("between"),
            ),
            mistake("weights-do-not-add-up", "sizes / np.sum(sizes) → sizes"),
            mistake("weights-do-not-add-up", "sizes / np.sum(sizes) → sizes / len(sizes)"),
            mistake(
                "running-standard-deviation",
                "return mean, within + between → return mean, np.sqrt(within + between)",
            ),
            mistake(
                "running-standard-deviation",
                "weight @ variances → (weight @ np.sqrt(variances)) ** 2",
            ),
            mistake("difference-not-squared", "(means - mean) ** 2 → np.abs(means - mean)"),
            mistake(
                "whole-array", "weight @ means → np.mean(weight @ means) * np.ones(means.shape[1])"
            ),
            mistake(
                "divided-by-m-minus-1",
                "within + between → (within + between) * np.sum(sizes) / (np.sum(sizes) - 1)",
            ),
            mistake(
                "divided-by-m-minus-1",
                "weight @ variances → (sizes - 1) / (np.sum(sizes) - 1) @ variances",
            ),
            mistake(
                "outputs-swapped", "return mean, within + between → return within + between, mean"
            ),
        ),
        witnesses=(
            {
                "means": np.array([[0.0], [4.0]]),
                "variances": np.array([[1.0], [9.0]]),
                "sizes": np.array([1, 3]),
            },
            {
                "means": np.array([[0.0, 1.0], [4.0, 3.0]]),
                "variances": np.array([[1.0, 2.0], [9.0, 0.5]]),
                "sizes": np.array([1, 3]),
            },
        ),
        findings=of_total_statistics,
    )
)

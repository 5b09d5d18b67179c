"""Chapter 3: what a layer forgets when the mean is subtracted, and what the length of w sets."""

from __future__ import annotations

import numpy as np

from bncourse.check.diagnosis import register
from bncourse.check.findings import of_effective_rate
from bncourse.check.pieces import Inputs, Piece, mistake
from bncourse.check.probes import Probe, Setting, strided
from bncourse.check.watching import observe_layer

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
            {"w": np.array([[3.0, 4.0]]), "learning_rate": 0.5},
            {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "learning_rate": 0.5},
            {"w": np.array([[0.1, 0.2]]), "learning_rate": 0.5},
        ),
        findings=of_effective_rate,
    )
)


def _layer_inputs(seed: int, m: int = 6, n: int = 4, dtype: str = "float64") -> Inputs:
    setting = Setting(np.random.default_rng([seed, m, n]), m, n)
    return {
        "x": setting.batch().astype(dtype),
        "dz": setting.rng.normal(size=(m, n)).astype(dtype),
    }


def _layer_probes(seed: int) -> list[Probe]:
    inputs = _layer_inputs(seed, 4, 4)
    return [
        Probe("", _layer_inputs(seed), plain=True),
        Probe("on square arrays", _layer_inputs(seed, 5, 5), plain=True),
        Probe("on two examples", _layer_inputs(seed, 2, 3)),
        Probe("in float32", _layer_inputs(seed, dtype="float32"), tolerance=1e-3),
        Probe(
            "on every second number of larger arrays",
            {name: strided(value) for name, value in inputs.items()},
        ),
    ]


SUBTRACT_MEAN = register(
    Piece(
        source="""
class SubtractMean(Layer):
    def __init__(self, n):
        super().__init__(n, n)
    def _forward(self, x, training):
        return x - x.mean(axis=0)
    def _backward(self, dz):
        return dz - dz.mean(axis=0)
""",
        outputs=("the output", "dx", "the output in evaluation"),
        returns="a Layer",
        mistakes=(
            mistake("gradient-mean-not-subtracted", "dz - dz.mean(axis=0) → dz"),
            mistake("axis-1", "axis=0 → axis=1, keepdims=True"),
            mistake("axis-1", "x.mean(axis=0) → x.mean(axis=1, keepdims=True)"),
            mistake("axis-1", "dz.mean(axis=0) → dz.mean(axis=1, keepdims=True)"),
            mistake("whole-array", "axis=0 → "),
            mistake("whole-array", "x.mean(axis=0) → x.mean()"),
            mistake("whole-array", "dz.mean(axis=0) → dz.mean()"),
            mistake("scaled-too", "x - x.mean(axis=0) → (x - x.mean(axis=0)) / x.std(axis=0)"),
            mistake("evaluation-forgotten", "x - x.mean(axis=0) → x - x.mean(axis=0) * training"),
            mistake("gradient-sum-instead-of-mean", "dz.mean( → dz.sum("),
            mistake("gradient-changed", "dz - dz.mean(axis=0) → np.zeros_like(dz)"),
            mistake("sign-turned", "dz - dz.mean → dz + dz.mean"),
        ),
        witnesses=(
            {"x": np.array([[1.0], [3.0]]), "dz": np.array([[1.0], [0.0]])},
            {
                "x": np.array([[1.0, 10.0], [3.0, 50.0]]),
                "dz": np.array([[1.0, 0.0], [0.0, 2.0]]),
            },
        ),
        observe=observe_layer,
        probes=_layer_probes,
        library=("Layer",),
    )
)

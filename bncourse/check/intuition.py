"""Chapter 5: shake the activations, and nothing else."""

from __future__ import annotations

import numpy as np

from bncourse.check.diagnosis import register
from bncourse.check.pieces import Function, Inputs, Piece, mistake
from bncourse.check.probes import Probe, Setting
from bncourse.check.quarantine import NotUsable, Raised, attempt
from bncourse.check.watching import SHIFT_FACTS, observe_shake, run_shake
from bncourse.check.words import array


def _inputs(seed: int, m: int = 6, n: int = 4, dtype: str = "float64") -> Inputs:
    setting = Setting(np.random.default_rng([seed, m, n]), m, n)
    return {
        "x": setting.batch().astype(dtype),
        "dz": setting.rng.normal(size=(m, n)).astype(dtype),
        "level": float(setting.rng.uniform(0.5, 2.0)),
    }


def _probes(seed: int) -> list[Probe]:
    return [
        Probe("", _inputs(seed), plain=True),
        Probe("on square arrays", _inputs(seed, 5, 5), plain=True),
        Probe("in float32", _inputs(seed, dtype="float32")),
    ]


def _show(cls: Function) -> str:
    """Say what the layer does to three examples of two units, in two steps."""
    x = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]])
    inputs: Inputs = {"x": x, "dz": np.ones_like(x), "level": 0.5}
    np.random.seed(0)  # noqa: NPY002
    given = "With x = [[1, 10], [3, 10], [5, 40]] and level 0.5"
    run = attempt(lambda: run_shake(cls, inputs, 0))
    if isinstance(run, Raised):
        return f"{given}, your layer raised {run.told}."
    if isinstance(run, NotUsable):
        return f"{given}, {run.words} came."
    outputs, dx, evaluated = run
    first, second = (array(np.round(output - x, 3)) for output in outputs[:2])
    text = f"{given}, your layer added {first} in its first step of training, {second} in its "
    text += f"second, and {array(np.round(evaluated - x, 3))} in evaluation"
    sizes = np.abs(outputs - x).max(axis=(1, 2))
    if sizes.max() > 0.5:
        step = int(sizes.argmax())
        text += f"; in step {step + 1} it added {array(np.round(outputs[step] - x, 3))}"
    return f"{text}; of dz = 1 it made {array(np.round(dx, 3))}."


_SHIFT = "self.rng.uniform(-self.level, self.level, size=x.shape[1])"

SHAKE = register(
    Piece(
        source="""
class Shake(Layer):
    def __init__(self, n, level, rng):
        super().__init__(n, n)
        self.level, self.rng = level, rng
    def _forward(self, x, training):
        if not training:
            return x
        shift = self.rng.uniform(-self.level, self.level, size=x.shape[1])
        return x + shift.astype(x.dtype)
    def _backward(self, dz):
        return dz
""",
        outputs=("the shifts",),
        returns="a Layer",
        facts=SHIFT_FACTS,
        mistakes=(
            mistake("shift-per-example", "size=x.shape[1] → size=x.shape"),
            mistake("axis-1", "size=x.shape[1] → size=(len(x), 1)"),
            mistake("whole-array", "size=x.shape[1] → size=1"),
            mistake(
                "same-every-step",
                "level, rng\n → "
                "level, rng\n        self.shift = rng.uniform(-level, level, size=n)\n",
                f"{_SHIFT} → self.shift",
            ),
            mistake("shift-in-evaluation", "if not training → if False"),
            mistake("scaled-too", "x + shift → x * (1 + shift[0]) + shift"),
            mistake("gradient-changed", "return dz → return dz - dz.mean(axis=0)"),
            mistake("gradient-changed", "return dz → return 2 * dz"),
            mistake("global-random-state", "self.rng.uniform → np.random.uniform"),
            mistake(
                "ignores-argument",
                "self.level, self.rng = level, rng → "
                "self.level, self.rng = level, np.random.default_rng(0)",
            ),
            mistake("one-sided", "uniform(-self.level → uniform(0"),
            mistake("beyond-level", "uniform(-self.level, self.level → normal(0, self.level"),
            mistake("beyond-level", "uniform(-self.level, self.level → uniform(-2, 2"),
            mistake(
                "below-level",
                "uniform(-self.level, self.level → uniform(-self.level / 2, self.level / 2",
            ),
            mistake(
                "not-uniform",
                "self.rng.uniform(-self.level, self.level → "
                "self.level * self.rng.choice((-1.0, 1.0)",
            ),
            mistake("no-shift", "x + shift.astype(x.dtype) → x"),
        ),
        observe=observe_shake,
        probes=_probes,
        show=_show,
        separate=True,
        library=("Layer",),
    )
)

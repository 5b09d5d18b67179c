"""Inputs that tell right from wrong, drawn by the names of a function's arguments.

Ones and zeros cancel mistakes: with γ = 1, β = 0 and dz̃ = 1 on normal numbers, half of all wrong
batch norms pass. So everything here is drawn, and one unit always spreads little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bncourse.check.pieces import Inputs, Piece

EPSILON = 0.3
SPREADS = (1.0, 0.05, 1.6, 0.7)


@dataclass(frozen=True)
class Probe:
    """One input, and how it is judged.

    Attributes
    ----------
    words : str
        What is special about it: "a batch of two examples".
    plain : bool
        Whether mistakes are told apart by it.
    tolerance : float
        Of each output's maximum.
    precise : bool
        Whether it is left out for arithmetic that is in float32 anyway.
    """

    words: str
    inputs: Inputs
    plain: bool = False
    tolerance: float = 1e-5
    precise: bool = False


@dataclass
class Setting:
    """What the makers of inputs need to know."""

    rng: np.random.Generator
    m: int = 6
    n: int = 4
    axis: int = 0
    epsilon: float = EPSILON
    dtype: str = "float64"
    kind: str = ""
    offset: float | None = None

    def batch(self, m: int | None = None) -> np.ndarray[Any, Any]:
        """Return a batch whose units (or examples) have different means and spreads."""
        m = self.m if m is None else m
        count, length = (self.n, m) if self.axis == 0 else (m, self.n)
        spread = np.resize(SPREADS, count) * self.rng.uniform(0.8, 1.2, count)
        offset: float | np.ndarray[Any, Any] = self.rng.normal(size=count)
        z = self.rng.normal(size=(length, count))
        # No unit may come out nearly constant, nor nearly alike in mean and spread to another.
        if length > 1:
            z = (z - z.mean(axis=0)) / z.std(axis=0)
        z *= spread
        if self.kind == "constant":
            z[:, 1], offset = 0.0, np.where(np.arange(count) == 1, 2.0, offset)
        if self.kind == "study":
            z, offset = np.round(z / spread * 3 * self.rng.uniform(0.8, 1.6, count)), 1.0
        if self.kind == "narrow":
            z, offset = z / spread * 1e-3, 0.0
        if self.kind == "offset":
            # Multiples of ½: sums of them are exact, in float32 too.
            z = np.round(4 * self.rng.normal(size=z.shape)) / 2
            z[0] = z[1] + 3
        if self.offset is not None:
            offset = self.offset
        z = z + offset
        batch: np.ndarray[Any, Any] = np.ascontiguousarray(z if self.axis == 0 else z.T)
        return batch

    def away_from_zero(self, *shape: int) -> np.ndarray[Any, Any]:
        """Return numbers from ½ to 2 of either sign."""
        values: np.ndarray[Any, Any] = self.rng.uniform(0.5, 2.0, shape)
        values[self.rng.random(shape) < 0.5] *= -1.0
        return values

    def constant_feature(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return features of which one has always the same value."""
        if self.offset is None and self.kind != "varied":
            x[:, -1] = 2.0
        return x


def _small_spread(s: Setting) -> np.ndarray[Any, Any]:
    var: np.ndarray[Any, Any] = s.rng.uniform(0.5, 2.0, s.n) * np.resize(
        (1.0, 1.5 if s.kind == "study" else 0.05, 1.5, 1.0), s.n
    )
    if s.kind == "constant":
        var[1] = 0.0
    return var


def _large_logits(s: Setting) -> np.ndarray[Any, Any]:
    """Return logits of which most labels are at -1000, and one row has nothing else."""
    logits = np.where(np.arange(s.n) == 0, 1000.0, -1000.0) * np.ones((s.m, 1))
    logits[0] = -1000.0
    return logits


MAKERS: dict[str, Callable[[Setting], Any]] = {
    "z": lambda s: s.batch(),
    "x_train": lambda s: s.constant_feature(s.batch()),
    "x_test": lambda s: s.constant_feature(
        s.batch(s.m if s.kind in ("square", "study") else s.m + 2) + s.rng.normal()
    ),
    "gamma": lambda s: s.away_from_zero(s.n) * (1000.0 if s.kind == "large gamma" else 1.0),
    "beta": lambda s: s.away_from_zero(s.n),
    "epsilon": lambda s: s.epsilon,
    "dz_tilde": lambda s: s.rng.normal(size=(s.m, s.n)),
    "decay": lambda s: float(s.rng.uniform(0.55, 0.85)),
    "running_mean": lambda s: s.away_from_zero(s.n),
    "running_var": lambda s: s.rng.uniform(0.5, 2.0, s.n),
    "mean": lambda s: s.away_from_zero(s.n),
    "var": _small_spread,
    "values": lambda s: s.away_from_zero(s.m),
    "means": lambda s: s.away_from_zero(s.m, s.n),
    "variances": lambda s: s.rng.uniform(0.2, 2.0, (s.m, s.n)),
    "sizes": lambda s: s.rng.permutation(np.arange(2, s.m + 2)),
    "w": lambda s: (
        s.away_from_zero(s.n, s.n + (s.kind != "square")) * (0.03 if s.kind == "short w" else 1.0)
    ),
    "b": lambda s: s.away_from_zero(s.n),
    "learning_rate": lambda s: float(s.rng.uniform(0.1, 0.3)),
    "logits": lambda s: (
        _large_logits(s) if s.kind == "large logits" else 1.5 * s.rng.normal(size=(s.m, s.n))
    ),
    "labels": lambda s: s.rng.permutation(np.arange(s.m) % s.n),
}

#: The probes for arrays: words, kind, what else is set, and how they are judged.
Row = tuple[str, str, dict[str, Any], dict[str, Any]]
GENERIC: tuple[Row, ...] = (
    ("", "", {}, {"plain": True}),
    ("on square arrays", "square", {"m": 5, "n": 5}, {"plain": True}),
    ("in float32", "", {"dtype": "float32"}, {"tolerance": 1e-3}),
    ("on every second number of larger arrays", "square", {"m": 4, "n": 4}, {}),
)
BATCH: tuple[Row, ...] = (
    ("on two examples", "", {"m": 2, "n": 3}, {}),
    (
        "on a large offset (2²⁸)",
        "offset",
        {"m": 8, "offset": 2.0**28},
        {"tolerance": 1e-2, "precise": True},
    ),
    (
        "in float32 on an offset of 4096",
        "offset",
        {"m": 8, "offset": 4096.0, "dtype": "float32"},
        {"tolerance": 1e-2},
    ),
)
STABLE: tuple[Row, ...] = (
    ("where one unit is constant", "constant", {"m": 8, "n": 8}, {"plain": True}),
    ("with ε = 0", "", {"epsilon": 0.0}, {}),
    (
        "on a spread of 0.001 with ε = 1e-6",
        "narrow",
        {"m": 5, "n": 5, "epsilon": 1e-6},
        {"plain": True},
    ),
    ("with γ near 1000", "large gamma", {}, {}),
)
SHORT: tuple[Row, ...] = (("where each row of w is short", "short w", {}, {}),)
ONE_EXAMPLE: tuple[Row, ...] = (("on one example", "", {"m": 1}, {}),)
EXTREME: tuple[Row, ...] = (("with logits of ±1000", "large logits", {}, {"plain": True}),)


def make(piece: Piece, setting: Setting) -> Inputs:
    """Draw a value for each argument."""
    inputs = {}
    for name in piece.arguments:
        value = MAKERS[name](setting)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value = value.astype(setting.dtype)
        inputs[name] = value
    return inputs


def study(piece: Piece) -> Inputs:
    """Return inputs of few and short numbers, on which factors and properties are shown."""
    m, n = (4, 2) if piece.axis == 0 else (2, 4)
    setting = Setting(np.random.default_rng(274), m, n, piece.axis, kind="study")
    return {
        name: np.round(value, 1) if np.asarray(value).dtype.kind == "f" else value
        for name, value in make(piece, setting).items()
    }


def strided(value: Any) -> Any:
    """Return the same numbers as a view of every second place of a larger array."""
    if not isinstance(value, np.ndarray):
        return value
    places = tuple(slice(None, None, 2) for _ in value.shape)
    large = np.zeros([2 * k for k in value.shape], value.dtype, order="F")
    large[places] = value
    return large[places]


def probes(piece: Piece, seed: int) -> list[Probe]:
    """Return the inputs that a function of this piece must meet, the plain ones first."""
    if callable(piece.probes):
        return piece.probes(seed)
    names = piece.arguments
    rows = list(GENERIC)
    if names[0] in ("z", "dz_tilde", "x_train") or "running_mean" in names:
        rows += BATCH
    if "epsilon" in names:
        rows += [row for row in STABLE if "z" in names or row[1] != "narrow"]
    if {"w", "learning_rate"} <= set(names):
        rows += SHORT
    if "one example" in piece.probes:
        rows += ONE_EXAMPLE
    if "large logits" in piece.probes:
        rows += EXTREME
    if "varied" in piece.probes:
        rows += [("where every feature varies", "varied", {"m": 5}, {})]
    # Evaluation by stored statistics knows no batch, so none of its own offset or constant unit.
    if "z" in names and "mean" in names:
        rows = [row for row in rows if row[1] != "offset"]
    made = []
    for i, (words, kind, changes, judged) in enumerate(rows):
        setting = Setting(np.random.default_rng([seed, i]), axis=piece.axis, kind=kind, **changes)
        if piece.axis == 1 and kind not in ("square", "narrow") and words != "on two examples":
            setting.m, setting.n = setting.n, setting.m
        inputs = make(piece, setting)
        if "every second" in words:
            inputs = {name: strided(value) for name, value in inputs.items()}
        made.append(Probe(words, inputs, **judged))
    return sorted(made, key=lambda probe: not probe.plain)

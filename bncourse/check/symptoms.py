"""Recognise mistakes whose numbers are not those of one edit, by how they depend on the input."""

from __future__ import annotations

import numpy as np

from bncourse.check.diagnosis import Diagnosis, agree, observe, observe_sealed, upcast
from bncourse.check.probes import Setting, make
from bncourse.check.quarantine import Values
from bncourse.check.words import number

#: What a large constant costs a one-pass variance, c² times the rounding, and nothing else.
_OFFSETS = ((2.0**20, "float64", 1e-7), (256.0, "float32", 1e-3))

Symptom = tuple[str, str]


def one_pass_variance(d: Diagnosis) -> Symptom | None:
    """Recognise a variance whose error grows as the square of an offset."""
    if d.at is None or d.probes[d.at].tolerance != 1e-2:
        return None
    dtype = "float64" if d.probes[d.at].precise else "float32"
    for offset, kind, least in _OFFSETS:
        if kind != dtype:
            continue
        setting = Setting(
            np.random.default_rng(d.seed), m=8, axis=d.piece.axis, dtype=kind, offset=offset
        )
        inputs = make(d.piece, setting)
        expected = observe(d.piece, d.piece.reference, upcast(inputs))
        got = observe_sealed(d.piece, d.f, inputs)
        if not isinstance(got.value, tuple) or agree(expected, got, least):
            return None
    return "one-pass-variance", ""


def epsilon_hard_coded(d: Diagnosis) -> Symptom | None:
    """Recognise an ε of the function's own: with it in the place of ours, all is right."""
    if "epsilon" not in d.piece.arguments or not isinstance(d.observed[0].value, tuple):
        return None
    other = d.ask(epsilon=0.7)
    first = d.observed[0].value
    if other is None or not all(map(np.array_equal, first, other)):
        return None
    if any(x.shape != y.shape for x, y in zip(first, d.right(), strict=True)):
        return None
    value = _implied_epsilon(d, first)
    if value is None:
        return None
    for probe, got in zip(d.probes, d.observed, strict=False):
        inputs = probe.inputs | {"epsilon": value}
        if not agree(observe(d.piece, d.piece.reference, inputs), got, probe.tolerance):
            return None
    text = f"Whatever ε is given, your numbers are those of ε = {number(value, 3)}."
    return "epsilon-hard-coded", text


def _implied_epsilon(d: Diagnosis, got: Values) -> float | None:
    """Return the ε of which the answer speaks.

    What is measured goes as (σ² + ε)^-½ in each of our pieces, so its ratio to what is right
    with ε = 0 gives ε.
    """
    var = _variance(d)
    ratio = _measure(d, d.right(epsilon=0.0)) / _measure(d, got)
    value = float(ratio**2 * var - var)
    return value if value > 1e-14 else None


def _measure(d: Diagnosis, values: Values) -> np.float64:
    """Return a number that is proportional to 1 / √(σ² + ε) of the first unit."""
    match d.piece.name:
        case "batch_norm_backward":
            return np.float64(np.abs(values[1][0]))
        case "fold":
            return np.float64(np.abs(values[0][0]).max())
        case "layer_norm":
            return np.float64(np.std((values[0][0] - d.inputs["beta"]) / d.inputs["gamma"]))
    return np.float64(np.std(values[0][:, 0]))


def _variance(d: Diagnosis) -> float:
    if "var" in d.inputs:
        return float(d.inputs["var"][0])
    z = d.inputs["z"]
    return float(np.var(z[0] if d.piece.axis == 1 else z[:, 0]))


def epsilon_or_one_pass(d: Diagnosis) -> Symptom | None:
    """Recognise an ε of the function's own, or a one-pass variance."""
    return one_pass_variance(d) if _right_on_plain(d) else epsilon_hard_coded(d)


def _right_on_plain(d: Diagnosis) -> bool:
    return d.at is not None and not d.probes[d.at].plain


def log_clipped(d: Diagnosis) -> Symptom | None:
    """Recognise a loss that a constant inside the logarithm keeps below what is right."""
    at = d.at
    if at is None or "±1000" not in d.probes[at].words:
        return None
    expected, got = d.expected[at].value, d.observed[at].value
    if not (isinstance(expected, tuple) and isinstance(got, tuple)) or got[0].shape != ():
        return None
    if not np.isfinite(got[0]) or got[0] >= expected[0] / 2 or got[0] < 0:
        return None
    if not np.allclose(got[1], expected[1], atol=1e-6):
        return None
    highest = number(_highest(d), 3)
    text = f"The largest loss of an example that your function can reach is about {highest}."
    return "log-clipped", text


def _highest(d: Diagnosis) -> float:
    value = observe_sealed(
        d.piece, d.f, {"logits": np.array([[1000.0, -1000.0]]), "labels": np.array([1])}
    ).value
    return float(value[0]) if isinstance(value, tuple) else float("nan")


def rate_ignored(d: Diagnosis) -> Symptom | None:
    """Recognise a step that is as long whatever the rate is."""
    inputs = d.probes[0].inputs
    one = observe_sealed(d.piece, d.f, inputs).value
    two = observe_sealed(d.piece, d.f, inputs | {"learning_rate": 2.0}).value
    if not isinstance(one, tuple) or not isinstance(two, tuple) or not one[1].any():
        return None
    if np.allclose(one[1], two[1], rtol=1e-9, atol=1e-12):
        return "ignores-argument", "Whatever the rate is, θ moves as far."
    return None

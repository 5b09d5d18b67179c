"""Say what was found: the witness first, then the mistake, its cause and its repair."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bncourse.check import words
from bncourse.check.diagnosis import (
    Diagnosis,
    agree,
    observe,
    observe_sealed,
    studied,
    wrong_places,
)
from bncourse.check.findings import of_observed, of_outputs
from bncourse.check.mistakes import said
from bncourse.check.pieces import Inputs, quantities
from bncourse.check.quarantine import NotUsable, Outcome, Raised, final_locals, sealed
from bncourse.check.sections import OF_PIECE, reading

#: Failing properties that are told; more of them only say the same again.
MOST_FINDINGS = 3
#: Names under which readers keep what the reference computes on the way.
ALIASES = {
    "mu": ("mu", "mean", "batch_mean", "m_u", "avg", "mean_z"),
    "var": ("var", "variance", "sigma2", "sigma_squared", "sigma_sq", "batch_var"),
    "std": ("std", "denominator", "root"),
    "sigma": ("sigma", "std", "sd"),
    "z_norm": ("z_norm", "z_hat", "normalized", "normalised", "x_hat", "z_n"),
    "scale": ("scale",),
    "weight": ("weight", "weights"),
    "within": ("within",),
    "between": ("between",),
    "batch_mean": ("batch_mean", "mu", "mean_batch"),
    "length_squared": ("length_squared", "squared_length", "norm_squared"),
    "p": ("p", "probabilities", "softmax", "probs", "y_hat"),
    "dgamma": ("dgamma",),
    "dbeta": ("dbeta",),
}
WHAT_CURES: dict[str, tuple[str, Any]] = {
    "epsilon": ("ε = 0", lambda value: 0.0),
    "beta": ("β = 0", np.zeros_like),
    "gamma": ("γ = 1", np.ones_like),
    "b": ("b = 0", np.zeros_like),
    "mean": ("the stored mean is 0", np.zeros_like),
    "var": ("the stored variance is 1", np.ones_like),
    "running_mean": ("the running mean is 0", np.zeros_like),
    "running_var": ("the running variance is 0", np.zeros_like),
    "sizes": ("all batches are of one size", lambda value: np.full_like(value, 4)),
    "means": ("all batches have the mean 0", np.zeros_like),
    "variances": ("the variance in each batch is 0", np.zeros_like),
    "z": ("each column of z has mean 0", lambda value: value - value.mean(axis=0)),
    "dz_tilde": ("each column of dz̃ adds up to 0", lambda value: value - value.mean(axis=0)),
    "learning_rate": ("the rate is 1", lambda value: 1.0),
}


@dataclass(frozen=True)
class Description:
    """The words of a diagnosis, in the order in which a reader asks for them."""

    seen: str
    question: str
    explanation: str
    repair: str


def describe(d: Diagnosis) -> Description:
    """Put a diagnosis into words."""
    if not d.names:
        return Description(_tried(d), "", "", "")
    inputs, expected, got = _witness(d)
    if d.names[0] in ("wrote-into-input", "wrong-dtype"):
        seen = _manner_seen(d)
    elif d.piece.show is not None and d.at is not None and d.probes[d.at].plain:
        with sealed():
            seen = d.piece.show(d.f)
    else:
        seen = _seen(d, inputs, expected, got)
    if d.names[0] == "unknown":
        return _unknown(d, seen, inputs)
    known = [said(d.piece.name, name) for name in d.names]
    values = _Values(d, inputs)
    whats = [
        f"{k.what.format_map(values)} {d.where.get(name, '')}".strip()
        for name, k in zip(d.names, known, strict=True)
    ]
    start = ""
    if d.partly:
        start = "One mistake is this, and there is another that it hides. "
        whats = [text.replace("On every input your numbers are", "You have") for text in whats]
    elif len(known) > 1 and d.names[0] not in ("wrote-into-input", "wrong-dtype"):
        count = "Two" if len(known) == 2 else str(len(known))
        start = f"{count} mistakes together explain what came. "
        whats = [_one_of_several(i, text) for i, text in enumerate(whats)]
    more = (_kind(d, got), _besides(d))
    explained = " ".join([*whats, *(text for text in more if text)])
    section = known[0].section or OF_PIECE[d.piece.name]
    return Description(
        seen,
        known[0].question.format_map(values),
        start + explained,
        " ".join([k.repair.format_map(values) for k in known] + [f"Read: {reading(section)}"]),
    )


def _one_of_several(i: int, text: str) -> str:
    """Say a mistake's sentence as one of several that hold together."""
    text = text.replace("On every input your numbers are those", "your numbers are those")
    if re.match("[A-Z][a-z ]", text):
        text = text[0].lower() + text[1:]
    return f"{'First' if i == 0 else 'Then'}, {text}"


def _besides(d: Diagnosis) -> str:
    """Say that arguments were written into, where something else is wrong as well."""
    if d.names[0] == "wrote-into-input" or not any(o.wrote for o in d.observed):
        return ""
    return f"Besides, your function changed what it was given as {_written(d)}."


def _written(d: Diagnosis) -> str:
    wrote = {name for outcome in d.observed for name in outcome.wrote}
    return words.listed([words.symbol(name) for name in d.piece.arguments if name in wrote])


class _Values(dict[str, str]):
    """The reader's numbers by name; what is too large to show is said by its shape."""

    def __init__(self, d: Diagnosis, inputs: Inputs) -> None:
        with np.errstate(all="ignore"):
            found = inputs | quantities(d.piece, inputs)
        super().__init__(
            {
                name: words.array(value)
                for name, value in found.items()
                if isinstance(value, int | float | np.ndarray | np.generic)
            }
        )
        if "z" in inputs:
            self["m"] = str(len(inputs["z"]))


def _tried(d: Diagnosis) -> str:
    special = [
        probe.words for i, probe in enumerate(d.probes) if probe.words and i not in d.skipped
    ]
    text = f"{len(d.probes) - len(d.skipped)} kinds of input gave what was expected"
    text = f"{text}, among them those {words.listed(special)}." if special else f"{text}."
    if d.skipped:
        left = words.listed([d.probes[i].words for i in sorted(d.skipped)])
        text += f" Not tried, because your arithmetic is in float32: {left}."
    return text


def _witness(d: Diagnosis) -> tuple[Inputs, Outcome, Outcome]:
    """Return the simplest input on which the answer fails, what is right there, and what came."""
    assert d.names
    candidates = list(d.piece.witnesses)
    if d.piece.observe is None:
        candidates.append(studied(d.piece.name))
    for inputs in candidates:
        with np.errstate(all="ignore"):
            expected = observe(d.piece, d.piece.reference, inputs)
        got = observe_sealed(d.piece, d.f, inputs)
        if not agree(expected, got, 1e-5) and _shows(d.names[0], inputs, expected, got):
            return inputs, expected, got
    at = d.at or 0
    return d.probes[at].inputs, d.expected[at], d.observed[at]


def _shows(name: str, inputs: Inputs, expected: Outcome, got: Outcome) -> bool:
    """Say whether an input shows the mistake that is named: an error, a shape, a γ."""
    right, came = expected.value, got.value
    match name:
        case "raised":
            return isinstance(came, Raised)
        case "returned-none" | "wrong-return":
            return isinstance(came, NotUsable)
        case "wrong-shape":
            return (
                isinstance(right, tuple)
                and isinstance(came, tuple)
                and any(a.shape != b.shape for a, b in zip(right, came, strict=True))
            )
    return not name.startswith(("gamma", "beta")) or inputs["gamma"][0] != 1


def _seen(d: Diagnosis, inputs: Inputs, expected: Outcome, got: Outcome) -> str:
    where = f"With {words.assigned(inputs)}" if _small(inputs) else "On drawn inputs"
    if d.at is not None and not d.probes[d.at].plain:
        where = f"Plain inputs come out right, but not those {d.probes[d.at].words}. {where}"
    if not _small(inputs):
        where += f" ({_shapes(inputs)})"
    on_the_way = _on_the_way(d, inputs) if _small(inputs) else ""
    return f"{where}{on_the_way}: {_difference(d, expected, got)}"


def _small(inputs: Inputs) -> bool:
    sizes = [value.size for value in inputs.values() if isinstance(value, np.ndarray)]
    return max(sizes, default=0) <= words.MOST_NUMBERS


def _shapes(inputs: Inputs) -> str:
    return ", ".join(
        f"{words.symbol(name)} of shape {words.shape(value.shape)}"
        if isinstance(value, np.ndarray)
        else f"{words.symbol(name)} = {words.number(value)}"
        for name, value in inputs.items()
        if isinstance(value, int | float | np.ndarray)
    )


def _on_the_way(d: Diagnosis, inputs: Inputs) -> str:
    """Return the quantities that a pencil needs, those before the result."""
    with np.errstate(all="ignore"):
        found = quantities(d.piece, inputs)
    shown = [
        f"{words.SYMBOLS[name]} is {words.array(found[name])}"
        for name in found
        if name in ("mu", "var", "sigma", "std", "length_squared", "batch_mean", "unbiased_var")
    ]
    return f" ({', '.join(shown)})" if shown else ""


def _difference(d: Diagnosis, expected: Outcome, got: Outcome) -> str:
    """Say what was expected and what came."""
    right, came = expected.value, got.value
    symbols = d.piece.outputs
    assert isinstance(right, tuple)
    if isinstance(came, Raised):
        return f"{_expected(symbols, right)}, and your function raised {came.told}."
    if isinstance(came, NotUsable):
        return f"{_expected(symbols, right)}, and {came.words} came."
    parts, fine = [], []
    for symbol, a, b in zip(symbols, right, came, strict=True):
        if a.shape != b.shape:
            text = f"{symbol} should have the shape {words.shape(a.shape)}, and shape "
            text += f"{words.shape(b.shape)} came"
            if a.ndim > 1 and a.T.shape == b.shape and not wrong_places(a.T, b, 1e-5).any():
                text += " (it is the transpose of what is right)"
            elif a.size == b.size and not wrong_places(a.ravel(), b.ravel(), 1e-5).any():
                text += " (the numbers are right)"
            parts.append(text)
        elif not wrong_places(a, b, 1e-5).any():
            fine.append(symbol)
        elif a.size <= words.MOST_NUMBERS:
            x, y = words.pair(a, b)
            parts.append(f"{symbol} should be {x}, and {y} came")
        else:
            parts.append(f"{symbol}: {words.places(a, b, wrong_places(a, b, 1e-5))}")
    text = "; ".join(parts) or "the numbers agree to five digits and no further"
    if fine and parts:
        text += f"; {words.listed(fine)} {'is' if len(fine) == 1 else 'are'} right here"
    return text + "."


def _expected(symbols: tuple[str, ...], right: tuple[np.ndarray[Any, Any], ...]) -> str:
    shown = [
        f"{symbol} should be {words.array(value, bare=False)}"
        if value.size <= words.MOST_NUMBERS
        else f"{symbol} should have the shape {words.shape(value.shape)}"
        for symbol, value in zip(symbols, right, strict=True)
    ]
    return words.listed(shown)


def _manner_seen(d: Diagnosis) -> str:
    """Say what is wrong with an answer whose values are right."""
    texts = []
    if "wrote-into-input" in d.names:
        changed = _written(d)
        texts.append(f"The values are right, but your function changed what came as {changed}")
    if "wrong-dtype" in d.names:
        texts.append(f"{'' if texts else 'The values are right, but '}{_wrong_dtype(d)}")
    return "; ".join(texts) + "."


def _wrong_dtype(d: Diagnosis) -> str:
    if d.at is not None:
        return "float32 went in and float64 came out"
    for outcome, probe in zip(d.observed, d.probes, strict=True):
        assert isinstance(outcome.value, tuple)
        given = next(
            v.dtype
            for v in probe.inputs.values()
            if isinstance(v, np.ndarray) and v.dtype.kind == "f"
        )
        for symbol, value, listed in zip(
            d.piece.outputs, outcome.value, outcome.listed, strict=True
        ):
            if not listed and symbol not in d.piece.free_dtype and value.dtype != given:
                return f"{given} went in and {symbol} came out as {value.dtype}"
    raise AssertionError("no output of another dtype")


def _kind(d: Diagnosis, got: Outcome) -> str:
    """Add what the kinds of mistakes that any function can make leave open."""
    name = d.names[0]
    arguments = ", ".join(d.piece.arguments)
    first = d.observed[0].value
    if isinstance(first, Raised) and "broadcast" in first.text:
        lead = (
            ""
            if name == "raised"
            else f"On an input of another shape your function raised {first}. "
        )
        return (
            f"{lead}NumPy lines shapes up from the right; two lengths fit where they are equal or "
            "one of them is 1."
        )
    if name == "raised" and isinstance(got.value, Raised):
        if "positional argument" in got.value.text:
            return f"It is called as f({arguments}), by position."
        if got.value.kind == "NameError":
            return "A name has no value there: is it spelled as where it was given one?"
    if name == "wrong-return":
        return f"Expected: {d.piece.returns or words.listed(d.piece.outputs)}."
    if name == "ignores-argument" and d.ignored:
        ignored = words.listed([words.symbol(a) for a in d.ignored])
        verb = "are" if len(d.ignored) > 1 or ignored.endswith("s") else "is"
        text = f"Whatever {ignored} {verb}, what comes is the same"
        if isinstance(first, tuple) and not any(value.any() for value in first):
            return (
                f"{text}: 0. Either a factor is 0 (`//` cuts a share to 0), or it was not filled."
            )
        return f"{text}."
    return ""


def _unknown(d: Diagnosis, seen: str, inputs: Inputs) -> Description:
    """Say what is known of a mistake that has no name: where it shows, and how much."""
    texts = ["This is not a mistake that I know."]
    failing: list[str] = []
    holding: list[str] = []
    basis, cures = None, ""
    plain = d.at is None or d.probes[d.at].plain
    whole = _whole_numbers(d)
    if whole:
        failing = [whole]
    elif plain and isinstance(d.observed[0].value, tuple):
        with np.errstate(all="ignore"):
            failing, holding, basis = _findings(d, inputs)
            cures = _cures(d) if d.piece.observe is None else ""
    where = ""
    if basis is not None and basis is not inputs:
        where = f" with {words.assigned(basis)}" if _small(basis) else " on drawn inputs"
    if failing:
        texts.append(f"What is off{where}: {'; '.join(failing)}.")
    if holding:
        texts.append(f"What is right: {'; '.join(holding)}.")
    if not plain:
        texts.append(
            f"On all plain inputs your function is right; what is special here is an input "
            f"{d.probes[d.at or 0].words}."
        )
    departs = "" if whole else _departs(d, inputs)
    question = departs or "Work through this input with a pencil: where does the code leave it?"
    if failing and not departs:
        start = f"Begin here,{where}" if where else "Begin here"
        question = f"{start}: {failing[0]}. Where in your code does that come from?"
    return Description(
        seen,
        question,
        " ".join(texts),
        " ".join(
            text
            for text in (
                departs,
                cures or "Compare each line with the formula on this input.",
                f"Read: {reading(OF_PIECE[d.piece.name])}",
            )
            if text
        ),
    )


def _whole_numbers(d: Diagnosis) -> str:
    """Say that an output has lost its decimals to an integer dtype, if one has."""
    expected, got = d.expected[d.at or 0].value, d.observed[d.at or 0].value
    if isinstance(expected, tuple) and isinstance(got, tuple):
        for symbol, a, b in zip(d.piece.outputs, expected, got, strict=True):
            if a.dtype.kind == "f" and b.dtype.kind in "iub" and np.abs(a - b).max(initial=0) < 1:
                return f"{symbol} came with the dtype {b.dtype}, which keeps no decimals"
    return ""


def _findings(d: Diagnosis, inputs: Inputs) -> tuple[list[str], list[str], Inputs | None]:
    """Return what is off, what is right on every input that was asked, and where it is off.

    The numbers are those of an input that is shown, where one shows the mistake.
    """
    find = d.piece.findings or (of_observed if d.piece.observe else of_outputs)
    bases: list[Inputs | None] = [None]
    if d.piece.observe is None:
        bases = [studied(d.piece.name), inputs, d.probes[d.at or 0].inputs]
    asked = [(basis, find(replace(d, basis=basis))) for basis in bases]
    off = [(basis, [f for f in found if not f.holds]) for basis, found in asked]
    shown, failing = next(((basis, found) for basis, found in off if found), (None, []))
    telling = [
        finding.words
        for finding in sorted(failing, key=lambda finding: finding.rank)
        if finding.rank < 2 and "NaN" not in finding.words
    ]
    common = set.intersection(*({f.words for f in found if f.holds} for _, found in asked))
    holding = [finding.words for finding in asked[0][1] if finding.words in common]
    return telling[:MOST_FINDINGS], holding[:MOST_FINDINGS], shown


def _cures(d: Diagnosis) -> str:
    """Say with which simple argument the answer becomes right, on every input that is at hand."""
    large = {
        name: 50 * value if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
        for name, value in d.inputs.items()
    }
    tried = [(probe.inputs, probe.tolerance) for probe in d.probes if not probe.precise]
    tried += [(inputs, 1e-5) for inputs in (*d.piece.witnesses, studied(d.piece.name), large)]
    found = []
    for name, (text, change) in WHAT_CURES.items():
        if name in d.piece.arguments and all(
            agree(
                observe(d.piece, d.piece.reference, changed),
                observe_sealed(d.piece, d.f, changed),
                tolerance,
            )
            for inputs, tolerance in tried
            for changed in (inputs | {name: change(inputs[name])},)
        ):
            found.append(text)
    if not found:
        return ""
    return (
        f"Your function is right as soon as {words.listed(found, 'or')}: look where that comes in."
    )


def _departs(d: Diagnosis, inputs: Inputs) -> str:
    """Say which of the reader's own variables first holds something else, if names tell."""
    if d.piece.observe is not None:
        return ""
    with np.errstate(all="ignore"):
        right = quantities(d.piece, inputs)
    with sealed():
        mine = final_locals(d.f, inputs)
    for name, value in right.items():
        for alias in ALIASES.get(name, ()):
            if alias not in mine or alias in inputs or np.size(mine[alias]) != np.size(value):
                continue
            a, b = np.ravel(np.asarray(value, float)), np.ravel(np.asarray(mine[alias], float))
            if wrong_places(a, b, 1e-5).any() and a.size <= words.MOST_NUMBERS:
                x, y = words.pair(value, mine[alias], bare=True)
                return (
                    f"Here {words.symbol(name)} is {x}, and your `{alias}` ends as {y}: "
                    "is it meant to be that?"
                )
            break
    return ""

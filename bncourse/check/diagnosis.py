"""Which mistake explains what a function does: the catalogue first, and no guess where none fits.

A name is given only where an edit of the reference behaves as the answer does on every plain
probe: the same values (NaN equals NaN), or an exception of the same type and text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from bncourse.check.pieces import Function, Inputs, Mistake, Piece
from bncourse.check.probes import Probe, probes, study
from bncourse.check.quarantine import (
    NotUsable,
    Outcome,
    Raised,
    call,
    read,
    refuses_arguments,
    sealed,
)
from bncourse.check.words import symbol

#: Relative error on plain float64 input above which the arithmetic is taken to be in float32.
FLOAT32_ARITHMETIC = 1e-10
ROUNDING = 1e-9


def observe(piece: Piece, f: Function, inputs: Inputs) -> Outcome:
    """Return what comes of the function on these inputs."""
    if piece.observe is not None:
        seen: Outcome = piece.observe(f, inputs)
        return seen
    result, wrote = call(f, inputs)
    outcome = read(result, piece.outputs, piece.first_counts)
    return Outcome(outcome.value, outcome.listed, wrote)


def wrong_places(
    expected: np.ndarray[Any, Any], got: np.ndarray[Any, Any], tolerance: float
) -> np.ndarray[Any, Any]:
    """Say of each number whether it is off; the shapes must agree."""
    finite = np.isfinite(expected)
    scale = float(np.abs(expected[finite]).max()) if finite.any() else 0.0
    wrong: np.ndarray[Any, Any] = ~(np.abs(got - expected) <= tolerance * scale + ROUNDING)
    same: np.ndarray[Any, Any] = (got == expected) | (np.isnan(got) & np.isnan(expected))
    wrong &= ~same
    return wrong


def agree(expected: Outcome, got: Outcome, tolerance: float) -> bool:
    """Say whether two outcomes are the same: values, or an exception's type and text."""
    a, b = expected.value, got.value
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(
            x.shape == y.shape and not wrong_places(x, y, tolerance).any()
            for x, y in zip(a, b, strict=True)
        )
    if isinstance(a, Raised) and isinstance(b, Raised):
        return (a.kind, a.text) == (b.kind, b.text)
    return isinstance(a, NotUsable) and a == b


def upcast(inputs: Inputs) -> Inputs:
    """Return the inputs in float64, in which what is expected is computed."""
    return {
        name: value.astype(np.float64)
        if isinstance(value, np.ndarray) and value.dtype == np.float32
        else value
        for name, value in inputs.items()
    }


@lru_cache(maxsize=64)
def prepared(piece_name: str, seed: int) -> tuple[list[Probe], list[Outcome]]:
    """Return the probes of a piece and what is expected on each."""
    piece = _PIECES[piece_name]
    found = probes(piece, seed)
    return found, [observe(piece, piece.reference, upcast(probe.inputs)) for probe in found]


@lru_cache(maxsize=64)
def studied(piece_name: str) -> Inputs:
    """Return the input of few and short numbers on which a piece is looked into."""
    return study(_PIECES[piece_name])


@lru_cache(maxsize=4096)
def _catalogued(piece_name: str, seed: int, index: int) -> list[Outcome]:
    piece = _PIECES[piece_name]
    plain = [probe for probe in prepared(piece_name, seed)[0] if probe.plain]
    program = piece.program(piece.mistakes[index])
    return [observe(piece, program, probe.inputs) for probe in plain]


def catalogue(piece_name: str, seed: int) -> Iterator[tuple[Mistake, list[Outcome]]]:
    """Yield each catalogued mistake and its outcomes on the plain probes, once computed."""
    for index, known in enumerate(_PIECES[piece_name].mistakes):
        yield known, _catalogued(piece_name, seed, index)


@lru_cache(maxsize=64)
def unseen(piece_name: str, seed: int) -> frozenset[Mistake]:
    """Return the mistakes that no plain probe shows, such as a one-pass variance.

    Plain probes can't tell that one is there, and so can't name it beside another.
    """
    _, expected = prepared(piece_name, seed)
    return frozenset(
        known
        for known, outcomes in catalogue(piece_name, seed)
        if all(agree(a, b, 1e-5) for a, b in zip(expected, outcomes, strict=False))
    )


@dataclass(frozen=True)
class Pair:
    """A program with two mistakes at once, and its outcome on the first probe.

    `where` has, by name, what is said of the mistakes that plain probes can show.
    """

    where: dict[str, str]
    program: Function
    first: Outcome
    glance: float


def glance(outcome: Outcome) -> float:
    """Return one number of an outcome: where two differ in it, so do the outcomes."""
    if not isinstance(outcome.value, tuple):
        return float("nan")
    return float(sum(np.abs(value).sum() for value in outcome.value))


def far_apart(a: float, b: float) -> bool:
    """Say whether two glances are surely those of different outcomes; NaN never is."""
    return abs(a - b) > 1e-3 * max(abs(a), abs(b)) + 1e-6


@lru_cache(maxsize=64)
def pairs(piece_name: str, seed: int) -> list[Pair]:
    """Return the programs with two mistakes at once."""
    piece = _PIECES[piece_name]
    inputs = prepared(piece_name, seed)[0][0].inputs
    made = []
    for both, f in piece.pairs():
        outcome = observe(piece, f, inputs)
        shown = [known for known in both if known not in unseen(piece_name, seed)]
        made.append(Pair({k.name: k.where for k in shown}, f, outcome, glance(outcome)))
    return made


_PIECES: dict[str, Piece] = {}


def register(piece: Piece) -> Piece:
    """Make a piece known by its name."""
    _PIECES[piece.name] = piece
    return piece


def registered(name: str) -> Piece:
    """Return the piece of that name."""
    return _PIECES[name]


@dataclass
class Diagnosis:
    """What was found of one answer.

    Attributes
    ----------
    names : tuple of str
        The identifiers of the mistakes, none where the answer is right.
    at : int or None
        Which probe failed first.
    where : dict
        By name, the sentence that a symptom or a variant of a mistake adds.
    ignored : tuple of str
        The arguments that change nothing.
    partly : bool
        Whether there is a second mistake, of which several are possible.
    skipped : set of int
        The probes that were left out.
    basis : dict, optional
        The input on which the answer is asked, if another than the first probe.
    """

    piece: Piece
    f: Function
    seed: int
    probes: list[Probe]
    expected: list[Outcome]
    observed: list[Outcome]
    names: tuple[str, ...] = ()
    at: int | None = None
    where: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    partly: bool = False
    skipped: set[int] = field(default_factory=set)
    basis: Inputs | None = None

    def ask(self, **changes: Any) -> tuple[np.ndarray[Any, Any], ...] | None:
        """Return the answer's values on the input with some arguments changed."""
        return self._values(self.f, changes)

    def right(self, **changes: Any) -> tuple[np.ndarray[Any, Any], ...]:
        """Return what is right there."""
        values = self._values(self.piece.reference, changes)
        assert values is not None
        return values

    def _values(self, f: Function, changes: Inputs) -> tuple[np.ndarray[Any, Any], ...] | None:
        value = observe_sealed(self.piece, f, self.inputs | changes).value
        if not isinstance(value, tuple) or any(np.iscomplexobj(array) for array in value):
            return None
        return tuple(array.astype(float) for array in value)

    @property
    def inputs(self) -> Inputs:
        """The input on which the answer is asked: the generic one, unless there is a basis."""
        return self.probes[0].inputs if self.basis is None else self.basis


def observe_sealed(piece: Piece, f: Function, inputs: Inputs) -> Outcome:
    """Return what comes of a reader's function, which leaves no state behind."""
    with sealed():
        return observe(piece, f, inputs)


def diagnose(piece: Piece, f: Function, seed: int) -> Diagnosis:
    """Find which mistake, or which two, explain what the function does."""
    found, expected = prepared(piece.name, seed)
    d = Diagnosis(piece, f, seed, found, expected, [])
    if refuses_arguments(f, len(piece.arguments)):
        d.observed = [observe_sealed(piece, f, found[0].inputs)]
        d.names, d.at = ("raised",), 0
        return d
    d.observed = [observe_sealed(piece, f, probe.inputs) for probe in found if probe.plain]
    wrong = _first_wrong(d)
    if wrong is not None:
        d.at = wrong
        d.names = tuple(_named_by_plain_probes(d))
        return d
    in_float32 = max(_errors(d)) > FLOAT32_ARITHMETIC
    for i in range(len(d.observed), len(found)):
        if found[i].precise and in_float32:
            d.skipped.add(i)
        d.observed.append(
            expected[i] if i in d.skipped else observe_sealed(piece, f, found[i].inputs)
        )
    d.at = _first_wrong(d)
    d.names = tuple(_named_otherwise(d) if d.at is not None else _manners(d))
    return d


def _errors(d: Diagnosis) -> Iterator[float]:
    """Yield the largest relative error on each plain probe that is in float64."""
    for a, b in zip(d.expected, d.observed, strict=False):
        assert isinstance(a.value, tuple)
        assert isinstance(b.value, tuple)
        for x, y in zip(a.value, b.value, strict=True):
            scale = np.nanmax(np.abs(x), initial=0.0)
            yield float(np.nanmax(np.abs(y - x), initial=0.0) / scale) if scale else 0.0


def _first_wrong(d: Diagnosis) -> int | None:
    for i, got in enumerate(d.observed):
        if not agree(d.expected[i], got, d.probes[i].tolerance):
            return i
    return None


def _manners(d: Diagnosis) -> Iterator[str]:
    """Yield what is wrong with an answer whose values are right."""
    if any(outcome.wrote for outcome in d.observed):
        yield "wrote-into-input"
    if any(
        not listed and symbol not in d.piece.free_dtype and value.dtype != _dtype(probe)
        for outcome, probe in zip(d.observed, d.probes, strict=True)
        if isinstance(outcome.value, tuple)
        for symbol, value, listed in zip(
            d.piece.outputs, outcome.value, outcome.listed, strict=True
        )
    ):
        yield "wrong-dtype"


def _dtype(probe: Probe) -> np.dtype[Any]:
    return next(
        value.dtype
        for value in probe.inputs.values()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    )


def _matches(d: Diagnosis, outcomes: list[Outcome]) -> bool:
    return all(
        agree(mine, got, probe.tolerance)
        for mine, got, probe in zip(outcomes, d.observed, d.probes, strict=False)
    )


def _named_by_plain_probes(d: Diagnosis) -> Iterator[str]:
    piece = d.piece
    for known, outcomes in catalogue(piece.name, d.seed):
        if _matches(d, outcomes):
            d.where = {known.name: known.where}
            yield known.name
            return
    symptom = piece.symptoms(d) if piece.symptoms is not None else None
    symptom = symptom or _outputs_swapped(d)
    if symptom is not None:
        yield _with_where(d, *symptom)
        return
    found = list(_facts_that_explain(d) if piece.separate else _pairs_that_explain(d))
    common = [name for name in found[0] if all(name in names for names in found)] if found else []
    d.partly = len(common) == 1 and len(found[0]) > 1
    if common:
        d.where = found[0] if len(found) == 1 else {}
        yield from common
        return
    swapped = _arguments_swapped(d)
    yield _with_where(d, "arguments-swapped", swapped) if swapped else _named_by_kind(d)


def _with_where(d: Diagnosis, name: str, sentence: str) -> str:
    d.where = {name: sentence}
    return name


def _right_if(d: Diagnosis, f: Function) -> bool:
    """Say whether a function made of the answer is right on all plain probes."""
    return all(
        agree(expected, observe_sealed(d.piece, f, probe.inputs), probe.tolerance)
        for expected, probe in zip(d.expected, d.probes, strict=True)
        if probe.plain
    )


def _outputs_swapped(d: Diagnosis) -> tuple[str, str] | None:
    """Recognise results that are right, but in another order, or not in the place that counts."""
    piece, count = d.piece, len(d.piece.outputs)
    values = [outcome.value for outcome in d.observed]
    if piece.observe is not None or not all(isinstance(value, tuple) for value in values):
        return None
    for order in itertools.permutations(range(count)) if count > 1 else ():
        turned = [Outcome(tuple(value[i] for i in order)) for value in values]  # type: ignore[index]
        if all(agree(*both, 1e-5) for both in zip(d.expected, turned, strict=False)):
            names = [piece.outputs[order.index(i)] for i in range(count)]
            return "outputs-swapped", f"Yours are {', '.join(names)}."
    result: Any = ()
    if piece.first_counts:
        with sealed():
            result, _ = call(d.f, d.inputs)
    for place in range(1, len(result) if isinstance(result, tuple) else 0):
        if _right_if(d, lambda *arguments, place=place: d.f(*arguments)[place]):
            text = f"Of your {len(result)} results number {place + 1} is the right one."
            return "outputs-swapped", f"{text} Of several results the first counts."
    return None


def _arguments_swapped(d: Diagnosis) -> str:
    """Say which two arguments are in each other's place, if that makes all right."""
    names = d.piece.arguments
    if d.piece.observe is not None:
        return ""
    for i, j in itertools.combinations(range(len(names)), 2):

        def f(*arguments: Any, i: int = i, j: int = j) -> Any:
            given = list(arguments)
            given[i], given[j] = given[j], given[i]
            return d.f(*given)

        if _right_if(d, f):
            return f"With {symbol(names[i])} and {symbol(names[j])} exchanged, all is right."
    return ""


def _facts_that_explain(d: Diagnosis) -> Iterator[dict[str, str]]:
    """Yield the names of the mistakes whose facts are, together, those of the answer."""
    right, got = d.expected[0].value, d.observed[0].value
    if not isinstance(right, tuple) or not isinstance(got, tuple):
        return
    off = {i for i, (a, b) in enumerate(zip(right[0], got[0], strict=True)) if a != b}
    found: dict[str, set[int]] = {}
    for known, outcomes in catalogue(d.piece.name, d.seed):
        value = outcomes[0].value
        if isinstance(value, tuple):
            facts = {i for i, (a, b) in enumerate(zip(right[0], value[0], strict=True)) if a != b}
            if facts <= off and all(value[0][i] == got[0][i] for i in facts):
                found[known.name] = found.get(known.name, set()) | facts
    # Where a mistake's facts are a part of another's, the other says more.
    names = [n for n, facts in found.items() if not any(facts < more for more in found.values())]
    if names and set().union(*(found[name] for name in names)) == off:
        yield dict.fromkeys(names, "")


def _pairs_that_explain(d: Diagnosis) -> Iterator[dict[str, str]]:
    """Yield each two mistakes, by name, that together do what the answer does."""
    piece, others = d.piece, [probe for probe in d.probes if probe.plain][1:]
    mine = glance(d.observed[0])
    for pair in pairs(piece.name, d.seed):
        if far_apart(mine, pair.glance):
            continue
        if agree(pair.first, d.observed[0], d.probes[0].tolerance) and all(
            agree(observe(piece, pair.program, probe.inputs), got, probe.tolerance)
            for probe, got in zip(others, d.observed[1:], strict=False)
        ):
            yield pair.where


def _named_by_kind(d: Diagnosis) -> str:
    """Name what is wrong with the first outcome that is, whatever its cause."""
    assert d.at is not None
    got, expected = d.observed[d.at].value, d.expected[d.at].value
    if isinstance(got, Raised):
        # A layer's own door refuses another dtype; the values are right.
        return "wrong-dtype" if "float32" in d.probes[d.at].words and _of_dtype(got) else "raised"
    if isinstance(got, NotUsable):
        if got.endless:
            return "unknown"
        return "returned-none" if got.none else "wrong-return"
    assert isinstance(expected, tuple)
    if any(x.shape != y.shape for x, y in zip(expected, got, strict=True)):
        return "wrong-shape"
    d.ignored = tuple(_ignored(d))
    return "ignores-argument" if d.ignored else "unknown"


def _of_dtype(raised: Raised) -> bool:
    return "and dtype float32, got" in raised.text and "dtype float64" in raised.text


def _ignored(d: Diagnosis) -> Iterator[str]:
    """Yield the arguments that change nothing where they should."""
    if d.piece.observe is not None:
        return
    base = d.ask()
    if base is None:
        return
    others = [probes(d.piece, d.seed + more)[0].inputs for more in (1, 2, 3)]
    for name in d.piece.arguments:
        values = [other[name] for other in others]
        if isinstance(values[0], float):
            # A number may be rounded on the way, so it is also tried far from where it was.
            values += [values[0] / 2, values[0] / 5]
        found = [d.ask(**{name: value}) for value in values]
        if all(got is not None and all(map(np.array_equal, base, got)) for got in found):
            yield name


def _named_otherwise(d: Diagnosis) -> Iterator[str]:
    """Yield the name of what shows on other than plain probes."""
    symptom = d.piece.symptoms(d) if d.piece.symptoms is not None else None
    if symptom is not None:
        yield _with_where(d, *symptom)
        return
    name = _named_by_kind(d)
    d.ignored = ()
    yield "unknown" if name == "ignores-argument" else name

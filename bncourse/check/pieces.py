"""A piece that the reader writes: its reference as source text, its mistakes as edits of it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

Inputs = dict[str, Any]
Function = Callable[..., Any]


@dataclass(frozen=True)
class Mistake:
    """One way to be wrong: edits of the reference, each written "old → new".

    Attributes
    ----------
    name : str
        The identifier. Several mistakes of a piece may share it.
    edits : tuple of str
        Applied one after the other; all occurrences are replaced.
    where : str
        A sentence on which part is meant, where the name leaves that open.
    """

    name: str
    edits: tuple[str, ...]
    where: str = ""

    def apply(self, source: str) -> str | None:
        """Return the edited source, or None where a part to be replaced is not in it."""
        for edit in self.edits:
            old, new = edit.split(" → ")
            if old not in source:
                return None
            source = source.replace(old, new)
        return source


def mistake(name: str, *edits: str, where: str = "") -> Mistake:
    """Return a mistake: `mistake("no-root", "np.sqrt(var) → var")`."""
    return Mistake(name, edits, where)


@dataclass(frozen=True)
class Piece:
    """What is known of one function of the reader's.

    Attributes
    ----------
    source : str
        The reference, a function (or a class) whose arguments' names say what inputs to draw.
    outputs : tuple of str
        The symbol of each thing that it returns.
    mistakes : tuple of Mistake
    witnesses : tuple of dict
        Inputs small enough to check by hand, the simplest first.
    axis : int
        Along which the statistics of `z` are taken.
    first_counts : bool
        Whether of a tuple the first item counts.
    free_dtype : tuple of str
        Outputs that may have any dtype.
    observe : callable, optional
        How the function is watched, where one call with the inputs is not enough.
    probes : tuple of str or callable
        The kinds of inputs that it must meet, besides those that the arguments' names imply; or
        what makes all of them, from a seed.
    show : callable, optional
        Says in words what the function does on a small input, where numbers alone don't.
    findings : callable, optional
        Tells properties and factors, where no name fits.
    symptoms : callable, optional
        Recognises the mistakes whose numbers are not those of one edit.
    returns : str
        What it returns, in words, where the outputs' symbols don't say it.
    facts : tuple of str
        What each observed fact is about, where facts are observed.
    separate : bool
        Whether what is observed are separate facts, each of which speaks for itself; then two
        mistakes are known by the facts of both, with no need to try all pairs.
    library : tuple of str
        Names of `bncourse` that the source uses.
    """

    source: str
    outputs: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    witnesses: tuple[Inputs, ...] = ()
    axis: int = 0
    first_counts: bool = False
    free_dtype: tuple[str, ...] = ()
    observe: Callable[[Function, Inputs], Any] | None = None
    probes: tuple[str, ...] | Callable[[int], list[Any]] = ()
    show: Callable[[Function], str] | None = None
    findings: Callable[..., Any] | None = None
    symptoms: Callable[..., Any] | None = None
    returns: str = ""
    facts: tuple[str, ...] = ()
    separate: bool = False
    library: tuple[str, ...] = ()
    arguments: tuple[str, ...] = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        node = ast.parse(self.source).body[0]
        assert isinstance(node, ast.FunctionDef | ast.ClassDef)
        object.__setattr__(self, "name", node.name)
        if isinstance(node, ast.ClassDef):
            node = next(n for n in node.body if isinstance(n, ast.FunctionDef))
        names = [a.arg for a in node.args.args if a.arg != "self"]
        object.__setattr__(self, "arguments", tuple(names))

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The names of the mistakes, each once."""
        return tuple(dict.fromkeys(mistake.name for mistake in self.mistakes))

    @property
    def reference(self) -> Function:
        """The right function."""
        return compiled(self.source, self.library)

    def program(self, known: Mistake) -> Function:
        """Return the function of a mistake."""
        source = known.apply(self.source)
        assert source is not None, f"{known} does not apply to {self.name}"
        return compiled(source, self.library)

    def programs(self) -> Iterator[tuple[str, Function]]:
        """Yield the name and the function of each mistake."""
        for known in self.mistakes:
            yield known.name, self.program(known)

    def pairs(self) -> Iterator[tuple[tuple[Mistake, Mistake], Function]]:
        """Yield each two mistakes, and the function in which both are made at once."""
        seen = {self.source, *(m.apply(self.source) for m in self.mistakes)}
        for first in self.mistakes:
            once = first.apply(self.source)
            for second in self.mistakes:
                if first.name == second.name or once is None:
                    continue
                twice = second.apply(once)
                if twice is not None and twice not in seen:
                    seen.add(twice)
                    yield (first, second), compiled(twice, self.library)


@cache
def compiled(source: str, library: tuple[str, ...] = ()) -> Function:
    """Return the function or class that the source defines."""
    names: dict[str, Any] = {"np": np}
    if library:
        import bncourse

        names |= {name: getattr(bncourse, name) for name in library}
    before = set(names)
    exec(compile(source, "<bncourse.check>", "exec"), names)
    (made,) = set(names) - before - {"__builtins__"}
    function: Function = names[made]
    return function


@cache
def _with_locals(source: str) -> Function:
    """Return the function of the source, made to return its local variables instead."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Return):
            node.value = ast.Call(ast.Name("locals", ast.Load()), [], [])
    return compiled(ast.unparse(ast.fix_missing_locations(tree)))


def quantities(piece: Piece, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the reference computes on the way, by the names in its source."""
    if piece.library or not piece.source.lstrip().startswith("def"):
        return {}
    found: dict[str, Any] = _with_locals(piece.source)(**inputs)
    return {name: value for name, value in found.items() if name not in inputs}

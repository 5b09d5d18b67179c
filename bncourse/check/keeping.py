"""Keep what a reader wrote in a file of their own, so that a later notebook can import it."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from bncourse.check.diagnosis import registered

HEADER = "# What you wrote and kept with `keep`. Import it: from my_layer import …\n"
#: What stands in a gap that nobody has filled, as `tools/practice.py` writes it.
OPEN_GAP = "Your code is missing here"


def keep(*pieces: Callable[..., Any], path: str | Path = "my_layer.py") -> None:
    """Write functions and classes that you defined into a file, with what they need.

    Imports, constants and functions of yours that they use come along. A piece that is there
    already is replaced; the others stay.

    Parameters
    ----------
    *pieces : callable
        Functions and classes, defined in a notebook or in a file.
    path : str or Path
        The file to write, beside the notebook unless it says otherwise.

    Raises
    ------
    TypeError
        If a piece is not a function or a class that was defined in Python.
    ValueError
        If a piece uses something that can't be written down, or if there is a file of another
        kind at ``path``. Then nothing is written.
    """
    path = Path(path)
    imports, kept = _read(path)
    for piece in pieces:
        _add(piece, imports, kept)
    blocks = ["".join(f"{line}\n" for line in sorted(imports)), *kept.values()]
    path.write_text(HEADER + "\n" + "\n\n".join(b for b in blocks if b), encoding="utf-8")
    print(f"{path} holds: {', '.join(kept)}")


def _read(path: Path) -> tuple[set[str], dict[str, str]]:
    """Return the imports and the definitions that a file of this kind holds."""
    if not path.exists():
        return set(), {}
    text = path.read_text(encoding="utf-8")
    if not text.startswith(HEADER):
        raise ValueError(f"path: expected a file that `keep` wrote, got {path}; rename it")
    imports, kept = set(), {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.add(_lines(text, node).rstrip())
        else:
            kept[_name(node)] = _lines(text, node)
    return imports, kept


def _name(node: ast.AST) -> str:
    """Return what a definition or an assignment defines."""
    found = getattr(node, "name", None) or next(
        n.id for n in ast.walk(node) if isinstance(n, ast.Name)
    )
    return str(found)


def _lines(text: str, node: ast.stmt) -> str:
    """Return a statement as it was written, decorators and comments within it included."""
    first = min(n.lineno for n in (node, *getattr(node, "decorator_list", ())))
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno]) + "\n"


def _add(piece: Any, imports: set[str], kept: dict[str, str]) -> None:
    """Add a piece, and first what it uses."""
    code = next(iter(_functions(piece)), None)
    if code is None:
        raise TypeError(f"keep: expected a function or a class of yours, got {piece!r}")
    text = "".join(linecache.getlines(code.__code__.co_filename))
    node = next(
        (n for n in reversed(ast.parse(text).body) if getattr(n, "name", None) == piece.__name__),
        None,
    )
    if node is None:
        raise ValueError(f"keep: expected a piece that a cell defines, got {piece.__name__}")
    kept.pop(piece.__name__, None)
    used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {piece.__name__}
    for name in sorted(used & set(code.__globals__)):
        value = code.__globals__[name]
        if isinstance(value, ModuleType):
            imports.add(f"import {value.__name__} as {name}")
        elif getattr(value, "__module__", piece.__module__) != piece.__module__:
            imports.add(f"from {value.__module__} import {value.__name__} as {name}")
        elif inspect.isclass(value) or inspect.isfunction(value):
            _add(value, imports, kept)
        elif isinstance(value, bool | int | float | str):
            kept[name] = f"{name} = {value!r}\n"
        else:
            raise ValueError(
                f"keep: {piece.__name__} uses {name}, which can't be written down; "
                "expected it among the arguments"
            )
    kept[piece.__name__] = _lines(text, node)


def _functions(piece: Any) -> list[FunctionType]:
    """Return the piece itself, or the functions that a class defines."""
    if inspect.isfunction(piece):
        return [piece]
    return (
        [f for f in vars(piece).values() if inspect.isfunction(f)]
        if inspect.isclass(piece)
        else []
    )


def pieces(*names: str, path: str | Path = "my_layer.py") -> SimpleNamespace:
    """Return pieces that you kept, and in the place of any that isn't there the book's own.

    Parameters
    ----------
    *names : str
        Of pieces that `bncourse.check` knows.
    path : str or Path
        The file that `keep` wrote.

    Returns
    -------
    namespace
        With each piece by its name, and in `whose` for each name ``"yours"`` or
        ``"the book's"``. One whose gap is still open counts as not there.

    Raises
    ------
    KeyError
        If a name is none that the checker knows.
    ValueError
        If the file is none that `keep` wrote.
    """
    found = {name: registered(name).reference for name in names}
    _, kept = _read(Path(path))
    written = {name for name in names if OPEN_GAP not in kept.get(name, OPEN_GAP)}
    if written:
        space: dict[str, Any] = {"__name__": "my_layer"}
        exec(compile(Path(path).read_text(encoding="utf-8"), str(path), "exec"), space)
        found |= {name: space[name] for name in written}
    whose = {name: "yours" if name in written else "the book's" for name in names}
    return SimpleNamespace(**found, whose=whose)

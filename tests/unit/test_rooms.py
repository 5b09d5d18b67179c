"""The rooms and arrows that CONTRIBUTING shows are those of the imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "library": "bncourse/*.py",
    "display": "bncourse/display/**/*.py",
    "chapters": "bncourse/chapters/**/*.py",
    "check": "bncourse/check/**/*.py",
    "book": "book/**/*.ipynb",
    "benchmarks": "benchmarks/**/*.py",
    "tools": "tools/**/*.py",
}
#: What is every chapter's.
COMMON = {"common", "gaussian", "measured", "stored"}


#: Who runs another chapter's runs: on the second data set, what the chapter runs on the digits.
GUESTS = {"elsewhere": ("minibatches", "intuition", "inference")}


def drawn():
    """Return the arrows in CONTRIBUTING: from each room, the rooms that it imports."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"```rooms\n(.*?)```", text, re.DOTALL).group(1)
    arrows = (line.split("→") for line in block.splitlines())
    return {
        room.strip(): set(targets.replace("nothing", "").replace(",", " ").split())
        for room, targets in arrows
    }


def code(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    cells = nbformat.reads(text, 4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def imported(source):
    """Yield the modules of bncourse that some code imports, names of a package included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_of(source):
    found = [name.split(".") for name in imported(source) if name.split(".")[0] == "bncourse"]
    inner = {"display", "chapters", "check"}
    return {name[1] if len(name) > 1 and name[1] in inner else "library" for name in found}


def test_the_arrows_are_those_of_the_imports():
    found = {
        room: set().union(*(rooms_of(code(path)) for path in ROOT.glob(pattern))) - {room}
        for room, pattern in FOLDERS.items()
    }
    assert drawn() == found


def test_no_chapter_imports_another_ones_folder():
    for path in (ROOT / "bncourse" / "chapters").glob("*/*.py"):
        for name in imported(code(path)):
            parts = name.split(".")
            if parts[:2] == ["bncourse", "chapters"]:
                allowed = {path.parent.name, *COMMON, *GUESTS.get(path.parent.name, ())}
                assert parts[2] in allowed, (path, name)

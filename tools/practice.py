"""Make the practice notebooks, ``book/practice/``, of the exercises in the book's notebooks.

    python tools/practice.py            write them
    python tools/practice.py --check    say which are not those of today's notebooks

An exercise is a directive in a cell of text. Directly below it may stand code cells tagged
``exercise-solution`` and ``exercise-check``. In a solution, the lines between the marks are what
readers write themselves:

    # your code: what is to be written here
    …
    # end of your code

A practice notebook holds the exercises of one page: the set-up cells that they name, each task,
the solution with a gap in it, and the check. Until a gap is filled, it raises an error that says
what belongs there.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pages
from notebooks import normalise

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("book/practice")
SOLUTION, CHECK = "exercise-solution", "exercise-check"
#: What an exercise may ask for.
KINDS = ("predict", "derive", "write", "measure", "find the bug")
DIFFICULTIES = ("easy", "medium", "hard")
GAP = re.compile(
    r"^(?P<indent>[ \t]*)# your code: (?P<words>.+)\n(?P<inside>(?:.*\n)*?)"
    r"[ \t]*# end of your code$\n?",
    re.MULTILINE,
)
MARK = re.compile(r"^\s*# (your code|end of your code)", re.MULTILINE)
FENCE = re.compile(r"^(:{3,})\{(\w[\w-]*)\}[ \t]*(.*)$")
OPTION = re.compile(r"^:(\w+):[ \t]*(.*)$")
#: Roles that have words of their own: in a practice notebook these words stay.
ROLE = re.compile(r"\{(\w[\w:]*)\}`(?:([^`<]+?)\s*<[^`>]+>)?([^`]*)`")


@dataclass
class Directive:
    """A directive between two fences of colons, and the text and the directives in it."""

    name: str
    title: str
    options: dict[str, str]
    text: str
    inner: list[Directive] = field(default_factory=list)


@dataclass
class Exercise:
    """An exercise with its code cells, in their order."""

    directive: Directive
    cells: list[Any] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Its anchor on the page, and the identifier of its cell in the practice notebook."""
        return self.directive.options["label"]

    @property
    def has_gap(self) -> bool:
        """Whether there is something to write."""
        return any(GAP.search(cell.source) for cell in self.cells)


def shown(source: str) -> str:
    """Return a solution without the marks of its gaps."""
    return GAP.sub(lambda gap: gap["inside"], source).rstrip("\n")


def with_gaps(source: str) -> str:
    """Return a solution as the page asks for it: three dots for each gap."""
    return GAP.sub(_dots, source).rstrip("\n")


def _dots(gap: re.Match[str]) -> str:
    return f"{gap['indent']}# your code: {gap['words']}\n{gap['indent']}...\n"


def to_fill(source: str) -> str:
    """Return a solution as the practice notebook has it: each gap says that it is one."""
    return GAP.sub(_raising, source).rstrip("\n")


def _raising(gap: re.Match[str]) -> str:
    indent, words = gap["indent"], gap["words"].rstrip(".")
    message = f"Your code is missing here: {words}."
    return (
        f"{indent}# your code: {gap['words']}\n"
        f"{indent}raise NotImplementedError({message!r})\n"
        f"{indent}# end of your code\n"
    )


def directives(text: str) -> tuple[str, list[Directive]]:
    """Return a text without its directives, and these."""
    rest: list[str] = []
    found: list[Directive] = []
    lines = iter(text.split("\n"))
    for line in lines:
        fence = FENCE.match(line)
        if fence is None:
            rest.append(line)
            continue
        inside: list[str] = []
        for following in lines:
            if following.strip() == fence[1]:
                break
            inside.append(following)
        else:
            raise ValueError(f"expected {fence[1]} to close {line!r}")
        options: dict[str, str] = {}
        while inside and (option := OPTION.match(inside[0])):
            options[option[1]] = option[2].strip()
            inside.pop(0)
        body, inner = directives("\n".join(inside))
        found.append(Directive(fence[2], fence[3].strip(), options, body, inner))
    return "\n".join(rest).strip(), found


def exercises(notebook: Any) -> Iterator[Exercise]:
    """Yield the exercises of a notebook, each with its code cells."""
    exercise: Exercise | None = None
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "markdown":
            rest, found = directives(cell.source)
            # More of a solution, in words, may stand between its code cells.
            if exercise and not rest and all(d.name == "solution" for d in found):
                continue
            if exercise:
                yield exercise
                exercise = None
            for directive in found:
                if directive.name == "exercise":
                    if exercise:
                        yield exercise
                    exercise = Exercise(directive)
        elif exercise and tags & {SOLUTION, CHECK}:
            exercise.cells.append(cell)
        elif exercise:
            yield exercise
            exercise = None
    if exercise:
        yield exercise


def target(page: str) -> Path:
    """Return where the practice notebook of a page is: that of ``01-1-map`` is ``01-1``."""
    number = re.match(r"\d\d(-\d+)?(?=-)", page.rpartition("/")[2])
    if number is None:
        raise ValueError(f"expected a page with a number before its name, got {page!r}")
    return FOLDER / f"{number[0]}.ipynb"


def plain(text: str, label: str) -> str:
    """Return the text of an exercise as JupyterLab can show it."""

    def words(role: re.Match[str]) -> str:
        if role[2] is None:
            raise ValueError(
                f"{label}: {role[0]} says nothing outside of the page; expected words of its "
                f"own, as in {{ref}}`chapter 2 <ch-algorithm>`"
            )
        return role[2]

    return ROLE.sub(words, text)


def practice(path: Path, *, solved: bool = False) -> str | None:
    """Return the practice notebook of a notebook, or None if that has no gap to fill.

    Parameters
    ----------
    path : Path
        Of a notebook of the book.
    solved : bool
        With the gaps filled, and with the outputs that are stored in the book, so that nbval can
        compare them.
    """
    source = nbformat.read(path, as_version=4)
    found = list(exercises(source))
    if not any(exercise.has_gap for exercise in found):
        return None
    by_id = {cell.id: cell for cell in source.cells}
    texts = (cell.source for cell in source.cells if cell.cell_type == "markdown")
    headings = (re.search(r"^# (.+)$", text, re.MULTILINE) for text in texts)
    title = next(heading[1] for heading in headings if heading)
    cells = [nbformat.v4.new_markdown_cell(_opening(title, path.stem), id="opening")]
    included: set[str] = set()
    for exercise in found:
        if not exercise.has_gap:
            continue
        for name in exercise.directive.options.get("needs", "").split():
            if name not in by_id or by_id[name].cell_type != "code":
                raise ValueError(f"{exercise.label}: there is no code cell {name!r}")
            if name not in included:
                cells.append(_code(by_id[name], by_id[name].source, solved))
                included.add(name)
        cells.append(nbformat.v4.new_markdown_cell(_task(exercise), id=exercise.label))
        for cell in exercise.cells:
            cells.append(_code(cell, cell.source if solved else to_fill(cell.source), solved))
        if not solved and (names := exercise.directive.options.get("keeps")):
            cells.append(nbformat.v4.new_code_cell(_keep(names), id=f"keep-{exercise.label}"))
    if solved:
        for count, cell in enumerate((c for c in cells if c.cell_type == "code"), start=1):
            cell.execution_count = count
    return normalise(nbformat.v4.new_notebook(cells=cells))


def _opening(title: str, stem: str) -> str:
    return (
        f"# Practice: {title}\n\n"
        f"These are the exercises of the page `{stem}` in which you write code. Run the cells "
        "from the top. A gap stands between two marks, and until you fill it, it raises an error "
        "that says what to write. The cell below it checks your answer: it names the mistake, "
        "and `.hint()` on its result goes on from there. Solutions are on the page."
    )


def _task(exercise: Exercise) -> str:
    """Return the task, and each hint folded below it."""
    directive, label = exercise.directive, exercise.label
    options = directive.options
    facts = f"*{options['kind']} · {options['minutes']} minutes · {options['difficulty']}*"
    parts = [f"## {directive.title}", facts, plain(directive.text, label)]
    hints = [hint for hint in directive.inner if hint.name == "hint"]
    for number, hint in enumerate(hints, start=1):
        name = "Hint" if len(hints) == 1 else f"Hint {number}"
        text = plain(hint.text, label)
        parts.append(f"<details><summary>{name}</summary>\n\n{text}\n\n</details>")
    return "\n\n".join(parts)


def _keep(names: str) -> str:
    """Return the cell that keeps a piece for the last chapter, which builds a network of them."""
    pieces = ", ".join(names.split())
    return f"from bncourse.check.keeping import keep\n\nkeep({pieces})  # into my_layer.py"


def _code(cell: Any, source: str, solved: bool) -> Any:
    outputs = [dict(output) for output in cell.outputs] if solved else []
    return nbformat.v4.new_code_cell(source, id=cell.id, outputs=outputs)


def expected(root: Path = ROOT) -> dict[Path, str]:
    """Return the practice notebooks that there must be, by their places."""
    texts = {}
    for path in pages.notebooks(root):
        text = practice(path)
        if text is not None:
            texts[root / target(path.stem)] = text
    return texts


def differences(root: Path = ROOT) -> list[str]:
    """Say which practice notebooks are not those of today's notebooks."""
    wanted = expected(root)
    there = set((root / FOLDER).glob("*.ipynb"))
    wrong = [f"{path.name} belongs to no exercise" for path in sorted(there - set(wanted))]
    for path, text in wanted.items():
        if path not in there:
            wrong.append(f"{path.name} is missing")
        elif path.read_text(encoding="utf-8") != text:
            wrong.append(f"{path.name} is not what the exercises say today")
    return wrong


def write(root: Path = ROOT) -> None:
    """Write those that there must be, and remove the others."""
    wanted = expected(root)
    for path in (root / FOLDER).glob("*.ipynb"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args(arguments).check:
        write()
        return 0
    wrong = differences()
    print("\n".join(wrong) or "the practice notebooks are those of today's exercises")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

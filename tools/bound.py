"""Find numbers in prose that the outputs of their page don't give.

    python tools/bound.py     say which

A number of a paragraph must be in an output of its section, in that output's card, or in the code
there; in a section without code, anywhere on the page. So when a run's parameter changes and the
notebooks are refreshed, a sentence with the old number is found. What is no result (a number of a
derivation, a year) stands in book/numbers.yml, with its reason.

A number that another page gives says so there: `25: from book/01-motivation` holds as long as an
output of that page gives 25. So it is with the index, the glossary and the README, which have no
outputs, unless a number counts something in this repository (`counted`).
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import pages
import yaml

ROOT = Path(__file__).resolve().parents[1]
EXCEPTIONS = Path("book/numbers.yml")
TEXTS = ("book/index", "book/glossary", "README")
SOURCE = re.compile(r"from (book/\S+)$")
NUMBER = re.compile(r"(?<![\w.,^{])\d+(?:,\d{3})*(?:\.\d+)?(?![\w}])")
#: What a paragraph holds besides its own words: the numbers of a list, of a heading, of a chapter
#: or of a report, options of a directive, code, formulas, addresses, targets, citations, comments.
NOT_PROSE = re.compile(
    r"^\d+\. |(?<=^## )\d+\. |^%[^\n]*|(?:issue|pull request) \d+(?=\])"
    r"|^\| \d |^:\w+:[^\n]*|```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)"
    r"|^\([\w-]+\)=$|https?://\S+",
    re.S | re.M,
)


def numbers(text: str) -> set[Decimal]:
    """Return the numbers in a text, whatever their form.

    >>> sorted(map(str, numbers("1,437 images, 90 %, a factor of 2.50, x2 and C03")))
    ['1437', '2.5', '90']
    """
    return {_plain(found) for found in NUMBER.findall(text)}


def _plain(text: str) -> Decimal:
    value = Decimal(text.replace(",", ""))
    return value.quantize(1) if value == value.to_integral() else value.normalize()


def prose(markdown: str) -> str:
    """Return a cell's own words.

    >>> prose("Rate `0.1` and $x^2$ in {ref}`chapter 3 <ch-beta>` give 25.")
    'Rate   and   in {ref}  give 25.'
    """
    return NOT_PROSE.sub(" ", markdown)


def sections(notebook: Any) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the paragraphs of each section, and what its code and outputs hold."""
    paragraphs: list[str] = []
    held: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            first, *rest = re.split(r"^(?=#+ )", prose(cell.source), flags=re.M)
            paragraphs.append(first)
            for part in rest:
                yield paragraphs, held
                paragraphs, held = [part], []
        else:
            held.append(cell.source)
            held += [_text(output) for output in cell.outputs]
    yield paragraphs, held


def _text(output: Any) -> str:
    return str(output.get("text", "") or output.get("data", {}).get("text/plain", ""))


def unbound(notebook: Any, excepted: Iterable[Any] = ()) -> list[str]:
    """Return the numbers that nothing on the page gives, each with its paragraph's beginning."""
    parts = list(sections(notebook))
    everything = numbers("\n".join(text for _, held in parts for text in held))
    known = {_plain(str(number)) for number in excepted}
    found = []
    for paragraphs, held in parts:
        given = known | (numbers("\n".join(held)) if held else everything)
        for paragraph in (p for text in paragraphs for p in text.split("\n\n")):
            found += [
                f"{number} in {' '.join(paragraph.split())[:60]!r}"
                for number in sorted(numbers(paragraph) - given)
            ]
    return found


def exceptions(root: Path = ROOT) -> dict[str, dict[Any, str]]:
    """Return for each page the numbers that are no results, with their reasons.

    Raises
    ------
    ValueError
        If one has no reason.
    """
    data = yaml.safe_load((root / EXCEPTIONS).read_text(encoding="utf-8")) or {}
    for page, entries in data.items():
        for number, reason in entries.items():
            if not isinstance(reason, str) or not reason.strip():
                raise ValueError(f"{EXCEPTIONS}: expected a reason for {number} of {page}")
    return data


def counted(root: Path = ROOT) -> set[Decimal]:
    """Return what may be said of the repository itself: its counts, pages, and oldest Python."""
    claims = yaml.safe_load((root / "book/claims.yml").read_text(encoding="utf-8"))
    gallery = nbformat.read(root / "book/bug-gallery.ipynb", as_version=4)
    texts = (cell.source for cell in gallery.cells if cell.cell_type == "markdown")
    bugs = sum(len(re.findall(r"^## \d+\. ", text, re.MULTILINE)) for text in texts)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    deeper = re.findall(r"/(\d\d)-(\d)-", " ".join(pages.existing(root)))
    below = {Decimal(f"{int(chapter)}.{place}") for chapter, place in deeper}
    return (
        {Decimal(len(claims["claims"])), Decimal(bugs)}
        | below
        | numbers(project["requires-python"])
    )


def from_pages(entries: dict[Any, str], root: Path) -> list[str]:
    """Return the numbers that the page they are said to be from doesn't give."""
    wrong = []
    for number, reason in entries.items():
        source = SOURCE.match(reason)
        if source:
            notebook = nbformat.read(root / f"{source[1]}.ipynb", as_version=4)
            outputs = (_text(o) for c in notebook.cells for o in c.get("outputs", []))
            if _plain(str(number)) not in numbers("\n".join(outputs)):
                wrong.append(f"{number} is no output of {source[1]}")
    return wrong


def check(root: Path = ROOT) -> list[str]:
    """Return what is wrong on the pages, and needless exceptions."""
    excepted = exceptions(root)
    wrong = []
    for path in pages.notebooks(root):
        page = path.relative_to(root).with_suffix("").as_posix()
        notebook = nbformat.read(path, as_version=4)
        mine = excepted.pop(page, {})
        wrong += [f"{page}: {text}" for text in unbound(notebook, mine)]
        needed = {text.split(" ", 1)[0] for text in unbound(notebook)}
        wrong += [
            f"{page}: {number} needs no exception"
            for number in mine
            if str(_plain(str(number))) not in needed
        ]
        wrong += [f"{page}: {text}" for text in from_pages(mine, root)]
    for page in (text for text in TEXTS if (root / f"{text}.md").exists()):
        mine = excepted.pop(page, {})
        known = counted(root) | {_plain(str(number)) for number in mine}
        said = numbers(prose((root / f"{page}.md").read_text(encoding="utf-8")))
        wrong += [
            f"{page}: {number} is said to be from nowhere" for number in sorted(said - known)
        ]
        wrong += [f"{page}: {text}" for text in from_pages(mine, root)]
    return wrong + [f"{page}: has exceptions and is not checked" for page in excepted]


def main() -> int:
    """Run the command line."""
    wrong = check()
    print("\n".join(wrong) or "every number in prose is given by its page")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

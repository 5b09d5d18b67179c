"""The chapters with their keys and pages, and the pages that the book has: the one list of them.

A key names a chapter's folder, its tests and its commands. A page keeps its name, so that an
address, once it is in a link or in the ledger, stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Chapter:
    """A chapter, or another room with a notebook of its own.

    Attributes
    ----------
    key : str
        Of its folder, its tests and its commands.
    notebook : str
        Its core page, in ``book/``, without the ending.
    deeper : tuple of str
        Its deeper pages, in their order.
    """

    key: str
    notebook: str
    deeper: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """The core page, as ``_toc.yml`` names it."""
        return f"book/{self.notebook}"

    @property
    def folder(self) -> str:
        """Where its runs, figures and explorables are."""
        return f"bncourse/chapters/{self.key}"

    def pages(self, root: Path = ROOT) -> list[str]:
        """Return those of its pages that exist, core page first."""
        mine = [self.page, *(f"book/{name}" for name in self.deeper)]
        there = set(existing(root))
        return [page for page in mine if page in there]


CHAPTERS = (
    Chapter("motivation", "01-motivation", ("01-1-map",)),
    Chapter("algorithm", "02-algorithm", ("02-1-backward", "02-2-sigmoid", "02-3-float32")),
    Chapter("bias", "03-beta-replaces-b", ("03-1-scale", "03-2-output")),
    Chapter("minibatches", "04-mini-batches", ("04-1-noise", "04-2-small-batches")),
    Chapter("intuition", "05-intuition", ("05-1-shake", "05-2-landscape", "05-3-depth")),
    Chapter("inference", "06-test-time", ("06-1-frameworks", "06-2-fold", "06-3-elsewhere")),
)
GALLERY = Chapter("gallery", "bug-gallery")
#: What a stranger reads first; the index shows its explorable.
FRONT = Chapter("front", "fifteen-minutes")
#: The second data set: it looks at what the chapters say, with their runs.
ELSEWHERE = Chapter("elsewhere", "elsewhere")
#: Everything that has a folder of its own below ``bncourse/chapters``.
BY_KEY = {chapter.key: chapter for chapter in (*CHAPTERS, FRONT, GALLERY, ELSEWHERE)}


def existing(root: Path = ROOT) -> list[str]:
    """Return every page of ``_toc.yml`` in the order of reading, without endings.

    Parameters
    ----------
    root : Path
        Where ``_toc.yml`` is.

    Returns
    -------
    list of str
        ``"book/index"`` first; pages under ``sections:`` follow the page that they belong to.
    """
    return [page for _, rows in parts(root) for row in rows for page in row]


def parts(root: Path = ROOT) -> list[tuple[str, list[list[str]]]]:
    """Return the groups of the sidebar: a caption, and pages with those below them.

    Parameters
    ----------
    root : Path
        Where ``_toc.yml`` is.

    Returns
    -------
    list of (str, list of list of str)
        The first group has no caption and holds the front page only.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    groups = [("", [[toc["root"]]])]
    for part in toc.get("parts", [toc]):
        rows = [list(_files(chapter)) for chapter in part.get("chapters", [])]
        groups.append((part.get("caption", ""), [row for row in rows if row]))
    return groups


def _files(entry: dict[str, Any]) -> Iterator[str]:
    if "file" in entry:
        yield entry["file"]
    for name in ("parts", "chapters", "sections", "appendices"):
        for below in entry.get(name, []):
            yield from _files(below)


def notebooks(root: Path = ROOT) -> list[Path]:
    """Return the notebooks among the pages, in the order of reading."""
    paths = (root / f"{page}.ipynb" for page in existing(root))
    return [path for path in paths if path.exists()]

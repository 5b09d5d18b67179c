"""The list of pages: what exists is read from the table of contents, sections included."""

from __future__ import annotations

import re

import pytest

from ..loading import ROOT, load

pages = load("pages")
TOC = """\
format: jb-book
root: book/index
parts:
  - caption: The course
    chapters:
      - file: book/01-motivation
        sections:
          - file: book/01-1-map
      - file: book/02-algorithm
        sections:
          - file: book/02-1-backward
            sections:
              - file: book/deeper-still
          - file: book/02-2-sigmoid
  - caption: Look it up
    chapters:
      - file: book/notation
      - url: https://example.org
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "_toc.yml").write_text(TOC, encoding="utf-8")
    return tmp_path


def test_pages_under_sections_are_found_in_the_order_of_reading(root):
    names = "index 01-motivation 01-1-map 02-algorithm 02-1-backward deeper-still 02-2-sigmoid"
    assert pages.existing(root) == [f"book/{name}" for name in [*names.split(), "notation"]]


def test_a_chapter_has_those_of_its_pages_that_exist(root):
    algorithm = pages.BY_KEY["algorithm"]
    assert algorithm.pages(root) == [
        "book/02-algorithm",
        "book/02-1-backward",
        "book/02-2-sigmoid",
    ]
    assert pages.BY_KEY["bias"].pages(root) == []


def test_notebooks_are_the_pages_that_have_one(root):
    (root / "book").mkdir()
    for name in ("02-1-backward.ipynb", "01-motivation.ipynb", "notation.md", "draft.ipynb"):
        (root / "book" / name).touch()
    stems = [path.stem for path in pages.notebooks(root)]
    assert stems == ["01-motivation", "02-1-backward"]


def test_every_file_of_the_book_is_in_its_table_of_contents():
    files = {path.stem for end in ("ipynb", "md") for path in (ROOT / "book").glob(f"*.{end}")}
    assert {f"book/{name}" for name in files} == set(pages.existing())


def test_deeper_pages_are_named_after_their_chapter():
    for number, chapter in enumerate(pages.CHAPTERS, start=1):
        assert re.match(rf"0{number}-[a-z]", chapter.notebook)
        assert [name[:5] for name in chapter.deeper] == [
            f"0{number}-{k}-" for k in range(1, len(chapter.deeper) + 1)
        ]


def test_every_numbered_page_of_the_book_belongs_to_a_chapter():
    mine = [page for chapter in pages.CHAPTERS for page in chapter.pages()]
    assert [page for page in pages.existing() if re.match(r"book/\d", page)] == mine


def test_a_key_names_the_folder_and_the_tests():
    folders = {path.parent.name for path in (ROOT / "bncourse" / "chapters").glob("*/runs.py")}
    assert folders == set(pages.BY_KEY)
    for key, chapter in pages.BY_KEY.items():
        assert (ROOT / chapter.folder / "runs.py").is_file()
        assert (ROOT / "tests" / "chapters" / f"test_{key}.py").is_file()
    for chapter in pages.CHAPTERS:
        assert (ROOT / "tests" / "claims" / f"test_{chapter.key}.py").is_file()


def test_parts_are_the_groups_of_the_sidebar(root):
    assert pages.parts(root) == [
        ("", [["book/index"]]),
        (
            "The course",
            [
                ["book/01-motivation", "book/01-1-map"],
                [
                    "book/02-algorithm",
                    "book/02-1-backward",
                    "book/deeper-still",
                    "book/02-2-sigmoid",
                ],
            ],
        ),
        ("Look it up", [["book/notation"]]),
    ]


def test_together_the_parts_have_every_page():
    listed = [page for _, rows in pages.parts() for row in rows for page in row]
    assert listed == pages.existing()

"""Every source of the bibliography says what it was checked against, and somebody cites it."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIBLIOGRAPHY = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
ENTRY = re.compile(r"^@\w+\{([^,\s]+),", re.MULTILINE)
CHECKED = re.compile(
    r"^% checked: \S.* \([^()]+\).*; not checked: \S.*\n@\w+\{([^,\s]+),", re.MULTILINE
)
CITED = re.compile(r"\{cite:[a-z]+\}`([^`]+)`")


def unchecked(bibliography):
    """Return the keys of the entries without a line that says what they were checked against."""
    return sorted(set(ENTRY.findall(bibliography)) - set(CHECKED.findall(bibliography)))


def cited_keys():
    """Return the keys that the pages and the ledger of claims cite."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").glob("*.md"))]
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    ledger = (ROOT / "book" / "claims.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +sources: \[(.*)\]$", ledger, re.MULTILINE)
    groups = [group for text in (*texts, ledger) for group in CITED.findall(text)] + listed
    return {key.strip() for group in groups for key in group.split(",") if key.strip()}


def test_every_entry_says_what_it_was_checked_against():
    assert unchecked(BIBLIOGRAPHY) == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "% checked: \n",
        "% checked: arXiv listing; not checked: nothing\n",
        "% checked: arXiv listing (title, authors)\n",
        "% checked: arXiv listing (title, authors); not checked: pages\n\n",
    ],
    ids=["none", "empty", "no fields", "nothing left open", "not right above"],
)
def test_a_line_of_another_form_is_noticed(line):
    good = "% checked: arXiv listing (title, authors); not checked: pages\n@misc{a,\n}\n"
    assert unchecked(good) == []
    assert unchecked(good + line + "@misc{b,\n}\n") == ["b"]


def test_no_entry_occurs_twice():
    keys = ENTRY.findall(BIBLIOGRAPHY)
    assert sorted(set(keys)) == sorted(keys)


def test_every_entry_is_cited():
    assert set(ENTRY.findall(BIBLIOGRAPHY)) - cited_keys() == set()

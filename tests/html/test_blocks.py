"""Explorables with their questions, sayings with their verdicts, notes and definitions."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from ..loading import ROOT, load
from .test_exercises import soup, text
from .test_pages import HTML, PAGES

LEDGER = yaml.safe_load((ROOT / "book" / "claims.yml").read_text(encoding="utf-8"))
CLAIMS = {claim["id"]: claim for claim in LEDGER["claims"]}
READ_THROUGH = {page for chapter in load("pages").BY_KEY.values() for page in chapter.pages()}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@each_page
def test_every_explorable_has_its_question_and_what_should_be_seen(page):
    if f"book/{page.stem}" not in READ_THROUGH:
        return
    for figure in soup(page).select("figure.explorable"):
        whole = figure.find_parent(class_="explore")
        assert whole["role"] == "group"
        title = text(whole.select_one(".task-title")).replace("’", "'")
        assert title == f"Explore {figure['aria-label']}"
        # In this order, and the code, which nobody asked for, last in its cell.
        parts = [
            next(name for name in part["class"] if name != "folded")
            for part in whole.find_all(recursive=False)
        ]
        before = whole.find_previous_sibling()
        if "ask" not in parts:
            # Then a prediction asks, and its answers tell.
            assert "predict" in before["class"]
            assert parts in (["task-title", "cell"], ["task-title", "cell", "compare"])
        else:
            assert parts == ["task-title", "ask", "cell", "compare"]
        code = whole.select_one(".cell > details.code-fold")
        assert code.find_previous_sibling(class_="cell_output")


@each_page
def test_a_sign_leads_to_its_claim_and_says_what_the_ledger_says(page):
    corrections = soup(HTML / "book" / "corrections.html")
    for sign in soup(page).select(".claim"):
        link = sign.find("a")
        claim = CLAIMS[text(link)]
        assert link["href"].split("#")[0] == "corrections.html"
        row = corrections.find(id=link["href"].split("#")[1])
        assert f"{claim['id']} {claim['verdict']}" in text(row)
        assert f"verdict-{claim['verdict'].replace(' ', '-')}" in sign["class"]
        assert link["aria-label"] == f"{claim['id']}, {claim['verdict']}"
        tip = sign.find(id=link["aria-describedby"])
        assert tip["role"] == "tooltip"
        assert text(tip).startswith(claim["verdict"].capitalize())


def test_every_claim_has_its_sign_where_its_label_is():
    seen = {}
    for page in PAGES:
        for line in soup(page).select(".claims-here"):
            for link in line.select(".claim a"):
                seen.setdefault(text(link), []).append(page.stem)
    assert sorted(seen) == sorted(CLAIMS)
    assert [name for name, pages in seen.items() if len(pages) > 1] == []


@each_page
def test_a_saying_has_the_verdict_of_the_ledger(page):
    for saying in soup(page).select(".often-said"):
        claim = CLAIMS[text(saying.select_one(".claim a"))]
        assert f"verdict-{claim['verdict'].replace(' ', '-')}" in saying["class"]
        found = text(saying.select_one(".finding"))
        assert claim["verdict"].split()[-1] in found
        paragraphs = saying.find_all("p", recursive=False)
        assert [p.get("class") for p in paragraphs[:3]] == [
            ["block-title"],
            ["saying"],
            ["block-title"],
        ]
        assert len(paragraphs) > 3


@each_page
def test_notes_have_their_role_and_definitions_a_term(page):
    for note in soup(page).select("div.margin"):
        assert note["role"] == "note"
    for definition in soup(page).select(".definition"):
        assert definition.find("strong")


FAULTS = {
    "ask": (":::{ask}\nWhy?\n:::\n", "belongs beside an explorable"),
    "compare": (":::{compare}\nSo.\n:::\n", "belongs beside an explorable"),
    "saying": (":::{often-said} C99\nThis.\n\nThat.\n:::\n", "has no claim 'C99'"),
    "empty": (":::{often-said} C01\nThis.\n:::\n", "behind it what is found"),
    "long": (f":::{{margin}}\n{'word ' * 46}\n:::\n", "at most 45 words"),
    "term": (":::{definition}\nA rate.\n:::\n", "its term in bold"),
}


def test_every_fault_of_the_markup_is_a_warning(tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    (book / "claims.yml").write_text(
        (ROOT / "book" / "claims.yml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    for name, (markup, _) in FAULTS.items():
        (tmp_path / f"{name}.md").write_text(f"# {name}\n\n{markup}", encoding="utf-8")
    (tmp_path / "index.md").write_text(
        "# Index\n\n```{toctree}\n" + "\n".join(FAULTS) + "\n```\n", encoding="utf-8"
    )
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'exercises', 'ledger', 'figures', 'blocks']\n"
        "myst_enable_extensions = ['colon_fence']\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(tmp_path)]
    done = subprocess.run(
        [*command, str(tmp_path / "out")],
        env=os.environ | {"PYTHONPATH": str(ROOT / "_ext"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    for name, (_, words) in FAULTS.items():
        assert any(words in line and f"{name}.md" in line for line in done.stderr.splitlines()), (
            done.stderr
        )

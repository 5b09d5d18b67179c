"""The directives of the ledger show what the ledger says, and warn of places that don't exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = f"""
import sys
sys.path.insert(0, {str(ROOT / "_ext")!r})
extensions = ["myst_parser", "sphinxcontrib.bibtex", "ledger"]
myst_enable_extensions = ["dollarmath"]
bibtex_bibfiles = ["book/references.bib"]
root_doc = "book/corrections"
suppress_warnings = ["myst.domains"]
"""


def _build(tmp_path, chapter_text, **more):
    """Build a book of a chapter, more pages and the corrections; return its pages and warnings."""
    book = tmp_path / "book"
    book.mkdir()
    for name in ("claims.yml", "references.bib"):
        (book / name).write_bytes((ROOT / "book" / name).read_bytes())
    (tmp_path / "conf.py").write_text(CONFIGURATION, encoding="utf-8")
    (book / "03-beta-replaces-b.md").write_text(chapter_text, encoding="utf-8")
    for name, text in more.items():
        (book / f"{name}.md").write_text(text, encoding="utf-8")
    toctree = "\n".join(["03-beta-replaces-b", *more])
    (book / "corrections.md").write_text(
        f"# Corrections\n\n```{{toctree}}\n{toctree}\n```\n\n"
        "```{first-corrections}\n```\n\n```{ledger}\n```\n\n```{omissions}\n```\n\n```{verdicts}\n```\n\n"
        "```{bibliography}\n```\n",
        encoding="utf-8",
    )
    result = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(tmp_path), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    pages = {
        path.stem: path.read_text(encoding="utf-8")
        for path in (tmp_path / "out" / "book").glob("*.html")
    }
    return pages, result.stderr


TARGETS = "\n\n".join(f"(c{number})=" for number in (*range(40, 49), 84, 85))
CHAPTER = f"# Chapter\n\n{TARGETS}\n\n(folding)=\n\n(scale-invariance)=\n\nText.\n\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return _build(tmp_path_factory.mktemp("book"), CHAPTER + "```{corrections} 3\n```\n")


def test_table_has_every_claim_with_chapter_and_verdict(built):
    pages, _ = built
    rows = re.findall(r'<tr class="chapter-(\d) verdict-([a-z-]+)', pages["corrections"])
    assert len(rows) == 89
    assert {verdict for _, verdict in rows} == {
        "correct",
        "needs-qualification",
        "wrong",
        "contested",
        "slip",
    }


def test_rows_show_the_words_of_the_notes(built):
    rows = re.findall(r'<tr class="chapter-.*?</tr>', built[0]["corrections"], re.DOTALL)
    text = {re.search(r">(C\d\d)<", row)[1]: re.sub(r"<[^>]+>", "", row) for row in rows}
    assert "“re-scaling and re-centering input layers” S0" in text["C02"]
    assert "That is:" not in text["C02"]  # a slip takes one line
    assert "“This gives mean=0, var=1 for z” S2" in text["C21"]
    assert "That is: That gives" in text["C21"]
    assert "(By a formula or a drawing.)" in text["C12"]
    assert "“" not in text["C12"]


def test_what_matters_most_comes_first_with_quotation_and_link(built):
    page = built[0]["corrections"]
    (listed,) = re.findall(r'<ol class="[^"]*ledger-first[^"]*">(.*?)</ol>', page, re.DOTALL)
    items = listed.split("<li>")[1:]
    assert len(items) == 6
    assert all("ledger-quotation" in item for item in items)
    assert 'href="03-beta-replaces-b.html#c47"' in items[2]
    assert page.index("ledger-first") < page.index("ledger-claims")


def test_counts_are_those_of_the_rows(built):
    page = built[0]["corrections"]
    rows = re.findall(r'<tr class="chapter-\d verdict-([a-z-]+)', page)
    sentence = re.search(
        r"Of 89 claims, (\d+) are correct, (\d+) need qualification, "
        r"(\d+) are wrong, (\d+) are contested and (\d+) are slips\.",
        page,
    )
    assert [int(n) for n in sentence.groups()] == [
        rows.count(v) for v in ("correct", "needs-qualification", "wrong", "contested", "slip")
    ]


def test_rows_link_to_the_evidence(built):
    assert 'href="03-beta-replaces-b.html#c41"' in built[0]["corrections"]


def test_closing_section_lists_the_corrections_of_its_chapter_only(built):
    listed = re.findall(r'href="#c\d\d">(C\d\d)</a>', built[0]["03-beta-replaces-b"])
    assert listed == ["C41", "C46", "C47", "C48"]
    assert (
        "Of the 11 claims that belong to this chapter, 7 are correct"
        in built[0]["03-beta-replaces-b"]
    )


def test_script_is_loaded_only_where_the_table_is(built):
    pages, _ = built
    assert "ledger.js" in pages["corrections"]
    assert "ledger.js" not in pages["03-beta-replaces-b"]


def test_missing_places_are_warned_of_and_existing_ones_are_not(built):
    _, warnings = built
    assert "C01: no page has the label 'c01'" in warnings
    assert "C41" not in warnings


def test_evidence_is_found_on_a_deeper_page(tmp_path):
    pages, warnings = _build(
        tmp_path,
        CHAPTER.replace("(c41)=", "").replace("(folding)=", "") + "```{corrections} 3\n```\n",
        deeper="# Deeper\n\n(c41)=\n\nIt cancels.\n\n## Folding\n\nText.\n",
    )
    assert "C41" not in warnings
    assert "O2" not in warnings
    assert 'href="deeper.html#c41"' in pages["corrections"]
    assert 'href="deeper.html#folding"' in pages["corrections"]
    assert 'href="deeper.html#c41">C41</a>' in pages["03-beta-replaces-b"]


def test_a_label_on_two_pages_is_warned_of(tmp_path):
    _, warnings = _build(tmp_path, CHAPTER, deeper="# Deeper\n\n(c41)=\n\nText.\n")
    assert "C41: the label 'c41' is on 'book/03-beta-replaces-b' and 'book/deeper'" in warnings


def test_unknown_chapter_is_an_error(tmp_path):
    _, warnings = _build(tmp_path, CHAPTER + "```{corrections} 7\n```\n")
    assert "expected a chapter from 1 to 6, got '7'" in warnings

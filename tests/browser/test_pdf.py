"""The book as one PDF: whole, with links that lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

from ..loading import load
from .visits import ROOT


@pytest.fixture(scope="module")
def pdf():
    return load("pdf")


@pytest.fixture(scope="module")
def combined(pdf):
    text, entries = pdf.document({})
    return BeautifulSoup(text, "html.parser"), entries


def test_names_are_unique_and_links_lead_to_them(combined):
    soup, _ = combined
    names = [thing["id"] for thing in soup.select("[id]")]
    assert len(names) == len(set(names))
    inside = [a["href"] for a in soup.select("a[href^='#']")]
    assert len(inside) > 300
    assert {h for h in inside if h[1:] not in set(names)} == set()


def test_every_other_link_goes_to_the_web(combined):
    soup, _ = combined
    others = {a["href"] for a in soup.select("a[href]") if not a["href"].startswith("#")}
    assert {h for h in others if not re.match("(https?|mailto):", h)} == set()


def test_every_page_of_the_book_is_in_it(pdf, combined):
    _, entries = combined
    assert [e.anchor for e in entries] == [*(p.stem for p in pdf.toc_pages()), "answers"]


def test_folded_answers_stand_in_an_appendix_and_not_in_their_place(combined):
    soup, _ = combined
    tasks = soup.select(":is(.exercise, .do, .predict)")
    tasks += [a.parent.parent for a in soup.select("p > a[href^='#answers--explore']")]
    tasks += [a.parent.parent for a in soup.select("section > p > a[href^='#answers--']")]
    assert {task.name for task in tasks} == {"div", "section"}
    assert soup.select("details.folded") == []
    assert soup.select(".print-choices > li")
    named = {thing["id"]: thing for thing in soup.select("[id]")}
    for task in tasks:
        answer = named[f"answers--{task['id']}"]
        assert answer.find_parent(id="answers")
        assert answer.select("h4 + *")
        assert task.select(f"a[href='#{answer['id']}']")
        assert answer.select(f"a[href='#{task['id']}']")


def test_each_card_is_printed_once_and_a_link_leads_to_it(combined):
    soup, _ = combined
    cards = soup.select("details.card-of-run")
    assert len(cards) > 100
    assert {card.find_parent("article")["id"] for card in cards} == {"experiments"}
    links = soup.select(".print-card > a")
    assert len(links) > 100
    named = {thing["id"]: thing for thing in soup.select("[id]")}
    assert all(named[a["href"][1:]].select("details.card-of-run") for a in links)


def test_the_printed_book_is_whole(combined, tmp_path):
    target = tmp_path / "book.pdf"
    subprocess.run([sys.executable, ROOT / "tools" / "pdf.py", target], check=True, timeout=600)
    book = PdfReader(target)
    assert book.metadata.title == "Batch normalization, shown"
    assert len(book.outline) > 10
    assert "1. See why a network wants its activations normalised" in [
        item.title for item in book.outline if not isinstance(item, list)
    ]
    assert len(book.pages) > 60
    assert sum(len(page.images) for page in book.pages[:60]) > 4

    # Normal form, because the print has ligatures.
    texts = [unicodedata.normalize("NFKC", page.extract_text()) for page in book.pages]
    assert not re.search(r"\\(frac|sum|gamma|text)\b", "".join(texts))

    # The contents name the sheet on which each chapter begins.
    _, entries = combined
    first = int(re.search(r"(\d+)\s*$", texts[1], re.M)[1]) - 1  # behind the contents
    numbers = [int(n) for n in re.findall(r"(\d+)\s*$", "".join(texts[1:first]), re.M)]
    for entry in entries[1:]:
        title = re.sub(r"\W", "", entry.title)
        begins = next(
            i
            for i, text in enumerate(texts)
            if i >= first and title in re.sub(r"\W", "", text[:300])
        )
        assert begins + 1 in numbers, entry.title

    # Links inside the book lead somewhere.
    notes = [a.get_object() for page in book.pages for a in page.get("/Annots", [])]
    targets = {str(note["/Dest"]) for note in notes if "/Dest" in note}
    assert len(targets) > 100
    assert targets <= set(book.named_destinations)

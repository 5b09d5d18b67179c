"""The explorables' frames in the built pages and in the stored notebooks."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from tests.html.test_pages import PAGES, ROOT

CHAPTERS = [page for page in PAGES if re.match(r"0\d-", page.stem)]
#: What the frames of one chapter may weigh, compressed.
BUDGET = 350 * 1024
#: The twelve, by chapter.
EXPECTED = {"01": 2, "02": 3, "03": 2, "04": 1, "05": 3, "06": 1}


def explorables(page):
    return re.findall(
        r'<figure class="explorable".*?</figure>', page.read_text(encoding="utf-8"), re.S
    )


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda p: p.stem)
def test_each_chapter_has_its_explorables_within_the_budget(page):
    found = explorables(page)
    assert len(found) == EXPECTED[page.stem[:2]]
    weight = len(gzip.compress("".join(found).encode()))
    assert weight <= BUDGET, f"{weight // 1024} KB"


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda p: p.stem)
def test_frames_are_complete_and_say_what_they_show(page):
    for html in explorables(page):
        (text,) = re.findall(r'<script type="application/json">(.*?)</script>', html, re.S)
        data = json.loads(text)
        size = 1
        for texts in data["texts"]:
            size *= len(texts)
        assert len(data["frames"]) == size
        assert data["pictures"].count("") == 1
        for frame in data["frames"]:
            assert frame["words"].endswith(".")
            assert 0 <= frame["picture"] < len(data["pictures"])
        assert re.search(r'<figure class="explorable" aria-label="[^"]+"', html)


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda p: p.stem)
def test_stored_notebooks_hold_no_widgets(page):
    text = (ROOT / "book" / f"{page.stem}.ipynb").read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget" not in text
    assert '"widgets"' not in text

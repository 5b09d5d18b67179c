"""The explorables' frames in the built pages and in the stored notebooks."""

from __future__ import annotations

import gzip
import json
import re
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

from tests.html.test_pages import HTML, ROOT
from tests.loading import load

CHAPTERS = load("pages").CHAPTERS
PAGES = [HTML / f"{page}.html" for chapter in CHAPTERS for page in chapter.pages()]
#: What the frames of one page may weigh, compressed.
BUDGET = 350 * 1024
#: The twelve, by chapter, whichever of its pages they are on.
EXPECTED = {
    "motivation": 2,
    "algorithm": 3,
    "bias": 3,
    "minibatches": 1,
    "intuition": 4,
    "inference": 1,
}


def explorables(page):
    return re.findall(
        r'<figure class="explorable".*?</figure>', page.read_text(encoding="utf-8"), re.S
    )


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.notebook)
def test_each_chapter_has_its_explorables(chapter):
    found = sum(len(explorables(HTML / f"{page}.html")) for page in chapter.pages())
    assert found == EXPECTED[chapter.key]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_frames_of_a_page_are_within_the_budget(page):
    found = explorables(page)
    weight = len(gzip.compress("".join(found).encode()))
    pictures = {match for html in found for match in re.findall(r"_images/[\w.]+\.webp", html)}
    weight += sum((HTML / picture).stat().st_size for picture in pictures)
    assert weight <= BUDGET, f"{weight // 1024} KB"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_frames_are_files_and_wait_below_the_top(page):
    text = page.read_text(encoding="utf-8")
    assert "data:image/webp" not in text
    for html in explorables(page):
        assert re.search(r'<img [^>]*src="\.\./_images/\w+\.webp"', html)
        before = text[text.index("<article") : text.index(html)]
        assert ('loading="lazy"' in html) == ("<h2" in before)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
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
        for picture in filter(None, data["pictures"]):
            assert (page.parent / picture).is_file()
        assert re.search(r'<figure class="explorable" aria-label="[^"]+"', html)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_stored_notebooks_hold_no_widgets(page):
    text = (ROOT / "book" / f"{page.stem}.ipynb").read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget" not in text
    assert '"widgets"' not in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_link_that_sets_an_explorable_names_values_that_it_has(page):
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for link in soup.select('a[href^="#fig-"][href*="="]'):
        name, _, state = link["href"][1:].partition("=")
        line = soup.find(id=name)
        figure = line.find_previous("figure", class_="explorable")
        texts = json.loads(figure.find("script", type="application/json").string)["texts"]
        values = [unquote(value) for value in state.split("&")]
        assert len(values) == len(texts)
        for value, there in zip(values, texts, strict=True):
            assert value in there

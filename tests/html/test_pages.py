"""The built HTML, without a browser: found from the build itself, not from a list."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import pytest

from tests.loading import ROOT, load

HTML = ROOT / "_build" / "html"


PAGES = [HTML / f"{name}.html" for name in load("pages").existing()]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
}


class Page(HTMLParser):
    """Every element with its attributes, and the text that a reader sees."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.stack, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes, [t for t, _ in self.stack]))
        if tag not in VOID:
            self.stack.append((tag, attributes))

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data):
        hidden = any(
            t in ("script", "style", "pre", "code") or "math" in (a.get("class") or "")
            for t, a in self.stack
        )
        if not hidden:
            self.text.append(data)


@cache
def parse(path):
    return Page(path.read_text(encoding="utf-8"))


@cache
def anchors(path):
    return {a["id"] for _, a, _ in parse(path).elements if "id" in a}


@each_page
def test_no_address_that_a_browser_would_request_is_remote(page):
    for tag, a, _ in parse(page).elements:
        requested = [a.get("src"), a.get("srcset"), a.get("data")]
        if tag == "link" and "canonical" not in (a.get("rel") or ""):
            requested.append(a.get("href"))
        for address in filter(None, requested):
            assert not re.match(r"(https?:)?//", address), (tag, address)


def test_no_script_or_style_names_a_content_network():
    for path in HTML.rglob("*"):
        if path.suffix in (".html", ".css") or path.name == "documentation_options.js":
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"(cdn\.jsdelivr|unpkg\.com|cdnjs|googleapis)", text), path


@each_page
def test_every_image_is_there_and_has_words(page):
    for tag, a, _ in parse(page).elements:
        if tag == "img" and not a["src"].startswith("data:"):
            assert (page.parent / unquote(a["src"])).is_file(), a["src"]
        if tag == "img" and "logo__image" in (a.get("class") or ""):
            assert a["alt"] == ""  # the title stands beside it, in the same link
        elif tag == "img":
            assert len((a.get("alt") or "").strip()) > 3, a["src"]


@each_page
def test_figures_have_words_with_numbers(page):
    pictures = [
        a
        for tag, a, parents in parse(page).elements
        if tag == "img" and "main" in parents and "_images" in a["src"]
    ]
    for a in pictures:
        assert re.search(r"\d", a["alt"]), a["alt"]
        assert a["alt"].endswith(".")


@each_page
def test_internal_links_and_anchors_resolve(page):
    for tag, a, _ in parse(page).elements:
        address = a.get("href")
        if tag != "a" or not address or re.match(r"[a-z]+:", address):
            continue
        target, anchor = urldefrag(address)
        path = (page.parent / unquote(target)).resolve() if target else page
        assert path.is_file(), address
        if anchor and path.suffix == ".html":
            # Behind an explorable's address stands its setting (`test_explorables.py`).
            assert unquote(anchor).partition("=")[0] in anchors(path), address


@each_page
def test_one_heading_of_the_first_rank_and_none_is_skipped(page):
    ranks = [
        int(tag[1])
        for tag, _, parents in parse(page).elements
        if re.fullmatch(r"h[1-6]", tag) and "article" in parents
    ]
    assert ranks.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(ranks, ranks[1:], strict=False))


@each_page
def test_no_raw_mathematics_or_markup_is_left(page):
    text = "".join(parse(page).text)
    assert "$$" not in text
    assert not re.search(r"\$[^$\n]{1,40}\\[a-z]+", text)
    assert not re.search(r"\{(cite|ref|eq|doc)[:}]", text)


@each_page
def test_each_page_has_a_title_and_a_language(page):
    elements = parse(page).elements
    assert any(tag == "title" for tag, _, _ in elements)
    assert next(a for tag, a, _ in elements if tag == "html").get("lang") == "en"


@each_page
def test_claims_are_anchored(page):
    source = ROOT / "book" / f"{page.stem}.ipynb"
    if not source.exists():
        pytest.skip("no notebook")
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    targets = {
        t
        for c in cells
        if c["cell_type"] == "markdown"
        for t in re.findall(r"^\(([\w-]+)\)=$", "".join(c["source"]), re.M)
    }
    assert targets
    assert targets <= anchors(page), targets - anchors(page)


ICONS = 10_000  # bytes of the web font that draws the icons


#: What a page may weigh.
LIMITS = {"index": 400_000}


@each_page
def test_the_page_is_light(page):
    weight = len(gzip.compress(page.read_bytes()))
    for tag, a, _ in parse(page).elements:
        address = (
            a.get("src")
            if tag in ("script", "img")
            else (
                a.get("href")
                if tag == "link" and a.get("rel") in ("stylesheet", "preload")
                else None
            )
        )
        if not address or address.startswith("data:"):
            continue
        file = (page.parent / unquote(address.split("?")[0])).resolve()
        weight += len(gzip.compress(file.read_bytes()))
    fonts = ICONS + sum(file.stat().st_size for file in (HTML / "_static/fonts").glob("*.woff2"))
    assert weight + fonts < LIMITS.get(page.stem, 1_200_000), weight


@each_page
def test_the_name_of_the_search_button_holds_its_words(page):
    (button,) = (
        a for _, a, _ in parse(page).elements if "search-button-field" in a.get("class", "")
    )
    assert "aria-label" not in button


@each_page
def test_the_books_name_stands_in_a_landmark(page):
    (parents,) = (p for _, a, p in parse(page).elements if "navbar-brand" in a.get("class", ""))
    assert "header" in parents


def test_no_templates_are_shipped():
    assert not list((HTML / "_static").rglob("*.html"))


def test_no_source_maps_are_shipped():
    assert not list(HTML.rglob("*.map"))


DEEPER = [page for page in PAGES if re.match(r"\d\d-\d-", page.stem)]


@pytest.mark.parametrize("page", DEEPER, ids=lambda p: p.stem)
def test_a_deeper_page_has_its_number_in_its_title_and_in_the_sidebar(page):
    chapter, place = re.findall(r"\d+", page.stem)[:2]
    number = f"{int(chapter)}.{int(place)}. "
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(<h\d>)<span class=.section-number.>([\d.]+ )", text) == [("<h1>", number)]
    index = (HTML / "book" / "index.html").read_text(encoding="utf-8")
    assert re.search(rf'href="{page.name}">{re.escape(number)}\w', index)


@each_page
def test_figures_and_explorables_have_numbers_in_a_row_and_addresses_of_their_cells(page):
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r'<p class="figure-number" id="([^"]+)"><a href="#([^"]+)">(.*?)</a>', text)
    source = ROOT / "book" / f"{page.stem}.ipynb"
    if not source.exists():
        assert lines == []
        return
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    drawn = [
        cell["id"]
        for cell in cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
        or 'class="explorable"' in "".join(output.get("data", {}).get("text/html", ""))
    ]
    # An exercise takes its cells along, so the order is that of the page.
    assert sorted(name for name, _, _ in lines) == sorted(f"fig-{name}" for name in drawn)
    assert all(name == target for name, target, _ in lines)
    place = re.match(r"0?(\d+)(?:-(\d))?-", page.stem)
    prefix = "".join(f"{part}." for part in (place.groups() if place else ()) if part)
    assert [said for _, _, said in lines] == [
        f"Figure {prefix}{k}" for k in range(1, len(lines) + 1)
    ]

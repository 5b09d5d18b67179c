"""Every page that is read through says how long that takes, and keeps to its budget."""

from __future__ import annotations

import re

import pytest

from ..loading import load
from .test_pages import HTML, each_page

pages = load("pages")
CORE = [chapter.page for chapter in pages.CHAPTERS]
#: Minutes of reading.
CORE_PAGE, ALL_CORE_PAGES, DEEPER_PAGE = 50.0, 270.0, 45.0


def times():
    """Return the minutes of reading of each chapter's pages, as they are shown."""
    found = {}
    for chapter in pages.CHAPTERS:
        for page in chapter.pages():
            text = (HTML / f"{page}.html").read_text(encoding="utf-8")
            (minutes,) = re.findall(r'class="reading-time" data-reading="([\d.]+)"', text)
            found[page] = float(minutes)
    return found


def over_budget(times):
    """Return what takes too long."""
    wrong = [
        page
        for page, minutes in times.items()
        if minutes > (CORE_PAGE if page in CORE else DEEPER_PAGE)
    ]
    if sum(minutes for page, minutes in times.items() if page in CORE) > ALL_CORE_PAGES:
        wrong.append("the core pages together")
    return wrong


def test_no_page_takes_longer_than_its_budget():
    assert over_budget(times()) == []


@pytest.mark.parametrize(
    ("minutes", "wrong"),
    [
        (dict.fromkeys(CORE, 45.0), []),
        (dict.fromkeys(CORE, 45.1), ["the core pages together"]),
        ({CORE[0]: 50.1, "book/01-1-map": 45.1}, [CORE[0], "book/01-1-map"]),
        ({CORE[0]: 50.0, "book/01-1-map": 45.0}, []),
    ],
)
def test_a_page_that_takes_too_long_is_found(minutes, wrong):
    assert over_budget(minutes) == wrong


@each_page
def test_the_time_stands_once_below_the_title_of_what_is_read_through(page):
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"</h1>\s*<p class=\"reading-time\"[^>]*>(About \d+ minutes)", text)
    read_through = re.match(r"\d|bug-gallery|elsewhere|fifteen", page.stem)
    assert len(lines) == text.count('class="reading-time"') == bool(read_through)


def test_the_front_page_gives_the_total_of_its_chapters():
    text = (HTML / "book" / "index.html").read_text(encoding="utf-8")
    hours, rest = re.search(r"About (\d+)\sh(?:\s(\d+)\smin)? to read the chapters", text).groups()
    total = sum(minutes for page, minutes in times().items() if page in CORE)
    assert abs(60 * int(hours) + int(rest or 0) - total) <= 2.5
    assert re.search(r"The exercises take about \d+", text)


def minutes_of(page):
    """Return a page's minutes as they stand beside a link to it, or None."""
    text = (HTML / "book" / page).read_text(encoding="utf-8")
    found = re.search(r'class="reading-time" data-reading="([\d.]+)"', text)
    return f"{max(1, round(float(found[1])))} min" if found else None


@each_page
def test_links_to_other_pages_say_how_long_these_take(page):
    text = page.read_text(encoding="utf-8")
    sidebar = text.partition('<nav class="bd-links')[2].partition("</nav>")[0]
    links = re.findall(r'<a class="[^"]*reference internal" href="([^"]*)">(.*?)</a>', sidebar)
    assert len(links) > 15
    for address, words in links:
        name = address.partition("#")[0] or page.name
        told = re.findall(r"<small>(\d+ min)</small>", words)
        own_section = "#" in address and address != "#"
        assert told == ([] if own_section else [m for m in [minutes_of(name)] if m]), address
    ways = re.findall(
        r'class="(?:left-prev|right-next)" href="([^"]+)".*?prev-next-subtitle">(.*?)</p>',
        text,
        re.S,
    )
    assert ways
    for address, words in ways:
        assert words.partition(" · ")[2] == (minutes_of(address) or "")

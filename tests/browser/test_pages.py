"""The built pages in Chromium: every page of the table of contents, on http and from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..loading import load
from . import conftest
from .visits import HTML, Visit

# Other modules of this folder import these from here.
browser, server = conftest.browser, conftest.server
AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
#: Of axe: the guidelines at level AA, what is good practice besides, and what is being tried out.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]
#: Of these rules, what a dark page can change.
COLOURS = ["color-contrast", "link-in-text-block"]

PAGES = load("pages").existing()
each_page = pytest.mark.parametrize("page", PAGES)


def address(server, page, way):
    return f"{server}/{page}.html" if way == "http" else (HTML / f"{page}.html").as_uri()


def whole(visit, server):
    """Nothing comes from elsewhere or complains; all pictures and formulas are there."""
    # Pictures that load late are loaded now.
    visit.page.evaluate("document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })")
    visit.page.wait_for_function("[...document.images].every(i => i.complete)")
    away = [u for u in visit.requests if not u.startswith((server, "file://", "data:", "blob:"))]
    assert away == []
    assert visit.complaints == []
    broken = visit.page.evaluate(
        "[...document.images].filter(i => !i.naturalWidth || !(i.alt ||"
        " i.matches('.logo__image'))).map(i => i.src)"
    )
    assert broken == []
    unseen = visit.page.evaluate(
        "[...document.querySelectorAll('.math')].filter(e => e.checkVisibility())"
        ".filter(e => !(e.querySelector('math')?.getBoundingClientRect().width > 1))"
        ".map(e => e.textContent)"
    )
    assert unseen == []


def anchored(visit):
    """Every link into the page leads somewhere."""
    missing = visit.page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')]"
        ".map(a => decodeURIComponent(a.getAttribute('href').slice(1)).split('=')[0])"
        ".filter(id => id && !document.getElementById(id))"
    )
    assert missing == []


def accessible(visit, only=RULES):
    """Axe finds nothing, not even what it only advises, in what is folded neither."""
    visit.page.evaluate("document.querySelectorAll('article details').forEach(d => d.open = true)")
    visit.page.evaluate(AXE)
    found = visit.page.evaluate(
        "(only) => axe.run({runOnly: only, resultTypes: ['violations']})"
        ".then((all) => all.violations)",
        only,
    )
    assert [(v["id"], [n["html"][:160] for n in v["nodes"][:4]]) for v in found] == []


# A visit takes longer than what is asked of it, so each test asks what can be asked of one visit.


@each_page
def test_on_http(browser, server, page):
    with Visit(browser, address(server, page, "http")) as visit:
        whole(visit, server)
        anchored(visit)
        accessible(visit)
        visit.page.set_viewport_size({"width": 360, "height": 900})
        # Nothing scrolls sideways on a phone.
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360


@each_page
def test_from_a_file(browser, server, page):
    with Visit(browser, address(server, page, "file")) as visit:
        whole(visit, server)
        anchored(visit)


@each_page
def test_on_dark_pages(browser, server, page):
    with Visit(browser, address(server, page, "http"), scheme="dark") as visit:
        assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"
        accessible(visit, COLOURS)
        # Axe leaves a text undecided whose colour is exactly that of what lies under it.
        unseen = visit.page.evaluate(
            """() => {
              const ground = (e) => {
                for (; e; e = e.parentElement) {
                  const colour = getComputedStyle(e).backgroundColor;
                  if (!/, 0\\)$|transparent/.test(colour)) return colour;
                }
              };
              return [...document.querySelectorAll("article :is(p, figcaption, label, li, td)")]
                .filter((e) => e.textContent.trim() && getComputedStyle(e).color === ground(e))
                .map((e) => e.textContent.slice(0, 60));
            }"""
        )
        assert unseen == []

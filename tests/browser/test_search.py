"""The search: whole on http, and plain about what it can't do from a file."""

from __future__ import annotations

import pytest

from .test_pages import accessible
from .visits import HTML, Visit

QUERY = "search.html?q=variance"
NOTE = "#search-from-file"
RESULTS = "#search-results li"


def finished(visit):
    visit.page.wait_for_function(
        "document.querySelector('#search-results')?.textContent.includes('Search finished')",
        timeout=20_000,
    )


def test_on_http_it_finds_chapters_and_shows_where_the_words_stand(browser, server):
    with Visit(browser, f"{server}/{QUERY}") as visit:
        finished(visit)
        visit.page.wait_for_selector(f"{RESULTS} p.context", timeout=20_000)
        assert visit.page.locator(RESULTS).count() > 2
        assert visit.page.locator(NOTE).count() == 0
        assert visit.complaints == []


def test_from_a_file_it_finds_chapters_and_says_what_it_cannot_show(browser):
    with Visit(browser, (HTML / "search.html").as_uri() + "?q=variance") as visit:
        finished(visit)
        assert visit.page.locator(RESULTS).count() > 2
        first = visit.page.locator(f"{RESULTS} a").first.get_attribute("href")
        assert (HTML / first.split("#")[0].split("?")[0]).is_file()
        note = visit.page.locator(NOTE)
        assert note.is_visible()
        assert "can't show the lines" in note.text_content()
        assert f'python -m http.server 8000 --directory "{HTML}"' in note.text_content()
        link = note.locator("a").get_attribute("href")
        assert link == f"http://localhost:8000/{QUERY}"
        # Nothing was tried that a browser refuses, so nothing is reported as an error.
        assert visit.complaints == []


def test_the_search_of_every_page_leads_to_the_search_page(browser, server):
    with Visit(browser, f"{server}/book/01-motivation.html") as visit:
        visit.page.keyboard.press("Control+k")
        visit.page.keyboard.type("variance")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url("**/search.html?q=variance")
        visit.page.wait_for_selector(RESULTS, timeout=20_000)


def test_nothing_scrolls_sideways_on_a_phone(browser):
    with Visit(browser, (HTML / "search.html").as_uri() + "?q=variance", width=360) as visit:
        finished(visit)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", [QUERY, "search.html", "genindex.html"])
def test_axe_finds_nothing(browser, server, page, scheme):
    with Visit(browser, f"{server}/{page}", scheme=scheme) as visit:
        if page == QUERY:
            finished(visit)
        accessible(visit)

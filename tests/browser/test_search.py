"""The search: whole on http, and plain about what it can't do from a file."""

from __future__ import annotations

import re

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
        note.locator("summary").click()
        assert "can’t show the lines" in note.text_content()
        assert f'python -m http.server 8000 --directory "{HTML}"' in note.text_content()
        link = note.locator("a").get_attribute("href")
        assert link == f"http://localhost:8000/{QUERY}"
        # Nothing was tried that a browser refuses, so nothing is reported as an error.
        assert visit.complaints == []


def excerpts(visit):
    visit.page.wait_for_function(
        f"document.querySelectorAll('{RESULTS} p.context').length"
        f" === document.querySelectorAll('{RESULTS}').length",
        timeout=20_000,
    )
    return visit.page.locator(f"{RESULTS} p.context").all_text_contents()


@pytest.mark.parametrize("words", ["variance", "running average", "γ"])
def test_an_excerpt_begins_and_ends_with_a_word_of_the_page(browser, server, words):
    with Visit(browser, f"{server}/search.html?q={words}") as visit:
        finished(visit)
        found = excerpts(visit)
        assert len(found) > 5
        plain = visit.page.evaluate(
            """async () => Promise.all([...document.querySelectorAll('#search-results li')].map(
              async (item) => {
                const answer = await fetch(item.querySelector('a').href);
                const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
                page.querySelectorAll('annotation, .headerlink, script, style, button')
                  .forEach((element) => element.remove());
                const signs = {msub: '_', msup: '^', msubsup: '_^', munder: '_',
                  munderover: '_^', mfrac: '/'};
                page.querySelectorAll(Object.keys(signs).join()).forEach((part) =>
                  [...signs[part.localName]].forEach((sign, k) =>
                    part.children[k + 1].before(sign)));
                page.querySelectorAll('p, li, dt, dd, td, th, pre, summary, figcaption')
                  .forEach((element) => { element.prepend(' '); element.append(' '); });
                return page.body.textContent.replace(/\\s+/g, ' ');
              }))"""
        )
        for said, page in zip(found, plain, strict=True):
            inside = said.removeprefix("… ").removesuffix(" …")
            assert re.search(rf"(?<!\w){re.escape(inside)}(?!\w)", page), said


def test_a_mark_ends_where_its_word_ends(browser, server):
    with Visit(browser, f"{server}/search.html?q=normalised+layers") as visit:
        finished(visit)
        excerpts(visit)
        marked = visit.page.evaluate(
            """() => [...document.querySelectorAll("p.context .highlighted")]
              .map((mark) => [mark.textContent, mark.nextSibling?.textContent ?? ""])"""
        )
    assert len(marked) > 5
    assert [mark for mark, rest in marked if re.match(r"\w", rest)] == []


def test_an_excerpt_leads_to_its_section(browser, server):
    with Visit(browser, f"{server}/{QUERY}") as visit:
        finished(visit)
        excerpts(visit)
        link = visit.page.locator(f"{RESULTS} a.context-section[href^='book/0']").first
        name = link.text_content()
        link.click()
        visit.page.wait_for_url("**/*.html#*")
        heading = visit.page.locator(":target :is(h2, h3)").first.text_content()
        assert name in heading


def test_who_finds_nothing_is_told_what_to_try(browser, server):
    with Visit(browser, f"{server}/search.html?q=xylophone") as visit:
        finished(visit)
        assert "No page has all of these words" in visit.page.text_content("#search-results")


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

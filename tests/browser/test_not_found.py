"""The page for addresses that lead nowhere: its links lead back from any depth."""

from __future__ import annotations

import shutil
import threading

import pytest

from .server import serve
from .test_pages import accessible
from .visits import HTML, Visit


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    """A site in a folder of its server, /course/, as on GitHub Pages."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(HTML, root / "course")
    shutil.copy(HTML / "404.html", root / "404.html")
    with serve(root) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def links(visit):
    visit.page.wait_for_function("document.getElementById('help').hidden")
    return visit.page.evaluate("[...document.querySelectorAll('a')].map(a => a.href)")


@pytest.mark.parametrize("depth", ["nowhere", "book/nowhere.html", "a/b/c/d"])
def test_the_links_are_right_at_any_depth_of_a_site(browser, server, depth):
    with Visit(browser, f"{server}/{depth}") as visit:
        assert visit.page.title().startswith("Page not found")
        assert f"{server}/book/index.html" in links(visit)


@pytest.mark.parametrize("depth", ["nowhere", "book/nowhere.html", "a/b/c/d"])
def test_the_links_are_right_in_a_site_that_is_a_folder(browser, below, depth):
    with Visit(browser, f"{below}/course/{depth}") as visit:
        found = links(visit)
        assert f"{below}/course/book/index.html" in found
        answer = visit.page.request.get(found[3])
        assert answer.status == 200


def test_its_search_leads_to_the_search_page(browser, below):
    with Visit(browser, f"{below}/course/a/b/nowhere") as visit:
        links(visit)
        visit.page.fill("input[type=search]", "variance")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url(f"{below}/course/search.html?q=variance")


def test_it_is_set_in_the_face_of_the_book(browser):
    with Visit(browser, (HTML / "404.html").as_uri()) as visit:
        faces = visit.page.evaluate(
            "document.fonts.ready.then((fonts) => [...fonts].map((f) => f.family + f.status))"
        )
        assert [face.replace('"', "") for face in faces] == ["Course Textloaded"] * 2


def test_what_it_asks_for_is_answered_to_the_end(browser, server):
    context = browser.new_context()
    tab = context.new_page()
    broken_off, answered = [], []
    tab.on("requestfailed", lambda r: broken_off.append((r.url, r.failure)))
    tab.on("requestfinished", lambda r: answered.append(r.url))
    tab.goto(f"{server}/a/b/nowhere")
    tab.wait_for_function("document.getElementById('help').hidden")
    assert f"{server}/searchindex.js" in answered
    assert broken_off == []
    context.close()


def test_from_a_file_the_links_lead_to_pages(browser):
    with Visit(browser, (HTML / "404.html").as_uri()) as visit:
        addresses = visit.page.evaluate("[...document.querySelectorAll('a')].map(a => a.href)")
        assert (HTML / "book" / "index.html").as_uri() in addresses
        assert visit.requests == [(HTML / "404.html").as_uri()]
        assert visit.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, scheme):
    with Visit(browser, (HTML / "404.html").as_uri(), width=360, scheme=scheme) as visit:
        accessible(visit)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360

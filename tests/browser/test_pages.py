"""The built pages in Chromium: every page of the table of contents, on http and from a file."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")


def toc_pages():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


PAGES = toc_pages()
each_page = pytest.mark.parametrize("page", PAGES)
each_way = pytest.mark.parametrize("way", ["http", "file"])


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def server():
    if not (HTML / "index.html").is_file():
        pytest.fail("expected the built book in _build/html: run `make book` first")
    handler = functools.partial(Quiet, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture(scope="session")
def browser():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("expected Chromium on this machine (Debian: apt-get install chromium)")
    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


class Visit:
    """A page that has been opened, with everything that it said and asked for."""

    def __init__(self, browser, address, width=1200, scheme="light"):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on(
            "console",
            lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None,
        )
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.goto(address, wait_until="load")
        self.page.wait_for_function(
            "!window.MathJax || (MathJax.startup && MathJax.startup.promise.then(() => true))"
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.close()


def address(server, page, way):
    return f"{server}/{page}.html" if way == "http" else (HTML / f"{page}.html").as_uri()


@each_way
@each_page
def test_the_page_is_whole(browser, server, page, way):
    with Visit(browser, address(server, page, way)) as visit:
        # Scroll through, so that pictures that load late are loaded.
        visit.page.evaluate(
            "document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })"
        )
        visit.page.wait_for_function("[...document.images].every(i => i.complete)")
        away = [
            u for u in visit.requests if not u.startswith((server, "file://", "data:", "blob:"))
        ]
        assert away == []
        assert visit.complaints == []
        broken = visit.page.evaluate(
            "[...document.images].filter(i => !i.naturalWidth || !i.alt).map(i => i.src)"
        )
        assert broken == []
        assert visit.page.locator("mjx-merror").count() == 0
        raw = visit.page.evaluate(
            "[...document.querySelectorAll('.math')]"
            ".filter(e => !e.querySelector('mjx-container')).map(e => e.textContent)"
        )
        assert raw == []


@each_page
def test_nothing_scrolls_sideways_on_a_phone(browser, server, page):
    with Visit(browser, address(server, page, "http"), width=360) as visit:
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@each_page
def test_axe_finds_nothing(browser, server, page, scheme):
    with Visit(browser, address(server, page, "http"), scheme=scheme) as visit:
        assert visit.page.evaluate("document.documentElement.dataset.theme") == scheme
        visit.page.evaluate(AXE)
        found = visit.page.evaluate(
            "axe.run(document, {runOnly:"
            " ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
        )
        assert [
            (v["id"], [n["html"][:160] for n in v["nodes"][:4]]) for v in found["violations"]
        ] == []


@each_way
def test_links_and_anchors_resolve(browser, server, way):
    for page in PAGES:
        with Visit(browser, address(server, page, way)) as visit:
            missing = visit.page.evaluate(
                "[...document.querySelectorAll('a[href^=\"#\"]')]"
                ".map(a => decodeURIComponent(a.getAttribute('href').slice(1)))"
                ".filter(id => id && !document.getElementById(id))"
            )
            assert missing == [], page


def test_the_search_finds_a_chapter(browser, server):
    with Visit(browser, f"{server}/search.html?q=variance") as visit:
        visit.page.wait_for_selector("#search-results li", timeout=20_000)
        assert visit.page.locator("#search-results li").count() > 2
        assert visit.complaints == []

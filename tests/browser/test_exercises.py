"""Exercises in the browser: by keyboard, without script, and to take away."""

from __future__ import annotations

import pytest

from ..loading import ROOT, load
from . import conftest
from .visits import HTML, Visit

browser, server = conftest.browser, conftest.server
TASKS = ":is(.exercise, .do, .predict)"
BUILT = [page for page in load("pages").existing() if (HTML / f"{page}.html").is_file()]
WITH_TASKS = [
    page
    for page in BUILT
    if 'class="task-title"' in (HTML / f"{page}.html").read_text(encoding="utf-8")
]
each_page = pytest.mark.parametrize("page", WITH_TASKS)


@pytest.mark.parametrize("scripts", [True, False])
@each_page
def test_what_is_folded_opens_by_keyboard_with_and_without_script(browser, page, scripts):
    context = browser.new_context(java_script_enabled=scripts)
    tab = context.new_page()
    tab.goto((HTML / f"{page}.html").as_uri(), wait_until="domcontentloaded")
    first = tab.locator(f"{TASKS} details").first
    assert first.get_attribute("open") is None
    first.locator("summary").press("Enter")
    assert first.get_attribute("open") is not None
    assert first.locator("p").first.is_visible()
    context.close()


@pytest.mark.parametrize("way", ["http", "file"])
@each_page
def test_the_practice_notebook_downloads(browser, server, page, way):
    address = f"{server}/{page}.html" if way == "http" else (HTML / f"{page}.html").as_uri()
    with Visit(browser, address) as visit:
        link = visit.page.locator(".practice-link a").first
        if not link.count():
            pytest.skip("nothing to write on this page")
        with visit.page.expect_download() as download:
            link.click()
        name = download.value.suggested_filename
        stored = ROOT / "book" / "practice" / name.removeprefix("practice-")
        assert download.value.path().read_text(encoding="utf-8") == stored.read_text(
            encoding="utf-8"
        )

"""A page in the browser, with everything that it said and asked for."""

from __future__ import annotations

import functools
import shutil

import pytest
from playwright.sync_api import sync_playwright

from ..loading import ROOT, load

HTML = ROOT / "_build" / "html"


@functools.cache
def start():
    """The one browser of this process: Playwright allows no second one."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("expected Chromium on this machine (Debian: apt-get install chromium)")
    playwright = sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=path, args=load("pdf").FLAGS)


def stop():
    """Close the browser, if it is open."""
    if start.cache_info().currsize:
        playwright, chromium = start()
        start.cache_clear()
        chromium.close()
        playwright.stop()


class Visit:
    """A page that has been opened, with everything that it said and asked for."""

    def __init__(
        self, browser, address, width=1200, scheme="light", touch=False, height=900, **options
    ):
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            has_touch=touch,
            is_mobile=touch,
            **options,
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
        # The page lays its sections out one by one, and then says which boxes scroll.
        self.page.wait_for_function("!document.documentElement.classList.contains('from-the-top')")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.close()

"""What a page transfers, measured in the browser, from a server that compresses."""

from __future__ import annotations

import pytest

from .test_pages import PAGES
from .test_ways_of_reading import CORES

#: Before the reader moves anything, and when all pictures have been seen.
AT_FIRST, AT_THE_END = 350_000, 1_200_000
LIMITS = {"book/index": 400_000}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_transfers_little(browser, server, page):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    network = context.new_cdp_session(tab)
    network.send("Network.enable")
    sizes = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    fonts = []
    tab.on("request", lambda r: fonts.append(r.url) if r.resource_type == "font" else None)
    tab.goto(f"{server}/{page}.html", wait_until="networkidle")
    if page in CORES:
        assert sum(sizes) <= AT_FIRST
    # Down to the end, so that pictures that load late are counted too.
    tab.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    tab.wait_for_load_state("networkidle")
    context.close()
    assert len(sizes) > 5
    # The face of the text comes by script, and not a second time.
    assert [url for url in fonts if url.endswith("/text.woff2")] == []
    # The small font has every icon; `tools/maintain/icons.py` adds one that it lacks.
    assert [url for url in fonts if "fontawesome" in url] == []
    assert any(url.endswith("icons.woff") for url in fonts)
    assert sum(sizes) <= LIMITS.get(page, AT_THE_END)

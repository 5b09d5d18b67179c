"""The index's first screen: what a stranger sees and can do before anything is scrolled."""

from __future__ import annotations

import pytest


def bottom(tab, selector):
    """Return where the lowest of some elements ends."""
    boxes = [found.bounding_box() for found in tab.locator(selector).all()]
    assert boxes
    return max(box["y"] + box["height"] for box in boxes)


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_the_first_screen_has_the_ways_in_and_the_question_with_its_buttons(
    browser, server, width, height
):
    context = browser.new_context(viewport={"width": width, "height": height})
    tab = context.new_page()
    tab.goto(f"{server}/book/index.html")
    ways = tab.locator(".ways-in a")
    assert ways.all_inner_texts() == [
        "Start chapter\u00a01",
        "Batch norm in 15 minutes",
        "I have a bug",
    ]
    assert all(way.bounding_box()["height"] >= 44 for way in ways.all())
    assert bottom(tab, ".ways-in a, .front-hero > p:first-child") < height
    assert bottom(tab, ".front-hero .explorable-controls") < height
    if width > 1000:
        assert bottom(tab, ".front-hero figure img, .front-facts") < height
    context.close()


def test_the_answer_changes_with_the_neighbours_and_not_without_batch_norm(browser, server):
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    tab = context.new_page()
    tab.goto(f"{server}/book/index.html")
    said = tab.locator(".front-hero figcaption")
    assert "taken for a 0" in said.inner_text()
    tab.get_by_label("nine other zeros").check()
    assert "taken for a 5" in said.inner_text()
    tab.get_by_label("without batch norm").check()
    assert "taken for a 0" in said.inner_text()
    context.close()

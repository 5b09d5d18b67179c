"""The menu and the contents of a narrow page: boxes that open over it and close again."""

from __future__ import annotations

import pytest

from .visits import Visit

PAGE = "book/bug-gallery.html"
MENU, CONTENTS = "primary", "secondary"

each_width = pytest.mark.parametrize("width", [390, 768])
each_way = pytest.mark.parametrize("touch", [True, False], ids=["touch", "keyboard"])
each_box = pytest.mark.parametrize("kind", [MENU, CONTENTS], ids=["menu", "contents"])


def button(page, kind):
    """The button that a reader sees; the theme may have hidden ones besides."""
    return page.locator(f".{kind}-toggle:visible")


def box(page, kind):
    return page.locator(f"#pst-{kind}-sidebar-modal")


def focused(locator):
    return locator.evaluate("(element) => element === document.activeElement")


def tab_to(page, locator):
    """Go to the element as a keyboard does: one after another."""
    for _ in range(60):
        if focused(locator):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the Tab key does not reach {locator}")


def use(page, locator, touch):
    """Press a button or follow a link, with a finger or with the keyboard."""
    if touch:
        locator.tap()
    else:
        tab_to(page, locator)
        page.keyboard.press("Enter")


def opened(page, kind, touch):
    """Open a box, and return it when it lies within the window with a link to take."""
    use(page, button(page, kind), touch)
    box(page, kind).wait_for(state="visible", timeout=5_000)
    page.wait_for_function(
        """(box) => {
          const { left, right } = box.getBoundingClientRect();
          return left >= 0 && right <= innerWidth && right - left > 200;
        }""",
        arg=box(page, kind).element_handle(),
        timeout=5_000,
    )
    # Behind the folded group there is nothing to see yet.
    assert box(page, kind).locator("a:not(.last-group *)").last.is_visible()
    return box(page, kind)


def closed(page, kind):
    box(page, kind).wait_for(state="hidden", timeout=5_000)
    assert box(page, kind).locator("a").count() == 0  # they went back to the page's own sidebar


@each_box
@each_way
@each_width
def test_a_box_opens_and_closes_as_often_as_one_likes(browser, server, width, touch, kind):
    with Visit(browser, f"{server}/{PAGE}", width=width, touch=touch) as visit:
        for _ in range(2):
            area = opened(visit.page, kind, touch).bounding_box()
            if touch:
                beside = area["width"] + 20 if kind == MENU else area["x"] - 20
                visit.page.touchscreen.tap(beside, 450)
            else:
                assert box(visit.page, kind).evaluate("(b) => b.contains(document.activeElement)")
                visit.page.keyboard.press("Escape")
            closed(visit.page, kind)
            if not touch:
                visit.page.wait_for_function(
                    "(kind) => document.activeElement.matches(`.${kind}-toggle`)",
                    arg=kind,
                    timeout=5_000,
                )
        assert visit.complaints == []


@each_way
@each_width
def test_the_menu_leads_to_a_chapter(browser, server, width, touch):
    with Visit(browser, f"{server}/{PAGE}", width=width, touch=touch) as visit:
        menu = opened(visit.page, MENU, touch)
        use(visit.page, menu.locator("a[href='03-beta-replaces-b.html']"), touch)
        visit.page.wait_for_url("**/book/03-beta-replaces-b.html", timeout=10_000)
        assert "Let β replace b" in visit.page.locator("h1").last.inner_text()
        assert not box(visit.page, MENU).is_visible()
        assert visit.complaints == []


@each_way
@each_width
def test_the_contents_lead_to_a_section_and_get_out_of_the_way(browser, server, width, touch):
    with Visit(browser, f"{server}/{PAGE}", width=width, touch=touch) as visit:
        link = opened(visit.page, CONTENTS, touch).locator("a").nth(3)
        anchor = link.get_attribute("href")
        use(visit.page, link, touch)
        closed(visit.page, CONTENTS)
        assert visit.page.url.endswith(anchor)
        visit.page.wait_for_function(
            """(anchor) => {
              const { top } = document.querySelector(anchor).getBoundingClientRect();
              return scrollY > 0 && top >= 0 && top < innerHeight;
            }""",
            arg=anchor,
            timeout=5_000,
        )
        assert visit.complaints == []


def test_on_a_wide_page_the_button_folds_the_sidebar_away_and_back(browser, server):
    with Visit(browser, f"{server}/{PAGE}") as visit:
        sidebar = visit.page.locator("#pst-primary-sidebar")
        for state in ("hidden", "visible"):
            button(visit.page, MENU).click()
            sidebar.wait_for(state=state, timeout=5_000)
        assert visit.complaints == []

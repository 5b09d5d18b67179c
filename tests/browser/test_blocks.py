"""What the blocks do in a browser: signs of claims, notes in the margin, the place in the page."""

from __future__ import annotations

import pytest

from .visits import Visit

PAGE = "book/05-intuition.html"


@pytest.mark.parametrize("width", [390, 1366])
def test_what_is_claimed_shows_on_focus_and_goes_on_escape(browser, server, width):
    with Visit(browser, f"{server}/{PAGE}", width=width) as visit:
        for sign in visit.page.locator(".claim").all()[:4]:
            tip = sign.locator(".claim-tip")
            assert not tip.is_visible()
            sign.locator("a").focus()
            assert tip.is_visible()
            box = tip.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            visit.page.keyboard.press("Escape")
            assert not tip.is_visible()
            # It comes again when it is pointed at anew.
            sign.locator("a").blur()
            sign.hover()
            assert tip.is_visible()
            visit.page.mouse.move(0, 0)


def test_a_sign_leads_to_its_row_and_back(browser, server):
    with Visit(browser, f"{server}/{PAGE}") as visit:
        name = visit.page.locator(".claim a").first.inner_text()
        visit.page.locator(".claim a").first.click()
        visit.page.wait_for_url("**/corrections.html#claim-*")
        row = visit.page.locator(f"#claim-{name.lower()}")
        row.get_by_role("link", name=name, exact=True).click()
        visit.page.wait_for_url(f"**/*#{name.lower()}")


@pytest.mark.parametrize("width", [1200, 1366, 1920])
def test_notes_stand_in_the_margin_and_touch_nothing(browser, server, width):
    for page in ("05-intuition", "02-algorithm", "02-1-backward"):
        with Visit(browser, f"{server}/book/{page}.html", width=width) as visit:
            touching = visit.page.evaluate(
                """() => {
                  const box = (e) => e.getBoundingClientRect();
                  const notes = [...document.querySelectorAll("article .margin")];
                  const others = [...document.querySelectorAll(
                    "article :is(p, pre, table, img, math, h2, h3, li, figure)")]
                    .filter((e) => e.checkVisibility() && !e.closest(".margin"));
                  const found = [];
                  for (const note of notes) {
                    const a = box(note);
                    for (const other of [...others, ...notes.filter((n) => n !== note)]) {
                      const b = box(other);
                      const apart = a.right <= b.left || b.right <= a.left
                        || a.bottom <= b.top || b.bottom <= a.top;
                      if (!apart && b.width && !note.contains(other))
                        found.push([note, other].map((e) => e.textContent.slice(0, 40)));
                    }
                  }
                  const edge = box(document.querySelector("article section > p")).right;
                  const right = notes.every((n) => box(n).left >= edge);
                  return { found, count: notes.length, right };
                }"""
            )
            assert touching["found"] == []
            assert touching["count"] > 0
            assert touching["right"]


def test_the_bar_and_the_sidebar_say_which_section_is_read(browser, server):
    with Visit(browser, f"{server}/{PAGE}", width=1366) as visit:
        assert not visit.page.locator(".where").is_visible()
        sections = visit.page.locator(".bd-article > section > section > h2")
        for k in (1, 4, 2):
            sections.nth(k).evaluate("e => e.scrollIntoView()")
            heading = sections.nth(k).evaluate("e => e.firstChild.textContent")
            visit.page.wait_for_function(
                "h => document.querySelector('.where-section').textContent === h", arg=heading
            )
            marked = visit.page.locator(".page-contents [aria-current=location]")
            assert marked.all_inner_texts() == [heading]


def test_the_last_group_is_open_where_one_is_in_it(browser, server):
    for page, is_open in ((PAGE, False), ("book/about.html", True)):
        with Visit(browser, f"{server}/{page}", width=1366) as visit:
            group = visit.page.locator("details.last-group")
            assert group.evaluate("e => e.open") is is_open
            if not is_open:
                group.locator("summary").press("Enter")
                assert group.get_by_role("link", name="How fast it is").is_visible()


def test_a_page_that_is_opened_in_its_middle_is_there_at_once(browser, server):
    with Visit(browser, f"{server}/{PAGE}#exercises", width=390) as visit:
        top = visit.page.evaluate(
            "document.getElementById('exercises').getBoundingClientRect().top"
        )
        assert 0 <= top < 200
    with Visit(browser, f"{server}/{PAGE}", width=390) as visit:
        visit.page.evaluate("window.scrollTo(0, 20000)")
        visit.page.wait_for_timeout(200)
        place = visit.page.evaluate("scrollY")
        visit.page.reload()
        visit.page.wait_for_timeout(400)
        assert abs(visit.page.evaluate("scrollY") - place) < 50

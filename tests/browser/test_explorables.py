"""The explorables in the static page: every control, by mouse and by keyboard, shows its frame."""

from __future__ import annotations

import re
from unicodedata import normalize

import pytest

from ..loading import load
from .test_pages import PAGES
from .visits import HTML, Visit

WITH_EXPLORABLES = [
    page
    for page in PAGES
    if (HTML / f"{page}.html").is_file()
    and '<figure class="explorable"' in (HTML / f"{page}.html").read_text(encoding="utf-8")
]
each_page = pytest.mark.parametrize("page", WITH_EXPLORABLES)
POWER = re.compile("(?<=10)[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
INDEX = re.compile("(?<=[zβ])_(?=norm|eff)")
each_way = pytest.mark.parametrize("way", ["http", "file"])

#: What the page shows, and what it should show by its controls, worked out anew from its data.
STATE = """(figure) => {
  const data = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const controls = [...figure.querySelectorAll(".explorable-controls > *")];
  const places = controls.map((control) => {
    const radio = control.querySelector("input[type=radio]:checked");
    if (radio) return Number(radio.value);
    const box = control.querySelector("input[type=checkbox]");
    return box ? Number(box.checked) : Number(control.querySelector("input").value);
  });
  let at = 0;
  places.forEach((place, k) => { at = at * data.texts[k].length + place; });
  const image = figure.querySelector("img");
  const wanted = data.pictures[data.frames[at].picture];
  return {
    at,
    words: data.frames[at].words,
    caption: figure.querySelector("figcaption").textContent,
    alt: image.alt,
    right_picture: wanted === "" || image.src === new URL(wanted, document.baseURI).href,
    loaded: image.complete && image.naturalWidth > 0,
    texts: controls.map((control, k) => [
      data.texts[k][places[k]],
      control.querySelector("output")?.textContent,
      control.querySelector("input[type=range]")?.getAttribute("aria-valuetext"),
    ]),
  };
}"""


def address(way, server, page):
    return f"{server}/{page}.html" if way == "http" else (HTML / f"{page}.html").as_uri()


def check(figure):
    """Assert that picture, words and texts are those of the controls' setting; return it."""
    image = figure.locator("img").element_handle()
    image.scroll_into_view_if_needed()
    figure.page.wait_for_function("(image) => image.complete", arg=image)
    state = figure.evaluate(STATE)
    assert state["alt"] == state["words"]
    # A power of ten is raised in the caption, in digits of one face, and an index lowered.
    raised = POWER.sub(lambda it: normalize("NFKC", it[0]), state["words"])
    assert state["caption"] == INDEX.sub("", raised)
    assert state["right_picture"]
    assert state["loaded"]
    for text, output, valuetext in state["texts"]:
        assert output in (None, text)
        assert valuetext in (None, text)
    return state["at"]


def test_there_are_explorables_in_all_six_chapters():
    chapters = {chapter.page for chapter in load("pages").CHAPTERS}
    assert set(WITH_EXPLORABLES) >= chapters


@each_way
@each_page
def test_every_control_shows_its_frame(browser, server, page, way):
    with Visit(browser, address(way, server, page)) as visit:
        figures = visit.page.locator("figure.explorable")
        for i in range(figures.count()):
            figure = figures.nth(i)
            seen = {check(figure)}
            for k in range(figure.locator("input[type=range]").count()):
                slider = figure.locator("input[type=range]").nth(k)
                slider.focus()
                for key in ("End", "Home", "ArrowRight"):
                    visit.page.keyboard.press(key)
                    seen.add(check(figure))
                box = slider.bounding_box()
                for share in (0.02, 0.5, 0.98):
                    slider.click(position={"x": box["width"] * share, "y": box["height"] / 2})
                    seen.add(check(figure))
                assert slider.input_value() == slider.get_attribute("max")
            for choice in figure.locator("fieldset").all():
                labels = choice.locator("label")
                for j in range(labels.count()):
                    labels.nth(j).click()
                    assert labels.nth(j).locator("input").is_checked()
                    seen.add(check(figure))
                visit.page.keyboard.press("ArrowUp")
                assert labels.nth(labels.count() - 2).locator("input").is_checked()
                seen.add(check(figure))
            for switch in figure.locator("input[type=checkbox]").all():
                before = switch.is_checked()
                switch.focus()
                visit.page.keyboard.press("Space")
                assert switch.is_checked() != before
                seen.add(check(figure))
                switch.locator("xpath=..").click()
                assert switch.is_checked() == before
                seen.add(check(figure))
            assert len(seen) > 2, "the controls reached hardly any frame"
        assert visit.complaints == []


@each_page
def test_the_frames_come_when_the_reader_comes_near(browser, server, page):
    with Visit(browser, address("http", server, page)) as visit:

        def fetched():
            return {url for url in visit.requests if url.endswith(".webp")}

        figure = visit.page.locator("figure.explorable").last
        if figure.bounding_box()["y"] < 2000:
            pytest.skip("it is near from the start")
        pictures = figure.evaluate(
            """(figure) => JSON.parse(figure.querySelector("script").textContent)
              .pictures.filter(Boolean).map((p) => new URL(p, document.baseURI).href)"""
        )
        assert not fetched() & set(pictures)
        figure.scroll_into_view_if_needed()
        # The network may be idle before the first of them is asked for.
        for _ in range(100):
            if fetched() >= set(pictures):
                break
            visit.page.wait_for_timeout(100)
        assert fetched() >= set(pictures)


@each_page
def test_without_javascript_the_first_frame_is_there(browser, page):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((HTML / f"{page}.html").as_uri())
    figures = tab.locator("figure.explorable")
    for i in range(figures.count()):
        figure = figures.nth(i)
        image = figure.locator("img")
        assert image.is_visible()
        image.scroll_into_view_if_needed()
        tab.wait_for_load_state("networkidle")
        assert image.evaluate("(image) => image.complete && image.naturalWidth > 0")
        assert figure.locator("img").get_attribute("alt") == (
            figure.locator("figcaption").text_content()
        )
        assert not figure.locator(".explorable-controls").is_visible()
        assert figure.locator(".explorable-still").is_visible()
    context.close()


@each_page
def test_radio_buttons_are_not_shared_and_no_control_is_on_paper(browser, server, page):
    with Visit(browser, address("http", server, page)) as visit:
        groups = visit.page.evaluate(
            """() => [...document.querySelectorAll("figure.explorable fieldset")].map(
              (set) => [...new Set([...set.querySelectorAll("input")].map((i) => i.name))])"""
        )
        assert all(len(names) == 1 for names in groups)
        assert len({names[0] for names in groups}) == len(groups)
        figure = visit.page.locator("figure.explorable").first
        assert not figure.locator(".explorable-still").is_visible()
        visit.page.emulate_media(media="print")
        assert figure.locator(".explorable-still").is_visible()
        assert figure.locator("img").is_visible()
        assert not figure.locator(".explorable-controls").is_visible()


def words_of(tab):
    return tab.locator("figure.explorable figcaption").first.inner_text()


@each_way
def test_the_setting_is_in_the_address_and_a_link_sets_it(browser, server, way):
    page = address(way, server, "book/03-beta-replaces-b")
    with Visit(browser, page) as visit:
        slider = visit.page.locator("figure.explorable input[type=range]").first
        slider.focus()
        visit.page.keyboard.press("End")
        kept = visit.page.url
        assert "#fig-ruler=" in kept
        moved = words_of(visit.page)
        # A link in the text, in a folded answer.
        visit.page.get_by_text("Compare with what we saw").first.click()
        visit.page.get_by_role("link", name="a stretch by 3 and a slide by −8").click()
        visit.page.wait_for_function(
            "() => document.querySelector('figure.explorable figcaption')"
            ".textContent.includes('Stretched by 3 and slid by −8')"
        )
        assert "stored" in visit.page.evaluate("location.hash")
        assert words_of(visit.page) != moved
        assert visit.complaints == []
    with Visit(browser, kept) as visit:
        assert words_of(visit.page) == moved
        check(visit.page.locator("figure.explorable").first)


def test_a_picture_stands_where_it_stood_before_its_script(browser, server):
    """A page may be painted between the figure and its script; then the picture moved."""
    with Visit(browser, f"{server}/book/05-intuition.html", width=412) as visit:
        tops = visit.page.evaluate(
            """() => [...document.querySelectorAll("figure.explorable")].map((figure) => {
              const top = () => figure.querySelector("img").getBoundingClientRect().top
                - figure.getBoundingClientRect().top;
              const after = top();
              delete figure.dataset.ready;
              return [after, top(), figure.querySelector(".explorable-controls").hidden];
            })"""
        )
        source = visit.page.request.get(visit.page.url).text()
    assert len(tops) >= 1
    assert all(after == before and not hidden for after, before, hidden in tops)
    assert '<div class="explorable-controls" hidden>' not in source

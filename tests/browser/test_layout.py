"""How wide the text and the code stand, and which faces draw them."""

from __future__ import annotations

import pytest

from .visits import Visit

PAGE = "book/01-1-map.html"
WIDTH = """(selector) => Math.round(Math.max(
  ...[...document.querySelectorAll(selector)].map((e) => e.getBoundingClientRect().width)))"""


@pytest.mark.parametrize(
    ("width", "size"), [(390, 17), (768, 18), (1200, 19), (1366, 19), (1680, 20), (1920, 20)]
)
def test_the_text_is_as_wide_as_sixty_odd_letters(browser, server, width, size):
    with Visit(browser, f"{server}/{PAGE}", width=width) as visit:
        column = visit.page.evaluate(WIDTH, "article section > p")
        assert column == min(31 * size, width - 40)
        letters = visit.page.evaluate(
            """() => getComputedStyle(document.querySelector(
              "article section > p:not(.reading-time, .margin)")).fontSize"""
        )
        assert letters == f"{size}px"
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1200, 1366, 1920])
def test_eighty_columns_of_code_fit(browser, server, width):
    with Visit(browser, f"{server}/{PAGE}", width=width) as visit:
        scrolls = visit.page.evaluate(
            """() => {
              document.querySelectorAll("details").forEach((e) => { e.open = true; });
              const pre = document.querySelector("article .cell_input .long-lines pre");
              pre.textContent = "x".repeat(80);
              return pre.scrollWidth > pre.clientWidth;
            }"""
        )
        assert not scrolls


def test_the_books_own_faces_draw_the_page(browser, server):
    with Visit(browser, f"{server}/{PAGE}") as visit:
        visit.page.evaluate("document.fonts.ready.then(() => true)")
        loaded = visit.page.evaluate(
            "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)"
        )
        names = {name.strip('"') for name in loaded}
        assert {"Course Text", "Course Code", "Course Mathematics"} <= names


def test_a_figure_on_a_dark_page_has_the_pages_own_ground(browser, server):
    with Visit(browser, f"{server}/{PAGE}", scheme="dark") as visit:
        image = visit.page.locator("article .cell_output img").first
        image.scroll_into_view_if_needed()
        visit.page.wait_for_load_state("networkidle")
        assert "invert" in image.evaluate("(e) => getComputedStyle(e).filter")


@pytest.mark.parametrize(("width", "kind"), [(360, "webp"), (1200, "png")])
def test_a_screen_fetches_the_drawing_that_was_made_for_it(browser, server, width, kind):
    with Visit(browser, f"{server}/{PAGE}", width=width) as visit:
        image = visit.page.locator("article picture img").first
        image.scroll_into_view_if_needed()
        visit.page.wait_for_load_state("networkidle")
        source, shown, own = image.evaluate(
            """(e) => [e.currentSrc, e.clientWidth / e.clientHeight,
              e.naturalWidth / e.naturalHeight]"""
        )
        assert source.endswith(f".{kind}")
        assert shown == pytest.approx(own, rel=0.01)
        fetched = [url for url in visit.requests if "/_images/" in url]
        assert source in fetched
        if kind == "webp":
            assert [url for url in fetched if url.endswith(".png")] == []


def test_the_name_of_the_book_breaks_between_words(browser, server):
    with Visit(browser, f"{server}/{PAGE}") as visit:
        wide = visit.page.evaluate(
            """() => {
              const title = document.querySelector(".logo__title");
              return title.scrollWidth > title.clientWidth
                || getComputedStyle(title).overflowWrap !== "normal";
            }"""
        )
        assert not wide


@pytest.mark.parametrize("width", [390, 1200])
def test_in_tables_ranges_stay_together_and_sentences_break(browser, server, width):
    with Visit(browser, f"{server}/book/05-intuition.html", width=width) as visit:
        cells = visit.page.evaluate(
            """() => [...document.querySelectorAll(".results td")]
              .filter((e) => e.checkVisibility())
              // Stacked cells are narrower, and may break a range that isn't in parentheses.
              .filter((e) => e.querySelector(".range") || innerWidth > 520
                || !e.matches(".named *"))
              .map((e) => [e.textContent.replaceAll("\u00a0", " "),
                getComputedStyle(e.querySelector(".range") ?? e).whiteSpace === "nowrap"])"""
        )
    ranges = [keeps for text, keeps in cells if " to " in text and len(text) <= 20]
    sentences = [keeps for text, keeps in cells if len(text) > 60]
    assert len(ranges) > 5
    assert all(ranges)
    assert len(sentences) > 3
    assert not any(sentences)


@pytest.mark.parametrize("width", [360, 1200])
def test_a_row_keeps_its_name_where_its_numbers_scroll(browser, server, width):
    """Only on a phone: a wide screen shows the whole table."""
    with Visit(browser, f"{server}/book/06-2-fold.html", width=width) as visit:
        moved = visit.page.evaluate("""() => {
          const boxes = [...document.querySelectorAll(".results")];
          return boxes.filter((box) => box.scrollWidth > box.clientWidth + 60).map((box) => {
            box.scrollLeft = 60;
            const row = box.querySelector("tbody tr");
            return row.children[0].getBoundingClientRect().left - box.getBoundingClientRect().left;
          });
        }""")
        assert bool(moved) is (width == 360)
        assert all(left > -1 for left in moved), moved


@pytest.mark.parametrize("width", [360, 1366])
def test_a_note_stands_beside_its_paragraph_or_behind_the_sentence(browser, server, width):
    with Visit(browser, f"{server}/book/01-motivation.html", width=width) as visit:
        places = visit.page.evaluate(
            """() => [...document.querySelectorAll(".noted")]
              .filter((held) => held.checkVisibility() || held.firstElementChild.checkVisibility())
              .map((held) => [...held.children].map((e) => e.getBoundingClientRect().toJSON()))"""
        )
    assert len(places) >= 3
    for note, *blocks in places:
        if width == 360:
            assert all(note["top"] >= block["bottom"] for block in blocks)
        else:
            assert note["left"] > blocks[0]["right"] + 20
            # A little lower where the margin holds the signs of claims as well.
            assert -20 < note["top"] - blocks[0]["top"] < 100


@pytest.mark.parametrize("page", ["05-intuition", "06-2-fold"])
def test_the_rows_of_a_stacked_table_share_their_columns(browser, server, page):
    with Visit(browser, f"{server}/book/{page}.html", width=360) as visit:
        tables = visit.page.evaluate(
            """() => {
              const left = (cell) => cell.getBoundingClientRect().left;
              return [...document.querySelectorAll(".results.named")]
                .filter((box) => box.checkVisibility())
                .map((box) => [
                  [...box.querySelectorAll("thead :is(th, td):not([colspan])")].slice(1).map(left),
                  ...[...box.querySelectorAll("tbody tr")].map(
                    (row) => [...row.children].slice(1).map(left)),
                ]);
            }"""
        )
    assert len(tables) >= 4
    for heads, *rows in tables:
        assert all(row == pytest.approx(sorted(heads), abs=0.5) for row in rows)


@pytest.mark.parametrize("page", ["notation", "before", "02-algorithm"])
def test_short_code_stays_on_one_line(browser, server, page):
    with Visit(browser, f"{server}/book/{page}.html", width=360) as visit:
        lines = visit.page.evaluate(
            """() => [...document.querySelectorAll("code.literal")]
              .filter((e) => e.checkVisibility() && e.textContent.length <= 24)
              .map((e) => [e.textContent, e.getClientRects().length])"""
        )
    assert len(lines) > 2
    assert [text for text, count in lines if count > 1] == []


@pytest.mark.parametrize("page", ["02-1-backward", "06-1-frameworks", "06-2-fold", "06-test-time"])
def test_no_formula_within_a_line_is_cut_on_a_phone_in_a_fold_either(browser, server, page):
    """One in a line of its own scrolls; one within a line could not be reached."""
    with Visit(browser, f"{server}/book/{page}.html", width=360) as visit:
        cut = visit.page.evaluate(
            """() => {
              document.documentElement.classList.remove("from-the-top");
              document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
              return [...document.querySelectorAll("math")]
                .filter((formula) => !formula.closest(".formula, table, .claim-tip"))
                .filter((formula) => formula.getBoundingClientRect().right
                  > formula.closest("p, li, dd").getBoundingClientRect().right + 2)
                .map((formula) => formula.textContent);
            }"""
        )
    assert cut == []

"""Numbers in prose are bound to outputs: a made-up page, and the pages of the book."""

from __future__ import annotations

import nbformat
import pytest

from ..loading import load

bound = load("bound")


def page(*cells):
    """Return a notebook: text is prose, a pair is code and what it printed."""
    made = nbformat.v4.new_notebook()
    for cell in cells:
        if isinstance(cell, str):
            made.cells.append(nbformat.v4.new_markdown_cell(cell))
        else:
            source, printed = cell
            output = nbformat.v4.new_output("stream", text=printed)
            made.cells.append(nbformat.v4.new_code_cell(source, outputs=[output]))
    return made


RUN = ("steps(rate=0.5)", "780 steps without, 31.20 with; ratio 25")


def test_the_pages_of_the_book_hold_no_other_number():
    assert bound.check() == []


def test_what_the_outputs_give_is_bound():
    text = "A factor of 25: 780 steps for 31.2, at rate 0.5. That is `100` or $10^3$ {ref}`ch 4`."
    assert bound.unbound(page("# A page", RUN, text)) == []


def test_a_number_that_is_no_longer_measured_is_found():
    stale = page("# A page\n\nFirst.", RUN, "Batch norm saves a factor of 26 here.\n\nAnd 780.")
    assert bound.unbound(stale) == ["26 in 'Batch norm saves a factor of 26 here.'"]
    assert bound.unbound(stale, [26.0]) == []


def test_a_number_of_another_section_does_not_count_where_there_is_code():
    cells = ("# A page\n\n## One", RUN, "25.\n\n## Two\n\nStill 25.", ("more()", "7"))
    assert bound.unbound(page(*cells)) == ["25 in 'Still 25.'"]
    # A summary runs nothing and may speak of the whole page.
    assert bound.unbound(page(*cells[:2], "## Summary\n\nA factor of 25.")) == []


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of one page."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("root: book/one\n", encoding="utf-8")
    nbformat.write(page("# A page", RUN, "In 1998 a factor of 25."), tmp_path / "book/one.ipynb")

    def write(text):
        (tmp_path / "book/numbers.yml").write_text(text, encoding="utf-8")
        return bound.check(tmp_path)

    return write


def test_an_exception_has_a_reason_a_need_and_a_page(book):
    assert book("{}") == ["book/one: 1998 in 'In 1998 a factor of 25.'"]
    assert book("book/one: {1998: a year}") == []
    assert book("book/one: {1998: a year, 25: old}") == ["book/one: 25 needs no exception"]
    assert book("book/one: {1998: a year}\nbook/two: {3: x}") == [
        "book/two: has exceptions and is not checked"
    ]
    # A number of another page stays bound to it, here too.
    assert book("book/one: {1998: from book/one}") == ["book/one: 1998 is no output of book/one"]
    with pytest.raises(ValueError, match=r"expected a reason for 1998 of book/one"):
        book("book/one: {1998: ''}")


def test_a_page_without_outputs_says_what_is_counted_or_where_it_is_from(
    book, tmp_path, monkeypatch
):
    monkeypatch.setattr(bound, "counted", lambda _: bound.numbers("89 claims"))
    (tmp_path / "README.md").write_text("1. 89 claims, a factor of 25.", encoding="utf-8")
    year = "book/one: {1998: a year}\n"
    assert book(year) == ["README: 25 is said to be from nowhere"]
    assert book(year + "README: {25: from book/one}") == []
    assert book(year + "README: {25: from book/one, 26: from book/one}") == [
        "README: 26 is no output of book/one"
    ]


def test_claims_and_bugs_are_counted():
    assert bound.counted() >= set(map(bound.Decimal, ("89", "23", "3.11", "1.1", "6.2")))
    assert bound.Decimal("6.9") not in bound.counted()

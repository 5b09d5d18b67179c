"""Practice notebooks are made of the exercises' own cells; each fault in them is told."""

from __future__ import annotations

import nbformat
import pytest

from ..loading import load

practice = load("practice")
SOURCE = """\
def double(x):
    # your code: twice `x`.
    y = 2 * x

    return y
    # end of your code


assert double(1) == 2
"""
TASK = """\
Words before it.

::::{exercise} Double it
:label: ex-double
:kind: write
:minutes: 5
:difficulty: easy
:needs: imports
:keeps: double

As in {ref}`chapter 2 <ch-algorithm>`, write `double`.

:::{hint}
Add.
:::
:::{hint}
Or multiply.
:::
:::{solution}
The secret.
:::
::::
"""


def markdown(name, source):
    return nbformat.v4.new_markdown_cell(source, id=name)


def code(name, source, *tags, outputs=()):
    cell = nbformat.v4.new_code_cell(source, id=name, outputs=list(outputs), execution_count=1)
    cell.metadata["tags"] = list(tags)
    return cell


def cells():
    said = nbformat.v4.new_output("stream", text="right\n")
    return [
        code("first", "# No title"),
        markdown("title", "# Take two\n\nText."),
        code("imports", "import math"),
        code("other", "1 / 0"),
        markdown("task", TASK),
        code("solution", SOURCE, practice.SOLUTION),
        markdown("more", ":::{solution}\nAnd so on.\n:::"),
        code("check", "print('right')", practice.CHECK, outputs=[said]),
        markdown("after", "## After"),
        code("later", "2"),
    ]


@pytest.fixture
def write(tmp_path):
    """Store cells as a page's notebook below a root with a table of contents."""
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: book/01-two\n", encoding="utf-8"
    )
    (tmp_path / "book").mkdir()
    path = tmp_path / "book" / "01-two.ipynb"

    def write(cells):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    return write


def by_id(text):
    return {cell.id: cell for cell in nbformat.reads(text, as_version=4).cells}


def test_those_of_the_book_are_made_of_todays_notebooks():
    assert practice.expected()
    assert practice.differences() == []


def test_the_three_forms_of_a_solution():
    assert practice.shown(SOURCE) == (
        "def double(x):\n    y = 2 * x\n\n    return y\n\n\nassert double(1) == 2"
    )
    assert practice.with_gaps(SOURCE) == (
        "def double(x):\n    # your code: twice `x`.\n    ...\n\n\nassert double(1) == 2"
    )
    space = {}
    with pytest.raises(NotImplementedError, match=r"^Your code is missing here: twice `x`\.$"):
        exec(practice.to_fill(SOURCE), space)
    assert "2 * x" not in practice.to_fill(SOURCE)
    plain = "a = 1  # your code is fine"
    assert {form(plain) for form in (practice.shown, practice.with_gaps, practice.to_fill)} == {
        plain
    }


def test_a_practice_notebook_has_the_set_up_the_task_the_gap_and_the_check(write):
    found = by_id(practice.practice(write(cells())))
    assert " ".join(found) == "opening imports ex-double solution check keep-ex-double"
    assert found["opening"].source.startswith("# Practice: Take two\n")
    task = found["ex-double"].source
    assert "## Double it\n\n*write · 5 minutes · easy*\n\nAs in chapter 2, write `double`." in task
    assert "<summary>Hint 2</summary>\n\nOr multiply.\n\n</details>" in task
    assert "secret" not in task
    assert found["solution"].source == practice.to_fill(SOURCE)
    assert "keep(double)" in found["keep-ex-double"].source
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in found.values())
    assert not any(cell.metadata for cell in found.values())


def test_the_solved_form_has_the_books_own_source_and_outputs(write):
    found = by_id(practice.practice(write(cells()), solved=True))
    assert found["solution"].source == SOURCE
    assert found["check"].outputs[0].text == "right\n"
    assert [found[name].execution_count for name in ("imports", "solution", "check")] == [1, 2, 3]


def test_without_a_gap_there_is_no_practice_notebook(write):
    path = write(cells()[:5])
    assert practice.practice(path) is None
    assert practice.expected(path.parents[1]) == {}


def test_an_exercise_ends_where_something_else_stands(write):
    between = cells()
    between.insert(5, code("between", "3"))
    assert practice.practice(write(between)) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (":needs: imports", ":needs: inputs", "ex-double: there is no code cell 'inputs'"),
        (":needs: imports", ":needs: title", "ex-double: there is no code cell 'title'"),
        ("{ref}`chapter 2 <ch-algorithm>`", "{eq}`eq-mean`", "{eq}`eq-mean` says nothing outside"),
        ("\n::::\n", "\n", "expected :::: to close '::::{exercise} Double it'"),
    ],
)
def test_faults_are_named(write, old, new, words):
    faulty = cells()
    faulty[4].source = TASK.replace(old, new)
    with pytest.raises(ValueError, match=words):
        practice.practice(write(faulty))


@pytest.mark.parametrize(
    ("page", "name"),
    [("01-motivation", "01"), ("01-1-map", "01-1"), ("book/12-3-x", "12-3")],
)
def test_a_practice_notebook_has_the_number_of_its_page(page, name):
    assert practice.target(page) == practice.FOLDER / f"{name}.ipynb"


def test_a_page_without_a_number_is_refused():
    with pytest.raises(ValueError, match="expected a page with a number .* got 'glossary'"):
        practice.target("glossary")


def test_what_is_missing_stale_or_left_over_is_found_and_mended(write):
    root = write(cells()).parents[1]
    folder = root / practice.FOLDER
    assert practice.differences(root) == ["01.ipynb is missing"]
    practice.write(root)
    assert practice.differences(root) == []
    changed = cells()
    changed[5].source = SOURCE.replace("def double", "def twice")
    write(changed)
    (folder / "09.ipynb").touch()
    assert practice.differences(root) == [
        "09.ipynb belongs to no exercise",
        "01.ipynb is not what the exercises say today",
    ]
    practice.write(root)
    assert practice.differences(root) == []
    assert "def twice" in (folder / "01.ipynb").read_text(encoding="utf-8")

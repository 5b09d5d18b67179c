"""The exercises and predictions of the built pages, and the markup that makes them."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from urllib.parse import unquote

import nbformat
from bs4 import BeautifulSoup

from ..loading import ROOT, load
from .test_pages import HTML, PAGES, each_page

practice = load("practice")
TASKS = ".exercise, .do, .predict:not(.question)"


@cache
def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def text(tag):
    return " ".join(tag.get_text(" ", strip=True).split())


@each_page
def test_every_exercise_is_named_and_has_its_solution_folded_last(page):
    for task in soup(page).select(":is(.exercise, .do)"):
        title = soup(page).find(id=task["aria-labelledby"])
        assert title.find_parent(id=task["id"])
        parts = task.find_all("details", recursive=False)
        assert text(parts[-1].summary) == "Solution"
        assert all(text(part.summary).startswith("Hint") for part in parts[:-1])
        assert task.find_all(recursive=False)[-len(parts) :] == parts
        for part in parts:
            assert "open" not in part.attrs
            assert len(text(part)) > len(text(part.summary)) + 20


@each_page
def test_every_choice_of_a_prediction_is_answered_and_one_is_right(page):
    for task in soup(page).select(".predict"):
        choices = task.select("details.choice")
        assert 2 <= len(choices) <= 4
        said = [text(choice.select_one("summary + p > strong")) for choice in choices]
        assert sorted(said) == ["No."] * (len(choices) - 1) + ["Yes."]
        assert not any("open" in choice.attrs for choice in choices)


def test_ten_questions_stand_before_the_course_and_five_after_each_chapter():
    book = HTML / "book"
    before = soup(book / "before.html").select(".question .task-name")
    assert [text(name) for name in before] == [f"{k}." for k in range(1, 11)]
    after = soup(book / "self-tests.html")
    chapters = after.select("article section section")
    assert len(chapters) == 6
    for chapter in chapters:
        names = [text(name) for name in chapter.select(".question .task-name")]
        assert names == [f"{k}." for k in range(1, 6)]
    # The right choice is not always at the same place.
    for page in (soup(book / "before.html"), after):
        places = [
            ["right" in choice["class"] for choice in task.select(".choice")].index(True)
            for task in page.select(".question")
        ]
        assert max(map(places.count, places)) <= 0.5 * len(places)


@each_page
def test_no_solution_stands_in_the_open_and_no_mark_is_left(page):
    for cell in soup(page).select(".tag_exercise-solution, .tag_exercise-check"):
        assert cell.find_parent("details", class_="solution")
        assert "your code" not in text(cell)
    assert "end of your code" not in text(soup(page).article)


def test_chapter_1_proves_each_kind():
    """Until more chapters have exercises, these are those that the machinery is tried on."""
    page = soup(HTML / "book" / "01-motivation.html")
    assert page.select(".predict")
    derive, measure, bug = page.select(".exercise")
    (write,) = page.select(".do")
    assert text(derive.select_one(".task-name")) == "Exercise 1.1"
    assert "119.0" in text(derive.select_one("details.solution .cell_output"))
    assert "never" in text(measure.select_one("details.solution .cell_output"))
    assert "mu, sigma" in bug.select_one("pre").get_text()
    assert "Right." in text(write.select_one("details.solution .cell_output"))
    open_code = write.select_one(".to-fill").get_text()
    assert "..." in open_code
    assert "check.standardize(standardize)" in open_code
    assert "x_train.mean" not in open_code


def test_the_list_has_every_exercise_and_nothing_else():
    path = HTML / "book" / "exercises.html"
    listed = [a["href"] for a in soup(path).select(".exercise-list a")]
    there = [f"{page.name}#{task['id']}" for page in PAGES for task in soup(page).select(TASKS)]
    assert listed == there
    exercises = [task for page in PAGES for task in soup(page).select(".exercise, .do")]
    assert f"There are {len(exercises)} exercises" in text(soup(path).article)
    facts = [text(f) for f in soup(path).select(".exercise-list .task-facts")]
    assert [f for f in facts if f != "prediction"] == [
        text(task.select_one(".task-facts")) for task in exercises
    ]


@each_page
def test_the_practice_notebook_is_in_the_link_that_downloads_it(page):
    links = soup(page).select(".practice-link a")
    assert bool(links) == bool(soup(page).select(".to-fill"))
    for link in links:
        stored = ROOT / practice.target(page.stem)
        assert link["download"] == f"practice-{stored.name}"
        assert unquote(link["href"].partition(",")[2]) == stored.read_text(encoding="utf-8")


GOOD = """\
# A small page

::::{exercise} Write *nothing*
:label: ex-nothing
:kind: write
:minutes: 5
:difficulty: easy
:do:

A task.

:::{hint}
A hint.
:::
::::
"""
SOLVED = GOOD.replace("::::\n", ":::{solution}\nIt.\n:::\n::::\n")
QUESTION = """\
# Guess

::::{{predict}} Which?
:label: predict-{}

{}
::::
"""
WRONG, RIGHT = ":::{choice} a\nA.\n:::", ":::{choice} b\n:right:\nB.\n:::"
FAULTS = {
    "kind": GOOD.replace("write\n", "guess\n"),
    "difficulty": GOOD.replace("easy", "5"),
    "minutes": GOOD.replace(":minutes: 5\n", ""),
    "label": GOOD.replace(":label: ex-nothing\n", ""),
    "unsolved": GOOD.replace("ex-nothing", "ex-unsolved"),
    "astray": "# A\n\n:::{solution}\nOf what?\n:::\n",
    "right": QUESTION.format("right", f"{WRONG}\n{WRONG}"),
    "few": QUESTION.format("few", RIGHT),
    "silent": QUESTION.format("silent", f"{RIGHT}\n:::{{choice}} a\n:::"),
    "twice": SOLVED + SOLVED.partition("\n")[2],
    "mark": GOOD.replace("ex-nothing", "ex-mark"),
    "01-practice": GOOD.replace("ex-nothing", "ex-practice"),
}
WORDS = {
    "kind": "expected one of predict, derive, write, measure, find the bug in :kind:, got 'guess'",
    "difficulty": "expected one of easy, medium, hard in :difficulty:, got '5'",
    "minutes": "expected something in :minutes:",
    "label": "expected something in :label:",
    "unsolved": "an exercise without a solution",
    "astray": "what belongs to a solution must follow its exercise",
    "right": "expected 2 to 4 choices, one of them right, got 2, 0 of them right",
    "few": "expected 2 to 4 choices, one of them right, got 1, 1 of them right",
    "silent": "the choice 'a' is not answered",
    "twice": "expected a label of its own in :label:, got 'ex-nothing'",
    "01-practice": "there is no book/practice/01.ipynb: run `make practice`",
    "mark": "a mark of a gap has no other end, or no words",
}


def notebook(markdown, *sources):
    """Return the text of a notebook: a cell of text, and solutions below it."""
    cells = [nbformat.v4.new_markdown_cell(markdown)]
    for source in sources:
        cells.append(nbformat.v4.new_code_cell(source))
        cells[-1].metadata["tags"] = [practice.SOLUTION]
    return load("notebooks").normalise(nbformat.v4.new_notebook(cells=cells))


def build(folder, pages):
    """Build a little book of notebooks; return what Sphinx had to warn of."""
    folder.mkdir(exist_ok=True)
    names = "\n".join(pages)
    (folder / "index.md").write_text(
        f"# A book\n\n```{{toctree}}\n{names}\nlist\n```\n", encoding="utf-8"
    )
    (folder / "list.md").write_text("# All\n\n```{exercise-list}\n```\n", encoding="utf-8")
    for name, text in pages.items():
        (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")
    (folder / "conf.py").write_text(
        "extensions = ['myst_nb', 'exercises']\n"
        "myst_enable_extensions = ['colon_fence']\n"
        "nb_execution_mode = 'off'\n"
        "exclude_patterns = ['book']\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, str(folder), str(folder / "out")],
        env=os.environ | {"PYTHONPATH": str(ROOT / "_ext"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_form_for_the_middle_of_a_page_and_the_numbers_of_a_deeper_one(tmp_path):
    folder = tmp_path / "book"
    gap = "# your code: say what\nanswer = 42\n# end of your code\nanswer"
    closing = GOOD.split("\n\n", 1)[1].replace(":do:\n", "").replace("nothing", "more")
    stub = folder / practice.FOLDER
    stub.mkdir(parents=True)
    (stub / "01-1.ipynb").write_text("{}", encoding="utf-8")
    text_of_closing = closing.replace("::::\n", ":::{solution}\nIt.\n:::\n::::\n")
    cells = nbformat.reads(notebook(GOOD, gap), as_version=4)
    cells.cells.append(
        nbformat.v4.new_markdown_cell(f"See {{ref}}`ex-more`.\n\n{text_of_closing}")
    )
    assert build(folder, {"01-1-map": nbformat.writes(cells)}) == ""
    page = soup(folder / "out" / "01-1-map.html")
    do = page.select_one(".do")
    assert text(do.select_one(".task-title")) == "Do Write nothing"
    assert do.select_one(".to-fill").get_text().strip() == "# your code: say what\n...\nanswer"
    assert do.select_one("details.solution pre").get_text().strip() == "answer = 42\nanswer"
    assert text(page.select_one(".exercise .task-name")) == "Exercise 1.1.1"
    assert text(page.select_one("a[href='#ex-more']")) == "Exercise 1.1.1"
    assert [text(a) for a in soup(folder / "out" / "list.html").select(".exercise-list a")] == [
        "Do: Write nothing",
        "Exercise 1.1.1: Write more",
    ]


def test_every_fault_of_the_markup_is_a_warning(tmp_path):
    gap = "# your code: x\n1\n# end of your code"
    sources = {"mark": ["# your code: x\n1"], "01-practice": [gap]}
    pages = {name: notebook(text, *sources.get(name, [])) for name, text in FAULTS.items()}
    said = build(tmp_path / "book", pages)
    missing = {
        name
        for name, words in WORDS.items()
        if not any(words in line and f"{name}.ipynb" in line for line in said.splitlines())
    }
    assert missing == set(), said

"""The reading time is the formula's, and counts only what is read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from docutils import nodes

from ..loading import load

reading_time = load("reading_time", "_ext")
Time = reading_time.Time


def words(count):
    return nodes.paragraph("", " ".join(["word"] * count))


def cell(source, output="", **hidden):
    block = nodes.literal_block(source, source)
    parts = [nodes.container("", block, nb_element="cell_code_source")]
    if output:
        form = nodes.container("", nodes.raw("", output, format="html"))
        parts.append(nodes.container("", form, nb_element="cell_code_output"))
    return nodes.container("", *parts, nb_element="cell_code", **hidden)


def read(*parts):
    return reading_time.measure(nodes.section("", *parts))


@pytest.mark.parametrize(
    ("part", "minutes"),
    [
        (words(150), 1.0),
        (nodes.bullet_list("", nodes.list_item("", words(75))), 0.5),
        (
            nodes.paragraph("", "of ", nodes.math("", r"\frac{1}{m} \sum x"), nodes.Text(" is")),
            0.02,
        ),
        (nodes.math_block("", "x = 1"), 1.0),
        (cell("a = 1\n\nb = 2\nc = 3\n"), 1.0),
        (nodes.literal_block("", "a\nb\nc"), 1.0),
        (cell("a", '<figure class="explorable"> many words </figure>'), 3 + 1 / 3),
        (cell("a", '<figure class="explorable"></figure>', hide_mode="input"), 3.0),
        (cell("a", hide_mode="all"), 0.0),
        (cell("a\nb\nc", hide_mode="output"), 1.0),
        (nodes.comment("", "not read"), 0.0),
    ],
)
def test_each_part_of_the_formula(part, minutes):
    assert read(part).reading == pytest.approx(minutes)


def test_the_parts_add_up():
    assert read(words(300), nodes.math_block("", "x"), cell("a\nb\nc")).reading == 4.0


@pytest.mark.parametrize(
    "name",
    [
        "exercise",
        "do",
        "fold",
        "compare",
        "code-fold",
        "experiment-card",
        "self-test",
        "ledger-corrections",
    ],
)
def test_what_may_be_skipped_counts_nothing(name):
    inside = [words(150), nodes.math_block("", "x"), cell("a\nb\nc")]
    assert read(nodes.container("", *inside, classes=[name])).reading == 0.0


def test_a_prediction_counts_without_its_answers():
    answer = nodes.container("", words(150), classes=["choice", "fold"])
    assert read(nodes.container("", words(30), answer, classes=["predict"])).reading == 0.2


def test_exercises_state_their_time_and_those_in_the_middle_twice():
    time = read(
        nodes.container(classes=["do"], minutes=10),
        nodes.container(classes=["exercise"], minutes=15),
    )
    assert (time.reading, time.writing, time.exercises) == (0.0, 10, 25)


@pytest.mark.parametrize(
    ("time", "line"),
    [
        (Time(35.4), "About 35 minutes"),
        (Time(35.4, 10, 25), "About 35 minutes, and 10 to write code"),
        (Time(0.1), "About 1 minute"),
    ],
)
def test_the_line_below_the_title(time, line):
    assert reading_time.in_words(time) == line


def test_the_course_takes_what_its_pages_take():
    times = {"book/01-motivation": Time(76.5, 0, 25), "book/02-algorithm": Time(125.0, 10, 10)}
    env = SimpleNamespace(course_times=times)
    assert reading_time.course_time(env) == [
        "About 3 h 20 min to read the chapters.",
        "The exercises take about 35 min.",
    ]
    times["book/01-1-map"] = Time(58.0)
    times["book/bug-gallery"] = Time(900.0)
    assert reading_time.course_time(env)[0] == (
        "About 3 h 20 min to read the chapters, and 1 h more for the deeper pages."
    )

"""Chapter 6: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import pytest

from bncourse.chapters.inference import explore, figures, runs
from bncourse.chapters.inference.conventions import CONVENTIONS, convention_table

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
)

EXPLORABLES = ("ema_lab",)


def estimates(biased):
    return {m: runs.VarianceEstimates(biased, biased * m / (m - 1), 1.0, 1.5) for m in (2, 8, 60)}


def averages(gap):
    names = ("raw", "corrected", "cumulative", "from 0 and 1", "precise")
    return {name: [0.9 - gap * (name == "raw")] * 5 for name in names}


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "averages_compared": [
        ((averages(0.4), [5, 10, 20, 40, 80]), r"0\.40 below after 5 steps .* 0\.40 after 20"),
        ((averages(0.1), [1, 2, 3, 4, 5]), r"0\.10 below after 1 steps"),
    ],
    "ema_weights": [
        (([0.9, 0.99], 10), r"After 10 .* 0\.65 for decay 0\.9 and 0\.10 for decay 0\.99\."),
        (([0.5], 1), r"After 1 .* 0\.50 for decay 0\.5\."),
    ],
    "prediction_modes": [
        (
            ({"a\nb": [0.1, 0.2, 0.3], "c": [0.8], "d": [0.9]},),
            r"0\.20 with a b, 0\.80 with c and",
        ),
        (({"c": [0.7], "d": [0.9]},), r"0\.70 with c and 0\.90 with d\."),
    ],
    "variance_corrections": [
        ((estimates(0.5), estimates(0.25)), r"m = 2, .* 0\.50 on average, 1\.00 times .* 0\.25"),
        ((estimates(0.9), estimates(0.8)), r"0\.90 on average, 1\.80 times"),
    ],
}


@functools.cache
def made(name):
    """Return an explorable, made once."""
    return getattr(explore, name)()


def test_every_figure_and_every_explorable_is_here():
    assert set(CALLS) == set(figures.__all__)
    assert set(EXPLORABLES) == explorables_of(explore)


@pytest.mark.parametrize("name", CALLS)
def test_the_words_follow_the_numbers(name):
    check_words(getattr(figures, name), CALLS[name])


def test_the_picture_is_small_and_twice_the_size_of_its_place():
    name = figures.__all__[0]
    check_picture(getattr(figures, name)(*CALLS[name][0][0]))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_the_callback_holds_over_the_whole_range_of_its_controls(name):
    check_range(made(name))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    check_controls(made(name))


def test_the_table_of_conventions_has_a_line_for_each_framework():
    header, *lines = convention_table().splitlines()
    assert header.split() == [
        *("argument", "default", "weighs", "decay", "epsilon", "variance", "initial", "axis")
    ]
    assert len(lines) == len(CONVENTIONS)
    for line, convention in zip(lines, CONVENTIONS, strict=True):
        words = line.split()
        assert words[:4] == [
            convention.framework,
            convention.argument,
            f"{convention.default:g}",
            convention.weighs,
        ]
        assert float(words[4]) == convention.decay
        assert words[6] == convention.running_variance
        assert ("given" in words) == (convention.initial is None)
        assert int(words[-1]) == convention.axis


def test_in_the_laboratory_each_correction_does_its_own_work():
    run = runs.running_variance
    old, new = runs.WEIGHED
    _, raw = run(0.99, 100, 32, False, True, old)
    _, corrected = run(0.99, 100, 32, True, True, old)
    assert raw[9] < 0.5
    assert corrected[9] == pytest.approx(4.0, rel=0.25)
    _, biased = run(0.99, 1000, 2, True, False, old)
    _, unbiased = run(0.99, 1000, 2, True, True, old)
    assert unbiased[-1] / biased[-1] == pytest.approx(2.0)
    _, wrong = run(0.99, 100, 32, True, True, new)
    assert wrong[50:].std() > 3 * corrected[50:].std()

"""Chapter 1: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from bncourse import load_digits, two_features
from bncourse.chapters.motivation import explore, figures, runs
from bncourse.display import Card

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
    record,
)

EXPLORABLES = (
    "contour_bowl",
    "rate_and_gain",
)


def descent(steps, kappa):
    path = np.linspace([1.0, 0.5], [0.0, 0.0], steps + 1)
    return record(runs.Descent, path=path, kappa=kappa, hessian=np.diag([1.0, kappa]))


def working_range(without, with_bn):
    values = 10.0 ** np.arange(-3.0, 1.1)
    rows = ([0.95 if k < n else 0.2 for k in range(5)] for n in (without, with_bn))
    return runs.Range(values, *map(np.array, rows))


CARD = Card("Why?", "None is needed here.", "Evaluation.", {"seed": [0]})


def table(good):
    values = np.where(np.arange(9).reshape(3, 3) < good, 0.95, 0.1)
    return record(
        runs.Map,
        rates=10.0 ** np.arange(-2, 1),
        gains=10.0 ** np.arange(-1, 2),
        without=values,
        with_bn=np.full((3, 3), 0.95),
        losses=np.ones((2, 3, 3, 5)),
        card=CARD,
    )


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "bowls": [
        (
            ([descent(30, 16.0), descent(1, 1.0)], ["raw", "scaled"]),
            r"30 steps on raw .* 1 step on",
        ),
        (([descent(2, 9.0), descent(3, 2.0)], ["a", "b"]), r"number 9\), 3 steps on b"),
    ],
    "headline": [
        (
            ({False: [800.0, 900.0], True: [50.0, 50.0]}, {b: (1.0, [20.0]) for b in (0, 1)}),
            r"median of 2 seeds: .* 850 .* 50 with, ratio 17\. .* ratio 1\.0",
        ),
        (
            ({False: [90.0], True: [30.0]}, {False: (1.0, [30.0]), True: (0.1, [20.0])}),
            r"90 .* 30 with, ratio 3\. .* 30 without, 20 with, ratio 1\.5",
        ),
    ],
    "hidden_spectra": [
        (
            (np.geomspace(100, 1e-9, 9), np.geomspace(4, 1, 9)),
            r"below 0\.0001 without, 0\.50 with",
        ),
        ((np.geomspace(4, 1, 9), np.geomspace(9, 4, 9)), r"0\.50 without, 0\.67 with"),
    ],
    "learning_rate_map": [
        ((table(1),), r"Of 9 .* 1 reaches 90 % without .* 9 with"),
        ((table(4),), r"Of 9 .* 4 reach 90 % without"),
    ],
    "working_ranges": [
        (
            (runs.WorkingRanges(working_range(2, 4), working_range(1, 5), CARD),),
            r"1\.0 decades .*0\.001 to 0\.01\), 2\.0 with .* to 10\)",
        ),
        (
            (runs.WorkingRanges(working_range(5, 5), working_range(3, 3), CARD),),
            r"0\.001 to 10\).*0\.001 to 0\.1\)",
        ),
    ],
}


@functools.cache
def made(name):
    """Return an explorable, made once."""
    return (
        explore.rate_and_gain(runs.learning_rate_map(steps=60))
        if name == "rate_and_gain"
        else getattr(explore, name)()
    )


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


def test_the_best_rate_is_that_of_the_lowest_median():
    steps = {0.1: [40.0, 50.0, 60.0], 0.3: [10.0, 20.0, 900.0], 1.0: [float("inf")] * 3}
    assert runs.best(steps) == (0.3, [10.0, 20.0, 900.0])


def test_a_target_that_is_out_of_reach_is_an_error():
    with pytest.raises(RuntimeError, match=r"1\.0 was not reached in 3 steps"):
        runs.softmax_regression_steps(load_digits(), target=1.0, at_most=3)


def test_in_the_contour_bowl_the_step_count_follows_kappa():
    # From the flattest direction descent at rate 1/λmax takes exactly the predicted steps; from
    # any other start it can only be faster.
    for scale, r, features in itertools.product((1.0, 3.0, 10.0), (0.0, 0.9), runs.FEATURES):
        hessian = runs.bowl(scale, r, features)
        kappa = float(np.linalg.cond(hessian))
        steps = runs.steps_down(hessian, 1.0)
        predicted = runs.predicted_steps(1.0 if kappa < 1 + 1e-9 else kappa)
        assert 0.6 * predicted <= steps <= predicted
        if features == "whitened":
            assert kappa == pytest.approx(1.0)
            assert steps == 1
        if features == "standardised":
            assert kappa == pytest.approx((1 + r) / (1 - r))


def test_the_bowl_s_closed_form_is_the_descent_of_the_chapter():
    x = two_features(100, 3.0, 0.5, np.random.default_rng(0))
    descent = runs.descend(x, 1.3, runs.START)
    hessian = runs.bowl(3.0, 0.5, "raw")
    steps = runs.steps_down(hessian, 1.3)
    assert steps == len(descent.path) - 1
    path = runs.descent_path(hessian, 1.3, np.arange(steps + 1))
    np.testing.assert_allclose(path, descent.path, atol=1e-12)


def test_the_map_s_frames_are_its_cells_and_a_live_value_is_a_run(monkeypatch):
    table = runs.learning_rate_map(steps=60)
    explorable = explore.rate_and_gain(table)
    done = []

    def counted(*setting):
        done.append(setting)
        return runs.map_run(*setting)

    monkeypatch.setattr(explore, "map_run", counted)

    def grade(accuracy):
        if accuracy >= 0.9:
            return "90 % or more"
        return "below 60 %" if accuracy < 0.6 else "below 90 %"

    for row, gain in enumerate(table.gains):
        for column, rate in enumerate(table.rates):
            words = explorable.at(rate=float(rate), gain=float(gain))
            without, with_bn = table.without[row, column], table.with_bn[row, column]
            assert f"{grade(without)} without batch norm, {grade(with_bn)} with." in words
    assert done == []
    explorable.draw(rate=0.2, gain=1.5)
    assert done == [(0, False, 0.2, 1.5, 60), (0, True, 0.2, 1.5, 60)]

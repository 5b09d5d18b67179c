"""Chapter 1: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    ReLU,
    Sigmoid,
    layer_outputs,
    load_digits,
    mlp,
    standardize,
    two_features,
)
from bncourse.chapters.common import SIZES
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


DOTS = np.array([[1.0, 5.0], [3.0, 1.0], [5.0, 1.0], [7.0, 5.0]])


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


def cures(safe, best):
    arms = [
        runs.Cure(name, np.array([10.0 * (k + 1), 1.0]), {1: safe, 16: best + k})
        for k, name in enumerate(runs.CURES)
    ]
    return runs.Cures(arms, CARD)


def headline(classic, helped, modern):
    """Two seeds of each; the modern arms are best at 0.3 and 1."""
    steps = {}
    for name, setting in runs.SETTINGS.items():
        for rate in setting.rates:
            for bn, given in zip(
                (False, True),
                {runs.CLASSIC: classic, runs.HELPED: helped, runs.MODERN: modern}[name],
                strict=True,
            ):
                right = rate == (1.0 if bn or name != runs.MODERN else 0.3)
                steps[name, bn, rate] = [given, given] if right else [float("inf")] * 2
    return runs.Headline(steps, CARD)


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "rulers_and_bowls": [
        (
            ([10 * DOTS, DOTS], [descent(30, 16.0), descent(1, 1.0)], ["mm", "cm"]),
            r"in mm .* 1 and 16, κ is 16, .* takes 30 steps, in cm .* takes 1 step\.",
        ),
        (
            ([DOTS, DOTS], [descent(2, 9.0), descent(3, 9.0)], ["cm", "dm"]),
            r"input in cm .* takes 2 steps, in dm .* takes 3 steps\.",
        ),
    ],
    "cures": [
        (
            (cures(500.0, 30.0),),
            r"nothing 500, .* both 500; .* each: 30, 31, 32 and 33\. .* one: 10, 20, 30 and 40\.",
        ),
        ((cures(50.0, 60.0),), r"nothing 50, .* each: 50, 50, 50 and 50"),
    ],
    "headline": [
        (
            (headline((850.0, 50.0), (220.0, 30.0), (16.0, 9.0)),),
            r"median of 2 seeds\. .* 850 .* 50 with, a factor of 17; .* 7\. .* factor of 1\.8\.",
        ),
        (
            (headline((90.0, 30.0), (60.0, 30.0), (30.0, 20.0)),),
            r"90 .* 30 with, a factor of 3\.0; .* of 2\.0\. .* 30 without and 20 with",
        ),
    ],
    "hidden_spectra": [
        (
            (runs.Spectra(np.geomspace(100, 1e-9, 9), np.geomspace(4, 1, 9), 2, CARD),),
            r"below 0\.0001 without, 0\.50 with\. .* batch norm: 2\.",
        ),
        (
            (runs.Spectra(np.geomspace(4, 1, 9), np.geomspace(9, 4, 9), 0, CARD),),
            r"0\.50 without, 0\.67 with\. .* batch norm: 0\.",
        ),
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
    name = "rulers_and_bowls"
    check_picture(getattr(figures, name)(*CALLS[name][0][0]))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_the_callback_holds_over_the_whole_range_of_its_controls(name):
    check_range(made(name))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    check_controls(made(name))


def test_half_a_step_is_told_and_a_long_bowl_in_full():
    words = str(figures.headline(headline((731.0, 22.5), (220.0, 30.0), (16.0, 8.5))))
    assert "731 without and 22.5 with, a factor of 32" in words
    bowls = ([10 * DOTS, DOTS], [descent(3, 8000.0), descent(2, 80.0)], ["mm", "cm"])
    assert "1 and 8,000, κ is 8,000" in str(figures.rulers_and_bowls(*bowls))


def test_standardised_once_begins_as_batch_norm_does(digits):
    for activation in (ReLU, Sigmoid):
        once = runs.start_of(1, activation)
        runs.standardise_once(once, digits.x_train)
        weights, _ = np.random.default_rng(1).spawn(2)
        net = mlp(SIZES, activation, BatchNorm, rng=weights)
        ours = layer_outputs(once, digits.x_train, statistics="batch")[-1]
        theirs = layer_outputs(net, digits.x_train, statistics="batch")[-1]
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_once_is_not_the_plain_network_and_a_rate_it_does_not_stand_is_never():
    plain = runs.headline_steps(0, runs.RAW, False, 0.3)
    assert runs.once_steps(0, runs.RAW, 0.3) < plain < np.inf
    assert runs.once_steps(0, runs.RAW, 3.0) == np.inf


def test_an_arm_that_was_not_run_has_no_best():
    found = runs.controls(seeds=range(2))
    assert np.isnan(found.best(runs.SCALED, runs.ONCE, (1.0,)))
    assert len(found.steps[runs.MODERN, runs.ONCE, 0.3]) == 2
    assert found.best(runs.MODERN, runs.ONCE, runs.COARSE) == min(
        found.median(runs.MODERN, runs.ONCE, rate) for rate in runs.COARSE
    )


def test_the_best_rate_is_that_of_the_lowest_median():
    found = headline((850.0, 50.0), (220.0, 30.0), (16.0, 9.0))
    assert found.best(runs.MODERN, False) == 0.3
    assert found.best(runs.MODERN, True) == 1.0
    # Of equals the smaller one.
    assert found.best(runs.MODERN, True, among=(2.0, 0.1)) == 0.1
    assert found.at_best(runs.MODERN, runs.COARSE) == ([16.0, 16.0], [9.0, 9.0])
    assert found.at_best(runs.CLASSIC) == ([850.0, 850.0], [50.0, 50.0])


def test_a_target_that_is_out_of_reach_is_never_reached():
    assert runs.softmax_regression_steps(load_digits(), target=1.0, at_most=3) == float("inf")


def test_the_two_halves_of_a_cure_make_standardising():
    digits = load_digits()
    both = runs.cure(digits, "both")
    for ours, theirs in zip(
        (both.x_train, both.x_test), standardize(digits.x_train, digits.x_test), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert runs.cure(digits, "nothing").x_train is not None
    np.testing.assert_array_equal(runs.cure(digits, "nothing").x_train, digits.x_train)
    halves = runs.cure(runs.cure(digits, "subtract μ"), "divide by σ")
    np.testing.assert_allclose(halves.x_train, both.x_train, atol=1e-12)


def test_twice_the_rate_takes_half_the_steps_of_softmax_regression():
    once, twice = (runs.softmax_regression_steps(load_digits(), times) for times in (8, 16))
    assert twice == pytest.approx(once / 2, rel=0.2)


def test_the_steepest_direction_is_the_mean_of_what_is_never_negative():
    pixels, standardised, *hidden = runs.shared_directions(seeds=range(2)).rows
    assert np.isnan(standardised.cosine)
    assert pixels.cosine > 0.99
    for row in hidden:
        assert row.cosine > 0.97
        assert row.largest > 3 * row.next
    assert standardised.largest < 2 * standardised.next


def test_the_first_layer_stands_still_when_the_inputs_have_no_mean():
    shift = runs.drift(seeds=range(2)).shift
    assert np.median(shift["standardised"], axis=0)[0] < 0.05
    assert np.all(shift["pixels from 0 to 1"] > 0.2)
    assert np.all(np.diff(shift["standardised"], axis=1) > 0)  # the further in, the more


def test_epsilon_rules_at_small_gains_and_only_for_a_few_steps():
    he, tenth, thousandth = runs.epsilon_at_work(range(2), (1.0, 0.1, 0.001)).rows
    assert (he.at_start > 0.999).all()
    assert (tenth.at_start > 0.99).all()
    assert (thousandth.at_start < 0.2).all()
    assert (np.diff(thousandth.at_start) < 0).all()
    assert thousandth.later[1] > 0.9
    assert thousandth.steps > thousandth.steps_without
    assert he.steps == he.steps_without


def test_small_weights_cost_steps_in_the_output_layer_only():
    found = runs.small_where(range(2), (1.0, 0.001))
    everything, hidden, output = runs.WHICH
    he, small_hidden, small_output = (
        np.array(found.steps[arm]) for arm in ((everything, 1.0), (hidden, 0.001), (output, 0.001))
    )
    assert found.steps[hidden, 1.0] == found.steps[everything, 1.0]
    assert np.all(small_hidden < he)
    assert np.all(small_output > he)
    assert found.median(everything, 0.001) > found.median(output, 0.001)


def test_plain_networks_win_with_large_weights_at_a_small_rate():
    found = runs.large_weights()
    for without, with_bn in zip(
        found.accuracy[0.001, 10.0, False], found.accuracy[0.001, 10.0, True], strict=True
    ):
        assert without > with_bn + 0.4
    for rate in (0.001, 0.1):
        pairs = zip(found.accuracy[rate, 1.0, False], found.accuracy[rate, 1.0, True], strict=True)
        assert all(with_bn >= without for without, with_bn in pairs)


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

"""Chapter 6: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from bncourse.chapters.inference import explore, figures, runs
from bncourse.chapters.inference.conventions import CONVENTIONS, convention_table
from bncourse.display import Card

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
    record,
)

EXPLORABLES = ("ema_lab",)
CARD = Card("Why?", "None.", "Evaluation.", {"seed": [0]})


def study(biased, by_class):
    def estimates(low):
        return {m: runs.VarianceEstimates(low, low * m / (m - 1), 1.0, 1.5) for m in (2, 8, 60)}

    return record(
        runs.VarianceStudy, shuffled=estimates(biased), by_class=estimates(by_class), card=CARD
    )


def averages(gap, checkpoints):
    names = ("from 0", "from 0 and 1", "corrected", "cumulative", "precise")
    lower = {"from 0": gap, "from 0 and 1": gap / 2, "cumulative": 0.01}
    return record(
        runs.Averages,
        accuracy={name: [[0.9 - lower.get(name, 0.0)] * 7] * 3 for name in names},
        checkpoints=checkpoints,
        card=CARD,
    )


def arrived(*accuracies):
    return record(
        runs.Arrivals,
        accuracy={way: [a, a] for way, a in zip(runs.WAYS, accuracies, strict=True)},
        answers=[1, 1],
        of_digit=[3, 4],
        card=CARD,
    )


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "arrivals": [
        (
            (arrived(0.1, 0.4, 0.2, 0.9, 0.95),),
            r"on 7 images, 3 to 4 .* alone 0\.10, .* 0\.40, .* 0\.20, .* 0\.90 .* stored 0\.95",
        ),
        ((arrived(0.3, 0.4, 0.2, 0.9, 0.95),), r"alone 0\.30"),
    ],
    "average_weights": [
        ((0.9, [1, 3]), r"decay 0\.9 .* 0\.100 after 1 and 0\.271 after 3;"),
        ((0.5, [2]), r"0\.750 after 2;"),
    ],
    "averages_compared": [
        (
            (averages(0.4, [5, 10, 20, 40, 80, 160, 320]),),
            r"0 it is −0\.40 after 5 steps, −0\.40 after 40 .* and 1 −0\.20, .* than 0\.010\.",
        ),
        ((averages(0.1, [1, 2, 3, 4, 5, 6, 7]),), r"−0\.10 after 1 steps"),
    ],
    "cold_rulers": [
        ((), r"0\.447 .* nothing cold, 2\.713 .* both cold, 1\.751 .* 0\.693 .* variance cold\."),
        ((0.5, 1), r"After 1 batches with decay 0\.5, .* 0\.447 .* nothing cold"),
    ],
    "variance_corrections": [
        ((study(0.5, 0.25),), r"m = 2, .* 0\.50 on average, 1\.00 times .* 0\.25"),
        ((study(0.9, 0.8),), r"0\.90 on average, 1\.80 times"),
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
    name = "average_weights"
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


def lab(decay, m, correction, bessel, convention, steps=100):
    """Return what the laboratory expects after 10 batches and after all, and what 20 runs do."""
    setting = (decay, steps, m, correction, bessel, convention)
    expected = runs.expected_average(*setting)
    many = runs.running_variances(*setting, runs=4000)
    return expected[9], expected[-1], runs.deviation_of_average(*setting), many


def test_in_the_laboratory_one_fault_passes_one_stays_and_one_scatters():
    old, new = runs.WEIGHED
    early, late, right, _ = lab(0.99, 2, True, True, old)
    assert early == late == 4.0
    early, late, _, _ = lab(0.99, 2, False, True, old)
    assert early < 0.4 < 2.5 < late < 4.0  # passes
    early, late, _, _ = lab(0.99, 2, True, False, old)
    assert early == late == 2.0  # stays
    early, late, swapped, _ = lab(0.99, 2, True, True, new)
    assert early == late == pytest.approx(4.0)
    assert swapped > 9 * right  # scatters


@pytest.mark.parametrize("m", [2, 60])
@pytest.mark.parametrize("bessel", [False, True])
def test_the_laboratorys_runs_are_those_that_it_speaks_of(m, bessel):
    for correction, convention in ((True, runs.WEIGHED[0]), (False, runs.WEIGHED[1])):
        early, late, deviation, many = lab(0.99, m, correction, bessel, convention)
        # 4,000 runs of values as wide as χ² of one degree: some per cent.
        assert many[:, 9].mean() == pytest.approx(early, rel=0.12)
        assert many[:, -1].mean() == pytest.approx(late, rel=0.12)
        assert many[:, -1].std() == pytest.approx(deviation, rel=0.12)


def test_half_a_cold_start_is_split_as_by_pencil():
    readings = {name: reading for name, (_, _, reading) in runs.half_cold(0.9, 3).items()}
    cold_mean, cold_var = 4 * 0.271, 0.729 + 0.271 * 5
    assert readings["nothing cold"] == pytest.approx(1 / np.sqrt(5))
    assert readings["both cold"] == pytest.approx((5 - cold_mean) / np.sqrt(cold_var))
    assert readings["only the mean cold"] == pytest.approx((5 - cold_mean) / np.sqrt(5))
    assert readings["only the variance cold"] == pytest.approx(1 / np.sqrt(cold_var))


def test_the_mean_does_most_harm_and_half_a_repair_may_do_more():
    cold = runs.cold_start()
    medians = {
        name: {start: np.median(values) for start, values in by_start.items()}
        for name, by_start in cold.accuracy.items()
    }
    assert medians["only the mean"][0.0] - medians["only the variance"][0.0] > 0.08
    assert medians["both"][1.0] - medians["neither"][1.0] > 0.05
    assert abs(medians["both"][1.0] - medians["precise statistics"][1.0]) < 0.03
    assert cold.worse("only the variance", 1.0) >= 9
    assert 1 <= cold.worse("only the mean", 1.0) <= 9
    assert max(cold.variances) < 1  # why
    # Whole, the two starts are one.
    assert cold.accuracy["both"][0.0] == cold.accuracy["both"][1.0]


def test_a_zero_is_a_zero_in_any_company_by_the_stored_ruler_only():
    beside = runs.neighbours()
    others, zeros, nobody = runs.COMPANIES
    for company in runs.COMPANIES:
        assert set(beside.answers[company, "stored"]) == {0}
    assert set(beside.answers[others, "made"]) == {0}
    assert np.mean(np.equal(beside.answers[zeros, "made"], 5)) > 0.75
    assert np.mean(np.equal(beside.answers[zeros, "made"], 0)) < 0.1
    assert 0 not in beside.answers[nobody, "made"]
    assert max(beside.sure[nobody, "made"]) < 0.2


def test_a_company_is_what_it_is_called():
    digits = runs.load_digits()
    others, zeros, nobody = (runs.company(which, digits, 3) for which in runs.COMPANIES)
    assert sorted(digits.y_test[others]) == list(range(1, 10))
    assert set(digits.y_test[zeros]) == {0}
    assert len(set(zeros)) == 9
    assert runs.first_zero(digits) not in zeros
    assert len(nobody) == 0


def test_a_misread_momentum_shows_in_small_batches():
    accuracy = runs.misread(seeds=(0, 1, 2)).accuracy
    medians = {m: {d: np.median(v) for d, v in row.items()} for m, row in accuracy.items()}
    assert medians[8][0.99] - medians[8][0.01] > 0.05
    assert medians[8][0.9] - medians[8][0.1] > 0.02
    assert medians[60][0.99] - medians[60][0.01] < 0.03


def test_the_words_for_several_seeds():
    assert runs.told([0.5, 0.25, 0.75]) == "0.50 (0.25 to 0.75)"
    assert runs.told([8.0, 8.0], ".0f") == "8"
    assert runs.tally([5, 0, 5]) == "5: 2, 0: 1 of 3"

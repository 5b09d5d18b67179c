"""Chapter 3: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from bncourse import Dense, Sequential, SoftmaxCrossEntropy, gradient_errors
from bncourse.chapters.bias import explore, figures, runs
from bncourse.display import Card

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
    numbers,
    record,
)

EXPLORABLES = (
    "ruler",
    "one_unit",
    "effective_rate",
)
CARD = Card("Why?", "None.", "Training.", {"seed": [0]})


def growth(measured, pythagoras, rates, gradient=1.0):
    return record(
        runs.Growth,
        steps=np.arange(len(rates)),
        norm=np.linspace(1.0, measured, len(rates)),
        pythagoras=np.linspace(1.0, pythagoras, len(rates)),
        rate=np.asarray(rates, float),
        gradient=np.full((len(rates) - 1, 2), gradient),
    )


def growths(with_bn, without_bn):
    return runs.Growths([with_bn], [without_bn], CARD)


def decay_curves(decayed, free):
    return runs.DecayCurves((0.25, 1.0, 4.0), decayed, free, CARD)


def shift_effect(factor):
    shifts = 10.0 ** np.arange(-2, 3)
    return runs.ShiftEffect(
        shifts, factor * 1e-9 * shifts, factor * 0.1 * shifts, factor * 10 * shifts, CARD
    )


def shares(without, with_bn):
    values = {
        (inputs, bn): np.full((2, 4), with_bn if bn else without)
        for inputs in ("raw", "standardised")
        for bn in (False, True)
    }
    return runs.Shares(values, np.full(4, 0.01), CARD)


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "moved_dots": [
        ((100.0, 1.0), r"slid to 101, 103, 105 and 107, zero at 104, .* reading is 0\.000"),
        ((0.0, 10.0), r"stretched to 10, 30, 50 and 70, .* every 22\.36.* reading is 0\.000"),
        ((0.0, -1.0), r"reading is 2\.683"),
    ],
    "gradient_shares": [
        ((shares(0.8, 0.02),), r"raw, without: 0\.80, 0\.80.* with batch norm: 0\.02.* 0\.010"),
        ((shares(0.3, 0.4),), r"raw, without: 0\.30, 0\.30.* with batch norm: 0\.40"),
    ],
    "shifted_biases": [
        ((shift_effect(1.0),), r"less than 1e-06 .* more than 1 .* by 0\.1 at"),
        ((shift_effect(0.01),), r"less than 1e-08 .* less than 1 .* by 0\.0 at"),
        ((shift_effect(1e9),), r"less than 1000 in float64"),
    ],
    "weight_growth": [
        (
            (growths(growth(3.0, 3.0, [1] * 3), growth(3.0, 2.0, [1] * 3)),),
            r"factor of 3\.0 .* within 0\.1 %; .* 50 %",
        ),
        (
            (growths(growth(5.0, 6.0, [1] * 3), growth(2.0, 3.0, [1] * 3)),),
            r"factor of 5\.0 .* but not to 0\.1 %; .* 200 %",
        ),
    ],
    "right_triangles": [
        ((), r"3 steps.* from 1\.00 to 1\.56, 2\.05 and 2\.48"),
        (((1.0,),), r"1 steps.* from 1\.00 to 2\.00"),
    ],
    "effective_rate": [
        (
            (
                decay_curves(
                    [growth(1.0, 1.0, [r, 5, 5]) for r in (16, 4, 1)],
                    [growth(1.0, 1.0, [r, r, r]) for r in (8, 4, 1)],
                ),
            ),
            r"factor of 16 end apart .* formula says 0\.1, and a factor of 8",
        ),
        (
            (
                decay_curves(
                    [growth(1.0, 1.0, [4, *[5] * 999], 0.02) for _ in range(3)],
                    [growth(1.0, 1.0, [r, r, r]) for r in (9, 3, 1)],
                ),
            ),
            r"factor of 1 end within a fifth .* at 5\.0 where the formula says 1\.0, .* of 9",
        ),
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
    check_picture(figures.moved_dots(*CALLS["moved_dots"][0][0]))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_the_callback_holds_over_the_whole_range_of_its_controls(name):
    check_range(made(name))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    check_controls(made(name))


def test_a_made_ruler_reads_the_same_and_a_stored_one_feels_both():
    pattern = r"reads (\S+) (\S+) (\S+) and (\S+)\.$"
    explorable = made("ruler")
    at_first = numbers(pattern, explorable.at(b=0.0, c=1.0, ruler=runs.RULERS[0]))
    assert at_first == [-1.34, -0.45, 0.45, 1.34]
    for setting in explorable.settings:
        reads = numbers(pattern, explorable.at(**setting))
        moved = (setting["b"], setting["c"]) != (0.0, 1.0)
        assert (reads != at_first) == (moved and setting["ruler"] == runs.RULERS[1])
    # The settings that keep the mean, 4c + b = 4; only the start keeps the readings.
    centred = [
        (setting["b"], setting["c"])
        for setting in explorable.settings
        if setting["ruler"] == runs.RULERS[1]
        and abs(sum(numbers(pattern, explorable.at(**setting)))) < 0.05
    ]
    assert sorted(centred) == [(-8.0, 3.0), (-4.0, 2.0), (0.0, 1.0), (2.0, 0.5)]


def test_a_longer_unit_keeps_its_loss_and_turns_by_less():
    pattern = r"loss is ([\d.]+) the gradient has length ([\d.]+) .* tangent is ([\d.]+)\.$"
    explorable = made("one_unit")
    for degrees in (30.0, 60.0, 90.0):
        short, long = (
            numbers(pattern, explorable.at(length=length, degrees=degrees))
            for length in (1.0, 2.0)
        )
        assert long[0] == short[0]
        assert long[1] == pytest.approx(short[1] / 2, abs=0.006)
        assert long[2] == pytest.approx(short[2] / 4, abs=0.001)


@pytest.mark.parametrize("degrees", [10.0, 60.0, 100.0])
def test_the_unit_s_gradient_is_the_derivative_and_at_a_right_angle(degrees):
    step = runs.one_step(1.7, degrees)
    _, gradient = runs.unit_loss(step.w)
    for k in range(2):
        nudge = 1e-6 * np.eye(2)[k]
        numeric = (runs.unit_loss(step.w + nudge)[0] - runs.unit_loss(step.w - nudge)[0]) / 2e-6
        assert gradient[k] == pytest.approx(numeric, abs=1e-8)
    assert gradient @ step.w == pytest.approx(0.0, abs=1e-14)


def test_a_division_alone_keeps_the_mean_and_sends_back_its_derivative(rng):
    layer = runs.Divide(3)
    layer.gamma[...], layer.beta[...] = [0.5, 2.0, -1.0], [0.1, 0.0, 3.0]
    net = Sequential([Dense(4, 3, rng=rng), layer, Dense(3, 2, rng=rng)])
    x, y = rng.normal(size=(6, 4)), np.array([0, 1, 0, 1, 1, 0])
    assert max(gradient_errors(net, x, y).values()) < 1e-6
    z = 3 + rng.normal(size=(50, 3))
    divided = (layer.forward(z, training=True) - layer.beta) / layer.gamma
    np.testing.assert_allclose(divided.std(axis=0), 1.0, rtol=1e-4)
    np.testing.assert_allclose(divided.mean(axis=0), z.mean(axis=0) / z.std(axis=0), rtol=1e-4)


def test_the_lowest_loss_is_that_of_the_symmetric_logits():
    for classes in (2, 10):
        y = np.repeat(np.arange(classes), 3)
        logits = np.where(y[:, None] == np.arange(classes), 1.0, 0.0)
        logits = (logits - logits.mean(axis=0)) / logits.std(axis=0)
        _, loss = runs.lowest_loss(classes)
        assert SoftmaxCrossEntropy()(logits, y)[0] == pytest.approx(loss)


def test_a_rounding_error_is_told_by_a_coarse_power_of_ten():
    assert [runs.below(v) for v in (0.0, 1e-15, 2e-10, 0.02)] == [
        "below 1e-12",
        "below 1e-12",
        "below 1e-09",
        "below 1e-01",
    ]
    assert [runs.below(v) for v in (0.2, 0.5, 40.0)] == ["below 1", "below 10", "below 1000"]
    assert runs.below(1e-15, 1e-9) == "below 1e-09"


def test_weights_grow_without_decay_and_keep_their_length_at_the_stop_that_is_asked_for():
    explorable = made("effective_rate")
    pattern = r"‖w‖² is ([\d.]+) times what it was and the effective rate ([\d.]+) times"
    for setting in explorable.settings:
        grown, rate = numbers(pattern, explorable.at(**setting))
        if setting["weight_decay"] == 0:
            assert grown >= 1.0
            assert rate <= 1.0
    ends = [
        abs(numbers(pattern, explorable.at(learning_rate=3.0, weight_decay=decay))[0] - 1)
        for decay in explore.DECAYS
    ]
    assert explore.DECAYS[int(np.argmin(ends))] == 0.0008
    assert min(ends) < 0.05

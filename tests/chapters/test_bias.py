"""Chapter 3: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from bncourse.chapters.bias import explore, figures, runs

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
    "ghost_bias",
    "effective_rate",
)


def growth(measured, pythagoras, rates):
    return record(
        runs.Growth,
        steps=np.arange(len(rates)),
        norm=np.linspace(1.0, measured, len(rates)),
        pythagoras=np.linspace(1.0, pythagoras, len(rates)),
        rate=np.asarray(rates, float),
        accuracy=0.9,
    )


def shift_effect(factor):
    shifts = 10.0 ** np.arange(-2, 3)
    return record(
        runs.ShiftEffect,
        shifts=shifts,
        training=factor * 1e-9 * shifts,
        training32=factor * 0.1 * shifts,
        evaluation=factor * 10 * shifts,
    )


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "ghost_bias": [
        ((shift_effect(1.0),), r"less than 1e-06 .* more than 1 .* by 0\.1 at"),
        ((shift_effect(0.01),), r"less than 1e-08 .* less than 1 .* by 0\.0 at"),
        ((shift_effect(1e9),), r"less than 1000 in float64"),
    ],
    "weight_growth": [
        (
            (growth(3.0, 3.0, [1] * 3), growth(3.0, 2.0, [1] * 3)),
            r"factor of 3\.0 .* within 0\.1 %; .* 50 %",
        ),
        (
            (growth(5.0, 6.0, [1] * 3), growth(2.0, 3.0, [1] * 3)),
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
                (0.25, 1.0, 4.0),
                [growth(1.0, 1.0, [r, 5, 5]) for r in (16, 4, 1)],
                [growth(1.0, 1.0, [r, r, r]) for r in (8, 4, 1)],
            ),
            r"factor of 16 differ .* factor of 8",
        ),
        (
            (
                (0.25, 1.0, 4.0),
                [growth(1.0, 1.0, [4, *[5] * 999]) for _ in range(3)],
                [growth(1.0, 1.0, [r, r, r]) for r in (9, 3, 1)],
            ),
            r"factor of 1 end within a fifth .* factor of 9",
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
    name = figures.__all__[0]
    check_picture(getattr(figures, name)(*CALLS[name][0][0]))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_the_callback_holds_over_the_whole_range_of_its_controls(name):
    check_range(made(name))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    check_controls(made(name))


def test_the_ghost_bias_moves_nothing_in_training_and_everything_in_evaluation():
    for b, a, epsilon in itertools.product((0.0, 3.0, 30.0), (0.1, 1.0, 10.0), (0.0, 0.5)):
        training = runs.ghost(b, a, epsilon, "training")
        evaluation = runs.ghost(b, a, epsilon, "evaluation")
        assert training.slope == pytest.approx(0.0, abs=1e-12)
        assert evaluation.slope != pytest.approx(0.0, abs=0.1)
        if epsilon == 0 or a == 1:
            np.testing.assert_allclose(training.z_norm, training.reference, atol=1e-12)
        else:
            assert np.abs(training.z_norm - training.reference).max() > 0.1
        moved = np.abs(evaluation.z_norm - evaluation.reference).max()
        assert (moved > 0.5) == (b != 0 or a != 1)


@pytest.mark.parametrize("mode", runs.MODES)
def test_the_ghost_s_slope_is_the_derivative(mode):
    def cost(b):
        return runs.LIKING @ runs.ghost(b, 2.0, 0.5, mode).z_norm

    step = 1e-6
    numeric = (cost(1.0 + step) - cost(1.0 - step)) / (2 * step)
    assert runs.ghost(1.0, 2.0, 0.5, mode).slope == pytest.approx(numeric, abs=1e-8)


def test_weights_grow_without_decay_and_the_effective_rate_falls():
    explorable = made("effective_rate")
    pattern = r"‖w‖² is ([\d.]+) times what it was and the effective rate ([\d.]+) times"
    for setting in explorable.settings:
        grown, rate = numbers(pattern, explorable.at(**setting))
        if setting["weight_decay"] == 0:
            assert grown >= 1.0
            assert rate <= 1.0
    with_decay = explorable.at(learning_rate=3.0, weight_decay=0.003)
    assert numbers(pattern, with_decay)[1] > 1.0

"""Chapter 5: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from bncourse.chapters.intuition import explore, figures, runs

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
    "noisy_batch_norm",
    "landscape_walk",
    "depth_profile",
)


def stability(drift, steps):
    return [record(runs.Stability, drift=drift, steps=steps + k) for k in (-1.0, 0.0, 1.0)]


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "depth_profile": [
        (({"one": np.ones(50), "two": 2.0 ** np.arange(50)[::-1]},), r"1\.00 with one and 2\.00"),
        (({"one": 3.0 ** np.arange(50)[::-1]},), r"over 50 layers .* 3\.00 with one\."),
    ],
    "drift_and_speed": [
        (
            (
                {
                    "none": stability(0.1, 90.0),
                    "batch norm": stability(0.2, 30.0),
                    "noisy": stability(0.9, 40.0),
                },
            ),
            r"0\.10 and 90 with no batch norm, 0\.20 and 30 .* 0\.90 and 40",
        ),
    ],
    "smoothness_ratios": [
        (({"a": 3.0, "b": 0.5, "c": 1.0},), r"smoother in 1 of 3 .* rougher in 1; .* 0\.50 \(b\)"),
        (({"a": 2.0, "b": 4.0},), r"smoother in 2 of 2 .* rougher in 0; .* 4\.0 \(b\)"),
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


def test_noise_drifts_more_than_no_batch_norm_and_still_trains_faster():
    explorable = made("noisy_batch_norm")
    drifts = []
    for level in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0):
        words = explorable.at(level=level)
        drift, plain = numbers(r"drifts by ([\d.]+) .*?\(([\d.]+) without", words)
        drifts.append(drift)
        noisy, without = numbers(r": (\d+) with noisy.* (\d+) without", words)
        assert noisy < without
        if level >= 0.5:
            assert drift > plain
    assert drifts == sorted(drifts)


def test_in_the_landscape_walk_the_ratio_crosses_one():
    ratios = {
        (a, gain, step): runs.walk(a, gain, step).ratio
        for a in runs.ACTIVATIONS
        for gain in (0.3, 1.0, 3.0)
        for step in (0, 100)
    }
    assert all(ratios["ReLU", gain, step] > 1 for gain in (1.0, 3.0) for step in (0, 100))
    assert all(ratios["ReLU", 0.3, step] < 1 for step in (0, 100))
    assert all(ratios["tanh", 1.0, step] < 1 for step in (0, 100))


def test_through_depth_the_sigmoid_vanishes_and_batch_norm_with_relu_explodes():
    explorable = made("depth_profile")
    for depth in (15, 30, 60):
        pattern = r"multiplied by ([\d.]+) per layer"
        growth = {
            (a, bn): numbers(pattern, explorable.at(depth=depth, activation=a, batch_norm=bn))[0]
            for a in ("ReLU", "sigmoid")
            for bn in (False, True)
        }
        assert growth["sigmoid", False] < 0.3
        assert 0.9 < growth["sigmoid", True] < 1.1
        assert 1.1 < growth["ReLU", True] < 1.35

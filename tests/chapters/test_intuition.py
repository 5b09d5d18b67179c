"""Chapter 5: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from bncourse import ReLU, mlp
from bncourse.chapters.intuition import explore, figures, runs
from bncourse.display.card import EXACT

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
    "deep_gradients",
)


def stability(drift, steps):
    return [record(runs.Stability, drift=drift, steps=steps + k) for k in (-1.0, 0.0, 1.0)]


def profiles(growth, names):
    norms = {
        name: np.array([g ** np.arange(50)[::-1]]) for name, g in zip(names, growth, strict=True)
    }
    return record(runs.Profiles, norms=norms, card=EXACT)


DEEP = ("sigmoid", "sigmoid, batch norm", "ReLU", "ReLU, batch norm")
SHORT = ("batch norm", "shortcuts, batch norm")

#: For each figure two calls, and what the words must say after each.
CALLS = {
    "depth_growth": [
        ((profiles((0.5, 1.0, 1.1, 1.2), DEEP),), r"0\.50 with sigmoid alone.* is 7,600 to 7,600"),
        ((profiles((1.0, 1.1, 1.2, 1.0), DEEP),), r"1\.20 with ReLU alone.* is 1 to 1 times"),
    ],
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
    "shortcut_growth": [
        ((profiles((1.2, 1.1), SHORT),), r"7,600 to 7,600 with batch norm and 110 to 110"),
        ((profiles((1.1, 1.0), SHORT),), r"110 to 110 with batch norm and 1 to 1 with short"),
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


# --- 5.3, Look through fifty layers


def test_the_deep_network_is_that_of_mlp():
    net = runs.deep_network(0, ReLU, batch_norm=True, depth=4, width=20)
    same = mlp((64, *[20] * 4, 10), ReLU, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(net.theta, same.theta)
    assert len(runs.hidden_layers(net)) == 4
    short = runs.deep_network(0, ReLU, batch_norm=True, shortcuts=True, depth=4, width=20)
    np.testing.assert_array_equal(short.theta, net.theta)
    assert [la.w.shape for la in runs.hidden_layers(short)] == [(20, 64), *[(20, 20)] * 3]


def test_the_derivation_says_what_is_known_of_relu():
    growth = np.sqrt(np.pi / (np.pi - 1))
    assert runs.predicted("ReLU") == pytest.approx(growth, abs=2e-4)
    assert runs.predicted("sigmoid") == pytest.approx(1.017, abs=1e-3)
    for network, first in (
        ("plain", 1.0),
        ("batch norm", growth**49),
        ("batch norm, shortcuts", runs.shortcut_growth(50, growth)),
    ):
        line = runs.predicted_profile("ReLU", network, 50)
        assert line[0] == pytest.approx(first, rel=0.01)
        assert line[-1] == 1.0
    assert runs.predicted_profile("tanh", "plain", 50) is None
    assert runs.shortcut_growth(3, 1.0) == pytest.approx(np.sqrt(2 * 1.5))


def test_each_line_of_the_derivation_holds_to_a_few_hundredths():
    factors = np.array(runs.growth_factors(seeds=(0, 1)).values)
    variance = 1 / 2 - 1 / (2 * np.pi)
    np.testing.assert_allclose(factors, [[1 / 2, 1 / (2 * variance), 2.0]] * 2, rtol=0.06)


def test_shortcuts_tame_the_growth_with_batch_norm_and_explode_without():
    found = runs.shortcut_profiles(seeds=(0, 1))
    assert min(found.first_to_last("batch norm")) > 2000
    assert max(found.first_to_last("shortcuts, batch norm")) < 25
    assert min(found.loss["shortcuts"]) > 1e10
    assert max(found.loss["shortcuts, small weights"]) < 100


def test_one_step_evens_the_gradients_out_by_making_long_what_was_large():
    steps = runs.first_steps_by_rate()
    assert (steps.ratio[0.1][:, 0] > 4000).all()
    assert (steps.ratio[0.1][:, 1] < 20).all()
    assert (steps.length[0.1][:, 0] > 50).all()
    assert (np.abs(steps.length[0.1][:, 1] - 1) < 0.01).all()


def test_fifty_layers_begin_to_train_with_shortcuts_and_batch_norm():
    found = runs.deep_relus().values
    assert min(found["shortcuts, batch norm", 0.01]) > 0.6
    others = ("plain", "batch norm", "shortcuts")
    assert max(max(found[arm, rate]) for arm in others for rate in (0.001, 0.01, 0.1)) < 0.3


def test_with_shortcuts_depth_hardly_matters_and_without_it_does():
    explorable = made("deep_gradients")

    def first(network, depth):
        words = explorable.at(activation="ReLU", network=network, depth=depth)
        return numbers(r"gradient is ([\d.]+) times", words)[0]

    assert first("batch norm", 60) > 1000 * first("batch norm", 15)
    assert first("batch norm, shortcuts", 60) < 10 * first("batch norm, shortcuts", 15)

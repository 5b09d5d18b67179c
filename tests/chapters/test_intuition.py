"""Chapter 5: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

from bncourse import ReLU
from bncourse.chapters.intuition import explore, figures, runs
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
    "noisy_batch_norm",
    "landscape_walk",
    "depth_profile",
    "shake",
)


def stability(drift, steps):
    return [record(runs.Stability, drift=drift, steps=steps + k) for k in (-1.0, 0.0, 1.0)]


CARD = Card("Why?", "None.", "Training.", {"seed": [0]})


def descents(without, with_bn, level=1.0):
    """Return networks that differ in what is given; `level`: the loss of those without."""
    keys = ("shift", "loss 1.0", "steps", "step 50")
    values = {
        (network, bn): {key: [v, v, v] for key, v in zip(keys, pair, strict=True)}
        | {"loss at step 50": [0.1 if bn else level]}
        for network in runs.DESCENTS
        for bn, pair in ((False, without), (True, with_bn))
    }
    return runs.Descents(values, CARD)


def tanh_rates(without, with_bn):
    steps = {
        (inputs, bn, rate): [value * (1 + abs(np.log10(rate / 0.3)))] * 3
        for inputs in (runs.RAW, runs.STANDARDISED)
        for bn, value in ((False, without), (True, with_bn))
        for rate in runs.TANH_RATES
    }
    return runs.TanhRates(steps, CARD)


def depth(factor):
    profile = factor ** (49.0 - np.arange(50))
    return runs.Depth({name: np.array([profile, profile]) for name in runs.DEEP}, 1.21, CARD)


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
    "fifty_layers": [
        ((depth(1.3),), r"1\.30 with sigmoid, .* 1\.21\. .* last one's: 380,000 with sigmoid"),
        ((depth(0.5),), r"0\.50 with sigmoid, .* 2 · 10⁻¹⁵ with sigmoid"),
    ],
    "shaken_dots": [
        ((), r"read −1\.34, −0\.45, 0\.45 and 1\.34\. Shaken at level 1, .* pass a ReLU\."),
        (
            (0.0,),
            r"level 0, all four are moved by .0\.00, .0\.00 and .0\.00 .* 2, 2 and 2 of them",
        ),
    ],
    "shift_smoothness_steps": [
        (
            (descents((0.2, 3.0, 40, 1), (0.1, 2.0, 10, 1)), tanh_rates(20.0, 5.0)),
            r"shift 0\.20 and 0\.10, β_eff at 1 nat 3\.00 and 2\.00, .* best rates 20 and 5\.",
        ),
        (
            (descents((0.1, 1.0, 40, 1), (0.3, 2.0, 10, 1)), tanh_rates(9.0, 8.0)),
            r"shift 0\.10 and 0\.30, β_eff at 1 nat 1\.00 and 2\.00, .* best rates 9 and 8",
        ),
    ],
    "smoothness_at_step_and_loss": [
        (
            (descents((1, 3.0, 1, 0.4), (1, 2.0, 1, 1.4), level=2.3),),
            r"after 50 steps, medians: ReLU 0\.4 and 1\.4, .* nat, medians: ReLU 3 and 2, .* On "
            r"the plateau after 50 steps: ReLU, tanh",
        ),
        (
            (descents((1, 3.0, 1, 4.0), (1, 2.0, 1, 1.4)),),
            r"ReLU 4 and 1\.4, .* On the plateau after 50 steps: none\.",
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


def test_what_shakes_costs_steps_and_the_harder_the_more():
    explorable = made("shake")
    pattern = r"(?:^|; )batch norm ([\w ]+) steps, drift [\d.]+; batch norm, shaken ([\w ]+) steps"
    for rate in runs.SHAKE_RATES:
        shaken = []
        for level in explore.SHAKE_LEVELS:
            words = explorable.at(level=level, rate=rate)
            _, told = re.search(pattern, words).groups()
            shaken.append(np.inf if told.startswith("more") else float(told))
        assert shaken == sorted(shaken)
    words = explorable.at(level=1.0, rate=0.1)
    plain, quiet, drifting = (
        float(drift) for drift in re.findall(r"steps, drift (\d\.\d+)", words)
    )
    assert quiet < 0.02 < plain < drifting


@pytest.mark.parametrize(("arm", "moved"), [(0.0, 0.0), (1.0, 2 / 3)])
def test_drift_is_what_the_relus_receive(arm, moved):
    run = runs.shake_run(0, runs.Arm(True, arm), 1e-12, at_most=70)
    assert run.drift == pytest.approx(moved, abs=0.03)


def test_a_shake_that_does_nothing_is_seen_in_the_drift():
    def idle(n, level, rng):
        return runs.Shake(n, 0.0, rng)

    shaken, other = (
        runs.shake_run(0, runs.Arm(True, 1.0), 0.1, shake=layer) for layer in (runs.Shake, idle)
    )
    assert other.drift < 0.05 < 0.5 < shaken.drift
    assert other.steps == runs.shake_run(0, runs.Arm(True, 0.0), 0.1).steps


def test_a_shake_by_the_spread_moves_each_unit_by_its_own():
    z = np.array([[-1.0, -100.0], [1.0, 100.0]])
    layer = runs.ShakeBySpread(2, 1.0, np.random.default_rng(0))
    moved = np.array([layer.forward(z, training=True).mean(axis=0) for _ in range(200)])
    assert 0.9 < np.abs(moved[:, 0]).max() <= 1.0
    assert 90.0 < np.abs(moved[:, 1]).max() <= 100.0
    np.testing.assert_array_equal(layer.forward(z, training=False), z)


def judged(**changes):
    """Return the verdicts' words, by reason, of results that are as found but for changes."""
    halved = {
        ("ReLU", runs.RAW, runs.NOTHING): [np.inf] * 3,
        ("ReLU", runs.RAW, runs.SUBTRACTION): [10.0, 9.0, 8.0],
        ("ReLU", runs.RAW, runs.BOTH): [7.0] * 3,
    }
    shook = {
        "no batch norm": (0.33, [47.0, 50.0]),
        "batch norm": (0.0, [20.0, 22.0]),
        "batch norm, shaken, level 1": (0.66, [28.0, 30.0]),
    } | changes.get("shook", {})
    lengths = {
        (rate, kind): [0.3 if (rate, kind) == (5.0, runs.AT_START) else 0.95]
        for rate in (3.0, 5.0)
        for kind in (runs.FREE, runs.AT_START, runs.AT_END)
    } | changes.get("lengths", {})
    measured = descents((0.2, 3.0, 40, 1), (0.1, 2.0, 10, 1))
    for network, smoother in changes.get("smoother", {"ReLU": 4.0, "sigmoid": 0.5}).items():
        measured.values[network, False]["loss 1.0"] = [2.0 * smoother] * 3
    for network, saved in {"ReLU": 2.0, "tanh": 3.0, "sigmoid": 30.0}.items():
        measured.values[network, False]["steps"] = [10.0 * saved] * 3
    deep = depth(1.0)
    deep.norms["ReLU, batch norm"] = 1.2 ** (49.0 - np.arange(50.0))[np.newaxis]
    result = runs.verdicts(
        {"scale": 3, "stability": 1, "smoothness": 2},
        runs.Halves(halved | changes.get("halved", {}), CARD),
        tanh_rates(8.0, 7.0),
        measured,
        runs.Shaken(
            {
                (arm, 0.1, runs.RAW): {"drift": [drift], "steps": steps}
                for arm, (drift, steps) in shook.items()
            },
            CARD,
        ),
        changes.get("steps", (16.0, 11.5, 8.5)),
        runs.Held(lengths, CARD),
        deep,
    )
    assert [row[1] for row in result.rows] == ["3", "1", "2", "", "", ""]
    return [row[3] for row in result.rows]


def test_the_verdicts_follow_the_results():
    as_found = judged()
    assert not any(word == "open" for word in as_found)
    for k, changes in enumerate(
        (
            {"halved": {("ReLU", runs.RAW, runs.SUBTRACTION): [10.0, np.inf, 8.0]}},
            {"shook": {"batch norm, shaken, level 1": (0.66, [48.0, 30.0])}},
            {"smoother": {"ReLU": 0.5, "sigmoid": 4.0}},
            {"steps": (16.0, 9.0, 8.5)},
            {"lengths": {(5.0, runs.AT_START): [0.9]}},
        )
    ):
        words = judged(**changes)
        assert [a != b for a, b in zip(as_found, words, strict=True)] == [k == i for i in range(6)]


def test_a_ranking_needs_each_reason():
    with pytest.raises(ValueError, match="scale"):
        runs.verdicts({"scale": 1}, *[None] * 7)


def test_what_is_told_of_seeds():
    assert runs.told([8.0, 8.0]) == "8"
    assert runs.told([7.0, 9.0, np.inf]) == "9 (7 to none)"
    assert runs.told([0.5, 0.25, 0.75], ".2f") == "0.50 (0.25 to 0.75)"


def test_the_inputs_of_an_arm_are_what_it_says():
    raw, centred, standardised = map(runs.inputs_of, (runs.RAW, runs.CENTRED, runs.STANDARDISED))
    assert raw.x_train.min() == 0.0
    np.testing.assert_allclose(centred.x_train.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(centred.x_train.std(axis=0), raw.x_train.std(axis=0))
    assert standardised.x_train.std(axis=0).max() == pytest.approx(1.0)
    # The test set is moved by the training set's mean.
    np.testing.assert_allclose(raw.x_test - centred.x_test, (raw.x_train - centred.x_train)[:360])


def test_deep_networks_are_made_of_the_same_weights():
    plain, short = (runs._deep(0, ReLU, False, shortcuts)[1] for shortcuts in (False, True))
    assert len(plain) == len(short) == 50
    for a, b in zip(plain, short, strict=True):
        np.testing.assert_array_equal(a.w, b.w)

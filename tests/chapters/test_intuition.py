"""Chapter 5: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

from bncourse import Dense, ReLU, Sequential, gradient_errors, mlp
from bncourse.chapters.common import DivideByRMS
from bncourse.chapters.intuition import explore, figures, landscape, runs, shaking
from bncourse.display import EXACT, Card

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
    "shake",
    "shaken",
    "walk_at_loss",
    "deep_gradients",
)


CARD = Card("Why?", "None.", "Training.", {"seed": [0]})


def descents(without, with_bn, level=1.0):
    """Return networks that differ in what is given; `level`: the loss of those without."""
    losses = [f"loss {loss}{eta}" for loss in runs.LOSSES for eta in ("", *runs.LONGER)]
    values = {
        (network, bn): {key: [beta] * 3 for key in losses}
        | {"steps": [steps] * 3, "step 50": [late] * 3, "loss at step 50": [0.1 if bn else level]}
        for network in runs.DESCENTS
        for bn, (beta, steps, late) in ((False, without), (True, with_bn))
    }
    return runs.Descents(values, CARD)


def gradient_shifts(without, with_bn):
    keys = [f"layer {layer}, {window}" for layer in (2, 3) for window in runs.WINDOWS]
    return runs.GradientShifts(
        {
            (network, 0.1, bn): {key: [value] * 3 for key in keys}
            for network in runs.DESCENTS
            for bn, value in ((False, without), (True, with_bn))
        },
        CARD,
    )


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


def shaken_steps(plain, shaken):
    """Return made-up results of two arms at two rates."""
    arms = ((False, "none", 0.0), (True, "shift", 1.0))
    steps = {
        (arm, rate, False): [value, value, value]
        for arm, values in zip(arms, (plain, shaken), strict=True)
        for rate, value in zip((0.1, 1.0), values, strict=True)
    }
    shown = {"plain": arms[0], "shaken": arms[1]}
    return shaking.Shaking(steps, {}, {}, EXACT), shown, "Shaken."


def smooth(plain, normed, loss):
    """Return made-up β_eff of two networks, and the loss of the plain one."""
    rows = {
        (setting, arm, False): [
            {"loss": [2.3, loss, 0.5], "after 50": [0, beta, 0], "below 1": [0, 2 * beta, 0]}
        ]
        for setting in ("a", "b, c")
        for arm, beta in (("none", plain), ("both", normed))
    }
    return landscape.Smoothness(rows, EXACT)


def apart(slow, fast):
    keys = [(setting, arm) for setting in ("ReLU", "tanh") for arm in landscape.ARMS]
    steps = {key: [fast if key[1] == "divide" else slow] * 3 for key in keys}
    return landscape.Apart({key: [2.0, 3.0, 4.0] for key in keys}, steps, EXACT)


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
    "shortcut_growth": [
        ((profiles((1.2, 1.1), SHORT),), r"7,600 to 7,600 with batch norm and 110 to 110"),
        ((profiles((1.1, 1.0), SHORT),), r"110 to 110 with batch norm and 1 to 1 with short"),
    ],
    "shaken_arms": [
        (
            shaken_steps((40.0, 20.0), (30.0, np.inf)),
            r"0\.1 and 1: plain 40 and 20; shaken 30 and n",
        ),
        (shaken_steps((np.inf, 20.0), (30.0, 10.0)), r"plain never and 20; shaken 30 and 10\."),
    ],
    "steps_and_losses": [
        (
            (smooth(1.0, 4.0, 2.3),),
            r"after 50 steps 0\.25 for a .* a loss of 1 0\.25 .* batch norm: a and b, c\.",
        ),
        (
            (smooth(8.0, 4.0, 1.0),),
            r"steps 2 for a and 2 for b, c; .* batch norm: none\.",
        ),
    ],
    "smooth_and_fast": [
        (
            (apart(40.0, 20.0),),
            r"ReLU: neither 3 and 40, .* divide 3 and 20, RMS 3 and 40 and both 3 and 40\.",
        ),
        ((apart(50.0, 60.0),), r"tanh: neither 3 and 50, .* divide 3 and 60"),
    ],
    "fifty_layers": [
        (
            (depth(1.3),),
            r"1\.30 with sigmoid, .* 1\.21, so 11,000 .* last one’s: 380,000 with sigmoid",
        ),
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
            (
                descents((3.0, 40, 1), (2.0, 10, 1)),
                gradient_shifts(0.2, 0.1),
                tanh_rates(20.0, 5.0),
            ),
            r"layer 2, steps 1–10: 0\.20 and 0\.10, .* 0\.5 nat, η 1: 3\.0 and 2\.0; .* best "
            r"rates: 20 and 5\.",
        ),
        (
            (
                descents((1.0, 40, 1), (2.0, 10, 1)),
                gradient_shifts(0.1, 0.3),
                tanh_rates(9.0, 8.0),
            ),
            r"layer 3, 1–0\.5 nat: 0\.10 and 0\.30; β_eff, .*: 1\.0 and 2\.0; .* best rates: 9 "
            r"and 8",
        ),
    ],
    "smoothness_at_step_and_loss": [
        (
            (descents((3.0, 1, 0.4), (2.0, 1, 1.4), level=2.3),),
            r"after 50 steps, medians: ReLU 0\.4 and 1\.4, .* nat, medians: ReLU 3 and 2, .* On "
            r"the plateau after 50 steps: ReLU, tanh",
        ),
        (
            (descents((3.0, 1, 4.0), (2.0, 1, 1.4)),),
            r"ReLU 4 and 1\.4, .* On the plateau after 50 steps: none\.",
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
    best = {runs.NOTHING: 35.0, runs.DIVISION: 28.0, runs.SUBTRACTION: 10.0, runs.BOTH: 7.0}
    best[runs.ROOT_MEAN_SQUARE] = 14.0
    halved = {
        ("ReLU", runs.RAW, arm, rate): [steps] * 3
        for arm, steps in (best | changes.get("halved", {})).items()
        for rate in runs.HALF_RATES
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
    measured = descents((1.0, 24, 1), (2.0, 16, 1))
    for key, value in changes.get("smoother", {}).items():
        measured.values["tanh, standardised", False][key] = [value] * 3
    deep = depth(1.0)
    deep.norms["ReLU, batch norm"] = 1.2 ** (49.0 - np.arange(50.0))[np.newaxis]
    result = runs.verdicts(
        {"scale": 3, "stability": "?", "smoothness": 2},
        runs.HalvesByRate(halved, [], CARD),
        runs.HalvesByRate(
            {
                (kind, inputs, runs.NOTHING, rate): [steps + 1 / rate]
                for kind in ("ReLU", "tanh")
                for inputs, steps in (
                    {runs.VARYING: 15.0, runs.WHITENED: 33.0} | changes.get("bowls", {})
                ).items()
                for rate in runs.HALF_RATES
            },
            [],
            CARD,
        ),
        measured,
        gradient_shifts(0.1, changes.get("shift", 0.2)),
        runs.Shaken(
            {
                (arm, 0.1, runs.RAW): {"drift": [drift], "steps": steps}
                for arm, (drift, steps) in shook.items()
            },
            CARD,
        ),
        changes.get("steps", (16.0, 11.5, 8.5, 18.0, 8.5)),
        runs.Held(lengths, CARD),
        deep,
    )
    assert [row[1] for row in result.rows] == ["3", "?", "2", "", "", ""]
    return [row[3] for row in result.rows]


def test_the_verdicts_follow_the_results():
    as_found = judged()
    assert not any(word == "open" for word in as_found)
    for k, changes in (
        (0, {"halved": {runs.SUBTRACTION: 30.0}}),
        (0, {"bowls": {runs.WHITENED: 14.0}}),
        (1, {"shook": {"batch norm, shaken, level 1": (0.66, [48.0, 30.0])}}),
        (1, {"shift": 0.05}),
        (2, {"smoother": {"loss 0.5, η 1": 4.0}}),
        (3, {"steps": (16.0, 9.0, 8.5, 18.0, 8.5)}),
        (3, {"steps": (16.0, 11.5, 8.5, np.inf, 8.5)}),
        (4, {"lengths": {(5.0, runs.AT_START): [0.9]}}),
    ):
        words = judged(**changes)
        assert [a != b for a, b in zip(as_found, words, strict=True)] == [k == i for i in range(6)]


def test_a_ranking_needs_each_reason():
    with pytest.raises(ValueError, match="scale"):
        runs.verdicts({"scale": 1}, *[None] * 8)


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


# Page 5.1 -------------------------------------------------------------------------------------


def test_in_the_explorable_the_shaken_plain_network_pays_more_than_batch_norm():
    explorable = made("shaken")
    pattern = (
        r"shaken (more than \d+|\d+) steps .* batch norm (\d+) steps .* shaken (more than|\d+)"
    )
    for setting in explorable.settings:
        if setting["rate"] == 1.0:
            continue
        words = explorable.at(**setting)
        found = re.search(pattern, words)
        assert found, words
        plain = 151 if found[1].startswith("more") else int(found[1])
        assert int(found[2]) < plain


@pytest.mark.parametrize("kind", shaking.KINDS)
def test_the_noise_arrives_at_the_relus_and_only_when_it_is_on(kind):
    net, noises, watched = shaking.network(0, True, kind, 1.0)
    z = np.random.default_rng(0).normal(size=(60, 100))
    noise = noises[0]
    first, second = (noise.forward(z, training=True) for _ in range(2))
    changes = np.abs(second - first).max()
    assert (changes > 0.05) == (kind not in ("none", "gain"))
    noise.off = True
    first, second = (noise.forward(z, training=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    if kind in ("none", "shift", "scale", "examples", "own shift"):
        np.testing.assert_array_equal(first, z)
    elif kind in ("gain", "all"):
        np.testing.assert_array_equal(first, 1.5 * z)
    assert len(watched) == len(noises) == 3
    assert isinstance(net, Sequential)


def test_a_noise_has_the_size_that_it_says():
    draws = {}
    for kind in ("shift", "scale", "examples", "all", "slow 30"):
        noise = shaking.Noise(4000, kind, 2.0, np.random.default_rng(0))
        z = np.ones((2, 4000))
        draws[kind] = noise.forward(z, training=True)
    assert np.abs(draws["shift"] - 1).max() == pytest.approx(2.0, abs=0.01)
    assert draws["scale"].mean() == pytest.approx(1.0, abs=0.02)
    assert draws["scale"].min() == pytest.approx(0.5, abs=0.01)
    assert (draws["examples"] - 1).std() == pytest.approx(0.5, abs=0.02)
    assert draws["all"].mean() == pytest.approx(2.0, abs=0.1)
    assert (draws["slow 30"] - 1).std() == pytest.approx((draws["shift"] - 1).std(), abs=0.05)


def test_a_slow_shift_forgets_at_its_pace():
    noise = shaking.Noise(20_000, "slow 30", 1.0, np.random.default_rng(0))
    z = np.zeros((1, 20_000))
    first = noise.forward(z, training=True)[0].copy()
    for _ in range(30):
        last = noise.forward(z, training=True)[0]
    assert np.corrcoef(first, last)[0, 1] == pytest.approx(np.exp(-1), abs=0.03)


def test_noise_sends_back_what_its_factor_lets_through():
    for kind in ("shift", "gain", "scale", "all"):
        noise = shaking.Noise(5, kind, 1.0, np.random.default_rng(0))
        z = np.random.default_rng(1).normal(size=(7, 5))
        out = noise.forward(z, training=True)
        factor = (out[1] - out[0]) / (z[1] - z[0])
        dz = noise.backward(np.ones((7, 5)))
        if kind != "all":  # whose jitter differs between the examples
            np.testing.assert_allclose(dz, np.broadcast_to(factor, (7, 5)), rtol=1e-9)
        assert (np.abs(dz - 1) > 0.01).any() == (kind != "shift")


def test_the_drift_of_the_page_is_that_of_two_draws():
    found = shaking.shaking().drift
    shift = np.median(found[(True, "shift", 1.0), 0.1, False])
    assert shift == pytest.approx(2 / 3, abs=0.02)
    assert np.median(found[(True, "none", 0.0), 0.1, False]) < 0.01


def test_a_shift_moves_means_and_a_scale_standard_deviations():
    found = shaking.shaking()
    plain, shift, scale = (False, "none", 0.0), (True, "shift", 1.0), (True, "scale", 1.0)
    assert max(found.spread_drift[shift, 0.1, False]) < 0.02
    assert max(found.drift[scale, 0.1, False]) < 0.02
    for rate in (0.1, 0.3):
        # Two draws from 1 ± 1/3 lie 2/9 apart.
        assert np.median(found.spread_drift[scale, rate, False]) == pytest.approx(2 / 9, abs=0.03)
        assert max(found.spread_drift[plain, rate, False]) < min(
            found.spread_drift[scale, rate, False]
        )
        assert found.faster(scale, plain, rate) == 5
    # On standardised pixels the shift that drifts as the plain network does leaves the gain.
    assert found.faster((True, "shift", 0.35), plain, 0.3, True) == 5
    assert found.faster(shift, plain, 0.3, True) < 3


def test_looking_with_the_noise_on_does_not_change_the_training():
    quiet = shaking.shake(0, True, "shift", 1.0, 0.3, False)
    watched = shaking.shake(0, True, "shift", 1.0, 0.3, False, noisy_too=True)
    assert watched.accuracy == quiet.accuracy
    assert shaking.steps_to(watched.noisy_accuracy) >= shaking.steps_to(quiet.accuracy)


def test_steps_are_told_by_median_and_range():
    assert shaking.told([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert shaking.told([5.0, 5.0]) == "5"
    assert shaking.told([np.inf, np.inf, 9.0]) == "never (9 to never)"


# Page 5.2 -------------------------------------------------------------------------------------


def test_in_the_walk_a_plateau_is_smooth_and_a_longer_step_changes_the_winner():
    explorable = made("walk_at_loss")
    pattern = r"β_eff is ([\d.]+) without batch norm and ([\d.]+) with it"

    def betas(setting, moment, eta):
        return numbers(pattern, explorable.at(setting=setting, moment=moment, eta=eta))

    small = "ReLU, weights × 0.3"
    without, with_bn = betas(small, "at the start", 0.1)
    assert without < 0.2 * with_bn
    without, with_bn = betas(small, "a loss of 1", 0.1)
    assert without > with_bn
    without, with_bn = betas("tanh", "a loss of 1", 0.1)
    assert without < with_bn
    without, with_bn = betas("tanh", "a loss of 1", 1.0)
    assert without > with_bn


def test_the_arms_start_from_the_same_weights_and_have_their_layers():
    arms = (*landscape.ARMS, *landscape.CONTROLS)
    nets = {arm: landscape.build(3, "ReLU", arm)[0] for arm in arms}
    first = {arm: net.layers[0].w for arm, net in nets.items()}
    for w in first.values():
        np.testing.assert_array_equal(w, first["none"])
    assert len(nets["both"].batch_norms) == 3
    assert all(not nets[arm].batch_norms for arm in arms if arm != "both")
    x = np.random.default_rng(0).normal(3.0, 2.0, (60, 64))
    for arm, behind, centred, divided in (
        ("none", 1, False, False),
        ("subtract", 3, True, False),
        ("divide", 2, False, True),
        ("divide, push out", 2, False, True),
        ("both", 2, True, True),
    ):
        z = x
        for layer in nets[arm].layers[:behind]:
            z = layer.forward(z, training=True)
        assert (np.abs(z.mean(axis=0)).max() < 1e-9) == centred
        assert (np.abs(z.std(axis=0) - 1).max() < 1e-3) == divided


def test_a_division_by_the_root_mean_square_sends_back_its_derivative(rng):
    layer = DivideByRMS(3)
    layer.gamma[...], layer.beta[...] = [0.5, 2.0, -1.0], [0.1, 0.0, 3.0]
    net = Sequential([Dense(4, 3, rng=rng), layer, Dense(3, 2, rng=rng)])
    x, y = rng.normal(size=(6, 4)), np.array([0, 1, 0, 1, 1, 0])
    assert max(gradient_errors(net, x, y).values()) < 1e-6
    layer.held = True
    assert max(gradient_errors(net, x, y).values()) > 1e-3
    z = 3 + rng.normal(size=(50, 3))
    divided = (layer.forward(z, training=True) - layer.beta) / layer.gamma
    np.testing.assert_allclose((divided**2).mean(axis=0), 1.0, rtol=1e-4)
    np.testing.assert_allclose(divided * np.sqrt((z**2).mean(axis=0)), z, rtol=1e-4)


def test_of_a_push_that_all_examples_share_each_division_sends_back_its_part(rng):
    z = 3 + rng.normal(size=(50, 3))
    sigma, rms = z.std(axis=0), np.sqrt((z**2).mean(axis=0))
    back = {}
    for arm in ("divide", "rms", "rms held", "divide, push out"):
        layer = landscape.build(0, "ReLU", arm, (3, 3, 2))[0].layers[1]
        layer.forward(z, training=True)
        back[arm] = layer.backward(np.ones((50, 3))).mean(axis=0)
    np.testing.assert_allclose(back["divide"], 1 / sigma, rtol=1e-4)
    np.testing.assert_allclose(back["rms held"], 1 / rms, rtol=1e-4)
    np.testing.assert_allclose(back["rms"], (sigma / rms) ** 2 / rms, rtol=1e-3)
    np.testing.assert_allclose(back["divide, push out"], 0.0, atol=1e-12)


def test_a_division_that_starts_small_begins_as_the_root_mean_square():
    x = np.random.default_rng(0).random((60, 64))
    small, rms = (landscape.build(0, "ReLU", arm)[0] for arm in ("divide small", "rms"))
    np.testing.assert_allclose(small.forward(x, training=True), rms.forward(x, training=True))
    moved = [net.forward(x + 1.0, training=True) for net in (small, rms)]
    assert np.abs(moved[0] - moved[1]).max() > 0.1


def test_what_lets_the_root_mean_square_train_at_rate_1_and_until_when():
    steps = landscape.rms_controls().steps
    for setting in ("ReLU", "tanh"):
        # A smaller scale at the start doesn't do it. Gradients without their mean do, for tanh on
        # all seeds and for ReLU on most, though z keeps its own.
        assert min(steps[setting, "divide small", 1.0, 0.0]) == np.inf
        centred = steps[setting, "divide, push out", 1.0, 0.0]
        assert np.isfinite(centred).sum() >= (4 if setting == "ReLU" else 5)
        # A larger rate, or a larger mean, and it fails where batch norm trains.
        for rate, added in ((3.0, 0.0), (1.0, 1.0)):
            assert min(steps[setting, "rms", rate, added]) == np.inf
            assert max(steps[setting, "both", rate, added]) < 40
        assert steps[setting, "both", 1.0, 1.0] == steps[setting, "both", 1.0, 0.0]
    held = {setting: steps[setting, "rms held", 1.0, 0.0] for setting in ("ReLU", "tanh")}
    assert max(steps["ReLU", "rms", 1.0, 0.0]) < min(held["ReLU"]) < max(held["ReLU"]) < 150
    assert min(held["tanh"]) == np.inf


def test_the_halves_are_told_as_they_were_run():
    halves = landscape.halves()
    raw = {
        (setting, arm): np.median(halves.steps[setting, arm, 1.0, False])
        for setting in ("ReLU", "tanh")
        for arm in landscape.ARMS
    }
    for setting in ("ReLU", "tanh"):
        assert np.isinf(raw[setting, "none"])
        assert np.isinf(raw[setting, "divide"])
        assert raw[setting, "subtract"] < 15
        assert raw[setting, "both"] < 10
    assert halves.best("ReLU", "subtract", False)[0] == 1.0


def test_the_smoothest_arm_is_no_faster_and_a_rough_one_is():
    apart = landscape.apart()
    for setting in ("ReLU", "tanh"):
        beta = {arm: np.median(apart.beta[setting, arm]) for arm in landscape.ARMS}
        steps = {arm: np.median(apart.steps[setting, arm]) for arm in landscape.ARMS}
        assert min(beta, key=beta.get) == "subtract"
        assert steps["subtract"] >= steps["none"]
        assert steps["divide"] < 0.75 * steps["none"]
        assert beta["divide"] > 0.7 * beta["none"]


def test_on_standardised_pixels_the_bearable_rate_does_not_follow_smoothness():
    apart = landscape.apart(1.0, standardized=True)
    beta = {key: np.median(values) for key, values in apart.beta.items()}
    fails = {key: int(np.isinf(values).sum()) for key, values in apart.steps.items()}
    assert beta["ReLU", "subtract"] == pytest.approx(beta["ReLU", "both"], rel=0.2)
    assert beta["ReLU", "none"] > 2 * beta["ReLU", "both"]
    assert fails["ReLU", "subtract"] > fails["ReLU", "none"] == fails["ReLU", "both"] == 0
    assert beta["tanh", "both"] > 2 * beta["tanh", "subtract"]
    assert all(fails["tanh", arm] == 0 for arm in landscape.ARMS)


def test_a_rounder_landscape_can_be_steeper():
    found = landscape.spreads(seeds=(0, 1))
    plain, normed = (("tanh", False, bn) for bn in (False, True))
    assert max(found.values[normed]) < min(found.values[plain])
    assert min(found.largest[normed]) > max(found.largest[plain])


def test_at_equal_loss_the_comparison_turns():
    found = landscape.smoothness()
    small = "ReLU, weights × 0.3"
    assert max(found.ratio("after 50", small, False)) < 0.5
    assert min(found.ratio("below 1", small, False)) > 1
    assert min(found.ratio("below 1", "ReLU", False)) > 2
    assert max(found.ratio("below 1", "tanh", True)) < 0.7


def test_longer_weights_are_smoother_with_batch_norm_and_rougher_without():
    found = landscape.scaled(seeds=(0, 1))
    for bn in (False, True):
        medians = [np.median(found.beta[factor, bn]) for factor in (0.3, 1.0, 3.0)]
        assert medians == sorted(medians, reverse=bn)
    assert max(found.logits.values()) < 0.01


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


def test_what_blocks_add_is_correlated_with_what_is_there():
    found = runs.blocks((1, 50), seeds=(0, 1))
    assert all(2.6 < growth < 3.0 for growth in found.forward + found.backward)
    assert found.variance[1] == pytest.approx([1.0, 1.0], abs=0.05)
    assert min(found.variance[50]) > 3


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


def test_a_round_first_bowl_trains_no_faster():
    steps = runs.rounder().steps
    for (kind, inputs, behind, rate), found in steps.items():
        if inputs == runs.WHITENED:
            assert np.median(found) >= np.median(steps[kind, runs.VARYING, behind, rate])
    spread = np.linalg.eigvalsh(np.cov(runs.inputs_of(runs.WHITENED).x_train.T))
    assert spread[-52:] == pytest.approx(np.full(52, spread[-1]), rel=1e-3)
    assert spread[:-52] == pytest.approx(np.zeros(12), abs=1e-6)

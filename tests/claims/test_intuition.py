"""The claims of chapter 5, C56 to C69, C87, C88, and the assertions A4, A5, A12 and A13."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    ReLU,
    Sigmoid,
    Tanh,
    batch_norm,
    gram_spectrum,
    layer_outputs,
    max_over_median,
    mlp,
    standardize,
    two_features,
    whiten,
)
from bncourse.chapters.bias.runs import scaled_weights
from bncourse.chapters.common import SEEDS, SIZES, control
from bncourse.chapters.gaussian import relu
from bncourse.chapters.intuition import landscape, runs

from .common import each_stored_triple, each_triple, median

DEEP = (64, *[100] * 10, 10)


def smoothness_ratio(seeds, activation, loss, sizes=SIZES):
    """Return β_eff without over with batch norm, at one loss, for one step."""
    without, with_bn = (
        median(runs.smoothness_at_loss(s, activation, bn, loss, sizes=sizes) for s in seeds)
        for bn in (False, True)
    )
    return without / with_bn


@pytest.mark.slow
@each_triple
def test_a04_at_equal_loss_smoothness_depends_on_the_setting(seeds):
    assert smoothness_ratio(seeds, ReLU, 1.0) > 2
    assert 1 / 1.5 < smoothness_ratio(seeds, Tanh, 1.0) < 1.5
    assert smoothness_ratio(seeds, Sigmoid, 1.0) < 0.9
    assert smoothness_ratio(seeds, Tanh, np.inf, DEEP) < 0.5


def shaken(seeds, arm, rate=0.1):
    """Return the median drift and all steps of some seeds."""
    results = [runs.shake_run(s, runs.SHAKEN[arm], rate) for s in seeds]
    return median(r.drift for r in results), [r.steps for r in results]


@each_triple
def test_a05_shaken_batch_norm_drifts_more_and_trains_faster(seeds):
    drift, steps = {}, {}
    for arm in list(runs.SHAKEN)[:4]:
        drift[arm], steps[arm] = shaken(seeds, arm)
    none, quiet, once, twice = drift
    assert drift[quiet] < 0.05 * drift[none]
    assert drift[once] > 1.5 * drift[none]
    assert median(steps[quiet]) < median(steps[once]) < 0.85 * median(steps[none])
    # Shaken twice as hard, it loses more than half of its gain.
    assert median(steps[twice]) - median(steps[quiet]) > 0.5 * (
        median(steps[none]) - median(steps[quiet])
    )
    (faster, slower) = (shaken(seeds, arm, 0.3) for arm in (once, none))
    assert faster[0] > 1.1 * slower[0]
    assert median(faster[1]) < 0.5 * median(slower[1])


BOUNDS = {
    "BN + ReLU": (ReLU, True, 1.17, 1.25),
    "He + ReLU": (ReLU, False, 0.95, 1.05),
    "sigmoid": (Sigmoid, False, 0.0, 0.3),
    "BN + sigmoid": (Sigmoid, True, 1.0, 1.06),
}


@each_triple
@pytest.mark.parametrize("name", BOUNDS)
def test_a12_gradient_growth_per_layer(name, seeds):
    activation, bn, low, high = BOUNDS[name]
    growth = median(runs.growth_per_layer(runs.gradient_norms(s, activation, bn)) for s in seeds)
    assert low <= growth <= high


@each_stored_triple
def test_a13_twenty_sigmoid_layers_train_with_batch_norm_only_and_three_without(seeds):
    found = runs.deep_sigmoids(seeds).values
    without, with_bn, shallow = (
        median(found[depth, bn, 1.0]) for depth, bn in ((20, False), (20, True), (3, False))
    )
    assert without < 0.2
    assert with_bn > 0.95
    # The control: rate and steps suffice for three layers, so it is the depth.
    assert shallow > 0.9
    # At a fifth of the steps and a tenth of the rate they don't: there nothing is shown of depth.
    assert median(found[3, False, 0.1]) < 0.2


def test_c56_centring_removes_the_largest_eigenvalue(digits):
    raw, centred = (gram_spectrum(digits.x_train, c)[0] for c in (False, True))
    assert raw / centred > 8


def test_c56_on_raw_pixels_the_subtraction_lets_rate_1_train_and_the_division_does_not():
    steps = runs.halves().steps
    for kind in runs.ACTIVATIONS:
        assert min(steps[kind, runs.RAW, runs.NOTHING]) == np.inf
        assert min(steps[kind, runs.RAW, runs.DIVISION]) == np.inf
        assert max(steps[kind, runs.RAW, runs.BOTH]) < 40
        sigmoid = kind == "sigmoid"
        assert (max(steps[kind, runs.RAW, runs.SUBTRACTION]) < 20) != sigmoid
        assert (max(steps[kind, runs.CENTRED, runs.NOTHING]) < 40) != sigmoid


@each_triple
def test_c56_a_division_that_sees_the_mean_lets_rate_1_train_too(seeds):
    for kind, at_most in (("ReLU", 40), ("tanh", 100)):
        rms, both = (
            [landscape.half_steps(s, kind, arm, 1.0, False) for s in seeds]
            for arm in ("rms", "both")
        )
        assert max(rms) < at_most
        # It is no batch norm: on every seed it takes more than twice its steps.
        assert all(a > 2 * b for a, b in zip(rms, both, strict=True))


def test_c56_the_root_mean_square_at_each_rate_of_the_page():
    found = runs.halves_by_rate()
    for kind in ("ReLU", "tanh"):
        rms, both, divide = (
            {rate: found.steps[kind, runs.RAW, arm, rate] for rate in runs.HALF_RATES}
            for arm in (runs.ROOT_MEAN_SQUARE, runs.BOTH, runs.DIVISION)
        )
        for rate in runs.HALF_RATES:
            assert median(both[rate]) < median(rms[rate]) < median(divide[rate])
        assert min(divide[1.0]) == np.inf
    sigmoid = runs.halves().steps["sigmoid", runs.RAW, runs.ROOT_MEAN_SQUARE]
    assert min(sigmoid) == np.inf


def test_c56_each_half_at_its_best_rate_and_at_a_small_one():
    found = runs.halves_by_rate()

    def middle(kind, arm, rate=None):
        rate = found.best(kind, runs.RAW, arm) if rate is None else rate
        return median(found.steps[kind, runs.RAW, arm, rate])

    for kind in ("ReLU", "tanh"):
        none, divide, subtract, both = (
            middle(kind, arm) for arm in (runs.NOTHING, runs.DIVISION, runs.SUBTRACTION, runs.BOTH)
        )
        assert both < subtract < 0.6 * divide
        assert divide > 0.7 * none
        none, divide, subtract = (
            middle(kind, arm, 0.1) for arm in (runs.NOTHING, runs.DIVISION, runs.SUBTRACTION)
        )
        assert divide < 0.7 * none
        assert subtract >= 0.95 * none
    sigmoid = {(arm, rate, gain): steps for arm, rate, gain, steps in found.sigmoid}
    assert min(sigmoid[runs.SUBTRACTION, 1.0, 1.0]) > 300
    assert max(sigmoid[runs.SUBTRACTION, 1.0, 4.0]) < 60


def test_c57_whitening_rounds_standardising_does_not(digits):
    x = digits.x_train[:, digits.x_train.std(axis=0) > 0.05]
    assert max_over_median(gram_spectrum(standardize(x)[0])) > 5
    assert max_over_median(gram_spectrum(whiten(x)[0])) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("standardized", [False, True])
@pytest.mark.parametrize(
    ("activation", "at_least", "at_most"),
    [(ReLU, 2, 20), (Tanh, 1.1, 20), (Sigmoid, 200, np.inf)],  # hundreds of times, or little
)
def test_c58_hidden_contours_stay_elongated(activation, at_least, at_most, standardized):
    without, with_bn = (
        median(runs.curvature_spread(activation, bn, s, standardized) for s in SEEDS)
        for bn in (False, True)
    )
    assert with_bn > 10
    assert at_least < without / with_bn < at_most
    if standardized and activation is Tanh:
        assert without / with_bn < 2


def test_c59_gamma_and_beta_set_other_moments(rng):
    z = rng.normal(5, 3, (60, 4))
    z_tilde, _ = batch_norm(z, np.full(4, 2.0), np.full(4, -1.0), 0.0)
    np.testing.assert_allclose(z_tilde.mean(axis=0), -1.0, rtol=1e-12)
    np.testing.assert_allclose(z_tilde.var(axis=0), 4.0, rtol=1e-12)


def test_c60_activations_are_not_normalised(digits):
    net = mlp(SIZES, Sigmoid, init="lecun", rng=np.random.default_rng(0))
    outputs = layer_outputs(net, digits.x_train, statistics="batch")
    assert np.abs(outputs[1].mean(axis=0)).max() < 1e-10
    assert outputs[2].mean() == pytest.approx(0.5, abs=0.01)
    assert outputs[2].std(axis=0).max() < 0.3


def test_c61_over_60_steps_the_shift_falls_for_relu_while_the_plain_sigmoid_waits():
    # Over the first 60 steps, in the last hidden layer: the plain sigmoid is on its plateau.
    shift = {
        act: [median(runs.gradient_shift(s, act, bn) for s in SEEDS) for bn in (False, True)]
        for act in (ReLU, Tanh, Sigmoid)
    }
    assert shift[ReLU][1] < 0.5 * shift[ReLU][0]
    assert shift[Tanh][1] == pytest.approx(shift[Tanh][0], rel=0.15)
    assert shift[Sigmoid][1] > 10 * shift[Sigmoid][0]


@pytest.mark.parametrize("layer", [2, 3])
@pytest.mark.parametrize("band", ["1.5 to 1 nat", "1 to 0.5 nat"])
def test_c61_at_equal_loss_the_shift_falls_for_relu_and_sigmoid_and_rises_for_one_tanh(
    layer, band
):
    found = runs.gradient_shifts().values
    key = f"layer {layer}, {band}"
    for network, rate, ratio in (
        ("ReLU", 0.1, (0.2, 0.8)),
        ("sigmoid", 1.0, (0.5, 0.85)),
        ("tanh, standardised", 0.1, (2.0, 3.5)),
    ):
        plain, normed = (np.array(found[network, rate, bn][key]) for bn in (False, True))
        assert ((normed > plain) == (ratio[0] > 1)).all()
        assert ratio[0] < np.median(normed / plain) < ratio[1]


def test_c61_for_tanh_on_raw_pixels_it_depends_on_the_layer_and_the_moment():
    found = runs.gradient_shifts().values
    plain, normed = (found["tanh", 0.1, bn] for bn in (False, True))

    def smaller(key):
        return sum(b < a for a, b in zip(plain[key], normed[key], strict=True))

    for layer in (2, 3):
        assert smaller(f"layer {layer}, steps 1 to 10") == 0
        assert smaller(f"layer {layer}, 1 to 0.5 nat") == 5
    assert smaller("layer 2, 1.5 to 1 nat") == 5
    assert smaller("layer 3, 1.5 to 1 nat") < 3


@pytest.fixture(scope="module")
def sigmoid_pair():
    return [
        mlp(SIZES, Sigmoid, bn, init="lecun", rng=np.random.default_rng(0))
        for bn in (None, BatchNorm)
    ]


def test_c62_small_activations_are_enlarged(sigmoid_pair, digits):
    plain, normed = sigmoid_pair
    z_plain = layer_outputs(plain, digits.x_train, statistics="batch")[4]
    z_normed = layer_outputs(normed, digits.x_train, statistics="batch")[7]
    assert np.median(z_normed.std(axis=0)) > 10 * np.median(z_plain.std(axis=0))


def test_c63_shifted_batch_norm_drifts_more_and_trains_fast():
    none, quiet, once = (shaken(SEEDS, arm) for arm in list(runs.SHAKEN)[:3])
    assert once[0] > 1.5 * none[0]
    assert quiet[0] < 0.05 * none[0]
    assert all(a < b for a, b in zip(once[1], none[1], strict=True))


def test_c63_at_every_rate_the_shaken_one_is_slower_than_the_quiet_and_faster_than_none():
    results = runs.shaken_networks()
    none, quiet, once, twice, plain, by_spread = runs.SHAKEN
    for rate in runs.SHAKE_RATES:
        for q, o, n in zip(
            *(results.steps(arm, rate) for arm in (quiet, once, none)), strict=True
        ):
            assert q < o < n
        # The plain network bears none of it.
        for n, p, b in zip(
            *(results.steps(arm, rate) for arm in (none, plain, by_spread)), strict=True
        ):
            assert n < p or n == p == np.inf
            assert n < b or n == b == np.inf
    # Level 2: no gain is left at rate 0.1, and one is at 0.3 and at 1.
    assert median(results.steps(twice, 0.1)) > 0.9 * median(results.steps(none, 0.1))
    for rate in (0.3, 1.0):
        assert max(results.steps(twice, rate)) < min(results.steps(none, rate))


def test_c63_on_standardised_inputs_there_is_no_gain_to_lose_at_a_small_rate():
    results = runs.shaken_networks()
    none, quiet, once, _, plain, by_spread = runs.SHAKEN

    def steps(arm, rate):
        return results.steps(arm, rate, runs.STANDARDISED)

    assert min(steps(quiet, 0.1)) < max(steps(none, 0.1))  # the ranges overlap
    assert median(steps(quiet, 0.1)) > 0.85 * median(steps(none, 0.1))
    # And at larger ones there is a gain, and the shaken one bears the shifts better than plain.
    for rate in (0.3, 1.0):
        assert median(steps(quiet, rate)) < median(steps(none, rate))
        for arm in (plain, by_spread):
            assert max(steps(once, rate)) < min(steps(arm, rate))
    # At 0.3 the shifts take all of it, at 1 little.
    assert median(steps(once, 0.3)) >= 0.9 * median(steps(none, 0.3))
    assert max(steps(once, 1.0)) < 0.7 * min(steps(none, 1.0))


def test_c64_two_moments_hold_still(rng):
    z = rng.normal(size=(60, 5))
    moved = 3.0 * z @ rng.normal(size=(5, 5)) + 7.0  # whatever earlier layers do
    for batch in (z, moved):
        out, _ = batch_norm(batch, np.ones(5), np.zeros(5), 0.0)
        np.testing.assert_allclose(out.mean(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(out.var(axis=0), 1.0, rtol=1e-11)


@pytest.mark.parametrize("a", [1e-3, 10.0, 1e3])
def test_c65_scale_of_the_weights_has_no_effect(a):
    logits, gradient = scaled_weights(a)
    assert logits < 1e-12  # logits of order 1, three layers of rounding
    assert gradient < 1e-12


def test_c65_a_relative_change_has_the_same_effect_at_any_scale():
    moved = runs.relative_change(1.0)
    assert moved.std() > 0.005
    np.testing.assert_allclose(runs.relative_change(1000.0), moved, rtol=0, atol=1e-11)


def test_c65_an_absolute_change_has_more_effect_on_smaller_weights():
    small, middle, large = (runs.absolute_change(factor).std() for factor in (0.1, 1.0, 10.0))
    assert small / middle == pytest.approx(10.0, rel=0.1)
    assert middle / large == pytest.approx(10.0, rel=0.1)


def test_c66_smoother_for_relu_and_alike_for_tanh_at_equal_loss():
    assert smoothness_ratio(SEEDS, ReLU, 1.0) > 2
    assert 1 / 1.5 < smoothness_ratio(SEEDS, Tanh, 1.0) < 1.5


@pytest.mark.slow
def test_c66_smoother_in_some_settings_rougher_in_others():
    ratios = runs.smoothness_ratios(SEEDS)
    assert min(ratios["ReLU, He"]) > 2
    assert 1 / 1.5 < median(ratios["tanh"]) < 1.5
    for name in ("sigmoid", "ReLU, 0.3 × He", "tanh, 10 layers, at the start"):
        assert max(ratios[name]) < 0.5


def test_c66_the_measure_depends_on_a_scale_that_batch_norm_ignores():
    beta = {
        (bn, factor): median(runs.scaled_smoothness(s, bn, factor) for s in SEEDS)
        for bn in (False, True)
        for factor in (0.3, 1.0, 10.0)
    }
    assert beta[True, 0.3] > 3 * beta[True, 1.0]
    assert beta[True, 10.0] < 0.5 * beta[True, 1.0]
    assert beta[False, 0.3] < 0.7 * beta[False, 1.0]


def test_c67_rougher_for_a_deep_network_at_its_start():
    # One counter-example refutes "only smoother".
    assert smoothness_ratio(SEEDS, Tanh, np.inf, DEEP) < 0.5


def test_c67_at_equal_loss_neither_always_smoother_nor_always_rougher():
    def ratios(network, key):
        return [
            runs.descent(s, network, False)[key] / runs.descent(s, network, True)[key]
            for s in SEEDS
        ]

    assert 1 / 1.5 < median(ratios("tanh", "loss 1.0")) < 1.5
    assert max(ratios("tanh, standardised", "loss 1.0")) < 0.7


def test_c67_on_the_plateau_the_plain_network_is_the_smoother_one():
    results = runs.descents()
    at_step, at_loss = (results.ratios("sigmoid", key) for key in ("step 50", "loss 1.0"))
    assert max(at_step) < 0.4
    assert median(results.values["sigmoid", False]["loss at step 50"]) > 2.25
    assert min(at_loss) < 1 < max(at_loss)  # at equal loss the seeds don't agree
    assert min(results.ratios("ReLU", "loss 1.0")) > 2


def test_c66_which_is_smoother_depends_on_the_loss_and_the_step():
    results = runs.descents()
    keys = [f"loss {loss}{eta}" for loss in runs.LOSSES for eta in ("", *runs.LONGER)]
    for key in keys:
        assert min(results.ratios("ReLU", key)) > 1
        assert median(results.ratios("sigmoid", key)) < 1
    assert max(results.ratios("tanh", "loss 1.5")) < 1 < min(results.ratios("tanh", "loss 0.5"))
    assert min(results.ratios("tanh", "loss 1.5, η 1")) > 1


def test_c67_a_network_gains_with_more_shift_and_less_smoothness():
    name, results, found = "tanh, standardised", runs.descents(), runs.gradient_shifts().values
    assert min(results.ratios(name, "steps")) > 1.3
    for loss in runs.LOSSES:
        for eta in ("", *runs.LONGER):
            assert max(results.ratios(name, f"loss {loss}{eta}")) < 1
    plain, normed = (found[name, 0.1, bn] for bn in (False, True))
    for key in plain:
        assert all(a < b for a, b in zip(plain[key], normed[key], strict=True))
    # Its gain is one at that rate. At best rates next to nothing is left.
    rates = runs.tanh_rates()
    best = [
        rates.median(runs.STANDARDISED, bn, rates.best(runs.STANDARDISED, bn))
        for bn in (False, True)
    ]
    assert best[0] / best[1] < 1.3
    raw = [rates.steps[runs.RAW, bn, 0.1] for bn in (False, True)]
    assert all(a > 2.5 * b for a, b in zip(*raw, strict=True))


@pytest.mark.slow
def test_c67_rougher_for_the_sigmoid_at_equal_loss():
    assert smoothness_ratio(SEEDS, Sigmoid, 1.0) < 0.9
    # And on its plateau, the loss that guessing has, the plain network is smoother still.
    plateau, descent = (
        median(runs.smoothness_at_loss(s, Sigmoid, False, loss) for s in SEEDS)
        for loss in (2.3, 1.0)
    )
    assert plateau < 0.5 * descent


def test_c68_gain_is_at_large_learning_rates():
    rates = (0.1, 0.3, 1.0)
    steps = control(SEEDS, rates)
    plain, normed = ({rate: median(steps[bn][rate]) for rate in rates} for bn in (False, True))
    assert plain[0.1] / normed[0.1] < 1.25
    assert plain[1.0] / normed[1.0] > 2
    # Of the way from the best plain network to the best one, about half is the larger rate.
    best = min(rates, key=plain.get)
    assert best == 0.3
    assert 0.25 < (normed[best] - normed[1.0]) / (plain[best] - normed[1.0]) < 0.75


def test_c68_the_self_tuning_moves_the_edge_of_what_trains():
    scores = runs.held().values
    assert min(scores[3.0, runs.FREE] + scores[3.0, runs.AT_START]) > 0.7
    assert min(scores[5.0, runs.FREE]) > 0.5 > max(scores[5.0, runs.AT_START])
    # It is the length that counts, not that it was grown.
    assert min(scores[5.0, runs.AT_END]) > 0.5


@pytest.mark.slow
def test_c68_held_at_its_first_length_rate_5_fails():
    free, held = (runs.held_accuracy(0, 5.0, kind) for kind in (runs.FREE, runs.AT_START))
    assert free > 0.5 > held


def test_c69_ranges_are_equalised(sigmoid_pair, digits):
    plain, normed = sigmoid_pair
    sd_plain = layer_outputs(plain, digits.x_train, statistics="batch")[4].std(axis=0)
    sd_normed = layer_outputs(normed, digits.x_train, statistics="batch")[7].std(axis=0)
    assert sd_plain.max() / sd_plain.min() > 1.5
    assert sd_normed.max() / sd_normed.min() < 1.01  # ε keeps it from 1


def test_c87_shift_is_limited_at_any_range(rng):
    z = rng.normal(size=(60, 5))
    moved = z + rng.normal(0.0, 3.0, 5)  # what an update of earlier layers might do
    gamma, beta = np.full(5, 50.0), np.zeros(5)
    before, after = (batch_norm(batch, gamma, beta, 0.0)[0] for batch in (z, moved))
    assert np.ptp(before) > 20 * np.ptp(z)
    shift = np.abs(moved.mean(axis=0) - z.mean(axis=0)).max()
    assert np.abs(after.mean(axis=0) - before.mean(axis=0)).max() < 1e-10 * shift


def test_c88_rounder_is_not_smoother(rng):
    long = 0.1 * two_features(200, 5.0, 0.0, rng)
    (round_,) = standardize(long)

    def gradient(x, w):
        return x.T @ (x @ w) / len(x)

    def steepest(x):
        """Return the gradient's change per unit of length, along the steepest axis."""
        axis = np.linalg.eigh(x.T @ x)[1][:, -1]
        return np.linalg.norm(gradient(x, 3.0 * axis) - gradient(x, axis)) / 2.0

    kappa = [np.linalg.cond(x.T @ x) for x in (long, round_)]
    assert kappa == pytest.approx([25.0, 1.0], rel=1e-9)
    assert steepest(round_) > 3 * steepest(long)  # rounder, and less smooth
    assert steepest(long / np.sqrt(steepest(long))) == pytest.approx(steepest(round_), rel=1e-9)


def test_predicted_growth_of_relu_is_the_known_constant():
    predicted = runs.predicted_growth(relu, lambda z: (z > 0) * 1.0)
    # The rule is off by 1e-4 at a jump.
    assert predicted == pytest.approx(np.sqrt(np.pi / (np.pi - 1)), abs=3e-4)

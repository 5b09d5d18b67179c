"""The claims of chapter 1, C01 to C14, and the reference assertions A1, A2, A3, A6 and A7."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    batch_norm,
    batch_norm_backward,
    layer_outputs,
    load_digits,
    mlp,
    standardize,
    two_features,
    whiten,
)
from bncourse.chapters.common import SEEDS, SIZES, train_digits
from bncourse.chapters.motivation import runs
from bncourse.landscape import gram_spectrum

from .common import each_stored_triple, each_triple, median


def steps(setting, batch_norm, rate, seeds=SEEDS):
    """Return the median steps to 90 %, trained now."""
    return median(runs.headline_steps(s, setting, batch_norm, rate) for s in seeds)


@each_triple
def test_a01_sigmoid_needs_eight_times_fewer_steps(seeds):
    without, with_bn = (steps(runs.CLASSIC, bn, 1.0, seeds) for bn in (False, True))
    assert without / with_bn >= 8


@each_stored_triple
def test_a02_the_range_of_learning_rates_widens(seeds):
    rates = runs.working_ranges(seeds).rates
    assert rates.decades(True) - rates.decades(False) >= 0.5


@each_stored_triple
def test_a03_the_range_of_initial_gains_widens(seeds):
    gains = runs.working_ranges(seeds).gains
    assert gains.decades(True) - gains.decades(False) >= 2


@each_triple
def test_a06_the_hidden_gram_matrix_is_less_spread(seeds):
    without, with_bn = (
        median(runs.hidden_spread(ReLU, bn, bn, s) for s in seeds) for bn in (False, True)
    )
    assert without / with_bn >= 4


def test_a07_standardised_pixels_need_eight_times_fewer_steps():
    unit = runs.softmax_regression_steps(load_digits())
    standardised = runs.softmax_regression_steps(load_digits(standardized=True))
    assert unit / standardised >= 8


def test_c01_gain_depends_on_the_setting():
    classic, helped = (
        steps(name, False, 1.0) / steps(name, True, 1.0) for name in (runs.CLASSIC, runs.HELPED)
    )
    assert classic > 8
    assert 3 < helped < classic / 2
    # Within a quarter is no gain worth the name.
    assert steps(runs.MODERN, False, 0.1) / steps(runs.MODERN, True, 0.1) < 1.25
    modern = steps(runs.MODERN, False, 0.3) / steps(runs.MODERN, True, 0.7)
    assert 1.3 < modern < helped / 1.5
    without, with_bn = (
        median(runs.tiny_batch_accuracy(s, bn) for s in SEEDS) for bn in (False, True)
    )
    assert without - with_bn > 0.2


@each_stored_triple
def test_c01_holds_with_each_arm_at_its_best_rate(seeds):
    found = runs.headline(seeds)
    ratios = [
        np.median(without) / np.median(with_bn)
        for without, with_bn in (found.at_best(name) for name in runs.SETTINGS)
    ]
    assert ratios[0] > 15
    assert 4 < ratios[1] < ratios[0] / 2
    assert 1.3 < ratios[2] < 3
    # About half of the last is the larger rate.
    without, same_rate, best = (
        found.median(runs.MODERN, bn, rate)
        for bn, rate in ((False, 0.3), (True, 0.3), (True, 0.7))
    )
    assert 0.3 < np.log(without / same_rate) / np.log(without / best) < 0.7


@each_stored_triple
def test_c01_a_better_start_gives_most_of_the_largest_factor(seeds):
    found = runs.controls(seeds)
    plain, once, with_bn = (
        found.median(runs.CLASSIC, arm, 1.0)
        for arm in (runs.WITHOUT_IT, runs.ONCE, runs.AT_EVERY_STEP)
    )
    larger = found.median(runs.SCALED, runs.WITHOUT_IT, 1.0)
    assert larger < plain / 5
    assert once < plain / 8
    assert with_bn < min(once, larger)  # and not all of it
    once, with_bn = (
        found.median(runs.HELPED, arm, 1.0) for arm in (runs.ONCE, runs.AT_EVERY_STEP)
    )
    assert 0.7 < once / with_bn < 1.4


def test_c02_normalises_units_inside_the_network(rng, digits):
    net = Sequential(
        [Dense(64, 100, bias=False, rng=rng), BatchNorm(100), ReLU(), Dense(100, 10, rng=rng)]
    )
    z, z_tilde, _, _ = layer_outputs(net, digits.x_train[:60], statistics="batch")
    assert np.abs(digits.x_train[:60].mean(axis=0)).max() > 0.5  # the inputs are as they were
    assert np.abs(z.mean(axis=0)).max() > 0.1
    assert np.abs(z_tilde.mean(axis=0)).max() < 1e-12  # rounding of 60 numbers near 1


def test_c03_range_widens_at_the_high_end():
    rates = runs.working_ranges().rates
    low, high = np.array(rates.limits(True)) / np.array(rates.limits(False))
    assert high >= 10 * 0.999  # at least two points of the grid
    assert 1 / low <= 10**0.5 * 1.001  # and at most one at the low end


def test_c03_initial_weights_may_be_small_rather_than_large():
    gains = runs.working_ranges().gains
    low, high = gains.limits(True)
    assert low == runs.GAINS[0]
    assert gains.limits(False)[0] >= 0.3
    assert 1.0 < high < 10.0
    assert gains.decades(True) == runs.GRID_STEP * np.sum(high >= runs.GAINS)  # without a gap


def test_c04_standardised_inputs_need_fewer_steps(rng):
    for scale in (1.0, 2.0, 4.0, 10.0):
        x = two_features(200, scale, 0.0, rng)
        # The formula is exact: κ is known to 1e-12 and the step count is a whole number.
        assert runs.descend(x, 1.0, [1.0, 1.0]).steps == runs.predicted_steps(scale**2)
        assert runs.descend(standardize(x)[0], 1.0, [1.0, 1.0]).steps <= 2
    for mean in (1.0, 3.0):
        x = two_features(200, 1.0, 0.0, rng) + mean
        assert np.linalg.cond(x.T @ x / len(x)) == pytest.approx(1 + 2 * mean**2, rel=1e-10)


def test_c04_on_the_digits_the_mean_is_what_counts():
    nothing, divided, subtracted, both = runs.cures().arms
    assert both.safe < subtracted.safe < nothing.safe / 8
    assert divided.safe > nothing.safe
    # The order of the halves is not an accident of the rate.
    assert max(both.best, subtracted.best) < min(nothing.best, divided.best) / 3
    # What goes with it: one direction that stands out.
    assert min(nothing.ratio, divided.ratio) > 10
    assert max(subtracted.ratio, both.ratio) < 2


def test_c05_correlation_survives_standardising(rng):
    for r in (-0.95, -0.5, 0.0, 0.5, 0.9):
        (x,) = standardize(two_features(200, 7.0, r, rng))
        kappa = np.linalg.cond(x.T @ x / len(x))
        assert kappa == pytest.approx((1 + abs(r)) / (1 - abs(r)), rel=1e-10)
        (white,) = whiten(x)
        assert np.linalg.cond(white.T @ white / len(x)) == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize(
    ("activation", "init"), [(ReLU, "he"), (Tanh, "lecun"), (Sigmoid, "lecun")]
)
def test_c06_hidden_gram_matrix_is_elongated(activation, init):
    without, with_bn = (
        median(runs.hidden_spread(activation, bn, bn, s, init) for s in SEEDS)
        for bn in (False, True)
    )
    assert without > 1000
    assert without / with_bn > 4


def test_c07_activations_feed_the_next_layer(digits):
    net = mlp((64, 100, 90, 80, 10), ReLU, None, rng=np.random.default_rng(0))
    inputs = [digits.x_train, *layer_outputs(net, digits.x_train, statistics="batch")]
    seen = 0
    for layer, a in zip(net.layers, inputs, strict=False):
        if isinstance(layer, Dense):
            w, b = layer.params["w"], layer.params["b"]
            assert w.shape == (layer.n_out, a.shape[1])
            np.testing.assert_array_equal(layer.forward(a, training=False), a @ w.T + b)
            seen += 1
    assert seen == 4


def test_c08_elongation_is_reduced_not_removed():
    nothing, centred, scaled, both = (
        median(runs.hidden_spread(ReLU, *halves, s) for s in SEEDS)
        for halves in ((False, False), (True, False), (False, True), (True, True))
    )
    assert 10 < both < nothing / 4
    assert centred < 2 * both
    assert scaled > nothing / 2


def test_c08_what_remains_is_the_mean_behind_the_activation():
    found = runs.halves(SEEDS)
    for name, factor in (("ReLU", 3), ("Sigmoid", 10)):
        assert found.median(name, "both, a centred") < found.median(name, "both") / factor
    assert found.median("Tanh", "both, a centred") > 0.8 * found.median("Tanh", "both")


@pytest.mark.parametrize("activation", [Tanh, Sigmoid])
def test_c08_scaling_does_more_for_saturating_units(activation):
    nothing, centred, scaled, both = (
        median(runs.hidden_spread(activation, *halves, s, "lecun") for s in SEEDS)
        for halves in ((False, False), (True, False), (False, True), (True, True))
    )
    assert both < scaled < centred < nothing


def test_centring_and_scaling_by_hand_is_batch_norm(digits):
    by_hand = runs.hidden_spectra(Tanh, True, True, seed=1, init="lecun")
    weights, _ = np.random.default_rng(1).spawn(2)
    net = mlp(SIZES, Tanh, init="lecun", rng=weights)
    outputs = layer_outputs(net, digits.x_train, statistics="batch")
    hidden = [a for a, la in zip(outputs, net.layers, strict=True) if isinstance(la, Tanh)]
    for spectrum, a in zip(by_hand, hidden, strict=True):
        # Relative to the largest: the small ones carry the rounding of sums over 1,437 examples.
        assert np.abs(spectrum - gram_spectrum(a)).max() < 1e-12 * spectrum[0]


def test_c09_hidden_bias_does_not_learn():
    net, _ = train_digits(0, ReLU, True, 0.1, 50, bias=True)
    biases = [la.params["b"] for la in net.layers if isinstance(la, Dense)]
    assert max(np.abs(b).max() for b in biases[:-1]) < 1e-12  # 50 updates of rounding
    assert np.abs(biases[-1]).max() > 1e-3


def test_c10_hidden_statistics_move_and_carry_gradient(digits):
    start = runs.start_of(0, ReLU)
    trained, _ = train_digits(0, ReLU, False, 0.1, 100)
    before, after = (
        layer_outputs(net, digits.x_train, statistics="batch")[2] for net in (start, trained)
    )
    shift = np.abs(after.mean(axis=0) - before.mean(axis=0)) / before.std(axis=0)
    assert np.median(shift) > 0.5
    # And the batch's mean depends on the weights: move one example, and all outputs move.
    z = before[:10].copy()
    one, zero = np.ones(100), np.zeros(100)
    first, _ = batch_norm(z, one, zero, 1e-5)
    z[0] += 1.0
    after, cache = batch_norm(z, one, zero, 1e-5)
    assert np.abs(after[1:] - first[1:]).max() > 0.01
    # And they carry gradient: a loss of the first output alone reaches all the other inputs.
    d_first = np.zeros_like(z)
    d_first[0] = 1.0 + np.arange(100.0)
    dz, _, _ = batch_norm_backward(d_first, cache)
    assert (np.abs(dz[1:]).max(axis=1) > 1e-3).all()


@each_stored_triple
def test_c10_once_helps_and_at_large_rates_only_every_step_trains(seeds):
    found = runs.once(seeds)
    for rate in (0.1, 0.3):
        plain, once, every = (
            found.steps[runs.RAW, arm, rate]
            for arm in (runs.WITHOUT_IT, runs.ONCE, runs.AT_EVERY_STEP)
        )
        assert all(a > b > c for a, b, c in zip(plain, once, every, strict=True))
    for rate in (1.0, 3.0):
        assert found.median(runs.RAW, runs.ONCE, rate) == np.inf
        assert found.median(runs.RAW, runs.AT_EVERY_STEP, rate) < 20


@each_stored_triple
def test_c10_on_standardised_pixels_once_does_as_much_at_small_rates_only(seeds):
    found = runs.once(seeds)
    ratio = {
        rate: found.median(runs.MODERN, runs.ONCE, rate)
        / found.median(runs.MODERN, runs.AT_EVERY_STEP, rate)
        for rate in (0.1, 0.3, 1.0)
    }
    assert 0.7 < ratio[0.1] < 1.0
    assert 0.7 < ratio[0.3] < 1.3
    assert ratio[1.0] > 2
    assert found.median(runs.MODERN, runs.ONCE, 3.0) == np.inf


def test_c10_on_standardised_pixels_once_is_ahead_in_nine_seeds_of_ten():
    found = runs.once()
    once, every = (found.steps[runs.MODERN, arm, 0.1] for arm in (runs.ONCE, runs.AT_EVERY_STEP))
    assert sum(a < b for a, b in zip(once, every, strict=True)) == 9


def test_c11_does_not_equalise_input_features():
    neither, alone, standardised, both = (
        median(runs.badly_scaled_steps(s, first, bn) for s in range(3))
        for first in (False, True)
        for bn in (False, True)
    )
    assert neither == np.inf
    assert 3 * standardised < alone < 500
    # With standardised pixels batch norm has nothing left to do about them.
    assert 0.5 < both / standardised < 2


def test_c11_holds_at_the_best_of_three_rates():
    steps = runs.bad_pixels().steps
    best = {
        arm: min(median(steps[(*arm, rate)]) for rate in runs.BAD_RATES)
        for arm in ((False, False), (False, True), (True, False), (True, True))
    }
    assert best[False, False] == np.inf
    assert 2 * best[True, False] < best[False, True] < np.inf
    assert best[True, True] < best[True, False]


def test_c12_mean_over_examples(rng):
    x = rng.normal(3.0, 2.0, (50, 4))
    (standardised,) = standardize(x)
    expected = np.array([(x[:, j] - sum(x[:, j]) / 50) for j in range(4)]).T
    np.testing.assert_allclose(standardised * x.std(axis=0), expected, atol=1e-13)


def test_c13_subtract_before_squaring():
    x = np.random.default_rng(0).normal(5.0, 2.0, 100_000)
    # Standard errors at 100,000 draws: 0.07 and 0.02.
    assert np.mean(x**2) == pytest.approx(29.0, abs=0.3)
    assert np.mean((x - x.mean()) ** 2) == pytest.approx(4.0, abs=0.1)
    # The book's own functions take the right order: a slope of 1/2, not of 1/√29.
    for normalised in (standardize(x[:, np.newaxis])[0], normalise(x[:, np.newaxis])):
        assert np.ptp(x) / np.ptp(normalised) == pytest.approx(2.0, abs=0.03)


def normalise(z):
    return batch_norm(z, np.ones(z.shape[1]), np.zeros(z.shape[1]), 1e-5)[0]


def test_c14_constant_features_need_a_guard(digits):
    sigma = digits.x_train.std(axis=0)
    assert (sigma == 0).sum() == 3
    with np.errstate(invalid="ignore"):
        assert np.isnan((digits.x_train - digits.x_train.mean(axis=0)) / sigma).any()
    x_train, x_test = standardize(digits.x_train, digits.x_test)
    assert np.isfinite(x_train).all()
    assert 0.05 < np.abs(x_test.mean(axis=0)).max() < 0.5  # the training set's μ, not its own

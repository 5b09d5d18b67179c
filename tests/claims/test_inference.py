"""The claims of chapter 6, C70 to C80, and the reference assertions A10 and A11."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    CumulativeAverage,
    ExponentialMovingAverage,
    accuracy,
    layer_outputs,
    load_digits,
    population_statistics,
    set_statistics,
)
from bncourse.chapters.common import SEEDS
from bncourse.chapters.inference import runs

from .common import each_triple, median


@pytest.fixture(scope="module")
def net():
    return runs.trained_network(0)


def average(decay, correct=True):
    return lambda: ExponentialMovingAverage(decay, correct)


@each_triple
def test_a10_bias_correction_gains_and_a_swapped_momentum_loses(seeds):
    raw, corrected = (
        median(runs.averaged_accuracy(s, average(0.99, c), 50) for s in seeds)
        for c in (False, True)
    )
    assert corrected - raw > 0.04
    right, swapped = (median(runs.misread_momentum(s, d) for s in seeds) for d in (0.99, 0.01))
    assert right - swapped > 0.03


@each_triple
def test_a11_batch_mode_at_test_time(seeds):
    digits = load_digits()
    by_class, one_digit, shuffled = [], [], []
    for seed in seeds:
        net = runs.trained_network(seed)
        by_class.append(runs.batch_mode_accuracy(net, digits, 60, by_class=True))
        shuffled.append(runs.batch_mode_accuracy(net, digits, 60, by_class=False))
        answers = [
            layer_outputs(net, digits.x_test[[i]], statistics="batch")[-1] for i in range(10)
        ]
        assert all(np.array_equal(z, answers[0]) for z in answers)
        one_digit.append(runs.one_digit_accuracy(net, digits))
    assert median(by_class) < 0.5
    assert median(one_digit) < 0.2  # chance is 0.1
    assert median(shuffled) > 0.93


def test_c70_predictions_depend_on_batch_mates(net, digits):
    x = digits.x_test
    first = layer_outputs(net, x[:60], statistics="batch")[-1][0]
    other = layer_outputs(net, np.concatenate([x[:1], x[100:159]]), statistics="batch")[-1][0]
    assert np.abs(first - other).max() > 0.1
    stored = net.forward(x[:60], training=False)[0]
    np.testing.assert_allclose(net.forward(x[:1], training=False)[0], stored, rtol=1e-10)
    # What is stored are estimates of the population's, and predict as well as they do.
    for layer, of_all in zip(
        net.batch_norms, population_statistics(net, digits.x_train), strict=True
    ):
        assert np.median(np.abs(layer.running_var / of_all.var - 1)) < 0.2
    assert accuracy(net, x, digits.y_test) > 0.96


def test_c71_single_observation_gives_beta(net, digits):
    beta = net.batch_norms[0].params["beta"]
    np.testing.assert_array_equal(
        layer_outputs(net, digits.x_test[:1], statistics="batch")[1][0], beta
    )
    assert runs.batch_mode_accuracy(net, digits, 1, by_class=False) < 0.2


def test_c72_other_averages_predict_as_well():
    makers = {"ema": average(0.9), "cumulative": CumulativeAverage}
    results = [runs.averaged_accuracies(s, makers, [300]) for s in SEEDS]
    scores = [median(r[name][0] for r in results) for name in ("ema", "cumulative", "precise")]
    assert min(scores) > 0.96
    assert max(scores) - min(scores) < 0.02
    # Some average is needed: with the 0 and 1 of the start the same weights predict badly.
    net = runs.trained_network(0)
    for layer in net.batch_norms:
        layer.set_statistics(np.zeros(layer.n), np.ones(layer.n))
    assert accuracy(net, load_digits().x_test, load_digits().y_test) < 0.9
    # The cumulative average is one: it remembers all values, and all alike.
    cumulative, values = CumulativeAverage(), np.array([4.0, -2.0, 7.0, 1.0])
    for t, value in enumerate(values, start=1):
        assert cumulative.update(value) == pytest.approx(values[:t].mean(), rel=1e-12)
    assert cumulative.value == pytest.approx(2.5, rel=1e-12)
    # In this setting only: where the statistics change faster, both fall behind at first.
    assert max(max(r) for r in runs.shortfall(0, 60, 0.1).values()) < 0.03
    assert all(r[0] > 0.01 for seed in SEEDS for r in runs.shortfall(seed, 60, 3.0).values())


def test_c73_running_average_follows_its_definition(rng):
    layers = [BatchNorm(3, decay=0.8) for _ in range(2)]  # each keeps its own
    for layer, offset in zip(layers, (0.0, 100.0), strict=True):
        mean, var = np.zeros(3), np.ones(3)
        for _ in range(5):
            z = rng.normal(offset, 3.0, (10, 3))
            z_tilde = layer.forward(z, training=True)
            mean = 0.8 * mean + 0.2 * z.mean(axis=0)
            var = 0.8 * var + 0.2 * z.var(axis=0, ddof=1)
        np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)
        # What is tracked is what the batch was normalised by.
        np.testing.assert_allclose(z_tilde.mean(axis=0), 0.0, atol=1e-11)
        assert not np.allclose(layer.forward(z, training=False), z_tilde, atol=0.1)


def test_c74_warm_up_bias_costs_accuracy():
    for decay, steps in ((0.99, 50), (0.999, 300)):
        makers = {"raw": average(decay, False), "corrected": average(decay)}
        for seed in SEEDS:
            row = runs.averaged_accuracies(seed, makers, [steps], decay=decay)
            assert row["corrected"][0] - row["from 0 and 1"][0] > 0.04
            assert row["from 0 and 1"][0] - row["raw"][0] > 0.02
            assert row["precise"][0] - row["corrected"][0] < 0.03
    weights = ExponentialMovingAverage(0.99, False)
    for _ in range(50):
        weights.update(1.0)
    assert weights.value == pytest.approx(1 - 0.99**50, rel=1e-12)


@pytest.mark.parametrize("m", [2, 3, 7, 60])
def test_c75_two_corrections_are_one(m, rng):
    # Exactly, over all batches that can be drawn: two values, all 2^m sequences of equal weight.
    values = np.array([1.0, 4.0])
    if m <= 7:
        codes = (np.arange(2**m)[:, np.newaxis] >> np.arange(m)) & 1
        batches = values[codes]
        within, between = batches.var(axis=1).mean(), batches.mean(axis=1).var()
        assert within + between == pytest.approx(values.var(), rel=1e-12)
        assert within * m / (m - 1) == pytest.approx(values.var(), rel=1e-12)
    estimates = runs.variance_estimates(m)
    # 20,000 draws of 100 units: about one per cent.
    assert estimates.biased == pytest.approx((m - 1) / m, abs=0.03)
    assert estimates.bessel == pytest.approx(1.0, abs=0.03)
    assert estimates.total == pytest.approx(1.0, abs=0.03)
    assert estimates.both == pytest.approx(1 + 1 / m, abs=0.03)
    # Cut from one shuffled row, no value meets itself: then the factor is N/(N − 1) too large.
    if m == 2:
        pairs = runs.dots_batches("shuffled")
        assert pairs.var(axis=1).mean() * 2 == pytest.approx(runs.DOTS.var() * 4 / 3, rel=1e-12)
    by_class = runs.variance_estimates(m, by_class=True)
    assert by_class.total == pytest.approx(1.0, rel=1e-12)
    assert by_class.bessel < 0.75


def test_c76_moments_of_z_tilde_follow_beta_and_gamma(net, digits):
    layer = net.batch_norms[0]
    beta, gamma = layer.params["beta"].copy(), layer.params["gamma"].copy()
    z, z_tilde = layer_outputs(net, digits.x_train, statistics="batch")[:2]
    np.testing.assert_allclose(z_tilde.mean(axis=0), beta, atol=1e-11)
    np.testing.assert_allclose(z_tilde.std(axis=0), np.abs(gamma), rtol=1e-3)  # up to ε
    assert np.abs(z.mean(axis=0) - beta).max() > 0.5  # those of z are not
    # One number for each unit, and learned: they began at 0 and 1.
    assert np.ptp(beta) > 0.1
    assert np.ptp(gamma) > 0.1


def test_c77_mean_is_beta(net, digits):
    outputs = layer_outputs(net, digits.x_train, statistics="batch")
    layer = net.batch_norms[0]
    np.testing.assert_allclose(outputs[1].mean(axis=0), layer.params["beta"], atol=1e-11)
    assert np.abs(layer.params["beta"]).max() > 0.01


def test_c78_z_tilde_has_set_moments_activations_do_not(net, digits):
    outputs = layer_outputs(net, digits.x_train, statistics="batch")
    layer = net.batch_norms[0]
    stored = layer.forward(outputs[0], training=False)  # in evaluation nearly so
    assert np.abs(stored.std(axis=0) / np.abs(layer.params["gamma"]) - 1).max() < 0.25
    np.testing.assert_allclose(outputs[1].std(axis=0), np.abs(layer.params["gamma"]), rtol=1e-3)
    assert (outputs[2].mean(axis=0) > layer.params["beta"] + 0.2).all()


def test_c80_little_gain_at_a_moderate_rate():
    rates = (0.1, 0.3, 0.7)
    plain, normed = (
        {rate: median(runs.well_built_steps(s, bn, rate) for s in SEEDS) for rate in rates}
        for bn in (False, True)
    )
    assert plain[0.1] / normed[0.1] < 1.25
    # About two with the best rate of each, and a part of it at equal rates.
    assert min(plain, key=plain.get) == 0.3 < 0.7 == min(normed, key=normed.get)
    assert 1.6 < plain[0.3] / normed[0.7] < 2.5
    assert 1.2 < plain[0.3] / normed[0.3] < plain[0.3] / normed[0.7]


def test_precise_statistics_make_predictions_independent_of_order(digits):
    net = runs.trained_network(0)
    set_statistics(net, population_statistics(net, digits.x_train))
    assert accuracy(net, digits.x_test, digits.y_test) > 0.96
    z = net.forward(digits.x_test, training=False)
    np.testing.assert_allclose(
        net.forward(digits.x_test[::-1], training=False)[::-1], z, rtol=1e-10, atol=1e-12
    )


def test_precise_statistics_do_not_repair_training_on_sorted_batches():
    for seed in SEEDS:
        running, precise = runs.sorted_training(seed)
        plain, _ = runs.sorted_training(seed, batch_norm=False)
        assert max(running, precise) < 0.6
        assert precise - running < 0.1
        assert plain < 0.7  # the order alone does most of it
    assert min(runs.sorted_training(0, batch_norm=bn, shuffle=True)[0] for bn in (0, 1)) > 0.95

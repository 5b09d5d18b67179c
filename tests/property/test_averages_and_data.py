"""Averages, mini-batches, standardised data, the loss and the spectra."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bncourse import (
    BatchNorm,
    CumulativeAverage,
    ExponentialMovingAverage,
    MiniBatches,
    Sequential,
    SoftmaxCrossEntropy,
    condition_number,
    gram_spectrum,
    initial_weights,
    load_digits,
    max_over_median,
    population_statistics,
    standardize,
    sweep,
    two_features,
    whiten,
)

from .strategies import SEEDS, batches, varied_batches

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
DECAYS = st.floats(0.0, 0.999)


@given(values=VALUES, decay=DECAYS, bias_correction=st.booleans())
def test_the_exponential_average_has_a_closed_form(values, decay, bias_correction):
    average = ExponentialMovingAverage(decay, bias_correction)
    for value in values:
        last = average.update(value)
    t = len(values)
    weights = [(1 - decay) * decay ** (t - 1 - i) for i in range(t)]
    right = math.fsum(w * v for w, v in zip(weights, values, strict=True))
    size = max(map(abs, values))
    if bias_correction:
        right /= 1 - decay**t
        # An average lies between the values, up to the rounding of 1 − d^t.
        slack = 1e-12 * size
        assert min(values) - slack <= average.value <= max(values) + slack
    assert average.steps == t
    assert float(average.value) == pytest.approx(right, abs=1e-12 * size)
    assert last == average.value


@given(value=st.floats(-1e6, 1e6), decay=DECAYS, t=st.integers(1, 50))
def test_a_constant_is_its_own_average(value, decay, t):
    corrected, plain = ExponentialMovingAverage(decay), CumulativeAverage()
    for _ in range(t):
        for average in (corrected, plain):
            average.update(value)
    assert float(corrected.value) == pytest.approx(value, rel=1e-12, abs=1e-300)
    assert float(plain.value) == value


@given(values=VALUES, order=st.randoms(use_true_random=False))
def test_the_cumulative_average_is_the_mean_in_any_order(values, order):
    average, shuffled = CumulativeAverage(), CumulativeAverage()
    for value in values:
        average.update(value)
    for value in order.sample(values, len(values)):
        shuffled.update(value)
    size = max(map(abs, values))
    mean = math.fsum(values) / len(values)
    assert float(average.value) == pytest.approx(mean, abs=1e-14 * size)
    assert float(shuffled.value) == pytest.approx(mean, abs=1e-14 * size)


@given(m=st.integers(1, 40), seed=SEEDS, shuffle=st.booleans(), drop=st.booleans(), data=st.data())
def test_mini_batches_are_a_partition_of_the_data(m, seed, shuffle, drop, data):
    size = data.draw(st.integers(1, m))
    x, y = np.arange(2.0 * m).reshape(m, 2), np.arange(m)
    made = MiniBatches(x, y, size, np.random.default_rng(seed), shuffle, drop)
    for _ in range(2):
        got = list(made)
        assert len(got) == len(made) == (m // size if drop else -(-m // size))
        dealt = np.concatenate([labels for _, labels in got])
        assert len(set(dealt)) == len(dealt) == (m - m % size if drop else m)
        assert all(len(a) == len(b) == size for a, b in got[:-1])
        for a, b in got:
            np.testing.assert_array_equal(a, x[b])
            assert not np.shares_memory(a, x)
            assert not np.shares_memory(b, y)
        if not shuffle:
            np.testing.assert_array_equal(dealt, y[: len(dealt)])
    again = MiniBatches(x, y, size, np.random.default_rng(seed), shuffle, drop)
    first = np.concatenate([b for _, b in again])
    second = np.concatenate([b for _, b in again])
    np.testing.assert_array_equal(second, dealt)
    assert shuffle or np.array_equal(first, second)


@given(seed=st.integers(0, 2**31))
def test_every_split_holds_every_digit_once(seed):
    split = load_digits(seed)
    images = np.concatenate([split.x_train, split.x_test])
    original = load_digits(0)
    both = np.concatenate([original.x_train, original.x_test])
    np.testing.assert_array_equal(images.sum(axis=0), both.sum(axis=0))
    assert sorted(images.sum(axis=1)) == sorted(both.sum(axis=1))
    counts = np.bincount(np.concatenate([split.y_train, split.y_test]))
    np.testing.assert_array_equal(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])


@given(x=varied_batches(), power=st.integers(-20, 20))
def test_standardised_features_have_mean_0_and_variance_1(x, power):
    (ours,) = standardize(x)
    unit = 1e-15 * (1 + np.abs(x).max(axis=0) / x.std(axis=0)) * len(x)
    assert (np.abs(ours.mean(axis=0)) <= unit).all()
    assert (np.abs(ours.std(axis=0) - 1) <= unit).all()
    np.testing.assert_array_equal(standardize(2.0**power * x)[0], ours)
    (twice,) = standardize(ours)
    np.testing.assert_allclose(twice, ours, atol=1e-13)


@given(x=batches(smallest=1), other=batches(smallest=1))
def test_the_others_are_moved_as_the_training_set_is(x, other):
    assume(other.shape[1] == x.shape[1])
    alone, (train, moved) = standardize(x)[0], standardize(x, other)
    np.testing.assert_array_equal(train, alone)
    mu = x.mean(axis=0)
    sigma = np.where(np.ptp(x, axis=0) == 0, 1.0, x.std(axis=0))
    np.testing.assert_allclose(moved, (other - mu) / sigma, rtol=1e-12)


@given(seed=SEEDS, n=st.integers(1, 5), extra=st.integers(5, 30))
def test_whitened_features_have_the_identity_as_covariance(seed, n, extra):
    rng = np.random.default_rng(seed)
    x = rng.normal(3.0, 2.0, (n + extra, n)) @ rng.normal(size=(n, n))
    spectrum = gram_spectrum(x, centred=True)
    assume(spectrum[-1] > 1e-6 * spectrum[0])
    (white,) = whiten(x)
    np.testing.assert_allclose(white.T @ white / len(x), np.eye(n), atol=1e-8)
    np.testing.assert_allclose(gram_spectrum(white, centred=True), np.ones(n), atol=1e-8)
    np.testing.assert_allclose(whiten(white)[0], white, atol=1e-7)


@given(
    m=st.integers(3, 60),
    scale=st.floats(1e-3, 1e3),
    correlation=st.floats(-0.999, 0.999),
    seed=SEEDS,
)
def test_two_features_have_the_moments_they_are_asked_for(m, scale, correlation, seed):
    x = two_features(m, scale, correlation, np.random.default_rng(seed))
    assert x.shape == (m, 2)
    np.testing.assert_allclose(x.mean(axis=0) / [1.0, scale], 0, atol=1e-9)
    np.testing.assert_allclose(x.std(axis=0), [1.0, scale], rtol=1e-9)
    assert np.mean(x[:, 0] * x[:, 1]) / scale == pytest.approx(correlation, abs=1e-9)


@given(seed=SEEDS, m=st.integers(2, 40), data=st.data())
def test_population_statistics_do_not_depend_on_how_the_data_are_cut(seed, m, data):
    size = data.draw(st.integers(2, m))
    x = np.random.default_rng(seed).normal(3.0, 2.0, (m, 3))
    net = Sequential([BatchNorm(3)])
    for cut in (None, size):
        ((mean, var),) = population_statistics(net, x, cut)
        np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(var, x.var(axis=0), rtol=1e-12)
    assert net.batch_norms[0].batches_seen == 0


@st.composite
def classified(draw):
    m, k, seed = draw(st.integers(1, 8)), draw(st.integers(1, 6)), draw(SEEDS)
    rng = np.random.default_rng(seed)
    return rng.normal(0, draw(st.sampled_from([1e-3, 1.0, 30.0])), (m, k)), rng.integers(0, k, m)


@given(drawn=classified(), shift=st.floats(-1e3, 1e3))
def test_the_loss_of_a_softmax(drawn, shift):
    z, y = drawn
    m, k = z.shape
    value, dz = SoftmaxCrossEntropy()(z, y)
    assert value >= 0
    assert np.abs(dz.sum(axis=1)).max() <= 1e-15 * k
    rows = np.arange(m)
    assert (dz[rows, y] <= 0).all()
    others = np.ones_like(dz, bool)
    others[rows, y] = False
    assert (dz[others] >= 0).all()
    assert (np.abs(dz) <= 1 / m).all()
    moved, dmoved = SoftmaxCrossEntropy()(z + shift, y)
    assert moved == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(dmoved, dz, atol=1e-12)


@given(drawn=classified(), seed=SEEDS)
def test_the_loss_does_not_see_the_order_of_classes_or_examples(drawn, seed):
    z, y = drawn
    rng = np.random.default_rng(seed)
    classes, rows = rng.permutation(z.shape[1]), rng.permutation(len(z))
    value, dz = SoftmaxCrossEntropy()(z, y)
    places = np.argsort(classes)
    renamed, drenamed = SoftmaxCrossEntropy()(z[:, classes], places[y])
    assert renamed == pytest.approx(value, rel=1e-13, abs=1e-15)
    np.testing.assert_allclose(drenamed, dz[:, classes], atol=1e-15)
    moved, dmoved = SoftmaxCrossEntropy()(z[rows], y[rows])
    assert moved == pytest.approx(value, rel=1e-13, abs=1e-15)
    np.testing.assert_allclose(dmoved, dz[rows], atol=1e-15)


@given(a=varied_batches(), seed=SEEDS, power=st.integers(-10, 10))
def test_the_spectrum_of_a_batch(a, seed, power):
    a = a / np.abs(a).max()
    values = gram_spectrum(a)
    assert (np.diff(values) <= 0).all()
    assert values[-1] >= 0
    assert values.sum() == pytest.approx(np.mean(np.sum(a * a, axis=1)), rel=1e-12)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(a))
    np.testing.assert_allclose(gram_spectrum(a[order]), values, atol=1e-14)
    np.testing.assert_allclose(gram_spectrum(2.0**power * a), 4.0**power * values, rtol=1e-12)
    shifted = a + rng.normal(size=a.shape[1])
    np.testing.assert_allclose(
        gram_spectrum(shifted, centred=True), gram_spectrum(a, centred=True), atol=1e-13
    )


@given(values=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9), power=st.integers(-9, 9))
def test_condition_number_and_spread(values, power):
    array = np.array(values)
    kappa, ratio = condition_number(array), max_over_median(array)
    assert 1 <= ratio <= kappa
    assert condition_number(array[::-1] * 2.0**power) == kappa
    assert max_over_median(array[::-1] * 2.0**power) == ratio


@given(n_in=st.integers(1, 30), n_out=st.integers(1, 30), seed=SEEDS)
def test_initial_weights_differ_by_their_scale_only(n_in, n_out, seed):
    he, xavier, lecun = (
        initial_weights(np.random.default_rng(seed), n_out, n_in, init)
        for init in ("he", "xavier", "lecun")
    )
    assert he.shape == (n_out, n_in)
    np.testing.assert_allclose(he, lecun * np.sqrt(2), rtol=1e-14)
    np.testing.assert_allclose(xavier, he * np.sqrt(n_in / (n_in + n_out)), rtol=1e-14)


@given(
    grid=st.dictionaries(
        st.sampled_from("abc"), st.lists(st.integers(0, 3), min_size=1, max_size=3), min_size=1
    ),
    seeds=st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True),
    bad=st.integers(0, 99),
)
def test_a_sweep_is_the_loop_it_replaces(grid, seeds, bad):
    def run(seed, **settings):
        if seed == bad:
            raise ZeroDivisionError("as agreed")
        return seed + 100 * sum(settings.values())

    result = sweep(run, grid, seeds)
    names = list(grid)
    points = [{}]
    for name in names:
        points = [{**point, name: value} for point in points for value in grid[name]]
    assert [(r.settings, r.seed) for r in result.runs] == [(p, s) for p in points for s in seeds]
    for r in result.runs:
        if r.seed == bad:
            assert (r.result, r.error) == (None, "ZeroDivisionError: as agreed")
        else:
            assert (r.result, r.error) == (run(r.seed, **r.settings), None)
    assert len(result.failures) == (bad in seeds) * len(points)

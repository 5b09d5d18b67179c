"""Batch norm and its layer, also on hard inputs against exact rational arithmetic.

The unit of error is `eps`, twice the relative rounding error of the dtype. A mean can't be known
better than to an ulp of the largest value, so what is left after subtracting it is off by
eps · max|z| / √(σ² + ε) when it is normalised: this ratio is `unit` below. PyTorch 2.13 shows at
most 2.1 units on the inputs of this file where this package shows at most 2.0, and the same error
of the variance, so the tolerances of a few units are its own error too.
"""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    Sequential,
    batch_norm,
    batch_norm_backward,
    fold_batch_norm,
    layer_outputs,
    population_statistics,
    standardize,
)

from . import exact
from .helpers import (
    BETA,
    DTYPES,
    EACH,
    GAMMA,
    HARD,
    LAYOUTS,
    frozen,
    numeric_gradient,
    peak_of,
    relative_error,
    unit_of,
)

ONE, ZERO = np.ones(3), np.zeros(3)


@pytest.fixture
def z(rng):
    return rng.normal([1.0, -50.0, 1000.0], [0.01, 1.0, 30.0], (64, 3))


def test_output_has_mean_zero_and_variance_shrunk_by_epsilon(z):
    z_norm, cache = batch_norm(z, ONE, ZERO, 1e-5)
    var = z.var(axis=0)
    assert np.abs(z_norm.mean(axis=0)).max() < 1e-10  # rounding of the mean at 1000, times 1/std
    np.testing.assert_allclose(z_norm.var(axis=0), var / (var + 1e-5), rtol=1e-12)
    np.testing.assert_allclose(cache.mean, z.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(cache.var, var, rtol=1e-11)


def test_one_example_gives_beta_exactly_and_no_gradient():
    beta = np.array([0.1, -7.0, 3.3])
    z_tilde, cache = batch_norm(np.array([[3.0, 1e8, -2.5]]), ONE, beta, 1e-5)
    np.testing.assert_array_equal(z_tilde, beta[np.newaxis])
    dz, dgamma, _ = batch_norm_backward(np.array([[1.0, 2.0, 3.0]]), cache)
    np.testing.assert_array_equal(dz, np.zeros((1, 3)))
    np.testing.assert_array_equal(dgamma, np.zeros(3))


def test_two_examples_become_plus_and_minus_one(rng):
    z_norm, _ = batch_norm(rng.normal(size=(2, 3)), ONE, ZERO, 0.0)
    np.testing.assert_allclose(np.abs(z_norm), 1.0, rtol=1e-12)


def test_the_gradient_is_orthogonal_to_ones_and_to_z_norm(z, rng):
    _, cache = batch_norm(z, np.array([2.0, -0.5, 3.0]), ZERO, 0.0)
    dz, _, _ = batch_norm_backward(rng.normal(size=z.shape), cache)
    scale = np.abs(dz).max(axis=0)
    assert (np.abs(dz.sum(axis=0)) < 1e-11 * scale).all()
    assert (np.abs((dz * cache.z_norm).sum(axis=0)) < 1e-11 * scale).all()


def test_the_gradient_of_z_agrees_with_central_differences(rng):
    z, weights = rng.normal(1.0, 2.0, (7, 3)), rng.normal(size=(7, 3))
    gamma, beta = np.array([2.0, -0.5, 3.0]), np.array([1.0, 7.0, -4.0])
    z_tilde, cache = batch_norm(z, gamma, beta, 1e-3)
    dz, _, _ = batch_norm_backward(weights * np.cos(z_tilde), cache)

    def loss():
        return float(np.sum(weights * np.sin(batch_norm(z, gamma, beta, 1e-3)[0])))

    assert relative_error(dz, numeric_gradient(loss, z)) < 1e-7


def test_float32_mean_down_the_batch_is_accurate(rng):
    # 1e6 rows of 1: adding one after the other in float32 would stop at 2^24 for larger counts
    # and lose digits before; the product with ones keeps them.
    z = rng.normal(1000.0, 0.1, (100_000, 1)).astype(np.float32)
    _, cache = batch_norm(z, np.ones(1, np.float32), np.zeros(1, np.float32), 0.0)
    exact = z.astype(np.float64)
    assert abs(cache.mean[0] - exact.mean()) < 1e-3
    assert cache.var[0] == pytest.approx(exact.var(), rel=1e-3)


def test_evaluation_uses_the_running_statistics_and_changes_nothing(rng):
    layer = BatchNorm(3)
    layer.set_statistics(np.array([1.0, 2.0, 3.0]), np.array([4.0, 9.0, 0.25]))
    layer.params["gamma"][...] = [1.0, 2.0, -1.0]
    layer.params["beta"][...] = [0.0, 1.0, 5.0]
    before = copy.deepcopy(layer.__dict__)
    z = rng.normal(size=(1, 3))
    expected = layer.params["gamma"] * (z - [1, 2, 3]) / np.sqrt([4 + 1e-5, 9 + 1e-5, 0.25 + 1e-5])
    np.testing.assert_allclose(layer.forward(z, training=False), expected + [0, 1, 5], rtol=1e-13)
    np.testing.assert_array_equal(layer.running_mean, before["running_mean"])
    np.testing.assert_array_equal(layer.running_var, before["running_var"])
    assert layer.batches_seen == before["batches_seen"]


def test_evaluation_is_an_affine_map_on_the_way_back_too(rng):
    layer = BatchNorm(3, epsilon=0.0)
    layer.set_statistics(np.array([1.0, 2.0, 3.0]), np.array([4.0, 9.0, 0.25]))
    layer.gamma = np.array([1.0, 2.0, -1.0])
    z, dz = rng.normal(size=(2, 5, 3))
    layer.forward(rng.normal(size=(5, 3)), training=True)
    layer.set_statistics(np.array([1.0, 2.0, 3.0]), np.array([4.0, 9.0, 0.25]))
    z_norm = (z - [1.0, 2.0, 3.0]) / [2.0, 3.0, 0.5]
    layer.forward(z, training=False)
    np.testing.assert_array_equal(layer.cache.mean, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(layer.cache.var, [4.0, 9.0, 0.25])
    np.testing.assert_allclose(layer.backward(dz), dz * [0.5, 2 / 3, -2.0], rtol=1e-14)
    np.testing.assert_allclose(layer.grads["gamma"], (dz * z_norm).sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(layer.grads["beta"], dz.sum(axis=0), rtol=1e-13)


def test_the_cache_is_what_was_applied_and_not_an_alias(rng):
    layer = BatchNorm(3)
    layer.gamma = np.full(3, 2.0)
    z, dz = rng.normal(size=(2, 5, 3))
    for training in (True, False):
        layer.forward(z, training=training)
        right = layer.backward(dz)
        cache = [a for a in layer.cache if isinstance(a, np.ndarray)]
        kept = [a.copy() for a in cache]
        layer.params["gamma"] += 5.0
        layer.set_statistics(np.ones(3), np.ones(3))
        np.testing.assert_array_equal(layer.backward(dz), right)
        for now, then in zip(cache, kept, strict=True):
            np.testing.assert_array_equal(now, then)


def test_running_statistics_follow_the_formula(rng):
    layer = BatchNorm(3, decay=0.8)
    mean, var = np.zeros(3), np.ones(3)
    for m in (5, 9, 4):
        z = rng.normal(2.0, 3.0, (m, 3))
        layer.forward(z, training=True)
        mean = 0.8 * mean + 0.2 * z.mean(axis=0)
        var = 0.8 * var + 0.2 * z.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-13)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-13)
    assert layer.batches_seen == 3


def test_running_statistics_are_assigned_in_place_and_in_shape():
    layer = BatchNorm(3)
    mean, var = layer.running_mean, layer.running_var
    layer.running_mean, layer.running_var = np.full(3, 5.0), np.full(3, 7.0)
    assert layer.running_mean is mean
    assert layer.running_var is var
    np.testing.assert_array_equal([mean, var], [[5.0] * 3, [7.0] * 3])
    for bad, error in ((np.zeros(7), ValueError), ([0.0] * 3, TypeError), (0.0, TypeError)):
        with pytest.raises(error, match="running_mean: expected"):
            layer.running_mean = bad
    np.testing.assert_array_equal(mean, [5.0] * 3)


def test_evaluation_keeps_its_digits_at_a_large_offset():
    layer = BatchNorm(1, epsilon=0.0, dtype=np.float32)
    layer.set_statistics(np.array([1e6], np.float32), np.array([1e-2], np.float32))
    z = np.array([[1e6 + 0.5]], np.float32)
    assert layer.forward(z, training=False)[0, 0] == pytest.approx(5.0, rel=1e-6)


def test_training_on_one_example_is_refused_and_changes_nothing(rng):
    layer = BatchNorm(3)
    assert layer.cache is None
    layer.forward(rng.normal(size=(4, 3)), training=True)
    before = copy.deepcopy(layer.__dict__)
    with pytest.raises(ValueError, match="at least 2 examples in training, got 1"):
        layer.forward(np.ones((1, 3)), training=True)
    for name in ("running_mean", "running_var"):
        np.testing.assert_array_equal(getattr(layer, name), before[name])
    assert layer.batches_seen == 1


def test_without_affine_there_are_no_parameters(z):
    layer = BatchNorm(3, affine=False)
    assert not layer.params
    np.testing.assert_array_equal(
        layer.forward(z, training=True), batch_norm(z, ONE, ZERO, 1e-5)[0]
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_folded_layer_gives_the_same_output(bias, affine, rng):
    dense, norm = Dense(5, 3, bias, rng=rng), BatchNorm(3, affine=affine)
    for layer in (dense, norm):
        for p in layer.params.values():
            p += rng.normal(size=p.shape)
    for _ in range(3):
        norm.forward(dense.forward(rng.normal(size=(8, 5)), training=True), training=True)
    before = copy.deepcopy((dense.params, norm.params))
    x = rng.normal(size=(7, 5))
    folded = fold_batch_norm(dense, norm)
    np.testing.assert_allclose(
        folded.forward(x, training=False),
        norm.forward(dense.forward(x, training=False), training=False),
        rtol=1e-12,
        atol=1e-13,
    )
    for now, then in zip((dense.params, norm.params), before, strict=True):
        for name in now:
            np.testing.assert_array_equal(now[name], then[name])


def test_two_examples_have_no_gradient_without_epsilon(rng):
    layer = BatchNorm(5, epsilon=0)
    layer.forward(np.array([[0.0] * 5, [1.0, 2.0, -3.0, 4.0, 0.5]]), training=True)
    # z_norm is ±1 whatever z is, so nothing that z does can change the loss.
    assert np.abs(layer.backward(rng.normal(size=(2, 5)))).max() < 1e-14


def test_float32_gradients_of_batch_norm_are_float32(rng):
    z, one = rng.normal(size=(8, 3)).astype(np.float32), np.ones(3, np.float32)
    z_tilde, cache = batch_norm(z, one, one, 1e-5)
    gradients = batch_norm_backward(np.ones_like(z), cache)
    kept = [a for a in cache if isinstance(a, np.ndarray)]
    assert {a.dtype for a in (z_tilde, *kept, *gradients)} == {np.dtype(np.float32)}


def test_a_float32_fold_is_computed_in_float32(rng):
    dense, norm = Dense(4, 3, dtype=np.float32, rng=rng), BatchNorm(3, dtype=np.float32)
    norm.params["gamma"][...] = rng.normal(size=3)
    norm.set_statistics(*rng.uniform(1, 2, (2, 3)).astype(np.float32))
    folded = fold_batch_norm(dense, norm)
    scale = norm.params["gamma"] / np.sqrt(norm.running_var + np.float32(1e-5))
    assert folded.params["w"].dtype == np.float32
    np.testing.assert_array_equal(folded.params["w"], scale[:, np.newaxis] * dense.params["w"])


def test_evaluation_makes_two_arrays_of_the_size_of_the_batch():
    norm, z = BatchNorm(50), np.ones((2000, 50))
    norm.set_statistics(z[0], z[0])
    norm.forward(z, training=False)  # keeps z_norm
    assert peak_of(lambda: norm.forward(z, training=False)) < 2.5 * z.nbytes


def test_batch_norm_makes_two_arrays_of_the_size_of_the_batch_and_one_on_the_way_back():
    z, one = np.random.default_rng(0).normal(size=(2000, 50)), np.ones(50)
    assert peak_of(lambda: batch_norm(z, one, one, 1e-5)) < 2.5 * z.nbytes
    _, cache = batch_norm(z, one, one, 1e-5)
    assert peak_of(lambda: batch_norm_backward(z, cache)) < 1.5 * z.nbytes


def test_the_way_back_of_evaluation_makes_no_float64_arrays_of_float32():
    norm, z = BatchNorm(50, dtype=np.float32), np.ones((2000, 50), np.float32)
    norm.set_statistics(z[0], z[0])
    norm.backward(norm.forward(z, training=False))  # the first time, more is checked
    assert peak_of(lambda: norm.backward(z)) < 1.5 * z.nbytes


def check_batch_norm(z, dz_tilde, epsilon):
    """Compare forward and backward pass with the exact ones, in the stated units."""
    dtype = z.dtype
    gamma, beta = (frozen(np.array(v, dtype)) for v in (GAMMA, BETA))
    z_tilde, cache = batch_norm(z, gamma, beta, epsilon)
    right = exact.batch_norm(z, gamma, beta, epsilon)
    eps, m = float(np.finfo(dtype).eps), len(z)
    largest, unit = np.abs(z).max(axis=0).astype(float), unit_of(z, right["sd"])
    var = right["var"].astype(float)
    tiny = float(np.finfo(dtype).smallest_subnormal)

    assert z_tilde.dtype == cache.mean.dtype == cache.var.dtype == dtype
    assert (exact.difference(cache.mean, right["mu"]) <= 4 * eps * largest).all()
    tolerance = 4 * eps * var + (4 * eps * largest) ** 2 + tiny
    assert (exact.difference(cache.var, right["var"]) <= tolerance).all()
    size = 1 + np.abs(right["z_norm"].astype(float))
    assert (exact.difference(cache.z_norm, right["z_norm"]) <= 4 * unit * size).all()
    tolerance = 4 * unit * size * np.abs(GAMMA) + eps * np.abs(BETA)
    assert (exact.difference(z_tilde, right["z_tilde"]) <= tolerance).all()

    dz, dgamma, dbeta = batch_norm_backward(dz_tilde, cache)
    right_gradient = exact.batch_norm_gradient(dz_tilde, z, gamma, epsilon)
    upstream = np.abs(dz_tilde).max(axis=0).astype(float)
    assert dz.dtype == dgamma.dtype == dbeta.dtype == dtype
    # A z_norm can be as large as √(m − 1), and multiplies the mean over the batch.
    tolerance = np.abs(GAMMA) / right["sd"].astype(float) * upstream * unit * math.sqrt(m)
    assert (exact.difference(dz, right_gradient["dz"]) <= 2 * tolerance).all()
    assert (exact.difference(dgamma, right_gradient["dgamma"]) <= m * unit * upstream).all()
    assert (exact.difference(dbeta, right_gradient["dbeta"]) <= m * eps * upstream).all()


@EACH
@DTYPES
@pytest.mark.parametrize("epsilon", [1e-5, 0.0])
def test_batch_norm_is_exact_to_a_few_units(make, dtype, epsilon, rng):
    z = make(rng).astype(dtype)
    dz_tilde = frozen(rng.normal(size=z.shape).astype(dtype))
    constant = np.ptp(z, axis=0) == 0
    if epsilon == 0:
        # 0/0 has no exact value; see test_a_constant_unit_without_epsilon_spoils_no_other.
        z[:, constant] += rng.normal(size=(len(z), constant.sum())).astype(dtype) * z[0, constant]
    check_batch_norm(frozen(z), dz_tilde, epsilon)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["offset 1e8", "an outlier", "two examples"])
@DTYPES
def test_the_layout_of_the_input_does_not_matter(name, dtype, layout, rng):
    z = HARD[name](rng).astype(dtype)
    dz_tilde = rng.normal(size=z.shape).astype(dtype)
    check_batch_norm(frozen(z, layout), frozen(dz_tilde, layout), 1e-5)


@DTYPES
@pytest.mark.parametrize("value", [0.0, 7.0, -3.0, 2.0**49])
@pytest.mark.parametrize("m", [2, 3, 60])
def test_a_constant_whose_sums_are_exact_becomes_beta_exactly(dtype, value, m):
    beta = np.array([0.1, -7.0], dtype)
    z = np.full((m, 2), value, dtype)
    z_tilde, cache = batch_norm(z, np.full(2, 3.0, dtype), beta, 1e-5)
    np.testing.assert_array_equal(z_tilde, np.tile(beta, (m, 1)))
    dz, dgamma, _ = batch_norm_backward(np.ones_like(z), cache)
    np.testing.assert_array_equal(dz, np.zeros_like(z))
    np.testing.assert_array_equal(dgamma, np.zeros(2))


def test_a_constant_unit_without_epsilon_spoils_no_other(rng):
    z = rng.normal(size=(7, 3))
    clean, _ = batch_norm(z, np.ones(3), np.zeros(3), 0.0)
    for constant, expected in ((7.0, np.nan), (0.1, 1.0)):
        # The mean of seven 0.1 is not 0.1, so every example is the same distance from it: ±1.
        z[:, 1] = constant
        with np.errstate(divide="ignore", invalid="ignore"):
            z_norm, _ = batch_norm(z, np.ones(3), np.zeros(3), 0.0)
        np.testing.assert_array_equal(np.abs(z_norm[:, 1]), np.full(7, expected))
        np.testing.assert_array_equal(z_norm[:, [0, 2]], clean[:, [0, 2]])


@EACH
@DTYPES
@pytest.mark.parametrize(("decay", "unbiased"), [(0.9, True), (0.999, False), (None, True)])
def test_running_statistics_and_evaluation_are_exact(make, dtype, decay, unbiased, rng):
    layer = BatchNorm(3, decay=decay, unbiased=unbiased, dtype=dtype)
    layer.params["gamma"][...], layer.params["beta"][...] = GAMMA, BETA
    batches = [frozen(make(rng).astype(dtype)) for _ in range(6)]
    mean, var = exact.rational(np.zeros(3)), exact.rational(np.ones(3))
    for t, z in enumerate(batches, start=1):
        layer.forward(z, training=True)
        d = 1 - Fraction(1, t) if decay is None else Fraction(decay)
        right = exact.batch_norm(z, np.ones(3), np.zeros(3), 1e-5)
        m = len(z)
        correction = Fraction(m, m - 1) if unbiased else 1
        mean = d * mean + (1 - d) * right["mu"]
        var = d * var + (1 - d) * correction * right["var"]
    eps = float(np.finfo(dtype).eps)
    largest = np.abs(batches).max(axis=(0, 1)).astype(float)
    tiny = 6 * float(np.finfo(dtype).smallest_subnormal)
    assert (exact.difference(layer.running_mean, mean) <= 8 * eps * largest).all()
    tolerance = 8 * eps * var.astype(float) + 2 * (4 * eps * largest) ** 2 + tiny
    assert (exact.difference(layer.running_var, var) <= tolerance).all()

    # Evaluation on what the layer has stored: a few ulp, however large the offset.
    z = batches[0]
    sd = exact.roots(exact.rational(layer.running_var) + Fraction(1e-5))
    z_norm = (exact.rational(z) - exact.rational(layer.running_mean)) / sd
    z_tilde = exact.rational(GAMMA) * z_norm + exact.rational(BETA)
    size = np.abs(GAMMA) * np.abs(z_norm.astype(float)) + np.abs(BETA)
    assert (exact.difference(layer.forward(z, training=False), z_tilde) <= 4 * eps * size).all()


@DTYPES
@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8])
def test_a_folded_layer_is_exact(dtype, offset, rng):
    dense, norm = Dense(4, 3, rng=rng, dtype=dtype), BatchNorm(3, dtype=dtype)
    dense.params["b"][...] = offset
    norm.params["gamma"][...], norm.params["beta"][...] = GAMMA, BETA
    norm.set_statistics(
        np.array([offset + 1, offset - 3, 0.0], dtype), np.array([1e-12, 1.0, 1e12], dtype)
    )
    folded = fold_batch_norm(dense, norm)
    w, b = exact.rational(dense.params["w"]), exact.rational(dense.params["b"])
    mean = exact.rational(norm.running_mean)
    scale = exact.rational(GAMMA) / exact.roots(exact.rational(norm.running_var) + Fraction(1e-5))
    eps = float(np.finfo(dtype).eps)
    right_w, right_b = scale[:, np.newaxis] * w, scale * (b - mean) + exact.rational(BETA)
    size = np.abs((scale * (b - mean)).astype(float)) + np.abs(BETA)
    assert folded.params["w"].dtype == folded.params["b"].dtype == dtype
    error = exact.difference(folded.params["w"], right_w)
    assert (error <= 4 * eps * np.abs(right_w.astype(float))).all()
    assert (exact.difference(folded.params["b"], right_b) <= 4 * eps * size).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layout", LAYOUTS)
@DTYPES
def test_what_is_not_finite_stays_in_its_unit(value, layout, dtype, rng):
    clean = rng.normal(size=(9, 4)).astype(dtype)
    dz = rng.normal(size=(9, 4)).astype(dtype)
    spoiled = clean.copy()
    spoiled[5, 2] = value
    spoiled = frozen(spoiled, layout)
    others = [0, 1, 3]
    results = []
    for z in (frozen(clean, layout), spoiled):
        layer = BatchNorm(4, dtype=dtype)
        with np.errstate(invalid="ignore"):
            training, backward = (
                layer.forward(z, training=True),
                layer.backward(frozen(dz, layout)),
            )
            evaluation = layer.forward(frozen(clean, layout), training=False)
            (scaled,) = standardize(z)
            statistics = population_statistics(Sequential([layer]), z)[0]
        grads = [layer.grads["gamma"], layer.grads["beta"]]
        running = [layer.running_mean, layer.running_var]
        results.append(
            [training, backward, evaluation, scaled]
            + [v[np.newaxis] for v in (*statistics, *running, *grads)]
        )
    for right, ours in zip(*results, strict=True):
        np.testing.assert_array_equal(ours[:, others], right[:, others])
    training, backward, evaluation = results[1][:3]
    assert np.isnan(training[:, 2]).all()
    assert np.isnan(backward[:, 2]).all()
    assert not np.isfinite(evaluation[:, 2]).any()


@DTYPES
def test_a_non_finite_gradient_stays_in_its_unit(dtype, rng):
    layer = BatchNorm(3, dtype=dtype)
    layer.forward(rng.normal(size=(6, 3)).astype(dtype), training=True)
    dz = rng.normal(size=(6, 3)).astype(dtype)
    right = layer.backward(dz)
    dz[2, 1] = np.nan
    ours = layer.backward(dz)
    np.testing.assert_array_equal(ours[:, [0, 2]], right[:, [0, 2]])
    assert np.isnan(ours[:, 1]).all()
    assert np.isfinite(layer.grads["gamma"][[0, 2]]).all()


@DTYPES
def test_every_batch_norm_of_a_stack_is_exact_for_what_it_is_given(dtype, rng):
    layers = []
    for _ in range(4):
        layers += [Dense(3, 3, bias=False, rng=rng, dtype=dtype), BatchNorm(3, dtype=dtype)]
    x = frozen(rng.normal(1e4, 1.0, (20, 3)).astype(dtype))
    outputs = [x, *layer_outputs(Sequential(layers), x, statistics="batch")]
    for (z, z_tilde), layer in zip(pairwise(outputs), layers, strict=True):
        if isinstance(layer, BatchNorm):
            right = exact.batch_norm(z, np.ones(3), np.zeros(3), 1e-5)
            size = 4 * unit_of(z, right["sd"]) * (1 + np.abs(right["z_norm"].astype(float)))
            assert (exact.difference(z_tilde, right["z_tilde"]) <= size).all()

from __future__ import annotations

import copy

import numpy as np
import pytest

from bncourse import BatchNorm, Dense, batch_norm, batch_norm_backward, fold_batch_norm

from .helpers import numeric_gradient, relative_error

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


def test_gamma_and_beta_set_standard_deviation_and_mean(z):
    gamma, beta = np.array([2.0, -0.5, 3.0]), np.array([1.0, 7.0, -4.0])
    z_tilde, _ = batch_norm(z, gamma, beta, 0.0)
    np.testing.assert_allclose(z_tilde.mean(axis=0), beta, atol=1e-10)
    np.testing.assert_allclose(z_tilde.std(axis=0), np.abs(gamma), rtol=1e-12)


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


def test_z_norm_is_bounded_by_samuelson(rng):
    m = 9
    z = np.zeros((m, 3))
    z[0] = rng.normal(size=3)
    z_norm, _ = batch_norm(z, ONE, ZERO, 0.0)
    np.testing.assert_allclose(np.abs(z_norm).max(axis=0), np.sqrt(m - 1), rtol=1e-12)


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


def test_non_finite_values_stay_in_their_feature(z):
    spoiled = z.copy()
    spoiled[5, 1] = np.nan
    spoiled[6, 2] = np.inf
    with np.errstate(invalid="ignore"):
        out, _ = batch_norm(spoiled, ONE, ZERO, 1e-5)
    clean, _ = batch_norm(z, ONE, ZERO, 1e-5)
    np.testing.assert_array_equal(out[:, 0], clean[:, 0])
    assert np.isnan(out[:, 1:]).all()


def test_float32_mean_down_the_batch_is_accurate(rng):
    # 1e6 rows of 1: adding one after the other in float32 would stop at 2^24 for larger counts
    # and lose digits before; the product with ones keeps them.
    z = rng.normal(1000.0, 0.1, (100_000, 1)).astype(np.float32)
    _, cache = batch_norm(z, np.ones(1, np.float32), np.zeros(1, np.float32), 0.0)
    exact = z.astype(np.float64)
    assert abs(cache.mean[0] - exact.mean()) < 1e-3
    assert cache.var[0] == pytest.approx(exact.var(), rel=1e-3)


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


def test_the_running_variance_can_be_biased(rng):
    layer = BatchNorm(3, decay=0.0, unbiased=False)
    z = rng.normal(size=(4, 3))
    layer.forward(z, training=True)
    np.testing.assert_allclose(layer.running_var, z.var(axis=0), rtol=1e-13)


def test_decay_none_is_the_cumulative_average(rng):
    layer = BatchNorm(3, decay=None)
    batches = rng.normal(size=(6, 8, 3))
    for z in batches:
        layer.forward(z, training=True)
    np.testing.assert_allclose(layer.running_mean, batches.mean(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(
        layer.running_var, batches.var(axis=1, ddof=1).mean(axis=0), rtol=1e-12
    )


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


def test_evaluation_keeps_its_digits_at_a_large_offset():
    layer = BatchNorm(1, epsilon=0.0, dtype=np.float32)
    layer.set_statistics(np.array([1e6], np.float32), np.array([1e-2], np.float32))
    z = np.array([[1e6 + 0.5]], np.float32)
    assert layer.forward(z, training=False)[0, 0] == pytest.approx(5.0, rel=1e-6)


def test_evaluation_before_any_batch_is_refused():
    with pytest.raises(ValueError, match="expected a training batch before evaluation, got none"):
        BatchNorm(3).forward(np.ones((2, 3)), training=False)


def test_training_on_one_example_is_refused_and_changes_nothing(rng):
    layer = BatchNorm(3)
    layer.forward(rng.normal(size=(4, 3)), training=True)
    before = copy.deepcopy(layer.__dict__)
    with pytest.raises(ValueError, match="at least 2 examples in training, got 1"):
        layer.forward(np.ones((1, 3)), training=True)
    for name in ("running_mean", "running_var"):
        np.testing.assert_array_equal(getattr(layer, name), before[name])
    assert layer.batches_seen == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n": 0}, "n: expected a whole number"),
        ({"epsilon": -1e-5}, "epsilon: expected a number in"),
        ({"epsilon": float("nan")}, "epsilon: expected a number in"),
        ({"epsilon": float("inf")}, "epsilon: expected a number in"),
        ({"epsilon": "1"}, "epsilon: expected a number in"),
        ({"epsilon": None}, "epsilon: expected a number in"),
        ({"decay": 1.0}, r"decay: expected a number in \[0, 1\)"),
        ({"decay": -0.1}, r"decay: expected a number in \[0, 1\)"),
        ({"decay": True}, r"decay: expected a number in \[0, 1\)"),
        ({"unbiased": None}, "unbiased: expected True or False"),
        ({"affine": 0}, "affine: expected True or False"),
        ({"dtype": np.float16}, "dtype: expected float32 or float64"),
    ],
)
def test_bad_hyperparameters_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        BatchNorm(**{"n": 3} | options)


def test_without_affine_there_are_no_parameters(z):
    layer = BatchNorm(3, affine=False)
    assert not layer.params
    np.testing.assert_array_equal(
        layer.forward(z, training=True), batch_norm(z, ONE, ZERO, 1e-5)[0]
    )


@pytest.mark.parametrize(
    ("mean", "var", "error"),
    [
        (np.ones(2), np.ones(3), ValueError),
        (np.ones(3), np.ones((3, 1)), ValueError),
        (np.ones(3), -np.ones(3), ValueError),
        ([1.0, 2.0, 3.0], np.ones(3), TypeError),
    ],
)
def test_bad_statistics_are_refused(mean, var, error):
    layer = BatchNorm(3)
    with pytest.raises(error, match="expected"):
        layer.set_statistics(mean, var)
    np.testing.assert_array_equal(layer.running_mean, np.zeros(3))
    assert layer.batches_seen == 0


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


def test_fold_refuses_what_does_not_fit():
    norm = BatchNorm(3)
    with pytest.raises(ValueError, match="seen a training batch"):
        fold_batch_norm(Dense(2, 3), norm)
    with pytest.raises(ValueError, match="expected 4 units of float64, as dense has, got 3"):
        fold_batch_norm(Dense(2, 4), norm)
    with pytest.raises(TypeError, match="expected a Dense and a BatchNorm"):
        fold_batch_norm(norm, norm)

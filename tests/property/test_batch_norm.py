"""What batch norm must do for every batch, and not only for the ones we thought of."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bncourse import BatchNorm, Dense, batch_norm, batch_norm_backward, fold_batch_norm

from .strategies import DTYPES, NUMBERS, SEEDS, SMALL, batches, varied_batches, vectors

EPSILONS = st.sampled_from([1e-5, 1e-3, 0.7])


def normalise(z, epsilon=0.0):
    n = z.shape[1]
    return batch_norm(z, np.ones(n, z.dtype), np.zeros(n, z.dtype), epsilon)[0]


def unit(z, epsilon=0.0):
    """Return what an ulp of the largest |z| is worth in a normalised value, per unit."""
    sd = np.sqrt(z.var(axis=0, dtype=np.float64) + epsilon)
    return np.finfo(z.dtype).eps * (1 + np.abs(z).max(axis=0).astype(float) / sd)


@given(z=varied_batches(), epsilon=EPSILONS, data=st.data())
def test_the_moments_of_the_output(z, epsilon, data):
    m, n = z.shape
    gamma, beta = (data.draw(vectors(n, elements=SMALL)) for _ in range(2))
    z_tilde, cache = batch_norm(z, gamma, beta, epsilon)
    size = np.abs(gamma) + np.abs(beta)
    tolerance = 8 * m * (unit(z, epsilon) * np.abs(gamma) + 2e-16 * size)
    assert (np.abs(z_tilde.mean(axis=0) - beta) <= tolerance).all()
    shrunk = np.abs(gamma) * np.sqrt(cache.var / (cache.var + epsilon))
    assert (np.abs(z_tilde.std(axis=0) - shrunk) <= tolerance).all()


@given(z=batches(smallest=1), epsilon=EPSILONS)
def test_no_normalised_value_is_larger_than_samuelson_allows(z, epsilon):
    m = len(z)
    assert (np.abs(normalise(z, epsilon)) <= np.sqrt(m - 1) + 8 * unit(z, epsilon)).all()


@given(z=batches(), epsilon=EPSILONS, dtype=DTYPES)
def test_the_dtype_and_the_argument_are_kept(z, epsilon, dtype):
    z = z.astype(dtype)
    kept = z.copy()
    z.flags.writeable = False
    z_tilde = normalise(z, epsilon)
    assert z_tilde.dtype == dtype
    assert not np.shares_memory(z_tilde, z)
    np.testing.assert_array_equal(z, kept)


@given(z=varied_batches(), b=NUMBERS)
def test_a_bias_before_batch_norm_does_nothing(z, b):
    largest = unit(z) + unit(z + b)
    assert (np.abs(normalise(z + b) - normalise(z)) <= 8 * largest * np.sqrt(len(z))).all()


@given(z=varied_batches(), power=st.integers(-60, 60), negative=st.booleans())
def test_the_scale_of_the_weights_does_nothing_but_for_its_sign(z, power, negative):
    # A power of two only moves exponents, so not even the rounding may differ.
    factor = (-1.0 if negative else 1.0) * 2.0**power
    np.testing.assert_array_equal(normalise(factor * z), np.sign(factor) * normalise(z))


@given(z=varied_batches(), power=st.integers(-20, 20), seed=SEEDS)
def test_larger_weights_have_smaller_gradients(z, power, seed):
    factor = 2.0**power
    dz = np.random.default_rng(seed).normal(size=z.shape)
    one, zero = np.ones(z.shape[1]), np.zeros(z.shape[1])
    plain, scaled = (
        batch_norm_backward(dz, batch_norm(a, one, zero, 0.0)[1])[0] for a in (z, factor * z)
    )
    np.testing.assert_array_equal(scaled, plain / factor)


@given(z=varied_batches(), epsilon=EPSILONS, seed=SEEDS)
def test_the_order_of_the_examples_does_not_matter(z, epsilon, seed):
    rng = np.random.default_rng(seed)
    order, dz = rng.permutation(len(z)), rng.normal(size=z.shape)
    one, zero = np.ones(z.shape[1]), np.zeros(z.shape[1])
    z_tilde, cache = batch_norm(z, one, zero, epsilon)
    moved, moved_cache = batch_norm(z[order], one, zero, epsilon)
    tolerance = 8 * unit(z, epsilon) * np.sqrt(len(z))
    assert (np.abs(moved - z_tilde[order]) <= tolerance).all()
    right, ours = (
        batch_norm_backward(g, c)[0] for g, c in ((dz, cache), (dz[order], moved_cache))
    )
    size = np.abs(dz).max() * cache.inv_std * np.sqrt(len(z))
    assert (np.abs(ours - right[order]) <= tolerance * size).all()


@given(z=varied_batches(), epsilon=EPSILONS, times=st.integers(2, 4))
def test_a_repeated_batch_is_normalised_as_one_copy(z, epsilon, times):
    repeated = normalise(np.tile(z, (times, 1)), epsilon)
    tolerance = 8 * unit(z, epsilon) * np.sqrt(len(z))
    assert (np.abs(repeated - np.tile(normalise(z, epsilon), (times, 1))) <= tolerance).all()


@given(z=batches(), epsilon=EPSILONS, data=st.data())
def test_each_unit_is_normalised_by_itself(z, epsilon, data):
    j = data.draw(st.integers(0, z.shape[1] - 1))
    alone = normalise(z[:, [j]], epsilon)[:, 0]
    together = normalise(z, epsilon)[:, j]
    tolerance = 8 * unit(z, epsilon)[j] * np.sqrt(len(z))
    assert (np.abs(together - alone) <= tolerance).all()


@given(z=batches(), epsilon=EPSILONS, data=st.data())
def test_gamma_and_beta_act_behind_everything_else(z, epsilon, data):
    n = z.shape[1]
    gamma, beta, c, d = (data.draw(vectors(n, elements=SMALL)) for _ in range(4))
    once = c * batch_norm(z, gamma, beta, epsilon)[0] + d
    size = np.abs(c) * (np.abs(gamma) * np.sqrt(len(z)) + np.abs(beta)) + np.abs(d)
    together, _ = batch_norm(z, c * gamma, c * beta + d, epsilon)
    assert (np.abs(together - once) <= 4e-16 * size).all()


@given(z=varied_batches(), epsilon=EPSILONS)
def test_the_right_gamma_and_beta_give_the_input_back(z, epsilon):
    mu, var = z.mean(axis=0), z.var(axis=0)
    same, _ = batch_norm(z, np.sqrt(var + epsilon), mu, epsilon)
    tolerance = 8 * np.finfo(float).eps * len(z) * (np.abs(z).max(axis=0) + np.sqrt(epsilon))
    assert (np.abs(same - z) <= tolerance).all()


@given(z=varied_batches(), epsilon=EPSILONS, seed=SEEDS, data=st.data())
def test_the_gradient_leaves_out_what_cannot_change_the_loss(z, epsilon, seed, data):
    gamma = data.draw(vectors(z.shape[1], elements=SMALL))
    dz_tilde = np.random.default_rng(seed).normal(size=z.shape)
    _, cache = batch_norm(z, gamma, gamma, epsilon)
    dz, dgamma, dbeta = batch_norm_backward(dz_tilde, cache)
    m = len(z)
    size = m * m * np.abs(gamma) * cache.inv_std * np.abs(dz_tilde).max() * unit(z, epsilon)
    # Shifting all examples changes nothing, and scaling them only what ε lets through.
    assert (np.abs(dz.sum(axis=0)) <= 8 * size).all()
    through = gamma * cache.inv_std * dgamma * epsilon / (cache.var + epsilon)
    assert (np.abs((dz * cache.z_norm).sum(axis=0) - through) <= 8 * size).all()
    np.testing.assert_allclose(dbeta, dz_tilde.sum(axis=0), atol=1e-14 * m)
    np.testing.assert_allclose(dgamma, (dz_tilde * cache.z_norm).sum(axis=0), atol=1e-13 * m)


@given(z=batches(), epsilon=EPSILONS, power=st.integers(-30, 30), seed=SEEDS)
def test_the_gradient_is_linear_in_what_comes_from_behind(z, epsilon, power, seed):
    one, zero = np.ones(z.shape[1]), np.zeros(z.shape[1])
    _, cache = batch_norm(z, one, zero, epsilon)
    dz_tilde = np.random.default_rng(seed).normal(size=z.shape)
    plain = batch_norm_backward(dz_tilde, cache)
    scaled = batch_norm_backward(2.0**power * dz_tilde, cache)
    for a, b in zip(plain, scaled, strict=True):
        np.testing.assert_array_equal(b, 2.0**power * a)


@given(
    decay=st.one_of(st.none(), st.floats(0, 1, exclude_max=True)),
    unbiased=st.booleans(),
    count=st.integers(1, 8),
    seed=SEEDS,
    dtype=DTYPES,
)
def test_running_statistics_have_a_closed_form(decay, unbiased, count, seed, dtype):
    rng = np.random.default_rng(seed)
    layer = BatchNorm(3, decay=decay, unbiased=unbiased, dtype=dtype)
    zs = [rng.normal(2.0, 3.0, (rng.integers(2, 9), 3)).astype(dtype) for _ in range(count)]
    for z in zs:
        layer.forward(z, training=True)
    # The t-th of T values weighs (1 − d) d^(T−t); what the start weighs is left: d^T.
    if decay is None:
        weights, rest = np.full(count, 1 / count), 0.0
    else:
        weights, rest = (1 - decay) * decay ** np.arange(count - 1.0, -1, -1), decay**count
    means = np.array([z.mean(axis=0, dtype=float) for z in zs])
    variances = np.array([z.var(axis=0, ddof=int(unbiased), dtype=float) for z in zs])
    eps = np.finfo(dtype).eps
    largest = max(np.abs(z).max() for z in zs)
    assert layer.batches_seen == count
    assert layer.running_mean.dtype == layer.running_var.dtype == dtype
    np.testing.assert_allclose(layer.running_mean, weights @ means, atol=20 * eps * largest)
    np.testing.assert_allclose(
        layer.running_var, weights @ variances + rest, atol=20 * eps * (1 + largest**2)
    )


@given(seed=SEEDS, bias=st.booleans(), affine=st.booleans(), epsilon=EPSILONS, dtype=DTYPES)
def test_folding_is_evaluating(seed, bias, affine, epsilon, dtype):
    rng = np.random.default_rng(seed)
    n_in, n_out, m = rng.integers(1, 6, 3)
    dense = Dense(n_in, n_out, bias, rng=rng, dtype=dtype)
    norm = BatchNorm(n_out, epsilon=epsilon, affine=affine, dtype=dtype)
    for layer in (dense, norm):
        for p in layer.params.values():
            p += rng.normal(size=p.shape).astype(dtype)
    mean, var = rng.normal(size=n_out).astype(dtype), rng.gamma(2.0, size=n_out).astype(dtype)
    norm.set_statistics(mean, var)
    x = rng.normal(size=(m, n_in)).astype(dtype)
    z = dense.forward(x, training=False)
    folded = fold_batch_norm(dense, norm).forward(x, training=False)
    gamma, beta = norm.gamma, norm.beta
    scale = np.abs(gamma) / np.sqrt(var + epsilon)
    sums = (
        np.abs(x) @ np.abs(dense.params["w"]).T + np.abs(dense.params.get("b", 0)) + np.abs(mean)
    )
    tolerance = 8 * np.finfo(dtype).eps * (scale * sums + np.abs(beta))
    assert (np.abs(folded - norm.forward(z, training=False)) <= tolerance).all()


@given(z=batches(smallest=1), seed=SEEDS)
def test_evaluation_of_a_batch_is_evaluation_of_its_examples(z, seed):
    rng = np.random.default_rng(seed)
    n = z.shape[1]
    layer = BatchNorm(n)
    layer.set_statistics(rng.normal(size=n), rng.gamma(2.0, size=n))
    together = layer.forward(z, training=False)
    alone = np.concatenate([layer.forward(row[np.newaxis], training=False) for row in z])
    np.testing.assert_array_equal(together, alone)

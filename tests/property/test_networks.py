"""Whole networks of random shape: gradients, views, modes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bncourse import (
    Adam,
    BatchNorm,
    Dense,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Tanh,
    gradient_check,
    layer_outputs,
    loss_and_gradient,
    mlp,
    population_statistics,
    set_statistics,
)

from .strategies import SEEDS, networks


def far_from_kinks(net, x):
    """Whether no ReLU is so close to 0 that a step of 1e-5 could carry it over."""
    outputs = [x, *layer_outputs(net, x, statistics="batch")]
    return all(
        np.abs(z).min() > 1e-3
        for z, layer in zip(outputs, net.layers, strict=False)
        if isinstance(layer, (ReLU, LeakyReLU))
    )


def well_conditioned(net, x):
    """Whether no unit is nearly constant, where differences of 1e-5 are not small steps."""
    return all((var > 1e-2).all() for _, var in population_statistics(net, x))


@given(drawn=networks())
def test_gradients_agree_with_central_differences(drawn):
    net, x, y = drawn
    assume(far_from_kinks(net, x) and well_conditioned(net, x))
    # A right gradient agrees at some step: which one depends on curvature and on rounding. A
    # wrong one agrees at none.
    assert any(gradient_check(net, x, y, step=h) < 1e-7 for h in (1e-5, 1e-6, 1e-4))


def train_a_step(net, x, y):
    loss_and_gradient(net, x, y)
    Adam(0.1).step(net.theta, net.dtheta)


def assign_in_place(net, x, y):
    net.theta[...] = np.arange(net.theta.size) / net.theta.size


def assign_to_a_parameter(net, x, y):
    for layer in net.layers:
        for p in layer.params.values():
            p *= 0.5


def assign_by_name(net, x, y):
    net.theta = net.theta / 2
    net.dtheta = np.ones_like(net.theta)
    net.layers[0].params["w"] = net.layers[0].w + 1
    net.layers[0].w = net.layers[0].w + 1
    with pytest.raises(ValueError, match="expected"):
        net.layers[0].params["w"] = np.zeros(1)


def fail(net, x, y):
    with pytest.raises(ValueError, match="expected"):
        net.forward(x[:, :0], training=True)


def copied(net, x, y):
    return copy.deepcopy(net)


def pickled(net, x, y):
    return pickle.loads(pickle.dumps(net))


DEEDS = [
    train_a_step,
    assign_in_place,
    assign_to_a_parameter,
    assign_by_name,
    fail,
    copied,
    pickled,
]


@given(drawn=networks(), deeds=st.lists(st.sampled_from(DEEDS), max_size=6))
def test_views_stay_views_whatever_is_done(drawn, deeds):
    net, x, y = drawn
    for deed in deeds:
        net = deed(net, x, y) or net
    start = 0
    for layer in net.layers:
        assert layer.params.keys() == layer.grads.keys()
        for name, p in layer.params.items():
            assert np.shares_memory(p, net.theta[start : start + p.size])
            assert np.shares_memory(layer.grads[name], net.dtheta[start : start + p.size])
            np.testing.assert_array_equal(p.ravel(), net.theta[start : start + p.size])
            start += p.size
    assert start == net.theta.size == net.dtheta.size
    before = net.forward(x, training=True)
    net.theta[...] = 0.0
    assert not net.forward(x, training=True).any()
    assert np.isfinite(before).all()


@given(drawn=networks(normalised=True))
def test_evaluation_changes_nothing_and_does_not_see_its_company(drawn):
    net, x, _ = drawn
    net.forward(x, training=True)
    before = pickle.dumps([(la.running_mean, la.running_var) for la in net.batch_norms])
    theta = net.theta.copy()
    together = net.forward(x, training=False)
    alone = np.concatenate([net.forward(row[np.newaxis], training=False) for row in x])
    np.testing.assert_allclose(alone, together, rtol=1e-11, atol=1e-11)
    assert pickle.dumps([(la.running_mean, la.running_var) for la in net.batch_norms]) == before
    np.testing.assert_array_equal(net.theta, theta)


@given(drawn=networks(normalised=True))
def test_evaluation_with_the_batchs_own_statistics_is_training(drawn):
    net, x, _ = drawn
    right = layer_outputs(net, x, statistics="batch")[-1]
    set_statistics(net, population_statistics(net, x))
    np.testing.assert_allclose(net.forward(x, training=False), right, rtol=1e-9, atol=1e-10)


@given(drawn=networks(), order=st.randoms(use_true_random=False))
def test_the_loss_does_not_see_the_order_of_the_examples(drawn, order):
    net, x, y = drawn
    assume(far_from_kinks(net, x) and well_conditioned(net, x))
    moved = order.sample(range(len(x)), len(x))
    (loss, gradient), (same, same_gradient) = (
        loss_and_gradient(net, a, b) for a, b in ((x, y), (x[moved], y[moved]))
    )
    assert same == pytest.approx(loss, rel=1e-11, abs=1e-13)
    np.testing.assert_allclose(same_gradient, gradient, atol=1e-10 * (1 + np.abs(gradient).max()))


@given(
    sizes=st.lists(st.integers(1, 6), min_size=3, max_size=5),
    activation=st.sampled_from([Sigmoid, Tanh]),
    shift=st.floats(-100, 100),
    power=st.integers(-8, 8),
    seed=SEEDS,
)
def test_hidden_biases_and_scales_do_nothing_in_training(sizes, activation, shift, power, seed):
    rng = np.random.default_rng(seed)
    net = mlp(sizes, activation, lambda n: BatchNorm(n, epsilon=0.0), bias=True, rng=rng)
    x = rng.normal(size=(8, sizes[0]))
    right = net.forward(x, training=True)
    hidden = [layer for layer in net.layers if isinstance(layer, Dense)][:-1]
    for layer in hidden:
        layer.params["w"][...] *= 2.0**power
        layer.params["b"][...] += shift
    # What remains of a bias is the rounding of z + b, over the unit's own standard deviation.
    sd = min(np.sqrt(var).min() for _, var in population_statistics(net, x))
    assume(sd > 1e-3 * 2.0**power)
    atol = 1e-13 * (1 + abs(shift) / sd)
    np.testing.assert_allclose(net.forward(x, training=True), right, rtol=1e-9, atol=1000 * atol)


@given(
    sizes=st.lists(st.integers(1, 7), min_size=2, max_size=5),
    seed=SEEDS,
    position=st.sampled_from(["z", "a"]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_mlp_has_the_same_weights_with_and_without_batch_norm(sizes, seed, position, dtype):
    plain, normed = (
        mlp(
            sizes, ReLU, norm, norm_position=position, rng=np.random.default_rng(seed), dtype=dtype
        )
        for norm in (None, BatchNorm)
    )
    assert len(normed.batch_norms) == len(sizes) - 2
    assert plain.theta.dtype == normed.theta.dtype == dtype
    pairs = zip(
        *(
            [la.params["w"] for la in net.layers if isinstance(la, Dense)]
            for net in (plain, normed)
        ),
        strict=True,
    )
    for (a, b), n_in, n_out in zip(pairs, sizes[:-1], sizes[1:], strict=True):
        assert a.shape == (n_out, n_in)
        np.testing.assert_array_equal(a, b)

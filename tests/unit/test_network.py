from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    LeakyReLU,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    gradient_check,
    gradient_errors,
    mlp,
)


@pytest.fixture
def net(rng):
    return Sequential(
        [Dense(6, 5, bias=False, rng=rng), BatchNorm(5), ReLU(), Dense(5, 3, rng=rng)]
    )


def test_theta_holds_all_parameters_and_the_layers_hold_views(net):
    assert net.theta.shape == net.dtheta.shape == (6 * 5 + 5 + 5 + 5 * 3 + 3,)
    for layer in net.layers:
        for name, p in layer.params.items():
            assert np.shares_memory(p, net.theta)
            assert np.shares_memory(layer.grads[name], net.dtheta)
    net.theta[...] = 7.0
    assert all((p == 7.0).all() for layer in net.layers for p in layer.params.values())


def test_views_stay_views_through_a_training_step(net, rng):
    net.backward(net.forward(rng.normal(size=(8, 6)), training=True))
    net.theta -= net.dtheta
    for layer in net.layers:
        for name in layer.params:
            assert np.shares_memory(layer.params[name], net.theta)
            assert np.shares_memory(layer.grads[name], net.dtheta)
    np.testing.assert_array_equal(
        net.dtheta, np.concatenate([g.ravel() for la in net.layers for g in la.grads.values()])
    )
    assert np.count_nonzero(net.dtheta) > 30


@pytest.mark.parametrize("name", ["theta", "dtheta"])
def test_an_assignment_to_theta_copies_into_place(net, name):
    vector, new = getattr(net, name), np.arange(float(net.theta.size))
    setattr(net, name, new)
    assert getattr(net, name) is vector
    np.testing.assert_array_equal(vector, new)
    with pytest.raises(ValueError, match=r"theta'\]: expected real numbers of shape"):
        setattr(net, name, np.ones(1))
    np.testing.assert_array_equal(vector, new)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_copy_is_independent_and_its_views_are_its_own(net, duplicate, rng):
    x = rng.normal(size=(8, 6))
    net.forward(x, training=True)
    twin = duplicate(net)
    np.testing.assert_array_equal(twin.forward(x, training=False), net.forward(x, training=False))
    twin.theta += 1.0
    for layer in twin.layers:
        for p in layer.params.values():
            assert np.shares_memory(p, twin.theta)
            assert not np.shares_memory(p, net.theta)
    assert not np.array_equal(twin.forward(x, training=False), net.forward(x, training=False))


@pytest.mark.parametrize(
    ("layers", "error", "match"),
    [
        ([], ValueError, "at least one layer"),
        ([Dense(2, 3), 5], TypeError, r"layers\[1\] \(int\): expected a Layer"),
        ([Dense(2, 3), Dense(4, 1)], ValueError, r"layers\[1\] \(Dense\).*width of 3, got 4"),
        ([Dense(2, 3), ReLU(), BatchNorm(4)], ValueError, r"layers\[2\] \(BatchNorm\).*got 4"),
        ([Dense(2, 3), BatchNorm(3, dtype=np.float32)], ValueError, "one dtype"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, error, match):
    with pytest.raises(error, match=match):
        Sequential(layers)


def test_a_layer_of_another_network_comes_in_as_a_copy(net):
    twin = Sequential(net.layers)
    assert not any(a is b for a, b in zip(net.layers, twin.layers, strict=True))
    assert not np.shares_memory(twin.theta, net.theta)
    np.testing.assert_array_equal(twin.theta, net.theta)
    dense = Dense(3, 3)
    with pytest.raises(ValueError, match=r"layers\[1\] \(Dense\): expected each layer once"):
        Sequential([dense, dense])


@pytest.mark.parametrize("activation", [ReLU, LeakyReLU, Sigmoid, Tanh])
@pytest.mark.parametrize("norm", [BatchNorm, None])
@pytest.mark.parametrize("place", ["z", "a"])
def test_gradients_of_whole_networks_agree_with_differences(activation, norm, place, rng):
    net = mlp((6, 7, 5, 4), activation, norm, norm_position=place, rng=rng)
    net.theta += rng.normal(0.2, 0.4, net.theta.size)
    x, y = rng.normal(0.5, 1.5, (10, 6)), rng.integers(0, 4, 10)
    assert gradient_check(net, x, y) < 1e-7


def test_gradient_check_sees_a_wrong_backward_pass(rng):
    class Wrong(BatchNorm):
        def _backward(self, dz):
            right = super()._backward(dz)
            return right + 1e-4 * dz

    net = Sequential([Dense(6, 5, rng=rng), Wrong(5), Dense(5, 3, rng=rng)])
    errors = gradient_errors(net, rng.normal(size=(10, 6)), rng.integers(0, 3, 10))
    assert errors["0.w"] > 1e-6
    assert max(errors["1.gamma"], errors["2.w"], errors["2.b"]) < 1e-8


def test_gradient_check_is_calm_about_a_bias_whose_gradient_is_zero(rng):
    net = Sequential([Dense(6, 5, rng=rng), BatchNorm(5), Dense(5, 3, rng=rng)])
    errors = gradient_errors(net, rng.normal(size=(10, 6)), rng.integers(0, 3, 10))
    assert errors["0.b"] < 1e-7


def test_gradient_check_leaves_the_network_as_it_was(net, rng):
    x, y = rng.normal(size=(8, 6)), rng.integers(0, 3, 8)
    net.forward(x, training=True)
    norm = net.batch_norms[0]
    before = (net.theta.copy(), norm.running_mean.copy(), norm.running_var.copy())
    gradient_check(net, x, y)
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        gradient_check(net, x, y + 3)
    for now, then in zip((net.theta, norm.running_mean, norm.running_var), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert norm.batches_seen == 1


def test_gradient_check_refuses_float32_and_bad_steps(net, rng):
    x, y = rng.normal(size=(8, 6)), rng.integers(0, 3, 8)
    with pytest.raises(ValueError, match="float64, got float32"):
        gradient_check(mlp((6, 4, 3), dtype=np.float32), x.astype(np.float32), y)
    with pytest.raises(ValueError, match="step: expected a number"):
        gradient_check(net, x, y, step=0)


def test_mlp_starts_from_the_same_weights_with_and_without_batch_norm():
    plain = mlp((6, 7, 5, 4), norm=None, rng=np.random.default_rng(3))
    normed = mlp((6, 7, 5, 4), norm=BatchNorm, rng=np.random.default_rng(3))
    weights = [
        [la.params["w"] for la in n.layers if isinstance(la, Dense)] for n in (plain, normed)
    ]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "kinds", "biases"),
    [
        ({"norm": None}, "Dense ReLU Dense ReLU Dense", [True, True, True]),
        ({}, "Dense BatchNorm ReLU Dense BatchNorm ReLU Dense", [False, False, True]),
        ({"norm_position": "a"}, "Dense ReLU BatchNorm Dense ReLU BatchNorm Dense", [True] * 3),
        ({"bias": True}, "Dense BatchNorm ReLU Dense BatchNorm ReLU Dense", [True] * 3),
    ],
)
def test_mlp_puts_layers_and_biases_where_it_says(options, kinds, biases):
    net = mlp((6, 7, 5, 4), **options)
    assert " ".join(type(layer).__name__ for layer in net.layers) == kinds
    assert ["b" in la.params for la in net.layers if isinstance(la, Dense)] == biases


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (((6,),), {}, "at least an input and an output"),
        (((6, 3),), {"norm_position": "x"}, "'z' or 'a'"),
    ],
)
def test_mlp_refuses_what_it_does_not_know(arguments, options, match):
    with pytest.raises(ValueError, match=match):
        mlp(*arguments, **options)

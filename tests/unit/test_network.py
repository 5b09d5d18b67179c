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
    initial_weights,
    mlp,
)

from .helpers import peak_of


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


def test_mlp_starts_as_dense_layers_in_a_row_would():
    rng = np.random.default_rng(3)
    first, second = Dense(6, 5, rng=rng), Dense(5, 4, rng=rng)
    net = mlp((6, 5, 4), rng=np.random.default_rng(3))
    np.testing.assert_array_equal(net.layers[0].params["w"], first.params["w"])
    np.testing.assert_array_equal(net.layers[-1].params["w"], second.params["w"])


@pytest.mark.parametrize("init", ["xavier", "lecun"])
def test_mlp_hands_initialisation_and_gain_to_every_dense_layer(init):
    net = mlp((6, 5, 4), init=init, gain=3.0, rng=np.random.default_rng(3))
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(
        net.layers[0].params["w"], 3.0 * initial_weights(rng, 5, 6, init)
    )
    np.testing.assert_array_equal(
        net.layers[-1].params["w"], 3.0 * initial_weights(rng, 4, 5, init)
    )


def test_mlp_makes_each_normalisation_of_its_width():
    net = mlp((6, 5, 4, 3), norm=lambda n: BatchNorm(n, epsilon=0.25))
    assert [(norm.n, norm.epsilon) for norm in net.batch_norms] == [(5, 0.25), (4, 0.25)]


def test_the_parameters_and_statistics_of_float32_layers_are_float32():
    net = mlp((6, 5, 4), dtype=np.float32)
    (norm,) = net.batch_norms
    arrays = (net.theta, net.dtheta, norm.running_mean, norm.running_var)
    assert [a.dtype for a in arrays] == [np.float32] * 4


def test_a_network_without_parameters_is_a_network():
    net = Sequential([ReLU(), Tanh()])
    assert net.theta.shape == net.dtheta.shape == (0,)
    assert net.dtype is None
    np.testing.assert_array_equal(net.forward(np.full((1, 2), -1.0), training=False), [[0.0, 0.0]])


@pytest.mark.parametrize(
    "make", [lambda: Dense(6, 5), lambda: BatchNorm(6), ReLU], ids=["dense", "batch norm", "relu"]
)
def test_training_needs_no_gradient_of_the_input(make, rng):
    first = make()
    net = Sequential([first, Dense(first.n_out or 6, 5, rng=rng), Tanh()])
    dz = rng.normal(size=net.forward(rng.normal(size=(8, 6)), training=True).shape)
    net.backward(dz)
    whole = net.dtheta.copy()
    net.dtheta[...] = np.nan
    assert net.backward(dz, need_input_gradient=False) is None
    np.testing.assert_array_equal(net.dtheta, whole)


def test_the_backward_pass_of_a_subclass_is_not_passed_over(rng):
    class Frozen(Dense):
        def _backward(self, dz):
            dx = super()._backward(dz)
            self.grads["w"] = np.zeros((2, 3))
            return dx

    net = Sequential([Frozen(3, 2, rng=rng)])
    net.backward(net.forward(rng.normal(size=(4, 3)), training=True), need_input_gradient=False)
    np.testing.assert_array_equal(net.layers[0].grads["w"], np.zeros((2, 3)))
    assert np.all(net.layers[0].grads["b"])


def test_a_single_dense_layer_saves_the_product_for_the_input():
    net = Sequential([Dense(100_000, 2)])
    dz = net.forward(np.ones((4, 100_000)), training=True)
    net.backward(dz)  # the first time, more is checked
    assert peak_of(lambda: net.backward(dz, need_input_gradient=False)) < 100_000

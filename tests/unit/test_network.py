from __future__ import annotations

import copy
import gc
import pickle

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    GradientDescent,
    Layer,
    LeakyReLU,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    fold_batch_norm,
    gradient_check,
    initial_weights,
    mlp,
    train,
)

from .helpers import peak_of


@pytest.fixture
def net(rng):
    return Sequential(
        [Dense(6, 5, bias=False, rng=rng), BatchNorm(5), ReLU(), Dense(5, 3, rng=rng)]
    )


def test_theta_holds_all_parameters_through_a_training_step(net, rng):
    assert net.theta.shape == net.dtheta.shape == (6 * 5 + 5 + 5 + 5 * 3 + 3,)
    assert_whole(net)
    net.backward(net.forward(rng.normal(size=(8, 6)), training=True))
    net.theta -= net.dtheta
    assert_whole(net)
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


def pickled(net):
    return pickle.loads(pickle.dumps(net))


def assert_whole(net):
    """Every parameter and gradient is the part of theta and dtheta that comes next."""
    start = 0
    for layer in net.layers:
        for name, p in layer.params.items():
            for vector, array in ((net.theta, p), (net.dtheta, layer.grads[name])):
                part = vector[start : start + p.size]
                assert np.shares_memory(array, part)
                np.testing.assert_array_equal(array.ravel(), part)
            assert getattr(layer, name) is p
            start += p.size
        if isinstance(layer, Sequential):
            assert_whole(layer)
    assert start == net.theta.size == net.dtheta.size


def train_a_little(net, rng):
    x, y = rng.normal(size=(8, 6)), rng.integers(0, 3, 8)
    train(net, x, y, optimizer=GradientDescent(0.1), batch_size=4, steps=2, rng=rng)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_is_independent_and_keeps_what_was_put_on_it(net, duplicate, rng):
    net.note, net.layers[0].note = ["mine"], {"a": 1}
    train_a_little(net, rng)
    twin = duplicate(net)
    assert_whole(net)
    assert_whole(twin)
    assert not np.shares_memory(twin.theta, net.theta)
    assert (twin.note, twin.layers[0].note) == (["mine"], {"a": 1})
    np.testing.assert_array_equal(twin.theta, net.theta)
    np.testing.assert_array_equal(twin.dtheta, net.dtheta)
    theta, dtheta = net.theta.copy(), net.dtheta.copy()
    mean = net.batch_norms[0].running_mean.copy()
    x = rng.normal(size=(8, 6))
    np.testing.assert_array_equal(twin.forward(x, training=False), net.forward(x, training=False))
    # Training either does not move the other: a copy once silently killed the original.
    train_a_little(twin, rng)
    np.testing.assert_array_equal(net.theta, theta)
    np.testing.assert_array_equal(net.dtheta, dtheta)
    np.testing.assert_array_equal(net.batch_norms[0].running_mean, mean)
    twin_theta = twin.theta.copy()
    train_a_little(net, rng)
    assert not np.array_equal(net.theta, theta)
    np.testing.assert_array_equal(twin.theta, twin_theta)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_has_the_same_dtype_and_widths(duplicate):
    net = Sequential([Residual([Dense(4, 4, dtype=np.float32)]), Dense(4, 3, dtype=np.float32)])
    twin = duplicate(net)
    assert (twin.dtype, twin.n_in, twin.n_out) == (np.float32, 4, 3)
    assert twin.theta.dtype == twin.dtheta.dtype == twin.layers[1].w.dtype == np.float32
    assert twin.forward(np.ones((2, 4), np.float32), training=True).dtype == np.float32


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_copied_layer_is_free_and_independent(net, duplicate, rng):
    net.forward(rng.normal(size=(8, 6)), training=True)
    twin = duplicate(net.layers[0])
    twin.w += 1.0
    np.testing.assert_array_equal(twin.w, net.layers[0].w + 1.0)
    # Free: it is moved into a network, not copied.
    assert Sequential([twin]).layers[0] is twin
    with pytest.raises(ValueError, match="a forward pass before it"):
        duplicate(net.layers[0]).backward(np.ones((8, 5)))


def test_a_pickle_holds_the_parameters_once_and_no_caches(rng):
    net = Sequential([Dense(100, 100, rng=rng), Residual([Dense(100, 100, rng=rng)])])
    size = len(pickle.dumps(net))
    # Parameters and gradients, a little around them, and no activations.
    assert size < 2 * net.theta.nbytes + 5_000
    net.backward(net.forward(rng.normal(size=(1000, 100)), training=True))
    assert len(pickle.dumps(net)) < size + 1_000
    with pytest.raises(ValueError, match="a forward pass before it"):
        pickled(net).backward(np.ones((1000, 100)))


# Whose layer it is


def test_a_free_layer_is_moved_in_and_its_handle_stays_live(rng):
    dense = Dense(3, 2, rng=rng)
    dense.grads["w"] = rng.normal(size=(2, 3))
    w, dw = dense.w.copy(), dense.grads["w"].copy()
    net = Sequential([dense, ReLU()])
    assert net.layers[0] is dense
    assert_whole(net)
    np.testing.assert_array_equal(dense.w, w)
    np.testing.assert_array_equal(dense.grads["w"], dw)
    net.theta += 1.0
    np.testing.assert_array_equal(dense.w, w + 1.0)
    dense.w = w
    np.testing.assert_array_equal(net.theta[:6], w.ravel())


def test_an_array_left_behind_does_not_pass_for_the_parameter():
    dense = Dense(3, 2)
    alias, dalias = dense.w, dense.grads["w"]
    Sequential([dense])
    for left in (alias, dalias):
        assert np.isnan(left).all()
        with pytest.raises(ValueError, match="read-only"):
            left += 1.0


@pytest.mark.parametrize("make", [lambda: Dense(5, 5), lambda: BatchNorm(5, affine=False), ReLU])
def test_a_layer_of_another_network_comes_in_as_a_copy_as_it_stands(make, rng):
    layer = make()
    first = Sequential([layer])
    first.forward(rng.normal(size=(4, 5)), training=True)
    second = Sequential([layer])
    assert second.layers[0] is not layer is first.layers[0]
    assert_whole(first)
    assert_whole(second)
    np.testing.assert_array_equal(second.theta, first.theta)
    x = rng.normal(size=(4, 5))
    np.testing.assert_array_equal(
        second.forward(x, training=False), first.forward(x, training=False)
    )
    first.forward(x + 1, training=True)
    if first.batch_norms:
        assert second.batch_norms[0].batches_seen == 1
    first.theta += 1.0
    assert not np.shares_memory(first.theta, second.theta)


def test_a_layer_of_a_deleted_network_is_free_again():
    net = Sequential([Dense(3, 3), ReLU()])
    dense = net.layers[0]
    w = dense.w.copy()
    del net
    gc.collect()
    assert Sequential([dense]).layers[0] is dense
    np.testing.assert_array_equal(dense.w, w)


def test_a_parameter_may_have_been_a_view(rng):
    class Shifted(Layer):
        def __init__(self, n):
            super().__init__(n, n, b=np.arange(2.0 * n).reshape(n, 2).T.reshape(2, n)[0])

        def _forward(self, x, training):
            return x + self.b

        def _backward(self, dz):
            self.grads["b"] = dz.sum(axis=0)
            return dz

    net = Sequential([Dense(4, 3, rng=rng), Shifted(3)])
    assert gradient_check(net, rng.normal(size=(5, 4)), rng.integers(0, 3, 5)) < 1e-7


def test_networks_are_cut_and_joined(net, rng):
    x = rng.normal(size=(8, 6))
    train_a_little(net, rng)
    z = net.forward(x, training=False)
    head, tail = Sequential(net.layers[:2]), Sequential(net.layers[2:])
    np.testing.assert_array_equal(tail.forward(head.forward(x, training=False), training=False), z)
    folded = Sequential([fold_batch_norm(*net.layers[:2]), *net.layers[2:]])
    np.testing.assert_allclose(folded.forward(x, training=False), z, rtol=1e-12, atol=1e-13)
    joined = Sequential([*head.layers, *tail.layers])
    np.testing.assert_array_equal(joined.forward(x, training=False), z)
    theta = net.theta.copy()
    for part in (head, tail, folded, joined):
        assert_whole(part)
        part.theta += 1.0
    np.testing.assert_array_equal(net.theta, theta)


def nested(rng):
    inner = Sequential([Dense(5, 5, rng=rng), BatchNorm(5)])
    return Sequential(
        [Dense(6, 5, rng=rng), Residual([inner, Tanh()]), Sequential([Dense(5, 3, rng=rng)])]
    )


def test_networks_nest(rng):
    net = nested(rng)
    assert_whole(net)
    inner = net.layers[1].layers[0]
    assert net.batch_norms == (inner.layers[1],)
    np.testing.assert_array_equal(inner.theta, net.theta[35:75])
    net.theta += rng.normal(0.1, 0.3, net.theta.size)
    x, y = rng.normal(size=(7, 6)), rng.integers(0, 3, 7)
    assert gradient_check(net, x, y) < 1e-7
    twin = copy.copy(net)
    train_a_little(twin, rng)
    assert_whole(twin)
    assert_whole(net)
    # The whole of a network goes into another one, and its parts go along.
    outer = Sequential([twin, ReLU()])
    assert outer.layers[0] is twin
    assert_whole(outer)
    outer.theta[...] = 3.0
    assert (twin.layers[1].layers[0].layers[0].w == 3.0).all()


def test_a_residual_adds_its_input(rng):
    block = Residual([Dense(4, 4, rng=rng), Tanh()])
    inner = Sequential(block.layers)
    x, dz = rng.normal(size=(2, 5, 4))
    np.testing.assert_array_equal(
        block.forward(x, training=True), x + inner.forward(x, training=True)
    )
    np.testing.assert_array_equal(block.backward(dz), dz + inner.backward(dz))
    np.testing.assert_array_equal(block.dtheta, inner.dtheta)
    block.dtheta[...] = np.nan
    assert block.backward(dz, need_input_gradient=False) is None
    np.testing.assert_array_equal(block.dtheta, inner.dtheta)


REFUSED = {
    "one twice": lambda a, b: [a, b, a],
    "a width": lambda a, b: [a, b, Dense(4, 1)],
    "a dtype": lambda a, b: [a, b, Dense(2, 2, dtype=np.float32)],
    "no layer": lambda a, b: [a, b, 5],
    "a layer that hides one": lambda a, b: [a, b, hiding(Dense(2, 2))],
    "an alias in a list": lambda a, b: [a, b, hiding(np.ones(2))],
}


def hiding(thing):
    layer = Dense(2, 2)
    layer.hidden = [layer.w if isinstance(thing, np.ndarray) else thing]
    return layer


@pytest.mark.parametrize("layers", REFUSED.values(), ids=REFUSED)
def test_a_refused_construction_changes_nothing(layers):
    a, b = Dense(3, 2), Sequential([ReLU(), Dense(2, 2)])
    w, theta = a.w, b.theta
    before = pickle.dumps((a, b))
    with pytest.raises((ValueError, TypeError), match="expected"):
        Sequential(layers(a, b))
    assert a.w is w
    assert b.theta is theta
    assert pickle.dumps((a, b)) == before
    # Both are free still.
    assert Sequential([a, b]).layers == (a, b)


def test_a_layer_that_fails_half_way_leaves_nothing_to_go_back_through(net, rng):
    x = rng.normal(size=(4, 6))
    z = net.forward(x, training=True)
    with pytest.raises(ValueError, match="at least 2 examples in training, got 1"):
        net.forward(x[:1], training=True)
    with pytest.raises(ValueError, match="a forward pass before it"):
        net.backward(z)


@pytest.mark.parametrize("activation", [ReLU, LeakyReLU, Sigmoid, Tanh])
@pytest.mark.parametrize("norm", [BatchNorm, None])
@pytest.mark.parametrize("place", ["z", "a"])
def test_gradients_of_whole_networks_agree_with_differences(activation, norm, place, rng):
    net = mlp((6, 7, 5, 4), activation, norm, norm_position=place, rng=rng)
    net.theta += rng.normal(0.2, 0.4, net.theta.size)
    x, y = rng.normal(0.5, 1.5, (10, 6)), rng.integers(0, 4, 10)
    for training in (True, False):
        net.forward(x, training=True)
        assert gradient_check(net, x, y, training=training) < 1e-7


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


def test_mlp_refuses_options_that_it_does_not_know():
    for option in ({"dytpe": np.float32}, {"epsilon": -1}, {"batch_norm": False}):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            mlp((6, 5, 4), norm=None, **option)


def test_mlp_takes_any_normalisation_of_a_width():
    net = mlp((6, 5, 4), norm=lambda n: Sequential([BatchNorm(n, affine=False)]))
    assert [la.bias for la in net.layers if isinstance(la, Dense)] == [True, True]
    net = mlp((6, 5, 4), norm=BatchNorm, dtype=np.float32)
    assert net.batch_norms[0].dtype == np.float32


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
            dx = Dense._backward(self, dz)
            self.grads["w"] = np.zeros((2, 3))
            return dx

    class OnlyTheBias(Dense):
        def _backward(self, dz):
            return Frozen._backward(self, dz)

        def _backward_parameters(self, dz):
            self.grads["b"] = np.full(2, 7.0)

    class Same(Dense):
        pass

    for kind, b in ((Frozen, None), (OnlyTheBias, 7.0), (Same, None)):
        layer = kind(3, 2, rng=rng)
        net = Sequential([layer])
        z = net.forward(rng.normal(size=(4, 3)), training=True)
        # The first time more is checked, and no short cut is taken.
        for _ in range(2):
            net.backward(z, need_input_gradient=False)
        assert np.any(layer.grads["w"]) == (kind is Same)
        np.testing.assert_allclose(layer.grads["b"], z.sum(axis=0) if b is None else b)
    assert Same._backward_parameters is Dense._backward_parameters


def test_a_single_dense_layer_saves_the_product_for_the_input():
    net = Sequential([Dense(100_000, 2)])
    dz = net.forward(np.ones((4, 100_000)), training=True)
    net.backward(dz)  # the first time, more is checked
    assert peak_of(lambda: net.backward(dz, need_input_gradient=False)) < 100_000

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    Layer,
    LeakyReLU,
    Parameters,
    ReLU,
    Sigmoid,
    Tanh,
    initial_weights,
)

from . import exact
from .helpers import DTYPES, EACH, frozen, make_odd, numeric_gradient, peak_of, relative_error

LAYERS = {
    "dense": lambda: Dense(5, 4, rng=np.random.default_rng(0)),
    "dense without bias": lambda: Dense(5, 4, bias=False, rng=np.random.default_rng(0)),
    "batch norm": lambda: BatchNorm(5),
    "batch norm without affine": lambda: BatchNorm(5, affine=False),
    "batch norm, epsilon 0": lambda: BatchNorm(5, epsilon=0),
    "batch norm, large epsilon": lambda: BatchNorm(5, epsilon=0.7),
    "relu": ReLU,
    "leaky relu": lambda: LeakyReLU(0.2),
    "sigmoid": Sigmoid,
    "tanh": Tanh,
}


each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())


@each_layer
@pytest.mark.parametrize(
    ("m", "training"), [(4, True), (7, True), (16, True), (1, False), (5, False)]
)
def test_gradients_agree_with_central_differences(make, m, training, rng):
    layer = make()
    make_odd(layer, rng)
    weights = rng.normal(size=layer.forward(rng.normal(size=(16, 5)), training=True).shape)[:m]
    x = rng.normal(0.5, 2.0, (m, 5))

    def loss() -> float:
        return float(np.sum(weights * np.sin(layer.forward(x, training=training))))

    # It is the last pass that is differentiated, whatever came before.
    layer.forward(x + 1, training=m > 1)
    dz = weights * np.cos(layer.forward(x, training=training))
    dx = layer.backward(dz)
    grads = {name: g.copy() for name, g in layer.grads.items()}
    assert relative_error(dx, numeric_gradient(loss, x)) < 1e-7
    for name, p in layer.params.items():
        assert relative_error(grads[name], numeric_gradient(loss, p)) < 1e-7, name


@each_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_input_is_that_of_the_output(make, dtype, rng):
    layer = make()
    x = rng.normal(size=(6, 5)).astype(dtype)
    z = layer.forward(x, training=True)
    assert z.dtype == dtype
    assert layer.backward(np.ones_like(z)).dtype == dtype
    assert layer.forward(x, training=False).dtype == dtype


@each_layer
def test_layout_does_not_matter_and_arguments_are_not_written_to(make, rng):
    layer = make()
    x = rng.normal(size=(6, 5))
    z = layer.forward(x, training=True)
    dz = rng.normal(size=z.shape)
    dx = layer.backward(dz)
    wide = np.zeros((12, 10))
    wide[::2, ::2] = x
    for same in (np.asfortranarray(x), wide[::2, ::2]):
        before = same.copy()
        same.flags.writeable = False
        other = make()
        np.testing.assert_allclose(other.forward(same, training=True), z, rtol=1e-13, atol=1e-14)
        upstream = np.asfortranarray(dz)
        upstream.flags.writeable = False
        np.testing.assert_allclose(other.backward(upstream), dx, rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(same, before)


@each_layer
def test_a_layer_has_a_gradient_for_each_parameter_and_can_be_read_by_name(make):
    layer = make()
    assert isinstance(layer, Layer)
    assert layer.params.keys() == layer.grads.keys()
    for name, p in layer.params.items():
        assert layer.grads[name].shape == p.shape
        assert getattr(layer, name) is p
        assert layer.dtype == p.dtype


def test_backward_goes_through_the_last_pass_and_needs_one(rng):
    layer = Dense(5, 4, rng=rng)
    x, dz = rng.normal(size=(3, 5)), rng.normal(size=(3, 4))
    with pytest.raises(ValueError, match="backward: expected a forward pass before it, got none"):
        layer.backward(dz)
    for training in (True, False):
        x = x + 1
        layer.forward(x, training=training)
        for _ in range(2):
            np.testing.assert_array_equal(layer.backward(dz), dz @ layer.w)
            np.testing.assert_array_equal(layer.grads["w"], dz.T @ x)
        layer.grads["w"] = np.zeros((4, 5))
        assert layer.backward(dz, need_input_gradient=False) is None
        np.testing.assert_array_equal(layer.grads["w"], dz.T @ x)


def test_the_mode_has_no_default_and_is_named():
    layer = ReLU()
    with pytest.raises(TypeError):
        layer.forward(np.ones((2, 2)))
    with pytest.raises(TypeError):
        layer.forward(np.ones((2, 2)), True)
    np.testing.assert_array_equal(layer.forward(np.ones((2, 2)), training=np.True_), 1.0)


@pytest.mark.parametrize(
    ("init", "variance"), [("he", 2 / 400), ("lecun", 1 / 400), ("xavier", 2 / 1000)]
)
def test_initial_weights_have_the_stated_variance(init, variance):
    w = initial_weights(np.random.default_rng(0), 600, 400, init)
    assert w.shape == (600, 400)
    # 240,000 draws: the relative standard error of a variance is √(2/240000) = 0.3 %.
    assert w.var() == pytest.approx(variance, rel=0.015)
    assert abs(w.mean()) < 5 * np.sqrt(variance / w.size)


def test_gain_scales_the_weights_and_the_seed_decides_them():
    one = Dense(4, 3, rng=np.random.default_rng(5)).params["w"]
    two = Dense(4, 3, gain=2.0, rng=np.random.default_rng(5)).params["w"]
    np.testing.assert_array_equal(two, 2 * one)
    assert not np.array_equal(Dense(4, 3).params["w"], Dense(4, 3).params["w"])


def test_the_bias_starts_at_zero_and_can_be_left_out():
    np.testing.assert_array_equal(Dense(4, 3).params["b"], np.zeros(3))
    assert set(Dense(4, 3, bias=False).params) == {"w"}


def test_assignment_copies_into_place_and_names_are_fixed():
    layer = Dense(2, 2)
    w = layer.params["w"]
    layer.params["w"] += 1.0
    layer.params["w"][...] = 7.0
    new = np.full((2, 2), 3.0)
    for assign in (
        lambda: layer.params.__setitem__("w", new),
        lambda: layer.params.update(w=new),
        lambda: setattr(layer, "w", new),
    ):
        w[...] = 0.0
        assign()
        assert layer.params["w"] is layer.w is w
        np.testing.assert_array_equal(w, new)
    for change in (
        lambda: layer.params.pop("w"),
        lambda: layer.params.clear(),
        lambda: layer.params.setdefault("c", w),
        lambda: layer.params.__delitem__("w"),
    ):
        with pytest.raises(TypeError, match="expected"):
            change()
    for bad, error in (
        (np.ones((1, 2)), ValueError),
        (np.ones((2, 2), complex), ValueError),
        (None, TypeError),
        ("w", TypeError),
        (1.0, ValueError),
    ):
        with pytest.raises(error, match=r"Dense.params\['w'\]: expected"):
            layer.params["w"] = bad
    assert layer.params["w"] is w
    np.testing.assert_array_equal(w, new)


def test_parameters_survive_copies_and_pickles():
    params = Parameters({"w": np.arange(3.0)}, "params")
    assert repr(params) == "params({'w': array([0., 1., 2.])})"
    assert (list(params), len(params)) == (["w"], 1)
    for same in (copy.deepcopy(params), pickle.loads(pickle.dumps(params))):
        assert isinstance(same, Parameters)
        np.testing.assert_array_equal(same["w"], params["w"])
        assert same["w"] is not params["w"]


def test_he_is_the_usual_initialisation():
    w = Dense(4, 3, rng=np.random.default_rng(1)).params["w"]
    np.testing.assert_array_equal(w, initial_weights(np.random.default_rng(1), 3, 4, "he"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("other", [np.float32, np.float64])
@pytest.mark.parametrize("make", [lambda d: Dense(6, 6, dtype=d), lambda d: BatchNorm(6, dtype=d)])
def test_a_layer_computes_in_its_own_dtype_and_returns_that_of_the_batch(make, dtype, other, rng):
    layer, x = make(dtype), rng.normal(size=(40, 6)).astype(other)
    twin = copy.deepcopy(layer)
    dz = rng.normal(size=(40, 6)).astype(other)
    for training in (True, False):
        z = layer.forward(x, training=training)
        right = twin.forward(x.astype(dtype), training=training)
        np.testing.assert_array_equal(z, right.astype(other))
        dx, right = layer.backward(dz), twin.backward(dz.astype(dtype))
        np.testing.assert_array_equal(dx, right.astype(other))
        assert z.dtype == dx.dtype == other
        for name, grad in twin.grads.items():
            np.testing.assert_array_equal(layer.grads[name], grad)
            assert layer.grads[name].dtype == dtype


def test_the_gradient_of_the_weights_is_written_in_its_place():
    layer, x = Dense(500, 500), np.ones((2, 500))
    layer.forward(x, training=True)
    dz = np.ones((2, 500))
    layer.backward(dz)  # the first time, more is checked
    assert peak_of(lambda: layer.backward(dz)) < layer.params["w"].nbytes / 10


def test_the_passes_of_dense_do_not_copy_the_parameters():
    layer, x = Dense(500, 500), np.ones((2, 500))
    assert peak_of(lambda: layer.forward(x, training=True)) < layer.params["w"].nbytes / 10
    wide, x = Dense(1, 100_000), np.ones((1, 1))
    assert (
        peak_of(lambda: wide.forward(x, training=True)) < 1.5 * wide.params["b"].nbytes
    )  # its output


def test_the_backward_passes_of_the_activations_and_of_batch_norm_leave_the_gradient_alone(rng):
    z, dz = rng.normal(size=(2, 6, 3))
    dz.flags.writeable = False
    for layer in (ReLU(), LeakyReLU(), Sigmoid(), Tanh(), BatchNorm(3)):
        layer.forward(z, training=True)
        assert not np.shares_memory(layer.backward(dz), dz)


@EACH
@DTYPES
def test_a_dense_layer_is_exact(make, dtype, rng):
    x = frozen(make(rng).astype(dtype))
    layer = Dense(3, 2, rng=rng, dtype=dtype)
    layer.params["b"][...] = [0.5, -1e3]
    z = layer.forward(x, training=True)
    dz = frozen(rng.normal(size=z.shape).astype(dtype))
    dx = layer.backward(dz)
    X, W, DZ = (exact.rational(v) for v in (x, layer.params["w"], dz))
    size = [np.abs(v).astype(float) for v in (x, layer.params["w"], dz)]
    eps = float(np.finfo(dtype).eps)
    b = np.abs(layer.params["b"])
    right = X @ W.T + exact.rational(layer.params["b"])
    # A sum of k products is off by at most k + 1 roundings of the sum of their magnitudes.
    assert (exact.difference(z, right) <= 4 * eps * (size[0] @ size[1].T + b)).all()
    assert (exact.difference(dx, DZ @ W) <= 3 * eps * (size[2] @ size[1])).all()
    m = len(x)
    tolerance = (m + 1) / 2 * eps * (size[2].T @ size[0])
    assert (exact.difference(layer.grads["w"], DZ.T @ X) <= tolerance).all()
    tolerance = (m + 1) / 2 * eps * size[2].sum(axis=0)
    assert (exact.difference(layer.grads["b"], DZ.sum(axis=0)) <= tolerance).all()

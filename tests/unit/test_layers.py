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

from .helpers import make_odd, numeric_gradient, relative_error

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
@pytest.mark.parametrize("m", [4, 7, 16])
def test_gradients_agree_with_central_differences(make, m, rng):
    layer = make()
    make_odd(layer, rng)
    x = rng.normal(0.5, 2.0, (m, 5))
    weights = rng.normal(size=layer.forward(x, training=True).shape)

    def loss() -> float:
        return float(np.sum(weights * np.sin(layer.forward(x, training=True))))

    dz = weights * np.cos(layer.forward(x, training=True))
    dx = layer.backward(dz)
    grads = {name: g.copy() for name, g in layer.grads.items()}
    assert relative_error(dx, numeric_gradient(loss, x)) < 1e-7
    for name, p in layer.params.items():
        assert relative_error(grads[name], numeric_gradient(loss, p)) < 1e-7, name


def test_two_examples_have_no_gradient_without_epsilon(rng):
    layer = BatchNorm(5, epsilon=0)
    layer.forward(np.array([[0.0] * 5, [1.0, 2.0, -3.0, 4.0, 0.5]]), training=True)
    # z_norm is ±1 whatever z is, so nothing that z does can change the loss.
    assert np.abs(layer.backward(rng.normal(size=(2, 5)))).max() < 1e-14


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
def test_each_layer_follows_the_protocol(make):
    layer = make()
    assert isinstance(layer, Layer)
    assert layer.params.keys() == layer.grads.keys()
    for name, p in layer.params.items():
        assert layer.grads[name].shape == p.shape


BAD_INPUTS = {
    "None": (None, TypeError),
    "list": ([[1.0] * 5] * 3, TypeError),
    "text": ("x", TypeError),
    "masked": (np.ma.ones((3, 5)), TypeError),
    "1-d": (np.ones(5), ValueError),
    "3-d": (np.ones((3, 5, 1)), ValueError),
    "0-d": (np.array(1.0), ValueError),
    "no rows": (np.ones((0, 5)), ValueError),
    "no columns": (np.ones((3, 0)), ValueError),
    "integers": (np.ones((3, 5), int), ValueError),
    "booleans": (np.ones((3, 5), bool), ValueError),
    "complex": (np.ones((3, 5), complex), ValueError),
    "objects": (np.ones((3, 5), object), ValueError),
    "float16": (np.ones((3, 5), np.float16), ValueError),
}


@each_layer
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("bad", "error"), BAD_INPUTS.values(), ids=BAD_INPUTS.keys())
def test_bad_input_is_refused_and_nothing_changes(make, training, bad, error, rng):
    layer = make()
    good = rng.normal(size=(4, 5))
    layer.forward(good, training=True)
    before = pickle.dumps(layer)
    with pytest.raises(error, match=r"expected .* got "):
        layer.forward(bad, training=training)
    assert pickle.dumps(layer) == before


@pytest.mark.parametrize("make", [LAYERS["dense"], LAYERS["batch norm"]])
def test_a_wrong_width_is_named(make):
    with pytest.raises(ValueError, match=r"\(m, 5\).*\(3, 6\)"):
        make().forward(np.ones((3, 6)), training=True)


@each_layer
def test_backward_needs_a_pass_and_a_fitting_gradient(make, rng):
    layer = make()
    with pytest.raises(ValueError, match="a forward pass before it"):
        layer.backward(np.ones((4, 5)))
    z = layer.forward(rng.normal(size=(4, 5)), training=True)
    with pytest.raises(ValueError, match="expected shape"):
        layer.backward(np.ones((3, z.shape[1])))
    with pytest.raises(TypeError, match="NumPy array"):
        layer.backward(None)
    layer.backward(np.ones_like(z))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0, 3), "n_in"),
        ((3, -1), "n_out"),
        ((2.0, 3), "n_in"),
        ((True, 3), "n_in"),
        ((None, 3), "n_in"),
        (("3", 3), "n_in"),
    ],
)
def test_dense_refuses_bad_widths(arguments, name):
    with pytest.raises(ValueError, match=f"{name}: expected a whole number"):
        Dense(*arguments)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"init": "zeros"}, "init: expected 'he' or"),
        ({"gain": -1.0}, "gain: expected a number"),
        ({"gain": float("nan")}, "gain: expected a number"),
        ({"bias": 1}, "bias: expected True or False"),
        ({"dtype": np.int64}, "dtype: expected float32 or float64"),
        ({"dtype": None}, "dtype: expected float32 or float64"),
        ({"dtype": "no such"}, "dtype: expected float32 or float64"),
    ],
)
def test_dense_refuses_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        Dense(3, 2, **options)


def test_dense_refuses_another_source_of_randomness():
    with pytest.raises(TypeError, match="numpy.random.Generator"):
        Dense(3, 2, rng=0)


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
    for same in (copy.deepcopy(params), pickle.loads(pickle.dumps(params))):
        assert isinstance(same, Parameters)
        np.testing.assert_array_equal(same["w"], params["w"])
        assert same["w"] is not params["w"]

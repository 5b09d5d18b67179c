"""Small facts that larger tests don't see: defaults, dtypes, boundaries, and what is not copied.

Most of them were written because a mutation of the code went unnoticed (`make mutants`).
"""

from __future__ import annotations

import copy
import tracemalloc

import numpy as np
import pytest

from bncourse import (
    Adam,
    BatchNorm,
    CumulativeAverage,
    Dense,
    ExponentialMovingAverage,
    GradientDescent,
    LeakyReLU,
    Momentum,
    ReLU,
    RMSprop,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    batch_norm,
    batch_norm_backward,
    fold_batch_norm,
    initial_weights,
    layer_outputs,
    load_digits,
    mlp,
    population_statistics,
    standardize,
    two_features,
    whiten,
)


def peak_of(call):
    """Return the most memory, in bytes, that a call held beyond what there was before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


# Defaults


@pytest.mark.parametrize(
    ("make", "defaults"),
    [
        (
            lambda: BatchNorm(3),
            {"epsilon": 1e-5, "decay": 0.9, "unbiased": True, "affine": True},
        ),
        (LeakyReLU, {"slope": 0.01}),
        (lambda: Momentum(0.1), {"decay": 0.9}),
        (lambda: RMSprop(0.1), {"decay": 0.9, "epsilon": 1e-8}),
        (Adam, {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}),
        (lambda: ExponentialMovingAverage(0.5), {"bias_correction": True}),
    ],
)
def test_defaults_are_the_documented_ones(make, defaults):
    made = make()
    assert {name: getattr(made, name) for name in defaults} == defaults


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


def test_he_is_the_usual_initialisation():
    w = Dense(4, 3, rng=np.random.default_rng(1)).params["w"]
    np.testing.assert_array_equal(w, initial_weights(np.random.default_rng(1), 3, 4, "he"))


# What float32 stays


def test_the_parameters_and_statistics_of_float32_layers_are_float32():
    net = mlp((6, 5, 4), dtype=np.float32)
    (norm,) = net.batch_norms
    arrays = (net.theta, net.dtheta, norm.running_mean, norm.running_var)
    assert [a.dtype for a in arrays] == [np.float32] * 4


def test_float32_gradients_of_batch_norm_are_float32(rng):
    z, one = rng.normal(size=(8, 3)).astype(np.float32), np.ones(3, np.float32)
    z_tilde, cache = batch_norm(z, one, one, 1e-5)
    gradients = batch_norm_backward(np.ones_like(z), cache)
    assert [a.dtype for a in (z_tilde, *cache[:5], *gradients)] == [np.float32] * 9


@pytest.mark.parametrize("kind", [ReLU, LeakyReLU, Sigmoid, Tanh])
def test_float32_activations_keep_float32_derivatives(kind, rng):
    layer = kind()
    z = rng.normal(size=(8, 3)).astype(np.float32)
    layer.forward(z, training=True)
    assert layer.backward(z).dtype == np.float32


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


def test_a_float32_fold_is_computed_in_float32(rng):
    dense, norm = Dense(4, 3, dtype=np.float32, rng=rng), BatchNorm(3, dtype=np.float32)
    norm.params["gamma"][...] = rng.normal(size=3)
    norm.set_statistics(*rng.uniform(1, 2, (2, 3)).astype(np.float32))
    folded = fold_batch_norm(dense, norm)
    scale = norm.params["gamma"] / np.sqrt(norm.running_var + np.float32(1e-5))
    assert folded.params["w"].dtype == np.float32
    np.testing.assert_array_equal(folded.params["w"], scale[:, np.newaxis] * dense.params["w"])


@pytest.mark.parametrize("make", [lambda: ExponentialMovingAverage(0.5), CumulativeAverage])
def test_averages_of_float32_are_float32_and_of_integers_float64(make):
    average = make()
    for _ in range(2):
        assert average.update(np.ones(2, np.float32)).dtype == np.float32
    average = make()
    assert average.update(np.array([1, 2])).dtype == np.float64
    np.testing.assert_array_equal(average.value, [1.0, 2.0])
    assert make().update(3).dtype == np.float64


def test_float32_data_stay_float32(rng):
    digits = load_digits(standardized=True, dtype=np.float32)
    assert [digits.x_train.dtype, digits.x_test.dtype] == [np.float32] * 2
    x = rng.normal(size=(20, 3)).astype(np.float32)
    assert [a.dtype for a in (*standardize(x, x), *whiten(x, x))] == [np.float32] * 4


# Values and boundaries


def test_the_pixels_of_both_sets_are_sixteenths():
    digits = load_digits(seed=3)
    for images in (digits.x_train, digits.x_test):
        np.testing.assert_array_equal(np.unique(images * 16), np.arange(17))


def test_a_constant_feature_is_centred_and_not_divided():
    x_train = np.array([[0.0, 3.0], [2.0, 3.0]])
    train, test = standardize(x_train, np.array([[1.0, 5.0]]))
    np.testing.assert_array_equal(train, [[-1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(test, [[0.0, 2.0]])


#: Three features that are orthogonal, of mean 0 and variance 1.
ORTHOGONAL = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)


def test_whitening_looks_at_relative_variance_only():
    for scale in (1e-9, 1e9):
        np.testing.assert_allclose(whiten(ORTHOGONAL * scale)[0], ORTHOGONAL, rtol=1e-12)


def test_singular_features_are_refused_with_the_extreme_eigenvalues():
    with pytest.raises(ValueError) as caught:
        whiten(ORTHOGONAL * np.array([2.0**-28, 2.0**-10, 1.0]))
    assert str(caught.value) == (
        "x_train: expected features none of which is a combination of the others, "
        "got a covariance with eigenvalues from 1.39e-17 to 1"
    )
    with pytest.raises(ValueError, match="eigenvalues from 0 to 0"):
        whiten(np.ones((5, 2)))


def test_whiten_wants_one_width():
    with pytest.raises(ValueError, match=r"x: expected shape \(m, 3\)"):
        whiten(ORTHOGONAL, np.ones((2, 4)))


def test_two_features_can_be_three_examples_with_a_small_second_feature():
    x = two_features(3, 0.5, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(x.std(axis=0), [1.0, 0.5], rtol=1e-12)
    np.testing.assert_array_equal(x, two_features(3, 0.5, 0.0, np.random.default_rng(0)))


def test_the_loss_treats_each_example_by_itself():
    z = np.array([[0.0, 1.0], [1e4, 1e4 + 1]])
    value, dz = SoftmaxCrossEntropy()(z, np.array([0, 0]))
    assert value == pytest.approx(np.log(1 + np.e), rel=1e-12)
    np.testing.assert_allclose(dz[0], dz[1], rtol=1e-12)


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


def test_given_statistics_count_as_one_batch_unless_there_were_more(rng):
    norm = BatchNorm(2)
    norm.set_statistics(np.zeros(2), np.zeros(2))  # a variance of 0 is one
    assert norm.batches_seen == 1
    for _ in range(4):
        norm.forward(rng.normal(size=(5, 2)), training=True)
    norm.set_statistics(np.zeros(2), np.ones(2))
    assert norm.batches_seen == 5


@pytest.mark.parametrize(
    ("n", "size", "starts"),
    [
        (7, 3, [0, 3]),
        (8, 3, [0, 3, 6]),
        (9, 3, [0, 3, 6]),
        (4, 3, [0]),
        (5, 4, [0]),
        (1, None, [0]),
    ],
)
def test_a_single_last_example_joins_the_batch_before_it(n, size, starts, rng):
    net = mlp((4, 5, 3, 2), rng=rng)
    x = rng.normal(size=(n, 4))
    # The second batch norm's input depends on which examples were normalised together.
    at = net.layers.index(net.batch_norms[1]) - 1
    batches = [x[a:b] for a, b in zip(starts, [*starts[1:], n], strict=True)]
    z = np.concatenate([layer_outputs(net, batch, statistics="batch")[at] for batch in batches])
    mean, var = population_statistics(net, x, size)[1]
    np.testing.assert_allclose(mean, z.mean(axis=0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(var, z.var(axis=0), rtol=1e-12, atol=1e-14)


# What is not copied, and what is not made


@pytest.mark.parametrize("kind", [GradientDescent, Momentum, RMSprop, Adam])
def test_a_step_makes_no_new_vector(kind):
    theta, gradient, optimizer = np.ones(100_000), np.ones(100_000), kind(0.1)
    optimizer.step(theta, gradient)  # makes the state
    assert peak_of(lambda: optimizer.step(theta, gradient)) < theta.nbytes / 10


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


def test_evaluation_makes_two_arrays_of_the_size_of_the_batch():
    norm, z = BatchNorm(50), np.ones((2000, 50))
    norm.set_statistics(z[0], z[0])
    norm.forward(z, training=False)  # keeps z_norm
    assert peak_of(lambda: norm.forward(z, training=False)) < 2.5 * z.nbytes


def test_batch_norm_makes_two_arrays_of_the_size_of_the_batch():
    z, one = np.random.default_rng(0).normal(size=(2000, 50)), np.ones(50)
    assert peak_of(lambda: batch_norm(z, one, one, 1e-5)) < 2.5 * z.nbytes


def test_the_loss_makes_one_array_of_the_size_of_the_logits():
    z, y = np.zeros((2000, 50)), np.zeros(2000, int)
    assert peak_of(lambda: SoftmaxCrossEntropy()(z, y)) < 1.5 * z.nbytes


def test_the_backward_passes_of_the_activations_and_of_batch_norm_leave_the_gradient_alone(rng):
    z, dz = rng.normal(size=(2, 6, 3))
    dz.flags.writeable = False
    for layer in (ReLU(), LeakyReLU(), Sigmoid(), Tanh(), BatchNorm(3)):
        layer.forward(z, training=True)
        assert not np.shares_memory(layer.backward(dz), dz)

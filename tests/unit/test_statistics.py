from __future__ import annotations

import copy
import functools
import pickle

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    Layer,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    accuracy,
    gauss_newton_spectrum,
    gradient_check,
    layer_outputs,
    loss_and_gradient,
    mlp,
    population_statistics,
    preserve_statistics,
    set_statistics,
    walk_along_gradient,
)

from . import exact
from .helpers import HARD, frozen


@pytest.fixture
def net(rng):
    net = mlp((64, 12, 9, 10), ReLU, rng=rng)
    net.theta += rng.normal(0.1, 0.1, net.theta.size)
    return net


def test_layer_outputs_are_those_of_training_and_evaluation(net, digits):
    x = digits.x_train[:50]
    expected = net.forward(x, training=True)
    np.testing.assert_array_equal(layer_outputs(net, x, statistics="batch")[-1], expected)
    np.testing.assert_array_equal(
        layer_outputs(net, x, statistics="running")[-1], net.forward(x, training=False)
    )
    assert len(layer_outputs(net, x, statistics="batch")) == len(net.layers)
    with pytest.raises(ValueError, match="'batch' or 'running'"):
        layer_outputs(net, x, statistics="train")


class Noise(Layer):
    """A layer with a random generator and an array of its own, both changed by each pass."""

    def __init__(self):
        self.rng, self.total = np.random.default_rng(0), np.zeros(1)

    def _forward(self, x, training):
        self.factors = self.rng.normal(size=x.shape)
        self.total += self.factors.sum()
        return x * self.factors

    def _backward(self, dz):
        return dz * self.factors


MEASURES = {
    "accuracy": accuracy,
    "layer outputs, batch": lambda net, x, y: layer_outputs(net, x, statistics="batch"),
    "layer outputs, running": lambda net, x, y: layer_outputs(net, x, statistics="running"),
    "population statistics": lambda net, x, y: population_statistics(net, x),
    "population statistics of batches": lambda net, x, y: population_statistics(net, x, 2),
    "gradient check": gradient_check,
    "gradient check in evaluation": functools.partial(gradient_check, training=False),
    "loss and gradient": loss_and_gradient,
    "walk": lambda net, x, y: walk_along_gradient(net, x, y, np.array([0.1, 1.0])),
    "spectrum": lambda net, x, y: gauss_newton_spectrum(net, x),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("wrong", [False, True])
def test_measuring_leaves_the_network_as_it_was(measure, wrong, rng):
    inner = Residual([Dense(5, 5, rng=rng), BatchNorm(5), Tanh(), Noise()])
    net = Sequential([Dense(4, 5, rng=rng), BatchNorm(5), Sigmoid(), inner, Dense(5, 3, rng=rng)])
    net.note = 5
    x, y = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    net.backward(net.forward(x + 1, training=True))
    net.forward(x, training=False)
    twin = copy.deepcopy(net)
    dz = net.forward(x, training=True)
    twin.forward(x, training=True)
    before = pickle.dumps(net)
    # In the midst of a step: after the pass forward, before the pass back.
    if wrong:
        with pytest.raises((ValueError, TypeError)):
            measure(net, x[:, :3], y)
    else:
        measure(net, x[1:5] + 2, y[1:5])
    assert pickle.dumps(net) == before
    np.testing.assert_array_equal(net.backward(dz), twin.backward(dz))
    np.testing.assert_array_equal(net.dtheta, twin.dtheta)
    for training in (True, False):
        np.testing.assert_array_equal(
            net.forward(x, training=training), twin.forward(x, training=training)
        )


def test_measuring_before_the_first_pass_leaves_none(rng):
    net = mlp((4, 3, 2), norm=None, rng=rng)
    accuracy(net, np.ones((2, 4)), np.array([0, 1]))
    with pytest.raises(ValueError, match="a forward pass before it"):
        net.backward(np.ones((2, 2)))


def test_one_image_in_batch_mode_says_the_same_whatever_it_shows(net, digits):
    outputs = [
        layer_outputs(net, digits.x_test[i : i + 1], statistics="batch")[-1] for i in range(5)
    ]
    for z in outputs[1:]:
        np.testing.assert_array_equal(z, outputs[0])


def test_population_statistics_are_those_of_the_whole_set(net, digits):
    x = digits.x_train
    first = population_statistics(net, x)[0]
    z = net.layers[0].forward(x, training=False)
    np.testing.assert_allclose(first.mean, z.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(first.var, z.var(axis=0), rtol=1e-12)
    assert net.batch_norms[0].batches_seen == 0


@pytest.mark.parametrize("size", [2, 7, 100, 1436])
def test_the_first_layer_has_the_same_statistics_however_it_is_batched(net, digits, size):
    # Its inputs don't depend on any batch, so the law of total variance is exact.
    whole, parts = (population_statistics(net, digits.x_train, s)[0] for s in (None, size))
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-10)
    np.testing.assert_allclose(parts.var, whole.var, rtol=1e-10)


def test_set_statistics_is_all_or_nothing(net, digits):
    good = population_statistics(net, digits.x_train)
    net.forward(digits.x_train[:20], training=True)
    before = [layer.running_mean.copy() for layer in net.batch_norms]
    for bad in (good[:1], [good[0], good[0]], [good[0], (good[1].mean, -good[1].var)]):
        with pytest.raises(ValueError, match="expected"):
            set_statistics(net, bad)
        for layer, mean in zip(net.batch_norms, before, strict=True):
            np.testing.assert_array_equal(layer.running_mean, mean)


def test_statistics_are_kept(net, digits):
    with preserve_statistics(net):
        net.forward(digits.x_train[:20], training=True)
        assert net.batch_norms[0].batches_seen == 1
    assert net.batch_norms[0].batches_seen == 0
    np.testing.assert_array_equal(net.batch_norms[0].running_mean, np.zeros(12))


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


@pytest.mark.parametrize("batch_size", [None, 2, 7])
@pytest.mark.parametrize("name", ["offset 1e8", "std 1e-20", "up to 1e15", "an outlier"])
def test_population_statistics_are_exact(name, batch_size, rng):
    x = frozen(HARD[name](rng))
    (ours,) = population_statistics(Sequential([BatchNorm(3)]), x, batch_size)
    right = exact.batch_norm(x, np.ones(3), np.zeros(3), 1.0)
    eps, largest = float(np.finfo(float).eps), np.abs(x).max(axis=0)
    assert (exact.difference(ours.mean, right["mu"]) <= 8 * eps * largest).all()
    # The means of batches are rounded to an ulp of the offset, and their distances count.
    var = right["var"].astype(float)
    of_means = 0.0 if batch_size is None else 4 * eps * largest * np.sqrt(var)
    tolerance = 8 * eps * var + (8 * eps * largest) ** 2 + of_means
    assert (exact.difference(ours.var, right["var"]) <= tolerance).all()


def test_statistics_that_are_no_pair_are_named():
    with pytest.raises(TypeError, match="^statistics: pair: expected a sequence"):
        set_statistics(mlp((2, 3, 2)), [1.0])

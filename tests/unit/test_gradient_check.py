from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    Layer,
    ReLU,
    Sequential,
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


def test_the_data_may_be_float32(net, rng):
    x, y = rng.normal(size=(8, 6)).astype(np.float32), rng.integers(0, 3, 8)
    assert gradient_check(net, x, y) < 1e-7
    assert gradient_check(net, x, y) == gradient_check(net, x.astype(np.float64), y)


def test_both_modes_are_checked(net, rng):
    class Halved(BatchNorm):
        def _backward(self, dz):
            return super()._backward(dz) * (1.0 if self.trained else 0.5)

        def _forward(self, x, training):
            self.trained = training
            return super()._forward(x, training)

    net = Sequential([Dense(6, 5, rng=rng), Halved(5), Dense(5, 3, rng=rng)])
    x, y = rng.normal(size=(8, 6)), rng.integers(0, 3, 8)
    net.forward(x, training=True)
    assert gradient_check(net, x, y) < 1e-7
    assert gradient_check(net, x, y, training=False) > 0.1


def test_a_random_layer_is_checked_with_one_draw(rng):
    class Noise(Layer):
        def __init__(self):
            self.rng = np.random.default_rng(3)

        def _forward(self, x, training):
            self.factors = self.rng.normal(1.0, 0.5, x.shape) if training else np.ones(x.shape)
            return x * self.factors

        def _backward(self, dz):
            return dz * self.factors

    net = Sequential([Dense(6, 5, rng=rng), Noise(), Dense(5, 3, rng=rng)])
    draw = net.layers[1].rng.bit_generator.state
    assert gradient_check(net, rng.normal(size=(8, 6)), rng.integers(0, 3, 8)) < 1e-7
    assert net.layers[1].rng.bit_generator.state == draw


def test_a_network_without_parameters_has_no_errors(rng):
    net = Sequential([Tanh()])
    assert gradient_errors(net, np.ones((2, 3)), np.array([0, 1])) == {}
    assert gradient_check(net, np.ones((2, 3)), np.array([0, 1])) == 0.0


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

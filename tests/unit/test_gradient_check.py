from __future__ import annotations

import numpy as np
import pytest

from bncourse import BatchNorm, Dense, ReLU, Sequential, gradient_check, gradient_errors, mlp


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

from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    condition_number,
    gauss_newton_spectrum,
    gram_spectrum,
    layer_outputs,
    loss_and_gradient,
    max_over_median,
    mlp,
    walk_along_gradient,
)


def quadratic(h):
    """A loss whose value is ½ zᵀ h z for one example, and whose gradient is z h."""

    def loss(z, y):
        return float(0.5 * np.sum(z @ h * z)), z @ h

    return loss


@pytest.fixture
def net(rng):
    return mlp((6, 5, 4, 3), ReLU, rng=rng)


@pytest.fixture
def xy(rng):
    return rng.normal(size=(9, 6)), rng.integers(0, 3, 9)


def test_loss_and_gradient_are_those_of_a_training_pass(net, xy):
    value, gradient = loss_and_gradient(net, *xy)
    assert [layer.batches_seen for layer in net.batch_norms] == [0, 0]
    right, dz = SoftmaxCrossEntropy()(net.forward(xy[0], training=True), xy[1])
    net.backward(dz)
    assert value == right
    np.testing.assert_array_equal(gradient, net.dtheta)
    assert not np.shares_memory(gradient, net.dtheta)


def test_a_walk_on_a_quadratic_is_as_smooth_as_its_curvature():
    # One weight per output: θ is the output for x = 1, so the loss is ½ θᵀ h θ. Along an
    # eigenvector the gradient changes by the eigenvalue per unit of length, everywhere.
    h = np.diag([3.0, 0.5])
    net = Sequential([Dense(1, 2, bias=False)])
    net.theta[...] = [2.0, 0.0]
    etas = np.array([0.1, 0.25, 1.0])
    before = net.theta.copy()
    walk = walk_along_gradient(net, np.ones((1, 1)), np.zeros(1, int), etas, quadratic(h))
    np.testing.assert_array_equal(net.theta, before)
    np.testing.assert_array_equal(walk.steps, etas)
    assert walk.gradient_norm == pytest.approx(6.0)
    np.testing.assert_allclose(walk.smoothness, [3.0] * 3)
    np.testing.assert_allclose(walk.distance, 3.0 * etas * 6.0)
    np.testing.assert_allclose(walk.loss, 0.5 * 3.0 * (2.0 - 6.0 * etas) ** 2)


def test_a_walk_agrees_with_walking(net, xy):
    net.theta += 0.1
    theta = net.theta.copy()
    value, g = loss_and_gradient(net, *xy)
    walk = walk_along_gradient(net, *xy, np.array([1e-9, 0.3]))
    assert walk.loss[0] == pytest.approx(value)
    net.theta -= 0.3 * g
    far, g_far = loss_and_gradient(net, *xy)
    assert walk.loss[1] == pytest.approx(far)
    change = np.linalg.norm(g_far - g)
    assert walk.distance[1] == pytest.approx(change)
    assert walk.smoothness[1] == pytest.approx(change / 0.3 / np.linalg.norm(g))
    assert walk.gradient_norm == pytest.approx(np.linalg.norm(g))
    net.theta[...] = theta


def test_a_failed_walk_goes_back(net, xy):
    calls = []

    def failing(z, y):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError
        return SoftmaxCrossEntropy()(z, y)

    before = net.theta.copy()
    with pytest.raises(ZeroDivisionError):
        walk_along_gradient(net, *xy, np.array([0.1, 0.2]), failing)
    np.testing.assert_array_equal(net.theta, before)
    assert [layer.batches_seen for layer in net.batch_norms] == [0, 0]


def test_the_gram_spectrum_is_that_of_the_second_moments(rng):
    q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    u, _ = np.linalg.qr(rng.normal(size=(50, 4)))
    values = np.array([9.0, 4.0, 1.0, 0.25])
    a = u * np.sqrt(50 * values) @ q.T
    np.testing.assert_allclose(gram_spectrum(a), values, rtol=1e-12)
    centred = a - a.mean(axis=0)
    np.testing.assert_allclose(gram_spectrum(a + 5, centred=True), gram_spectrum(centred))
    assert gram_spectrum(np.ones((3, 5)))[-1] == 0.0


def test_spread_and_condition_number_by_hand():
    assert max_over_median(np.array([1.0, 8.0, 2.0])) == 4.0
    assert max_over_median(np.array([8.0, 2.0])) == 8.0 / 5.0
    assert condition_number(np.array([1.0, 8.0, 2.0])) == 8.0
    assert condition_number(np.array([0.0, 8.0])) == float("inf")
    assert max_over_median(np.array([0.0, 0.0, 8.0])) == float("inf")
    assert condition_number(np.ones(1, np.float32)) == 1.0


def test_the_gauss_newton_matrix_of_softmax_regression_is_its_hessian(rng):
    # The logits are linear in θ, so nothing is left out; compare with differences of the gradient.
    net = Sequential([Dense(3, 4, rng=rng)])
    x, y = rng.normal(size=(5, 3)), rng.integers(0, 4, 5)
    hessian = np.empty((net.theta.size, net.theta.size))
    for k in range(net.theta.size):
        ahead, behind = (shifted_gradient(net, x, y, k, h) for h in (1e-5, -1e-5))
        hessian[k] = (ahead - behind) / 2e-5
    right = np.linalg.eigvalsh((hessian + hessian.T) / 2)[::-1]
    ours = gauss_newton_spectrum(net, x)
    assert ours.shape == (20,)
    np.testing.assert_allclose(ours[:16], right, atol=1e-9)
    np.testing.assert_allclose(ours[16:], 0, atol=1e-12)


def shifted_gradient(net, x, y, k, h):
    kept = net.theta[k]
    net.theta[k] = kept + h
    gradient = loss_and_gradient(net, x, y)[1]
    net.theta[k] = kept
    return gradient


def test_the_gauss_newton_matrix_is_built_from_the_jacobian(net, rng):
    net.theta += rng.normal(0, 0.3, net.theta.size)
    x = rng.normal(size=(4, 6))
    z = layer_outputs(net, x, statistics="batch")[-1]
    before = net.theta.copy()
    jacobian = np.empty((z.size, net.theta.size))
    for k in range(net.theta.size):
        net.theta[k] = before[k] + 1e-6
        ahead = layer_outputs(net, x, statistics="batch")[-1]
        net.theta[k] = before[k] - 1e-6
        jacobian[:, k] = (ahead - layer_outputs(net, x, statistics="batch")[-1]).ravel() / 2e-6
        net.theta[k] = before[k]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    h = np.zeros((z.size, z.size))
    for i in range(4):
        part = slice(3 * i, 3 * i + 3)
        h[part, part] = np.diag(p[i]) - np.outer(p[i], p[i])
    right = np.linalg.eigvalsh(jacobian.T @ h @ jacobian / 4)[::-1][:12]
    np.testing.assert_allclose(gauss_newton_spectrum(net, x), right, atol=1e-6 * right[0])
    np.testing.assert_array_equal(net.theta, before)
    assert [layer.batches_seen for layer in net.batch_norms] == [0, 0]


def test_the_spectrum_of_logits_that_overflow_is_refused():
    net = Sequential([Dense(2, 2), BatchNorm(2)])
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="logits: expected finite"):
        gauss_newton_spectrum(net, np.full((3, 2), np.nan))

from __future__ import annotations

import numpy as np
import pytest

from bncourse import LeakyReLU, ReLU, Sigmoid, Tanh

Z = np.array([[-800.0, -2.0, -0.0, 0.0, 0.5, 800.0]])


def test_relu():
    np.testing.assert_array_equal(ReLU().forward(Z, training=False), [[0, 0, 0, 0, 0.5, 800.0]])


def test_relu_of_infinity_is_not_nan():
    z = np.array([[-np.inf, np.inf, np.nan]])
    np.testing.assert_array_equal(ReLU().forward(z, training=False), [[0.0, np.inf, np.nan]])


def test_the_derivative_of_relu_at_zero_is_zero():
    layer = ReLU()
    layer.forward(Z, training=True)
    np.testing.assert_array_equal(layer.backward(np.ones_like(Z)), [[0, 0, 0, 0, 1, 1]])


def test_leaky_relu():
    layer = LeakyReLU(0.1)
    np.testing.assert_allclose(layer.forward(Z, training=True), [[-80, -0.2, 0, 0, 0.5, 800.0]])
    np.testing.assert_allclose(layer.backward(np.ones_like(Z)), [[0.1, 0.1, 0.1, 0.1, 1, 1]])


@pytest.mark.parametrize("slope", [-0.1, 0.0, 1.0, float("nan"), None, "a"])
def test_leaky_relu_refuses_other_slopes(slope):
    with pytest.raises(ValueError, match=r"slope: expected a number in \(0, 1\)"):
        LeakyReLU(slope)


@pytest.mark.filterwarnings("error")
def test_sigmoid_does_not_overflow():
    a = Sigmoid().forward(Z, training=False)
    np.testing.assert_allclose(a[0, 1:5], 1 / (1 + np.exp(-Z[0, 1:5])), rtol=1e-15)
    np.testing.assert_array_equal(a[0, [0, 5]], [0.0, 1.0])


def test_tanh():
    np.testing.assert_array_equal(Tanh().forward(Z, training=False), np.tanh(Z))

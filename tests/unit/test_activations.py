from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bncourse import LeakyReLU, ReLU, Sigmoid, Tanh

from . import exact
from .helpers import DTYPES, frozen

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


def test_leaky_relu_of_infinity_is_not_nan():
    z = np.array([[-np.inf, np.inf, np.nan]])
    layer = LeakyReLU(1e-300)
    np.testing.assert_array_equal(layer.forward(z, training=True), [[-np.inf, np.inf, np.nan]])
    assert np.isfinite(layer.backward(np.ones_like(z))).all()


def test_leaky_relu():
    layer = LeakyReLU(0.1)
    np.testing.assert_allclose(layer.forward(Z, training=True), [[-80, -0.2, 0, 0, 0.5, 800.0]])
    np.testing.assert_allclose(layer.backward(np.ones_like(Z)), [[0.1, 0.1, 0.1, 0.1, 1, 1]])


@pytest.mark.filterwarnings("error")
def test_sigmoid_does_not_overflow():
    a = Sigmoid().forward(Z, training=False)
    np.testing.assert_allclose(a[0, 1:5], 1 / (1 + np.exp(-Z[0, 1:5])), rtol=1e-15)
    np.testing.assert_array_equal(a[0, [0, 5]], [0.0, 1.0])


def test_tanh():
    np.testing.assert_array_equal(Tanh().forward(Z, training=False), np.tanh(Z))


@pytest.mark.parametrize("activation", [ReLU, LeakyReLU, Sigmoid, Tanh])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_activations_keep_what_is_not_finite_in_its_place(activation, value, rng):
    z = rng.normal(size=(4, 3))
    z[1, 2] = value
    layer = activation()
    a = layer.forward(frozen(z), training=True)
    da = layer.backward(np.ones_like(z))
    elsewhere = np.ones(z.shape, bool)
    elsewhere[1, 2] = False
    assert np.isfinite(a[elsewhere]).all()
    assert np.isfinite(da[elsewhere]).all()
    assert np.isnan(a[1, 2]) == np.isnan(value)


@pytest.mark.parametrize("activation", [Sigmoid, Tanh])
@DTYPES
def test_sigmoid_and_tanh_are_exact(activation, dtype):
    z = np.array([[0.0, 1e-20, -1e-8, 0.3, -2.0, 8.0, -17.0, 40.0, -90.0, 800.0, -1e15]], dtype)
    layer = activation()
    a = layer.forward(frozen(z), training=True)
    da = layer.backward(np.ones_like(z))
    eps = float(np.finfo(dtype).eps)
    for value, ours, slope in zip(z[0], a[0], da[0], strict=True):
        factor = 1 if activation is Sigmoid else 2
        power = exact.exponential(-factor * abs(Fraction(float(value))))
        if activation is Sigmoid:
            right = (1 if value >= 0 else power) / (1 + power)
            right_slope = power / (1 + power) ** 2
        else:
            right = (1 - power) / (1 + power) * (1 if value >= 0 else -1)
            right_slope = 4 * power / (1 + power) ** 2
        # In ulp of 1: where the sigmoid is far below eps, no relative accuracy is promised.
        assert abs(float(Fraction(float(ours)) - right)) <= 2 * eps
        assert abs(float(Fraction(float(slope)) - right_slope)) <= 4 * eps
        if activation is Tanh:
            assert abs(float(Fraction(float(ours)) - right)) <= 4 * eps * abs(float(right))

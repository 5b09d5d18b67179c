from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bncourse import SoftmaxCrossEntropy

from . import exact
from .helpers import DTYPES, LAYOUTS, frozen, numeric_gradient, peak_of, relative_error

loss = SoftmaxCrossEntropy()


def test_even_logits_cost_the_logarithm_of_the_number_of_classes():
    value, dz = loss(np.zeros((4, 10)), np.array([0, 3, 9, 3]))
    assert value == pytest.approx(np.log(10), rel=1e-15)
    np.testing.assert_allclose(dz.sum(axis=1), 0, atol=1e-16)
    np.testing.assert_allclose(dz[0], (np.full(10, 0.1) - np.eye(10)[0]) / 4)


def test_the_gradient_agrees_with_central_differences(rng):
    z, y = rng.normal(0, 3, (6, 5)), rng.integers(0, 5, 6)
    _, dz = loss(z, y)
    assert relative_error(dz, numeric_gradient(lambda: loss(z, y)[0], z)) < 1e-8


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_neither_overflow_nor_lose_the_loss(dtype):
    z = np.array([[1e4, 0.0], [0.0, 1e4]], dtype)
    value, dz = loss(z, np.array([1, 1]))
    assert value == pytest.approx(5000.0)
    assert dz.dtype == dtype
    np.testing.assert_allclose(dz, [[0.5, -0.5], [0.0, 0.0]])


def test_the_loss_treats_each_example_by_itself():
    z = np.array([[0.0, 1.0], [1e4, 1e4 + 1]])
    value, dz = SoftmaxCrossEntropy()(z, np.array([0, 0]))
    assert value == pytest.approx(np.log(1 + np.e), rel=1e-12)
    np.testing.assert_allclose(dz[0], dz[1], rtol=1e-12)


def test_the_loss_makes_one_array_of_the_size_of_the_logits():
    z, y = np.zeros((2000, 50)), np.zeros(2000, int)
    assert peak_of(lambda: SoftmaxCrossEntropy()(z, y)) < 1.5 * z.nbytes


LOGITS = {
    "ordinary": lambda rng: rng.normal(0.0, 3.0, (12, 5)),
    "all equal": lambda rng: np.full((4, 5), 1e8 + 0.5),
    "offset 1e8": lambda rng: rng.normal(1e8, 3.0, (12, 5)),
    "up to 1e15": lambda rng: rng.uniform(-1e15, 1e15, (12, 5)),
    "tiny": lambda rng: rng.normal(0.0, 1e-20, (12, 5)),
    "far apart": lambda rng: rng.choice([0.0, -745.0, 709.0, -103.0, 88.0], (12, 5)),
    "one class": lambda rng: rng.normal(size=(3, 1)),
    "scales mixed": lambda rng: rng.normal(size=(12, 5)) * np.logspace(-20, 4, 5),
}


@pytest.mark.parametrize("make", LOGITS.values(), ids=LOGITS.keys())
@pytest.mark.parametrize("layout", LAYOUTS)
@DTYPES
def test_the_loss_is_exact(make, layout, dtype, rng):
    z = frozen(make(rng).astype(dtype), layout)
    m, k = z.shape
    y = frozen(rng.integers(0, k, m))
    value, dz = SoftmaxCrossEntropy()(z, y)
    right, gradient = exact.cross_entropy(z, y)
    eps = float(np.finfo(dtype).eps)
    assert isinstance(value, float)
    # ln of a sum that is close to 1 is known to an ulp of 1, no better (nor is PyTorch's).
    assert abs(float(Fraction(value) - right)) <= 4 * eps * (1 + float(right))
    assert dz.dtype == dtype
    # An exponent is off by an ulp of itself, and x·e^-x is never above 0.37.
    assert (exact.difference(dz, gradient) <= 4 * eps / m).all()

from __future__ import annotations

import numpy as np
import pytest

from bncourse import SoftmaxCrossEntropy

from .helpers import numeric_gradient, relative_error

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


def test_shifting_all_logits_of_an_example_changes_nothing(rng):
    z, y = rng.normal(size=(6, 5)), rng.integers(0, 5, 6)
    shifted, dshifted = loss(z + rng.normal(size=(6, 1)), y)
    value, dz = loss(z, y)
    assert shifted == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(dshifted, dz, atol=1e-15)


def test_arguments_are_not_written_to(rng):
    z, y = rng.normal(size=(6, 5)), rng.integers(0, 5, 6)
    kept = z.copy()
    z.flags.writeable = y.flags.writeable = False
    loss(z, y)
    np.testing.assert_array_equal(z, kept)


@pytest.mark.parametrize(
    ("y", "error", "match"),
    [
        (np.array([0, 1, 5]), ValueError, "labels from 0 to 4, got labels from 0 to 5"),
        (np.array([0, -1, 2]), ValueError, "labels from 0 to 4, got labels from -1 to 2"),
        (np.array([0.0, 1.0, 2.0]), ValueError, "integer labels.*float64"),
        (np.array([True, False, True]), ValueError, "integer labels.*bool"),
        (np.array([0, 1]), ValueError, r"shape \(3,\)"),
        (np.array([[0], [1], [2]]), ValueError, r"shape \(3,\)"),
        ([0, 1, 2], TypeError, "NumPy array"),
        (None, TypeError, "NumPy array"),
    ],
)
def test_bad_labels_are_refused(y, error, match):
    with pytest.raises(error, match=match):
        loss(np.zeros((3, 5)), y)


@pytest.mark.parametrize("z", [np.zeros(5), np.zeros((0, 5)), np.zeros((3, 5), int), None])
def test_bad_logits_are_refused(z):
    with pytest.raises((ValueError, TypeError), match="z: expected"):
        loss(z, np.array([0, 1, 2]))

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bncourse import CumulativeAverage, ExponentialMovingAverage

from . import exact
from .helpers import frozen


def test_bias_correction_makes_a_constant_come_out_at_once():
    average = ExponentialMovingAverage(0.99)
    assert average.update(3.0) == pytest.approx(3.0, rel=1e-14)
    assert ExponentialMovingAverage(0.99, False).update(3.0) == pytest.approx(0.03)
    assert average.window == pytest.approx(100.0)


@pytest.mark.parametrize("make", [lambda: ExponentialMovingAverage(0.9), CumulativeAverage])
def test_averages_hand_out_copies_and_refuse_what_does_not_fit(make):
    average = make()
    with pytest.raises(ValueError, match="at least one update"):
        average.value  # noqa: B018
    x = np.ones(3)
    average.update(x)[...] = 9.0
    x[...] = 5.0
    np.testing.assert_allclose(average.value, np.ones(3))
    for bad in (np.ones(4), 1.0, "a", np.ones(3, complex), None, np.ma.ones(3)):
        with pytest.raises(ValueError, match="x: expected"):
            average.update(bad)
    np.testing.assert_allclose(average.value, np.ones(3))
    assert average.steps == 1


@pytest.mark.parametrize("make", [lambda: ExponentialMovingAverage(0.5), CumulativeAverage])
def test_averages_of_float32_are_float32_and_of_integers_float64(make):
    average = make()
    for _ in range(2):
        assert average.update(np.ones(2, np.float32)).dtype == np.float32
    average = make()
    assert average.update(np.array([1, 2])).dtype == np.float64
    np.testing.assert_array_equal(average.value, [1.0, 2.0])
    assert make().update(3).dtype == np.float64


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("offset", [0.0, 1e8, 1e15])
def test_averages_are_exact(decay, offset, rng):
    values = offset + rng.normal(size=(40, 3))
    raw, corrected = (ExponentialMovingAverage(decay, c) for c in (False, True))
    plain = CumulativeAverage()
    d, v = Fraction(decay), exact.rational(np.zeros(3))
    for x in values:
        for average in (raw, corrected, plain):
            average.update(frozen(x))
        v = d * v + (1 - d) * exact.rational(x)
    eps, largest = float(np.finfo(float).eps), np.abs(values).max()
    assert (exact.difference(raw.value, v) <= 8 * eps * largest).all()
    tolerance = 8 * eps * largest / (1 - decay)
    assert (exact.difference(corrected.value, v / (1 - d**40)) <= tolerance).all()
    mean = exact.rational(values).sum(axis=0) / 40
    assert (exact.difference(plain.value, mean) <= 8 * eps * largest).all()

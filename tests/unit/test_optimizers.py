from __future__ import annotations

import numpy as np
import pytest

from bncourse import Adam, GradientDescent, Momentum, RMSprop

MAKERS = {
    "gradient descent": lambda: GradientDescent(0.1),
    "momentum": lambda: Momentum(0.1, 0.8),
    "rmsprop": lambda: RMSprop(0.01, 0.95, 1e-6),
    "adam": lambda: Adam(0.01, 0.8, 0.99, 1e-6),
}
each = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def reference(name, gradients, theta):
    """The formulas of the docstrings, one number at a time."""
    v = s = 0.0
    for t, g in enumerate(gradients, start=1):
        if name == "gradient descent":
            theta = theta - 0.1 * g
        elif name == "momentum":
            v = 0.8 * v + 0.2 * g
            theta = theta - 0.1 * v
        elif name == "rmsprop":
            s = 0.95 * s + 0.05 * g**2
            theta = theta - 0.01 * g / (s**0.5 + 1e-6)
        else:
            v = 0.8 * v + 0.2 * g
            s = 0.99 * s + 0.01 * g**2
            theta = theta - 0.01 * (v / (1 - 0.8**t)) / ((s / (1 - 0.99**t)) ** 0.5 + 1e-6)
    return theta


@pytest.mark.parametrize("name", MAKERS)
def test_steps_follow_the_formula(name, rng):
    gradients = rng.normal(size=(20, 4))
    theta = rng.normal(size=4)
    expected = reference(name, gradients, theta.copy())
    optimizer = MAKERS[name]()
    same = theta
    for g in gradients:
        optimizer.step(theta, g)
    assert same is theta
    assert optimizer.steps == 20
    np.testing.assert_allclose(theta, expected, rtol=1e-12)


@each
def test_float32_stays_float32_and_gradients_are_not_written_to(make, rng):
    theta, g = np.ones(3, np.float32), rng.normal(size=3).astype(np.float32)
    g.flags.writeable = False
    optimizer = make()
    optimizer.step(theta, g)
    assert theta.dtype == np.float32
    assert all(
        np.asarray(value).dtype != np.float64
        for value in vars(optimizer).values()
        if isinstance(value, np.ndarray)
    )


@each
def test_all_of_them_reach_the_bottom_of_a_bowl(make):
    theta = np.array([3.0, -2.0])
    optimizer = make()
    for _ in range(3000):
        optimizer.step(theta, 2 * theta)
    assert np.abs(theta).max() < 0.02


@each
@pytest.mark.parametrize(
    ("theta", "dtheta", "error"),
    [
        (np.ones(3), np.ones(4), ValueError),
        (np.ones(3), np.ones(3, np.float32), ValueError),
        (np.ones(3, int), np.ones(3, int), ValueError),
        ([1.0], np.ones(1), TypeError),
        (np.ones(3), None, TypeError),
        (np.broadcast_to(1.0, 3), np.ones(3), ValueError),
    ],
)
def test_arrays_that_do_not_fit_are_refused(make, theta, dtheta, error):
    optimizer = make()
    with pytest.raises(error, match="expected"):
        optimizer.step(theta, dtheta)
    assert optimizer.steps == 0


@each
def test_an_optimizer_serves_one_vector(make):
    optimizer = make()
    optimizer.step(np.ones(3), np.ones(3))
    theta = np.ones(4)
    with pytest.raises(ValueError, match="as in the step before"):
        optimizer.step(theta, np.ones(4))
    np.testing.assert_array_equal(theta, np.ones(4))
    assert optimizer.steps == 1


@pytest.mark.parametrize("kind", [GradientDescent, Momentum, RMSprop, Adam])
@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), None, "0.1", True])
def test_bad_learning_rates_are_refused(kind, rate):
    with pytest.raises(ValueError, match="learning_rate: expected a number in"):
        kind(rate)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda v: Momentum(0.1, v), "decay"),
        (lambda v: RMSprop(0.1, v), "decay"),
        (lambda v: Adam(0.1, v), "beta1"),
        (lambda v: Adam(0.1, 0.9, v), "beta2"),
    ],
)
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_bad_decays_are_refused(make, name, value):
    with pytest.raises(ValueError, match=rf"{name}: expected a number in \[0, 1\)"):
        make(value)


@pytest.mark.parametrize("make", [lambda e: RMSprop(0.1, epsilon=e), lambda e: Adam(epsilon=e)])
def test_epsilon_must_be_positive(make):
    with pytest.raises(ValueError, match="epsilon: expected a number in"):
        make(0.0)

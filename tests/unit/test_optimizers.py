from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest

import bncourse
from bncourse import Adam, GradientDescent, Momentum, RMSprop, mlp

from . import exact
from .helpers import DTYPES, frozen, peak_of

MAKERS = {
    "gradient descent": lambda: GradientDescent(0.1),
    "momentum": lambda: Momentum(0.1, 0.8),
    "rmsprop": lambda: RMSprop(0.01, 0.95, 1e-6),
    "adam": lambda: Adam(0.01, 0.8, 0.99, 1e-6),
}


each = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@each
def test_all_of_them_reach_the_bottom_of_a_bowl(make):
    theta = np.array([3.0, -2.0])
    optimizer = make()
    for _ in range(3000):
        optimizer.step(theta, 2 * theta)
    assert np.abs(theta).max() < 0.02


@each
def test_an_optimizer_belongs_to_the_first_network(make):
    optimizer, net, twin = make(), mlp((3, 2)), mlp((3, 2))
    optimizer.belong_to(net)
    optimizer.belong_to(net)
    with pytest.raises(ValueError, match="optimizer: .* got another one: make a new optimizer"):
        optimizer.belong_to(twin)
    pickle.loads(pickle.dumps(optimizer)).belong_to(twin)
    # A loop by hand is free, and after it the state has to fit.
    optimizer = make()
    optimizer.step(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="theta: expected shape .* as in the step before"):
        optimizer.belong_to(net)
    optimizer = make()
    optimizer.step(net.theta, net.dtheta)
    optimizer.belong_to(twin)


@pytest.mark.parametrize("kind", [GradientDescent, Momentum, RMSprop, Adam])
def test_a_step_makes_no_new_vector(kind):
    theta, gradient, optimizer = np.ones(100_000), np.ones(100_000), kind(0.1)
    optimizer.step(theta, gradient)  # makes the state
    assert peak_of(lambda: optimizer.step(theta, gradient)) < theta.nbytes / 10


#: Scale of the gradient of each of six parameters; the last two are constant and zero.
GRADIENT_SCALES = np.array([1e-20, 1e-8, 1.0, 1e15, 1.0, 0.0])


STEPS = 25


def exact_optimizer(name, gradients, theta):
    """Return θ after the steps, and how much magnitude went into it, for the tolerance."""
    theta, size = exact.rational(theta), np.abs(theta).astype(float)
    v = s = exact.rational(np.zeros(len(theta)))
    epsilon, d = Fraction(1e-6), {"momentum": 0.8, "rmsprop": 0.95, "adam": 0.8}.get(name, 0)
    d, d2, c1, c2 = Fraction(d), Fraction(0.99), Fraction(1), Fraction(1)
    for g in exact.rational(gradients):
        c1, c2 = c1 * d, c2 * d2
        v = d * v + (1 - d) * g
        if name == "rmsprop":
            s = d * s + (1 - d) * g * g
            update = Fraction(0.01) * g / (exact.roots(s) + epsilon)
        elif name == "adam":
            s = d2 * s + (1 - d2) * g * g
            update = Fraction(0.01) * v / (1 - c1) / (exact.roots(s / (1 - c2)) + epsilon)
        else:
            update = Fraction(0.1) * v
        theta = theta - update
        size = size + np.abs(update.astype(float)) + np.abs(theta.astype(float))
    return theta, size


@pytest.mark.parametrize("name", MAKERS)
@DTYPES
def test_steps_follow_the_formula_exactly(name, dtype, rng):
    # Of one sign, so that no digits are lost to cancellation that the formulas themselves ask for.
    gradients = GRADIENT_SCALES * rng.uniform(0.5, 2.0, (STEPS, 6))
    gradients[:, 4] = 0.1
    gradients = gradients.astype(dtype)
    theta = rng.normal(size=6).astype(dtype)
    right, size = exact_optimizer(name, gradients, theta)
    optimizer = MAKERS[name]()
    for g in gradients:
        optimizer.step(theta, frozen(g))
    assert theta.dtype == dtype
    assert optimizer.steps == STEPS
    # A few roundings a step, of θ and of the update.
    eps = float(np.finfo(dtype).eps)
    assert (exact.difference(theta, right) <= 4 * eps * size).all()


def test_an_abstract_optimiser_makes_no_step():
    theta = np.ones(3)
    with pytest.raises(NotImplementedError):
        bncourse.Optimizer(0.1).step(theta, np.ones(3))
    np.testing.assert_array_equal(theta, np.ones(3))

"""Invariants of the four optimisers."""

from __future__ import annotations

import copy

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bncourse import Adam, GradientDescent, Momentum, RMSprop

from .strategies import SEEDS

RATES = st.floats(1e-6, 10.0)
DECAYS = st.floats(0.0, 0.999)
STEPS = st.integers(1, 12)


@st.composite
def optimizers(draw, kinds=(GradientDescent, Momentum, RMSprop, Adam)):
    kind, rate = draw(st.sampled_from(kinds)), draw(RATES)
    if kind is GradientDescent:
        return kind(rate)
    if kind is Momentum:
        return kind(rate, draw(DECAYS))
    if kind is RMSprop:
        return kind(rate, draw(DECAYS), draw(st.sampled_from([1e-8, 1e-3])))
    return kind(rate, draw(DECAYS), draw(DECAYS), draw(st.sampled_from([1e-8, 1e-3])))


def walk(optimizer, gradients, theta=None):
    theta = np.zeros(gradients.shape[1], gradients.dtype) if theta is None else theta.copy()
    for g in gradients:
        optimizer.step(theta, g)
    return theta


def draw_gradients(seed, steps, n=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(steps, n)) * 10.0 ** rng.integers(-3, 4, n)


@given(optimizer=optimizers(), seed=SEEDS, steps=STEPS)
def test_every_parameter_goes_its_own_way(optimizer, seed, steps):
    gradients = draw_gradients(seed, steps)
    order = np.random.default_rng(seed).permutation(5)
    whole = walk(copy.deepcopy(optimizer), gradients)
    moved = walk(copy.deepcopy(optimizer), gradients[:, order])
    np.testing.assert_allclose(moved, whole[order], rtol=1e-14)
    alone = [walk(copy.deepcopy(optimizer), gradients[:, [j]])[0] for j in range(5)]
    np.testing.assert_allclose(alone, whole, rtol=1e-14)


@given(optimizer=optimizers(), seed=SEEDS, steps=STEPS, negative=st.booleans())
def test_the_path_is_mirrored_when_the_gradients_are(optimizer, seed, steps, negative):
    gradients = draw_gradients(seed, steps)
    plain, mirrored = (walk(copy.deepcopy(optimizer), g) for g in (gradients, -gradients))
    np.testing.assert_array_equal(mirrored, -plain)


@given(optimizer=optimizers(), seed=SEEDS, steps=STEPS, n=st.integers(1, 6))
def test_no_gradient_no_step(optimizer, seed, steps, n):
    theta = np.random.default_rng(seed).normal(size=n)
    np.testing.assert_array_equal(walk(optimizer, np.zeros((steps, n)), theta), theta)
    assert optimizer.steps == steps


@given(
    optimizer=optimizers(),
    seed=SEEDS,
    first=st.integers(0, 6),
    second=st.integers(1, 6),
)
def test_a_copy_in_the_middle_continues_the_path(optimizer, seed, first, second):
    gradients = draw_gradients(seed, first + second)
    whole = walk(copy.deepcopy(optimizer), gradients)
    half = walk(optimizer, gradients[:first])
    np.testing.assert_array_equal(walk(copy.deepcopy(optimizer), gradients[first:], half), whole)
    assert optimizer.steps == first


@given(optimizer=optimizers(), seed=SEEDS, steps=STEPS)
def test_gradients_are_read_and_never_written_or_kept(optimizer, seed, steps):
    gradients = draw_gradients(seed, steps)
    kept = gradients.copy()
    theta = np.zeros(5)
    for g in gradients:
        g.flags.writeable = False
        optimizer.step(theta, g)
        state = [v for v in vars(optimizer).values() if isinstance(v, np.ndarray)]
        assert not any(np.shares_memory(v, g) or np.shares_memory(v, theta) for v in state)
    np.testing.assert_array_equal(gradients, kept)


@given(rate=RATES, seed=SEEDS, steps=STEPS, power=st.integers(-20, 20))
def test_gradient_descent_and_momentum_are_linear_in_the_gradients(rate, seed, steps, power):
    gradients = draw_gradients(seed, steps)
    for make in (lambda: GradientDescent(rate), lambda: Momentum(rate)):
        np.testing.assert_array_equal(
            walk(make(), 2.0**power * gradients), 2.0**power * walk(make(), gradients)
        )


@given(rate=RATES, seed=SEEDS, steps=STEPS)
def test_momentum_without_memory_is_gradient_descent(rate, seed, steps):
    gradients = draw_gradients(seed, steps)
    np.testing.assert_array_equal(
        walk(Momentum(rate, 0.0), gradients), walk(GradientDescent(rate), gradients)
    )


@given(rate=RATES, beta=DECAYS, seed=SEEDS, steps=STEPS)
def test_momentum_has_a_closed_form(rate, beta, seed, steps):
    gradients = draw_gradients(seed, steps)
    # The gradient of step t is in the averages of all later steps: 1 − d^(T−t+1) of it arrives.
    arrived = 1 - beta ** np.arange(steps, 0.0, -1)
    right = -rate * arrived @ gradients
    size = rate * np.abs(gradients).sum(axis=0)
    assert (np.abs(walk(Momentum(rate, beta), gradients) - right) <= 1e-13 * size).all()


@given(make=st.sampled_from([RMSprop, Adam]), seed=SEEDS, steps=STEPS, power=st.integers(-6, 6))
def test_the_scale_of_the_gradients_does_not_matter_to_rmsprop_and_adam(make, seed, steps, power):
    gradients = draw_gradients(seed, steps)
    factor = 2.0**power
    # ε scaled with the gradients, or it would be larger beside the smaller ones.
    plain, scaled = make(0.01, epsilon=1e-6), make(0.01, epsilon=factor * 1e-6)
    right = walk(plain, gradients)
    np.testing.assert_allclose(walk(scaled, factor * gradients), right, rtol=1e-12)


@given(rate=RATES, d=DECAYS, seed=SEEDS, steps=STEPS)
def test_no_step_of_rmsprop_or_adam_is_longer_than_its_bound(rate, d, seed, steps):
    gradients = draw_gradients(seed, steps)
    for optimizer, bound in (
        # s holds (1 − d) g² at least.
        (RMSprop(rate, d), rate / np.sqrt(1 - d)),
        # With equal memories the average of g is at most the root of the average of g².
        (Adam(rate, d, d), rate),
    ):
        theta = np.zeros(5)
        for g in gradients:
            before = theta.copy()
            optimizer.step(theta, g)
            assert (np.abs(theta - before) <= bound * (1 + 1e-9)).all()


@given(rate=RATES, b1=DECAYS, b2=DECAYS, seed=SEEDS, steps=STEPS)
def test_a_constant_gradient_moves_adam_by_the_learning_rate(rate, b1, b2, seed, steps):
    g = draw_gradients(seed, 1)
    theta = walk(Adam(rate, b1, b2, epsilon=1e-30), np.tile(g, (steps, 1)))
    # The corrections 1 − β^t are known to an ulp of 1 only, and are 0.001 at the least.
    np.testing.assert_allclose(theta, -rate * steps * np.sign(g[0]), rtol=1e-11)

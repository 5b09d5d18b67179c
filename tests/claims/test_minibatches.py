"""The claims of chapter 4, C49 to C55, and the reference assertions A9, A14 and A15."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    Adam,
    BatchNorm,
    GradientDescent,
    MiniBatches,
    Momentum,
    ReLU,
    RMSprop,
    Sequential,
    SoftmaxCrossEntropy,
    batch_norm,
    batch_norm_backward,
    layer_outputs,
    mlp,
    train,
)
from bncourse.chapters import algorithm
from bncourse.chapters.common import SEEDS
from bncourse.chapters.minibatches import runs

from .common import each_triple, median

loss = SoftmaxCrossEntropy()


@each_triple
def test_a09_the_batch_mean_varies_as_one_over_m(seeds):
    assert median(runs.batch_mean_variance(s).slope() for s in seeds) == pytest.approx(
        -1, abs=0.05
    )


@each_triple
def test_a14_ghost_batches_lower_the_test_loss(seeds):
    ghost, whole, none = (
        [runs.ghost_losses(s, size, steps=200) for s in seeds] for size in (8, 128, None)
    )
    assert median(r["test"] for r in ghost) < median(r["test"] for r in whole)
    # Higher only while the noise is on: measured without it, the training loss falls as well.
    noisy = "noisy training"
    assert median(r[noisy] for r in ghost) > 2 * median(r[noisy] for r in whole)
    assert median(r["training"] for r in ghost) < median(r["training"] for r in whole)
    # The control: on 300 raw images batch norm as such has the higher test loss.
    assert median(r["test"] for r in none) < median(r["test"] for r in whole)


@each_triple
def test_a15_batches_of_two_cost_accuracy(seeds):
    without, with_bn, output_only = (
        median(runs.small_batch_accuracy(s, kind, 2) for s in seeds) for kind in runs.TINY
    )
    assert without - with_bn > 0.2
    assert output_only > with_bn + 0.1


def test_batches_of_two_are_worse_than_random_hidden_layers_for_all_seeds():
    small = runs.accuracy_by_size().accuracy
    without, with_bn, output_only = (np.array(small[kind][2]) for kind in runs.TINY)
    assert (with_bn < output_only).all()
    assert (with_bn < without).all()
    assert 1 in small[runs.TINY[0]]
    assert 1 not in small[runs.TINY[1]]


@each_triple
def test_batches_of_four_are_enough(seeds):
    without, with_bn, output_only = (
        median(runs.small_batch_accuracy(s, kind, 4) for s in seeds) for kind in runs.TINY
    )
    assert with_bn > without - 0.03
    assert with_bn > output_only + 0.05


@each_triple
def test_with_batch_norm_batches_of_one_digit_are_not_even_fitted(seeds):
    ended = {
        (bn, order): [runs.dealt(s, bn, order) for s in seeds]
        for bn in (False, True)
        for order in runs.DEALS[1:4]
    }

    def accuracy(bn, order):
        return median(r["accuracy"] for r in ended[bn, order])

    def loss(bn, order, pure):
        return median(
            np.mean(r["losses"], where=np.array(r["pure"]) == pure) for r in ended[bn, order]
        )

    in_order, random_order, one_digit = runs.DEALS[1:4]
    for bn in (False, True):
        assert accuracy(bn, in_order) < 0.7
    # Without batch norm the order was to blame, with it the kind.
    assert accuracy(False, random_order) > 0.75
    assert accuracy(True, random_order) < 0.5
    for order in (in_order, random_order, one_digit):
        assert loss(True, order, True) > np.log(10) > loss(False, order, True) + 1.0
    assert loss(True, random_order, False) < np.log(10) - 0.4
    # What is known at all was learned from the mixed batches.
    assert accuracy(True, one_digit) < 0.15
    assert accuracy(False, one_digit) > 0.6
    # The answers follow the batch before.
    before = [median(r["previous"] for r in ended[bn, one_digit]) for bn in (False, True)]
    assert before[0] < 0.2 < 0.3 < before[1]
    assert median(r["own"] for r in ended[True, one_digit]) < 0.1


def test_what_is_left_in_batches_of_one_digit_is_learned_in_the_end_and_is_of_no_use():
    rows = runs.one_digit().rows
    long = rows[0.1, 2000, True]
    assert min(long["own"]) > 0.9
    assert max(long["loss"]) < 0.3
    assert max(long["accuracy"]) < 0.2
    # A smaller rate doesn't follow the batch before, and its loss is as high.
    slow = rows[0.01, 200, True]
    assert max(slow["previous"]) < 0.15
    assert min(slow["loss"]) > np.log(10)


def test_the_mixed_batches_alone_teach_more_than_with_the_pure_ones_between():
    ended = runs.sorted_batches()
    alone = min(ended.accuracy[runs.DEALS[5], True])
    assert all(max(ended.accuracy[order, True]) < alone for order in runs.ORDERS[1:])


def test_batches_of_two_leave_most_units_without_a_gradient():
    assert runs.units_with_gradient(2) < 10
    assert runs.units_with_gradient(60) > 250


@pytest.mark.parametrize("h", [1.0, 0.01, 0.0])
def test_what_comes_back_through_a_batch_of_two(h):
    epsilon = 1e-5
    _, cache = batch_norm(np.array([[h], [-h]]), np.ones(1), np.zeros(1), epsilon)
    dz, _, _ = batch_norm_backward(np.array([[1.0], [-1.0]]), cache)
    assert dz[0, 0] == pytest.approx(epsilon / (h**2 + epsilon) ** 1.5, rel=1e-9)


def two_batches(digits):
    batches = MiniBatches(digits.x_train, digits.y_train, 60, np.random.default_rng(0))
    return list(batches)[:2]


def test_c49_statistics_belong_to_the_batch_parameters_do_not(digits):
    net = mlp((64, 20, 10), rng=np.random.default_rng(0))
    dense, norm = net.layers[0], net.batch_norms[0]
    optimizer, means = GradientDescent(0.1), []
    for x, y in two_batches(digits):
        before = net.theta.copy()
        _, dz = loss(net.forward(x, training=True), y)
        np.testing.assert_array_equal(net.theta, before)  # the batch writes no parameter
        z = x @ dense.w.T
        np.testing.assert_allclose(norm.cache.mean, z.mean(axis=0), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(norm.cache.var, z.var(axis=0), rtol=1e-10)
        means.append(norm.cache.mean)
        net.backward(dz)
        gamma, dgamma = norm.gamma.copy(), norm.grads["gamma"].copy()
        optimizer.step(net.theta, net.dtheta)
        # Shared and updated: the next batch meets what this one left.
        np.testing.assert_allclose(norm.gamma, gamma - 0.1 * dgamma, rtol=1e-12)
    assert np.abs(means[0] - means[1]).max() > 0.01


def test_c50_batch_mean_varies_as_one_over_m():
    measured = runs.batch_mean_variance(0)
    m, n = measured.sizes, measured.population
    # 400 draws of 100 units that are not independent: a standard error of a few per cent.
    np.testing.assert_allclose(measured.replaced * m, 1.0, atol=0.15)
    np.testing.assert_allclose(measured.dealt * m, (n - m) / (n - 1), atol=0.15)
    assert measured.dealt[-1] * m[-1] < 0.4
    scatter = runs.wobble(sizes=(15, 60), seeds=(0,))
    np.testing.assert_allclose(scatter.mean[0] * np.sqrt(scatter.sizes), 1.0, atol=0.1)
    np.testing.assert_allclose(scatter.variance[0] * np.sqrt(scatter.sizes), 1.3, atol=0.1)
    (random, alike), (_, without) = (runs.share_right(0, bn) for bn in (True, False))
    assert random[0] < 0.6 < 0.95 < random[-1]
    assert max(alike) < 0.25  # guessing gives 0.1
    assert min(without) == max(without) > 0.9


def test_c51_activations_belong_to_the_batch(digits):
    net = mlp((64, 20, 10), rng=np.random.default_rng(0))
    (first, y), (second, _) = two_batches(digits)
    outputs = [layer_outputs(net, x, statistics="batch") for x in (first, second)]
    for of_first, of_second in zip(*outputs, strict=True):
        assert np.abs(of_first - of_second).max() > 0.1
    # So z[1]{t} depends on t although w[1] does not: after one update the same batch has others.
    _, dz = loss(net.forward(first, training=True), y)
    net.backward(dz)
    GradientDescent(0.1).step(net.theta, net.dtheta)
    again = layer_outputs(net, first, statistics="batch")[0]
    np.testing.assert_allclose(again, first @ net.layers[0].w.T, rtol=1e-12)
    assert np.abs(again - outputs[0][0]).max() > 1e-3


def test_c52_loop_by_hand_equals_train(digits):
    nets = [mlp((64, 20, 10), ReLU, rng=np.random.default_rng(0)) for _ in range(2)]
    history = train(
        nets[0],
        digits.x_train,
        digits.y_train,
        optimizer=Adam(1e-3),
        batch_size=60,
        epochs=1,
        rng=np.random.default_rng(1),
    )
    optimizer, by_hand = Adam(1e-3), []
    for x, y in MiniBatches(digits.x_train, digits.y_train, 60, np.random.default_rng(1)):
        z = nets[1].forward(x, training=True)
        J, dz = loss(z, y)
        nets[1].backward(dz)
        optimizer.step(nets[1].theta, nets[1].dtheta)
        by_hand.append(J)
    assert history.loss == by_hand
    np.testing.assert_array_equal(nets[0].theta, nets[1].theta)


@pytest.mark.parametrize("bn", [False, True])
def test_c53_gradient_of_a_batch_is_biased(bn, digits):
    net = mlp((64, 50, 10), ReLU, BatchNorm if bn else None, rng=np.random.default_rng(0))
    x, y = digits.x_train[:60], digits.y_train[:60]

    def gradient(part):
        _, dz = loss(net.forward(x[part], training=True), y[part])
        net.backward(dz)
        return net.dtheta.copy()

    whole, rng = gradient(slice(None)), np.random.default_rng(1)
    # Each example stands in as many parts as any other: the average is over the same 60.
    parts = [part for _ in range(100) for part in np.split(rng.permutation(60), 12)]
    average = np.mean([gradient(part) for part in parts], axis=0)
    bias = np.linalg.norm(average - whole) / np.linalg.norm(whole)
    # As the page measures it, over all batches of the training set and with the scatter taken out.
    of_size = [row[0] for row in runs.gradient_bias(0, bn, 0, {8: 4, 60: 10})]
    if bn:
        assert bias > 0.1
        assert of_size == pytest.approx([0.27, 0.07], abs=0.03)
    else:
        assert bias < 1e-13
        assert max(of_size) < 1e-12


def test_c54_stopping_the_gradient_at_the_statistics_costs():
    right, stopped = (
        [np.array(algorithm.runs.stopped_losses(s, k)).reshape(-1, 20).mean(axis=1) for s in SEEDS]
        for k in (False, True)
    )
    assert median(run[-1] for run in stopped) > 4 * median(run[-1] for run in right)
    for run in stopped:  # it falls at first, and then rises again
        assert run.min() < 0.6 * run[0]
        assert run[-1] > 1.25 * run.min()
    assert all(run.argmin() > 10 for run in right)


def test_c55_only_gradient_descent_subtracts_alpha_times_gradient(rng):
    g = rng.normal(size=50)
    for optimizer, plain in (
        (GradientDescent(0.1), True),
        (Momentum(0.1), False),
        (RMSprop(0.1), False),
        (Adam(0.1), False),
    ):
        theta = np.zeros(50)
        optimizer.step(theta, g)
        assert np.allclose(theta, -0.1 * g, rtol=1e-12) == plain


def test_ghost_batches_are_batch_norm_of_each_part(rng):
    ghost = runs.ghost_network(5, 0).layers[1]
    z = rng.normal(2.0, 3.0, (10, 100))
    out = ghost.forward(z, training=True)
    parts = (z[:5], z[5:])
    for part, mine in zip(parts, (out[:5], out[5:]), strict=True):
        expected, _ = batch_norm(part, ghost.gamma, ghost.beta, 1e-5)
        np.testing.assert_allclose(mine, expected, rtol=1e-12, atol=1e-13)
    mean = np.mean([part.mean(axis=0) for part in parts], axis=0)
    var = np.mean([part.var(axis=0, ddof=1) for part in parts], axis=0)
    np.testing.assert_allclose(ghost.running_mean, 0.1 * mean, rtol=1e-12)
    np.testing.assert_allclose(ghost.running_var, 0.9 + 0.1 * var, rtol=1e-12)


def test_ghost_batches_refuse_what_does_not_fit(rng):
    with pytest.raises(ValueError, match="expected a multiple of 5 rows, got 11"):
        runs.GhostBatchNorm(3, 5).forward(rng.normal(size=(11, 3)), training=True)
    with pytest.raises(ValueError, match="expected at least 2, got 1"):
        runs.GhostBatchNorm(3, 1)


def test_the_gradient_of_ghost_batches(rng, digits):
    from bncourse import Dense, gradient_check

    net = Sequential([Dense(64, 6, rng=rng), runs.GhostBatchNorm(6, 5), Dense(6, 10, rng=rng)])
    net.theta += rng.normal(0, 0.3, net.theta.size)
    assert gradient_check(net, digits.x_train[:20], digits.y_train[:20]) < 1e-7

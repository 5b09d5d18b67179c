from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    CumulativeAverage,
    ExponentialMovingAverage,
    ReLU,
    layer_outputs,
    mlp,
    population_statistics,
    preserve_statistics,
    set_statistics,
)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_the_average_is_the_weighted_sum(decay, rng):
    values = rng.normal(size=(30, 4))
    raw, corrected = (ExponentialMovingAverage(decay, c) for c in (False, True))
    for x in values:
        raw.update(x)
        corrected.update(x)
    weights = (1 - decay) * decay ** np.arange(29, -1, -1.0)
    np.testing.assert_allclose(raw.value, weights @ values, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        corrected.value, weights @ values / weights.sum(), rtol=1e-11, atol=1e-13
    )


def test_bias_correction_makes_a_constant_come_out_at_once():
    average = ExponentialMovingAverage(0.99)
    assert average.update(3.0) == pytest.approx(3.0, rel=1e-14)
    assert ExponentialMovingAverage(0.99, False).update(3.0) == pytest.approx(0.03)
    assert average.window == pytest.approx(100.0)


def test_the_cumulative_average_is_the_mean(rng):
    average = CumulativeAverage()
    values = rng.normal(1e6, 1.0, (1000, 3))
    for x in values:
        average.update(x)
    np.testing.assert_allclose(average.value, values.mean(axis=0), rtol=1e-14)


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


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan"), None])
def test_bad_decays_are_refused(decay):
    with pytest.raises(ValueError, match="decay: expected"):
        ExponentialMovingAverage(decay)


@pytest.fixture
def net(rng):
    net = mlp((64, 12, 9, 10), ReLU, rng=rng)
    net.theta += rng.normal(0.1, 0.1, net.theta.size)
    return net


def test_layer_outputs_are_those_of_training_and_evaluation(net, digits):
    x = digits.x_train[:50]
    expected = net.forward(x, training=True)
    np.testing.assert_array_equal(layer_outputs(net, x, statistics="batch")[-1], expected)
    np.testing.assert_array_equal(
        layer_outputs(net, x, statistics="running")[-1], net.forward(x, training=False)
    )
    assert len(layer_outputs(net, x, statistics="batch")) == len(net.layers)
    with pytest.raises(ValueError, match="'batch' or 'running'"):
        layer_outputs(net, x, statistics="train")


def test_one_image_in_batch_mode_says_the_same_whatever_it_shows(net, digits):
    outputs = [
        layer_outputs(net, digits.x_test[i : i + 1], statistics="batch")[-1] for i in range(5)
    ]
    for z in outputs[1:]:
        np.testing.assert_array_equal(z, outputs[0])


def test_population_statistics_are_those_of_the_whole_set(net, digits):
    x = digits.x_train
    first = population_statistics(net, x)[0]
    z = net.layers[0].forward(x, training=False)
    np.testing.assert_allclose(first.mean, z.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(first.var, z.var(axis=0), rtol=1e-12)
    assert net.batch_norms[0].batches_seen == 0


@pytest.mark.parametrize("size", [2, 7, 100, 1436])
def test_the_first_layer_has_the_same_statistics_however_it_is_batched(net, digits, size):
    # Its inputs don't depend on any batch, so the law of total variance is exact.
    whole, parts = (population_statistics(net, digits.x_train, s)[0] for s in (None, size))
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-10)
    np.testing.assert_allclose(parts.var, whole.var, rtol=1e-10)


def test_with_full_statistics_evaluation_is_the_full_batch(net, digits):
    x = digits.x_train
    set_statistics(net, population_statistics(net, x))
    np.testing.assert_allclose(
        net.forward(x, training=False), layer_outputs(net, x, statistics="batch")[-1], rtol=1e-9
    )


def test_set_statistics_is_all_or_nothing(net, digits):
    good = population_statistics(net, digits.x_train)
    net.forward(digits.x_train[:20], training=True)
    before = [layer.running_mean.copy() for layer in net.batch_norms]
    for bad in (good[:1], [good[0], good[0]], [good[0], (good[1].mean, -good[1].var)]):
        with pytest.raises(ValueError, match="expected"):
            set_statistics(net, bad)
        for layer, mean in zip(net.batch_norms, before, strict=True):
            np.testing.assert_array_equal(layer.running_mean, mean)


def test_statistics_are_kept(net, digits):
    with preserve_statistics(net):
        net.forward(digits.x_train[:20], training=True)
        assert net.batch_norms[0].batches_seen == 1
    assert net.batch_norms[0].batches_seen == 0
    np.testing.assert_array_equal(net.batch_norms[0].running_mean, np.zeros(12))


@pytest.mark.parametrize("size", [0, 1, 1438, 2.5])
def test_population_statistics_refuse_other_batch_sizes(net, digits, size):
    with pytest.raises(ValueError, match="batch_size: expected"):
        population_statistics(net, digits.x_train, size)

"""The claims of chapter 2, C16 to C39, C79, C81, C83, and the assertions A16 and A17."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    GradientDescent,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    batch_norm,
    batch_norm_backward,
    fold_batch_norm,
    gradient_errors,
    gram_spectrum,
    layer_outputs,
    max_over_median,
    mlp,
)
from bncourse.chapters.algorithm import runs
from bncourse.chapters.common import SEEDS, SIZES, train_digits
from bncourse.chapters.gaussian import relu, sigmoid

from .common import each_triple, median

EPSILON = 1e-5


class StoppedAtMean(BatchNorm):
    """Batch norm whose backward pass takes μ alone for a constant."""

    def _backward(self, dz):
        super()._backward(dz)
        cache, m = self.cache, len(dz)
        return cache.gamma * cache.inv_std * (dz - cache.z_norm * self.grads["gamma"] / m)


class StoppedAtVariance(BatchNorm):
    """Batch norm whose backward pass takes σ² alone for a constant."""

    def _backward(self, dz):
        super()._backward(dz)
        return self.cache.gamma * self.cache.inv_std * (dz - self.grads["beta"] / len(dz))


def normalise(z, epsilon=EPSILON):
    n = z.shape[1]
    return batch_norm(z, np.ones(n), np.zeros(n), epsilon)[0]


@pytest.fixture
def z(rng):
    return rng.normal([1.0, -3.0, 10.0], [0.5, 2.0, 1.0], (60, 3)) ** 3


@each_triple
def test_a16_stopping_the_gradient_costs_four_times_the_loss(seeds):
    right, stopped = (
        median(np.mean(runs.stopped_losses(s, k)[-24:]) for s in seeds) for k in (False, True)
    )
    assert stopped / right >= 4


def test_with_the_gradient_stopped_the_means_of_the_first_layer_run_away():
    norms = {
        "whole": BatchNorm,
        "both": runs.StoppedBatchNorm,
        "mean": StoppedAtMean,
        "variance": StoppedAtVariance,
        "plain": runs.without_gamma_and_beta,
    }
    paths = runs.train_with(norms, SEEDS)
    growth = dict(zip(paths.arms, paths.means[..., -1] / paths.means[..., 0], strict=True))
    length = dict(zip(paths.arms, paths.lengths[..., -1] / paths.lengths[..., 0], strict=True))
    last = dict(zip(paths.arms, paths.smooth[..., -1], strict=True))
    lowest = dict(zip(paths.arms, paths.smooth.min(axis=-1), strict=True))
    assert growth["both"].min() > 7
    assert growth["mean"].min() > 3
    assert length["both"].min() > 1.3
    for arm in ("whole", "plain", "variance"):
        assert 0.8 < growth[arm].min() < growth[arm].max() < 1.2
        assert length[arm].max() < 1.1
        assert last[arm].max() < 0.07
    for arm in ("both", "mean"):  # it falls at first, and rises again
        assert (last[arm] > 1.2 * lowest[arm]).all()
        assert (last[arm] > 7 * last["whole"]).all()
    assert (last["variance"] > last["whole"]).all()


@each_triple
def test_a17_frozen_gamma_and_beta_cost_loss_not_accuracy(seeds):
    learned, frozen = ([runs.affine_or_not(s, k) for s in seeds] for k in (True, False))
    assert min(b.loss / a.loss for a, b in zip(learned, frozen, strict=True)) > 1
    assert median(r.loss for r in frozen) > 1.2 * median(r.loss for r in learned)
    assert abs(median(r.accuracy for r in frozen) - median(r.accuracy for r in learned)) <= 0.02


def test_c16_before_and_after_are_different_transforms():
    t = np.random.default_rng(0).normal(size=(100_000, 1))
    before, behind = np.maximum(normalise(t), 0), normalise(np.maximum(t, 0))
    assert before.mean() == pytest.approx(1 / np.sqrt(2 * np.pi), abs=0.01)
    assert np.mean(before == 0) == pytest.approx(0.5, abs=0.01)
    assert abs(behind.mean()) < 1e-12
    assert behind.min() < -0.5


def test_c16_at_the_best_rates_only_the_sigmoid_tells_the_places_apart():
    placement = runs.placement()
    ranges = {(row[0], row[1]): row[4:] for row in placement.rows}
    assert placement.faster_on_a["sigmoid"] == 5
    assert placement.faster_on_a["ReLU"] == 0
    assert ranges["sigmoid", "on a"][1] < 0.5 * ranges["sigmoid", "on z"][0]
    for activation in ("tanh", "ReLU"):
        assert placement.faster_on_a[activation] < 5
        (low_z, high_z), (low_a, high_a) = (ranges[activation, f"on {k}"] for k in "za")
        assert low_a <= high_z
        assert low_z <= high_a
        # And either place is far better than none.
        assert max(high_z, high_a) < ranges[activation, "none"][0]


def test_c16_z_tolerates_larger_rates():
    steps = runs.placement().steps
    for activation in runs.ACTIVATIONS:
        on_z, on_a, nowhere = (
            [np.array(steps[activation, place, rate]) for rate in (0.03, 3.0)]
            for place in ("on z", "on a", "none")
        )
        assert (on_a[0] < on_z[0]).all()  # at a small rate a is ahead
        assert np.isfinite(on_z[1]).all()
        assert np.isinf(on_a[1]).sum() >= (1 if activation == "ReLU" else 5)
        assert np.isinf(nowhere[1]).all()
    assert np.isfinite(steps["sigmoid", "on z", 10.0]).all()
    # What is stored is what the code gives today.
    assert np.isinf(runs.placement_steps(0, "a", Sigmoid, 3.0))
    assert runs.placement_steps(0, "z", Sigmoid, 3.0) < 60


@pytest.mark.slow
def test_c16_one_run_of_each_place_is_what_is_stored():
    for activation, place in ((ReLU, "z"), (Sigmoid, "a")):
        name = {ReLU: "ReLU", Sigmoid: "sigmoid"}[activation]
        stored = runs.PLACEMENT_STORED.load([0]).select(
            activation=name, place=place, learning_rate=0.1
        )
        assert abs(runs.placement_steps(0, place, activation) - stored[0]) <= 4


def test_c16_the_sigmoid_lacks_a_mean_of_0_in_front_of_the_output_layer():
    repairs = runs.repairs()
    best = {name: np.array(repairs.best(name)) for name in runs.REPAIRS}
    plain, rescaled, centred = best["as it is"], best["rescaled"], best["centred"]
    assert (centred < 0.6 * plain).all()
    assert np.median(rescaled) >= np.median(plain)  # a larger rate does what a division does
    assert (best["centred and rescaled"] < centred).all()
    # It is the last hidden layer that needs it.
    for everywhere, last in (
        ("centred and rescaled", "both, in layer 3 only"),
        ("centred", "centred, in layer 3 only"),
    ):
        assert np.abs(best[everywhere] - best[last]).max() <= 2
    assert np.abs(best["both, in layers 1 and 2 only"] - plain).max() <= 2
    # What is stored is what the code gives today.
    assert runs.repair_run(0, "centred, in layer 3 only", 1.0) < 16
    assert runs.repair_run(0, "both, in layers 1 and 2 only", 1.0) > 16
    assert runs.repair_run(0, "rescaled", 1.0) > 40


def test_c17_axis_zero_is_not_axis_one(z):
    over_units = (z - z.mean(axis=1, keepdims=True)) / z.std(axis=1, keepdims=True)
    assert np.abs(normalise(z) - over_units).max() > 1
    np.testing.assert_allclose(normalise(z)[:, 0], normalise(z[:, :1])[:, 0], rtol=1e-12)
    assert np.abs(normalise(z).mean(axis=0)).max() < 1e-12
    assert np.abs(normalise(z).mean(axis=1)).max() > 0.1


def test_c18_batch_variance_divides_by_m(z):
    _, cache = batch_norm(z, np.ones(3), np.zeros(3), EPSILON)
    np.testing.assert_allclose(cache.var, z.var(axis=0, ddof=0), rtol=1e-12)
    assert not np.allclose(cache.var, z.var(axis=0, ddof=1), rtol=1e-3)


def test_c19_minus_epsilon_gives_nan():
    unit = 1e-3 * np.array([-1.0, 1.0, -1.0, 1.0])
    with np.errstate(invalid="ignore"):
        assert np.isnan(unit / np.sqrt(unit.var() - EPSILON)).all()
    # With the plus it is a number, and the one that the plus gives.
    var = unit.var()
    assert normalise(unit[:, np.newaxis]).var() == pytest.approx(var / (var + EPSILON), rel=1e-9)
    larger = 10 * unit
    assert (larger / np.sqrt(larger.var() - EPSILON)).var() == pytest.approx(1 / 0.9, rel=1e-12)


def test_c20_plus_epsilon(z):
    expected = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + EPSILON)
    np.testing.assert_allclose(normalise(z), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("sd", [1.0, 0.01, 0.001])
def test_c21_output_variance_falls_short_of_one(sd):
    unit = sd * np.array([[-1.0], [1.0], [-1.0], [1.0]])
    out = normalise(unit)
    assert out.mean() == 0.0
    assert out.var() == pytest.approx(sd**2 / (sd**2 + EPSILON), rel=1e-12)


def test_c22_scale_and_shift_are_per_unit(z):
    gamma, beta = np.array([2.0, -1.0, 0.5]), np.array([1.0, 2.0, 3.0])
    together, _ = batch_norm(z, gamma, beta, EPSILON)
    for j in range(3):
        alone, _ = batch_norm(z[:, [j]], gamma[[j]], beta[[j]], EPSILON)
        np.testing.assert_allclose(together[:, [j]], alone, rtol=1e-12)
    z_norm = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + EPSILON)
    np.testing.assert_allclose(together, gamma * z_norm + beta, rtol=1e-11, atol=1e-12)


def test_c23_moments_leave_zero_and_one(z):
    out, _ = batch_norm(z, np.full(3, 3.0), np.full(3, -5.0), 0.0)
    np.testing.assert_allclose(out.mean(axis=0), -5.0, rtol=1e-12)
    np.testing.assert_allclose(out.std(axis=0), 3.0, rtol=1e-12)


@pytest.mark.parametrize(("activation", "rate"), [(Sigmoid, 1.0), (ReLU, 0.1)])
def test_c24_frozen_gamma_and_beta_still_work(activation, rate):
    learned, frozen = (
        [runs.affine_or_not(s, k, activation, rate) for s in SEEDS] for k in (True, False)
    )
    without = median(r.accuracy for r in frozen)
    assert without > 0.96
    assert abs(median(r.accuracy for r in learned) - without) <= 0.02
    # They were frozen: the training loss says so.
    assert median(r.loss for r in frozen) > 1.1 * median(r.loss for r in learned)
    for sd in (0.1, 1.0, 10.0):  # and ReLU is as bent at any scale
        assert runs.linear_r2(relu, 0.0, sd) == pytest.approx(0.25 / (0.5 - 0.5 / np.pi), abs=1e-6)
    # What counts is where its kink lies.
    assert runs.linear_r2(relu, -1.0, 1.0) < 0.5
    assert runs.linear_r2(relu, 2.0, 1.0) > 0.99


def test_c25_sigmoid_is_nearly_linear_on_a_unit_normal():
    assert runs.linear_r2(sigmoid) == pytest.approx(0.984, abs=0.001)
    t = np.linspace(-2, 2, 401)
    tangent = 0.5 + t / 4
    error = np.abs(sigmoid(t) - tangent)
    assert error[np.abs(t) <= 1].max() == pytest.approx(0.019, abs=0.001)
    assert error.max() == pytest.approx(0.119, abs=0.001)


def test_c26_nearly_linear_is_not_linear():
    shares = {row[0]: row[1] for row in runs.affine_shares().rows}
    assert shares["none"] == pytest.approx(1.0, abs=1e-9)
    assert shares["sigmoid"] == pytest.approx(0.96, abs=0.02)
    assert shares["ReLU"] < shares["tanh"] < shares["sigmoid"]
    # What is stored is what the code gives today.
    assert runs.affine_share(0, runs.Identity, steps=60).share == pytest.approx(1.0, abs=1e-9)
    assert 0.9 < runs.affine_share(0, Sigmoid, steps=200).share < 0.99


def test_c27_outputs_cover_two_thirds_of_the_range():
    low, high = sigmoid(np.array([-1.645, 1.645]))
    assert high - low == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("m", [2, 3, 10, 60])
def test_c28_only_the_batch_bounds_z_norm(m, rng):
    extreme = np.zeros((m, 1))
    extreme[0] = 1.0
    assert np.abs(normalise(extreme, 0.0)).max() == pytest.approx(np.sqrt(m - 1), rel=1e-12)
    heavy = rng.standard_cauchy((m, 500))
    assert np.abs(normalise(heavy, 0.0)).max() <= np.sqrt(m - 1) * (1 + 1e-12)


@pytest.mark.slow
def test_c29_frozen_affine_costs_training_loss():
    rows = {row[:3]: row for row in runs.freezing().rows}
    for activation in ("sigmoid", "ReLU"):
        for rate in runs.FROZEN_RATES:
            *_, low, high, accuracy = rows[activation, rate, "γ, β frozen"]
            assert abs(accuracy - rows[activation, rate, "γ, β learned"][-1]) <= 0.02
            if (activation, rate) == ("ReLU", 1.0):
                assert low < 1 < high
            else:
                assert 1 < low <= high < 2.5
    # What is stored is what the code gives today.
    learned, frozen = (runs.affine_or_not(0, k).loss for k in (True, False))
    assert frozen > 1.2 * learned


@pytest.mark.slow
def test_c29_on_harder_data_frozen_affine_costs_a_sigmoid_accuracy():
    accuracies = runs.harder().accuracies
    for setting in runs.HARDER_SETTINGS:
        of_arms = accuracies[setting]
        learned, frozen, without = (np.array(of_arms[k]) for k in (True, False, None))
        if setting[0] == "sigmoid":
            assert (frozen < learned).all()
            if setting[1] < 1:  # at rate 1 the frozen network is hardly better than without
                assert (without < frozen).all()
        else:
            assert abs(np.median(frozen) - np.median(learned)) < 0.03
    linear = accuracies[runs.HARDER_LINEAR][False]
    assert max(linear) < min(accuracies["sigmoid", 0.3, 2000][False])
    # What is stored is what the code gives today.
    today = [runs.harder_run(0, "sigmoid", 1.0, k, 1000) for k in (True, False)]
    assert today[1] < today[0] - 0.02


def test_c30_gamma_and_beta_set_the_moments(z, rng):
    gamma, beta = rng.normal(0, 2, 3), rng.normal(0, 2, 3)
    out, _ = batch_norm(z, gamma, beta, 0.7)
    var = z.var(axis=0)
    np.testing.assert_allclose(out.mean(axis=0), beta, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(out.var(axis=0), gamma**2 * var / (var + 0.7), rtol=1e-12)


def test_c31_identity_for_one_batch_only(rng):
    first, second = rng.normal(0, 1, (60, 5)), rng.normal(0.5, 2, (60, 5))
    _, cache = batch_norm(first, np.ones(5), np.zeros(5), EPSILON)
    gamma, beta = np.sqrt(cache.var + EPSILON), cache.mean
    assert np.abs(batch_norm(first, gamma, beta, EPSILON)[0] - first).max() < 1e-13
    assert np.abs(batch_norm(second, gamma, beta, EPSILON)[0] - second).max() > 0.5
    layer = BatchNorm(5)
    layer.set_statistics(cache.mean, cache.var)
    layer.params["gamma"][...], layer.params["beta"][...] = gamma, beta
    assert np.abs(layer.forward(second, training=False) - second).max() < 1e-13


def test_c32_folds_into_one_affine_map(rng):
    dense, norm = Dense(6, 4, rng=rng), BatchNorm(4)
    for layer in (dense, norm):
        for p in layer.params.values():
            p += rng.normal(0, 0.5, p.shape)
    norm.forward(dense.forward(rng.normal(size=(30, 6)), training=True), training=True)
    x = rng.normal(size=(9, 6))
    np.testing.assert_allclose(
        fold_batch_norm(dense, norm).forward(x, training=False),
        norm.forward(dense.forward(x, training=False), training=False),
        rtol=1e-13,
        atol=1e-14,
    )


def test_c33_next_layer_receives_z_tilde(rng):
    net = Sequential([Dense(6, 4, bias=False, rng=rng), BatchNorm(4), ReLU()])
    net.theta += rng.normal(0, 0.5, net.theta.size)
    z, z_tilde, a = layer_outputs(net, rng.normal(size=(10, 6)), statistics="batch")
    np.testing.assert_allclose(z_tilde.mean(axis=0), net.layers[1].beta, rtol=1e-10)  # not z
    np.testing.assert_array_equal(a, np.maximum(z_tilde, 0))
    assert not np.allclose(a, np.maximum(z, 0), atol=0.1)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5, 1e-8])
def test_c34_epsilon_caps_the_gain(epsilon):
    tiny = 1e-15 * np.array([[-1.0], [1.0]])
    _, cache = batch_norm(tiny, np.ones(1), np.zeros(1), epsilon)
    dz, _, _ = batch_norm_backward(np.array([[1.0], [0.0]]), cache)
    assert np.abs(dz).max() == pytest.approx(0.5 * epsilon**-0.5, rel=1e-12)  # backward too
    assert cache.inv_std[0] == pytest.approx(epsilon**-0.5, rel=1e-12)
    np.testing.assert_array_equal(normalise(np.full((4, 1), 7.0), epsilon), 0.0)


def test_c36_gamma_and_beta_have_gradients(rng, digits):
    # Two layers: the gradient for the first γ and β comes through the second's statistics.
    net = mlp((64, 6, 5, 10), Sigmoid, rng=rng)
    net.theta += rng.normal(0, 0.3, net.theta.size)
    x, y = digits.x_train[:20], digits.y_train[:20]
    errors = gradient_errors(net, x, y)
    for name in ("1.gamma", "1.beta", "4.gamma", "4.beta"):
        assert errors[name] < 1e-7
    net.backward(SoftmaxCrossEntropy()(net.forward(x, training=True), y)[1])
    before = {k: net.layers[1].params[k].copy() for k in ("gamma", "beta")}
    GradientDescent(0.1).step(net.theta, net.dtheta)
    for name, p in before.items():
        assert np.abs(net.layers[1].params[name] - p).min() > 0


def test_c37_other_differences_cost_more(digits):
    learned, frozen = (runs.affine_or_not(0, k, ReLU, 0.1, steps=300) for k in (True, False))
    right, stopped = (np.mean(runs.stopped_losses(0, k)[-24:]) for k in (False, True))
    assert stopped / right > 2 * frozen.loss / learned.loss
    # And at test time: the batch's statistics for stored ones, against γ and β for none.
    net, _ = train_digits(0, ReLU, True, 0.1, 100)
    alone = [layer_outputs(net, x, statistics="batch")[-1] for x in digits.x_test[:, np.newaxis]]
    assert frozen.accuracy > 0.95
    assert np.mean(digits.y_test == np.concatenate(alone).argmax(axis=1)) < 0.2


def test_c39_shape_is_unchanged(z):
    def skewness(v):
        centred = v - v.mean(axis=0)
        return (centred**3).mean(axis=0) / v.std(axis=0) ** 3

    gamma = np.array([2.0, -0.5, 10.0])
    out, _ = batch_norm(z, gamma, np.array([1.0, 2.0, 3.0]), 0.0)
    np.testing.assert_allclose(skewness(out), np.sign(gamma) * skewness(z), rtol=1e-10)
    assert np.abs(skewness(z)).max() > 0.5


def test_c79_standard_deviation_is_the_size_of_gamma(z):
    gamma = np.array([3.0, -2.0, 0.5])
    out, _ = batch_norm(z, gamma, np.zeros(3), 0.0)
    np.testing.assert_allclose(out.std(axis=0), np.abs(gamma), rtol=1e-12)
    assert not np.allclose(out.std(axis=0), gamma**2, rtol=0.1)


def test_c81_activations_keep_a_mean(digits):
    net = mlp(SIZES, ReLU, rng=np.random.default_rng(0))
    outputs = layer_outputs(net, digits.x_train, statistics="batch")
    a = outputs[-2]  # behind the last hidden ReLU, in front of the output layer
    mean, axes = a.mean(axis=0), np.linalg.eigh(a.T @ a / len(a))[1]
    assert abs(axes[:, -1] @ mean) / np.linalg.norm(mean) > 0.99
    uncentred, centred = (max_over_median(gram_spectrum(a, centred=c)) for c in (False, True))
    assert uncentred > 3 * centred
    # A batch norm behind the weights doesn't see that mean: wa − mean(wa) = w(a − mean(a)).
    a, w = outputs[2], net.layers[3].params["w"]
    np.testing.assert_allclose(
        normalise(a @ w.T), normalise((a - a.mean(axis=0)) @ w.T), rtol=0, atol=1e-10
    )


def test_c83_many_epsilons_are_harmless():
    scores = runs.epsilon_range().scores
    for setting in runs.EPSILON_SETTINGS:
        harmless = [median(scores[epsilon, *setting]) for epsilon in (1e-12, 1e-5, 0.1)]
        assert min(harmless) > 0.95
        assert max(harmless) - min(harmless) <= 0.01
    first, larger, longer = runs.EPSILON_SETTINGS
    assert max(scores[1.0, *first]) < min(scores[1e-5, *first])
    assert max(scores[10.0, *first]) < 0.3
    # A large ε asks for a larger rate, and for more steps.
    assert min(scores[1.0, *larger]) > 0.95
    assert min(scores[10.0, *longer]) > 0.95
    # What is stored is what the code gives today.
    assert runs.epsilon_run(0, 10.0) < 0.3
    assert runs.epsilon_run(0, 10.0, *longer) > 0.9
    assert runs.epsilon_run(0, 0.1) > 0.9


def test_one_pass_loses_the_variance_and_two_passes_keep_it():
    errors = runs.variance_errors([0.0, 3.0, 4.0, 6.0])
    assert errors.one_pass[0] < 1e-6
    assert errors.one_pass[2] > 1
    assert errors.negative[2] > 0.2
    assert errors.two_pass[1] < 1e-6
    assert 1e-4 < errors.two_pass[3] < 0.02


@pytest.mark.parametrize("m", [60, 1000])
def test_a_product_with_ones_rounds_less_than_a_sum(m):
    sequential, product = runs.sum_errors(m)
    assert sequential > 1.5 * product


def test_the_one_line_form_needs_one_array(rng):
    dz = rng.normal(size=(500, 100))
    _, cache = batch_norm(dz, np.ones(100), np.zeros(100), EPSILON)
    peak = runs.peak_memory(lambda: batch_norm_backward(dz, cache))
    assert 0.9 < peak / dz.nbytes < 1.2


def test_what_is_left_along_z_norm(z, rng):
    _, cache = batch_norm(z, np.array([2.0, -1.0, 0.5]), np.zeros(3), 0.7)
    dz, dgamma, _ = batch_norm_backward(rng.normal(size=z.shape), cache)
    left = cache.inv_std * cache.gamma * dgamma * 0.7 / (cache.var + 0.7)
    np.testing.assert_allclose(np.sum(dz * cache.z_norm, axis=0), left, rtol=1e-9, atol=1e-12)


def test_source_shows_the_code_that_runs_and_nothing_else():
    text = runs.source(batch_norm)
    assert text.startswith("def batch_norm(z, gamma, beta, epsilon):\n    m = len(z)\n")
    assert "mean = ones @ z / m" in text
    assert '"""' not in text
    assert "check" not in text

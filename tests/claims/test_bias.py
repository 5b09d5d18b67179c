"""The claims of chapter 3, C40 to C48 and C84, and the reference assertion A8."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import Dense, ReLU, SoftmaxCrossEntropy, layer_outputs, load_digits, mlp
from bncourse.chapters.bias import runs
from bncourse.chapters.common import SIZES, train_digits

from .common import each_triple, median


@each_triple
def test_a08_weights_grow_as_pythagoras_says(seeds):
    for seed in seeds:
        run = runs.weight_growth(seed)
        grown, predicted = run.norm[-1] - run.norm[0], run.pythagoras[-1] - run.pythagoras[0]
        assert abs(grown / predicted - 1) < 1e-3
        assert run.norm[-1] / run.norm[0] > 1.15


def test_c40_dense_adds_its_bias(rng):
    layer = Dense(4, 3, rng=rng)
    layer.params["b"][...] = [1.0, -2.0, 3.0]
    a = rng.normal(size=(5, 4))
    expected = np.array([layer.params["w"] @ row + layer.params["b"] for row in a])
    np.testing.assert_allclose(layer.forward(a, training=False), expected, rtol=1e-13, atol=1e-14)


def test_c41_mean_subtraction_cancels_the_bias():
    effect = runs.shift_biases(np.array([1.0, 100.0]))
    # 100 costs three of sixteen digits, and the logits are of order 10.
    assert effect.training[1] < 1e-11


def test_c42_bias_gradient_is_zero_and_evaluation_differs(digits):
    net = runs.network_with_bias(0)
    x, y = digits.x_train[:60], digits.y_train[:60]
    _, dz = SoftmaxCrossEntropy()(net.forward(x, training=True), y)
    net.backward(dz)
    for layer in runs.hidden_dense(net):
        assert np.abs(layer.grads["b"]).max() < 1e-13 * np.abs(layer.grads["w"]).max()
    effect = runs.shift_biases(np.array([1.0, 1e4]))
    assert effect.evaluation[0] > 1.0
    assert 1e-3 < effect.training32[1] < 1.0


def test_c42_beta_sets_the_mean_that_the_activation_sees_and_b_does_not(digits):
    x = digits.x_train[:60]
    for name, moved in (("beta", 5.0), ("b", 0.0)):
        net = runs.network_with_bias(0)
        before = layer_outputs(net, x, statistics="batch")[1].mean(axis=0)
        for layer in (*runs.hidden_dense(net), *net.batch_norms):
            if name in layer.params:
                layer.params[name] += 5.0
        after = layer_outputs(net, x, statistics="batch")[1].mean(axis=0)
        np.testing.assert_allclose(after - before, moved, atol=1e-12)


def test_c43_training_without_bias_is_the_same(digits):
    with_bias, _ = train_digits(0, ReLU, True, 0.1, 100, bias=True)
    without, _ = train_digits(0, ReLU, True, 0.1, 100)
    z1, z2 = (
        layer_outputs(net, digits.x_test, statistics="batch")[-1] for net in (with_bias, without)
    )
    # 100 steps let rounding grow, but not to the ninth decimal.
    assert np.abs(z1 - z2).max() < 1e-9


def test_c44_output_layer_keeps_its_bias():
    net = mlp(SIZES, ReLU)
    keys = [set(layer.params) for layer in net.layers if layer.params]
    assert keys == [{"w"}, {"gamma", "beta"}] * 3 + [{"w", "b"}]
    # And each of them is trained, γ in each layer by itself.
    start, trained = (train_digits(0, ReLU, True, 0.1, steps)[0] for steps in (0, 1))
    for before, after in zip(start.layers, trained.layers, strict=True):
        for name, p in after.params.items():
            assert not np.array_equal(p, before.params[name]), name
    gammas = [layer.gamma for layer in trained.batch_norms]
    assert not np.array_equal(gammas[0], gammas[1])


def test_c45_one_vector_more_per_layer():
    assert mlp(SIZES, ReLU, None).theta.size == 27_710
    net = mlp(SIZES, ReLU)
    assert net.theta.size == 27_710 + 300
    assert sum(la.running_mean.size + la.running_var.size for la in net.batch_norms) == 600


def test_c46_shapes_fix_the_index(digits):
    net, _ = train_digits(0, ReLU, True, 0.1, 5)
    a = digits.x_train[:60]  # a[0]
    outputs = layer_outputs(net, a, statistics="batch")
    for number in range(1, 4):  # a[l − 1] through w[l], γ[l] and β[l] to a[l]
        w, norm = net.layers[3 * number - 3].params["w"], net.batch_norms[number - 1]
        assert w.shape == (SIZES[number], SIZES[number - 1])
        z = a @ w.T
        z_norm = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + norm.epsilon)
        a = np.maximum(norm.gamma * z_norm + norm.beta, 0)
        np.testing.assert_allclose(outputs[3 * number - 1], a, rtol=1e-9, atol=1e-11)


def test_c47_normalised_layers_have_no_bias():
    net, _ = train_digits(1, ReLU, True, 0.1, 100, bias=True)
    assert len(runs.hidden_dense(net)) == 3
    for layer in runs.hidden_dense(net):
        assert np.abs(layer.params["b"]).max() < 1e-12
    assert np.abs(net.layers[-1].params["b"]).max() > 1e-3


def test_c48_normalised_output_needs_gamma_and_beta():
    plain, affine, bare = runs.normalised_outputs().rows
    _, floor = runs.lowest_loss(10)
    for end in ("500", "1000", "2000"):
        assert min(bare[end]) > floor > max(affine[end])
        assert all(a > 2 * p for a, p in zip(affine[end], plain[end], strict=True))
    # It still falls, and less and less.
    drops = [median(bare[a]) - median(bare[b]) for a, b in (("500", "1000"), ("1000", "2000"))]
    assert 0 < drops[1] < drops[0] < 0.05
    assert abs(median(plain["steps"]) - median(affine["steps"])) <= 10
    # The ratio belongs to the rate; the accuracy is the same at both.
    ratios = []
    for rate in (0.1, 0.5):
        rows = runs.normalised_outputs(rate=rate).rows
        assert min(min(row["accuracy"]) for row in rows) > 0.97
        assert (
            max(abs(median(row["accuracy"]) - median(rows[0]["accuracy"])) for row in rows) < 0.01
        )
        ratios.append(median(rows[1]["2000"]) / median(rows[0]["2000"]))
    assert 3 < ratios[0] < 5 < ratios[1]
    assert max(plain["changed at 20"]) < 0.06
    assert max(plain["changed at 2000"]) < 0.01


def test_c84_without_batch_norm_w_and_b_are_trained():
    start, trained = (train_digits(0, ReLU, False, 0.1, steps)[0] for steps in (0, 1))
    for before, after in zip(start.layers, trained.layers, strict=True):
        assert set(after.params) in (set(), {"w", "b"})
        for name, p in after.params.items():
            assert not np.array_equal(p, before.params[name])


def test_without_batch_norm_the_squared_updates_miss_the_growth():
    run = runs.weight_growth(0, batch_norm=False)
    share = (run.pythagoras[-1] - run.norm[0]) / (run.norm[-1] - run.norm[0])
    assert 0.3 < share < 0.6


def test_decay_sets_the_effective_rate_by_a_root_and_forgets_the_start():
    settled = runs.settled_rates()
    late = {
        decay: [median(settled.values[decay, start]["rate"]) for start in runs.STARTS]
        for decay in runs.DECAYS
    }
    for decay in (0.01, 0.04):
        assert max(late[decay]) < 1.2 * min(late[decay])
        # One gradient for all units misses by a sixth; unit by unit the formula holds.
        measured = median(settled.over_starts(decay, "rate"))
        assert 1.1 < measured / settled.formula(decay) < 1.25
        assert settled.formula(decay, "gradient by unit") == pytest.approx(measured, rel=0.06)
    assert max(late[0.0]) > 20 * min(late[0.0])
    assert median(late[0.04]) / median(late[0.01]) == pytest.approx(1.9, abs=0.1)
    accuracies = [settled.over_starts(decay, "accuracy") for decay in (0.01, 0.04)]
    assert median(accuracies[1]) < median(accuracies[0]) - 0.02


def test_with_momentum_the_squared_updates_are_a_twentieth_of_the_growth():
    run = runs.weight_growth(0, momentum=0.9)
    assert np.ptp(run.pythagoras) / np.ptp(run.norm) == pytest.approx(1 / 19, rel=0.2)


def test_a_layer_behind_the_weights_centres_the_inputs():
    regression = runs.behind_softmax(runs.Centre)
    raw, behind, centred = regression.steps.values()
    assert behind == centred
    assert regression.apart < 1e-12
    # Each at its own safe rate; and at one small rate it buys nothing.
    assert (raw[0], behind[1]) == (503, 52)
    assert behind[0] > raw[0]
    assert min(behind) < min(raw) / 3


@each_triple
def test_without_batch_norm_most_of_the_gradient_moves_all_alike(seeds):
    shares = runs.gradient_shares(seeds).values
    raw, standard = "pixels from 0 to 1", "standardised"
    assert (shares[raw, False] > 0.65).all()
    for inputs in (raw, standard):
        assert (shares[inputs, True][:, :3] < 0.12).all()
        assert (shares[inputs, True][:, 3] > 0.25).all()
    assert (shares[standard, False][:, 0] < 0.2).all()
    assert (shares[standard, False][:, 1:] > 0.3).all()


def test_raw_pixels_lie_alike_along_their_mean_and_standardised_ones_on_both_sides():
    for standardized in (False, True):
        x = load_digits(standardized=standardized).x_train
        for batch in x[:600].reshape(10, 60, -1):
            along = batch @ batch.mean(axis=0)
            if standardized:
                assert along.min() < 0 < along.max()
                assert along.std() > along.mean()
            else:
                assert along.std() < 0.2 * along.mean()


def test_only_the_last_activation_makes_z_or_a_matter_to_the_sigmoid():
    steps = runs.last_activations().steps
    on_z, centred, spread, both, last, on_a, on_a_but_last = (steps[name] for name in runs.LAST)
    for k in (0, 1):
        assert max(last[k]) < min(on_z[k]) / 2
        assert abs(median(last[k]) - median(on_a[k])) <= 2
    # And the other way round: the layers below do nothing by themselves.
    for k in (0, 1, 2):
        assert abs(median(on_a_but_last[k]) - median(on_z[k])) <= 2
    # Centring alone helps at the large rate and not at the small one.
    assert median(centred[0]) > 0.9 * median(on_z[0])
    assert max(centred[2]) < min(on_z[2])
    assert all(few < many for few, many in zip(centred[2], last[2], strict=True))
    # The spread alone halves the steps at the small rate, and multiplies them at the large one.
    assert max(spread[0]) < 0.75 * min(on_z[0])
    assert min(spread[2]) > 3 * max(on_z[2])
    # Centring and a constant do what normalising does.
    for rate in range(3):
        assert abs(median(both[rate]) - median(last[rate])) <= 2


def test_subtraction_alone_allows_larger_rates_and_is_no_faster_at_a_small_one():
    plain, half, _, whole = runs.halves().steps.values()
    assert all(b > a for a, b in zip(plain[0], half[0], strict=True))
    for rate in (1, 2, 3):
        assert all(b < a for a, b in zip(plain[rate], half[rate], strict=True))
    assert min(plain[3]) == np.inf
    assert max(half[3]) < 20
    assert median(whole[0]) < median(half[0]) / 2.5
    assert max(whole[0]) < min(half[0])


def test_division_alone_is_faster_at_a_small_rate_and_no_help_at_larger_ones():
    plain, subtracted, divided, whole = runs.halves().steps.values()
    assert all(b < a for a, b in zip(plain[0], divided[0], strict=True))
    gained = median(plain[0]) - median(divided[0])
    assert gained > 0.5 * (median(plain[0]) - median(whole[0]))
    assert all(b <= a for a, b in zip(divided[0], whole[0], strict=True))
    assert median(divided[1]) > median(plain[1])
    assert all(b > a for a, b in zip(plain[2], divided[2], strict=True))
    assert min(divided[3]) == np.inf
    for rate in range(4):
        halves = (median(subtracted[rate]), median(divided[rate]))
        assert median(whole[rate]) < min(halves)


def test_little_depends_on_beta_here():
    trained, frozen = runs.frozen_beta().rows.values()
    assert abs(median(trained["steps"]) - median(frozen["steps"])) <= 4
    for a, b in zip(trained["accuracy"], frozen["accuracy"], strict=True):
        assert abs(a - b) < 0.01
    for a, b in zip(trained["loss"], frozen["loss"], strict=True):
        assert 1.02 < b / a < 1.1


def test_held_lengths_lower_the_accuracy_and_decay_a_little_more():
    for row in runs.held_lengths().values.values():
        assert all(a < b for a, b in zip(row["held"], row["free"], strict=True))
        assert all(a < b for a, b in zip(row["decay"], row["free"], strict=True))
        assert 0.01 < median(row["held"]) - median(row["decay"]) < 0.08


def test_units_are_held_at_the_lengths_that_are_asked_for():
    lengths = np.linspace(0.5, 2.0, 300)
    run = runs.weight_growth(0, steps=3, hold=lengths)
    np.testing.assert_allclose(run.lengths, np.tile(lengths**2, (4, 1)))


@each_triple
def test_loaded_biases_ruin_a_stored_ruler_and_not_a_made_one(seeds):
    loaded = runs.loaded_bias(seeds)
    assert max(loaded.stored) < 0.6 < 0.95 < min(loaded.before)
    assert min(loaded.made) > 0.95


@each_triple
def test_biases_from_the_start_leave_no_trace_once_the_statistics_know_them(seeds):
    start = runs.biased_start(seeds)
    control, biased = start.accuracies[0.0], start.accuracies[10.0]
    assert (biased[:, 0] < 0.5).all()
    assert (control[:, 0] > 0.8).all()
    assert np.abs(biased - control)[:, 2:].max() < 0.03


@pytest.mark.parametrize("c", [0.001, 10.0])
def test_the_loss_ignores_the_scale_of_the_weights(c):
    scaled = runs.scale_weights(c)
    assert scaled[:2] == runs.scaled_weights(c)
    assert scaled.logits < 1e-11
    assert scaled.gradient < 1e-11
    assert scaled.hidden == pytest.approx(1 / c)
    assert scaled.others == pytest.approx(1)

"""Chapter 6: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from bncourse import BatchNorm, Dense, ReLU, Sequential, Tanh, gradient_check, layer_outputs
from bncourse.chapters.inference import explore, figures, runs
from bncourse.chapters.inference.conventions import CONVENTIONS
from bncourse.display import Card

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
    record,
)

EXPLORABLES = ("ema_lab",)
CARD = Card("Why?", "None.", "Evaluation.", {"seed": [0]})


def study(biased, by_class):
    def estimates(low):
        return {m: runs.VarianceEstimates(low, low * m / (m - 1), 1.0, 1.5) for m in (2, 8, 60)}

    return record(
        runs.VarianceStudy, shuffled=estimates(biased), by_class=estimates(by_class), card=CARD
    )


def averages(gap, checkpoints):
    names = ("from 0", "from 0 and 1", "corrected", "cumulative", "precise")
    lower = {"from 0": gap, "from 0 and 1": gap / 2, "cumulative": 0.01}
    return record(
        runs.Averages,
        accuracy={name: [[0.9 - lower.get(name, 0.0)] * 7] * 3 for name in names},
        checkpoints=checkpoints,
        card=CARD,
    )


def arrived(*accuracies):
    return record(
        runs.Arrivals,
        accuracy={way: [a, a] for way, a in zip(runs.WAYS, accuracies, strict=True)},
        answers=[1, 1],
        of_digit=[3, 4],
        card=CARD,
    )


def scatters(deviation):
    paths = {d: np.full((100, 20), 4.0) for d in (0.99, 0.01)}
    averages = {d: np.full((2, 20), 4.0) for d in paths}
    return runs.Scatter((100, 1000), deviation, averages, paths, CARD)


def tuned(new):
    arms = ("nothing", *runs.TUNED, "folded", "without batch norm")
    return runs.FineTuned(
        {arm: np.stack([np.full((4, 5), new), np.full((4, 5), 0.9)], -1) for arm in arms},
        CARD,
    )


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "boxes": [
        (
            (3, 4, 4, 2),
            r"4 rulers of 12 numbers with batch norm, 3 rulers of 16 .* 12 rulers of 4",
        ),
        (
            (2, 2, 1, 1),
            r"2 rulers of 2 numbers with batch norm, .* 2 rulers of 2 .* 4 rulers of 1",
        ),
    ],
    "average_scatter": [
        ((scatters(5.66),), r"runs of 100 batches\. .* 0\.59 by .* 0\.99 and 5\.60 by .* is 4\.$"),
        ((scatters(1.0),), r"0\.10 by the formula .* 0\.99 and 0\.99 by"),
    ],
    "fine_tuning": [
        (
            ({"grey": tuned(0.5), "moved": tuned(0.7)},),
            r"grey: .* 0\.50 and 0\.90 with nothing, .* moved: .* 0\.70 and 0\.90 with nothing",
        ),
        (({"a": tuned(0.1), "b": tuned(0.2)},), r"a: .* 0\.10 and 0\.90 .* b: .* 0\.20 and"),
    ],
    "arrivals": [
        (
            (arrived(0.1, 0.4, 0.2, 0.9, 0.95),),
            r"on 7 images, 3 to 4 .* alone 0\.10, .* 0\.40, .* 0\.20, .* 0\.90 .* stored 0\.95",
        ),
        ((arrived(0.3, 0.4, 0.2, 0.9, 0.95),), r"alone 0\.30"),
    ],
    "average_weights": [
        ((0.9, [1, 3]), r"decay 0\.9 .* 0\.100 after 1 and 0\.271 after 3;"),
        ((0.5, [2]), r"0\.750 after 2;"),
    ],
    "averages_compared": [
        (
            (averages(0.4, [5, 10, 20, 40, 80, 160, 320]),),
            r"0 it is −0\.40 after 5 steps, −0\.40 after 40 .* and 1 −0\.20, .* than 0\.010\.",
        ),
        ((averages(0.1, [1, 2, 3, 4, 5, 6, 7]),), r"−0\.10 after 1 steps"),
    ],
    "cold_rulers": [
        ((), r"0\.447 .* nothing cold, 2\.713 .* both cold, 1\.751 .* 0\.693 .* variance cold\."),
        ((0.5, 1), r"After 1 batches with decay 0\.5, .* 0\.447 .* nothing cold"),
    ],
    "variance_corrections": [
        ((study(0.5, 0.25),), r"m = 2, .* 0\.50 on average, 1\.00 times .* 0\.25"),
        ((study(0.9, 0.8),), r"0\.90 on average, 1\.80 times"),
    ],
}


@functools.cache
def made(name):
    """Return an explorable, made once."""
    return getattr(explore, name)()


def test_every_figure_and_every_explorable_is_here():
    assert set(CALLS) == set(figures.__all__)
    assert set(EXPLORABLES) == explorables_of(explore)


@pytest.mark.parametrize("name", CALLS)
def test_the_words_follow_the_numbers(name):
    check_words(getattr(figures, name), CALLS[name])


def test_the_picture_is_small_and_twice_the_size_of_its_place():
    name = "average_weights"
    check_picture(getattr(figures, name)(*CALLS[name][0][0]))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_the_callback_holds_over_the_whole_range_of_its_controls(name):
    check_range(made(name))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    check_controls(made(name))


def lab(decay, m, correction, bessel, convention, steps=100):
    """Return what the laboratory expects after 10 batches and after all, and what 20 runs do."""
    setting = (decay, steps, m, correction, bessel, convention)
    expected = runs.expected_average(*setting)
    many = runs.running_variances(*setting, runs=4000)
    return expected[9], expected[-1], runs.deviation_of_average(*setting), many


def test_in_the_laboratory_one_fault_passes_one_stays_and_one_scatters():
    old, new = runs.WEIGHED
    early, late, right, _ = lab(0.99, 2, True, True, old)
    assert early == late == 4.0
    early, late, _, _ = lab(0.99, 2, False, True, old)
    assert early < 0.4 < 2.5 < late < 4.0  # passes
    early, late, _, _ = lab(0.99, 2, True, False, old)
    assert early == late == 2.0  # stays
    early, late, swapped, _ = lab(0.99, 2, True, True, new)
    assert early == late == pytest.approx(4.0)
    assert swapped > 9 * right  # scatters


@pytest.mark.parametrize("m", [2, 60])
@pytest.mark.parametrize("bessel", [False, True])
def test_the_laboratorys_runs_are_those_that_it_speaks_of(m, bessel):
    for correction, convention in ((True, runs.WEIGHED[0]), (False, runs.WEIGHED[1])):
        early, late, deviation, many = lab(0.99, m, correction, bessel, convention)
        # 4,000 runs of values as wide as χ² of one degree: some per cent.
        assert many[:, 9].mean() == pytest.approx(early, rel=0.12)
        assert many[:, -1].mean() == pytest.approx(late, rel=0.12)
        assert many[:, -1].std() == pytest.approx(deviation, rel=0.12)


def test_half_a_cold_start_is_split_as_by_pencil():
    readings = {name: reading for name, (_, _, reading) in runs.half_cold(0.9, 3).items()}
    cold_mean, cold_var = 4 * 0.271, 0.729 + 0.271 * 5
    assert readings["nothing cold"] == pytest.approx(1 / np.sqrt(5))
    assert readings["both cold"] == pytest.approx((5 - cold_mean) / np.sqrt(cold_var))
    assert readings["only the mean cold"] == pytest.approx((5 - cold_mean) / np.sqrt(5))
    assert readings["only the variance cold"] == pytest.approx(1 / np.sqrt(cold_var))


def test_the_mean_does_most_harm_and_half_a_repair_may_do_more():
    cold = runs.cold_start()
    medians = {
        name: {start: np.median(values) for start, values in by_start.items()}
        for name, by_start in cold.accuracy.items()
    }
    assert medians["only the mean"][0.0] - medians["only the variance"][0.0] > 0.08
    assert medians["both"][1.0] - medians["neither"][1.0] > 0.05
    assert abs(medians["both"][1.0] - medians["precise statistics"][1.0]) < 0.03
    assert cold.worse("only the variance", 1.0) >= 9
    assert 1 <= cold.worse("only the mean", 1.0) <= 9
    assert max(cold.variances) < 1  # why
    # Deeper means were taken behind a first ruler that was right.
    assert cold.worse("only the mean of layer 1", 1.0) == 0
    assert cold.worse("the mean, and layer 1's variance", 1.0) == 0
    # Whole, the two starts are one.
    assert cold.accuracy["both"][0.0] == cold.accuracy["both"][1.0]


def test_on_standardised_pixels_half_a_repair_makes_nothing_worse():
    cold = runs.cold_start(standardized=True)
    for half in ("only the mean", "only the variance"):
        assert cold.worse(half, 1.0) == 0
    zero, ticks = (np.median(cold.accuracy[f"only the {h}"][0.0]) for h in ("mean", "variance"))
    assert abs(zero - ticks) < 0.06


def test_the_factor_of_the_variance_makes_no_better_predictions():
    divided = runs.divided()
    for m in runs.SMALL:
        better, worse = divided.better(m)
        assert better > worse
    medians = {name: np.median(by_size[8]) for name, by_size in divided.accuracy.items()}
    assert max(medians.values()) - min(medians.values()) < 0.02


def test_faster_training_leaves_averages_behind():
    found = runs.shortfalls()
    for name in runs.WARM:
        assert found.worst[60, 0.1][name] < 0.02
        assert found.worst[60, 3.0][name] > 0.1
    assert found.last[60, 3.0]["cumulative"] > found.last[60, 3.0]["corrected"]


def test_a_zero_is_a_zero_in_any_company_by_the_stored_ruler_only():
    beside = runs.neighbours()
    others, zeros, nobody = runs.COMPANIES
    for company in runs.COMPANIES:
        assert set(beside.answers[company, "stored"]) == {0}
    assert set(beside.answers[others, "made"]) == {0}
    assert np.mean(np.equal(beside.answers[zeros, "made"], 5)) > 0.75
    assert np.mean(np.equal(beside.answers[zeros, "made"], 0)) < 0.1
    assert 0 not in beside.answers[nobody, "made"]
    assert max(beside.sure[nobody, "made"]) < 0.2


def test_a_company_is_what_it_is_called():
    digits = runs.load_digits()
    others, zeros, nobody = (runs.company(which, digits, 3) for which in runs.COMPANIES)
    assert sorted(digits.y_test[others]) == list(range(1, 10))
    assert set(digits.y_test[zeros]) == {0}
    assert len(set(zeros)) == 9
    assert runs.first_zero(digits) not in zeros
    assert len(nobody) == 0


def test_a_misread_momentum_shows_in_small_batches():
    accuracy = runs.misread(seeds=(0, 1, 2)).accuracy
    medians = {m: {d: np.median(v) for d, v in row.items()} for m, row in accuracy.items()}
    assert medians[8][0.99] - medians[8][0.01] > 0.05
    assert medians[8][0.9] - medians[8][0.1] > 0.02
    assert medians[60][0.99] - medians[60][0.01] < 0.03


def test_the_words_for_several_seeds():
    assert runs.told([0.5, 0.25, 0.75]) == "0.50 (0.25 to 0.75)"
    assert runs.told([8.0, 8.0], ".0f") == "8"
    assert runs.tally([5, 0, 5]) == "5: 2, 0: 1 of 3"


# ---------------------------------------------------------------- 6.1 and 6.2


def test_a_row_of_the_table_says_what_the_convention_says():
    for convention in CONVENTIONS:
        row = convention.row()
        assert row[0] == f"{convention.framework} {convention.version}".strip()
        assert row[1] == f"{convention.argument} = {convention.default:g}"
        assert float(row[3]) == convention.decay
        assert float(row[4]) == convention.epsilon
        assert (row[6] == "given") == (convention.initial is None)
        layer = convention.batch_norm(3)
        assert (layer.n, layer.epsilon, layer.decay) == (3, convention.epsilon, convention.decay)
        assert layer.unbiased == (convention.running_variance == "unbiased")


def test_the_swapped_momentum_costs_with_small_batches_only():
    carried = runs.carried_momentum(seeds=(0,), steps=100, sizes=(8, 60))
    cost = {m: carried.values[m, 0.9][0] - carried.values[m, 0.1][0] for m in (8, 60)}
    assert cost[8] > 0.02
    assert abs(cost[60]) < 0.02
    assert carried.card is not None


def test_a_cold_start_fades_and_recomputed_statistics_have_none():
    cold = runs.cold_starts(seeds=(1,), checkpoints=(10, 60))
    for name in ("PyTorch", "Keras", "Flax", "ONNX"):
        assert cold.at(name, 10)[0] < cold.at("precise", 10)[0] - 0.03
    assert cold.at("Keras", 10) == cold.at("Flax", 10)
    assert cold.at("Keras", 60)[0] < cold.at("PyTorch", 60)[0] - 0.05
    assert cold.at("PyTorch", 60)[0] == pytest.approx(cold.at("precise", 60)[0], abs=0.01)


def test_running_statistics_by_rule_are_those_of_the_layer():
    # One rule is the layer's own, so it must predict as the layer's running statistics do.
    by_rule = runs._stored_along(0, {"own": (0.9, True)}, [20])
    along = runs.averaged_accuracies(0, {}, [20])
    assert by_rule["own"] == along["from 0 and 1"]
    assert by_rule["precise"] == along["precise"]


@pytest.mark.parametrize("steps", [1, 7, 100, None])
def test_an_average_scatters_by_the_squares_of_its_weights(steps):
    for d in (0.5, 0.9, 0.99):
        weights = d ** np.arange(5000.0 if steps is None else steps)
        weights /= weights.sum()
        formula = runs.average_deviation(d, steps)
        assert formula == pytest.approx(np.sqrt(np.sum(weights**2)), rel=1e-9)


def test_the_measured_scatter_is_that_of_the_formula():
    scatter = runs.scatter(decays=(0.9, 0.1), steps=(5, 200), runs=4000, m=8)
    assert scatter.deviation == pytest.approx(4 * np.sqrt(2 / 7), rel=0.02)
    for d, averages in scatter.averages.items():
        for step, of_runs in zip(scatter.steps, averages, strict=True):
            expected = scatter.deviation * runs.average_deviation(d, step)
            assert of_runs.std() == pytest.approx(expected, rel=0.05)
            assert of_runs.mean() == pytest.approx(4.0, rel=0.03)
        assert scatter.paths[d].shape == (5, 20)


def test_merged_statistics_are_those_of_all_in_any_order(rng):
    z = rng.normal(3.0, 2.0, (60, 4)) + np.repeat([0.0, 9.0], [13, 47])[:, np.newaxis]
    parts = [(b.mean(axis=0), b.var(axis=0), len(b)) for b in np.split(z, [1, 13, 40])]
    for order in (parts, parts[::-1]):
        mean, var, n = functools.reduce(runs.merge, order)
        np.testing.assert_allclose(mean, z.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(var, z.var(axis=0), rtol=1e-12)
        assert n == 60
    assert runs.merge((3.0, 8 / 3, 3), (7.0, 0.0, 1)) == pytest.approx((4.0, 5.0, 4))


def test_only_merged_variances_hold_for_every_cut():
    for estimates in runs.streamed_variances(seeds=(0, 1)).values.values():
        np.testing.assert_allclose(estimates["merged"], 1.0, rtol=1e-12)
    by_digit = estimates  # the last cut
    assert max(by_digit["mean of m/(m−1) σ²"]) < 0.75


def test_the_new_images_are_what_the_page_says():
    x = np.arange(64.0)[np.newaxis] / 63
    assert runs.changed_images(x, "same") is x
    grey = runs.changed_images(x, "grey paper")
    assert (grey.min(), grey.max()) == (0.5, 1.0)
    moved = runs.changed_images(x, "moved").reshape(8, 8)
    np.testing.assert_array_equal(moved[:, 1:], x.reshape(8, 8)[:, :-1])
    assert not moved[:, 0].any()


@pytest.fixture(scope="module")
def small_net():
    rng = np.random.default_rng(3)
    net = Sequential(
        [Dense(5, 4, bias=False, rng=rng), BatchNorm(4), ReLU(), Dense(4, 3, rng=rng)]
    )
    for _ in range(30):
        net.forward(rng.normal(1.0, 2.0, (20, 5)), training=True)
    norm = net.batch_norms[0]
    norm.gamma, norm.beta = rng.uniform(0.5, 2.0, 4), rng.normal(size=4)
    return net, rng.normal(1.0, 2.0, (12, 5)), rng.integers(0, 3, 12)


def retuned(small_net, moves, trained, net=None, steps=6):
    mine, x, y = small_net
    return runs.tune(
        mine if net is None else net,
        x,
        y,
        np.random.default_rng(0),
        moves=moves,
        trained=trained,
        rate=0.1,
        batch_size=4,
        steps=steps,
    )


@pytest.mark.parametrize(("moves", "trained"), runs.TUNED.values())
def test_each_arm_moves_what_its_name_says(small_net, moves, trained):
    before, *_ = small_net
    theta = before.theta.copy()
    after = retuned(small_net, moves, trained)
    np.testing.assert_array_equal(before.theta, theta)  # a copy was trained
    old, new = before.batch_norms[0], after.batch_norms[0]
    assert np.array_equal(old.running_mean, new.running_mean) != moves
    assert np.array_equal(old.running_var, new.running_var) != moves
    affine = trained in ("all", "rescaled")
    assert np.array_equal(old.gamma, new.gamma) != affine
    assert np.array_equal(old.beta, new.beta) != affine
    assert np.array_equal(before.layers[0].w, after.layers[0].w) != (trained != "none")


def test_frozen_statistics_multiply_the_rate_of_the_weights_by_their_squared_scale(small_net):
    net, *_ = small_net
    norm = net.batch_norms[0]
    s = (norm.gamma / np.sqrt(norm.running_var + norm.epsilon))[:, np.newaxis]
    plain = runs.folded(net)
    steps = {}
    for trained in ("all", "rescaled"):
        tuned_net = retuned(small_net, False, trained, steps=1)
        steps[trained] = s * (tuned_net.layers[0].w - net.layers[0].w)
    of_folded = retuned(small_net, False, "all", plain, steps=1).layers[0].w - plain.layers[0].w
    np.testing.assert_allclose(steps["all"], s**2 * of_folded, rtol=1e-10)
    np.testing.assert_allclose(steps["rescaled"], of_folded, rtol=1e-10)


def test_a_folded_network_predicts_the_same(small_net):
    net, x, _ = small_net
    np.testing.assert_allclose(
        runs.folded(net).forward(x, training=False), net.forward(x, training=False), rtol=1e-12
    )


def test_a_strange_bias_is_seen_with_stored_statistics_only(small_net):
    net, x, _ = small_net
    biased = runs.with_biases(net, 2.0, np.random.default_rng(0))
    by_batch = [layer_outputs(n, x, statistics="batch")[-1] for n in (net, biased)]
    np.testing.assert_allclose(*by_batch, atol=1e-12)
    stored = [layer_outputs(n, x, statistics="running")[1] for n in (net, biased)]
    norm = net.batch_norms[0]
    shift = norm.gamma / np.sqrt(norm.running_var + norm.epsilon) * biased.layers[0].b
    np.testing.assert_allclose(stored[1] - stored[0], np.tile(shift, (12, 1)), rtol=1e-10)
    widths = runs.with_biases(net, None, np.random.default_rng(0)).layers[0].b
    assert 0 < np.abs(widths).max() <= 1 / np.sqrt(5)


def test_on_grey_paper_the_statistics_alone_repair_and_moved_images_they_do_not():
    for seeds in ((0, 1), (2, 3, 4)):
        for images, m in ((40, 4), (400, 20)):
            grey, moved = (
                runs.fine_tuning(data, images, m, seeds) for data in ("grey paper", "moved")
            )
            assert min(grey.best("statistics only")[0]) > 0.95 > 0.5 > max(grey.best("nothing")[0])
            assert max(grey.best("statistics only")[1]) < 0.8  # the old images
            assert min(grey.best("statistics frozen")[1]) > 0.9
            assert max(moved.best("statistics only")[0]) < 0.6
            assert min(moved.best("everything moves")[0]) > 0.7


def test_best_rates_are_at_the_edge_for_moved_images_and_gamma_and_beta_hardly_count():
    arms = ("everything moves", "statistics frozen", "folded", "without batch norm")
    many, few = runs.fine_tuning("moved", 400, 20), runs.fine_tuning("moved", 40, 4)
    assert {many.best_rate(arm) for arm in arms} == {max(runs.TUNING_RATES)}
    frozen, moving = (many.best(arm)[0] for arm in ("statistics frozen", "everything moves"))
    assert 0 < np.median(moving) - np.median(frozen) < 0.02
    grey = runs.fine_tuning("grey paper", 40, 4)
    for trained, kept in (
        ("everything moves", "γ, β frozen"),
        ("statistics frozen", "statistics, γ, β frozen"),
    ):
        for found, rate in ((grey, 0.01), (few, 0.03)):
            pairs = zip(found.at(trained, rate), found.at(kept, rate), strict=True)
            assert max(abs(np.median(a) - np.median(b)) for a, b in pairs) < 0.03


def test_a_folded_network_s_first_layer_moves_less_far_and_it_forgets_less():
    moved = runs.distances()
    for images, m, rate, low, high in ((400, 20, 0.1, 1 / 7, 1 / 5), (40, 4, 0.03, 1 / 6, 1 / 4)):
        folded, frozen = (moved.first(images, arm) for arm in ("folded", "statistics frozen"))
        assert folded.shape == frozen.shape == (5,)
        assert low < np.median(folded) / np.median(frozen) < high
        assert (folded < frozen / 3).all()
        tuned = runs.fine_tuning("moved", images, m)
        old = [tuned.at(arm, rate)[1] for arm in ("folded", "statistics frozen")]
        assert (old[0] > old[1]).all()
        others = [np.median(moved.others(images, arm)) for arm in ("folded", "statistics frozen")]
        assert 0.6 < others[0] / others[1] < 1


# --- 6.3, Use it elsewhere


@pytest.mark.parametrize(("examples", "group"), [(None, 1), (2, 1), (1, 1), (1, 2), (1, 4)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_convolution_and_its_ruler_go_back_as_they_should(examples, group, bias):
    rng = np.random.default_rng(0)
    layers = [
        runs.Convolution(2, 9, 4, rng, bias),
        runs.BoxNorm(4, 3, examples, group, stored=False),
        Tanh(),
        Dense(12, 3, rng=rng),
    ]
    # A b in front of a ruler does little or nothing; without one in between it counts.
    net = Sequential([layer for layer in layers if not (bias and layer is layers[1])])
    assert gradient_check(net, rng.normal(size=(6, 18)), np.array([0, 1, 2, 0, 1, 2])) < 1e-6


def test_a_ruler_of_the_whole_batch_is_batch_norm_of_rows():
    z = np.random.default_rng(0).normal(3.0, 2.0, (6, 4 * 5))
    rows = z.reshape(6, 4, 5).transpose(0, 2, 1).reshape(-1, 4)
    expected = BatchNorm(4).forward(rows, training=True).reshape(6, 5, 4).transpose(0, 2, 1)
    box = runs.BoxNorm(4, 5, None, 1, stored=True)
    np.testing.assert_allclose(box.forward(z, training=True), expected.reshape(6, -1), atol=1e-12)
    # What was stored normalises a single example as it was in company.
    alone = box.forward(z[:1], training=False)
    np.testing.assert_allclose(alone, expected.reshape(6, -1)[:1], atol=1e-12)


def test_a_batch_of_one_behind_a_convolution_is_instance_norm():
    z = np.random.default_rng(0).normal(3.0, 2.0, (1, 4 * 5))
    batch, instance = (
        runs.BoxNorm(4, 5, examples, 1, stored=False).forward(z, training=True)
        for examples in (None, 1)
    )
    np.testing.assert_array_equal(batch, instance)


def test_layer_norm_takes_each_example_by_itself():
    z = np.random.default_rng(0).normal(3.0, 2.0, (5, 7))
    out = runs.LayerNorm(7).forward(z, training=True)
    expected = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(out, expected, atol=1e-12)


def test_the_larger_the_upright_box_the_better_on_mnist1d():
    found = runs.rulers()
    sixty, two, one = (
        np.median(found.best(f"batch norm, {k}")[1])
        for k in ("60 examples", "2 examples", "1 example")
    )
    none, layer, instance = (
        np.median(found.best(name)[1])
        for name in ("none", "layer norm, 16 channels", "instance norm")
    )
    assert sixty > none > one
    assert sixty > two > one
    assert layer > instance > one
    pairs = zip(found.best("batch norm, 60 examples")[1], found.best("none")[1], strict=True)
    assert sum(a > b for a, b in pairs) == 4


def test_layer_norm_gains_little_where_batch_norm_gains_much():
    found = runs.dense_by_norm().values

    def best(norm, standardized):
        return min(np.median(found[norm, standardized, rate]) for rate in runs.DENSE_RATES)

    assert best("none", False) / best("batch norm", False) > 3
    assert 1 < best("none", False) / best("layer norm", False) < 1.5
    assert best("none", True) / best("layer norm", True) < 1.2

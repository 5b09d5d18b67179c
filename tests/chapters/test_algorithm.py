"""Chapter 2: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

from bncourse import BatchNorm, Dense, ReLU
from bncourse.chapters.algorithm import explore, figures, runs
from bncourse.display import Card

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
    numbers,
    record,
    title_of,
)

EXPLORABLES = (
    "activation_window",
    "batch_norm_calculator",
    "float32_cliff",
)


def variance_errors(one_pass, negative):
    means = 10.0 ** np.arange(0, 6.1, 0.5)
    flat = np.ones(len(means))
    return record(
        runs.VarianceErrors,
        means=means,
        one_pass=one_pass * flat,
        two_pass=3e-8 * flat,
        negative=negative * flat,
    )


def paths(loss, mean):
    """Return two arms that were made up: whole, and stopped with this loss and this mean."""
    whole, flat = np.full((2, 60), 0.05), np.full((2, 60), 0.4)
    return runs.Paths(
        arms=("whole", "stopped"),
        losses=np.array([whole, np.full_like(whole, loss)]),
        means=np.array([flat, np.full_like(flat, mean)]),
        lengths=np.full((2, 2, 60), 14.0),
        accuracies=np.ones((2, 2)),
        card=Card("Why?", "The whole one.", "Training.", {"seed": [0, 1]}),
    )


def quotients(best):
    steps = 10.0 ** np.arange(-10, 0)
    right = np.where(steps == 0.1, 4e-4, best)
    return runs.Quotients(steps, right, np.full(10, 1.1))


FOUR = np.array([1.0, 3.0, 5.0, 7.0])


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "activation_window": [
        (
            (runs.window(),),
            r"mean 0 .* sigmoid.* between 0\.16 and 0\.84",
        ),
        ((runs.window("tanh", 3.0, 0.5),), r"mean 3 and standard deviation 0\.5 .* tanh"),
    ],
    "lower_ruler": [
        ((FOUR, 2.0, 10.0), r"mean 4 .* −1\.34, −0\.45, 0\.45 and 1\.34; .* 7\.32, 9\.11"),
        ((FOUR[:2], -1.0, 0.0), r"mean 2 .* −1\.00 and 1\.00; .* read 1\.00 and −1\.00"),
    ],
    "one_lower_ruler": [
        (
            (FOUR, FOUR + 6, np.sqrt(5), 4.0),
            r"batch 7, 9, 11 and 13 with mean 10 comes out as 1, 3, 5 and 7\. Both have mean 4",
        ),
        ((FOUR, 2 * FOUR, 1.0, 0.0), r"batch 2, 6, 10 and 14 with mean 8 .* Both have mean 0"),
    ],
    "output_spread": [
        ((), r"0\.0032 for ε = 1e-05 and 0\.032 for ε = 0\.001"),
        (((1e-8, 1e-4),), r"0\.0001 for ε = 1e-08 and 0\.01 for ε = 0\.0001"),
    ],
    "computation_graph": [((), r"2 edges enter .* 4 paths")],
    "difference_quotients": [
        ((quotients(1e-11),), r"4e-04 .* step of 0\.1, and by less than 1e-08 .* at least 1\.10 "),
        ((quotients(1e-3),), r"by more than 1e-08 with 1e-05"),
    ],
    "removed_pushes": [
        (({"direct": np.array([0, 0, 0, 1.0])},), r"direct: 0\.000, 0\.000, 0\.000, 1\.000\."),
        (({"shift": np.full(4, -0.25)},), r"shift: −0\.250, −0\.250, −0\.250, −0\.250\."),
    ],
    "stopped_gradient": [
        (
            (paths(0.5, 4.0), ("whole", "stopped")),
            r"Whole: loss 0\.05 in .* of 60 steps, lowest 0\.05; .* 0\.40 at the end\. "
            r"Stopped: loss 0\.50 .* layer 1 4\.00 at the end",
        ),
        ((paths(0.05, 0.4), ("whole", "stopped")), r"Stopped: loss 0\.05 .* layer 1 0\.40 at"),
    ],
    "variance_errors": [
        ((variance_errors(2.0, 0.4),), r"200 % .* more than 100 % .* 40 % .* less than 1e-07"),
        ((variance_errors(0.5, 0.0),), r"50 % .* more than 1 % .* 0 %"),
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
    name = figures.__all__[0]
    check_picture(getattr(figures, name)(*CALLS[name][0][0]))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_the_callback_holds_over_the_whole_range_of_its_controls(name):
    # Where the calculator gives no number, that is the lesson.
    check_range(made(name), may_be_nan=name == "batch_norm_calculator")


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    check_controls(made(name))


def test_the_fresh_network_is_the_one_of_the_book_before_training():
    net = runs.fresh_network(3)
    assert [type(layer) for layer in net.layers] == [Dense, BatchNorm, ReLU] * 3 + [Dense]
    assert all(layer.batches_seen == 0 for layer in net.batch_norms)
    np.testing.assert_array_equal(net.theta, runs.fresh_network(3).theta)
    assert not np.array_equal(net.theta, runs.fresh_network(4).theta)


def test_the_title_says_whether_the_means_run_away():
    for mean, title in ((4.0, "μ runs away"), (0.4, "μ stays")):
        figure = figures.stopped_gradient(paths(0.5, mean), ("whole", "stopped")).figure
        assert title in title_of(figure)


def test_a_loss_is_smoothed_over_an_epoch_from_its_first_full_window():
    made = paths(0.5, 4.0)
    losses = np.arange(60.0) * np.ones((2, 2, 1))
    smooth = dataclasses.replace(made, losses=losses).smooth
    assert smooth.shape == (2, 2, 60 - runs.EPOCH + 1)
    assert smooth[0, 0, 0] == (runs.EPOCH - 1) / 2
    assert [row[0] for row in made.rows()] == ["before training", "whole", "stopped"]


def test_difference_quotients_tell_a_wrong_formula_from_a_right_one():
    found = runs.difference_quotients([1e-5, 1e-1])
    assert found.right[0] < 1e-8 < 1e-5 < found.right[1]
    assert found.wrong.min() > 1


def test_each_colleague_has_lost_another_term(rng):
    z, dz_tilde, gamma = rng.normal(size=(9, 2)), rng.normal(1.0, 1.0, (9, 2)), np.full(2, 2.0)
    std = np.sqrt(z.var(axis=0) + 1e-5)
    z_norm = (z - z.mean(axis=0)) / std
    first, second = (
        f(dz_tilde, z_norm, std, gamma) for f in (runs.first_colleague, runs.second_colleague)
    )
    np.testing.assert_allclose(first.sum(axis=0), gamma / std * dz_tilde.sum(axis=0), rtol=1e-9)
    assert np.abs(np.sum(first * z_norm, axis=0)).max() < 1e-3
    assert np.abs(second.sum(axis=0)).max() < 1e-12
    stretch = gamma / std * np.sum(dz_tilde * z_norm, axis=0)
    np.testing.assert_allclose(np.sum(second * z_norm, axis=0), stretch, rtol=1e-9, atol=1e-9)
    assert np.abs(stretch).max() > 1


def test_the_paths_of_the_graph_are_counted():
    assert figures._paths("z", "z_norm") == 4
    assert figures._paths("z", "z") == 1
    assert figures._paths("z_tilde", "z") == 0


def test_in_the_calculator_two_examples_keep_their_order_and_equal_ones_nothing():
    explorable = made("batch_norm_calculator")
    kept = {3.0: "z_norm is −1.00 and 1.00", 5.0: "0/0", 20.0: "z_norm is 1.00 and −1.00"}
    for setting in explorable.settings:
        words = explorable.at(**setting)
        if setting["m"] == 2 and setting["epsilon"] == 0:
            assert kept[setting["first"]] in words
        if setting["m"] == 1:
            assert ("not a number" in words) == (setting["epsilon"] == 0)
    # With ε the distance counts: what is close together shrinks.
    near, far = (
        explorable.at(m=2, first=first, gamma=1.0, beta=0.0, epsilon=2.0) for first in (3.0, 20.0)
    )
    assert "z_norm is −0.58 and 0.58" in near
    assert "z_norm is 0.98 and −0.98" in far


def test_in_the_calculator_beta_and_gamma_are_mean_and_standard_deviation():
    explorable = made("batch_norm_calculator")
    for setting in explorable.settings:
        words = explorable.at(**setting)
        if setting["epsilon"] == 0 and "not a number" not in words:
            mean, sd = numbers(r"mean (-?\d+\.\d\d) and standard deviation (\d+\.\d\d)", words)
            assert (mean, sd) == (setting["beta"], setting["gamma"])
    # A kernel's sliders also go where the page's don't.
    minus = explorable.draw(m=2, first=3.0, gamma=1.0, beta=0.0, epsilon=-2.0).words
    assert "root of −1.00 is not a number" in minus


def test_beta_bends_the_sigmoid_more_than_gamma_and_gamma_does_not_move_the_relu():
    explorable = made("activation_window")

    def share(activation, gamma, beta):
        words = explorable.at(activation=activation, gamma=gamma, beta=beta)
        return numbers(r"explains ([\d.]+)", words)[0]

    assert share("sigmoid", 1.0, 3.0) < share("sigmoid", 3.0, 0.0) < share("sigmoid", 1.0, 0.0)
    assert len({share("ReLU", gamma, 0.0) for gamma in (0.3, 1.0, 3.0)}) == 1
    shares = [share("ReLU", 1.0, beta) for beta in (-1.0, 0.0, 1.0, 3.0)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_each_arm_of_the_stored_runs_is_in_its_result_and_on_its_card():
    frozen, shares, placement = runs.freezing(), runs.affine_shares(), runs.placement()
    arms = [text for _, text in runs.FROZEN_ARMS]
    assert [row[2] for row in frozen.rows] == arms * 6
    assert [row[0] for row in frozen.side_by_side()][::3] == [
        "sigmoid, rate 0.1",
        "ReLU, rate 0.1",
    ]
    assert [row[0] for row in shares.rows] == ["none", "sigmoid", "tanh", "ReLU"]
    assert [row[1] for row in placement.rows] == ["none", "on z", "on a"] * 3
    assert [row[0] for row in runs.repairs().rows()] == list(runs.REPAIRS)
    assert [row[0] for row in runs.epsilon_range().rows()] == list(runs.EPSILONS)
    harder = runs.harder()
    settings = [*runs.HARDER_SETTINGS, runs.HARDER_LINEAR]
    assert [tuple(row[:3]) for row in harder.rows()] == settings
    assert [text == "" for text in harder.rows()[-1][3:]] == [True, False, True]
    for result in (frozen, shares, placement, runs.repairs(), runs.epsilon_range(), harder):
        assert dict(result.card.rows())["Seeds"] == "0 to 4"
    arms = dict(placement.card.rows())["Arms"]
    assert arms == "without batch norm, batch norm on z, batch norm on a"


def test_steps_are_a_range_and_say_how_many_never_arrived():
    never = float("inf")
    assert runs._steps([8.0, 8.0]) == "8"
    assert runs._steps([8.0, 12.0]) == "8–12"
    assert runs._steps([8.0, never, 12.0]) == "8–12, 1 never"
    assert runs._steps([never, never]) == "never"


def test_only_the_named_layers_are_repaired():
    make = runs.repaired(0.5, 2.0, (3,))
    values = [float(make().forward(np.zeros((1, 1)), training=False)[0, 0]) for _ in range(3)]
    assert values == [0.5, 0.5, 0.0]
    assert make.__name__ == "(Sigmoid − 0.5) / 2"


def test_frozen_gamma_and_beta_are_not_there():
    net, _ = runs.train_digits(0, ReLU, True, 0.1, 1, norm=runs.norm_without_gamma_and_beta)
    assert len(net.batch_norms) == 3
    assert all(len(layer.params) == 0 for layer in net.batch_norms)


def test_epsilon_arrives_in_every_layer():
    net, _ = runs.train_digits(0, ReLU, True, 0.1, 1, norm=runs.with_epsilon(0.1))
    assert [layer.epsilon for layer in net.batch_norms] == [0.1] * 3


def test_at_the_cliff_one_pass_falls_and_two_passes_do_not():
    for exponent in (0.0, 2.0, 3.0, 4.0, 6.0):
        exact = np.random.default_rng(0).normal(10.0**exponent, 1.0, (60, 200)).var(axis=0)
        two = runs.float32_variances(exponent, "two passes")
        one = runs.float32_variances(exponent, "one pass")
        assert np.abs(two / exact - 1).max() < 0.1
        assert ((one < 0).any()) == (exponent >= 4)

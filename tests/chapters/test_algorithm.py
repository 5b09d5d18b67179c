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
    "batch_norm_calculator",
    "float32_cliff",
    "sigmoid_window",
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


def window(mean, sd):
    return runs.sigmoid_window(mean, sd)


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "sigmoid_window": [
        ((window(0.0, 1.0),), r"mean 0 and standard deviation 1 .* between 0\.16 and 0\.84"),
        ((window(3.0, 0.5),), r"mean 3 and standard deviation 0\.5 .* between 0\.90 and 0\.98"),
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
    # A γ of -1 mirrors the values: same mean, same spread.
    check_controls(made(name), unmoved={"gamma"} if name == "batch_norm_calculator" else set())


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


def test_in_the_calculator_two_examples_become_minus_one_and_one():
    explorable = made("batch_norm_calculator")
    for setting in explorable.settings:
        if setting["m"] == 2 and setting["epsilon"] == 0:
            assert "z_norm is −1.00 and 1.00" in explorable.at(**setting)


def test_in_the_calculator_beta_and_gamma_are_mean_and_standard_deviation():
    explorable = made("batch_norm_calculator")
    for setting in explorable.settings:
        words = explorable.at(**setting)
        if setting["epsilon"] == 0 and setting["m"] > 1:
            mean, sd = numbers(r"mean (-?\d+\.\d\d) and standard deviation (\d+\.\d\d)", words)
            assert (mean, sd) == (setting["beta"], abs(setting["gamma"]))
        if setting["m"] == 1:
            assert ("not a number" in words) == (setting["epsilon"] <= 0)
        if setting["m"] == 2 and setting["epsilon"] < 0:
            assert "root of −1.00 is not a number" in words


def test_in_the_sigmoid_s_window_a_wide_input_is_less_linear():
    explorable = made("sigmoid_window")
    for beta in (0.0, 3.0):
        r2 = [
            numbers(r"explains ([\d.]+)", explorable.at(gamma=gamma, beta=beta))[0]
            for gamma in (0.3, 1.0, 3.0, 10.0)
        ]
        assert r2 == sorted(r2, reverse=True)


def test_at_the_cliff_one_pass_falls_and_two_passes_do_not():
    for exponent in (0.0, 2.0, 3.0, 4.0, 6.0):
        exact = np.random.default_rng(0).normal(10.0**exponent, 1.0, (60, 200)).var(axis=0)
        two = runs.float32_variances(exponent, "two passes")
        one = runs.float32_variances(exponent, "one pass")
        assert np.abs(two / exact - 1).max() < 0.1
        assert ((one < 0).any()) == (exponent >= 4)

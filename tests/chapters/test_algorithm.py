"""Chapter 2: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from bncourse import BatchNorm, Dense, ReLU
from bncourse.chapters.algorithm import explore, figures, runs

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
    losses,
    numbers,
    record,
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
    "stopped_gradient": [
        ((losses(0.01), losses(0.02)), r"After 60 steps .* less than ten times .* all the time"),
        (
            (losses(0.01), [*losses(0.5)[:40], *[2.0] * 30]),
            r"more than ten times .* lower before and risen again",
        ),
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

"""Chapter 6: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from bncourse import BatchNorm, Dense, Sequential, Tanh, gradient_check
from bncourse.chapters.inference import explore, figures, runs
from bncourse.chapters.inference.conventions import CONVENTIONS, convention_table

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
)

EXPLORABLES = ("ema_lab",)


def estimates(biased):
    return {m: runs.VarianceEstimates(biased, biased * m / (m - 1), 1.0, 1.5) for m in (2, 8, 60)}


def averages(gap):
    names = ("raw", "corrected", "cumulative", "from 0 and 1", "precise")
    return {name: [0.9 - gap * (name == "raw")] * 5 for name in names}


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "averages_compared": [
        ((averages(0.4), [5, 10, 20, 40, 80]), r"0\.40 below after 5 steps .* 0\.40 after 20"),
        ((averages(0.1), [1, 2, 3, 4, 5]), r"0\.10 below after 1 steps"),
    ],
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
    "ema_weights": [
        (([0.9, 0.99], 10), r"After 10 .* 0\.65 for decay 0\.9 and 0\.10 for decay 0\.99\."),
        (([0.5], 1), r"After 1 .* 0\.50 for decay 0\.5\."),
    ],
    "prediction_modes": [
        (
            ({"a\nb": [0.1, 0.2, 0.3], "c": [0.8], "d": [0.9]},),
            r"0\.20 with a b, 0\.80 with c and",
        ),
        (({"c": [0.7], "d": [0.9]},), r"0\.70 with c and 0\.90 with d\."),
    ],
    "variance_corrections": [
        ((estimates(0.5), estimates(0.25)), r"m = 2, .* 0\.50 on average, 1\.00 times .* 0\.25"),
        ((estimates(0.9), estimates(0.8)), r"0\.90 on average, 1\.80 times"),
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
    check_range(made(name))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    check_controls(made(name))


def test_the_table_of_conventions_has_a_line_for_each_framework():
    header, *lines = convention_table().splitlines()
    assert header.split() == [
        *("argument", "default", "weighs", "decay", "epsilon", "variance", "initial", "axis")
    ]
    assert len(lines) == len(CONVENTIONS)
    for line, convention in zip(lines, CONVENTIONS, strict=True):
        words = line.split()
        assert words[:4] == [
            convention.framework,
            convention.argument,
            f"{convention.default:g}",
            convention.weighs,
        ]
        assert float(words[4]) == convention.decay
        assert words[6] == convention.running_variance
        assert ("given" in words) == (convention.initial is None)
        assert int(words[-1]) == convention.axis


def test_in_the_laboratory_each_correction_does_its_own_work():
    run = runs.running_variance
    old, new = runs.WEIGHED
    _, raw = run(0.99, 100, 32, False, True, old)
    _, corrected = run(0.99, 100, 32, True, True, old)
    assert raw[9] < 0.5
    assert corrected[9] == pytest.approx(4.0, rel=0.25)
    _, biased = run(0.99, 1000, 2, True, False, old)
    _, unbiased = run(0.99, 1000, 2, True, True, old)
    assert unbiased[-1] / biased[-1] == pytest.approx(2.0)
    _, wrong = run(0.99, 100, 32, True, True, new)
    assert wrong[50:].std() > 3 * corrected[50:].std()


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


def test_layer_norm_gains_little_where_batch_norm_gains_much():
    found = runs.dense_by_norm().values

    def best(norm, standardized):
        return min(np.median(found[norm, standardized, rate]) for rate in runs.DENSE_RATES)

    assert best("none", False) / best("batch norm", False) > 3
    assert best("none", False) / best("layer norm", False) < 1.5
    assert best("none", True) / best("layer norm", True) < 1.2

"""Chapter 4: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from bncourse.chapters.minibatches import explore, figures, runs

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

EXPLORABLES = ("batch_mates",)


def mean_variance(power):
    sizes = np.array([2.0, 4, 8, 16, 32, 64])
    return record(
        runs.MeanVariance,
        sizes=sizes,
        replaced=sizes**power,
        dealt=0.5 / sizes,
        population=1437,
    )


def company(shift, right):
    sizes = np.array([2.0, 4, 8, 16, 32])
    return record(
        runs.Company,
        sizes=sizes,
        shift=shift / sizes,
        alike_shift=shift * np.ones(5),
        right=right * np.ones(5),
        alike_right=0.5 * right * np.ones(5),
    )


def ghosts(best):
    return {
        size: [record(runs.Ghost, training=0.1, test=0.2 + (size != best), accuracy=0.9)]
        for size in (2, 8, 128)
    }


def tiny_batches(with_bn):
    rows = ({2: 0.9, 4: 0.9}, with_bn, {2: 0.7, 4: 0.7})
    rows += ({2: 0.5, 4: 0.5},) * (len(runs.TINY) - len(rows))
    return {
        kind: {m: [value] * 3 for m, value in row.items()} | {8: [0.8] * 3, 16: [0.8] * 3}
        for kind, row in zip(runs.TINY, rows, strict=True)
    }


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "batch_mean_variance": [
        ((mean_variance(-1.0),), r"slope −1\.00 .* 0\.5 times σ²/m at m = 64"),
        ((mean_variance(-2.0),), r"slope −2\.00"),
    ],
    "batch_company": [
        ((company(4.0, 0.8),), r"2\.0 away .* 80 % .* 4\.0 away even there, and 40 %"),
        ((company(1.0, 0.5),), r"0\.5 away .* 50 % .* 1\.0 away even there, and 25 %"),
    ],
    "training_losses": [
        (({name: losses(0.1) for name in "abcd"},), r"From 2\.30 .* in 60 steps .* with d"),
        (({name: losses(1.5) for name in "ab"},), r"with a and .* with b"),
    ],
    "ghost_batches": [
        ((ghosts(8),), r"From 128 to 8 .* from 1\.20 to 0\.20"),
        ((ghosts(2),), r"From 128 to 2 .* from 1\.20 to 0\.20"),
    ],
    "small_batches": [
        ((tiny_batches({2: 0.2, 4: 0.9}),), r"more than 0\.3 below that without in batches of 2,"),
        ((tiny_batches({2: 0.9, 4: 0.9}),), r"in batches of no size, .* batches of 2, 4, 8 and"),
    ],
}


@functools.cache
def made(name):
    """Return an explorable, made once."""
    return explore.batch_mates(runs.trained_network(steps=100))


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


def test_company_of_its_own_digit_misleads():
    explorable = made("batch_mates")
    for m, draw in itertools.product((8, 32, 128), (1, 2, 3)):
        shuffled, alike = (
            numbers(r"own class gets ([\d.]+)", explorable.at(m=m, company=company, draw=draw))[0]
            for company in ("shuffled", "its own digit only")
        )
        assert alike < 0.5
        assert shuffled > alike

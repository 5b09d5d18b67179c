"""Small parts of the experiments that no claim of the notes runs."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import BatchNorm, Dense, ReLU, load_digits
from bncourse.chapters import algorithm, motivation
from bncourse.chapters.inference.conventions import CONVENTIONS, convention_table


def test_the_best_rate_is_that_of_the_lowest_median():
    steps = {0.1: [40.0, 50.0, 60.0], 0.3: [10.0, 20.0, 900.0], 1.0: [float("inf")] * 3}
    assert motivation.runs.best(steps) == (0.3, [10.0, 20.0, 900.0])


def test_a_target_that_is_out_of_reach_is_an_error():
    with pytest.raises(RuntimeError, match=r"1\.0 was not reached in 3 steps"):
        motivation.runs.softmax_regression_steps(load_digits(), target=1.0, at_most=3)


def test_the_fresh_network_is_the_one_of_the_book_before_training():
    net = algorithm.runs.fresh_network(3)
    assert [type(layer) for layer in net.layers] == [Dense, BatchNorm, ReLU] * 3 + [Dense]
    assert all(layer.batches_seen == 0 for layer in net.batch_norms)
    np.testing.assert_array_equal(net.theta, algorithm.runs.fresh_network(3).theta)
    assert not np.array_equal(net.theta, algorithm.runs.fresh_network(4).theta)


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

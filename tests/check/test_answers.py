"""Functions as readers write them: no right one refused, no wrong one called right."""

from __future__ import annotations

import os

import pytest

from bncourse import check
from tests.check import (  # noqa: F401
    answers_backward,
    answers_forward,
    answers_inference,
    answers_minibatches,
    answers_networks,
)
from tests.check.collection import RIGHT, WRONG

#: Three in the suite; `BNCOURSE_SEEDS=100` looks further, by hand.
SEEDS = range(int(os.environ.get("BNCOURSE_SEEDS", "3")))
CALLS = sorted(RIGHT)


@pytest.mark.parametrize("call", CALLS)
def test_right_functions_are_accepted(call):
    for seed in SEEDS:
        for f in RIGHT[call]:
            result = getattr(check, call)(f, seed=seed)
            where = (
                f"line {f.__code__.co_firstlineno}, seed {seed}" if hasattr(f, "__code__") else f
            )
            assert result.correct, f"{where}: {result.message}"
            assert result.mistake is None


@pytest.mark.parametrize("call", CALLS)
def test_wrong_functions_are_refused_by_their_name(call):
    for seed in SEEDS:
        for names, f in WRONG[call]:
            result = getattr(check, call)(f, seed=seed)
            where = (
                f"line {f.__code__.co_firstlineno}, seed {seed}" if hasattr(f, "__code__") else f
            )
            assert result.mistake in names, f"{where}, {names}: {result.message}"


@pytest.mark.parametrize("call", CALLS)
def test_there_are_enough_of_both(call):
    assert len(RIGHT[call]) >= 6
    assert len(WRONG[call]) >= 8
    assert sum("unknown" in names for names, _ in WRONG[call]) >= 2

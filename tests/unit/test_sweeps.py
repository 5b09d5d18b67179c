from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from bncourse import sweep


def run(seed, a, b=1):
    if a == 3 and seed == 1:
        raise ValueError("no such thing")
    return a * 100 + b * 10 + seed


GRID = {"a": [1, 2, 3], "b": (4, 5)}


def test_a_sweep_runs_every_combination_in_order():
    result = sweep(run, GRID, [0, 1])
    assert [(r.settings["a"], r.settings["b"], r.seed) for r in result.runs] == [
        (a, b, s) for a in (1, 2, 3) for b in (4, 5) for s in (0, 1)
    ]
    assert result.select(a=1, b=5) == [150, 151]
    assert result.median(a=1) == 145.5
    assert not result.interrupted


def test_a_failed_run_is_reported_with_its_settings_and_loses_no_other():
    result = sweep(run, GRID, [0, 1])
    assert len(result.runs) == 12
    assert [(f.settings, f.seed, f.error) for f in result.failures] == [
        ({"a": 3, "b": b}, 1, "ValueError: no such thing") for b in (4, 5)
    ]
    assert result.select(a=3) == [340, 350]


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_every_executor_gives_the_same_results_in_the_same_order(kind):
    executor = (
        ThreadPoolExecutor(3)
        if kind == "threads"
        else ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    )
    with executor:
        assert sweep(run, GRID, [0, 1], executor).runs == sweep(run, GRID, [0, 1]).runs


def test_points_can_be_listed():
    result = sweep(run, [{"a": 1, "b": 2}, {"a": 2}], [0])
    assert [r.result for r in result.runs] == [120, 210]


def test_ctrl_c_returns_what_is_done():
    def interrupted(seed):
        if seed == 2:
            raise KeyboardInterrupt
        return seed

    result = sweep(interrupted, [{}], range(5))
    assert [r.result for r in result.runs] == [0, 1]
    assert result.interrupted


def test_a_worker_that_dies_is_a_failed_run():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        result = sweep(die, [{}], [0], executor)
    assert "BrokenProcessPool" in result.failures[0].error


def die(seed):
    import os

    os._exit(1)


@pytest.mark.parametrize(
    ("grid", "seeds"),
    [
        ({}, []),
        ({"a": [1]}, []),
        ({"a": [1]}, [0, 0]),
        ({"a": []}, [0]),
        ([], [0]),
        ({"a": [1]}, [-1]),
        ({"a": [1]}, [0.5]),
    ],
)
def test_bad_grids_and_seeds_are_refused(grid, seeds):
    with pytest.raises(ValueError, match="expected"):
        sweep(run, grid, seeds)


def test_the_median_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="expected a finished run"):
        sweep(run, {"a": [1]}, [0]).median(a=2)


def test_progress_is_shown_when_asked(capfd):
    sweep(run, {"a": [1, 2]}, [0], progress=True)
    assert "2/2" in capfd.readouterr().err
    sweep(run, {"a": [1, 2]}, [0])
    assert capfd.readouterr() == ("", "")

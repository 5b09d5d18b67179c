from __future__ import annotations

import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from threading import Event
from typing import Any

import numpy as np
import pytest

from bncourse import BatchNorm, GradientDescent, Run, SweepResult, load_digits, mlp, sweep, train


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


@contextmanager
def executor_of(kind):
    if kind == "dask":
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
            client.get_executor() as executor,
        ):
            yield executor
    elif kind == "processes":
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
            yield executor
    else:
        with ThreadPoolExecutor(3) as executor:
            yield executor


def last_loss(seed, learning_rate, norm):
    digits = load_digits()
    rng = np.random.default_rng(seed)
    net = mlp((64, 20, 10), norm=norm, rng=rng)
    optimizer = GradientDescent(learning_rate)
    history = train(net, *digits[:2], optimizer=optimizer, batch_size=64, steps=5, rng=rng)
    return history.loss[-1]


@pytest.mark.parametrize("kind", ["threads", "processes", "dask"])
def test_every_executor_gives_the_same_results_in_the_same_order(kind):
    grid = {"learning_rate": [0.1, 1.0], "norm": [None, BatchNorm]}
    trained = sweep(last_loss, grid, [0, 1])
    assert len({one.result for one in trained.runs}) == 8
    with executor_of(kind) as executor:
        assert sweep(run, GRID, [0, 1], executor).runs == sweep(run, GRID, [0, 1]).runs
        assert sweep(last_loss, grid, [0, 1], executor).runs == trained.runs


def test_the_order_of_completion_does_not_matter():
    first_may_end = Event()

    def last_ends_first(seed):
        if seed == 0:
            assert first_may_end.wait(10)
        if seed == 3:
            first_may_end.set()
        return np.random.default_rng(seed).normal()

    with ThreadPoolExecutor(4) as executor:
        result = sweep(last_ends_first, [{}], range(4), executor)
    assert [one.seed for one in result.runs] == [0, 1, 2, 3]
    expected = [np.random.default_rng(seed).normal() for seed in range(4)]
    assert [one.result for one in result.runs] == expected


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


def interrupted_at_two(seed):
    if seed == 2:
        raise KeyboardInterrupt
    return seed


def test_ctrl_c_returns_what_is_done_on_an_executor_too():
    # In a terminal Ctrl-C reaches the workers as well, and a worker hands it on in its future.
    with ThreadPoolExecutor(1) as executor:
        result = sweep(interrupted_at_two, [{}], range(200), executor)
    assert result.interrupted
    assert [one.result for one in result.runs[:2]] == [0, 1]
    assert 2 not in [one.seed for one in result.runs]
    assert not result.failures


def test_ctrl_c_cancels_what_has_not_begun():
    started = []
    waiting = Event()

    def block(seed):
        started.append(seed)
        assert waiting.wait(10)
        return seed

    class InterruptedWhileWaiting(ThreadPoolExecutor):
        """Stands for a user who presses Ctrl-C when the last run has been handed in."""

        def submit(self, function, *arguments):
            future = super().submit(function, *arguments)
            if arguments[-1] == 5:
                raise KeyboardInterrupt
            return future

    with InterruptedWhileWaiting(1) as executor:
        result = sweep(block, [{}], range(6), executor)
        waiting.set()
    assert result.interrupted
    assert result.runs == []
    assert len(started) <= 2


def test_a_worker_that_dies_is_a_failed_run():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        result = sweep(die, [{}], [0], executor)
    assert "BrokenProcessPool" in result.failures[0].error


def die(seed):

    os._exit(1)


def test_progress_is_shown_when_asked(capfd):
    sweep(run, {"a": [1, 2]}, [0], progress=True)
    assert "2/2" in capfd.readouterr().err
    sweep(run, {"a": [1, 2]}, [0])
    assert capfd.readouterr() == ("", "")


def test_a_sweep_is_asked_for_any_setting():
    runs = [Run({"a": 1}, 0, 2.0), Run({"b": 1}, 1, 3.0), Run({"a": 1}, 2, error="no")]
    result = SweepResult(runs)
    assert result.select() == [2.0, 3.0]
    assert result.select(a=1) == [2.0]
    assert result.select(a=1.0) == [2.0]
    assert result.select(c=None) == []
    assert result.median(b=1) == 3.0
    with pytest.raises(ValueError, match=r"finished run with \{'c': 1\}, got none"):
        result.median(c=1)


class Answered(Future):
    """A future that is interrupted the first time it is waited for, as by Ctrl-C."""

    def __init__(self, interrupted: bool) -> None:
        super().__init__()
        self.interrupted = interrupted

    def result(self, timeout: float | None = None) -> Any:
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt
        return super().result(timeout)


class Slow(Executor):
    """Finishes all but the last job; the wait for the second is interrupted."""

    def __init__(self) -> None:
        self.futures: list[Answered] = []

    def submit(self, job: Any, /, *arguments: Any, **named: Any) -> Any:
        future = Answered(interrupted=len(self.futures) == 1)
        self.futures.append(future)
        if len(self.futures) < 4:
            future.set_running_or_notify_cancel()
            future.set_result(job(*arguments, **named))
        return future


def test_an_interrupted_sweep_keeps_what_other_workers_have_done():
    executor = Slow()
    result = sweep(lambda seed: seed, [{}], range(4), executor)
    assert result.interrupted
    assert [r.result for r in result.runs] == [0, 1, 2]
    assert executor.futures[3].cancelled()

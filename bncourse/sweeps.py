"""The same run over settings and seeds, on one core or on many."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bncourse import _checks as check

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Attributes
    ----------
    settings : dict
        The point of the grid.
    seed : int
        The seed.
    result : object
        What the run returned; None if it failed.
    error : str or None
        Type and message of the exception that ended it, or None.
    """

    settings: dict[str, Any]
    seed: int
    result: Any = None
    error: str | None = None


@dataclass
class SweepResult:
    """All runs that were finished, in the order of the grid and then of the seeds.

    Attributes
    ----------
    runs : list of Run
    interrupted : bool
        Whether Ctrl-C ended the sweep before all runs were done.

    Examples
    --------
    >>> result = sweep(lambda seed, a: a + seed, {"a": [10, 20]}, seeds=[0, 1, 2])
    >>> result.select(a=20), result.median(a=10)
    ([20, 21, 22], 11.0)
    """

    runs: list[Run] = field(default_factory=list)
    interrupted: bool = False

    @property
    def failures(self) -> list[Run]:
        """The runs that raised an exception."""
        return [run for run in self.runs if run.error is not None]

    def select(self, **settings: Any) -> list[Any]:
        """Return the results of the successful runs with these settings, in order."""
        return [
            run.result
            for run in self.runs
            if run.error is None
            and all(
                name in run.settings and run.settings[name] == value
                for name, value in settings.items()
            )
        ]

    def median(self, **settings: Any) -> float:
        """Return the median of those results; ValueError if there are none."""
        results = self.select(**settings)
        if not results:
            raise ValueError(f"median: expected a finished run with {settings}, got none")
        return float(np.median(results))


def sweep(
    run: Callable[..., Any],
    grid: Mapping[str, Iterable[Any]] | Sequence[Settings],
    seeds: Iterable[int],
    executor: Executor | None = None,
    progress: bool = False,
) -> SweepResult:
    """Call ``run(seed=seed, **settings)`` for every point of a grid and every seed.

    A run gets its seed and nothing else that is random, so results depend neither on the
    executor nor on the order in which runs end.

    Parameters
    ----------
    run : callable
        Returns the result. For executors of other processes it must be importable.
    grid : mapping of str to iterable, or sequence of mappings
        Either values for each setting (all combinations are run), or the settings themselves.
    seeds : iterable of int
        At least one; all different.
    executor : concurrent.futures.Executor, optional
        Where the runs go; by default they run here, one after the other. Threads, processes,
        Dask's ``client.get_executor()`` and ``mpi4py.futures`` executors all work.
    progress : bool
        Whether to show a progress bar (needs tqdm).

    Returns
    -------
    SweepResult
        In the same order on every executor. A run that raises is in it with its settings and
        the error, and the others go on. After Ctrl-C it holds the runs that were done.

    Raises
    ------
    ValueError
        If there are no seeds, a seed appears twice, or the grid is empty.
    TypeError
        If something is of another kind than above.
    """
    check.function(run, "run")
    if executor is not None:
        check.instance(executor, Executor, "executor")
    check.flag(progress, "progress")
    jobs = _jobs(grid, seeds)
    done: dict[int, Run] = {}
    interrupted = False
    show = _progress_bar(len(jobs)) if progress else lambda: None
    futures: list[Future[Run]] = []
    try:
        if executor is None:
            for i, (settings, seed) in enumerate(jobs):
                done[i] = _one(run, settings, seed)
                show()
        else:
            # One by one, so that Ctrl-C meanwhile finds all that are to be cancelled.
            for settings, seed in jobs:
                futures.append(executor.submit(_one, run, settings, seed))
            place = {future: i for i, future in enumerate(futures)}
            for future in as_completed(futures):
                i = place[future]
                done[i] = _outcome(future, *jobs[i])
                show()
    except KeyboardInterrupt:
        interrupted = True
        for i, future in enumerate(futures):
            if i in done or future.cancel() or not future.done():
                continue
            # Ctrl-C in a terminal strikes the workers too: an interrupted run is not done.
            if not isinstance(future.exception(), KeyboardInterrupt):
                done[i] = _outcome(future, *jobs[i])
    return SweepResult([done[i] for i in sorted(done)], interrupted)


def _jobs(
    grid: Mapping[str, Iterable[Any]] | Sequence[Settings], seeds: Iterable[int]
) -> list[tuple[dict[str, Any], int]]:
    points = grid_points(grid)
    seeds = [check.count(seed, "seeds", 0) for seed in check.items(seeds, "seeds")]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds: expected at least one, all different, got {seeds}")
    return [(settings, seed) for settings in points for seed in seeds]


def grid_points(grid: Mapping[str, Iterable[Any]] | Sequence[Settings]) -> list[dict[str, Any]]:
    """Return the settings at each point of a grid, as `sweep` runs them."""
    if isinstance(grid, Mapping):
        names = list(grid)
        points = [
            dict(zip(names, values, strict=True))
            for values in itertools.product(
                *(check.items(grid[name], f"grid[{name!r}]") for name in names)
            )
        ]
    else:
        points = [check.mapping(settings, "grid") for settings in check.items(grid, "grid")]
    if not points:
        raise ValueError(f"grid: expected at least one point, got {grid!r}")
    return points


def _one(run: Callable[..., Any], settings: dict[str, Any], seed: int) -> Run:
    try:
        return Run(settings, seed, run(seed=seed, **settings))
    except Exception as error:
        return Run(settings, seed, error=f"{type(error).__name__}: {error}")


def _outcome(future: Future[Run], settings: dict[str, Any], seed: int) -> Run:
    """Return a future's run; a worker that died is a failed run too."""
    try:
        return future.result()
    except Exception as error:
        return Run(settings, seed, error=f"{type(error).__name__}: {error}")


def _progress_bar(total: int) -> Callable[[], object]:
    from tqdm.auto import tqdm

    bar = tqdm(total=total, unit="run")
    return lambda: bar.update()

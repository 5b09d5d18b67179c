"""Runs that are too slow for a page: computed by `make runs`, stored beside their chapter."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bncourse.chapters.measured import Taken, merge, taking_down
from bncourse.sweeps import Run, SweepResult, grid_points, sweep


@dataclass(frozen=True)
class StoredRun:
    """A run over a grid and seeds whose results are stored, with what they were made of.

    Attributes
    ----------
    name : str
        Of the file, in the folder ``stored`` beside the module of `run`.
    run : callable
        An importable function of ``seed`` and the settings that returns what JSON can hold.
    grid : mapping of str to iterable, or sequence of mappings
        As for `bncourse.sweep`.
    seeds : sequence of int
    tolerance : float
        How far a number may be from the stored one on another processor, whose last digits differ
        and whose steps grow apart.
    edge : float
        Which share of a seed's points may be farther than that: at the edge of what trains, a
        last digit decides whether a run trains at all. Of fewer than 17 points none may be.
    """

    name: str
    run: Callable[..., Any]
    grid: Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]
    seeds: Sequence[int]
    tolerance: float = 0.0
    edge: float = 0.06

    @property
    def path(self) -> Path:
        """The file."""
        return Path(inspect.getfile(self.run)).with_name("stored") / f"{self.name}.json"

    def _declared(self) -> dict[str, Any]:
        # What JSON makes of it, so that it can be compared with the file.
        declared = {
            "run": f"{self.run.__module__}.{self.run.__qualname__}",
            "seeds": list(self.seeds),
            "points": grid_points(self.grid),
        }
        return dict(json.loads(json.dumps(declared)))

    def compute(self, executor: Executor | None = None, seeds: Sequence[int] | None = None) -> str:
        """Run all and return the text of the file.

        Parameters
        ----------
        executor : concurrent.futures.Executor, optional
            Where the runs go, as for `bncourse.sweep`.
        seeds : sequence of int, optional
            Only these.

        Raises
        ------
        RuntimeError
            If a run failed, with the first error, or was interrupted.
        """
        seeds = list(self.seeds if seeds is None else seeds)
        run = functools.partial(_with_what_it_took_down, self.run)
        swept = sweep(run, self.grid, seeds, executor)
        if swept.failures or swept.interrupted:
            first = swept.failures[0] if swept.failures else None
            raise RuntimeError(f"{self.name}: {first.error if first else 'interrupted'}")
        with taking_down() as taken:
            for done in swept.runs:
                merge(done.result[1])
        results = [done.result[0] for done in swept.runs]
        m = len(seeds)
        return _text(
            self._declared() | {"seeds": seeds},
            taken,
            [results[start : start + m] for start in range(0, len(results), m)],
        )

    def load(self, seeds: Sequence[int] | None = None) -> SweepResult:
        """Return the stored results, and take down what they were made of.

        Parameters
        ----------
        seeds : sequence of int, optional
            Only these; by default all.

        Raises
        ------
        ValueError
            If the file was made by another run, grid or seeds than are declared here, or a seed
            is not in it.
        FileNotFoundError
            If it was never made.
        """
        data = json.loads(self.path.read_text(encoding="utf-8"))
        for key, value in self._declared().items():
            if data[key] != value:
                raise ValueError(
                    f"{self.name}: expected {key} {value}, and the file has {data[key]}; "
                    "`make runs` makes it anew"
                )
        wanted = list(self.seeds) if seeds is None else list(seeds)
        if not set(wanted) <= set(self.seeds):
            raise ValueError(f"{self.name}: expected seeds among {list(self.seeds)}, got {wanted}")
        merge(data["taken down"] | {"seed": wanted, "stored": [self.name]})
        return SweepResult(
            [
                Run(point, seed, row[self.seeds.index(seed)])
                for point, row in zip(data["points"], data["results"], strict=True)
                for seed in wanted
            ]
        )

    def differences(self, seed: int) -> Iterator[str]:
        """Compute one seed again and yield where it is not what is stored.

        If no more points than `edge` allows are farther than `tolerance`, none is.
        """
        stored = json.loads(self.path.read_text(encoding="utf-8"))
        again = json.loads(self.compute(seeds=[seed]))
        before, now = stored["taken down"] | {"seed": [seed]}, again["taken down"]
        if before != now:
            yield f"{self.name}: was made of {before}, and now of {now}"
        column = stored["seeds"].index(seed)
        far = [
            f"{self.name}, {point}: stored {row[column]}, now {new}"
            for point, row, (new,) in zip(
                stored["points"], stored["results"], again["results"], strict=True
            )
            if not _close(row[column], new, self.tolerance)
        ]
        if len(far) > self.edge * len(stored["points"]):
            yield from far


def _with_what_it_took_down(run: Callable[..., Any], **settings: Any) -> tuple[Any, Taken]:
    with taking_down() as taken:
        result = run(**settings)
    return result, taken


def _text(head: dict[str, Any], taken: Taken, results: list[list[Any]]) -> str:
    """Return JSON with one line for each point, so that a change shows where it is."""
    points = head.pop("points")
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines.append(f' "taken down": {json.dumps(taken)}')
    for key, rows in (("points", points), ("results", results)):
        body = ",\n  ".join(json.dumps(row) for row in rows)
        lines.append(f' "{key}": [\n  {body}\n ]')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _close(stored: Any, new: Any, tolerance: float) -> bool:
    if isinstance(stored, dict):
        return stored.keys() == new.keys() and all(
            _close(stored[key], new[key], tolerance) for key in stored
        )
    if isinstance(stored, list):
        return len(stored) == len(new) and all(
            _close(a, b, tolerance) for a, b in zip(stored, new, strict=True)
        )
    if isinstance(stored, float):
        return bool(stored == new or abs(stored - new) <= tolerance)
    return bool(stored == new)

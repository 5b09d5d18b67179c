"""Run the benchmark: every contender in its own process, one thread each, taking turns.

`python -m benchmarks.run` measures all and writes benchmarks/results.json; with `--quick` it
takes a few turns of each, to see whether it works, and writes nothing.

A sample is a few milliseconds of one contender's work. In each round every contender gives one
sample, in an order that is drawn anew, so that whatever the machine does meanwhile strikes all
alike. A result is the median over the rounds of the ratio of two samples of one round.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.contenders import (
    BN_CONTENDERS,
    COURSE,
    FUSED,
    HABITS,
    PRODUCTS,
    STEP_CONTENDERS,
    TEXTBOOK,
)
from benchmarks.workload import (
    BN_PARTS,
    COURSE_NET,
    DTYPES,
    LARGE_NET,
    LEARNING_RATE,
    SHAPES,
    Case,
    bn_case,
    step_case,
)

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_name("results.json")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
TRAJECTORY_STEPS = 12
AGREEMENT = 1e-6
GROWTH_M = (64, 128, 256, 512, 1024, 2048, 4096)
GROWTH_N = (32, 64, 128, 256, 512, 1024, 2048)


class UnavailableError(RuntimeError):
    """A contender could not do what it was asked."""


class Worker:
    """A contender's process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**os.environ, **dict.fromkeys(THREADS, "1")},
        )

    def ask(self, do: str, **request: Any) -> Any:
        """Send a request and wait for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"do": do, **request}), file=self.process.stdin, flush=True)
        reply = json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        if "error" in reply:
            raise UnavailableError(f"{self.name}: {reply['error']}")
        return reply["ok"]

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Workers:
    """All processes, started when first asked for."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self.unavailable: dict[str, str] = {}

    def __getitem__(self, name: str) -> Worker:
        if name not in self._workers:
            self._workers[name] = Worker(name)
        return self._workers[name]

    def prepared(self, names: Iterable[str], case: Case) -> list[str]:
        """Let all prepare a case, and return the names of those that can do it."""
        able = []
        for name in names:
            if name in self.unavailable:
                continue
            try:
                self[name].ask("prepare", case=case)
                able.append(name)
            except UnavailableError as error:
                self.unavailable[name] = str(error)
        return able

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers.values():
            worker.close()


def compare(
    workers: Workers, names: Sequence[str], case: Case, rounds: int, order: random.Random
) -> dict[str, Any]:
    """Return the times of all contenders and the first one's ratio to each of the others."""
    able = workers.prepared(names, case)
    samples: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(rounds):
        for name in order.sample(able, len(able)):
            samples[name].append(workers[name].ask("time"))
    first = samples[able[0]]
    result = {
        "case": case,
        "microseconds": {
            name: round(1e6 * statistics.median(times), 2) for name, times in samples.items()
        },
        "ratios": {
            name: _quartiles(
                ours / theirs for ours, theirs in zip(first, samples[name], strict=True)
            )
            for name in able[1:]
        },
    }
    print(_line(result), flush=True)
    return result


def _quartiles(values: Iterable[float]) -> list[float]:
    """Return the median and the two quartiles."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return [round(median, 3), round(low, 3), round(high, 3)]


def _line(result: dict[str, Any]) -> str:
    case = result["case"]
    name = (
        f"BN {case['part']} {case['m']}x{case['n']}"
        if case["kind"] == "bn"
        else "step " + ("-".join(map(str, case["sizes"])))
    )
    ratios = "  ".join(f"{other} {r[0]:.2f}" for other, r in result["ratios"].items())
    return f"{name} {case['dtype']}: {result['microseconds'][COURSE]:.0f} µs  {ratios}"


def trajectories(workers: Workers) -> dict[str, list[float]]:
    """Return the losses of the first steps of the course's network in float64, by contender."""
    case = step_case(COURSE_NET, "float64", LEARNING_RATE)
    losses = {}
    for name in [name for name in STEP_CONTENDERS if name != PRODUCTS] + list(HABITS):
        try:
            losses[name] = workers[name].ask("losses", case=case, steps=TRAJECTORY_STEPS)
        except UnavailableError as error:
            workers.unavailable[name] = str(error)
    return losses


def disagreeing(losses: dict[str, list[float]]) -> list[str]:
    """Return who does not agree with the package to six digits, and so did other work."""
    return [
        name
        for name, theirs in losses.items()
        if any(
            abs(a - b) > AGREEMENT * abs(a) for a, b in zip(losses[COURSE], theirs, strict=True)
        )
    ]


def peaks(workers: Workers) -> list[dict[str, Any]]:
    """Return the peak memory of batch norm in arrays of the size of the batch."""
    m, n = SHAPES[-1]
    found = []
    for dtype in DTYPES:
        for part in ("forward", "backward", "evaluate"):
            case = bn_case(part, m, n, dtype)
            size = m * n * (4 if dtype == "float32" else 8)
            arrays = {
                name: round(workers[name].ask("peak", case=case) / size, 2)
                for name in (COURSE, TEXTBOOK)
            }
            found.append({"case": case, "arrays": arrays})
    return found


def import_seconds(times: int = 15) -> float:
    """Return what `import bncourse` takes beyond `import numpy`, each in a fresh interpreter."""
    program = "from time import process_time as t; s = t(); import {}; print(t() - s)"
    differences = []
    for _ in range(times):
        numpy_alone, both = (
            float(
                subprocess.run(
                    [sys.executable, "-c", program.format(names)],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            for names in ("numpy", "numpy, bncourse")
        )
        differences.append(both - numpy_alone)
    return round(statistics.median(differences), 3)


def machine() -> dict[str, str]:
    """Describe where the numbers were measured, without naming it."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "blas": _blas(),
        "torch": _version_or_absent("torch"),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(
            (part.strip() for part in line.split(":", 1))
            for line in info.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
            if ":" in line
        )
        name = fields.get("model name", "unknown")
        cache = fields.get("cache size", "")
        vectors = "AVX-512" if "avx512f" in fields.get("flags", "") else ""
        return ", ".join(filter(None, [name, f"{cache} cache" if cache else "", vectors]))
    return platform.processor() or "unknown"


def _blas() -> str:
    import numpy as np

    config: Any = np.show_config(mode="dicts")
    blas = config["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def _version_or_absent(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def measure(rounds: int) -> dict[str, Any]:
    """Run everything and return the results."""
    order = random.Random(0)
    workers = Workers()
    try:
        losses = trajectories(workers)
        steps = [
            compare(workers, STEP_CONTENDERS, step_case(net, dtype), rounds, order)
            for net in (COURSE_NET, LARGE_NET)
            for dtype in DTYPES
        ]
        habits = [
            compare(workers, (COURSE, *HABITS), step_case(net, dtype), rounds, order)
            for net in (COURSE_NET, LARGE_NET)
            for dtype in DTYPES
        ]
        layers = [
            compare(workers, BN_CONTENDERS, bn_case(part, m, n, dtype), rounds, order)
            for part in BN_PARTS
            for m, n in SHAPES
            for dtype in DTYPES
        ]
        growth = [
            compare(workers, (COURSE, FUSED), bn_case("both", m, n, "float32"), rounds // 2, order)
            for m, n in [(m, 100) for m in GROWTH_M] + [(64, n) for n in GROWTH_N]
        ]
        memory = peaks(workers)
        importing = import_seconds()
    finally:
        workers.close()
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "rounds": rounds,
        "losses": losses,
        "steps": steps,
        "habits": habits,
        "layers": layers,
        "growth": growth,
        "memory": memory,
        "import_seconds": importing,
        "unavailable": workers.unavailable,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a few turns, nothing written")
    options = parser.parse_args(arguments)
    results = measure(4 if options.quick else 30)
    for message in results["unavailable"].values():
        print(f"did not take part: {message}")
    if others := disagreeing(results["losses"]):
        print(f"other losses than the package's: {', '.join(others)}")
        return 1
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(f"wrote {RESULTS.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One contender in a process of its own: reads requests, answers with seconds.

NumPy's and PyTorch's thread pools disturb each other in one process, and a process that waits
for its next request disturbs nobody.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable
from time import process_time
from typing import Any

from benchmarks.contenders import build
from benchmarks.workload import Case

SAMPLE_SECONDS = 0.008


def seconds(run: Callable[[], object], calls: int) -> float:
    """Return the time of one call, averaged over `calls`.

    It is the processor's time. With one thread that is what a clock on the wall shows on a quiet
    machine, and on a busy one it leaves out the turns of other programs.
    """
    # Another process has just used the caches.
    run()
    start = process_time()
    for _ in range(calls):
        run()
    return (process_time() - start) / calls


def calls_in_a_sample(run: Callable[[], object]) -> int:
    """Return how many calls fill a sample."""
    for _ in range(3):
        run()
    calls = 1
    while (elapsed := seconds(run, calls) * calls) < SAMPLE_SECONDS / 4:
        calls *= 2
    return max(1, round(calls * SAMPLE_SECONDS / elapsed))


def peak_bytes(run: Callable[[], object]) -> int:
    """Return the most memory that one call has allocated at once, results included."""
    run()
    tracemalloc.start()
    kept = run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return peak


def answer(name: str, state: dict[str, Any], request: dict[str, Any]) -> object:
    """Do what is asked: prepare a case, time it, follow its losses, or weigh it."""
    case: Case = request.get("case", {})
    if request["do"] == "prepare":
        state["run"] = build(name, case)
        state["calls"] = calls_in_a_sample(state["run"])
        return state["calls"]
    if request["do"] == "time":
        return seconds(state["run"], state["calls"])
    if request["do"] == "losses":
        run = build(name, case)
        return [run() for _ in range(request["steps"])]
    return peak_bytes(build(name, case))


def main() -> None:
    """Serve until the input ends."""
    state: dict[str, Any] = {}
    answers = sys.stdout
    sys.stdout = sys.stderr  # compilers talk; the pipe is for answers only
    for line in sys.stdin:
        try:
            reply: dict[str, object] = {"ok": answer(sys.argv[1], state, json.loads(line))}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()

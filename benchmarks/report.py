"""Write the page of the book that shows benchmarks/results.json.

`python -m benchmarks.report` writes book/benchmarks.md from it and from benchmarks/page.md;
with `--check` it says whether the page is what it would write.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from benchmarks.contenders import COURSE, DEFAULT, FUSED, HABITS, PRODUCTS, TEXTBOOK
from benchmarks.run import RESULTS, ROOT
from benchmarks.workload import COURSE_NET, LARGE_NET
from bncourse.display import Table
from bncourse.display.figure import powers

PAGE = ROOT / "book" / "benchmarks.md"
TEMPLATE = Path(__file__).with_name("page.md")
Results = dict[str, Any]
#: Heads of columns, as Table takes them.
Heads = dict[str | tuple[str, str], str]

CALLS = (
    "a step makes more than a hundred calls of NumPy on arrays of a few thousand numbers, and at "
    "this size the calls cost more than the products"
)
SHARED = (
    "the matrix products and the square roots of Adam are the same in both versions, and in "
    "float64 they are a larger part of the step"
)
PASSES = (
    "each line of the NumPy code goes through all the numbers and writes them back to memory, "
    "where PyTorch does several of these lines in one pass"
)
MODULES = "Python reads one file for each module"
_PARTS = {"both": "both ways", "evaluate": "evaluation"}
BLAS = "PyTorch brings another library for the products, and they are most of the step"


class Target(NamedTuple):
    """What was aimed at, and why it is missed where it is.

    Attributes
    ----------
    work : str
    other : str
        The contender that the package's time is divided by.
    limit : float
    measured : float
    reason : str
    """

    work: str
    other: str
    limit: float
    measured: float
    reason: str


def step_ratio(results: Results, net: dict[str, Any], dtype: str, other: str) -> float:
    """Return the median ratio of a training step."""
    return _ratio(results["steps"], other, sizes=net["sizes"], dtype=dtype)


def bn_ratio(results: Results, part: str, m: int, n: int, dtype: str, other: str) -> float:
    """Return the median ratio of a part of batch norm."""
    return _ratio(results["layers"], other, part=part, m=m, n=n, dtype=dtype)


def _ratio(entries: list[dict[str, Any]], other: str, **case: Any) -> float:
    (entry,) = (e for e in entries if all(e["case"][k] == v for k, v in case.items()))
    ratio: float = entry["ratios"][other][0]
    return ratio


def targets(results: Results) -> list[Target]:
    """Return all targets with what was measured."""
    found = []
    course_limits = {
        "float32": ((FUSED, 0.62, CALLS), (TEXTBOOK, 0.55, CALLS), (PRODUCTS, 2.6, CALLS)),
        "float64": ((FUSED, 0.75, CALLS), (TEXTBOOK, 0.55, SHARED), (PRODUCTS, 2.6, CALLS)),
    }
    large_limits = {
        "float32": ((FUSED, 0.95, BLAS), (PRODUCTS, 1.25, PASSES)),
        "float64": ((FUSED, 1.02, BLAS), (PRODUCTS, 1.25, PASSES)),
    }
    for name, net, limits in (
        ("step, course's network", COURSE_NET, course_limits),
        ("step, large network", LARGE_NET, large_limits),
    ):
        for dtype, rows in limits.items():
            for other, limit, reason in rows:
                measured = step_ratio(results, net, dtype, other)
                found.append(Target(f"{name}, {dtype}", other, limit, measured, reason))
    for (m, n), limit32, limit64, reason in (
        ((64, 100), 0.92, 0.92, CALLS),
        ((256, 256), 1.35, 1.55, PASSES),
        ((1024, 1024), 1.9, 1.8, PASSES),
    ):
        for dtype, limit in (("float32", limit32), ("float64", limit64)):
            measured = bn_ratio(results, "both", m, n, dtype, FUSED)
            work = f"batch norm, forward and backward, {m} × {n}, {dtype}"
            found.append(Target(work, FUSED, limit, measured, reason))
    for dtype in ("float32", "float64"):
        measured = bn_ratio(results, "evaluate", 64, 100, dtype, FUSED)
        work = f"batch norm, evaluation, 64 × 100, {dtype}"
        found.append(Target(work, FUSED, 1.2, measured, CALLS))
    for part, limit in (("forward", 2.1), ("backward", 1.1)):
        arrays = [e["arrays"][COURSE] for e in results["memory"] if e["case"]["part"] == part]
        work = f"peak memory, batch norm {part}"
        found.append(Target(work, "the batch's own array", limit, max(arrays), PASSES))
    seconds = results["import_seconds"]
    found.append(Target("import, beyond NumPy's, in seconds", "", 0.15, seconds, MODULES))
    return found


def largest_difference(results: Results) -> float:
    """Return how far any contender's losses are from the package's, relative to them."""
    ours = results["losses"][COURSE]
    return max(
        abs(a - b) / abs(a)
        for losses in results["losses"].values()
        for a, b in zip(ours, losses, strict=True)
    )


def _shown(rows: list[list[Any]], columns: Heads, caption: str) -> str:
    """Return a table as the book's pages show those of results."""
    return f"```{{raw}} html\n{Table(rows, columns, caption).html()}\n```"


def _spread(ratio: list[float]) -> str:
    median, low, high = ratio
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def _time(microseconds: float) -> str:
    if microseconds >= 1000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds:.0f} µs"


def _targets(results: Results) -> str:
    rows = []
    for t in targets(results):
        verdict = (
            "met"
            if t.measured <= t.limit
            else f"{t.measured / t.limit - 1:.0%} over".replace("%", " %")
        )
        rows.append([t.work, t.other, t.limit, t.measured, verdict])
    columns: Heads = {"work": "", "beside": "", "target": ".2f", "measured": ".2f", "verdict": ""}
    return _shown(rows, columns, "Limits on ratios, arrays and seconds, and what was measured.")


def _misses(results: Results) -> str:
    missed = [t for t in targets(results) if t.measured > t.limit]
    if not missed:
        return "All targets were met in this run."
    by_reason: dict[str, list[str]] = {}
    for t in missed:
        by_reason.setdefault(t.reason, []).append(f"{t.work}, beside {t.other}")
    return "Why targets were missed:\n\n" + "\n".join(
        f"- {'; '.join(works)}: {reason}." for reason, works in by_reason.items()
    )


def _networks(entries: list[dict[str, Any]]) -> Heads:
    """Return the heads of columns for one network and dtype each."""
    names = {tuple(COURSE_NET["sizes"]): "course's network", tuple(LARGE_NET["sizes"]): "large"}
    return {(names[tuple(e["case"]["sizes"])], e["case"]["dtype"]): "" for e in entries}


def _steps(results: Results) -> str:
    entries = results["steps"]
    rows = [
        [other, *(_spread(entry["ratios"][other]) for entry in entries)]
        for other in entries[0]["ratios"]
    ]
    times = [_time(entry["microseconds"][COURSE]) for entry in entries]
    return _shown(
        rows,
        {"beside": "", **_networks(entries)},
        "Ratio of the times of a training step, below 1 where the package is faster. One of its "
        f"steps takes {', '.join(times[:-1])} and {times[-1]} in the four columns.",
    )


def _habits(results: Results) -> str:
    rows = []
    for habit in HABITS:
        row = [habit]
        for entry in results["habits"]:
            ratio, low, high = (1 / r for r in entry["ratios"][habit])
            row.append(f"{ratio:.2f} ({high:.2f} to {low:.2f})")
        rows.append(row)
    return _shown(
        rows,
        {"the package": "", **_networks(results["habits"])},
        "Time of a step without a habit, over that with it.",
    )


def _layers(results: Results) -> str:
    tables = []
    for dtype in ("float32", "float64"):
        rows = []
        for entry in results["layers"]:
            case, times, ratios = entry["case"], entry["microseconds"], entry["ratios"]
            if case["dtype"] != dtype:
                continue
            rows.append(
                [
                    _PARTS.get(case["part"], case["part"]),
                    f"{case['m']} × {case['n']}",
                    times[COURSE],
                    _spread(ratios[TEXTBOOK]),
                    _spread(ratios[FUSED]) if FUSED in ratios else "not measured",
                ]
            )
        columns: Heads = {"part": "", "m × n": "", "bncourse, µs": ",.0f"}
        columns |= {("beside", "the textbook"): "", ("beside", "PyTorch"): ""}
        tables.append(_shown(rows, columns, f"One layer of batch norm in {dtype}."))
    return "\n\n".join(tables)


def _evaluation(results: Results) -> float:
    """Return the time of evaluation beside the textbook's, on the first and smallest batch."""
    case = next(e for e in results["layers"] if e["case"]["part"] == "evaluate")
    return float(case["ratios"][TEXTBOOK][0])


def _growth(results: Results) -> str:
    tables = []
    for variable, fixed, held in (("m", "n", 100), ("n", "m", 64)):
        rows = []
        for entry in sorted(results["growth"], key=lambda e, v=variable: e["case"][v]):
            case, times = entry["case"], entry["microseconds"]
            if case[fixed] == held:
                row: list[Any] = [case[variable]]
                for name in (COURSE, FUSED):
                    row += [times[name], 1000 * times[name] / (case["m"] * case["n"])]
                rows.append(row)
        columns: Heads = {variable: ",.0f"}
        for name in ("bncourse", "PyTorch"):
            columns |= {(name, "µs"): ",.0f", (name, "ns a number"): ".2f"}
        caption = f"Times of forward and backward, and for each number, with {fixed} = {held}."
        tables.append(_shown(rows, columns, caption))
    return "\n\n".join(tables)


def exponent(results: Results, variable: str) -> float:
    """Return p of time ∝ variable^p for the package, over the last factor of four."""
    other = {"m": "n", "n": "m"}[variable]
    fixed = {"m": 100, "n": 64}[variable]
    found = sorted(
        (e["case"][variable], e["microseconds"][COURSE])
        for e in results["growth"]
        if e["case"][other] == fixed
    )
    (x1, t1), (x2, t2) = found[-3], found[-1]
    return math.log(t2 / t1) / math.log(x2 / x1)


def _memory(results: Results) -> str:
    rows = [
        [f"{_PARTS.get(e['case']['part'], e['case']['part'])}, {e['case']['dtype']}"]
        + [e["arrays"][name] for name in (COURSE, TEXTBOOK)]
        for e in results["memory"]
    ]
    columns: Heads = {"batch norm": "", COURSE: ".2f", TEXTBOOK: ".2f"}
    return _shown(rows, columns, "Arrays of the size of the batch, at most at once.")


def page(results: Results) -> str:
    """Return the text of the page."""
    small = results["steps"][0]["ratios"]
    values = {
        **results["machine"],
        "date": results["date"],
        "rounds": results["rounds"],
        "absent": "".join(f"\n\n{message}." for message in results["unavailable"].values()),
        "fused": f"{small[FUSED][0]:.2f}",
        "default": f"{small[DEFAULT][0]:.2f}",
        "textbook": f"{small[TEXTBOOK][0]:.2f}",
        "losses": len(results["losses"][COURSE]),
        "difference": powers(f"{largest_difference(results):.0e}"),
        "steps_table": _steps(results),
        "habits_table": _habits(results),
        "layers_table": _layers(results),
        "evaluate": f"{_evaluation(results):.2f}",
        "growth_table": _growth(results),
        "exponent_m": f"{exponent(results, 'm'):.2f}",
        "exponent_n": f"{exponent(results, 'n'):.2f}",
        "memory_table": _memory(results),
        "targets_table": _targets(results),
        "misses": _misses(results),
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    text = page(json.loads(RESULTS.read_text(encoding="utf-8")))
    name = Path(PAGE).relative_to(ROOT)
    if options.check:
        if PAGE.read_text(encoding="utf-8") != text:
            print(f"{name} is not what benchmarks/report.py writes")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

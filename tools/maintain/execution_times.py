"""Execute every notebook and write how long each takes into book/execution-times.md.

`python tools/maintain/execution_times.py` executes them one after the other, in fresh kernels on
one thread; the notebooks themselves are left as they are. Times stay out of them, because a stored
output that differs from run to run could not be compared.
"""

from __future__ import annotations

import datetime
import os
import platform
import resource
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import pages  # noqa: E402
from notebooks import execute  # noqa: E402

PAGE = ROOT / "book" / "execution-times.md"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
#: Seconds of the processor that one notebook may take, and all of them together.
LIMIT, LIMIT_ALL = 30, 300
BEGIN = "% Written by tools/maintain/execution_times.py."
END = "% End of what it wrote."


class Timed(NamedTuple):
    """A notebook and what its execution took.

    Attributes
    ----------
    name : str
        Without the ending.
    title : str
        Its first heading.
    cells : int
        Code cells.
    seconds : float
    """

    name: str
    title: str
    cells: int
    seconds: float


def timed(path: Path) -> Timed:
    """Execute a notebook in a fresh kernel and return what it took, kernel start included.

    It is the processor's time of the kernel. With one thread that is the time that a reader
    waits on a quiet machine, and on a busy one it leaves out the turns of other programs.
    """
    cells = nbformat.read(path, as_version=4).cells
    heading = next(
        line
        for cell in cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("# ")
    )
    start = _processor_seconds_of_children()
    execute(path)
    seconds = _processor_seconds_of_children() - start
    code = sum(cell.cell_type == "code" for cell in cells)
    return Timed(path.stem, heading.removeprefix("# "), code, seconds)


def _processor_seconds_of_children() -> float:
    """Return the processor's time of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def table(times: list[Timed], date: str, machine: str) -> str:
    """Return the part of the page that is measured."""
    total = sum(t.seconds for t in times)
    slow = [t.title for t in times if t.seconds > LIMIT]
    lines = [
        "| page | code cells | seconds |",
        "| --- | ---: | ---: |",
        *(f"| {{doc}}`{t.title} <{t.name}>` | {t.cells} | {t.seconds:.1f} |" for t in times),
        f"| **together** | **{sum(t.cells for t in times)}** | **{total:.1f}** |",
        "",
        f"Above the {LIMIT} seconds that we allow one page: {', '.join(slow) or 'none'}. "
        f"For all together we allow {LIMIT_ALL}.",
        "",
        f"Measured on {date}, in seconds of the processor: {machine}.",
    ]
    return "\n".join(lines)


def with_table(text: str, new: str) -> str:
    """Return a page's text with another table between the two marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{new}\n\n{END}{after}"


def main() -> int:
    """Execute all notebooks of the book and write the page."""
    for name in THREADS:
        os.environ[name] = "1"
    times = []
    for path in pages.notebooks():
        times.append(timed(path))
        print(f"{path.name}: {times[-1].seconds:.1f} s", flush=True)
    machine = (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    new = table(times, datetime.date.today().isoformat(), machine)
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), new), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Compute the stored runs of the chapters and write them beside the chapters.

    python tools/runs.py                 all
    python tools/runs.py learning_rates  those named

The runs go to one process for each core. A bigger machine, or a cluster, is another executor:
see the page "Run a bigger map on a cluster".
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import bncourse.chapters
from bncourse.chapters.stored import StoredRun

ROOT = Path(__file__).resolve().parents[1]
#: The matrices of the course are small: more threads only get in each other's way.
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def stored_runs() -> dict[str, StoredRun]:
    """Return the stored runs of all chapters by their names.

    Raises
    ------
    ValueError
        If two have the same name.
    """
    found: dict[str, StoredRun] = {}
    for room in pkgutil.iter_modules(bncourse.chapters.__path__, "bncourse.chapters."):
        if room.ispkg:
            for module in pkgutil.iter_modules(
                importlib.import_module(room.name).__path__, f"{room.name}."
            ):
                for value in vars(importlib.import_module(module.name)).values():
                    if (
                        isinstance(value, StoredRun)
                        and found.setdefault(value.name, value) != value
                    ):
                        raise ValueError(f"two stored runs are called {value.name!r}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    known = stored_runs()
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known))
    names = parser.parse_args(arguments).names or list(known)
    if unknown := set(names) - known.keys():
        parser.error(f"expected names among {', '.join(known)}, got {', '.join(sorted(unknown))}")
    for variable in THREADS:  # read by the workers when they start
        os.environ.setdefault(variable, "1")
    with ProcessPoolExecutor() as executor:
        for name in names:
            stored, begun = known[name], time.perf_counter()
            text = stored.compute(executor)
            stored.path.parent.mkdir(exist_ok=True)
            before = stored.path.read_text(encoding="utf-8") if stored.path.exists() else ""
            stored.path.write_text(text, encoding="utf-8")
            changed = "as before" if text == before else "changed"
            print(f"{name}: {changed}, {time.perf_counter() - begun:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Execute the notebooks and store them in one normal form.

    python tools/notebooks.py refresh    execute and write back
    python tools/notebooks.py check      say which are not as refresh would write them
    python tools/notebooks.py test       check, execute, and compare with what is stored

Each takes the notebooks that it is for, or else those of all pages; ``test`` hands options that it
does not know on to pytest.

The normal form holds nothing that changes from run to run: no timestamps, no widget state, no
widget views, no versions. So a refresh without a change leaves an empty diff.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pages
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
CELL_TIMEOUT = 120  # seconds
#: The matrices of the course are small: more threads only get in each other's way.
THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KEPT_CELL_METADATA = {"tags", "mystnb"}
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


def normalise(notebook: Any) -> str:
    """Return the notebook's text in normal form."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA}
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            cell.outputs = _merge_streams(cell.outputs)
            for output in cell.outputs:
                if "data" in output:
                    output.data.pop(WIDGET_VIEW, None)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def _merge_streams(outputs: list[Any]) -> list[Any]:
    """Join neighbouring pieces of one stream: where a stream is cut depends on timing."""
    merged: list[Any] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            merged.append(output)
    return merged


def execute(path: Path) -> str:
    """Execute a notebook in a fresh kernel and return its text in normal form."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    ).execute()
    return normalise(notebook)


def refresh(paths: list[Path]) -> int:
    """Execute and write back, two at a time."""

    def one(path: Path) -> str:
        text = execute(path)
        changed = text != path.read_text(encoding="utf-8")
        if changed:
            path.write_text(text, encoding="utf-8")
        return f"{path}: {'changed' if changed else 'as before'}"

    with ThreadPoolExecutor(2) as executor:
        for line in executor.map(one, paths):
            print(line, flush=True)
    return 0


def problems(path: Path) -> list[str]:
    """Return what is wrong with a stored notebook, each with the cell it is about."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    found: list[str] = []
    expected = 1
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        name = f"cell {cell.id}"
        if not cell.source.strip():
            found.append(f"{name}: is empty")
            continue
        if cell.execution_count is None:
            found.append(f"{name}: was not executed, so nbval would not compare it")
        elif cell.execution_count != expected:
            found.append(
                f"{name}: was executed as number {cell.execution_count}, "
                f"and should have been number {expected}"
            )
        expected += 1
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"{name}: stored an error, {output.ename}")
            elif output.output_type == "stream" and output.name == "stderr":
                found.append(f"{name}: stored a warning or error text: {output.text[:80]!r}")
    if normalise(notebook) != text:
        found.append("is not in the normal form that `make refresh` writes")
    return found


def check(paths: list[Path]) -> int:
    """Print what is wrong; return 1 if something is, or if there is no notebook at all."""
    if not paths:
        print("no notebooks: expected the chapters of the book")
        return 1
    wrong = [f"{path}: {problem}" for path in paths for problem in problems(path)]
    print("\n".join(wrong) or f"{len(paths)} notebooks are executed and in normal form")
    return 1 if wrong else 0


def comparison(
    paths: Sequence[Path],
    options: Sequence[str] = (),
    *,
    python: str | Path = sys.executable,
    timeout: int = CELL_TIMEOUT,
    workers: int = 2,
) -> list[str]:
    """Return the command that executes notebooks and compares the outputs to the letter."""
    return [
        *(str(python), "-m", "pytest", "--nbval"),
        # The kernel is that of the environment, whatever kernels the machine has by that name.
        "--nbval-current-env",
        *("--nbval-sanitize-with", str(ROOT / "tests" / "notebooks" / "sanitize.cfg")),
        *("--nbval-cell-timeout", str(timeout), "-p", "no:cacheprovider"),
        *("-n", str(workers), "--dist", "loadscope"),
        *options,
        *map(str, paths),
    ]


def test(paths: list[Path], options: Sequence[str], timeout: int) -> int:
    """Check how the notebooks are stored, then execute them; return 0 if all holds."""
    # nbval passes over cells that were stored unrun, so the check comes first.
    if check(paths):
        return 1
    command = comparison(paths, ["-q", *options], timeout=timeout)
    return subprocess.run(command, check=False).returncode


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    # The kernels inherit it: with more threads some sums are added up in another order.
    for name in THREADS:
        os.environ.setdefault(name, "1")
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("command", choices=["refresh", "check", "test"])
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--cell-timeout", type=int, default=CELL_TIMEOUT, metavar="SECONDS")
    options, unknown = parser.parse_known_args(arguments)
    paths = options.paths or pages.notebooks()
    if options.command == "test":
        return test(paths, unknown, options.cell_timeout)
    if unknown:
        parser.error(f"unknown options: {' '.join(unknown)}")
    return {"refresh": refresh, "check": check}[options.command](paths)


if __name__ == "__main__":
    sys.exit(main())

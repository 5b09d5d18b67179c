"""The practice notebooks work: solved, they give the book's outputs; unsolved, they say so."""

from __future__ import annotations

import re
import subprocess

import nbformat
import pytest
from nbclient import NotebookClient

from ..loading import ROOT, load

notebooks, practice = load("notebooks"), load("practice")
WITH_GAPS = [path for path in load("pages").notebooks() if practice.practice(path) is not None]

# nbclient's event loop leaves a socket for the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_with_the_gaps_filled_the_outputs_are_those_of_the_book(tmp_path):
    paths = []
    for path in WITH_GAPS:
        paths.append(tmp_path / path.name)
        paths[-1].write_text(practice.practice(path, solved=True), encoding="utf-8")
        assert notebooks.problems(paths[-1]) == []
    command = notebooks.comparison(
        paths, ["-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)], workers=0
    )
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WITH_GAPS, ids=lambda path: path.stem)
def test_with_the_gaps_open_they_say_what_to_write(path):
    stored = ROOT / practice.target(path.stem)
    notebook = nbformat.read(stored, as_version=4)
    kept = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
    NotebookClient(
        notebook, timeout=notebooks.CELL_TIMEOUT, kernel_name="python3", allow_errors=True
    ).execute()
    gaps = [
        gap["words"].rstrip(".")
        for cell in notebook.cells
        for gap in practice.GAP.finditer(kept.get(cell.id, ""))
    ]
    said = "".join(
        "\n".join([*output.get("traceback", []), output.get("data", {}).get("text/plain", "")])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)  # tracebacks are coloured
    assert gaps
    for words in gaps:
        assert f"NotImplementedError: Your code is missing here: {words}." in said

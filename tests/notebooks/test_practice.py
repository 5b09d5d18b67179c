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
    said = re.sub(r"\x1b\[[\d;]*m", "", said)  # the colours of a traceback
    assert gaps
    for words in gaps:
        assert f"NotImplementedError: Your code is missing here: {words}." in said


def test_what_readers_keep_becomes_the_network_that_answers_at_the_end(tmp_path):
    last = nbformat.read(ROOT / "book" / "06-test-time.ipynb", as_version=4)
    cells, kept = ["import numpy as np\n\nfrom bncourse import *"], []
    for path in WITH_GAPS:
        for exercise in practice.exercises(nbformat.read(path, as_version=4)):
            if names := exercise.directive.options.get("keeps"):
                cells += [practice.shown(exercise.cells[0].source), practice._keep(names)]
                kept += names.split()
    by_id = {cell.id: cell for cell in last.cells}
    ids = ["imports", "pieces", "assemble-given", "assemble-solution", "assemble-check"]
    cells += [practice.shown(by_id[name].source) for name in ids]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    NotebookClient(
        notebook,
        timeout=notebooks.CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    whose = notebook.cells[-4].outputs[0]["data"]["text/plain"]
    mine = re.findall(r"^(\w+) +yours$", whose, re.M)
    assert set(mine) == set(kept)
    assert {"standardize", "batch_norm", "moving_average", "running_statistics"} <= set(mine)
    # Whoever wrote the pieces, the network says what it says in the book.
    said, stored = (
        cell.outputs[0]["data"]["text/plain"]
        for cell in (notebook.cells[-1], by_id["assemble-check"])
    )
    assert said == stored

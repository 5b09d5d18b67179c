"""The checks of the notebooks are checked: each fault must be found."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from ..loading import load

ROOT = Path(__file__).resolve().parents[2]
notebooks = load("notebooks")

# nbclient's event loop leaves a socket for the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore")


def write(path, *sources, run=True):
    """Store a notebook with these code cells, executed unless `run` is False."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(s, id=f"cell-{k}") for k, s in enumerate(sources)]
    )
    path.write_text(notebooks.normalise(notebook), encoding="utf-8")
    if run:
        path.write_text(notebooks.execute(path), encoding="utf-8")
    return path


def edit(path, change):
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    path.write_text(notebooks.normalise(notebook), encoding="utf-8")


def test_the_book_is_executed_and_in_normal_form():
    chapters = sorted((ROOT / "book").glob("*.ipynb"))
    assert len(chapters) >= 6
    assert {str(p.name): notebooks.problems(p) for p in chapters} == {p.name: [] for p in chapters}


def test_refreshing_twice_changes_nothing(tmp_path):
    path = write(tmp_path / "a.ipynb", "print(1)\nprint(2)", "3")
    text = path.read_text()
    assert notebooks.execute(path) == text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda nb: nb.cells[0].update(execution_count=None), "was not executed"),
        (lambda nb: nb.cells[1].update(execution_count=9), "should have been number 2"),
        (lambda nb: nb.cells[1].update(source=""), "is empty"),
        (
            lambda nb: nb.cells[0].outputs.append(
                nbformat.v4.new_output("stream", name="stderr", text="Warning: x")
            ),
            "error text",
        ),
        (
            lambda nb: nb.cells[0].outputs.append(
                nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
            ),
            "stored an error",
        ),
    ],
)
def test_faults_of_storage_are_found(tmp_path, change, problem):
    path = write(tmp_path / "a.ipynb", "print(1)", "2")
    edit(path, change)
    assert any(problem in p for p in notebooks.problems(path))


def test_another_form_than_the_normal_one_is_found(tmp_path):
    path = write(tmp_path / "a.ipynb", "1")
    path.write_text(path.read_text().replace('"tags"', '"tags"') + "\n")
    assert "normal form" in notebooks.problems(path)[0]


def test_no_notebook_at_all_is_a_failure(capsys):
    assert notebooks.check([]) == 1
    assert "no notebooks" in capsys.readouterr().out

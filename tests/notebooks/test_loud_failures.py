"""`make notebooks` fails, and says why, whatever is wrong with a notebook or with its kernel.

Where `test_checks.py` tests the parts, these tests run the recipe of the Makefile itself, so that
an option that gets lost there is noticed too. Starting a process is what takes the time, so all
faulty notebooks are checked by one run of the recipe for each kind of fault.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import nbformat
import pytest

from .test_checks import ROOT, edit, notebooks, write

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(shutil.which("make") is None, reason="runs the Makefile's recipe"),
]


FIGURE = """\
class Figure:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/png": b"not compared", "text/plain": "Ratio 25."}
Figure()"""


def change_source(cell, source):
    return lambda nb: nb.cells[cell].update(source=source)


def change_words(nb):
    nb.cells[2].outputs[0].data["text/plain"] = "Ratio 24."


def change_bytes(nb):
    nb.cells[2].outputs[0].data["image/png"] = "AAAA"


def forget(*cells):
    def change(nb):
        for k in cells:
            nb.cells[k].update(execution_count=None, outputs=[])

    return change


def add_cell(nb):
    nb.cells.append(nbformat.v4.new_code_cell("1", id="new"))


WARNING = "print('steps', 30)\nimport warnings\nwarnings.warn('no')"
STOPPED = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"

#: What happens when the notebook is run; the faulty cell, and what nbval has to say of it.
COMPUTED = {
    "the kernel dies": (change_source(1, "import os\nos._exit(1)"), 1, "Timeout of 5 seconds"),
    "the kernel is stopped": (change_source(1, STOPPED), 1, "Timeout of 5 seconds"),
    "a cell sleeps": (change_source(1, "import time\ntime.sleep(60)"), 1, "Timeout of 5 seconds"),
    "a cell runs for ever": (change_source(1, "while True: pass"), 1, "Timeout of 5 seconds"),
    "an exception": (change_source(0, "ratio = 1 / 0"), 0, "ZeroDivisionError"),
    "another number": (change_source(1, "print('steps', 31)"), 1, "steps 31"),
    "a warning": (change_source(1, WARNING), 1, "Unexpected output fields.*stderr"),
    "other words of a figure": (
        change_source(2, FIGURE.replace("Ratio 25", "Ratio 24")),
        2,
        "mismatch 'text/plain'.*Ratio 24",
    ),
    "no figure": (change_source(2, "pass"), 2, "Missing output fields.*text/plain"),
    "words edited by hand": (change_words, 2, "mismatch 'text/plain'.*Ratio 24"),
    "a number edited by hand": (
        lambda nb: nb.cells[1].outputs[0].update(text="steps 29\n"),
        1,
        "steps 29",
    ),
    "an output removed by hand": (
        lambda nb: nb.cells[1].update(outputs=[]),
        1,
        "Unexpected output fields.*stdout",
    ),
}

#: What is stored; what `tools/notebooks.py check` has to say of it.
STORED = {
    "stored unrun": (forget(0, 1, 2, 3), "cell cell-3: was not executed"),
    "one cell unrun": (forget(3), "cell cell-3: was not executed"),
    "an empty cell": (change_source(1, ""), "cell cell-1: is empty"),
    "a cell removed by hand": (lambda nb: nb.cells.pop(1), "should have been number 2"),
    "a cell added by hand": (add_cell, "cell new: was not executed"),
    "cells in another order": (lambda nb: nb.cells.reverse(), "should have been number 1"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sound notebook, with cells before and behind those that get a fault, and faulty ones."""
    folder = tmp_path_factory.mktemp("book")
    sound = write(folder / "sound.ipynb", "ratio = 25", "print('steps', 30)", FIGURE, "object()")
    # Addresses and the bytes of a picture are not compared.
    edit(shutil.copy(sound, folder / "other bytes.ipynb"), change_bytes)
    for name, (change, *_) in (COMPUTED | STORED).items():
        edit(shutil.copy(sound, folder / f"{name}.ipynb"), change)
    return folder


def recipe():
    """Return the command of `make notebooks`, as make would run it, word by word."""
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/.installed", "notebooks", "NOTEBOOKS=NOTEBOOK"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (command,) = [line for line in done.stdout.splitlines() if not line.startswith("make")]
    return command.split()


def run(folder, names, *options):
    """Run the recipe on notebooks; return whether it passed, and what it said."""
    paths = [str(folder / f"{name}.ipynb") for name in names]
    words = [w for word in recipe() for w in (paths if word == "NOTEBOOK" else [word])]
    assert words[0].endswith("python")
    words[0] = sys.executable
    words += ["--cell-timeout", "5"]  # seconds, so that the tests end soon
    words += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), *options]
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode == 0, done.stdout + done.stderr


def compare(folder, names):
    """Run nbval; return whether it passed, and (verdict, words) by notebook and cell."""
    report = folder / "report.xml"
    options = ("-vv", "--color=no", f"--junitxml={report}")
    passed, _ = run(folder, names, *options)
    cells = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name, cell = case.get("classname").split(".")[-2], int(case.get("name").split()[-1])
        cells[name, cell] = case[0].tag if len(case) else "passed", "".join(case.itertext())
    return passed, cells


def test_the_recipe_compares_strictly_and_gives_a_cell_limited_time():
    assert recipe()[1:] == ["tools/notebooks.py", "test", "NOTEBOOK"]
    nbval = notebooks.comparison([])
    assert "--nbval" in nbval
    assert int(nbval[nbval.index("--nbval-cell-timeout") + 1]) <= 300
    assert not {"--nbval-lax", "--nbval-skip-compare", "-k", "--deselect"} & set(nbval)


def test_the_comparison_stands_in_one_place_and_everything_calls_it():
    for file in ("Makefile", "README.md", *sorted((ROOT / ".github" / "workflows").iterdir())):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert "--nbval" not in text, file
    for file in ("Makefile", "README.md", ".github/workflows/checks.yml"):
        assert "tools/notebooks.py test" in (ROOT / file).read_text(encoding="utf-8"), file


def test_every_fault_of_computation_fails_in_its_cell_and_says_why(folder):
    passed, cells = compare(folder, ["sound", "other bytes", *COMPUTED])
    assert not passed
    for name in ("sound", "other bytes"):
        assert {cells[name, k][0] for k in range(4)} == {"passed"}, name
    for name, (_, faulty, words) in COMPUTED.items():
        assert [cells[name, k][0] for k in range(faulty)] == ["passed"] * faulty, name
        verdict, said = cells[name, faulty]
        assert verdict == "failure", name
        assert re.search(words, said, re.DOTALL), f"{name}: {said}"
    # Cells that could not be executed must not look as if they had been reproduced.
    for name in ("the kernel dies", "the kernel is stopped"):
        assert "passed" not in {cells[name, k][0] for k in (2, 3)}, name


def test_every_fault_of_storage_is_named(folder):
    passed, said = run(folder, ["sound", *COMPUTED, *STORED])
    assert not passed
    assert "sound.ipynb" not in said
    for name, (_, words) in STORED.items():
        lines = [line for line in said.splitlines() if f"{name}.ipynb: " in line]
        assert any(words in line for line in lines), f"{name}: {said}"


def test_metadata_added_by_hand_is_loud(folder, tmp_path):
    path = shutil.copy(folder / "sound.ipynb", tmp_path / "a.ipynb")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata["collapsed"] = True
    nbformat.write(notebook, path)
    assert "is not in the normal form that `make refresh` writes" in notebooks.problems(path)


@pytest.mark.parametrize("text", [None, "{}"])
def test_what_is_no_notebook_is_loud(tmp_path, text):
    path = tmp_path / "a.ipynb"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    passed, said = run(tmp_path, ["a"])
    assert not passed
    assert "a.ipynb" in said or "Error" in said


def test_no_cell_of_the_book_asks_not_to_be_compared():
    chapters = sorted((ROOT / "book").glob("*.ipynb"))
    assert len(chapters) >= 6
    excuses = re.compile(r"nbval|raises-exception|skip-execution", re.IGNORECASE)
    for chapter in chapters:
        for cell in nbformat.read(chapter, as_version=4).cells:
            source = cell.source if cell.cell_type == "code" else ""
            asked = " ".join([*cell.metadata.get("tags", []), source])
            assert not excuses.search(asked), f"{chapter.name}, cell {cell.id}"

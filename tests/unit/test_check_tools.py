"""The tools behind `make matrix` and `make mutants` report what they should, and hide nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest

from ..loading import load

ROOT = Path(__file__).resolve().parents[2]


matrix, mutants = load("matrix", "tools/maintain"), load("mutants", "tools/maintain")


def test_every_setting_of_the_issue_has_a_variant():
    settings = [variant.settings for variant in matrix.variants()]
    assert {s.get("OPENBLAS_CORETYPE") for s in settings} >= {"Nehalem", "Haswell", "SkylakeX"}
    assert {s.get("OPENBLAS_NUM_THREADS") for s in settings} >= {None, "2"}
    assert any("NPY_DISABLE_CPU_FEATURES" in s for s in settings)
    assert len({s.get("PYTHONHASHSEED") for s in settings}) >= 3
    assert {variant.environment for variant in matrix.variants()} == {"", "oldest", "newest"}


def test_only_numpy_and_matplotlib_differ_from_the_pinned_set():
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for environment in ("oldest", "newest"):
        lines = matrix.requirements(environment).splitlines()
        changed = {new for new, old in zip(lines, pinned, strict=True) if new != old}
        expected = {"numpy==2.0.0", "matplotlib==3.8.4"}
        if environment == "newest":
            expected = {"numpy", "matplotlib"}
        assert changed == expected | {f"-e {ROOT}"}


def test_a_kernel_that_openblas_does_not_know_is_not_reported_as_run(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")  # must not leak into the variant
    unknown = matrix.Variant("x", "x", {"OPENBLAS_CORETYPE": "NoSuchCore"})
    with pytest.raises(matrix.CannotRun, match="asked for NoSuchCore"):
        matrix.prepare(unknown)


def test_a_process_that_does_not_start_is_not_reported_as_run(tmp_path):
    with pytest.raises(matrix.CannotRun, match="does not start"):
        matrix.probe(sys.executable, {**os.environ, "PYTHONPATH": str(break_numpy(tmp_path))})


def break_numpy(folder):
    (folder / "numpy.py").write_text("raise ImportError('no numpy')", encoding="utf-8")
    return folder


def test_notebooks_that_were_not_executed_are_not_compared(tmp_path, monkeypatch, capfd):
    path = tmp_path / "a.ipynb"
    unrun = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", id="one")])
    nbformat.write(unrun, path)
    monkeypatch.setattr(matrix.pages, "notebooks", lambda: [path])
    monkeypatch.setattr(matrix, "run", lambda *_: pytest.fail("compared all the same"))
    assert matrix.main(["--quick"]) == 1
    assert "cell one: was not executed" in capfd.readouterr().out


def test_failed_and_skipped_cells_count_as_not_reproduced(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        "<testcase classname='book.a.ipynb' name='Cell 0'/>"
        "<testcase classname='book.a.ipynb' name='Cell 1'><failure/></testcase>"
        "<testcase classname='book.a.ipynb' name='Cell 2'><skipped/></testcase>"
        "<testcase classname='book.a.ipynb' name='Cell 3'><error/></testcase>"
        "</testsuite></testsuites>",
        encoding="utf-8",
    )
    cells, failed = matrix.outcome(report)
    assert cells == 4
    assert failed == [f"book.a.ipynb: Cell {k}" for k in (1, 2, 3)]
    assert matrix.outcome(tmp_path / "missing.xml") == (0, [])


@pytest.mark.parametrize(
    ("mangled", "name"),
    [
        ("bncourse.layers.xǁDenseǁforward__mutmut_15", "layers.Dense.forward"),
        ("bncourse.data.x_whiten__mutmut_3", "data.whiten"),
        ("bncourse.statistics.x__real__mutmut_1", "statistics._real"),
        ("bncourse.network.xǁSequentialǁ__init____mutmut_2", "network.Sequential.__init__"),
    ],
)
def test_mutants_are_called_by_the_name_of_their_function(mangled, name):
    assert mutants.function_of(mangled) == name


def test_a_diff_becomes_its_two_lines():
    diff = (
        "# x: survived\n--- a.py\n+++ a.py\n@@ -1,3 +1,3 @@\n def f():\n-    x = 1\n+    x = 2\n"
    )
    assert mutants.changed_lines(diff) == ("x = 1", "x = 2")


def test_survivors_need_a_reason_and_reasons_a_survivor():
    a, b = ("m.f", "x = 1", "x = 2"), ("m.g", "y = 1", "y = 2")
    assert mutants.compare([a], [a]) == []
    (unlisted,) = mutants.compare([a, b], [a])
    assert unlisted.startswith("m.g: no test notices")
    (outdated,) = mutants.compare([a], [a, b])
    assert outdated.startswith("m.g: is listed, and does not survive")


def test_every_listed_mutant_has_a_reason_and_a_line_that_exists():
    for name, was, _ in mutants.listed():
        source = (ROOT / "bncourse" / f"{name.split('.')[0]}.py").read_text(encoding="utf-8")
        lines = {line.strip() for line in source.splitlines()}
        assert set(was.splitlines()) <= lines, f"{name}: {was}"


def test_what_is_mutated_and_what_tests_it_are_there():
    for name in mutants.MODULES:
        assert (ROOT / "bncourse" / f"{name}.py").exists()
    for name in mutants.TESTS:
        assert (ROOT / "tests" / "unit" / f"test_{name}.py").exists()

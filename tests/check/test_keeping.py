"""What a reader keeps can be imported by a fresh interpreter, and says what it can't hold."""

from __future__ import annotations

import linecache
import subprocess
import sys

import numpy as np
import pytest

from bncourse.check.keeping import HEADER, keep, pieces

from ..loading import load

CELL = '''
import numpy as np
from bncourse import Layer
EPSILON = 1e-5
table = np.zeros(3)

def centred(x):
    return x - x.mean(axis=0)  # a comment of mine

def standardize(x):
    return centred(x) / np.sqrt(x.var(axis=0) + EPSILON)

class Centre(Layer):
    """Subtracts the mean."""

    def _forward(self, x, training):
        return centred(x)

    def _backward(self, dz):
        return centred(dz)

def hidden(x):
    return x + table
'''


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """What a cell of a notebook defines, in the folder of the notebook."""
    monkeypatch.chdir(tmp_path)
    linecache.cache["<cell>"] = (len(CELL), None, CELL.splitlines(keepends=True), "<cell>")
    space = {"__name__": "__main__"}
    exec(compile(CELL, "<cell>", "exec"), space)
    yield space
    del linecache.cache["<cell>"]


def fresh(code):
    """Run code in a new interpreter in the folder of the notebook."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_pieces_come_with_what_they_use(notebook, capsys):
    keep(notebook["standardize"])
    assert capsys.readouterr().out == "my_layer.py holds: EPSILON, centred, standardize\n"
    keep(notebook["Centre"])
    code = (
        "import my_layer, numpy as np; x = np.array([[1.], [3.]]);"
        "print(my_layer.standardize(x).round(3).ravel(),"
        "my_layer.Centre(1).forward(x, training=True).ravel())"
    )
    assert fresh(code) == "[-1.  1.] [-1.  1.]"
    assert "# a comment of mine" in fresh("print(open('my_layer.py').read())")


def test_a_piece_that_is_written_again_replaces_the_old_one(notebook, tmp_path):
    keep(notebook["standardize"])
    once = (tmp_path / "my_layer.py").read_text(encoding="utf-8")
    keep(notebook["standardize"])
    assert (tmp_path / "my_layer.py").read_text(encoding="utf-8") == once


def test_what_cannot_be_kept_is_refused_and_nothing_is_written(notebook, tmp_path):
    with pytest.raises(ValueError, match="hidden uses table, which can't be written down"):
        keep(notebook["standardize"], notebook["hidden"])
    with pytest.raises(TypeError, match="expected a function or a class of yours, got <ufunc"):
        keep(np.sqrt)
    assert not (tmp_path / "my_layer.py").exists()
    (tmp_path / "my_layer.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="expected a file that `keep` wrote, got my_layer.py"):
        keep(notebook["standardize"])


def test_what_was_kept_comes_back_and_the_rest_is_the_books(notebook):
    keep(notebook["standardize"])
    mine = pieces("standardize", "batch_norm")
    assert mine.whose == {"standardize": "yours", "batch_norm": "the book's"}
    x = np.array([[1.0], [3.0]])
    assert mine.standardize.__code__.co_filename == "my_layer.py"
    np.testing.assert_array_equal(mine.standardize(x), notebook["standardize"](x))
    z_tilde = mine.batch_norm(x, np.ones(1), np.zeros(1), 0.0)
    np.testing.assert_array_equal(z_tilde, [[-1.0], [1.0]])


def test_without_a_file_and_with_an_open_gap_the_piece_is_the_books(tmp_path):
    there = tmp_path / "my_layer.py"
    assert pieces("fold", path=there).whose == {"fold": "the book's"}
    gap = load("practice").to_fill("# your code: don't forget b\npass\n# end of your code\n")
    body = "".join(f"    {line}\n" for line in gap.splitlines())
    there.write_text(f"{HEADER}\ndef fold(w):\n{body}", encoding="utf-8")
    mine = pieces("fold", path=there)
    assert mine.whose == {"fold": "the book's"}
    assert mine.fold.__code__.co_argcount == 7


def test_a_name_that_is_no_piece_is_refused():
    with pytest.raises(KeyError):
        pieces("batch_morm")

"""The code of the how-to page runs, and the page of times knows every notebook."""

from __future__ import annotations

import re
import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bncourse.chapters import motivation

from ..loading import load

BOOK = Path(__file__).parents[2] / "book"
BLOCKS = re.findall(r"```python\n(.*?)```", (BOOK / "cluster.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_is_python(block):
    compile(block, "cluster.md", "exec")


def test_no_line_of_code_is_longer_than_the_text():
    code = re.findall(
        r"```(?:python)?\n(.*?)```", (BOOK / "cluster.md").read_text("utf-8"), re.DOTALL
    )
    assert max(len(line) for block in code for line in block.splitlines()) <= 66


def test_the_map_runs_on_an_executor_and_is_drawn(tmp_path):
    import matplotlib as mpl

    mpl.use("agg")
    script = tmp_path / "big_map.py"
    script.write_text(BLOCKS[0].replace("progress=True", "progress=False"), "utf-8")
    big_map = runpy.run_path(str(script))
    assert 2 * len(motivation.runs.RATES[::2]) * len(motivation.runs.GAINS[::2]) == 60
    assert 2 * len(big_map["RATES"]) * len(big_map["GAINS"]) == 714
    rates, gains = np.array([0.1, 1.0]), np.array([0.1, 1.0, 100.0])
    big_map["run_all"].__globals__.update(RATES=rates, GAINS=gains)
    big_map["GRID"].update(gain=gains, learning_rate=rates, steps=[30])
    with ThreadPoolExecutor(2) as executor:
        result = big_map["run_all"](executor)
    assert not result.failures
    accuracies = {
        bn: [[motivation.runs.final_accuracy(0, bn, r, gain, 30) for r in rates] for gain in gains]
        for bn in (False, True)
    }
    for bn, table in accuracies.items():
        assert result.select(batch_norm=bn) == np.ravel(table).tolist()
    picture = tmp_path / "big_map.png"
    reached = big_map["draw"](result, picture)
    assert reached == [int((np.array(table) >= 0.9).sum()) for table in accuracies.values()]
    assert reached[0] < reached[1]
    assert picture.stat().st_size > 1000


def test_the_page_of_times_lists_every_notebook():
    listed = re.findall(r"<([\w-]+)>`", (BOOK / "execution-times.md").read_text("utf-8"))
    assert listed == [path.stem for path in load("pages").notebooks()]

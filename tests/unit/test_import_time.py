"""`import bncourse` loads NumPy and nothing else that is slow; `make bench` measures the time."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("matplotlib", "ipywidgets", "IPython", "tqdm", "scipy", "pandas", "PIL")


def modules_after(statement):
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_import_loads_neither_matplotlib_nor_widgets():
    loaded = modules_after("import bncourse")
    assert "numpy" in loaded
    assert not loaded & set(SLOW)


def test_training_loads_neither():
    loaded = modules_after(
        "import numpy as np\n"
        "from bncourse import GradientDescent, load_digits, mlp, sweep, train\n"
        "digits = load_digits()\n"
        "net = mlp((64, 10, 10), rng=np.random.default_rng(0))\n"
        "train(net, *digits[:2], optimizer=GradientDescent(0.1), batch_size=64, steps=2)\n"
        "sweep(lambda seed: seed, [{}], [0])"
    )
    assert not loaded & set(SLOW)

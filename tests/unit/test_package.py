"""The package as a whole: what it exports, what loads when, and examples that run."""

from __future__ import annotations

import inspect

import bncourse


def test_everything_that_is_exported_is_there_and_documented():
    assert len(set(bncourse.__all__)) == len(bncourse.__all__)
    for name in bncourse.__all__:
        assert inspect.getdoc(getattr(bncourse, name)), name


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

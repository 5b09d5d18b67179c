"""The package as a whole: what it exports, what loads when, and examples that run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import bncourse
from bncourse import Adam, BatchNorm, ExponentialMovingAverage, LeakyReLU, Momentum, RMSprop


def test_everything_that_is_exported_is_there_and_documented():
    assert len(set(bncourse.__all__)) == len(bncourse.__all__)
    for name in bncourse.__all__:
        assert inspect.getdoc(getattr(bncourse, name)), name


LIBRARY = [m.name for m in pkgutil.iter_modules(bncourse.__path__) if not m.ispkg]


@pytest.mark.parametrize("name", LIBRARY)
def test_the_examples_of_a_module_run(name):
    module = importlib.import_module(f"bncourse.{name}")
    names = {"np": np} | {k: getattr(bncourse, k) for k in bncourse.__all__}
    failed, _ = doctest.testmod(module, extraglobs=names)
    assert not failed


#: What holds results, and what is only a base.
NO_EXAMPLE = {"BatchNormCache", "Digits", "GradientWalk", "Loss", "Optimizer", "Run", "Statistics"}


def test_each_class_has_an_example():
    kinds = {name: getattr(bncourse, name) for name in set(bncourse.__all__) - NO_EXAMPLE}
    for name, kind in kinds.items():
        assert not inspect.isclass(kind) or ">>>" in kind.__doc__, name


@pytest.mark.parametrize(
    ("make", "defaults"),
    [
        (lambda: BatchNorm(3), {"epsilon": 1e-5, "decay": 0.9, "unbiased": True, "affine": True}),
        (LeakyReLU, {"slope": 0.01}),
        (lambda: Momentum(0.1), {"decay": 0.9}),
        (lambda: RMSprop(0.1), {"decay": 0.9, "epsilon": 1e-8}),
        (Adam, {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}),
        (lambda: ExponentialMovingAverage(0.5), {"bias_correction": True}),
    ],
)
def test_defaults_are_the_documented_ones(make, defaults):
    made = make()
    assert {name: getattr(made, name) for name in defaults} == defaults


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

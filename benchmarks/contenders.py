"""Who takes part: each is built in a process of its own, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from benchmarks.workload import Case

COURSE, TEXTBOOK, PRODUCTS = "bncourse", "textbook NumPy", "matrix products"
FUSED, DEFAULT, COMPILED = "PyTorch, fused Adam", "PyTorch, default Adam", "PyTorch, compiled"
TORCH = (FUSED, DEFAULT, COMPILED)
#: What the package is without one habit, and the function of `benchmarks.habits` that makes it.
HABITS = {
    "without the flat vector": "without_flat_vector",
    "without masks": "without_mask",
    "without the simplified backward pass": "without_simplified_backward",
    "without ones @ a": "without_ones",
}
STEP_CONTENDERS = (COURSE, TEXTBOOK, FUSED, DEFAULT, COMPILED, PRODUCTS)
#: Adam makes no difference to batch norm alone, and matrix products have none.
BN_CONTENDERS = (COURSE, TEXTBOOK, FUSED)

_MODULES = {
    COURSE: "course",
    TEXTBOOK: "textbook",
    PRODUCTS: "products",
    **dict.fromkeys(TORCH, "pytorch"),
    **dict.fromkeys(HABITS, "habits"),
}
_OPTIONS = {DEFAULT: {"fused": False}, COMPILED: {"compiled": True}}


def build(name: str, case: Case) -> Callable[[], object]:
    """Return the function of a contender that does the work of a case once."""
    module = import_module(f"benchmarks.{_MODULES[name]}")
    function = HABITS.get(name, "training_step" if case["kind"] == "step" else "batch_norm")
    run: Callable[[], object] = partial(getattr(module, function), **_OPTIONS.get(name, {}))(case)
    return run

"""The work that every contender does, with the same numbers.

A case is a small dict, so that it can be sent to another process and stored in the results.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Case = dict[str, Any]

EPSILON = 1e-5
DECAY = 0.9
LEARNING_RATE = 1e-3
#: For timing. Thousands of steps on one batch end in numbers too small for their type, with which
#: processors are slow; at this rate the steps do the same arithmetic and the network stays.
STANDSTILL = 1e-9
DTYPES = ("float32", "float64")
COURSE_NET = {"sizes": [64, 100, 100, 100, 10], "batch": 64}
LARGE_NET = {"sizes": [784, 512, 512, 10], "batch": 256}
SHAPES = ((64, 100), (256, 256), (1024, 1024))
BN_PARTS = ("forward", "backward", "both", "evaluate")


class Network(NamedTuple):
    """Initial weights of the hidden layers (no bias: batch norm follows) and of the output.

    Attributes
    ----------
    hidden : list of array, each of shape (n_out, n_in)
    output : array, shape (classes, n_in)
    """

    hidden: list[Array]
    output: Array


def step_case(net: dict[str, Any], dtype: str, rate: float = STANDSTILL) -> Case:
    """Return the case of one training step: forward, loss, backward, Adam."""
    return {"kind": "step", "dtype": dtype, "rate": rate, **net}


def bn_case(part: str, m: int, n: int, dtype: str) -> Case:
    """Return the case of one part of batch norm on a batch of m examples of n units."""
    return {"kind": "bn", "part": part, "m": m, "n": n, "dtype": dtype}


def network(case: Case) -> Network:
    """Draw the initial weights: He's, from a fixed seed."""
    rng = np.random.default_rng(0)
    sizes = case["sizes"]
    weights = [
        rng.normal(0.0, np.sqrt(2.0 / n_in), (n_out, n_in)).astype(case["dtype"])
        for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True)
    ]
    return Network(weights[:-1], weights[-1])


def examples(case: Case) -> tuple[Array, Array]:
    """Draw one mini-batch and its labels from a fixed seed."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(case["batch"], case["sizes"][0])).astype(case["dtype"])
    return x, rng.integers(0, case["sizes"][-1], case["batch"])


def bn_arrays(case: Case) -> tuple[Array, Array, Array, Array]:
    """Draw z, gamma, beta and the gradient of the output from a fixed seed."""
    rng = np.random.default_rng(2)
    m, n = case["m"], case["n"]
    arrays = (
        rng.normal(1.0, 2.0, (m, n)),
        rng.normal(1.0, 0.3, n),
        rng.normal(0.0, 0.3, n),
        rng.normal(size=(m, n)),
    )
    z, gamma, beta, dz_tilde = (array.astype(case["dtype"]) for array in arrays)
    return z, gamma, beta, dz_tilde

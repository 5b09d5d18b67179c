"""The floor: the matrix products of a training step and nothing else.

Forward, one product a layer; backward, one for the gradient of each weight and one for the
gradient of each layer's input but the first. Results go into arrays made beforehand.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.workload import Case, examples, network


def training_step(case: Case) -> Callable[[], object]:
    """Return a function that computes the products of one step."""
    weights = network(case)
    x, _ = examples(case)
    w = [*weights.hidden, weights.output]
    a = [x] + [np.ones((len(x), len(w_l)), x.dtype) for w_l in w]
    dw = [np.empty_like(w_l) for w_l in w]
    da = [np.empty_like(a_l) for a_l in a]

    def step() -> None:
        for layer, w_l in enumerate(w):
            np.matmul(a[layer], w_l.T, out=a[layer + 1])
        for layer in reversed(range(len(w))):
            np.matmul(a[layer + 1].T, a[layer], out=dw[layer])
            if layer:
                np.matmul(a[layer + 1], w[layer], out=da[layer])

    return step

"""The package with one of its four fast habits given up at a time.

Each function returns the training step of `benchmarks.course` with one thing written as
`benchmarks.textbook` writes it. The time that this adds is what the habit saves. Two of them
replace functions of the package, in the process of that contender only.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import numpy as np

from benchmarks import course
from benchmarks.workload import Array, Case
from bncourse import ReLU, normalization
from bncourse.normalization import BatchNormCache

ORIGINALS = [
    inspect.getsource(function)
    for function in (normalization.batch_norm, normalization.batch_norm_backward)
]


def without_flat_vector(case: Case) -> Callable[[], float]:
    """Update one array of parameters after the other, through new arrays."""
    net = course.build(case)
    arrays = [(p, layer.grads[k]) for layer in net.layers for k, p in layer.params.items()]
    v = [np.zeros_like(p) for p, _ in arrays]
    s = [np.zeros_like(p) for p, _ in arrays]
    t = 0

    def update(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        nonlocal t
        t += 1
        for i, (p, dp) in enumerate(arrays):
            v[i] = beta1 * v[i] + (1 - beta1) * dp
            s[i] = beta2 * s[i] + (1 - beta2) * dp**2
            v_corrected = v[i] / (1 - beta1**t)
            s_corrected = s[i] / (1 - beta2**t)
            p[...] = p - case["rate"] * v_corrected / (np.sqrt(s_corrected) + epsilon)

    return course.training_step(case, net, update)


class WhereReLU(ReLU):
    """Choose between z and 0, and between the gradient and 0, by `np.where`."""

    def _forward(self, z: Array, training: bool) -> Array:
        self.z = z
        return np.where(z > 0, z, 0)

    def _backward(self, da: Array) -> Array:
        return np.where(self.z > 0, da, 0)


def without_mask(case: Case) -> Callable[[], float]:
    """Use `WhereReLU`."""
    return course.training_step(case, course.build(case, relu=WhereReLU))


def batch_norm_backward_by_graph(
    dz_tilde: Array, cache: BatchNormCache
) -> tuple[Array, Array, Array]:
    """Go back through the computation graph node by node, as `benchmarks.textbook` does."""
    m = len(dz_tilde)
    std = 1 / cache.inv_std
    z_mu = cache.z_norm * std
    dgamma = (dz_tilde * cache.z_norm).sum(axis=0)
    dbeta = dz_tilde.sum(axis=0)
    dz_norm = dz_tilde * cache.gamma
    dvar = (dz_norm * z_mu).sum(axis=0) * -0.5 / std**3
    dmu = -dz_norm.sum(axis=0) / std + dvar * -2 * z_mu.mean(axis=0)
    return dz_norm / std + dvar * 2 * z_mu / m + dmu / m, dgamma, dbeta


def without_simplified_backward(case: Case) -> Callable[[], float]:
    """Use `batch_norm_backward_by_graph`."""
    normalization._batch_norm_backward = batch_norm_backward_by_graph
    return course.training_step(case)


def without_ones(case: Case) -> Callable[[], float]:
    """Sum over the batch by `sum(axis=0)` in batch norm, and change no other word of it."""
    for original in ORIGINALS:
        source, replaced = re.subn(r"ones @ (\w+)", r"\1.sum(axis=0)", original)
        assert replaced == 2, "the package no longer sums by ones @ a"
        lines = [line for line in source.splitlines() if "np.ones" not in line]
        exec("\n".join(lines), vars(normalization))
    # What the layer calls, past the check of public calls.
    normalization._batch_norm = normalization.batch_norm.__wrapped__
    normalization._batch_norm_backward = normalization.batch_norm_backward.__wrapped__
    return course.training_step(case)

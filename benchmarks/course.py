"""The package of the course, used as `train` and the chapters use it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.workload import (
    DECAY,
    EPSILON,
    Case,
    bn_arrays,
    examples,
    network,
)
from bncourse import Adam, BatchNorm, Dense, Layer, ReLU, Sequential, SoftmaxCrossEntropy


def build(case: Case, relu: type[ReLU] = ReLU) -> Sequential:
    """Return the network of a case, with another ReLU than the package's if asked."""
    weights = network(case)
    dtype = case["dtype"]
    layers: list[Layer] = []
    for w in weights.hidden:
        n_out, n_in = w.shape
        layers += [
            Dense(n_in, n_out, bias=False, dtype=dtype),
            BatchNorm(n_out, EPSILON, DECAY, dtype=dtype),
            relu(),
        ]
    n_out, n_in = weights.output.shape
    net = Sequential([*layers, Dense(n_in, n_out, dtype=dtype)])
    for layer, w in zip(net.layers[::3], [*weights.hidden, weights.output], strict=True):
        layer.params["w"] = w
    return net


def training_step(
    case: Case, net: Sequential | None = None, update: Callable[[], None] | None = None
) -> Callable[[], float]:
    """Return a function that makes one training step and returns the loss before it."""
    trained = build(case) if net is None else net
    x, y = examples(case)
    loss_of = SoftmaxCrossEntropy()
    adam = Adam(case["rate"])

    def step() -> float:
        z = trained.forward(x, training=True)
        loss, dz = loss_of(z, y)
        trained.backward(dz, need_input_gradient=False)
        if update is None:
            adam.step(trained.theta, trained.dtheta)
        else:
            update()
        return loss

    return step


def batch_norm(case: Case) -> Callable[[], object]:
    """Return a function that does one part of batch norm."""
    z, gamma, beta, dz_tilde = bn_arrays(case)
    layer = BatchNorm(case["n"], EPSILON, DECAY, dtype=np.dtype(case["dtype"]))
    layer.params["gamma"] = gamma
    layer.params["beta"] = beta
    layer.forward(z, training=True)
    parts: dict[str, Callable[[], object]] = {
        "forward": lambda: layer.forward(z, training=True),
        "backward": lambda: layer.backward(dz_tilde),
        "both": lambda: (layer.forward(z, training=True), layer.backward(dz_tilde)),
        "evaluate": lambda: layer.forward(z, training=False),
    }
    return parts[case["part"]]

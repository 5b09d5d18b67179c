"""PyTorch on one thread: eager with fused Adam, eager with its default Adam, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.workload import (
    DECAY,
    EPSILON,
    Array,
    Case,
    bn_arrays,
    examples,
    network,
)

torch.set_num_threads(1)


def _parameter(values: Array) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(values.copy()))


def _batch_norm_layer(n: int, dtype: str) -> nn.BatchNorm1d:
    # PyTorch's momentum is the weight of the new value.
    return nn.BatchNorm1d(n, EPSILON, 1 - DECAY, dtype=getattr(torch, dtype))


def training_step(case: Case, fused: bool = True, compiled: bool = False) -> Callable[[], float]:
    """Return a function that makes one training step and returns the loss before it."""
    weights = network(case)
    dtype = getattr(torch, case["dtype"])
    x, y = (torch.from_numpy(array) for array in examples(case))
    layers: list[nn.Module] = []
    for w in weights.hidden:
        dense = nn.Linear(w.shape[1], w.shape[0], bias=False, dtype=dtype)
        dense.weight = _parameter(w)
        layers += [dense, _batch_norm_layer(len(w), case["dtype"]), nn.ReLU()]
    output = nn.Linear(weights.output.shape[1], weights.output.shape[0], dtype=dtype)
    output.weight = _parameter(weights.output)
    nn.init.zeros_(output.bias)
    net = nn.Sequential(*layers, output)
    adam = torch.optim.Adam(net.parameters(), case["rate"], fused=True if fused else None)

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(net(x), y)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step() -> float:
        adam.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        adam.step()
        return float(loss.detach())

    return step


def batch_norm(case: Case, compiled: bool = False) -> Callable[[], object]:
    """Return a function that does one part of batch norm."""
    z, gamma, beta, dz_tilde = bn_arrays(case)
    layer = _batch_norm_layer(case["n"], case["dtype"])
    layer.weight, layer.bias = _parameter(gamma), _parameter(beta)
    call: Callable[[Any], Any] = torch.compile(layer) if compiled else layer
    x, gradient = torch.from_numpy(z).requires_grad_(), torch.from_numpy(dz_tilde)
    sources = [x, layer.weight, layer.bias]
    output = call(x)

    def both() -> object:
        return torch.autograd.grad(call(x), sources, gradient)

    def evaluate() -> object:
        with torch.inference_mode():
            return call(x)

    parts: dict[str, Callable[[], object]] = {
        "forward": lambda: call(x),
        "backward": lambda: torch.autograd.grad(output, sources, gradient, retain_graph=True),
        "both": both,
        "evaluate": evaluate,
    }
    if case["part"] == "evaluate":
        layer.eval()
    return parts[case["part"]]

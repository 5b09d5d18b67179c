"""Batch norm and training as a textbook writes them: correct, clear, and not arranged for speed.

Every formula is one line with new arrays, every array of parameters is updated by itself, the
backward pass of batch norm goes through the computation graph node by node. This is what a good
student hands in, and what the package is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import (
    DECAY,
    EPSILON,
    Array,
    Case,
    bn_arrays,
    examples,
    network,
)


class BatchNorm:
    """Batch norm with running averages."""

    def __init__(self, gamma: Array, beta: Array) -> None:
        self.params = {"gamma": gamma, "beta": beta}
        self.grads: dict[str, Array] = {}
        self.running_mean = np.zeros_like(gamma)
        self.running_var = np.ones_like(gamma)

    def forward(self, z: Array, training: bool) -> Array:
        """Normalise by the batch, or by the running averages."""
        if not training:
            z_norm = (z - self.running_mean) / np.sqrt(self.running_var + EPSILON)
            return self.params["gamma"] * z_norm + self.params["beta"]
        m = z.shape[0]
        mu = z.mean(axis=0)
        var = z.var(axis=0)
        self.z_mu = z - mu
        self.std = np.sqrt(var + EPSILON)
        self.z_norm = self.z_mu / self.std
        self.running_mean = DECAY * self.running_mean + (1 - DECAY) * mu
        self.running_var = DECAY * self.running_var + (1 - DECAY) * var * m / (m - 1)
        return self.params["gamma"] * self.z_norm + self.params["beta"]

    def backward(self, dz_tilde: Array) -> Array:
        """Go back through the graph: z_norm, then the variance, then the mean."""
        m = dz_tilde.shape[0]
        self.grads["gamma"] = (dz_tilde * self.z_norm).sum(axis=0)
        self.grads["beta"] = dz_tilde.sum(axis=0)
        dz_norm = dz_tilde * self.params["gamma"]
        dvar = (dz_norm * self.z_mu).sum(axis=0) * -0.5 / self.std**3
        dmu = -dz_norm.sum(axis=0) / self.std + dvar * -2 * self.z_mu.mean(axis=0)
        return dz_norm / self.std + dvar * 2 * self.z_mu / m + dmu / m


class Dense:
    """Weights, with or without a bias."""

    def __init__(self, w: Array, bias: bool) -> None:
        self.params = {"w": w}
        if bias:
            self.params["b"] = np.zeros(len(w), w.dtype)
        self.grads: dict[str, Array] = {}

    def forward(self, a: Array, training: bool) -> Array:
        """Compute a wᵀ + b."""
        self.a = a
        z = np.dot(a, self.params["w"].T)
        return z + self.params["b"] if "b" in self.params else z

    def backward(self, dz: Array) -> Array:
        """Compute the gradients of w, b and a."""
        self.grads["w"] = np.dot(dz.T, self.a)
        if "b" in self.params:
            self.grads["b"] = dz.sum(axis=0)
        return np.dot(dz, self.params["w"])


class ReLU:
    """The larger of z and 0."""

    def __init__(self) -> None:
        self.params: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}

    def forward(self, z: Array, training: bool) -> Array:
        """Compute max(0, z)."""
        self.z = z
        return np.where(z > 0, z, 0)

    def backward(self, da: Array) -> Array:
        """Pass the gradient where z was positive."""
        return np.where(self.z > 0, da, 0)


class Adam:
    """Adam, one array of parameters after the other."""

    def __init__(self, layers: list[Any], learning_rate: float) -> None:
        self.layers = layers
        self.learning_rate = learning_rate
        self.t = 0
        self.v = [{k: np.zeros_like(p) for k, p in layer.params.items()} for layer in layers]
        self.s = [{k: np.zeros_like(p) for k, p in layer.params.items()} for layer in layers]

    def step(self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        """Make one update."""
        self.t += 1
        for layer, v, s in zip(self.layers, self.v, self.s, strict=True):
            for k, grad in layer.grads.items():
                v[k] = beta1 * v[k] + (1 - beta1) * grad
                s[k] = beta2 * s[k] + (1 - beta2) * grad**2
                v_corrected = v[k] / (1 - beta1**self.t)
                s_corrected = s[k] / (1 - beta2**self.t)
                update = v_corrected / (np.sqrt(s_corrected) + epsilon)
                layer.params[k] = layer.params[k] - self.learning_rate * update


def cross_entropy(z: Array, y: Array) -> tuple[float, Array]:
    """Return the mean cross-entropy of the softmax and its gradient."""
    m = z.shape[0]
    exp = np.exp(z - z.max(axis=1, keepdims=True))
    y_hat = exp / exp.sum(axis=1, keepdims=True)
    one_hot = np.eye(z.shape[1], dtype=z.dtype)[y]
    loss = -np.sum(one_hot * np.log(y_hat)) / m
    return float(loss), (y_hat - one_hot) / m


def training_step(case: Case) -> Callable[[], float]:
    """Return a function that makes one training step and returns the loss before it."""
    weights = network(case)
    x, y = examples(case)
    layers: list[Any] = []
    for w in weights.hidden:
        ones, zeros = np.ones(len(w), w.dtype), np.zeros(len(w), w.dtype)
        layers += [Dense(w, bias=False), BatchNorm(ones, zeros), ReLU()]
    layers.append(Dense(weights.output, bias=True))
    adam = Adam(layers, case["rate"])

    def step() -> float:
        a = x
        for layer in layers:
            a = layer.forward(a, training=True)
        loss, gradient = cross_entropy(a, y)
        for layer in reversed(layers):
            gradient = layer.backward(gradient)
        adam.step()
        return loss

    return step


def batch_norm(case: Case) -> Callable[[], object]:
    """Return a function that does one part of batch norm."""
    z, gamma, beta, dz_tilde = bn_arrays(case)
    layer = BatchNorm(gamma, beta)
    layer.forward(z, training=True)
    parts: dict[str, Callable[[], object]] = {
        "forward": lambda: layer.forward(z, training=True),
        "backward": lambda: layer.backward(dz_tilde),
        "both": lambda: (layer.forward(z, training=True), layer.backward(dz_tilde)),
        "evaluate": lambda: layer.forward(z, training=False),
    }
    return parts[case["part"]]

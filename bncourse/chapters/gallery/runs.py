"""Batch norm with one mistake each, for the bug gallery; a test proves that each is caught.

The gallery asks its readers to find the mistake, so it names none before the answer: it takes
them by number from `case` and prints them with `listing`.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from bncourse.activations import ReLU
from bncourse.arrays import Floats
from bncourse.chapters.common import BATCH_SIZE, SIZES
from bncourse.data import load_digits
from bncourse.layers import Dense
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm, BatchNormCache, batch_norm
from bncourse.optimizers import GradientDescent, Optimizer
from bncourse.training import train

Forward = tuple[Floats, BatchNormCache]
Gradients = tuple[Floats, Floats, Floats]


def minus_epsilon(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Take ε from the variance."""
    mu = z.mean(axis=0)
    var = z.var(axis=0)
    inv_std = 1 / np.sqrt(var - epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


def one_pass_variance(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Compute the variance as the mean square minus the squared mean."""
    mu = z.mean(axis=0)
    var = (z * z).mean(axis=0) - mu * mu
    inv_std = 1 / np.sqrt(var + epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


class TrainsOnOne(BatchNorm):
    """Accept a batch of one example in training, whose unbiased variance is 0/0."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        if not training:
            return super()._forward(z, training)
        z_tilde, self.cache = batch_norm(z, self.gamma, self.beta, self.epsilon)
        m = len(z)
        self._update(self.cache.mean, self.cache.var * m / (m - 1))
        return z_tilde


def stopped_gradient(dz_tilde: Floats, cache: BatchNormCache) -> Gradients:
    """Treat μ and σ² as constants on the way back."""
    dgamma = (dz_tilde * cache.z_norm).sum(axis=0)
    dbeta = dz_tilde.sum(axis=0)
    dz = dz_tilde * cache.gamma * cache.inv_std
    return dz, dgamma, dbeta


def plain_output_norm(sizes: Sequence[int], rng: np.random.Generator) -> Sequential:
    """Normalise the logits, without γ and β."""
    hidden_and_logits = mlp(sizes, ReLU, rng=rng).layers
    return Sequential([*hidden_and_logits, BatchNorm(sizes[-1], affine=False)])


def mean_gradients(dz_tilde: Floats, cache: BatchNormCache) -> Gradients:
    """Average dγ and dβ over the batch, although the loss has done so already."""
    dgamma = (dz_tilde * cache.z_norm).mean(axis=0)
    dbeta = dz_tilde.mean(axis=0)
    dz = cache.gamma * cache.inv_std * (dz_tilde - dbeta - cache.z_norm * dgamma)
    return dz, dgamma, dbeta


def forgotten_gamma(dz_tilde: Floats, cache: BatchNormCache) -> Gradients:
    """Leave γ out of the gradient with respect to z."""
    m = len(dz_tilde)
    dgamma = (dz_tilde * cache.z_norm).sum(axis=0)
    dbeta = dz_tilde.sum(axis=0)
    dz = cache.inv_std * (dz_tilde - dbeta / m - cache.z_norm * dgamma / m)
    return dz, dgamma, dbeta


class NotFrozen(BatchNorm):
    """Use the batch's own statistics in evaluation too."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        z_tilde, self.cache = batch_norm(z, self.gamma, self.beta, self.epsilon)
        if training:
            m = len(z)
            self._update(self.cache.mean, self.cache.var * (m / (m - 1)))
        return z_tilde


class GuessedMode(BatchNorm):
    """Infer the mode from the size of the batch."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        training = len(z) > 1
        return super()._forward(z, training)


class UpdatedInEvaluation(BatchNorm):
    """Let test images change the running statistics."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        if training:
            z_tilde, self.cache = batch_norm(z, self.gamma, self.beta, self.epsilon)
        else:
            z_tilde = super()._forward(z, training)
        self._update(z.mean(axis=0), z.var(axis=0, ddof=1))
        return z_tilde


class SwappedDecay(BatchNorm):
    """Give the new value the weight of the old one."""

    decay: float

    def _update(self, mean: Floats, var: Floats) -> None:
        self.batches_seen += 1
        d = self.decay
        self.running_mean[...] = (1 - d) * self.running_mean + d * mean
        self.running_var[...] = (1 - d) * self.running_var + d * var


class DebiasedFromOne:
    """Start the average at 1, as variances do, and correct it as if it had started at 0."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.v: Floats | float = 1.0

    def update(self, x: Floats | float) -> Floats | float:
        """Take in a value."""
        self.v = self.decay * self.v + (1 - self.decay) * x
        self.steps += 1
        return self.v / (1 - self.decay**self.steps)


class BiasedRunningVariance(BatchNorm):
    """Keep the variance over m where the one over m − 1 is promised."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        if not training:
            return super()._forward(z, training)
        z_tilde, self.cache = batch_norm(z, self.gamma, self.beta, self.epsilon)
        self._update(self.cache.mean, self.cache.var)
        return z_tilde


def fold_without_epsilon(dense: Dense, norm: BatchNorm) -> Dense:
    """Forget ε when batch norm is folded away."""
    scale = norm.gamma / np.sqrt(norm.running_var)
    b = dense.b if dense.bias else 0.0
    n_out, n_in = dense.w.shape
    folded = Dense(n_in, n_out)
    folded.params["w"] = scale[:, np.newaxis] * dense.w
    folded.params["b"] = scale * (b - norm.running_mean) + norm.beta
    return folded


def wrong_axis(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Normalise each example over its units."""
    mu = z.mean(axis=1, keepdims=True)
    var = z.var(axis=1, keepdims=True)
    inv_std = 1 / np.sqrt(var + epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


def epsilon_outside(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Add ε to the standard deviation."""
    mu = z.mean(axis=0)
    var = z.var(axis=0)
    inv_std = 1 / (np.sqrt(var) + epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


def unbiased_batch_variance(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Normalise the batch by the variance over m − 1."""
    mu = z.mean(axis=0)
    var = z.var(axis=0, ddof=1)
    inv_std = 1 / np.sqrt(var + epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


#: The mistakes in the order of the gallery's riddles.
CASES: tuple[Callable[..., Any], ...] = (
    minus_epsilon,
    one_pass_variance,
    TrainsOnOne,
    stopped_gradient,
    plain_output_norm,
    mean_gradients,
    forgotten_gamma,
    NotFrozen,
    GuessedMode,
    UpdatedInEvaluation,
    SwappedDecay,
    DebiasedFromOne,
    BiasedRunningVariance,
    fold_without_epsilon,
    wrong_axis,
    epsilon_outside,
    unbiased_batch_variance,
)


def case(number: int) -> Any:
    """Return the mistake of that riddle, counted from 1."""
    return CASES[number - 1]


class _Bare(ast.NodeTransformer):
    """Take away what would give a riddle away or distract: names, docstrings, annotations."""

    def _body(self, node: Any) -> Any:
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    visit_ClassDef = _body  # noqa: N815

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self._body(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def listing(suspect: Callable[..., Any]) -> str:
    """Return the code of a mistake, called ``suspect``, without docstrings and annotations."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(suspect)))
    tree = ast.fix_missing_locations(_Bare().visit(tree))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    definition.name = "suspect" if isinstance(definition, ast.FunctionDef) else "Suspect"
    return ast.unparse(tree)


def with_backward(backward: Callable[[Floats, BatchNormCache], Gradients]) -> type[BatchNorm]:
    """Return a layer that goes back by that function instead of `batch_norm_backward`."""

    class WithBackward(BatchNorm):
        """Batch norm with another backward pass."""

        def _backward(self, dz: Floats) -> Floats:
            assert self.cache is not None
            dz, self.grads["gamma"], self.grads["beta"] = backward(dz, self.cache)
            return dz

    return WithBackward


def network(kind: type[BatchNorm], rng: np.random.Generator, **options: Any) -> Sequential:
    """Return the book's ReLU network with layers of that kind in the place of `BatchNorm`."""
    return mlp(SIZES, ReLU, partial(kind, **options), rng=rng)


def trained(
    make: Callable[[np.random.Generator], Sequential],
    seed: int = 0,
    *,
    batch_size: int = BATCH_SIZE,
    optimizer: Optimizer | None = None,
) -> tuple[Sequential, float]:
    """Train for 300 steps on the digits, at rate 0.1 unless an optimiser is given.

    Parameters
    ----------
    make : callable
        Returns the network for a generator.
    seed : int
        Of weights and batches.
    batch_size : int
        Examples per batch.
    optimizer : Optimizer, optional
        Instead of gradient descent.

    Returns
    -------
    net : Sequential
    loss : float
        Mean training loss of the last 24 steps, in nats.
    """
    digits = load_digits()
    weights, order = np.random.default_rng(seed).spawn(2)
    net = make(weights)
    history = train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=GradientDescent(0.1) if optimizer is None else optimizer,
        batch_size=batch_size,
        steps=300,
        rng=order,
        drop_last=True,
    )
    return net, float(np.mean(history.loss[-24:]))

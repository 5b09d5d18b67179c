"""Batch norm with one mistake each, for the bug gallery; a test proves that each is caught."""

from __future__ import annotations

import numpy as np

from bncourse._validation import Floats
from bncourse.layers import Dense
from bncourse.normalization import (
    BatchNorm,
    BatchNormCache,
    batch_norm,
    batch_norm_backward,
)
from bncourse.statistics import ExponentialMovingAverage

Forward = tuple[Floats, BatchNormCache]


def _finish(
    z: Floats, mu: Floats, var: Floats, scale: Floats, gamma: Floats, beta: Floats
) -> Forward:
    z_norm = (z - mu) * scale
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, scale, gamma)


def wrong_axis(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Normalise each example over its units."""
    mu = z.mean(axis=1, keepdims=True)
    var = z.var(axis=1, keepdims=True)
    return _finish(z, mu, var, 1 / np.sqrt(var + epsilon), gamma, beta)


def minus_epsilon(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Take ε from the variance."""
    mu, var = z.mean(axis=0), z.var(axis=0)
    return _finish(z, mu, var, 1 / np.sqrt(var - epsilon), gamma, beta)


def epsilon_outside(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Add ε to the standard deviation."""
    mu, var = z.mean(axis=0), z.var(axis=0)
    return _finish(z, mu, var, 1 / (np.sqrt(var) + epsilon), gamma, beta)


def one_pass_variance(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Compute the variance as the mean square minus the squared mean."""
    mu = z.mean(axis=0)
    var = (z * z).mean(axis=0) - mu * mu
    return _finish(z, mu, var, 1 / np.sqrt(var + epsilon), gamma, beta)


def unbiased_batch_variance(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Normalise the batch by the variance over m − 1."""
    mu, var = z.mean(axis=0), z.var(axis=0, ddof=1)
    return _finish(z, mu, var, 1 / np.sqrt(var + epsilon), gamma, beta)


def stopped_gradient(dz_tilde: Floats, cache: BatchNormCache) -> tuple[Floats, Floats, Floats]:
    """Treat μ and σ² as constants on the way back."""
    dgamma = (dz_tilde * cache.z_norm).sum(axis=0)
    dbeta = dz_tilde.sum(axis=0)
    return dz_tilde * cache.gamma * cache.inv_std, dgamma, dbeta


class MeanGradients(BatchNorm):
    """Average dγ and dβ over the batch, although the loss has done so already."""

    def backward(self, dz: Floats) -> Floats:
        """Divide by m once too often."""
        dx = super().backward(dz)
        self.grads["gamma"] /= len(dz)
        self.grads["beta"] /= len(dz)
        return dx


class SwappedDecay(BatchNorm):
    """Give the new value the weight of the old one."""

    def _update(self, mean: Floats, var: Floats) -> None:
        assert self.decay is not None
        self.batches_seen += 1
        self.running_mean[...] = (1 - self.decay) * self.running_mean + self.decay * mean
        self.running_var[...] = (1 - self.decay) * self.running_var + self.decay * var


class BiasedRunningVariance(BatchNorm):
    """Keep the variance over m where the one over m − 1 is promised."""

    def _update(self, mean: Floats, var: Floats) -> None:
        assert self.cache is not None
        super()._update(mean, self.cache.var)


class NotFrozen(BatchNorm):
    """Use the batch's own statistics in evaluation too."""

    def forward(self, z: Floats, training: bool) -> Floats:
        """Ignore the mode."""
        z_tilde, cache = batch_norm(z, *self.scale_and_shift(z.dtype), self.epsilon)
        if training:
            self.cache = cache
            m = len(z)
            self._update(cache.mu, cache.var * (m / (m - 1)))
        return z_tilde


class UpdatedInEvaluation(BatchNorm):
    """Let test images change the running statistics."""

    def forward(self, z: Floats, training: bool) -> Floats:
        """Update in both modes."""
        z_tilde = super().forward(z, training)
        if not training:
            self._update(z.mean(axis=0), z.var(axis=0))
        return z_tilde


class DebiasedFromOne(ExponentialMovingAverage):
    """Start the average at 1, as variances do, and correct it as if it had started at 0."""

    def update(self, x: Floats | float) -> Floats:
        """Put the start's 1 into the first step."""
        first = not self.steps
        super().update(x)
        if first:
            self._v = self._v + self.decay
        return self.value


def fold_without_epsilon(dense: Dense, norm: BatchNorm) -> Dense:
    """Forget ε when batch norm is folded away."""
    gamma, beta = norm.scale_and_shift(dense.params["w"].dtype)
    scale = gamma / np.sqrt(norm.running_var)
    folded = Dense(dense.n_in, dense.n_out, gain=0.0)
    folded.params["w"][...] = scale[:, np.newaxis] * dense.params["w"]
    folded.params["b"][...] = scale * (dense.params.get("b", 0.0) - norm.running_mean) + beta
    return folded


def forgotten_gamma(dz_tilde: Floats, cache: BatchNormCache) -> tuple[Floats, Floats, Floats]:
    """Leave γ out of the gradient with respect to z."""
    plain = cache._replace(gamma=np.ones_like(cache.gamma))
    return batch_norm_backward(dz_tilde, plain)

"""Batch normalization: the mathematics as two pure functions, the bookkeeping as a layer.

`batch_norm` and `batch_norm_backward` are the equations of chapter 2, behind a check of what they
are given.
`BatchNorm` adds what a network needs around them: parameters, running statistics, two modes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from bncourse import _checks as check
from bncourse.arrays import Floats
from bncourse.layers import Dense, Parameters


class BatchNormCache(NamedTuple):
    """What the forward pass found, kept for the backward pass.

    Attributes
    ----------
    z_norm : array, shape (m, n)
        The normalised batch, before γ and β.
    mu, var : array, shape (n,)
        Mean and biased variance of the batch, per unit.
    inv_std : array, shape (n,)
        1 / √(var + ε).
    gamma : array, shape (n,)
        The scale that was applied.
    """

    z_norm: Floats
    mu: Floats
    var: Floats
    inv_std: Floats
    gamma: Floats


def batch_norm(
    z: Floats, gamma: Floats, beta: Floats, epsilon: float
) -> tuple[Floats, BatchNormCache]:
    r"""Normalise each unit over the batch, then scale and shift it.

    .. math::

        \mu = \frac{1}{m}\sum_i z^{(i)}, \quad
        \sigma^2 = \frac{1}{m}\sum_i \left(z^{(i)} - \mu\right)^2, \quad
        z_\text{norm}^{(i)} = \frac{z^{(i)} - \mu}{\sqrt{\sigma^2 + \epsilon}}, \quad
        \tilde z^{(i)} = \gamma\, z_\text{norm}^{(i)} + \beta

    Parameters
    ----------
    z : array, shape (m, n)
        A batch of m examples, one per row. One example is allowed here: its z_norm is 0.
    gamma, beta : array, shape (n,)
        Scale and shift of each unit.
    epsilon : float
        Added to the variance.

    Returns
    -------
    z_tilde : array, shape (m, n)
    cache : BatchNormCache
        For `batch_norm_backward`.

    Raises
    ------
    ValueError, TypeError
        If a shape or a dtype is not as above, or `epsilon` is negative.

    Notes
    -----
    The variance takes a second pass over z − μ. The one-pass form mean(z²) − μ² cancels when
    the mean is large (chapter 2). Source: Ioffe and Szegedy (2015), algorithm 1.
    """
    z, gamma, beta, epsilon = check.batch_norm_arguments(z, gamma, beta, epsilon)
    m = len(z)
    # A product with ones sums down the batch, in float32 more accurately than z.sum(axis=0),
    # which adds one row after the other.
    ones = np.ones(m, z.dtype)
    mu = ones @ z / m
    centred = z - mu
    z_tilde = np.square(centred)
    var = ones @ z_tilde / m
    inv_std = 1.0 / np.sqrt(var + z.dtype.type(epsilon))
    z_norm = np.multiply(centred, inv_std, out=centred)
    np.multiply(z_norm, gamma, out=z_tilde)
    z_tilde += beta
    return z_tilde, BatchNormCache(z_norm, mu, var, inv_std, gamma)


def batch_norm_backward(dz_tilde: Floats, cache: BatchNormCache) -> tuple[Floats, Floats, Floats]:
    r"""Compute the gradients of `batch_norm`, through μ and σ² too, in the simplified form.

    .. math::

        \frac{\partial J}{\partial \beta} = \sum_i d\tilde z^{(i)}, \qquad
        \frac{\partial J}{\partial \gamma} = \sum_i d\tilde z^{(i)} z_\text{norm}^{(i)}

    .. math::

        dz^{(i)} = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}} \left( d\tilde z^{(i)}
          - \frac{1}{m}\frac{\partial J}{\partial \beta}
          - \frac{1}{m} z_\text{norm}^{(i)} \frac{\partial J}{\partial \gamma} \right)

    Parameters
    ----------
    dz_tilde : array, shape (m, n)
        Gradient of the loss with respect to the output.
    cache : BatchNormCache
        From the forward pass.

    Returns
    -------
    dz : array, shape (m, n)
    dgamma, dbeta : array, shape (n,)

    Raises
    ------
    ValueError, TypeError
        If `dz_tilde` is not a float array of the shape of the output, or `cache` is not a cache.

    Notes
    -----
    Chapter 2 derives it on the computation graph. Source: Ioffe and Szegedy (2015), section 3.
    """
    check.instance(cache, BatchNormCache, "cache")
    dz_tilde = check.gradient(dz_tilde, cache.z_norm.shape, "dz_tilde")
    m = len(dz_tilde)
    ones = np.ones(m, dz_tilde.dtype)
    dz = dz_tilde * cache.z_norm
    dgamma = ones @ dz
    dbeta = ones @ dz_tilde
    np.multiply(cache.z_norm, dgamma / m, out=dz)
    np.subtract(dz_tilde, dz, out=dz)
    dz -= dbeta / m
    dz *= cache.gamma * cache.inv_std
    return dz, dgamma, dbeta


class BatchNorm:
    r"""Normalise each unit: over the batch in training, by running statistics in evaluation.

    In training, `batch_norm` with the batch's own mean and biased variance. The running
    statistics then move towards the batch's, by an exponentially weighted average:

    .. math::

        \mu_\text{run} \leftarrow d\,\mu_\text{run} + (1 - d)\,\mu, \qquad
        \sigma^2_\text{run} \leftarrow d\,\sigma^2_\text{run} + (1 - d)\,\frac{m}{m-1}\sigma^2

    In evaluation they are used as constants:

    .. math::

        \tilde z = \gamma \frac{z - \mu_\text{run}}{\sqrt{\sigma^2_\text{run} + \epsilon}} + \beta

    Parameters
    ----------
    n : int
        Number of units.
    epsilon : float
        Added to the variance, at least 0. With 0, a unit that is constant over a batch
        becomes NaN, or ±1 if rounding moves its mean off the constant.
    decay : float or None
        d above: the weight of the *old* value, in [0, 1). None is the cumulative average, in
        which all batches weigh the same. The word *momentum* is not used, because frameworks
        disagree about what it weighs (PyTorch: 1 − d; Keras, Flax and ONNX: d).
    unbiased : bool
        Whether the m/(m−1) variance goes into the running variance. The batch itself is
        always normalised with the biased one.
    dtype : float32 or float64
        Type of the parameters and of the running statistics.
    affine : bool
        Whether there are γ and β. Without them the output is z_norm.

    Attributes
    ----------
    params : Parameters
        ``"gamma"`` and ``"beta"`` of shape (n,), initially 1 and 0.
    grads : Parameters
        The gradients, by the same names and of the same shapes.
    running_mean : array, shape (n,)
        Initially 0.
    running_var : array, shape (n,)
        Initially 1.
    batches_seen : int
        Number of training batches so far.
    cache : BatchNormCache or None
        What the last forward pass in training mode found.

    Raises
    ------
    ValueError
        For an `n` below 1, a negative `epsilon`, a `decay` outside [0, 1) or another dtype.

    Notes
    -----
    Source: Ioffe and Szegedy (2015), arXiv:1502.03167, algorithms 1 and 2.
    """

    def __init__(
        self,
        n: int,
        epsilon: float = 1e-5,
        decay: float | None = 0.9,
        unbiased: bool = True,
        dtype: DTypeLike = np.float64,
        affine: bool = True,
    ) -> None:
        self.n = self.n_in = self.n_out = check.count(n, "n")
        self.epsilon = check.number(epsilon, "epsilon", low=0.0)
        self.decay = None if decay is None else check.number(decay, "decay", low=0.0, high=1.0)
        self.unbiased = check.flag(unbiased, "unbiased")
        self.affine = check.flag(affine, "affine")
        dtype = check.float_dtype(dtype)
        params = {"gamma": np.ones(n, dtype), "beta": np.zeros(n, dtype)} if affine else {}
        self.params = Parameters(params)
        self.grads = Parameters({name: np.zeros_like(p) for name, p in params.items()})
        self.running_mean = np.zeros(n, dtype)
        self.running_var = np.ones(n, dtype)
        self.batches_seen = 0
        self.cache: BatchNormCache | None = None

    def scale_and_shift(self, dtype: DTypeLike) -> tuple[Floats, Floats]:
        """Return γ and β as arrays of shape (n,) and of that dtype; 1 and 0 if not `affine`."""
        dtype = check.float_dtype(dtype)
        if not self.affine:
            return np.ones(self.n, dtype), np.zeros(self.n, dtype)
        return (
            self.params["gamma"].astype(dtype, copy=False),
            self.params["beta"].astype(dtype, copy=False),
        )

    def forward(self, z: Floats, training: bool) -> Floats:
        """Normalise by the batch and update the running statistics, or normalise by those.

        Parameters
        ----------
        z : array, shape (m, n)
            One example per row.
        training : bool
            Which of the two.

        Returns
        -------
        array, shape (m, n), of the dtype of `z`

        Raises
        ------
        ValueError
            If `z` has another shape or dtype, if it holds one example in training (its variance
            is 0, whatever it says), or in evaluation before any training batch.
        TypeError
            If `z` is not an array.
        """
        z, training = check.batch(z, self.n, "z"), check.flag(training, "training")
        gamma, beta = self.scale_and_shift(z.dtype)
        if not training:
            return self._evaluate(z, gamma, beta)
        m = len(z)
        if m == 1:
            raise ValueError(
                "z: expected a batch of at least 2 examples in training, got 1: "
                "over one example the variance is 0 and the output is beta"
            )
        z_tilde, cache = batch_norm(z, gamma, beta, self.epsilon)
        self.cache = cache
        self._update(cache.mu, cache.var * (m / (m - 1)) if self.unbiased else cache.var)
        return z_tilde

    def _update(self, mean: Floats, var: Floats) -> None:
        """Move the running statistics towards those of one batch."""
        self.batches_seen += 1
        decay = 1.0 - 1.0 / self.batches_seen if self.decay is None else self.decay
        for running, new in ((self.running_mean, mean), (self.running_var, var)):
            running *= decay
            running += (1.0 - decay) * new

    def _evaluate(self, z: Floats, gamma: Floats, beta: Floats) -> Floats:
        if self.batches_seen == 0:
            raise ValueError(
                "forward: expected a training batch before evaluation, got none: "
                "the running statistics are still their initial values"
            )
        scale = gamma / np.sqrt(self.running_var + self.epsilon)
        # Subtract first: z * scale + (beta - mean * scale) cancels when the mean is large.
        z_tilde = z - self.running_mean.astype(z.dtype, copy=False)
        z_tilde *= scale.astype(z.dtype, copy=False)
        z_tilde += beta
        return z_tilde

    def backward(self, dz: Floats) -> Floats:
        """Compute the gradients of γ, β and the input for the last training batch.

        Parameters
        ----------
        dz : array, shape (m, n)
            Gradient of the loss with respect to the output z̃.

        Returns
        -------
        array, shape (m, n)
            Gradient of the loss with respect to the input z; see `batch_norm_backward`.

        Raises
        ------
        ValueError
            If no forward pass in training mode came before, or if `dz` has another shape than
            that output, or another dtype than float32 or float64.
        TypeError
            If `dz` is not an array.
        """
        if self.cache is None:
            raise ValueError("backward: expected a forward pass with training=True before it")
        dz = check.gradient(dz, self.cache.z_norm.shape, "dz")
        dz, dgamma, dbeta = batch_norm_backward(dz, self.cache)
        if self.affine:
            self.grads["gamma"][...] = dgamma
            self.grads["beta"][...] = dbeta
        return dz

    def set_statistics(self, mean: Floats, var: Floats) -> None:
        """Replace the running statistics, for example by those of the whole training set.

        Parameters
        ----------
        mean, var : array, shape (n,)
            Mean and variance of each unit; no variance may be negative.

        Raises
        ------
        ValueError, TypeError
            If one of them is not a float array of that shape, or a variance is negative.
        """
        for name, value in (("mean", mean), ("var", var)):
            check.per_unit(value, self.n, name)
        if np.any(var < 0):
            raise ValueError(f"var: expected no negative variance, got {var.min()}")
        self.running_mean[...] = mean
        self.running_var[...] = var
        self.batches_seen = max(self.batches_seen, 1)


def fold(dense: Dense, norm: BatchNorm) -> Dense:
    r"""Merge a `Dense` layer and the `BatchNorm` behind it into one `Dense` for inference.

    In evaluation batch norm is an affine map with constants, so the two are one affine map:

    .. math::

        w' = \operatorname{diag}(s)\,w, \qquad b' = s\,(b - \mu_\text{run}) + \beta, \qquad
        s = \frac{\gamma}{\sqrt{\sigma^2_\text{run} + \epsilon}}

    Parameters
    ----------
    dense : Dense
        With or without bias.
    norm : BatchNorm
        Of the width of the output of `dense`, after at least one training batch.

    Returns
    -------
    Dense
        A new layer with a bias; the given ones are not changed.

    Raises
    ------
    ValueError
        If the widths differ, or `norm` has seen no batch.
    TypeError
        If the arguments are not a `Dense` and a `BatchNorm`.
    """
    if not isinstance(dense, Dense) or not isinstance(norm, BatchNorm):
        raise TypeError(
            "dense, norm: expected a Dense and a BatchNorm, got "
            f"{type(dense).__name__} and {type(norm).__name__}"
        )
    if norm.n != dense.n_out:
        raise ValueError(f"norm: expected {dense.n_out} units, as dense has, got {norm.n}")
    if norm.batches_seen == 0:
        raise ValueError("norm: expected a BatchNorm that has seen a training batch, got none")
    w = dense.params["w"]
    gamma, beta = norm.scale_and_shift(w.dtype)
    scale = gamma / np.sqrt(norm.running_var + norm.epsilon)
    folded = Dense(dense.n_in, dense.n_out, gain=0.0, dtype=w.dtype)
    folded.params["w"][...] = scale[:, np.newaxis] * w
    folded.params["b"][...] = scale * (dense.params.get("b", 0.0) - norm.running_mean) + beta
    return folded

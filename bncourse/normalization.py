"""Batch normalization: the mathematics as two pure functions, the bookkeeping as a layer.

`batch_norm` and `batch_norm_backward` are the equations of chapter 2. `BatchNorm` adds what a
network needs around them: parameters, running statistics, two modes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from bncourse import _checks as check
from bncourse.arrays import Floats
from bncourse.layers import Dense, Layer

F = TypeVar("F", bound=Callable[..., Any])
Gradients = tuple[Floats, Floats, Floats]


def _door(arguments: Callable[..., tuple[Any, ...]]) -> Callable[[F], F]:
    """Let a public call pass a check. Inside a network ``__wrapped__`` is called instead."""

    def put_before(function: F) -> F:
        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return function(*arguments(*args, **kwargs))

        return checked  # type: ignore[return-value]

    return put_before


class BatchNormCache(NamedTuple):
    """What a forward pass found, kept for the backward pass.

    Attributes
    ----------
    z_norm : array, shape (m, n)
        The normalised batch, before γ and β.
    mean, var : array, shape (n,)
        What it was normalised by: μ and the biased σ² of the batch, or the running statistics.
    inv_std : array, shape (n,)
        1 / √(var + ε).
    gamma : array, shape (n,)
        The scale that was applied.
    frozen : bool
        Whether mean and var were constants, as in evaluation, and not those of the batch.
    """

    z_norm: Floats
    mean: Floats
    var: Floats
    inv_std: Floats
    gamma: Floats
    frozen: bool = False


@_door(check.batch_norm_arguments)
def batch_norm(
    z: Floats, gamma: Floats, beta: Floats, epsilon: float
) -> tuple[Floats, BatchNormCache]:
    r"""Normalise each unit over the batch, then scale and shift it.

    .. math::

        \begin{aligned}
        \mu &= \frac{1}{m}\sum_i z^{(i)}, \\
        \sigma^2 &= \frac{1}{m}\sum_i \left(z^{(i)} - \mu\right)^2, \\
        z_\text{norm}^{(i)} &= \frac{z^{(i)} - \mu}{\sqrt{\sigma^2 + \epsilon}}, \\
        \tilde z^{(i)} &= \gamma\, z_\text{norm}^{(i)} + \beta
        \end{aligned}

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

    Examples
    --------
    >>> z = np.array([[1.0], [3.0], [5.0], [7.0]])
    >>> z_tilde, cache = batch_norm(z, np.ones(1), np.zeros(1), epsilon=0.0)
    >>> z_tilde.ravel().round(3)
    array([-1.342, -0.447,  0.447,  1.342])
    """
    m = len(z)
    # A product with ones sums down the batch, in float32 more accurately than z.sum(axis=0),
    # which adds one row after the other.
    ones = np.ones(m, z.dtype)
    mean = ones @ z / m
    centred = z - mean
    work = np.square(centred)
    var = ones @ work / m
    inv_std = 1 / np.sqrt(var + epsilon)
    # `out` saves fresh memory, which for large batches takes longer than the arithmetic.
    z_norm = np.multiply(centred, inv_std, out=centred)
    z_tilde = np.multiply(gamma, z_norm, out=work)
    z_tilde += beta
    return z_tilde, BatchNormCache(z_norm, mean, var, inv_std, gamma.copy())


def _backward_arguments(dz_tilde: object, cache: object) -> tuple[Floats, BatchNormCache]:
    cache = check.instance(cache, BatchNormCache, "cache")
    return check.gradient(dz_tilde, cache.z_norm.shape, "dz_tilde"), cache


@_door(_backward_arguments)
def batch_norm_backward(dz_tilde: Floats, cache: BatchNormCache) -> Gradients:
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
    z_norm, inv_std, gamma = cache.z_norm, cache.inv_std, cache.gamma
    m = len(dz_tilde)
    ones = np.ones(m, dz_tilde.dtype)
    work = dz_tilde * z_norm
    dgamma = ones @ work
    dbeta = ones @ dz_tilde
    # dz = γ / √(σ² + ε) · (dz̃ − dβ/m − z_norm dγ/m), in the memory of `work`.
    work = np.multiply(z_norm, dgamma / m, out=work)
    dz = np.subtract(dz_tilde, work, out=work)
    dz -= dbeta / m
    dz *= gamma * inv_std
    return dz, dgamma, dbeta


_batch_norm: Callable[..., tuple[Floats, BatchNormCache]] = batch_norm.__wrapped__  # type: ignore[attr-defined]
_batch_norm_backward: Callable[..., Gradients] = batch_norm_backward.__wrapped__  # type: ignore[attr-defined]


def _batch_norm_frozen(
    z: Floats, gamma: Floats, beta: Floats, epsilon: float, mean: Floats, var: Floats
) -> tuple[Floats, BatchNormCache]:
    """Normalise by a stored mean and variance: an affine map of each example by itself."""
    inv_std = 1 / np.sqrt(var + epsilon)
    # Subtract first: z * scale + (beta - mean * scale) cancels when the mean is large.
    z_norm = z - mean
    z_norm *= inv_std
    z_tilde = gamma * z_norm
    z_tilde += beta
    return z_tilde, BatchNormCache(z_norm, mean.copy(), var.copy(), inv_std, gamma.copy(), True)


def _batch_norm_frozen_backward(dz_tilde: Floats, cache: BatchNormCache) -> Gradients:
    """Differentiate `_batch_norm_frozen`: no path leads through the mean and the variance."""
    ones = np.ones(len(dz_tilde), dz_tilde.dtype)
    dgamma = ones @ (dz_tilde * cache.z_norm)
    dbeta = ones @ dz_tilde
    dz = dz_tilde * (cache.gamma * cache.inv_std)
    return dz, dgamma, dbeta


class BatchNorm(Layer):
    r"""Normalise each unit: over the batch in training, by running statistics in evaluation.

    In training, `batch_norm` with the batch's own mean and biased variance. The running
    statistics then move towards the batch's, by an exponentially weighted average:

    .. math::

        \begin{aligned}
        \mu_\text{run} &\leftarrow d\,\mu_\text{run} + (1 - d)\,\mu, \\
        \sigma^2_\text{run} &\leftarrow d\,\sigma^2_\text{run} + (1 - d)\,\frac{m}{m-1}\sigma^2
        \end{aligned}

    In evaluation they are used as constants, and so they are on the way back:

    .. math::

        \tilde z = \gamma \frac{z - \mu_\text{run}}{\sqrt{\sigma^2_\text{run} + \epsilon}} + \beta,
        \qquad
        dz = \frac{\gamma}{\sqrt{\sigma^2_\text{run} + \epsilon}}\, d\tilde z

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
        Whether γ and β are parameters. Otherwise they stay 1 and 0, and the output is z_norm.

    Attributes
    ----------
    params : Parameters
        ``"gamma"`` and ``"beta"`` of shape (n,), initially 1 and 0.
    running_mean, running_var : array, shape (n,)
        Initially 0 and 1. Assignment copies into place.
    batches_seen : int
        Number of training batches so far.
    cache : BatchNormCache or None
        What the last forward pass found.

    Raises
    ------
    ValueError
        For an `n` below 1, a negative `epsilon`, a `decay` outside [0, 1) or another dtype; in
        training for one example, whose variance is 0 whatever it says; in evaluation before any
        training batch.

    Notes
    -----
    Source: Ioffe and Szegedy (2015), arXiv:1502.03167, algorithms 1 and 2.

    Examples
    --------
    >>> layer = BatchNorm(1, epsilon=0.0, decay=None)
    >>> z = np.array([[1.0], [3.0], [5.0], [7.0]])
    >>> layer.forward(z, training=True).ravel().round(3)
    array([-1.342, -0.447,  0.447,  1.342])
    >>> layer.running_mean, layer.running_var.round(3)
    (array([4.]), array([6.667]))
    """

    _transient = ("cache",)
    gamma: Floats
    beta: Floats
    running_mean: Floats
    running_var: Floats
    cache: BatchNormCache | None

    def __init__(
        self,
        n: int,
        epsilon: float = 1e-5,
        decay: float | None = 0.9,
        unbiased: bool = True,
        dtype: DTypeLike = np.float64,
        affine: bool = True,
    ) -> None:
        self.n = n = check.count(n, "n")
        self.epsilon = check.number(epsilon, "epsilon", low=0.0)
        self.decay = None if decay is None else check.number(decay, "decay", low=0.0, high=1.0)
        self.unbiased = check.flag(unbiased, "unbiased")
        self.affine = check.flag(affine, "affine")
        dtype = check.float_dtype(dtype)
        scale_and_shift = {"gamma": np.ones(n, dtype), "beta": np.zeros(n, dtype)}
        super().__init__(n, n, **(scale_and_shift if affine else {}))
        vars(self).update({} if affine else scale_and_shift)
        vars(self).update(running_mean=np.zeros(n, dtype), running_var=np.ones(n, dtype))
        self.dtype = dtype
        self.batches_seen = 0
        self.cache = None
        #: Whether evaluation normalises by the batch; see `layer_outputs`.
        self._measured_by_batch = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("running_mean", "running_var"):
            # In place, like parameters, and in the shape that it has.
            vars(self)[name][...] = check.per_unit(value, self.n, name)
        else:
            super().__setattr__(name, value)

    def _forward(self, z: Floats, training: bool) -> Floats:
        m, scale_and_shift = len(z), (self.gamma, self.beta, self.epsilon)
        if training and m == 1:
            raise ValueError(
                "z: expected a batch of at least 2 examples in training, got 1: "
                "over one example the variance is 0 and the output is beta"
            )
        if training or self._measured_by_batch:
            z_tilde, self.cache = _batch_norm(z, *scale_and_shift)
        else:
            if self.batches_seen == 0:
                raise ValueError(
                    "forward: expected a training batch before evaluation, got none: "
                    "the running statistics are still their initial values"
                )
            running = self.running_mean, self.running_var
            z_tilde, self.cache = _batch_norm_frozen(z, *scale_and_shift, *running)
        if training:
            mean, var = self.cache.mean, self.cache.var
            self._update(mean, var * (m / (m - 1)) if self.unbiased else var)
        return z_tilde

    def _update(self, mean: Floats, var: Floats) -> None:
        """Move the running statistics towards those of one batch."""
        self.batches_seen += 1
        d = 1.0 - 1.0 / self.batches_seen if self.decay is None else self.decay
        self.running_mean[...] = d * self.running_mean + (1.0 - d) * mean
        self.running_var[...] = d * self.running_var + (1.0 - d) * var

    def _backward(self, dz: Floats) -> Floats:
        assert self.cache is not None
        backward = _batch_norm_frozen_backward if self.cache.frozen else _batch_norm_backward
        dz, dgamma, dbeta = backward(dz, self.cache)
        if self.affine:
            self.grads["gamma"] = dgamma
            self.grads["beta"] = dbeta
        return dz

    def set_statistics(self, mean: Floats, var: Floats) -> None:
        """Replace the running statistics, for example by those of the whole training set.

        Parameters
        ----------
        mean, var : array, shape (n,)
            Mean and variance of each unit: finite numbers, no variance below 0.

        Raises
        ------
        ValueError, TypeError
            If one of them is another thing; nothing has been changed then.
        """
        mean, var = check.statistics(mean, var, self.n)
        self.running_mean[...] = mean
        self.running_var[...] = var
        self.batches_seen = max(self.batches_seen, 1)


def fold_batch_norm(dense: Dense, norm: BatchNorm) -> Dense:
    r"""Merge a `Dense` layer and the `BatchNorm` after it into one `Dense` for inference.

    In evaluation batch norm is an affine map with constants, so the two are one affine map:

    .. math::

        \begin{aligned}
        w' &= \operatorname{diag}(s)\,w, \\
        b' &= s\,(b - \mu_\text{run}) + \beta, \\
        s &= \frac{\gamma}{\sqrt{\sigma^2_\text{run} + \epsilon}}
        \end{aligned}

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
        If the widths or dtypes differ, or `norm` has seen no batch.
    TypeError
        If the arguments are not a `Dense` and a `BatchNorm`.
    """
    if not isinstance(dense, Dense) or not isinstance(norm, BatchNorm):
        raise TypeError(
            "dense, norm: expected a Dense and a BatchNorm, got "
            f"{type(dense).__name__} and {type(norm).__name__}"
        )
    if (norm.n, norm.dtype) != (dense.n_out, dense.dtype):
        raise ValueError(
            f"norm: expected {dense.n_out} units of {dense.dtype}, as dense has, "
            f"got {norm.n} of {norm.dtype}"
        )
    if norm.batches_seen == 0:
        raise ValueError("norm: expected a BatchNorm that has seen a training batch, got none")
    b = dense.b if dense.bias else 0.0
    scale = norm.gamma / np.sqrt(norm.running_var + norm.epsilon)
    folded = Dense(dense.w.shape[1], norm.n, gain=0.0, dtype=dense.w.dtype)
    folded.params["w"] = scale[:, np.newaxis] * dense.w
    folded.params["b"] = scale * (b - norm.running_mean) + norm.beta
    return folded

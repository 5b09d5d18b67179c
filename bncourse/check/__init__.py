"""Check a function that you wrote: right, or what is wrong with it.

Each call takes your function and returns a `Result`. A mistake is named only where your function
behaves as that mistake does on every plain input; where no name fits, the result says where your
numbers depart from what is right and by how much.

Your function gets arrays of one floating dtype, and Python floats for ε, decay and rate, by
position and in the order given here. It returns arrays of the exact shape and of the dtype of its
input (lists, and lists of lists, will do), and changes nothing that it is given.

It is called some dozens of times on small inputs. What it prints is not shown: to see it, call the
function yourself. There is no time limit: where a call doesn't come back, your function doesn't,
and Ctrl-C (in a notebook, the button that interrupts the kernel) stops it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from bncourse.check.algorithm import BATCH_NORM, BATCH_NORM_BACKWARD, LAYER_NORM
from bncourse.check.bias import EFFECTIVE_RATE, SUBTRACT_MEAN
from bncourse.check.description import describe
from bncourse.check.diagnosis import diagnose
from bncourse.check.inference import (
    EVALUATE,
    FOLD,
    MOVING_AVERAGE,
    RUNNING_STATISTICS,
    TOTAL_STATISTICS,
)
from bncourse.check.intuition import SHAKE
from bncourse.check.minibatches import CROSS_ENTROPY, MINI_BATCHES, TRAINING_LOOP, TRAINING_STEP
from bncourse.check.motivation import STANDARDIZE
from bncourse.check.pieces import Piece
from bncourse.check.result import Hint, Result

__all__ = [
    "Hint",
    "Result",
    "batch_norm",
    "batch_norm_backward",
    "cross_entropy",
    "effective_rate",
    "evaluate",
    "fold",
    "layer_norm",
    "mini_batches",
    "moving_average",
    "running_statistics",
    "shake",
    "standardize",
    "subtract_mean",
    "total_statistics",
    "training_loop",
    "training_step",
]

Function = Callable[..., Any]


def _check(piece: Piece, f: Function, seed: int) -> Result:
    if not callable(f):
        raise TypeError(
            f"f: expected the function itself, without brackets and arguments, "
            f"got {type(f).__name__}"
        )
    # What a wrong function makes of our inputs may well be NaN: no reason to warn or to stop.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = diagnose(piece, f, seed)
        return Result(found.names, describe(found))


def standardize(f: Function, *, seed: int = 0) -> Result:
    """Check a function that puts the inputs on one scale.

    Parameters
    ----------
    f : callable
        ``f(x_train, x_test)`` returns both, with each feature minus its mean over the training
        set and divided by its standard deviation there. A feature that is constant in training
        is centred and not divided.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(STANDARDIZE, f, seed)


def batch_norm(f: Function, *, seed: int = 0) -> Result:
    """Check the forward pass of batch norm.

    Parameters
    ----------
    f : callable
        ``f(z, gamma, beta, epsilon)`` returns z̃ of the shape of `z`, (m, n), for m ≥ 2: a row
        for each example, a column for each unit. γ and β have the shape (n,). ε is added to the
        variance, which is the sum of squares divided by m. Of a tuple the first item counts.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(BATCH_NORM, f, seed)


def batch_norm_backward(f: Function, *, seed: int = 0) -> Result:
    """Check the backward pass of batch norm.

    Parameters
    ----------
    f : callable
        ``f(dz_tilde, z, gamma, epsilon)`` returns ``(dz, dgamma, dbeta)``, of shapes (m, n),
        (n,) and (n,): the gradients through μ and σ² too. `dz_tilde` and `z` are (m, n), γ is
        (n,). The 1/m of a mean loss is in `dz_tilde` already.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(BATCH_NORM_BACKWARD, f, seed)


def layer_norm(f: Function, *, seed: int = 0) -> Result:
    """Check the forward pass of layer norm: each example by its own mean and variance.

    Parameters
    ----------
    f : callable
        ``f(z, gamma, beta, epsilon)`` returns z̃ of the shape of `z`, (m, n), a row for each
        example; γ and β have the shape (n,), one number for each unit. The variance is the sum of
        squares divided by n. Of a tuple the first item counts.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(LAYER_NORM, f, seed)


def running_statistics(f: Function, *, seed: int = 0) -> Result:
    """Check one update of the running statistics.

    Parameters
    ----------
    f : callable
        ``f(running_mean, running_var, z, decay)`` returns the new mean and the new variance, of
        shape (n,), as the old ones; `z` is (m, n). `decay` is the weight of the old value; the
        variance of the batch is the unbiased one, divided by m − 1.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(RUNNING_STATISTICS, f, seed)


def evaluate(f: Function, *, seed: int = 0) -> Result:
    """Check batch norm as it predicts, by stored statistics.

    Parameters
    ----------
    f : callable
        ``f(z, gamma, beta, mean, var, epsilon)`` returns z̃ of the shape of `z`, (m, n), for one
        example as well. The others have the shape (n,); `mean` and `var` are the stored ones. Of a
        tuple the first item counts.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(EVALUATE, f, seed)


def moving_average(f: Function, *, seed: int = 0) -> Result:
    """Check an exponentially weighted average with bias correction.

    Parameters
    ----------
    f : callable
        ``f(values, decay)`` returns the average after each value: `values` is (t,), and so is
        the result. The average starts at 0 and weighs the old value with `decay`; what is given
        out is divided by what the weights add up to so far, 1 − dᵗ after t values.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(MOVING_AVERAGE, f, seed)


def total_statistics(f: Function, *, seed: int = 0) -> Result:
    """Check the mean and the variance of all examples, from those of the batches.

    Parameters
    ----------
    f : callable
        ``f(means, variances, sizes)`` returns the mean and the variance of each unit, of shape
        (n,). `means` and `variances` have a row for each batch, (k, n), the variances divided by
        m; `sizes` are the numbers of examples, (k,). The variance that is returned is the plain
        one as well, divided by the number of all examples.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(TOTAL_STATISTICS, f, seed)


def fold(f: Function, *, seed: int = 0) -> Result:
    """Check batch norm folded into the weights before it.

    Parameters
    ----------
    f : callable
        ``f(w, b, gamma, beta, mean, var, epsilon)`` returns the `w` and `b` of one layer that
        does what the two did in evaluation: first wa + b, then batch norm with the stored `mean`
        and `var`. `w` is (out, in), the others (out,).
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(FOLD, f, seed)


def mini_batches(f: Function, *, seed: int = 0) -> Result:
    """Check a function that deals the examples into mini-batches.

    Parameters
    ----------
    f : callable
        ``f(x, y, batch_size, rng)`` returns or yields pairs ``(x_t, y_t)``: every example once,
        all batches full but the last, in an order that comes from `rng` alone. `x` has a row for
        each example, (m, n), and `y` a label, (m,); `rng` is a ``numpy.random.Generator``.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(MINI_BATCHES, f, seed)


def effective_rate(f: Function, *, seed: int = 0) -> Result:
    """Check the effective rate of weights that batch norm stands behind.

    Parameters
    ----------
    f : callable
        ``f(w, learning_rate)`` returns the rate of each unit, the learning rate over ‖w‖² of its
        row, of shape (out,). `w` is (out, in).
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(EFFECTIVE_RATE, f, seed)


def cross_entropy(f: Function, *, seed: int = 0) -> Result:
    """Check the loss of a classifier, and its gradient.

    Parameters
    ----------
    f : callable
        ``f(logits, labels)`` returns the mean cross-entropy of the softmax and its gradient with
        respect to the logits, right at logits of ±1000 too, whichever the label. `logits` is
        (m, classes), and so is the gradient; `labels` are (m,) whole numbers from 0.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(CROSS_ENTROPY, f, seed)


def training_step(f: Function, *, seed: int = 0) -> Result:
    """Check one step of gradient descent on a network.

    Parameters
    ----------
    f : callable
        ``f(net, x, y, learning_rate)`` makes one pass in training mode, moves ``net.theta`` down
        the gradient once, and returns the loss before the step, the mean cross-entropy of the
        softmax. `net` is a `bncourse.Sequential`: ``net.forward(x, training=True)`` returns the
        logits, ``net.backward(dz)`` takes the gradient of the loss with respect to them and
        fills ``net.dtheta``, the gradient of all parameters ``net.theta``.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(TRAINING_STEP, f, seed)


def training_loop(f: Function, *, seed: int = 0) -> Result:
    """Check a training by mini-batches.

    Parameters
    ----------
    f : callable
        ``f(net, x, y, batch_size, learning_rate, epochs, rng)`` trains `net` by plain gradient
        descent on batches in a new order in every epoch, all full but the last, and returns the
        losses of all steps. The order comes from `rng` alone. `net` has ``net.forward(x,
        training=True)``, ``net.backward(dz)``, ``net.theta`` and ``net.dtheta``, as in
        `training_step`.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `f` can't be called.
    """
    return _check(TRAINING_LOOP, f, seed)


def subtract_mean(cls: Function, *, seed: int = 0) -> Result:
    """Check a layer that subtracts from each unit its mean over the batch.

    Parameters
    ----------
    cls : type
        A `bncourse.Layer`, made by ``cls(n)`` for n units, right forward and backward: it has
        ``_forward(self, x, training)`` and ``_backward(self, dz)``, which return arrays of the
        shape and dtype of `x`, (m, n). In evaluation it does the same.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `cls` can't be called.
    """
    return _check(SUBTRACT_MEAN, cls, seed)


def shake(cls: Function, *, seed: int = 0) -> Result:
    """Check a layer that shifts the units at random.

    Parameters
    ----------
    cls : type
        A `bncourse.Layer`, made by ``cls(n, level, rng)`` for n units. In training it adds to each
        unit one shift, uniform between −level and level, the same for the whole batch and new at
        every step; in evaluation it does nothing, and the gradient passes as it is. You write
        ``_forward(self, x, training)`` and ``_backward(self, dz)``; what they return has the shape
        and the dtype of `x`.
    seed : int
        Of the inputs that are drawn, at least 0.

    Returns
    -------
    Result

    Raises
    ------
    TypeError
        If `cls` can't be called.
    """
    return _check(SHAKE, cls, seed)

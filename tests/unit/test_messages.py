"""Error messages are part of the lesson: each names the argument, what was expected, what came."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    CumulativeAverage,
    Dense,
    ExponentialMovingAverage,
    GradientDescent,
    LeakyReLU,
    MiniBatches,
    Momentum,
    ReLU,
    RMSprop,
    Sequential,
    SoftmaxCrossEntropy,
    batch_norm,
    batch_norm_backward,
    fold_batch_norm,
    initial_weights,
    layer_outputs,
    load_digits,
    mlp,
    population_statistics,
    set_statistics,
    standardize,
    two_features,
    whiten,
)

X, Y, ONE = np.ones((4, 2)), np.zeros(4, int), np.ones(2)


def after_training(layer):
    """Return the layer after a training pass over a batch of shape (4, 2)."""
    layer.forward(X, training=True)
    return layer


def net():
    return mlp((2, 3, 2))


class NeedsAnArgument(ReLU):
    def __init__(self, argument):
        super().__init__()


#: A wrong argument and the name that the message must begin with.
NAMED = {
    "activation, input": (lambda: ReLU().forward(None, training=True), "x"),
    "activation, gradient": (lambda: after_training(ReLU()).backward(None), "dz"),
    "leaky relu, slope": (lambda: LeakyReLU(2.0), "slope"),
    "load_digits, seed": (lambda: load_digits(seed=-1), "seed"),
    "load_digits, standardized": (lambda: load_digits(standardized=1), "standardized"),
    "load_digits, dtype": (lambda: load_digits(dtype=int), "dtype"),
    "standardize, training set": (lambda: standardize(None), "x_train"),
    "standardize, another set": (lambda: standardize(X, None), "x"),
    "activation, mode": (lambda: ReLU().forward(X, training=1), "training"),
    "dense, mode": (lambda: Dense(2, 2).forward(X, training=1), "training"),
    "batch norm, mode": (lambda: BatchNorm(2).forward(X, training=1), "training"),
    "whiten, nan": (
        lambda: whiten(np.array([[1.0, np.nan], [2.0, 3.0]])),
        "the covariance of x_train",
    ),
    "weights, n_out": (lambda: initial_weights(np.random.default_rng(), 0, 2, "he"), "n_out"),
    "weights, n_in": (lambda: initial_weights(np.random.default_rng(), 2, 0, "he"), "n_in"),
    "sequential, no sequence": (lambda: Sequential(5), "layers"),
    "mlp, no sequence": (lambda: mlp(5), "sizes"),
    "mlp, a size": (lambda: mlp((2, 0, 2)), "sizes"),
    "mlp, no function": (lambda: mlp((2, 3, 2), None), "activation"),
    "mlp, no layer": (lambda: mlp((2, 3, 2), int), "activation"),
    "mlp, a layer that needs more": (lambda: mlp((2, 3, 2), NeedsAnArgument), "activation"),
    "mlp, norm": (lambda: mlp((2, 3, 2), norm=1), "norm"),
    "backward of batch norm, cache": (lambda: batch_norm_backward(X, None), "cache"),
    "backward of batch norm, gradient": (
        lambda: batch_norm_backward(None, batch_norm(X, ONE, ONE, 1e-5)[1]),
        "dz_tilde",
    ),
    "ema, ragged": (lambda: CumulativeAverage().update([[1.0], [1.0, 2.0]]), "x"),
    "layer outputs, net": (lambda: layer_outputs(None, X, statistics="batch"), "net"),
    "population statistics, net": (lambda: population_statistics(None, X), "net"),
    "use statistics, net": (lambda: set_statistics(None, []), "net"),
    "use statistics, no sequence": (lambda: set_statistics(net(), None), "statistics"),
    "use statistics, no pair": (lambda: set_statistics(net(), [None]), "statistics: pair"),
    "use statistics, one moment": (lambda: set_statistics(net(), [(ONE,)]), "statistics"),
    "whiten, training set": (lambda: whiten(None), "x_train"),
    "whiten, another set": (lambda: whiten(np.diag(ONE), None), "x_train"),
    "two_features, m": (lambda: two_features(2, 1.0, 0.0, np.random.default_rng()), "m"),
    "two_features, scale": (lambda: two_features(3, 0.0, 0.0, np.random.default_rng()), "scale"),
    "two_features, correlation": (
        lambda: two_features(3, 1.0, 1.0, np.random.default_rng()),
        "correlation",
    ),
    "two_features, generator": (lambda: two_features(3, 1.0, 0.0, 5), "rng"),
    "batches, x": (lambda: MiniBatches(None, Y, 2), "x"),
    "batches, y": (lambda: MiniBatches(X, None, 2), "y"),
    "batches, size": (lambda: MiniBatches(X, Y, 0), "batch_size"),
    "batches, large size": (lambda: MiniBatches(X, Y, 5), "batch_size"),
    "batches, generator": (lambda: MiniBatches(X, Y, 2, 5), "rng"),
    "batches, shuffle": (lambda: MiniBatches(X, Y, 2, shuffle=1), "shuffle"),
    "batches, drop_last": (lambda: MiniBatches(X, Y, 2, drop_last=1), "drop_last"),
    "dense, n_in": (lambda: Dense(0, 2), "n_in"),
    "dense, n_out": (lambda: Dense(2, 0), "n_out"),
    "dense, bias": (lambda: Dense(2, 2, 1), "bias"),
    "dense, gain": (lambda: Dense(2, 2, gain=-1), "gain"),
    "dense, init": (lambda: Dense(2, 2, init="zeros"), "init"),
    "dense, input": (lambda: Dense(2, 2).forward(None, training=True), "x"),
    "dense, gradient": (lambda: after_training(Dense(2, 2)).backward(None), "dz"),
    "loss, logits": (lambda: SoftmaxCrossEntropy()(None, Y), "z"),
    "loss, labels": (lambda: SoftmaxCrossEntropy()(X, None), "y"),
    "batch norm, n": (lambda: BatchNorm(0), "n"),
    "batch norm, epsilon": (lambda: BatchNorm(2, epsilon=-1), "epsilon"),
    "batch norm, decay": (lambda: BatchNorm(2, decay=1), "decay"),
    "batch norm, unbiased": (lambda: BatchNorm(2, unbiased=1), "unbiased"),
    "batch norm, affine": (lambda: BatchNorm(2, affine=1), "affine"),
    "batch norm, input": (lambda: BatchNorm(2).forward(None, training=True), "x"),
    "batch norm, gradient": (lambda: after_training(BatchNorm(2)).backward(None), "dz"),
    "batch norm, mean": (lambda: BatchNorm(2).set_statistics(None, ONE), "mean"),
    "batch norm, variance": (lambda: BatchNorm(2).set_statistics(ONE, None), "var"),
    "batch norm, width of the mean": (
        lambda: BatchNorm(2).set_statistics(np.ones(3), ONE),
        "mean",
    ),
    "fold_batch_norm, width": (
        lambda: fold_batch_norm(Dense(2, 3), after_training(BatchNorm(2))),
        "norm",
    ),
    "optimizer, theta": (lambda: GradientDescent(0.1).step(None, ONE), "theta"),
    "optimizer, gradient": (lambda: GradientDescent(0.1).step(ONE, None), "dtheta"),
    "optimizer, rate": (lambda: GradientDescent(0), "learning_rate"),
    "momentum, decay": (lambda: Momentum(0.1, 1), "decay"),
    "rmsprop, epsilon": (lambda: RMSprop(0.1, epsilon=0), "epsilon"),
    "ema, decay": (lambda: ExponentialMovingAverage(1), "decay"),
    "ema, bias correction": (lambda: ExponentialMovingAverage(0.5, 1), "bias_correction"),
    "ema, value": (lambda: ExponentialMovingAverage(0.5).update("a"), "x"),
    "layer outputs, words": (lambda: layer_outputs(net(), X, statistics="train"), "statistics"),
    "layer outputs, batch norm first": (
        lambda: layer_outputs(Sequential([BatchNorm(2)]), None, statistics="batch"),
        "x",
    ),
    "population statistics, x": (lambda: population_statistics(net(), None), "x"),
    "population statistics, size": (lambda: population_statistics(net(), X, 1), "batch_size"),
    "use statistics, number": (lambda: set_statistics(net(), []), "statistics"),
    "mlp, place": (lambda: mlp((2, 3, 2), norm_position="b"), "norm_position"),
    "mlp, sizes": (lambda: mlp((2,)), "sizes"),
    "sequential": (lambda: Sequential([]), "layers"),
}


@pytest.mark.parametrize(("call", "name"), NAMED.values(), ids=NAMED.keys())
def test_the_message_begins_with_the_argument_and_what_was_expected(call, name):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert str(caught.value).startswith(f"{name}: expected ")


def test_a_data_set_of_another_width_is_named_too():
    orthogonal = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    for function in (standardize, whiten):
        with pytest.raises(TypeError) as caught:
            function(orthogonal, None)
        assert str(caught.value).startswith("x: expected ")
    with pytest.raises(ValueError) as wide:
        layer_outputs(Sequential([BatchNorm(2)]), np.ones((4, 3)), statistics="batch")
    assert str(wide.value).startswith("x: expected shape (m, 2)")


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


def mixed_dtypes():
    return Sequential([Dense(2, 3), BatchNorm(3, dtype=np.float32)])


def shared_layer():
    dense = Dense(2, 2)
    return Sequential([dense, dense])


def another_vector():
    optimizer = GradientDescent(0.1)
    optimizer.step(ONE.copy(), ONE)
    optimizer.step(np.ones(3), np.ones(3))


def growing_average():
    average = CumulativeAverage()
    average.update(1.0)
    average.update(ONE)


BEFORE_BACKWARD = "backward: expected a forward pass before it, got none"
#: A mistake, and everything that is said about it.
WHOLE = {
    "backward first, activation": (lambda: ReLU().backward(X), BEFORE_BACKWARD),
    "backward first, dense": (lambda: Dense(2, 2).backward(X), BEFORE_BACKWARD),
    "backward first, batch norm": (lambda: BatchNorm(2).backward(X), BEFORE_BACKWARD),
    "a deleted parameter": (
        lambda: Dense(2, 2).params.__delitem__("w"),
        "Dense.params['w']: expected to be kept, got del",
    ),
    "a removed parameter": (
        lambda: Dense(2, 2).params.pop("w"),
        "Dense.params['w']: expected to be kept, got del",
    ),
    "a replaced parameter": (
        lambda: Dense(2, 2).params.__setitem__("w", X),
        "Dense.params['w']: expected real numbers of shape (2, 2), got an array of shape (4, 2) "
        "and dtype float64",
    ),
    "a replaced theta": (
        lambda: setattr(net(), "theta", ONE),
        "Sequential.params['theta']: expected real numbers of shape (20,), got an array of shape "
        "(2,) and dtype float64",
    ),
    "no layers": (lambda: Sequential([]), "layers: expected at least one layer, got none"),
    "no layer": (
        lambda: Sequential([5]),
        "layers[0] (int): expected a Layer, got 5",
    ),
    "a shared layer": (
        shared_layer,
        "layers[1] (Dense): expected each layer once, got one twice: write a copy",
    ),
    "a width": (
        lambda: Sequential([Dense(2, 3), Dense(4, 1)]),
        "layers[1] (Dense): expected an input width of 3, got 4",
    ),
    "two dtypes": (
        mixed_dtypes,
        "layers: expected parameters of one dtype, got float64 in layers[0] (Dense), "
        "float32 in layers[1] (BatchNorm)",
    ),
    "one size": (
        lambda: mlp((6,)),
        "sizes: expected at least an input and an output width, got (6,)",
    ),
    "one example": (
        lambda: BatchNorm(2).forward(X[:1], training=True),
        "z: expected a batch of at least 2 examples in training, got 1: "
        "over one example the variance is 0 and the output is beta",
    ),
    "evaluation first": (
        lambda: BatchNorm(2).forward(X, training=False),
        "forward: expected a training batch before evaluation, got none: "
        "the running statistics are still their initial values",
    ),
    "a negative variance": (
        lambda: BatchNorm(2).set_statistics(ONE, np.array([1.0, -2.0])),
        "var: expected no negative variance, got -2.0",
    ),
    "fold_batch_norm, kinds": (
        lambda: fold_batch_norm(ReLU(), Dense(2, 2)),
        "dense, norm: expected a Dense and a BatchNorm, got ReLU and Dense",
    ),
    "fold_batch_norm, widths": (
        lambda: fold_batch_norm(Dense(2, 3), BatchNorm(2)),
        "norm: expected 3 units of float64, as dense has, got 2 of float64",
    ),
    "fold_batch_norm, unseen": (
        lambda: fold_batch_norm(Dense(2, 2), BatchNorm(2)),
        "norm: expected a BatchNorm that has seen a training batch, got none",
    ),
    "a large batch": (
        lambda: MiniBatches(X, Y, 5),
        "batch_size: expected at most the 4 examples, got 5",
    ),
    "a large batch for statistics": (
        lambda: population_statistics(net(), X, 5),
        "batch_size: expected at most the 4 examples, got 5",
    ),
    "a read-only theta": (
        lambda: GradientDescent(0.1).step(read_only(), ONE),
        "theta: expected an array that can be written, got a read-only one",
    ),
    "another theta": (
        another_vector,
        "theta: expected shape (2,) and dtype float64, as in the step before with this optimizer, "
        "got shape (3,) and dtype float64",
    ),
    "another gradient": (
        lambda: GradientDescent(0.1).step(ONE, np.ones(3, np.float32)),
        "dtheta: expected shape (2,) and dtype float64, as theta has, got shape (3,) and dtype "
        "float32",
    ),
    "too few statistics": (
        lambda: set_statistics(net(), []),
        "statistics: expected one for each of 1 batch-norm layers, got 0",
    ),
    "one moment": (
        lambda: set_statistics(net(), [(1.0,)]),
        "statistics: expected a mean and a variance, got (1.0,)",
    ),
    "no value yet": (
        lambda: ExponentialMovingAverage(0.5).value,
        "value: expected at least one update before it, got none",
    ),
    "text to average": (
        lambda: CumulativeAverage().update("a"),
        "x: expected real numbers, got str of dtype <U1",
    ),
    "another shape to average": (growing_average, "x: expected shape (), as before, got (2,)"),
}


@pytest.mark.parametrize(("call", "message"), WHOLE.values(), ids=WHOLE.keys())
def test_the_whole_message(call, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert str(caught.value) == message


def test_the_arguments_of_batch_norm_are_named():
    for arguments, name in (
        ((None, ONE, ONE, 1e-5), "z"),
        ((X, None, ONE, 1e-5), "gamma"),
        ((X, ONE, None, 1e-5), "beta"),
        ((X, ONE, ONE, -1.0), "epsilon"),
    ):
        with pytest.raises((ValueError, TypeError)) as caught:
            batch_norm(*arguments)
        assert str(caught.value).startswith(f"{name}: expected ")

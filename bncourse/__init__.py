"""bncourse: batch normalization in plain NumPy, to be read beside the course.

Importing it imports NumPy only. What draws (`bncourse.display`) and what belongs to one chapter
(`bncourse.chapters`) is imported by its own name, and loads matplotlib.
"""

from __future__ import annotations

from bncourse.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from bncourse.averages import CumulativeAverage, ExponentialMovingAverage
from bncourse.data import (
    Digits,
    MiniBatches,
    load_digits,
    load_mnist1d,
    standardize,
    two_features,
    whiten,
)
from bncourse.gradient_check import gradient_check, gradient_errors
from bncourse.landscape import (
    GradientWalk,
    condition_number,
    gauss_newton_spectrum,
    gram_spectrum,
    loss_and_gradient,
    max_over_median,
    walk_along_gradient,
)
from bncourse.layers import Dense, Layer, Parameters, initial_weights
from bncourse.losses import Loss, SoftmaxCrossEntropy
from bncourse.network import Residual, Sequential, mlp
from bncourse.normalization import (
    BatchNorm,
    BatchNormCache,
    batch_norm,
    batch_norm_backward,
    fold_batch_norm,
)
from bncourse.optimizers import Adam, GradientDescent, Momentum, Optimizer, RMSprop
from bncourse.statistics import (
    Statistics,
    layer_outputs,
    population_statistics,
    preserve_statistics,
    set_statistics,
)
from bncourse.sweeps import Run, SweepResult, sweep
from bncourse.training import History, accuracy, train

__version__ = "2.0.0"

__all__ = [
    "Adam",
    "BatchNorm",
    "BatchNormCache",
    "CumulativeAverage",
    "Dense",
    "Digits",
    "ExponentialMovingAverage",
    "GradientDescent",
    "GradientWalk",
    "History",
    "Layer",
    "LeakyReLU",
    "Loss",
    "MiniBatches",
    "Momentum",
    "Optimizer",
    "Parameters",
    "RMSprop",
    "ReLU",
    "Residual",
    "Run",
    "Sequential",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Statistics",
    "SweepResult",
    "Tanh",
    "accuracy",
    "batch_norm",
    "batch_norm_backward",
    "condition_number",
    "fold_batch_norm",
    "gauss_newton_spectrum",
    "gradient_check",
    "gradient_errors",
    "gram_spectrum",
    "initial_weights",
    "layer_outputs",
    "load_digits",
    "load_mnist1d",
    "loss_and_gradient",
    "max_over_median",
    "mlp",
    "population_statistics",
    "preserve_statistics",
    "set_statistics",
    "standardize",
    "sweep",
    "train",
    "two_features",
    "walk_along_gradient",
    "whiten",
]

"""The explorables of the book: figures that the reader moves, one module a chapter."""

from bncourse.explore.algorithm import batch_norm_calculator, float32_cliff, sigmoid_window
from bncourse.explore.bias import effective_rate, ghost_bias
from bncourse.explore.intuition import depth_profile, landscape_walk, noisy_batch_norm
from bncourse.explore.minibatches import batch_mates
from bncourse.explore.motivation import contour_bowl, rate_and_gain
from bncourse.explore.test_time import ema_lab

__all__ = [
    "batch_mates",
    "batch_norm_calculator",
    "contour_bowl",
    "depth_profile",
    "effective_rate",
    "ema_lab",
    "float32_cliff",
    "ghost_bias",
    "landscape_walk",
    "noisy_batch_norm",
    "rate_and_gain",
    "sigmoid_window",
]

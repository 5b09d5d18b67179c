"""Chapter 4: what a mini-batch does to statistics, examples and the loss."""

from bncourse.chapters.minibatches import explore, figures, runs

__all__ = ["explore", "figures", "runs"]

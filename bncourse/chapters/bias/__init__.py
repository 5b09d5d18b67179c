"""Chapter 3: the bias that β replaces, and the scale of the weights."""

from bncourse.chapters.bias import explore, figures, runs

__all__ = ["explore", "figures", "runs"]

"""Chapter 6: prediction, running averages, and the conventions of frameworks."""

from bncourse.chapters.inference import conventions, explore, figures, runs

__all__ = ["conventions", "explore", "figures", "runs"]

"""Chapter 1: why inputs and hidden units are normalised, and what it gains."""

from bncourse.chapters.motivation import explore, figures, runs

__all__ = ["explore", "figures", "runs"]

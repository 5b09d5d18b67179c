"""Chapter 5: three reasons why batch norm works, their rivals, and depth."""

from bncourse.chapters.intuition import explore, figures, runs

__all__ = ["explore", "figures", "runs"]

"""Chapter 5: three reasons why batch norm works, their rivals, and depth."""

from bncourse.chapters.intuition import explore, figures, landscape, runs, shaking

__all__ = ["explore", "figures", "landscape", "runs", "shaking"]

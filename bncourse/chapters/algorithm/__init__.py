"""Chapter 2: the four equations, what γ and β are for, the backward pass, float32."""

from bncourse.chapters.algorithm import explore, figures, runs

__all__ = ["explore", "figures", "runs"]

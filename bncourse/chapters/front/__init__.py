"""The front of the book: what a stranger sees first."""

from bncourse.chapters.front import explore, runs

__all__ = ["explore", "runs"]

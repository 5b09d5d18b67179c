"""Does it hold elsewhere? The book's sentences on a second data set."""

from bncourse.chapters.elsewhere import figures, runs

__all__ = ["figures", "runs"]

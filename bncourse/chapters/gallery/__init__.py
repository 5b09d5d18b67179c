"""The bug gallery: batch norm with one mistake each."""

from bncourse.chapters.gallery import runs

__all__ = ["runs"]

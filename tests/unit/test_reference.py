"""The index finds a term as the text writes it, and the pages of the course by their numbers."""

from __future__ import annotations

import pytest

from ..loading import load

reference = load("reference", "_ext")


@pytest.mark.parametrize(
    ("term", "text", "times"),
    [
        ("ghost batch", "Ghost batches and a ghost-batch.", 2),
        ("layer normalization", "layer norm, Layer normalisation, layers", 2),
        ("Bessel's correction", "Bessel’s\n  correction", 1),
        ("window", "windowed", 0),
    ],
)
def test_a_term_is_found_as_the_text_writes_it(term, text, times):
    assert len(reference._said(term).findall(reference._plain(text))) == times


@pytest.mark.parametrize(
    ("page", "number"),
    [("book/06-2-fold", "6.2"), ("book/04-mini-batches", "4"), ("book/glossary", "")],
)
def test_pages_of_the_course_have_numbers(page, number):
    assert reference.place(page) == number

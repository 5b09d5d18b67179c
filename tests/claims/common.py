"""The seeds of the reference assertions: those of the book, and two more triples.

`make test` asks with the book's seeds, `make claims` with all three.
"""

from __future__ import annotations

import numpy as np
import pytest

TRIPLES = [
    pytest.param((0, 1, 2), id="book"),
    pytest.param((3, 4, 5), id="second", marks=pytest.mark.seeds),
    pytest.param((6, 7, 8), id="third", marks=pytest.mark.seeds),
]
#: What is stored costs nothing.
each_stored_triple = pytest.mark.parametrize("seeds", [triple.values[0] for triple in TRIPLES])
each_triple = pytest.mark.parametrize("seeds", TRIPLES)


def median(values):
    return float(np.median(list(values)))

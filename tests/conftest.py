"""What the tests share."""

from __future__ import annotations

import os

# The matrices are small: more threads only get in each other's way, here by a factor of five.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pytest
from hypothesis import settings

from bncourse import Digits, load_digits

# The same examples on every machine and in every run, so that a red test stays red, and no file
# is written. `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("book", derandomize=True, deadline=None, database=None, max_examples=50)
settings.register_profile("search", deadline=None, database=None, max_examples=2000)
settings.load_profile("book")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1234)


@pytest.fixture(scope="session")
def digits() -> Digits:
    split = load_digits()
    for array in split:
        array.flags.writeable = False
    return split

"""What the tests share."""

from __future__ import annotations

import os

# The matrices are small: more threads only get in each other's way, here by a factor of five.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pytest

from bncourse import Digits, load_digits


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1234)


@pytest.fixture(scope="session")
def digits() -> Digits:
    split = load_digits()
    for array in split:
        array.flags.writeable = False
    return split

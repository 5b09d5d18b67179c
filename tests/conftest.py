"""What the tests share."""

from __future__ import annotations

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

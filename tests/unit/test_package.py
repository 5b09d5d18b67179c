"""The package as a whole: what it exports, and bases not used alone."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import bncourse
from bncourse.activations import _Activation


def test_everything_that_is_exported_is_there_and_documented():
    assert len(set(bncourse.__all__)) == len(bncourse.__all__)
    for name in bncourse.__all__:
        assert inspect.getdoc(getattr(bncourse, name)), name


def test_an_activation_must_say_what_it_computes():
    z = np.ones((2, 2))
    with pytest.raises(NotImplementedError):
        _Activation().forward(z, False)
    with pytest.raises(NotImplementedError):
        _Activation()._differentiate(z, z)

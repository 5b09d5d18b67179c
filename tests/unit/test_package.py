"""The package as a whole: what it exports, what loads when, and bases not used alone."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

import bncourse
from bncourse.activations import _Activation


def test_everything_that_is_exported_is_there_and_documented():
    assert len(set(bncourse.__all__)) == len(bncourse.__all__)
    for name in bncourse.__all__:
        assert inspect.getdoc(getattr(bncourse, name)), name


@pytest.mark.parametrize("name", bncourse._LAZY)
def test_what_draws_is_loaded_when_it_is_first_used(name):
    code = (
        f"import sys, bncourse; assert 'bncourse.{name}' not in sys.modules; "
        f"bncourse.{name}; assert 'bncourse.{name}' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert getattr(bncourse, name).__name__ == f"bncourse.{name}"


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="module 'bncourse' has no attribute 'torch'"):
        bncourse.torch  # noqa: B018


def test_an_activation_must_say_what_it_computes():
    z = np.ones((2, 2))
    with pytest.raises(NotImplementedError):
        _Activation().forward(z, False)
    with pytest.raises(NotImplementedError):
        _Activation()._differentiate(z, z)

"""The package as a whole: what it exports."""

from __future__ import annotations

import inspect

import pytest

import bncourse


@pytest.mark.parametrize("name", bncourse.__all__)
def test_everything_that_is_exported_is_there_and_documented(name):
    assert inspect.getdoc(getattr(bncourse, name)), name

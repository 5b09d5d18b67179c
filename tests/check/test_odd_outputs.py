"""Whatever comes out, the checker says something of it and never calls it right."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bncourse import check
from bncourse.check.diagnosis import registered

ARRAYS_ONLY = [
    "batch_norm",
    "batch_norm_backward",
    "cross_entropy",
    "effective_rate",
    "evaluate",
    "fold",
    "layer_norm",
    "moving_average",
    "running_statistics",
    "standardize",
    "total_statistics",
]
ODD = {
    "zeros": np.zeros_like,
    "NaN": lambda a: np.full(np.shape(a), np.nan),
    "infinity": lambda a: np.full(np.shape(a), np.inf),
    "a number": lambda a: float(np.sum(a)) + 0.1,
    "one axis more": lambda a: np.asarray(a)[..., None],
    "negative": lambda a: -np.asarray(a),
    "squares": lambda a: 1.1 * np.asarray(a) ** 2,
    "shifted": lambda a: np.asarray(a) + 0.1,
    "empty": lambda a: np.ravel(a)[:0],
    "imaginary": lambda a: np.asarray(a) * 1j,
    "truth values": lambda a: np.asarray(a) > 0,
    "whole numbers": lambda a: np.asarray(a).astype(int),
    "text": str,
    "nothing": lambda a: None,
    "objects": lambda a: np.asarray(a).astype(object),
}


@pytest.mark.parametrize("call", ARRAYS_ONLY)
def test_odd_outputs_get_a_whole_message(call):
    piece = registered(call)
    count = len(piece.outputs)
    for odd, turned in itertools.product(ODD.values(), range(count + 1)):

        def f(*arguments, odd=odd, turned=turned):
            right = piece.reference(*arguments)
            if count == 1:
                return odd(right)
            return tuple(
                odd(value) if turned in (i, count) else value for i, value in enumerate(right)
            )

        result = getattr(check, call)(f)
        assert not result.correct
        assert result.message.startswith("Wrong (")
        assert "array(" not in result.message
        assert len({repr(result.hint()) for _ in range(3)}) == 3
        assert result._repr_html_().startswith("<div")

"""Wrong values, by the kind of parameter that they are wrong for.

Each is a function that makes the value, because generators and arrays must be new every time, and
the error that it must end in.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from bncourse import Adam, BatchNorm, Dense, ReLU, Sequential, SoftmaxCrossEntropy, mlp

Bad = dict[str, tuple[Callable[[], Any], type[Exception]]]


def failing(error: type[Exception], **values: Any) -> Bad:
    return {
        label.strip("_").replace("_", " "): (lambda v=v: v, error) for label, v in values.items()
    }


def without(values: Bad, *labels: str) -> Bad:
    return {label: bad for label, bad in values.items() if label not in labels}


class Unknown:
    def __repr__(self) -> str:
        return "an unknown thing"


# Arrays

NOT_ARRAYS: Bad = {
    **failing(TypeError, None_=None, text="text", an_integer=3, a_float=1.5, a_flag=True),
    **failing(TypeError, a_list=[[1.0] * 4] * 6, a_tuple=((1.0,) * 4,) * 6, a_thing=Unknown()),
    "a generator": (lambda: ([1.0] * 4 for _ in range(6)), TypeError),
    "a dict": (lambda: {0: 1.0}, TypeError),
    "a NumPy scalar": (lambda: np.float64(1.0), TypeError),
}


def of_another_dtype(shape: tuple[int, ...]) -> Bad:
    """Arrays of the right shape and of a wrong kind."""
    dtypes = {
        "integers": int,
        "small integers": np.uint8,
        "booleans": bool,
        "complex": complex,
        "objects": object,
        "float16": np.float16,
        "words": "U3",
        "dates": "datetime64[s]",
        "records": [("a", float)],
        "foreign byte order": np.dtype(float).newbyteorder(),
    }
    if np.dtype(np.longdouble) != np.dtype(np.float64):
        dtypes["long doubles"] = np.longdouble
    bad: Bad = {
        label: (lambda d=dtype: np.zeros(shape, d), ValueError) for label, dtype in dtypes.items()
    }
    bad["masked"] = (lambda: np.ma.masked_array(np.ones(shape), np.zeros(shape)), TypeError)
    if len(shape) == 2:
        bad["a matrix"] = (lambda: np.ones(shape).view(np.matrix), TypeError)
    return bad


def of_another_shape(shape: tuple[int, ...]) -> Bad:
    """Float arrays with a wrong number of dimensions, or empty."""
    shapes = {"0-d": (), "1-d": (4,), "2-d": (6, 4), "3-d": (6, 4, 1), "4-d": (1, 6, 4, 1)}
    bad: Bad = {
        label: (lambda s=s: np.ones(s), ValueError)
        for label, s in shapes.items()
        if len(s) != len(shape)
    }
    bad["empty"] = (lambda: np.ones((0, *shape[1:])), ValueError)
    return bad


def arrays(*shape: int) -> Bad:
    return {**NOT_ARRAYS, **of_another_dtype(shape), **of_another_shape(shape)}


def batches(width: int | None = None) -> Bad:
    bad = arrays(6, 4 if width is None else width)
    bad["no columns"] = (lambda: np.ones((6, 0)), ValueError)
    if width is not None:
        bad["too wide"] = (lambda: np.ones((6, width + 1)), ValueError)
        bad["transposed"] = (lambda: np.ones((width, 6)), ValueError)
    return bad


def exactly(*shape: int) -> Bad:
    """For arrays whose whole shape is known."""
    bad = arrays(*shape)
    bad["one row too many"] = (lambda: np.ones((shape[0] + 1, *shape[1:])), ValueError)
    bad["a row only"] = (lambda: np.ones((1, *shape[1:])), ValueError)
    return bad


def not_finite() -> Bad:
    values = {"NaN": np.nan, "infinite": np.inf, "minus infinite": -np.inf}
    return {k: (lambda v=v: np.array([1.0, 1.0, v, 1.0]), ValueError) for k, v in values.items()}


MEANS: Bad = {**exactly(4), **not_finite()}
VARIANCES: Bad = {**MEANS, "negative": (lambda: np.array([1.0, 1.0, -1e-9, 1.0]), ValueError)}
STEPS: Bad = {
    **arrays(4),
    **{
        label: (lambda v=v: np.array([1.0, v]), ValueError)
        for label, v in {"zero": 0.0, "below 0": -1.0, "NaN": np.nan, "infinite": np.inf}.items()
    },
}
EIGENVALUES: Bad = without(STEPS, "zero")
UNLIMITED_LABELS: Bad = {
    **{label: bad for label, bad in NOT_ARRAYS.items() if label not in ("a list", "a tuple")},
    "a list": (lambda: [0, 1, 1, 0, 1, 0], TypeError),
    "masked": (lambda: np.ma.array([0] * 6, mask=[0] * 6), TypeError),
    "floats": (lambda: np.zeros(6), ValueError),
    "booleans": (lambda: np.zeros(6, bool), ValueError),
    "complex": (lambda: np.zeros(6, complex), ValueError),
    "objects": (lambda: np.zeros(6, object), ValueError),
    "words": (lambda: np.array(["0"] * 6), ValueError),
    "one-hot": (lambda: np.eye(6, 2, dtype=int), ValueError),
    "a column": (lambda: np.zeros((6, 1), int), ValueError),
    "0-d": (lambda: np.array(1), ValueError),
    "too few": (lambda: np.zeros(5, int), ValueError),
    "too many": (lambda: np.zeros(7, int), ValueError),
    "empty": (lambda: np.zeros(0, int), ValueError),
    "negative": (lambda: np.array([0, 1, 1, 0, 1, -1]), ValueError),
}
LABELS: Bad = {
    **UNLIMITED_LABELS,
    "too large": (lambda: np.array([0, 1, 1, 0, 1, 50]), ValueError),
    "huge": (lambda: np.array([0, 1, 1, 0, 1, 2**64 - 1], np.uint64), ValueError),
}
REAL: Bad = {
    **failing(ValueError, None_=None, text="1.0", complex_=1j, a_thing=Unknown()),
    **failing(ValueError, ragged=[[1.0], [1.0, 2.0]], words=["a", "b", "c"], mixed=[1.0, "a"]),
    "a generator": (lambda: (1.0 for _ in range(3)), ValueError),
    "booleans": (lambda: np.ones(3, bool), ValueError),
    "masked": (lambda: np.ma.ones(3), ValueError),
    "too many": (lambda: np.ones(4), ValueError),
    "0-d": (lambda: np.array(1.0), ValueError),
    "2-d": (lambda: np.ones((3, 1)), ValueError),
    "empty": (lambda: np.ones(0), ValueError),
}

# Numbers

NOT_NUMBERS: Bad = {
    **failing(ValueError, None_=None, text="1", bytes_=b"1", a_list=[1], a_flag=True, complex_=1j),
    **failing(ValueError, a_thing=Unknown(), decimal=Decimal(1), nan=np.nan, infinite=np.inf),
    **failing(ValueError, minus_infinite=-np.inf, a_NumPy_flag=np.True_, beyond_floats=10**400),
    "0-d": (lambda: np.array(1.0), ValueError),
    "1-d": (lambda: np.ones(1), ValueError),
    "a generator": (lambda: (1 for _ in range(1)), ValueError),
}
ABOVE_ZERO: Bad = {**NOT_NUMBERS, **failing(ValueError, zero=0.0, negative=-1e-9, minus=-1)}
FROM_ZERO: Bad = without(ABOVE_ZERO, "zero")
SHARE: Bad = {**FROM_ZERO, **failing(ValueError, one=1.0, integer_one=1, above=Fraction(3, 2))}
SLOPE: Bad = {**ABOVE_ZERO, **failing(ValueError, one=1.0, above=Fraction(3, 2))}
CORRELATION: Bad = {**NOT_NUMBERS, **failing(ValueError, one=1.0, minus_one=-1, above=1.5)}
ANY_NUMBER: Bad = without(NOT_NUMBERS, "minus infinite")


def counts(low: int = 1, high: int | None = None) -> Bad:
    bad = {
        **without(NOT_NUMBERS, "beyond floats"),
        **failing(ValueError, a_float=2.0, a_half=2.5, a_NumPy_float=np.float64(2)),
        **failing(ValueError, a_fraction=Fraction(2), too_small=low - 1, far_too_small=-(10**30)),
    }
    if high is not None:
        bad |= failing(ValueError, too_large=high + 1, far_too_large=10**30)
    return bad


def or_none(values: Bad) -> Bad:
    return without(values, "None")


FLAG: Bad = failing(
    ValueError, None_=None, zero=0, one=1, text="False", a_float=1.0, a_list=[], a_thing=Unknown()
) | {"0-d": (lambda: np.array(True), ValueError)}

# Words and types

WORD: Bad = {
    **failing(
        ValueError, None_=None, number=0, another="another", empty="", upper="HE", bytes_=b"he"
    ),
    **failing(ValueError, a_list=["he"], a_set={"he"}, a_type=str),
    "array": (lambda: np.array(["he", "z"]), ValueError),
}
DTYPE: Bad = failing(
    ValueError,
    None_=None,
    integer=int,
    half=np.float16,
    complex_=complex,
    objects=object,
    nothing="nothing",
    number=64,
    a_list=["float64"],
    foreign=np.dtype(float).newbyteorder(),
)
GENERATOR: Bad = {
    **failing(TypeError, seed=0, text="seed", module=np.random, a_class=np.random.Generator),
    "the old kind": (lambda: np.random.RandomState(0), TypeError),
    "the standard library's": (lambda: random.Random(0), TypeError),
    "a bit generator": (lambda: np.random.PCG64(0), TypeError),
}
NOT_OBJECTS: Bad = {
    **failing(
        TypeError, None_=None, text="net", number=5, a_list=[], a_dict={}, a_thing=Unknown()
    ),
    "an array": (lambda: np.ones((6, 4)), TypeError),
}
NETWORK: Bad = {
    **NOT_OBJECTS,
    "a class": (lambda: Sequential, TypeError),
    "a layer": (lambda: Dense(4, 2), TypeError),
    "layers": (lambda: [Dense(4, 2)], TypeError),
}
DENSE: Bad = {**NOT_OBJECTS, "another layer": (lambda: BatchNorm(3), TypeError)}
BATCH_NORM: Bad = {
    **NOT_OBJECTS,
    "another layer": (lambda: Dense(3, 3), TypeError),
    "of another width": (lambda: BatchNorm(2), ValueError),
    "untrained": (lambda: BatchNorm(3), ValueError),
}
CACHE: Bad = {**NOT_OBJECTS, "a tuple": (lambda: (np.ones((6, 4)),) * 5, TypeError)}


def fitted_elsewhere() -> Adam:
    """An optimiser whose state has the size of another network."""
    other = Adam()
    other.step(np.ones(3), np.ones(3))
    return other


def another_networks() -> Adam:
    """An optimiser that belongs to another network, which may have the same size."""
    other = Adam()
    other.belong_to(NET)
    return other


NET = mlp((4, 3, 2))


OPTIMIZER: Bad = {
    **NOT_OBJECTS,
    "a class": (lambda: Adam, TypeError),
    "of another size": (fitted_elsewhere, ValueError),
    "of another network": (another_networks, ValueError),
}
FUNCTION: Bad = {**NOT_OBJECTS, "a class": (lambda: SoftmaxCrossEntropy, TypeError)}
HISTORY: Bad = without(NOT_OBJECTS, "None")
EXECUTOR: Bad = without(NOT_OBJECTS, "None")
METRICS: Bad = {
    **without(NOT_OBJECTS, "None", "a dict"),
    "a number": (lambda: {"a": 5}, TypeError),
    "nothing": (lambda: {"a": None}, TypeError),
}
LAYER_TYPE: Bad = {
    **NOT_OBJECTS,
    "a layer": (lambda: Dense(3, 3), TypeError),
    "another class": (lambda: int, TypeError),
    "a function": (lambda: np.tanh, TypeError),
}

# Collections

NOT_COLLECTIONS: Bad = failing(TypeError, None_=None, number=5, a_float=1.5, a_thing=Unknown())
LAYERS: Bad = {
    **NOT_COLLECTIONS,
    **failing(ValueError, none=[], no_generator=()),
    **failing(TypeError, text="ab", nothing=[None], numbers=[1, 2], a_class=[ReLU]),
    "one layer": (ReLU, TypeError),
    "arrays": (lambda: np.ones((2, 2)), TypeError),
    "a wrong width": (lambda: [Dense(4, 3), Dense(2, 1)], ValueError),
    "two dtypes": (lambda: [Dense(4, 3), BatchNorm(3, dtype=np.float32)], ValueError),
    "one layer twice": (lambda: [Dense(4, 4)] * 2, ValueError),
}
WIDTHS: Bad = {
    **NOT_COLLECTIONS,
    **failing(ValueError, none=(), one=(4,), zero=(4, 0, 2), negative=(4, -1), half=(4, 2.5)),
    **failing(ValueError, text="4", nothing=(4, None, 2), flags=(True, True), floats=(4.0, 2.0)),
    "array of floats": (lambda: np.ones(3), ValueError),
}
STATISTICS: Bad = {
    **NOT_COLLECTIONS,
    **failing(ValueError, none=[], too_many=[(np.zeros(3), np.ones(3))] * 2),
    **failing(ValueError, a_mean_only=[(np.zeros(3),)], a_word=["abc"]),
    **failing(
        TypeError, numbers=[5], nothing=[None], letters=["ab"], lists=[([0.0] * 3, [1.0] * 3)]
    ),
    **failing(ValueError, negative=[(np.zeros(3), -np.ones(3))], wide=[(np.zeros(4), np.ones(4))]),
}
SEEDS: Bad = {
    **NOT_COLLECTIONS,
    **failing(ValueError, none=[], twice=[0, 0], negative=[-1], half=[0.5], text="0", flag=[True]),
    **failing(ValueError, nothing=[None], nested=[[0]]),
}
GRID: Bad = {
    **NOT_COLLECTIONS,
    **failing(ValueError, none=[], no_values={"a": []}),
    **failing(TypeError, text="a", numbers=[1], a_number={"a": 5}, nothing={"a": None}),
}

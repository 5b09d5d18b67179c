"""What the property tests draw: batches, parameters and whole networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bncourse import (
    BatchNorm,
    Dense,
    LeakyReLU,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)

DTYPES = st.sampled_from([np.float32, np.float64])
#: Exact in float32 too, so that a batch is the same numbers in both dtypes.
NUMBERS = st.floats(-1e4, 1e4, width=32, allow_subnormal=False)
#: For γ, β and factors: none so small that its products are subnormal.
SMALL = st.floats(-8.0, 8.0, width=16, allow_subnormal=False)
SEEDS = st.integers(0, 2**32 - 1)


def vectors(n: int, dtype: Any = np.float64, elements: Any = NUMBERS) -> Any:
    return hnp.arrays(dtype, (n,), elements=elements)


@st.composite
def batches(
    draw: Any, smallest: int = 2, dtype: Any = np.float64, elements: Any = NUMBERS, m: Any = None
) -> Any:
    """Draw a batch of shape (m, n), of any kind: constant units, duplicates, zeros."""
    shape = (draw(st.integers(smallest, 12)) if m is None else m, draw(st.integers(1, 4)))
    return draw(hnp.arrays(dtype, shape, elements=elements))


@st.composite
def varied_batches(draw: Any, smallest: int = 3) -> Any:
    """Draw a batch in which no unit is constant or nearly so: its spread is 1/8 of its size."""
    m, n = draw(st.integers(smallest, 12)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(SEEDS))
    scale = 10.0 ** np.array(draw(st.lists(st.integers(-6, 6), min_size=n, max_size=n)))
    shift = np.array(draw(st.lists(st.floats(-8.0, 8.0), min_size=n, max_size=n)))
    # One example on each side of the centre keeps the standard deviation up in small batches.
    base = rng.normal(size=(m, n))
    base[0], base[1] = 1.0, -1.0
    return (base + shift) * scale


@st.composite
def networks(draw: Any, smooth: bool = False, normalised: bool | None = None) -> Any:
    """Draw a network of up to three hidden layers with odd parameters, γ and β included."""
    rng = np.random.default_rng(draw(SEEDS))
    width = n_in = draw(st.integers(1, 5))
    layers: list[Any] = []
    kinds = [Sigmoid, Tanh] if smooth else [ReLU, LeakyReLU, Sigmoid, Tanh]
    if normalised is None:
        normalised = draw(st.booleans())
    for _ in range(draw(st.integers(1, 3))):
        n_out = draw(st.integers(1, 5))
        layers.append(Dense(width, n_out, draw(st.booleans()), rng=rng))
        behind: list[Any] = [draw(st.sampled_from(kinds))()]
        if normalised:
            norm = BatchNorm(
                n_out,
                epsilon=draw(st.sampled_from([1e-5, 1e-3, 0.5])),
                decay=draw(st.sampled_from([None, 0.0, 0.9])),
                unbiased=draw(st.booleans()),
                affine=draw(st.booleans()),
            )
            behind.insert(draw(st.integers(0, 1)), norm)
        layers += behind
        width = n_out
    classes = draw(st.integers(1, 4))
    net = Sequential([*layers, Dense(width, classes, rng=rng)])
    net.theta += rng.normal(0.2, 0.5, net.theta.size)
    m = draw(st.integers(4, 9))
    return net, rng.normal(0.3, 1.5, (m, n_in)), rng.integers(0, classes, m)

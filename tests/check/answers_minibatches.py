"""Functions that deal the examples, right and wrong."""

from __future__ import annotations

import math
import random

import numpy as np

from tests.check.collection import right, wrong


@right("mini_batches")
def _(x, y, batch_size, rng):
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    for start in range(0, len(x), batch_size):
        yield x[start : start + batch_size], y[start : start + batch_size]


@right("mini_batches")
def _(x, y, batch_size, rng):
    order = np.arange(len(x))
    rng.shuffle(order)
    return [
        (x[order[i : i + batch_size]], y[order[i : i + batch_size]])
        for i in range(0, len(order), batch_size)
    ]


@right("mini_batches")
def _(x, y, batch_size, rng):
    order = np.argsort(rng.random(len(x)))
    cuts = np.arange(batch_size, len(x), batch_size)
    return zip(np.split(x[order], cuts), np.split(y[order], cuts), strict=True)


@right("mini_batches")
def _(x, y, batch_size, rng):
    order = rng.choice(len(x), size=len(x), replace=False)
    for t in range(math.ceil(len(x) / batch_size)):
        batch = order[t * batch_size : (t + 1) * batch_size]
        yield [x[batch], y[batch]]


@right("mini_batches")
def _(x, y, batch_size, rng):
    left = list(range(len(x)))
    while left:
        batch = [left.pop(rng.integers(len(left))) for _ in range(min(batch_size, len(left)))]
        yield x[batch], y[batch]


@right("mini_batches")
def _(x, y, batch_size, rng):
    class Batches:
        def __iter__(self):
            order = rng.permuted(np.arange(len(x)))
            full = len(x) // batch_size * batch_size
            for batch in order[:full].reshape(-1, batch_size):
                yield np.take(x, batch, axis=0), np.take(y, batch)
            if full < len(x):
                yield x[order[full:]], y[order[full:]]

    return Batches()


@wrong("mini_batches", "starts-shuffled")
def _(x, y, batch_size, rng):
    starts = np.arange(0, len(x), batch_size)
    rng.shuffle(starts)
    for s in starts:
        yield x[s : s + batch_size], y[s : s + batch_size]


@wrong("mini_batches", "labels-not-shuffled")
def _(x, y, batch_size, rng):
    x = x[rng.permutation(len(x))]
    for s in range(0, len(x), batch_size):
        yield x[s : s + batch_size], y[s : s + batch_size]


@wrong("mini_batches", "labels-shuffled-apart")
def _(x, y, batch_size, rng):
    x, y = rng.permutation(x), rng.permutation(y)
    for s in range(0, len(x), batch_size):
        yield x[s : s + batch_size], y[s : s + batch_size]


@wrong("mini_batches", "not-shuffled")
def _(x, y, batch_size, rng):
    return [(x[s : s + batch_size], y[s : s + batch_size]) for s in range(0, len(x), batch_size)]


@wrong("mini_batches", "rest-dropped")
def _(x, y, batch_size, rng):
    order = rng.permutation(len(x))
    for t in range(len(x) // batch_size):
        batch = order[t * batch_size : (t + 1) * batch_size]
        yield x[batch], y[batch]


@wrong("mini_batches", "examples-repeated")
def _(x, y, batch_size, rng):
    for _ in range(math.ceil(len(x) / batch_size)):
        batch = rng.choice(len(x), batch_size, replace=False)
        yield x[batch], y[batch]


@wrong("mini_batches", "global-random-state")
def _(x, y, batch_size, rng):
    order = np.random.permutation(len(x))  # noqa: NPY002
    for s in range(0, len(x), batch_size):
        yield x[order[s : s + batch_size]], y[order[s : s + batch_size]]


@wrong("mini_batches", "global-random-state")
def _(x, y, batch_size, rng):
    order = np.random.default_rng().permutation(len(x))
    for s in range(0, len(x), batch_size):
        yield x[order[s : s + batch_size]], y[order[s : s + batch_size]]


@wrong("mini_batches", "global-random-state")
def _(x, y, batch_size, rng):
    order = list(range(len(x)))
    random.shuffle(order)
    for s in range(0, len(x), batch_size):
        yield x[order[s : s + batch_size]], y[order[s : s + batch_size]]


@wrong("mini_batches", "ignores-argument")
def _(x, y, batch_size, rng):
    order = np.random.default_rng(42).permutation(len(x))
    for s in range(0, len(x), batch_size):
        yield x[order[s : s + batch_size]], y[order[s : s + batch_size]]


@wrong("mini_batches", "one-batch-only")
def _(x, y, batch_size, rng):
    order = rng.permutation(len(x))
    for s in range(0, len(x), batch_size):
        return [(x[order[s : s + batch_size]], y[order[s : s + batch_size]])]


@wrong("mini_batches", "wrong-return")
def _(x, y, batch_size, rng):
    order = rng.permutation(len(x))[:batch_size]
    return x[order], y[order]


@wrong("mini_batches", "wrote-into-input")
def _(x, y, batch_size, rng):
    order = rng.permutation(len(x))
    x[:], y[:] = x[order], y[order]
    for s in range(0, len(x), batch_size):
        yield x[s : s + batch_size], y[s : s + batch_size]


@wrong("mini_batches", "unknown")
def _(x, y, batch_size, rng):
    """Never ends."""
    while True:
        order = rng.permutation(len(x))
        for s in range(0, len(x), batch_size):
            yield x[order[s : s + batch_size]], y[order[s : s + batch_size]]


@wrong("mini_batches", "unknown")
def _(x, y, batch_size, rng):
    """The rest comes first."""
    order = rng.permutation(len(x))
    rest = len(x) % batch_size
    if rest:
        yield x[order[:rest]], y[order[:rest]]
    for s in range(rest, len(x), batch_size):
        yield x[order[s : s + batch_size]], y[order[s : s + batch_size]]


@wrong("mini_batches", "unknown")
def _(x, y, batch_size, rng):
    """An empty batch at the end."""
    order = rng.permutation(len(x))
    for s in range(0, len(x) + batch_size, batch_size):
        yield x[order[s : s + batch_size]], y[order[s : s + batch_size]]


@wrong("mini_batches", "starts-shuffled")
def _(x, y, batch_size, rng):
    """Shuffles inside each batch."""
    for s in rng.permutation(np.arange(0, len(x), batch_size)):
        batch = rng.permutation(np.arange(s, min(s + batch_size, len(x))))
        yield x[batch], y[batch]


@wrong("mini_batches", "starts-shuffled")
def _(x, y, batch_size, rng):
    """Turns the data round by a random number."""
    order = np.roll(np.arange(len(x)), rng.integers(1, len(x)))
    for s in range(0, len(x), batch_size):
        yield x[order[s : s + batch_size]], y[order[s : s + batch_size]]

"""The statistics that batch norm layers use: seen layer by layer, computed anew, put in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats
from bncourse.network import Sequential, undisturbed


class Statistics(NamedTuple):
    """Mean and variance of each unit of one batch-norm layer.

    Attributes
    ----------
    mean, var : array, shape (n,)
    """

    mean: Floats
    var: Floats


def layer_outputs(net: Sequential, x: Floats, *, statistics: str) -> list[Floats]:
    """Return the output of every layer for a batch, changing nothing.

    The network is in evaluation mode, and batch norm normalises by what is asked for.

    Parameters
    ----------
    net : Sequential
        The network.
    x : array, shape (m, n)
        The batch.
    statistics : {"batch", "running"}
        What batch norm normalises by: the statistics of `x` itself, even of a single example
        (which training refuses, and which shows what would happen), or the running ones.

    Returns
    -------
    list of arrays
        One for each of ``net.layers``; the last are the logits.

    Raises
    ------
    ValueError, TypeError
        If `x` doesn't fit, or `statistics` is another word.
    """
    check.instance(net, Sequential, "net")
    check.choice(statistics, ("batch", "running"), "statistics")
    outputs: list[Floats] = []
    with undisturbed(net), _measured_by_batch(net, statistics == "batch"):
        for layer in net.layers:
            x = layer.forward(x, training=False)
            outputs.append(x)
    return outputs


@contextmanager
def _measured_by_batch(net: Sequential, by_batch: bool) -> Iterator[None]:
    """Let batch norm normalise by the batch in evaluation mode too, without averaging."""
    for layer in net.batch_norms:
        layer._measured_by_batch = by_batch
    try:
        yield
    finally:
        for layer in net.batch_norms:
            layer._measured_by_batch = False


def population_statistics(
    net: Sequential, x: Floats, batch_size: int | None = None
) -> list[Statistics]:
    r"""Compute the mean and variance that each batch-norm layer sees over a whole data set.

    With one batch (the default) they are those of the layer's input when the whole set is
    normalised together, with the weights as they are now. With batches of size m, each batch
    is normalised by itself, as in training, and the batches' moments are put together by the
    law of total variance, with :math:`m_t` examples in batch t and
    :math:`N = \sum_t m_t`:

    .. math::

        \begin{aligned}
        \mu &= \sum_t \frac{m_t}{N} \mu^{\{t\}}, \\
        \sigma^2 &= \sum_t \frac{m_t}{N}\left(
            \sigma^{2\{t\}} + \left(\mu^{\{t\}} - \mu\right)^2\right)
        \end{aligned}

    This holds however the batches were drawn. Nothing is changed; `set_statistics` puts the
    result into the network.

    Parameters
    ----------
    net : Sequential
        The network.
    x : array, shape (N, n)
        The data set, usually the training set.
    batch_size : int, optional
        m above, at least 2; the batches are taken in the order of `x`, and a single last
        example is added to the batch before it.

    Returns
    -------
    list of Statistics
        One (mean, var) for each batch-norm layer, in order.

    Raises
    ------
    ValueError, TypeError
        If `x` doesn't fit the network, or `batch_size` is below 2 or above N.

    Notes
    -----
    Known as *precise batch norm*. Source: Wu and Johnson (2021), arXiv:2105.07576, section 3.
    """
    check.instance(net, Sequential, "net")
    x = check.batch(x, None, "x")
    n = len(x)
    size = n if batch_size is None else check.count(batch_size, "batch_size", 2)
    if size > n:
        raise ValueError(f"batch_size: expected at most the {n} examples, got {size}")
    starts = list(range(0, n, size))
    if len(starts) > 1 and n - starts[-1] == 1:
        starts.pop()
    ends = [*starts[1:], n]
    moments: list[list[tuple[float, Floats, Floats]]] = [[] for _ in net.batch_norms]
    with undisturbed(net), _measured_by_batch(net, True):
        for start, end in zip(starts, ends, strict=True):
            net.forward(x[start:end], training=False)
            for layer_moments, layer in zip(moments, net.batch_norms, strict=True):
                if layer.cache is not None:
                    found = (end - start) / n, layer.cache.mean, layer.cache.var
                    layer_moments.append(found)
    return [_total(layer_moments) for layer_moments in moments]


def _total(moments: Sequence[tuple[float, Floats, Floats]]) -> Statistics:
    """Put weighted means and variances together by the law of total variance."""
    mean = np.sum([weight * mu for weight, mu, _ in moments], axis=0)
    var = np.sum([weight * (v + np.square(mu - mean)) for weight, mu, v in moments], axis=0)
    return Statistics(mean, var)


def set_statistics(net: Sequential, statistics: Sequence[Statistics]) -> None:
    """Put a mean and a variance into each batch-norm layer as its running statistics.

    Parameters
    ----------
    net : Sequential
        Changed in place.
    statistics : sequence of Statistics
        One for each batch-norm layer, in order, as `population_statistics` returns them.

    Raises
    ------
    ValueError, TypeError
        If their number or a shape is wrong; nothing has been changed then.
    """
    layers = check.instance(net, Sequential, "net").batch_norms
    statistics = check.items(statistics, "statistics")
    if len(statistics) != len(layers):
        raise ValueError(
            f"statistics: expected one for each of {len(layers)} batch-norm layers, "
            f"got {len(statistics)}"
        )
    before = _running(net)
    try:
        for layer, pair in zip(layers, statistics, strict=True):
            moments = check.items(pair, "pair")
            if len(moments) != 2:
                raise ValueError(f"expected a mean and a variance, got {pair!r}")
            layer.set_statistics(*moments)
    except (TypeError, ValueError) as error:
        _restore(net, before)
        raise type(error)(f"statistics: {error}") from error


@contextmanager
def preserve_statistics(net: Sequential) -> Iterator[None]:
    """Leave the running statistics as they were, whatever training passes are made inside.

    Parameters
    ----------
    net : Sequential
        Measured in training mode inside the ``with`` block.
    """
    before = _running(check.instance(net, Sequential, "net"))
    try:
        yield
    finally:
        _restore(net, before)


def _running(net: Sequential) -> list[tuple[Floats, Floats, int]]:
    return [
        (layer.running_mean.copy(), layer.running_var.copy(), layer.batches_seen)
        for layer in net.batch_norms
    ]


def _restore(net: Sequential, before: list[tuple[Floats, Floats, int]]) -> None:
    for layer, (mean, var, seen) in zip(net.batch_norms, before, strict=True):
        layer.running_mean[...], layer.running_var[...], layer.batches_seen = mean, var, seen

"""The training loop, written like the algorithm of chapter 4."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from types import FrameType
from typing import Protocol

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats, Integers
from bncourse.data import MiniBatches
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Sequential
from bncourse.optimizers import Optimizer


class Loss(Protocol):
    """What `train` asks of a loss: its value and its gradient with respect to the output."""

    def __call__(self, z: Floats, y: Integers) -> tuple[float, Floats]:
        """Return ``(loss, dz)``."""
        ...


Metric = Callable[[Sequential], float]


@dataclass
class History:
    """What happened in training.

    Attributes
    ----------
    loss : list of float
        J of each step's mini-batch, before that step's update, in nats.
    metric_steps : list of int
        Steps done at each time the metrics were taken.
    metrics : dict of str to list of float
        Their values at those times.
    """

    loss: list[float] = field(default_factory=list)
    metric_steps: list[int] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Updates made."""
        return len(self.loss)

    def first_step(self, metric: str, at_least: float) -> int | None:
        """Return the first recorded step at which a metric was at least that, or None.

        Raises
        ------
        KeyError
            If no metric of that name was recorded.
        ValueError
            If `at_least` is not a number.
        """
        at_least = check.number(at_least, "at_least", low=-np.inf)
        for step, value in zip(self.metric_steps, self.metrics[metric], strict=True):
            if value >= at_least:
                return step
        return None


def accuracy(net: Sequential, x: Floats, y: Integers) -> float:
    """Return the share of examples whose largest logit is the right one, in evaluation mode.

    Parameters
    ----------
    net : Sequential
        A trained network.
    x : array, shape (m, n)
        Examples.
    y : array of int, shape (m,)
        Labels.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError, TypeError
        If the arrays don't fit the network or each other.
    """
    z = check.instance(net, Sequential, "net").forward(x, training=False)
    return float(np.mean(z.argmax(axis=1) == check.labels(y, len(z), z.shape[1])))


def train(
    net: Sequential,
    x: Floats,
    y: Integers,
    *,
    loss: Loss | None = None,
    optimizer: Optimizer,
    batch_size: int,
    epochs: int | None = None,
    steps: int | None = None,
    rng: np.random.Generator | None = None,
    metrics: Mapping[str, Metric] | None = None,
    every: int = 10,
    stop: Callable[[History], bool] | None = None,
    history: History | None = None,
    shuffle: bool = True,
    drop_last: bool = False,
    progress: bool = False,
) -> History:
    r"""Train a network on mini-batches.

    For each mini-batch t: forward propagation with batch norm, the cost
    :math:`J^{\{t\}}`, backward propagation, one update of all parameters.

    Parameters
    ----------
    net : Sequential
        Changed in place.
    x : array, shape (m, n)
        Training examples, one per row.
    y : array of int, shape (m,)
        Labels.
    loss : callable, optional
        Maps (logits, labels) to (loss, gradient). By default `SoftmaxCrossEntropy`.
    optimizer : Optimizer
        Updates ``net.theta``.
    batch_size : int
        Examples per mini-batch.
    epochs, steps : int
        How long: passes over the data, or updates. Exactly one of the two.
    rng : numpy.random.Generator, optional
        Source of the order of the examples. Without it the order differs from run to run.
    metrics : mapping of str to callable, optional
        Each maps the network to a number, taken every `every` steps and after the last one.
        A metric must leave the network as it was.
    every : int
        Steps between metrics.
    stop : callable, optional
        Maps the history to True when training should end; asked whenever metrics are taken.
    history : History, optional
        Written to as training goes, so that what was recorded survives an interruption. A
        history of an earlier call is continued.
    shuffle, drop_last : bool
        As for `MiniBatches`.
    progress : bool
        Whether to show a progress bar (needs tqdm).

    Returns
    -------
    History

    Raises
    ------
    ValueError, TypeError
        If something does not fit; nothing has been changed then.
    KeyboardInterrupt
        When interrupted; the step under way is finished first, so the network, the optimiser
        and `history` agree.
    """
    check.instance(net, Sequential, "net")
    check.instance(optimizer, Optimizer, "optimizer")
    loss = SoftmaxCrossEntropy() if loss is None else check.function(loss, "loss")
    history = History() if history is None else check.instance(history, History, "history")
    metrics = {} if metrics is None else check.mapping(metrics, "metrics")
    for name, metric in metrics.items():
        check.function(metric, f"metrics[{name!r}]")
    if stop is not None:
        check.function(stop, "stop")
    check.flag(progress, "progress")
    every = check.count(every, "every")
    if (epochs is None) == (steps is None):
        raise ValueError(f"expected either epochs or steps, got epochs={epochs}, steps={steps}")
    batches = MiniBatches(x, y, batch_size, rng, shuffle, drop_last)
    total = (
        check.count(epochs, "epochs", 0) * len(batches)
        if epochs is not None
        else check.count(steps, "steps", 0)
    )
    _check_fit(net, batches)
    optimizer.check_fit(net.theta, net.dtheta)
    if metrics and history.metric_steps and metrics.keys() != history.metrics.keys():
        raise ValueError(
            f"metrics: expected {sorted(history.metrics)}, as the history has, "
            f"got {sorted(metrics)}"
        )
    for name in metrics:
        history.metrics.setdefault(name, [])

    with _finish_step_first() as interrupted, _progress_bar(total, progress) as show:
        for t, (x_t, y_t) in enumerate(islice(_endless(batches), total), start=1):
            z = net.forward(x_t, training=True)
            J, dz = loss(z, y_t)
            net.backward_parameters(dz)
            optimizer.step(net.theta, net.dtheta)

            history.loss.append(J)
            show(J)
            if interrupted():
                raise KeyboardInterrupt
            if metrics and (t % every == 0 or t == total):
                values = {name: metric(net) for name, metric in metrics.items()}
                history.metric_steps.append(history.steps)
                for name, value in values.items():
                    history.metrics[name].append(value)
                if stop is not None and stop(history):
                    break
        if interrupted():
            raise KeyboardInterrupt
    return history


def _check_fit(net: Sequential, batches: MiniBatches) -> None:
    """Find out before the first step what would fail in the middle of one."""
    check.batch(batches.x, getattr(net.layers[0], "n_in", None), "x")
    widths = [layer.n_out for layer in net.layers if hasattr(layer, "n_out")]
    if widths:
        check.labels(batches.y, len(batches.x), widths[-1])
    rest = len(batches.x) % batches.batch_size
    smallest = rest if rest and not batches.drop_last else batches.batch_size
    if net.batch_norms and smallest == 1:
        raise ValueError(
            f"batch_size: expected batches of at least 2 examples for batch norm, got "
            f"{len(batches.x)} examples in batches of {batches.batch_size}, the last of which "
            "holds 1 (drop_last=True leaves it out)"
        )


def _endless(batches: MiniBatches) -> Iterator[tuple[Floats, Integers]]:
    while True:
        yield from batches


@contextmanager
def _finish_step_first() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C wait for the end of the step, so that no update is left half-done.

    Yields a function that tells whether it was pressed. Python delivers signals to the main
    thread only, so elsewhere there is nothing to guard against.
    """
    pressed = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: pressed
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress_bar(total: int, visible: bool) -> Iterator[Callable[[float], None]]:
    """Yield a function that advances a bar by a step and shows its loss."""
    if not visible:
        yield lambda loss: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit="step") as bar:

        def advance(loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()

        yield advance

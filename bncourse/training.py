"""The training loop, written like the algorithm of chapter 4."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from types import FrameType

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats, Integers
from bncourse.data import MiniBatches
from bncourse.losses import Loss, SoftmaxCrossEntropy
from bncourse.network import Sequential, undisturbed
from bncourse.optimizers import Optimizer

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

    Examples
    --------
    >>> history = History([2.3, 1.7, 1.1], [2, 3], {"accuracy": [0.4, 0.8]})
    >>> history.steps, history.first_step("accuracy", at_least=0.5)
    (3, 3)
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
    with undisturbed(check.instance(net, Sequential, "net")):
        z = net.forward(x, training=False)
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
    after_backward: Callable[[Sequential], object] | None = None,
    after_step: Callable[[History], object] | None = None,
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
        Updates ``net.theta``. It belongs to the first network that it trains.
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
        Maps the history to True when training should end; asked every `every` steps, after the
        metrics.
    after_backward : callable, optional
        Called with the network between backward propagation and update, to watch or to change
        the gradients in ``net.dtheta``.
    after_step : callable, optional
        Called with the history after each update; ends training when it returns something true.
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
    loss = SoftmaxCrossEntropy() if loss is None else check.function(loss, "loss")
    history = History() if history is None else check.instance(history, History, "history")
    after_backward = _nothing if after_backward is None else after_backward
    check.function(after_backward, "after_backward")
    batches = MiniBatches(x, y, batch_size, rng, shuffle, drop_last)
    total = _count_steps(batches, epochs, steps)
    interrupts = _Interrupts()
    after = _afterwards(net, history, total, interrupts, metrics, every, stop, after_step)
    _check_fit(net, batches, optimizer, history, metrics)

    with interrupts, _progress_bar(total, check.flag(progress, "progress")) as show:
        for x_t, y_t in islice(_endless(batches), total):
            z = net.forward(x_t, training=True)
            J, dz = loss(z, y_t)
            net.backward(dz, need_input_gradient=False)
            after_backward(net)
            optimizer.step(net.theta, net.dtheta)
            history.loss.append(J)
            if show(J) or after(history) or interrupts.pressed:
                break
    if interrupts.pressed:
        raise KeyboardInterrupt
    return history


def _nothing(net: Sequential) -> None:
    pass


def _count_steps(batches: MiniBatches, epochs: int | None, steps: int | None) -> int:
    if (epochs is None) == (steps is None):
        raise ValueError(f"expected either epochs or steps, got epochs={epochs}, steps={steps}")
    if epochs is not None:
        return check.count(epochs, "epochs", 0) * len(batches)
    return check.count(steps, "steps", 0)


def _check_fit(
    net: Sequential,
    batches: MiniBatches,
    optimizer: Optimizer,
    history: History,
    metrics: Mapping[str, Metric] | None,
) -> None:
    """Find out before the first step what would fail in the middle of one."""
    check.batch(batches.x, check.instance(net, Sequential, "net").n_in, "x")
    if net.n_out is not None:
        check.labels(batches.y, len(batches.x), net.n_out)
    rest = len(batches.x) % batches.batch_size
    smallest = rest if rest and not batches.drop_last else batches.batch_size
    if net.batch_norms and smallest == 1:
        raise ValueError(
            f"batch_size: expected batches of at least 2 examples for batch norm, got "
            f"{len(batches.x)} examples in batches of {batches.batch_size}, the last of which "
            "holds 1 (drop_last=True leaves it out)"
        )
    if metrics and history.metric_steps and metrics.keys() != history.metrics.keys():
        raise ValueError(
            f"metrics: expected {sorted(history.metrics)}, as the history has, "
            f"got {sorted(metrics)}"
        )
    check.instance(optimizer, Optimizer, "optimizer").belong_to(net)


def _afterwards(
    net: Sequential,
    history: History,
    total: int,
    interrupts: _Interrupts,
    metrics: Mapping[str, Metric] | None,
    every: int,
    stop: Callable[[History], bool] | None,
    after_step: Callable[[History], object] | None,
) -> Callable[[History], bool]:
    """Return what follows each step: it takes the metrics and says whether training ends."""
    metrics = {} if metrics is None else check.mapping(metrics, "metrics")
    for name, metric in metrics.items():
        check.function(metric, f"metrics[{name!r}]")
    for ask, name in ((stop, "stop"), (after_step, "after_step")):
        if ask is not None:
            check.function(ask, name)
    every = check.count(every, "every")
    before = history.steps

    def after(history: History) -> bool:
        done = history.steps - before
        with interrupts.between_steps():
            end = after_step is not None and bool(after_step(history))
            if end or done == total or done % every == 0:
                values = {name: metric(net) for name, metric in metrics.items()}
                if values:
                    history.metric_steps.append(history.steps)
                for name, value in values.items():
                    history.metrics.setdefault(name, []).append(value)
                end = end or (stop is not None and bool(stop(history)))
        return end

    return after


def _endless(batches: MiniBatches) -> Iterator[tuple[Floats, Integers]]:
    while True:
        yield from batches


class _Interrupts:
    """Let Ctrl-C wait for the end of the step, so that no update is left half-done.

    A second Ctrl-C ends a metric that takes too long. Python delivers signals to the main thread
    only, so elsewhere there is nothing to guard against.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._stepping = True

    def __enter__(self) -> None:
        self._in_main = threading.current_thread() is threading.main_thread()
        if self._in_main:
            self._before = signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *error: object) -> None:
        if self._in_main:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.pressed and not self._stepping:
            raise KeyboardInterrupt
        self.pressed = True

    @contextmanager
    def between_steps(self) -> Iterator[None]:
        """Allow a second Ctrl-C to interrupt at once."""
        self._stepping = False
        try:
            yield
        finally:
            self._stepping = True


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

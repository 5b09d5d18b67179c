"""The runs of *Does it hold elsewhere?*: the book's sentences on the digits and on MNIST-1D.

The page looks at what other chapters say, so this is the one room that imports their runs.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from bncourse.activations import ReLU, Sigmoid, Tanh
from bncourse.arrays import Floats
from bncourse.averages import ExponentialMovingAverage
from bncourse.chapters import inference, intuition, minibatches
from bncourse.chapters.common import (
    BATCH_SIZE,
    full_statistics_accuracy,
    sizes_for,
    steps_to_accuracy,
    train_digits,
)
from bncourse.chapters.measured import measured, take_down
from bncourse.chapters.stored import StoredRun
from bncourse.data import Digits, load_digits, load_mnist1d
from bncourse.display import Card, Table
from bncourse.layers import Layer
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent
from bncourse.sweeps import SweepResult
from bncourse.training import accuracy, train

ACTIVATIONS: dict[str, type[Layer]] = {"ReLU": ReLU, "tanh": Tanh, "sigmoid": Sigmoid}
INIT = {"ReLU": "he", "tanh": "lecun", "sigmoid": "lecun"}


SEEDS = range(5)
#: The chapter whose verdicts are weighed; what stands in the others are headlines.
VERDICTS = 5
#: The data sets as the cards call them.
NAMES = {"digits": "the digits", "mnist1d": "MNIST-1D"}


@cache
def _loaded(data: str, standardized: bool) -> Digits:
    if data == "digits":
        return load_digits(standardized=standardized)
    return load_mnist1d(standardized)


def load(seed: int, data: str, standardized: bool = False) -> Digits:
    """Return one of the two data sets, ``"digits"`` or ``"mnist1d"``, for a run that has begun.

    The card of the run's result then says which data, and the seed.
    """
    take_down(data=NAMES[data], seed=seed)
    return _loaded(data, standardized)


def steps_to(
    seed: int,
    *,
    data: str,
    activation: str,
    batch_norm: bool,
    rate: float,
    standardized: bool,
    target: float,
    at_most: int,
    every: int,
) -> float:
    """Return the steps to a test accuracy; infinity if it is not reached.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    data : str
        As for `load`.
    activation : str
        One of `ACTIVATIONS`; ReLU starts from He's weights, the others from LeCun's.
    batch_norm : bool
        With or without.
    rate : float
        Learning rate.
    standardized : bool
        Whether each input is.
    target, at_most, every
        As for `steps_to_accuracy`.
    """
    return steps_to_accuracy(
        seed,
        ACTIVATIONS[activation],
        batch_norm,
        rate,
        init=INIT[activation],
        digits=load(seed, data, standardized),
        target=target,
        at_most=at_most,
        every=every,
    )


def accuracy_after(
    seed: int,
    *,
    data: str,
    activation: str,
    batch_norm: bool,
    rate: float,
    steps: int,
    gain: float = 1.0,
    batch_size: int = BATCH_SIZE,
    layers: int = 3,
    units: int = 100,
) -> float:
    """Return the test accuracy after so many steps, with full-train statistics.

    Parameters
    ----------
    seed, data, activation, batch_norm, rate
        As for `steps_to`.
    steps : int
        Updates.
    gain : float
        Factor on the initial weights.
    batch_size : int
        Examples per mini-batch; a smaller last one is left out.
    layers, units : int
        Hidden layers, and units in each.
    """
    digits = load(seed, data)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        net, _ = train_digits(
            seed,
            ACTIVATIONS[activation],
            batch_norm,
            rate,
            steps,
            init=INIT[activation],
            gain=gain,
            batch_size=batch_size,
            drop_last=True,
            digits=digits,
            sizes=(digits.x_train.shape[1], *[units] * layers, 10),
        )
        return full_statistics_accuracy(net, digits)


def accuracy_by_order(seed: int, *, data: str, batch_norm: bool, order: str, steps: int) -> float:
    """Return the test accuracy after batches in some order (`minibatches.runs.ORDERS`)."""
    digits = load(seed, data)
    return minibatches.runs.order_of_batches(seed, batch_norm, order, steps, digits).accuracy


def accuracy_by_average(
    seed: int, *, data: str, corrected: bool, decay: float, steps: int
) -> float:
    """Return the test accuracy with an exponentially weighted average that begins at 0.

    Parameters
    ----------
    seed, data, steps
        As for `accuracy_after`.
    corrected : bool
        Whether the average's start is corrected for.
    decay : float
        Weight of the old value.
    """
    found = inference.runs.averaged_accuracies(
        seed,
        {"average": lambda: ExponentialMovingAverage(decay, bias_correction=corrected)},
        [steps],
        decay=decay,
        digits=load(seed, data),
    )
    return found["average"][0]


def accuracy_in_company(seed: int, *, data: str, rate: float, steps: int) -> dict[str, float]:
    """Return the test accuracies with running statistics, and batch by batch, one class in each.

    Parameters
    ----------
    seed, data, rate, steps
        As for `accuracy_after`.

    Returns
    -------
    dict of str to float
        ``"running"`` and ``"one class"``.
    """
    digits = load(seed, data)
    net, _ = train_digits(seed, ReLU, True, rate, steps, digits=digits)
    return {
        "running": accuracy(net, digits.x_test, digits.y_test),
        "one class": inference.runs.one_digit_accuracy(net, digits),
    }


def curvature_spread(seed: int, *, data: str, activation: str, batch_norm: bool) -> float:
    """Return λmax over the median λ of the Gauss–Newton matrix at the start."""
    kind = ACTIVATIONS[activation]
    return intuition.runs.curvature_spread(kind, batch_norm, seed, digits=load(seed, data))


def gradient_shift(
    seed: int, *, data: str, activation: str, batch_norm: bool, steps: int
) -> float:
    """Return Santurkar et al.'s relative gradient shift, averaged over the first steps."""
    kind = ACTIVATIONS[activation]
    return intuition.runs.gradient_shift(seed, kind, batch_norm, steps, load(seed, data))


class ShiftNoise(Layer):
    """Add to each unit a shift that is drawn anew at every training step.

    Parameters
    ----------
    n : int
        Number of units.
    level : float
        Shifts are uniform in ±level.
    rng : numpy.random.Generator
        Source of the shifts.

    Notes
    -----
    After Santurkar et al. (2018), arXiv:1805.11604, section 2.3; without their change of scale,
    which would change the size of the signal too.
    """

    def __init__(self, n: int, level: float, rng: np.random.Generator) -> None:
        super().__init__(n, n)
        self.level, self.rng = level, rng

    def _forward(self, z: Floats, training: bool) -> Floats:
        if not training:
            return z
        return z + self.rng.uniform(-self.level, self.level, z.shape[1])

    def _backward(self, dz: Floats) -> Floats:
        return dz


def _received(net: Sequential, x: Floats) -> list[Floats]:
    """Return what each ReLU receives in training, noise included."""
    inputs = []
    for layer in net.layers:
        if isinstance(layer, ReLU):
            inputs.append(x)
        x = layer.forward(x, training=True)
    return inputs


def noisy_training(
    seed: int,
    *,
    data: str,
    batch_norm: bool,
    level: float,
    rate: float,
    target: float,
    at_most: int,
    every: int,
) -> dict[str, float]:
    """Train the ReLU network with shifts that change at every step, and watch what arrives.

    Parameters
    ----------
    seed, data, batch_norm, rate, target, at_most, every
        As for `steps_to`; the noise has its own stream.
    level : float
        Of `ShiftNoise`, behind each hidden layer's z or batch norm; 0 for none.

    Returns
    -------
    dict of str to float
        ``"steps"`` to the target, with the noise off, infinity if it is not reached; ``"drift"``:
        by how much the mean of what a ReLU receives changes between measurements, in standard
        deviations that it had before, the mean over units and measurements.
    """
    digits = load(seed, data)
    weights, order, noise = np.random.default_rng(seed).spawn(3)

    def norm(n: int) -> Layer:
        shifts = ShiftNoise(n, level, noise)
        return Sequential([BatchNorm(n), shifts]) if batch_norm else shifts

    net = mlp(sizes_for(digits), ReLU, norm, rng=weights)
    optimizer = GradientDescent(rate)
    probe = digits.x_train[:300]
    drifts: list[float] = []
    reached = float("inf")
    with np.errstate(over="ignore", invalid="ignore"):
        before = _received(net, probe)
        for done in range(every, at_most + 1, every):
            train(
                net,
                digits.x_train,
                digits.y_train,
                optimizer=optimizer,
                batch_size=BATCH_SIZE,
                steps=every,
                rng=order,
            )
            after = _received(net, probe)
            drifts.append(
                float(
                    np.mean(
                        [
                            np.abs(z.mean(axis=0) - old.mean(axis=0)) / (old.std(axis=0) + 1e-6)
                            for z, old in zip(after, before, strict=True)
                        ]
                    )
                )
            )
            before = after
            if full_statistics_accuracy(net, digits) >= target:
                reached = float(done)
                break
    return {"steps": reached, "drift": float(np.mean(drifts))}


def smoothness(seed: int, *, data: str, activation: str, batch_norm: bool, steps: int) -> float:
    """Return the effective β-smoothness along the gradient, the median over some steps."""
    kind = ACTIVATIONS[activation]
    every = steps // 10
    return intuition.runs.smoothness(
        seed, kind, batch_norm, steps=steps, every=every, digits=load(seed, data)
    ).beta


def fixed_length_accuracy(seed: int, *, data: str, rate: float, fixed: bool, steps: int) -> float:
    """Return the test accuracy with batch norm when weights may grow, or may not."""
    return intuition.runs.fixed_length_accuracy(seed, rate, fixed, steps, load(seed, data))


def gradient_growth(
    seed: int, *, data: str, activation: str, batch_norm: bool, depth: int
) -> float:
    """Return the factor by which a gradient grows per layer towards the input, at the start."""
    kind = ACTIVATIONS[activation]
    norms = intuition.runs.gradient_norms(seed, kind, batch_norm, depth, digits=load(seed, data))
    return intuition.runs.growth_per_layer(norms)


def ghost_loss(seed: int, *, data: str, ghost_size: int | None, images: int, steps: int) -> float:
    """Return the test loss after training on few examples in batches normalised in parts.

    With a ghost size of None, nothing is normalised.
    """
    found = minibatches.runs.ghost_losses(
        seed, ghost_size, images=images, steps=steps, digits=load(seed, data)
    )
    return found["test"]


#: Test accuracy that counts as trained: the authors' own dense network ends at 0.68 on MNIST-1D.
TARGETS = {"digits": 0.90, "mnist1d": 0.50}
#: A plain ReLU network at rate 0.1 needs about ten times as many steps to the target on MNIST-1D.
LONGER = 10
#: Learning rates of the range, half a decade apart, and initial gains, a decade apart.
RATES = tuple(float(f"{rate:.3g}") for rate in np.logspace(-2, 1, 7))
GAINS = tuple(float(f"{gain:.3g}") for gain in np.logspace(-3, 2, 6))


@dataclass(frozen=True)
class Side:
    """One of the two numbers that a sentence compares.

    Attributes
    ----------
    name : str
        As the table calls it.
    settings : mapping
        Of the row's run, those that the data decide left out.
    read : str
        Which number, where the run returns several.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    read: str = ""


@dataclass(frozen=True)
class Row:
    """A sentence of the book, as a comparison of two numbers that are paired by seed.

    Attributes
    ----------
    chapter : int
        Where it stands.
    sentence : str
        What the book says.
    quantity : str
        What is compared.
    run : callable
        What computes the numbers.
    more, less : Side
        The one that the sentence says is larger, and the other.
    form : str
        How a number is printed; empty for two digits.
    over : str
        A setting that has several values: each side takes its best (of steps), or counts how many
        decades of it reach the target (of accuracies).
    values : tuple of float
        Those values.
    alike : bool
        Whether the sentence says that there is no difference.
    longer : int
        How many times as many steps MNIST-1D gets; 1 where the sentence is about their number.
    """

    chapter: int
    sentence: str
    quantity: str
    run: Callable[..., Any]
    more: Side
    less: Side
    form: str = ".2f"
    over: str = ""
    values: tuple[float, ...] = ()
    alike: bool = False
    longer: int = LONGER

    def points(self, side: Side, data: str) -> list[dict[str, Any]]:
        """Return the settings of the side's runs on some data, one for each of `values`."""
        settings: dict[str, Any] = {"data": data, **side.settings}
        for name in {"steps", "at_most", "every"} & settings.keys():
            settings[name] *= self.longer if data == "mnist1d" else 1
        if "target" in inspect.signature(self.run).parameters:
            settings["target"] = TARGETS[data]
        return [settings | {self.over: value} for value in self.values] or [settings]


CLASSIC = {"activation": "sigmoid", "standardized": False, "at_most": 1000, "every": 10}
MODERN = {"activation": "ReLU", "standardized": True, "at_most": 100, "every": 2}
RELU = {"activation": "ReLU"}
SHIFTED = {"rate": 0.1, "at_most": 150, "every": 5}


def _without(**settings: Any) -> Side:
    return Side("without", settings | {"batch_norm": False})


def _with(**settings: Any) -> Side:
    return Side("with", settings | {"batch_norm": True})


ROWS = (
    Row(
        1,
        "The sigmoid network at learning rate 1 trains in fewer steps",
        "steps",
        steps_to,
        _without(**CLASSIC, rate=1.0),
        _with(**CLASSIC, rate=1.0),
        ",.0f",
    ),
    Row(
        1,
        "The sigmoid network at the better of rates 1 and 3 trains in fewer steps",
        "steps",
        steps_to,
        _without(**CLASSIC),
        _with(**CLASSIC),
        ",.0f",
        "rate",
        (1.0, 3.0),
    ),
    Row(
        1,
        "The modern network trains in fewer steps, each arm at its best rate",
        "steps",
        steps_to,
        _without(**MODERN),
        _with(**MODERN),
        ",.0f",
        "rate",
        (0.1, 0.3, 1.0, 3.0),
    ),
    Row(
        6,
        "At the moderate rate 0.1 the modern network gains little or nothing",
        "steps",
        steps_to,
        _without(**MODERN, rate=0.1),
        _with(**MODERN, rate=0.1),
        ",.0f",
        alike=True,
    ),
    Row(
        1,
        "More learning rates train",
        "decades",
        accuracy_after,
        _with(**RELU, steps=100),
        _without(**RELU, steps=100),
        ".1f",
        "rate",
        RATES,
    ),
    Row(
        1,
        "More initial weights train",
        "decades",
        accuracy_after,
        _with(**RELU, rate=0.1, steps=100),
        _without(**RELU, rate=0.1, steps=100),
        ".0f",
        "gain",
        GAINS,
    ),
    Row(
        1,
        "With batches of two, batch norm does harm",
        "accuracy",
        accuracy_after,
        _without(**RELU, rate=0.05, batch_size=2, steps=600),
        _with(**RELU, rate=0.05, batch_size=2, steps=600),
    ),
    Row(
        4,
        "With batches of one class each, batch norm does harm",
        "accuracy",
        accuracy_by_order,
        _without(order=minibatches.runs.ORDERS[2], steps=200),
        _with(order=minibatches.runs.ORDERS[2], steps=200),
    ),
    Row(
        6,
        "A prediction that depends on its batch-mates fails on a batch of one class",
        "accuracy",
        accuracy_in_company,
        Side("running statistics", {"rate": 0.1, "steps": 300}, "running"),
        Side("those of the batch", {"rate": 0.1, "steps": 300}, "one class"),
    ),
    Row(
        6,
        "An average that begins at 0 predicts badly until it is corrected",
        "accuracy",
        accuracy_by_average,
        Side("corrected", {"corrected": True, "decay": 0.999, "steps": 300}),
        Side("not", {"corrected": False, "decay": 0.999, "steps": 300}),
        longer=1,
    ),
    Row(
        5,
        "The contours become rounder, for ReLU",
        "spread",
        curvature_spread,
        _without(**RELU),
        _with(**RELU),
        "",
    ),
    Row(
        5,
        "The contours become rounder, for the sigmoid",
        "spread",
        curvature_spread,
        _without(activation="sigmoid"),
        _with(activation="sigmoid"),
        "",
    ),
    Row(
        5,
        "Over 60 steps the gradient shift is smaller, for ReLU",
        "shift",
        gradient_shift,
        _without(**RELU, steps=60),
        _with(**RELU, steps=60),
        longer=1,
    ),
    Row(
        5,
        "Over 60 steps the gradient shift is larger, for the sigmoid",
        "shift",
        gradient_shift,
        _with(activation="sigmoid", steps=60),
        _without(activation="sigmoid", steps=60),
        longer=1,
    ),
    Row(
        5,
        "Batch norm with noise on it drifts more than no batch norm",
        "drift",
        noisy_training,
        Side("with, and noise", SHIFTED | {"batch_norm": True, "level": 1.0}, "drift"),
        Side("without", SHIFTED | {"batch_norm": False, "level": 0.0}, "drift"),
    ),
    Row(
        5,
        "With that noise, batch norm trains in fewer steps than none without noise",
        "steps",
        noisy_training,
        Side("without", SHIFTED | {"batch_norm": False, "level": 0.0}, "steps"),
        Side("with, and noise", SHIFTED | {"batch_norm": True, "level": 1.0}, "steps"),
        ",.0f",
    ),
    Row(
        5,
        "Without batch norm the same noise slows training",
        "steps",
        noisy_training,
        Side("noise", SHIFTED | {"batch_norm": False, "level": 1.0}, "steps"),
        Side("none", SHIFTED | {"batch_norm": False, "level": 0.0}, "steps"),
        ",.0f",
    ),
    Row(
        5,
        "After equally many steps the landscape is smoother, for ReLU",
        "β",
        smoothness,
        _without(**RELU, steps=100),
        _with(**RELU, steps=100),
        ".1f",
    ),
    Row(
        5,
        "After equally many steps the landscape is rougher, for the sigmoid",
        "β",
        smoothness,
        _with(activation="sigmoid", steps=100),
        _without(activation="sigmoid", steps=100),
        ".1f",
    ),
    Row(
        5,
        "At rate 5, training with batch norm needs weights that may grow",
        "accuracy",
        fixed_length_accuracy,
        Side("free", {"rate": 5.0, "fixed": False, "steps": 200}),
        Side("fixed length", {"rate": 5.0, "fixed": True, "steps": 200}),
    ),
    Row(
        5,
        "Twenty layers of sigmoids train with batch norm only",
        "accuracy",
        accuracy_after,
        _with(activation="sigmoid", rate=1.0, layers=20, units=50, steps=300),
        _without(activation="sigmoid", rate=1.0, layers=20, units=50, steps=300),
        longer=3,
    ),
    Row(
        5,
        "In fifty layers of ReLU, gradients grow more per layer",
        "growth",
        gradient_growth,
        _with(**RELU, depth=50),
        _without(**RELU, depth=50),
    ),
    Row(
        5,
        "On few examples, ghost batches of 8 lower the test loss below that of 128",
        "loss",
        ghost_loss,
        Side("128", {"ghost_size": 128, "images": 300, "steps": 300}),
        Side("8", {"ghost_size": 8, "images": 300, "steps": 300}),
        longer=1,
    ),
    Row(
        5,
        "On few examples, ghost batches of 8 are level with no batch norm",
        "loss",
        ghost_loss,
        Side("none", {"ghost_size": None, "images": 300, "steps": 300}),
        Side("8", {"ghost_size": 8, "images": 300, "steps": 300}),
        alike=True,
        longer=1,
    ),
)


def _stored(run: Callable[..., Any], tolerance: float) -> StoredRun:
    """Return the stored run of all rows that a run computes."""
    points = [
        point
        for row in ROWS
        if row.run is run
        for data in TARGETS
        for side in (row.more, row.less)
        for point in row.points(side, data)
    ]
    unique = list({json.dumps(point, sort_keys=True): point for point in points}.values())
    return StoredRun(f"elsewhere_{run.__name__}", run, unique, SEEDS, tolerance)


# What a number may differ by on another processor, where long runs end a little elsewhere.
STEPS = _stored(steps_to, 200.0)
ACCURACIES = _stored(accuracy_after, 0.1)
BY_ORDER = _stored(accuracy_by_order, 0.1)
BY_AVERAGE = _stored(accuracy_by_average, 0.05)
IN_COMPANY = _stored(accuracy_in_company, 0.05)
SPREADS = _stored(curvature_spread, 1.0)
SHIFTS = _stored(gradient_shift, 0.01)
NOISY = _stored(noisy_training, 200.0)
SMOOTHNESS = _stored(smoothness, 0.5)
FIXED_LENGTH = _stored(fixed_length_accuracy, 0.1)
GROWTH = _stored(gradient_growth, 0.001)
GHOSTS = _stored(ghost_loss, 0.1)
STORED = (
    STEPS,
    ACCURACIES,
    BY_ORDER,
    BY_AVERAGE,
    IN_COMPANY,
    SPREADS,
    SHIFTS,
    NOISY,
    SMOOTHNESS,
    FIXED_LENGTH,
    GROWTH,
    GHOSTS,
)


@dataclass(frozen=True)
class Pairs:
    """The two numbers of a row on some data, seed by seed.

    Attributes
    ----------
    more, less : tuple of float
        Those of the side that the sentence says is larger, and of the other.
    exponents : bool
        Whether they are decades, so that their difference is a factor.
    most : float
        The steps after which a run was given up; a run that never arrived counts as these.
    """

    more: tuple[float, ...]
    less: tuple[float, ...]
    exponents: bool = False
    most: float = float("inf")

    @property
    def ratios(self) -> Floats:
        """More over less, for each seed."""
        more, less = (np.minimum(side, self.most) for side in (self.more, self.less))
        return np.asarray(10.0 ** (more - less) if self.exponents else more / less)

    @property
    def agree(self) -> bool:
        """Whether all pairs go the way that the sentence says."""
        return bool(np.all(self.ratios > 1))

    @property
    def opposed(self) -> bool:
        """Whether all pairs go the other way."""
        return bool(np.all(self.ratios < 1))

    @property
    def ratio(self) -> float:
        """The median ratio."""
        return float(np.median(self.ratios))


@dataclass(frozen=True)
class Outcome:
    """A row and what was measured.

    Attributes
    ----------
    row : Row
    digits, mnist1d : Pairs
    """

    row: Row
    digits: Pairs
    mnist1d: Pairs

    @property
    def verdict(self) -> str:
        """Return *holds*, *weaker* or *not*, by the rule that the page states."""
        if self.row.alike:
            seen = self.mnist1d.agree or self.mnist1d.opposed
            return "not" if seen else "holds"
        if not self.mnist1d.agree:
            return "not"
        share = np.log(self.mnist1d.ratio) / np.log(self.digits.ratio)
        return "holds" if share >= 0.5 else "weaker"


def pairs(row: Row, data: str) -> Pairs:
    """Return a row's numbers from the stored runs."""
    (stored,) = (stored for stored in STORED if stored.run is row.run)
    results = stored.load()
    (first, *_) = row.points(row.more, data)
    return Pairs(
        more=_numbers(row, row.more, data, results),
        less=_numbers(row, row.less, data, results),
        exponents=row.quantity == "decades",
        most=first.get("at_most", float("inf")),
    )


def _numbers(row: Row, side: Side, data: str, results: SweepResult) -> tuple[float, ...]:
    # `select` would also take runs that have further settings.
    found = [
        [run.result for run in results.runs if run.settings == point]
        for point in row.points(side, data)
    ]
    if side.read:
        found = [[result[side.read] for result in runs] for runs in found]
    if row.quantity == "decades":
        spacing = np.log10(row.values[1] / row.values[0])
        reached = np.sum(np.array(found) >= TARGETS[data], axis=0)
        return tuple(float(n) for n in np.round(spacing * reached, 6))
    return tuple(min(found, key=lambda runs: float(np.median(np.array(runs)))))


@dataclass(frozen=True)
class Comparison:
    """Every sentence on both data sets.

    Attributes
    ----------
    outcomes : tuple of Outcome
    card : Card
    """

    outcomes: tuple[Outcome, ...]
    card: Card | None = None

    def table(self, verdicts: bool) -> Table:
        """Return the table of the headlines, or of chapter 5's verdicts."""
        which = "The verdicts of chapter 5" if verdicts else "The headlines of the other chapters"
        columns: dict[str | tuple[str, str], str] = {"the book says": ""}
        for data in ("digits", "MNIST-1D"):
            columns |= {(data, "medians"): "", (data, "ratio"): ""}
        columns["verdict"] = ""
        return Table(
            [
                [
                    o.row.sentence
                    + ("" if verdicts else f" (chapter {o.row.chapter})")
                    + f": {o.row.quantity}, {o.row.more.name}\u00a0/\u00a0{o.row.less.name}",
                    *_cells(o.row, o.digits),
                    *_cells(o.row, o.mnist1d),
                    o.verdict,
                ]
                for o in self.outcomes
                if (o.row.chapter == VERDICTS) == verdicts
            ],
            columns,
            f"{which}, on both data sets: medians of {len(SEEDS)} seeds, and the median ratio; "
            "split: the seeds don't agree.",
            self.card,
        )


def _cells(row: Row, found: Pairs) -> tuple[str, str]:
    more, less = (float(np.median(np.array(side))) for side in (found.more, found.less))
    numbers = "\u00a0/\u00a0".join(_number(value, row.form) for value in (more, less))
    if not (found.agree or found.opposed):
        return numbers, "split"
    return numbers, f"{'over ' if np.isinf(more) else ''}{two_digits(found.ratio)}"


def _number(value: float, form: str) -> str:
    if np.isinf(value):
        return "never"
    return format(value, form) if form else two_digits(value)


def two_digits(value: float) -> str:
    """Return a number rounded to two digits, without an exponent: 7528.3 gives ``7,500``."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:.2g}"


@measured(
    question="Does what the book says of the digits hold on another data set?",
    control="The other arm of each comparison, with the same weights and batches.",
    mode="Test accuracies with the statistics of the whole training set, but for the two rows "
    "about predictions; losses and gradients in training mode.",
)
def comparison() -> Comparison:
    """Return all rows from the stored runs."""
    return Comparison(
        tuple(Outcome(row, pairs(row, "digits"), pairs(row, "mnist1d")) for row in ROWS)
    )


@dataclass(frozen=True)
class ByRate:
    """Steps of the modern network at each learning rate, on both data sets.

    Attributes
    ----------
    pairs : mapping of (str, float) to Pairs
        By data and learning rate: without over with batch norm.
    card : Card
    """

    pairs: Mapping[tuple[str, float], Pairs]
    card: Card | None = None

    def table(self) -> Table:
        """Return the table of the page."""
        rows = []
        for (data, rate), found in self.pairs.items():
            without, with_bn = (float(np.median(np.array(s))) for s in (found.more, found.less))
            faster = int(np.sum(found.ratios > 1))
            rows.append([NAMES[data], rate, without, with_bn, f"{faster} of {len(found.more)}"])
        return Table(
            rows,
            {
                "data": "",
                "learning rate": "g",
                "steps without": ",.0f",
                "steps with": ",.0f",
                "faster with": "",
            },
            f"The modern network at each rate, medians of {len(SEEDS)} seeds.",
            self.card,
        )


@measured(
    question="At which learning rates does batch norm save steps in the modern network?",
    control="The same weights and batches without it.",
    mode="Test accuracy with the statistics of the whole training set.",
)
def modern_by_rate() -> ByRate:
    """Return the steps of the modern network from the stored runs, rate by rate."""
    row = next(row for row in ROWS if row.more.settings.get("standardized") and row.over)
    return ByRate(
        {
            (data, rate): pairs(replace(row, values=(rate,)), data)
            for data in TARGETS
            for rate in row.values
        }
    )

"""The runs of chapter 2: ε, the sigmoid's window, γ and β, the backward pass, float32."""

from __future__ import annotations

import ast
import inspect
import textwrap
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np

from bncourse.activations import ReLU, Sigmoid, Tanh
from bncourse.arrays import Floats
from bncourse.chapters.common import (
    SIZES,
    full_statistics_accuracy,
    steps_to_accuracy,
    train_digits,
)
from bncourse.chapters.gaussian import gaussian_mean, relu, sigmoid
from bncourse.chapters.measured import measured
from bncourse.chapters.stored import StoredRun
from bncourse.data import load_digits, load_mnist1d
from bncourse.display.card import Card
from bncourse.layers import Dense, Layer
from bncourse.network import Sequential, mlp
from bncourse.normalization import BatchNorm, batch_norm, batch_norm_backward
from bncourse.statistics import population_statistics, preserve_statistics, set_statistics


def source(function: Callable[..., Any]) -> str:
    """Return the code of a function, to print in a page, without docstring and annotations.

    Parameters
    ----------
    function : callable
        Written in Python.

    Returns
    -------
    str
    """
    text = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(text).body[0]
    assert isinstance(definition, ast.FunctionDef)
    names = ", ".join(argument.arg for argument in definition.args.args)
    first = definition.body[ast.get_docstring(definition) is not None]
    # From the line after the docstring on: a comment may stand before the first statement.
    before = definition.body[0].end_lineno if first is not definition.body[0] else None
    start = before or first.lineno - 1
    return "\n".join([f"def {function.__name__}({names}):", *text.splitlines()[start or 0 :]])


def linear_r2(f: Callable[[Floats], Floats], mean: float = 0.0, sd: float = 1.0) -> float:
    """Return how much of the variance of f(z), for normal z, the best straight line explains.

    Parameters
    ----------
    f : callable
        Element-wise.
    mean, sd : float
        Of z.

    Returns
    -------
    float
        R², from 0 to 1.
    """
    f_mean = gaussian_mean(f, mean, sd)
    variance = gaussian_mean(lambda z: (f(z) - f_mean) ** 2, mean, sd)
    covariance = gaussian_mean(lambda z: (f(z) - f_mean) * (z - mean) / sd, mean, sd)
    return covariance**2 / variance


#: The activations of the window, by the names under which a reader chooses them.
CURVES: dict[str, Callable[[Floats], Floats]] = {"sigmoid": sigmoid, "tanh": np.tanh, "ReLU": relu}


class Window(NamedTuple):
    """The part of an activation that normal inputs see, and the straight line that fits it best.

    Attributes
    ----------
    name : str
        Of the activation, among `CURVES`.
    mean, sd : float
        Of the inputs.
    low, high : float
        Between them lie the middle 90 % of the outputs.
    centre, slope : float
        Value of the best line at `mean`, and its slope.
    r2 : float
        How much of the outputs' variance the line explains.
    """

    name: str
    mean: float
    sd: float
    low: float
    high: float
    centre: float
    slope: float
    r2: float

    def line(self, z: Floats) -> Floats:
        """Return the best line at z."""
        return self.centre + self.slope * (z - self.mean)


def window(name: str = "sigmoid", mean: float = 0.0, sd: float = 1.0) -> Window:
    """Measure how straight an activation is where inputs from N(mean, sd²) fall.

    Parameters
    ----------
    name : str
        Among `CURVES`.
    mean, sd : float
        Of the inputs z̃: β and the size of γ.

    Returns
    -------
    Window
    """
    f = CURVES[name]
    low, high = (float(f(np.array(mean + k * sd))) for k in (-1.645, 1.645))
    centre = gaussian_mean(f, mean, sd)
    slope = gaussian_mean(lambda z: f(z) * (z - mean), mean, sd) / sd**2
    return Window(name, mean, sd, low, high, centre, slope, linear_r2(f, mean, sd))


def window_outputs(name: str, mean: float, sd: float, draws: int = 2000, seed: int = 0) -> Floats:
    """Return an activation of draws from N(mean, sd²).

    Parameters
    ----------
    name : str
        Among `CURVES`.
    mean, sd : float
        Of the inputs.
    draws, seed : int
        How many, and of the generator.

    Returns
    -------
    array, shape (draws,)
    """
    return CURVES[name](mean + sd * np.random.default_rng(seed).normal(size=draws))


def norm_without_gamma_and_beta(width: int) -> BatchNorm:
    """Return a batch norm that only normalises."""
    return BatchNorm(width, affine=False)


norm_without_gamma_and_beta.__name__ = "batch norm with γ, β frozen at 1, 0"


class Frozen(NamedTuple):
    """A network with learned γ and β, or with none, after training.

    Attributes
    ----------
    loss : float
        Mean training loss of the last 24 steps, about one epoch, in nats.
    accuracy : float
        Test accuracy with full-train statistics.
    """

    loss: float
    accuracy: float


def affine_or_not(
    seed: int,
    affine: bool | None,
    activation: type[Layer] = Sigmoid,
    rate: float = 1.0,
    steps: int = 400,
) -> Frozen:
    """Train the book's network with γ and β learned, or fixed at 1 and 0.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    affine : bool or None
        Whether γ and β are there. None leaves out batch norm altogether.
    activation : type
        Of the hidden layers.
    rate : float
        Learning rate.
    steps : int
        Updates.

    Returns
    -------
    Frozen
    """
    init = "he" if activation is ReLU else "lecun"
    norm = BatchNorm if affine else norm_without_gamma_and_beta
    net, history = train_digits(
        seed, activation, affine is not None, rate, steps, init=init, norm=norm
    )
    return Frozen(float(np.mean(history.loss[-24:])), full_statistics_accuracy(net, load_digits()))


#: The activations of the stored runs, which know them by name.
ACTIVATIONS: dict[str, type[Layer]] = {"sigmoid": Sigmoid, "tanh": Tanh, "ReLU": ReLU}


def frozen_run(
    seed: int, activation: str, learning_rate: float, affine: bool | None
) -> list[float]:
    """Return the loss and the accuracy of `affine_or_not`, for an activation by name."""
    return list(affine_or_not(seed, affine, ACTIVATIONS[activation], learning_rate))


#: Of the sigmoid and of the ReLU alike.
FROZEN_RATES = (0.1, 0.3, 1.0)
FROZEN_STORED = StoredRun(
    "frozen",
    frozen_run,
    {
        "activation": ["sigmoid", "ReLU"],
        "learning_rate": FROZEN_RATES,
        "affine": [True, False, None],
    },
    seeds=range(5),
    tolerance=0.02,
)


@dataclass(frozen=True)
class Freezing:
    """What frozen γ and β cost, and what no batch norm costs, paired by seed.

    Attributes
    ----------
    rows : list of tuple
        Activation, learning rate, arm, median training loss, the smallest and the largest ratio
        to the loss with learned γ and β, median test accuracy.
    """

    rows: list[tuple[str, float, str, float, float, float, float]]
    card: Card | None = None

    def side_by_side(self) -> list[list[Any]]:
        """Return a row for each activation and rate: the loss, both ratios, three accuracies."""
        wide = []
        for learned, frozen, without in zip(*(self.rows[k::3] for k in range(3)), strict=True):
            ratios = [
                _span(np.array(row[4:6]), digits=1 if row[5] < 100 else 0)
                for row in (frozen, without)
            ]
            accuracies = [row[6] for row in (learned, frozen, without)]
            wide.append([f"{learned[0]}, rate {learned[1]:g}", learned[3], *ratios, *accuracies])
        return wide


#: Whether γ and β are there, and what a table calls it.
FROZEN_ARMS = ((True, "γ, β learned"), (False, "γ, β frozen"), (None, "no batch norm"))


@measured(
    question="What do γ and β buy: what is lost when they are frozen at 1 and 0?",
    control="The same weights and batches with learned γ and β, and without batch norm at all, "
    "paired by seed.",
    mode="Loss in training mode, mean of the last 24 of 400 steps; test accuracy in evaluation "
    "mode, with the statistics of the whole training set.",
)
def freezing() -> Freezing:
    """Compare learned with frozen γ and β, and with no batch norm, over five seeds.

    Returns
    -------
    Freezing
    """
    stored = FROZEN_STORED.load()
    rows = []
    for name in ("sigmoid", "ReLU"):
        for rate in FROZEN_RATES:
            losses = {}
            for affine, arm in FROZEN_ARMS:
                of_seeds = stored.select(activation=name, learning_rate=rate, affine=affine)
                losses[affine], accuracies = np.array(of_seeds).T
                ratio = losses[affine] / losses[True]
                low, high, loss = float(ratio.min()), float(ratio.max()), np.median(losses[affine])
                rows.append(
                    (name, rate, arm, float(loss), low, high, float(np.median(accuracies)))
                )
    return Freezing(rows)


class Identity(Layer):
    """No activation at all."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        return z

    def _backward(self, dz: Floats) -> Floats:
        return dz


def harder_run(
    seed: int, activation: str, learning_rate: float, affine: bool | None, steps: int
) -> float:
    """Return the test accuracy on MNIST-1D with γ and β learned, frozen, or without batch norm.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    activation : str
        Of the hidden layers: among `ACTIVATIONS`, or "none".
    learning_rate : float
        Of plain gradient descent.
    affine : bool or None
        Whether γ and β are there. None leaves out batch norm altogether.
    steps : int
        Updates.

    Returns
    -------
    float
        With full-train statistics.
    """
    digits = load_mnist1d()
    net, _ = train_digits(
        seed,
        ACTIVATIONS.get(activation, Identity),
        affine is not None,
        learning_rate,
        steps,
        init="he" if activation == "ReLU" else "lecun",
        norm=BatchNorm if affine else norm_without_gamma_and_beta,
        digits=digits,
    )
    return full_statistics_accuracy(net, digits)


#: Activation, learning rate, steps: 2,000 are 30 epochs. Each has the arms of `FROZEN_ARMS`.
HARDER_SETTINGS = (
    ("sigmoid", 0.1, 2000),
    ("sigmoid", 0.3, 2000),
    ("sigmoid", 1.0, 2000),
    ("sigmoid", 0.3, 6000),
    ("ReLU", 0.1, 2000),
    ("ReLU", 0.3, 2000),
)


#: Without any activation, and so with nothing that γ and β could change, as a control.
HARDER_LINEAR = ("none", 0.3, 2000)
HARDER_STORED = StoredRun(
    "frozen_mnist1d",
    harder_run,
    [
        {"activation": name, "learning_rate": rate, "affine": affine, "steps": steps}
        for name, rate, steps in HARDER_SETTINGS
        for affine in (True, False, None)
    ]
    + [{"activation": "none", "learning_rate": 0.3, "affine": False, "steps": 2000}],
    seeds=range(5),
    tolerance=0.05,
)


@dataclass(frozen=True)
class Harder:
    """What frozen γ and β cost in test accuracy on MNIST-1D.

    Attributes
    ----------
    accuracies : dict
        By activation, learning rate and steps, and then by whether γ and β are there (None: no
        batch norm), of each seed.
    """

    accuracies: dict[tuple[str, float, int], dict[bool | None, list[float]]]
    card: Card | None = None

    def rows(self) -> list[list[Any]]:
        """Return a row for each setting, with the range of each arm; no arm, no text."""
        return [
            [
                *setting,
                *(_span(np.array(of[k])) if k in of else "" for k, _ in FROZEN_ARMS),
            ]
            for setting, of in self.accuracies.items()
        ]


@measured(
    question="On data on which a linear network fails: what do γ and β buy in test accuracy?",
    control="The same weights and batches with learned γ and β, without batch norm at all, and "
    "without any activation, paired by seed.",
    mode="Test accuracy on MNIST-1D in evaluation mode, with the statistics of the whole "
    "training set.",
)
def harder() -> Harder:
    """Compare learned with frozen γ and β on MNIST-1D over five seeds.

    Returns
    -------
    Harder
    """
    stored = HARDER_STORED.load()
    accuracies: dict[tuple[str, float, int], dict[bool | None, list[float]]] = {}
    for name, rate, steps in (*HARDER_SETTINGS, HARDER_LINEAR):
        of_arms = {
            affine: stored.select(activation=name, learning_rate=rate, affine=affine, steps=steps)
            for affine, _ in FROZEN_ARMS
        }
        accuracies[name, rate, steps] = {k: of for k, of in of_arms.items() if of}
    return Harder(accuracies)


class Straightness(NamedTuple):
    """How near to one affine map a trained network is, and how good.

    Attributes
    ----------
    share : float
        R²: the share of the variance of the logits, over the training images and with their
        statistics, that the best affine map from pixels to logits explains.
    accuracy : float
        Test accuracy with full-train statistics.
    """

    share: float
    accuracy: float


def affine_share(
    seed: int, activation: type[Layer], steps: int = 600, rate: float = 1.0
) -> Straightness:
    """Train six normalised layers without γ and β; return how near to one affine map they are.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    activation : type
        Of the six hidden layers of 50 units.
    steps : int
        Updates.
    rate : float
        Learning rate.

    Returns
    -------
    Straightness
    """
    sizes = (64, *[50] * 6, 10)
    net, _ = train_digits(
        seed,
        activation,
        True,
        rate,
        steps,
        init="lecun",
        norm=norm_without_gamma_and_beta,
        sizes=sizes,
    )
    digits = load_digits()
    with preserve_statistics(net):
        set_statistics(net, population_statistics(net, digits.x_train))
        logits = net.forward(digits.x_train, training=False)
    pixels = np.column_stack([digits.x_train, np.ones(len(digits.x_train))])
    best, *_ = np.linalg.lstsq(pixels, logits, rcond=None)
    left = np.sum((logits - pixels @ best) ** 2)
    share = float(1.0 - left / np.sum((logits - logits.mean(axis=0)) ** 2))
    return Straightness(share, full_statistics_accuracy(net, digits))


def straightness_run(seed: int, activation: str, steps: int) -> list[float]:
    """Return the share and the accuracy of `affine_share`, for an activation by name."""
    return list(affine_share(seed, ACTIVATIONS.get(activation, Identity), steps))


STRAIGHTNESS_STEPS = (60, 600, 2000)
STRAIGHTNESS_STORED = StoredRun(
    "straightness",
    straightness_run,
    {"activation": ["none", *ACTIVATIONS], "steps": STRAIGHTNESS_STEPS},
    seeds=range(5),
    tolerance=0.02,
)


@dataclass(frozen=True)
class AffineShares:
    """How near to one affine map six normalised layers are, by activation.

    Attributes
    ----------
    rows : list of tuple
        Activation; after 600 steps the median share, its smallest and its largest value and the
        median test accuracy; the median shares after 60 and after 2,000 steps.
    """

    rows: list[tuple[str, float, float, float, float, float, float]]
    card: Card | None = None


@measured(
    question="How much of a trained stack of six normalised layers without γ and β could one "
    "affine map of the pixels do?",
    control="The same stack without any activation, which is one affine map.",
    mode="Logits of the training images and test accuracy in evaluation mode, with the "
    "statistics of the whole training set.",
)
def affine_shares() -> AffineShares:
    """Compare the affine shares of no activation, sigmoid, tanh and ReLU over five seeds.

    Returns
    -------
    AffineShares
    """
    stored = STRAIGHTNESS_STORED.load()
    rows = []
    for name in ("none", *ACTIVATIONS):
        early, shares, late = (
            np.array(stored.select(activation=name, steps=steps)).T for steps in STRAIGHTNESS_STEPS
        )
        middle, accuracy = (float(np.median(values)) for values in shares)
        ends = float(np.median(early[0])), float(np.median(late[0]))
        low, high = float(shares[0].min()), float(shares[0].max())
        rows.append((name, middle, low, high, accuracy, *ends))
    return AffineShares(rows)


def norm_on_z(width: int) -> BatchNorm:
    """Return a batch norm that its card calls by its place."""
    return BatchNorm(width)


def norm_on_a(width: int) -> BatchNorm:
    """Return a batch norm that its card calls by its place."""
    return BatchNorm(width)


norm_on_z.__name__, norm_on_a.__name__ = "batch norm on z", "batch norm on a"


def placement_steps(
    seed: int, place: str | None, activation: type[Layer], rate: float = 0.1
) -> float:
    """Return the steps to 90 % with batch norm on z or on a, checked every 2, at most 300.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    place : {"z", "a"} or None
        Where batch norm is. None leaves it out.
    activation : type
        Of the hidden layers.
    rate : float
        Learning rate.

    Returns
    -------
    float
        Infinity if 90 % was not reached.
    """
    init = "he" if activation is ReLU else "lecun"
    return steps_to_accuracy(
        seed,
        activation,
        place is not None,
        rate,
        norm=norm_on_a if place == "a" else norm_on_z,
        norm_position=place or "z",
        init=init,
        at_most=300,
        every=2,
    )


def placement_run(seed: int, activation: str, place: str | None, learning_rate: float) -> float:
    """Return `placement_steps`, for an activation by name."""
    return placement_steps(seed, place, ACTIVATIONS[activation], learning_rate)


PLACEMENT_RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
PLACEMENT_STORED = StoredRun(
    "placement",
    placement_run,
    {"activation": list(ACTIVATIONS), "place": [None, "z", "a"], "learning_rate": PLACEMENT_RATES},
    seeds=range(5),
    tolerance=8.0,
)


@dataclass(frozen=True)
class Placement:
    """Steps to 90 % with batch norm on z, on a and nowhere, each at its best learning rate.

    Attributes
    ----------
    rows : list of tuple
        Activation, place, best rate (or none), and of the steps there the median, the smallest
        and the largest.
    faster_on_a : dict of str to int
        By activation, in how many of the five seeds a at its best rate took fewer steps than z at
        its own.
    steps : dict
        By activation, place and learning rate, of each seed.
    """

    rows: list[tuple[str, str, str, float, float, float]]
    faster_on_a: dict[str, int]
    steps: dict[tuple[str, str, float], list[float]]
    card: Card | None = None

    def by_rate(self) -> list[list[str]]:
        """Return a row for each activation and place, with the range of the steps by rate."""
        return [
            [name, place, *(_steps(self.steps[name, place, rate]) for rate in PLACEMENT_RATES)]
            for name, place, *_ in self.rows
        ]


def _steps(values: Sequence[float]) -> str:
    """Return the range of some steps in words: how many never arrived, if some did."""
    arrived = [value for value in values if np.isfinite(value)]
    if not arrived:
        return "never"
    low, high = f"{min(arrived):.0f}", f"{max(arrived):.0f}"
    span = low if low == high else f"{low}–{high}"
    missing = len(values) - len(arrived)
    return f"{span}, {missing} never" if missing else span


@measured(
    question="Does it matter whether z or a is normalised, and at which learning rates?",
    control="The same weights and batches without batch norm, at the same rates, paired by seed.",
    mode="Test accuracy in evaluation mode, with the statistics of the whole training set, "
    "every 2 steps.",
)
def placement() -> Placement:
    """Compare the steps to 90 % at the best of six learning rates, over five seeds.

    Returns
    -------
    Placement
    """
    stored = PLACEMENT_STORED.load()
    rows, faster = [], {}
    every: dict[tuple[str, str, float], list[float]] = {}
    for name in ACTIVATIONS:
        of_place = {}
        for place, text in ((None, "none"), ("z", "on z"), ("a", "on a")):
            steps = {
                rate: stored.select(activation=name, place=place, learning_rate=rate)
                for rate in PLACEMENT_RATES
            }
            every |= {(name, text, rate): values for rate, values in steps.items()}
            # Of rates with one median the one with the lower mean.
            best = min(steps, key=lambda r: (np.median(steps[r]), np.mean(steps[r])))
            of_place[place] = of_seeds = np.array(steps[best])
            rate = f"{best:g}" if np.isfinite(of_seeds).any() else "none"
            middle = float(np.median(of_seeds))
            rows.append((name, text, rate, middle, float(of_seeds.min()), float(of_seeds.max())))
        faster[name] = int(np.sum(of_place["a"] < of_place["z"]))
    return Placement(rows, faster, every)


def rescaled_sigmoid(centre: float, scale: float) -> type[Layer]:
    """Return an activation that subtracts a constant from the sigmoid and divides by another.

    Parameters
    ----------
    centre, scale : float
        The two constants.

    Returns
    -------
    type
        A layer's class.
    """

    class RescaledSigmoid(Sigmoid):
        """The sigmoid, moved and stretched."""

        def _forward(self, z: Floats, training: bool) -> Floats:
            a: Floats = (super()._forward(z, training) - centre) / scale
            return a

        def _backward(self, da: Floats) -> Floats:
            return super()._backward(da) / scale

    RescaledSigmoid.__name__ = "Sigmoid"
    if (centre, scale) != (0.0, 1.0):
        RescaledSigmoid.__name__ = f"(Sigmoid − {centre:g}) / {scale:.3g}"
    return RescaledSigmoid


#: Standard deviation of the sigmoid on N(0, 1).
SPREAD = float(np.sqrt(gaussian_mean(lambda z: (sigmoid(z) - 0.5) ** 2)))
#: What is subtracted from the sigmoid, what it is divided by, where batch norm is, and which of
#: the three hidden layers are repaired.
REPAIRS = {
    "as it is": (0.0, 1.0, "z", (1, 2, 3)),
    "rescaled": (0.0, SPREAD, "z", (1, 2, 3)),
    "centred": (0.5, 1.0, "z", (1, 2, 3)),
    "centred and rescaled": (0.5, SPREAD, "z", (1, 2, 3)),
    "both, in layers 1 and 2 only": (0.5, SPREAD, "z", (1, 2)),
    "both, in layer 3 only": (0.5, SPREAD, "z", (3,)),
    "centred, in layer 3 only": (0.5, 1.0, "z", (3,)),
    "as it is, batch norm on a": (0.0, 1.0, "a", (1, 2, 3)),
}


def repaired(centre: float, scale: float, layers: Sequence[int]) -> type[Layer]:
    """Return what makes the hidden layers' activations, one call a layer: some are repaired.

    Parameters
    ----------
    centre, scale : float
        As for `rescaled_sigmoid`.
    layers : sequence of int
        The hidden layers, counted from 1, that are repaired; the others are plain sigmoids.

    Returns
    -------
    callable
        For one network.
    """
    mended = rescaled_sigmoid(centre, scale)
    kinds = iter([mended if k in layers else Sigmoid for k in range(1, len(SIZES) - 1)])

    def make() -> Layer:
        return next(kinds)()

    make.__name__ = mended.__name__
    return cast("type[Layer]", make)


def repair_run(seed: int, repair: str, learning_rate: float) -> float:
    """Return `placement_steps` with one of `REPAIRS`."""
    centre, scale, place, layers = REPAIRS[repair]
    return placement_steps(seed, place, repaired(centre, scale, layers), learning_rate)


REPAIRS_STORED = StoredRun(
    "repairs",
    repair_run,
    {"repair": list(REPAIRS), "learning_rate": PLACEMENT_RATES},
    seeds=range(5),
    tolerance=8.0,
)


@dataclass(frozen=True)
class Repairs:
    """Steps to 90 % with batch norm on z and a sigmoid that is centred, rescaled or both.

    Attributes
    ----------
    spread : float
        What the sigmoid is divided by: its standard deviation on N(0, 1).
    steps : dict
        By what was done and the learning rate, of each seed.
    """

    spread: float
    steps: dict[str, dict[float, list[float]]]
    card: Card | None = None

    def best(self, repair: str) -> list[float]:
        """Return the steps at the rate with the lowest median, and of those the lowest mean."""
        return min(self.steps[repair].values(), key=lambda of: (np.median(of), np.mean(of)))

    def rows(self) -> list[list[str]]:
        """Return a row for each repair with the ranges of its steps at each rate."""
        return [
            [name, *(_steps(of_seeds) for of_seeds in of_rates.values())]
            for name, of_rates in self.steps.items()
        ]


@measured(
    question="What does the sigmoid lack when z is normalised: a mean of 0, or a larger spread? "
    "And in which layer?",
    control="The sigmoid as it is, and batch norm on a, which gives both.",
    mode="Test accuracy in evaluation mode, with the statistics of the whole training set, "
    "every 2 steps.",
)
def repairs() -> Repairs:
    """Compare the repairs of the sigmoid at six rates, over five seeds.

    Returns
    -------
    Repairs
    """
    stored = REPAIRS_STORED.load()
    steps = {
        name: {rate: stored.select(repair=name, learning_rate=rate) for rate in PLACEMENT_RATES}
        for name in REPAIRS
    }
    return Repairs(SPREAD, steps)


def with_epsilon(epsilon: float) -> Callable[[int], BatchNorm]:
    """Return what makes a batch norm with this ε, for `train_digits`."""

    def norm(width: int) -> BatchNorm:
        return BatchNorm(width, epsilon=epsilon)

    norm.__name__ = f"ε = {epsilon:g}"
    return norm


def epsilon_run(seed: int, epsilon: float, learning_rate: float = 0.1, steps: int = 60) -> float:
    """Return the test accuracy of the ReLU network with this ε after some steps."""
    net, _ = train_digits(seed, ReLU, True, learning_rate, steps, norm=with_epsilon(epsilon))
    return full_statistics_accuracy(net, load_digits())


EPSILONS = (1e-12, 1e-5, 0.1, 1.0, 10.0)
#: Learning rate and steps.
EPSILON_SETTINGS = ((0.1, 60), (0.3, 60), (1.0, 300))
EPSILON_STORED = StoredRun(
    "epsilons",
    epsilon_run,
    [
        {"epsilon": epsilon, "learning_rate": rate, "steps": steps}
        for rate, steps in EPSILON_SETTINGS
        for epsilon in EPSILONS
    ],
    seeds=range(5),
    tolerance=0.03,
)


@dataclass(frozen=True)
class Epsilons:
    """Test accuracies by ε.

    Attributes
    ----------
    scores : dict
        By ε, learning rate and steps, the test accuracy of each seed.
    """

    scores: dict[tuple[float, float, int], list[float]]
    card: Card | None = None

    def rows(self) -> list[list[Any]]:
        """Return a row for each ε, with the ranges in each of `EPSILON_SETTINGS`."""
        return [
            [epsilon, *(_span(np.array(self.scores[epsilon, *s])) for s in EPSILON_SETTINGS)]
            for epsilon in EPSILONS
        ]


@measured(
    question="How large may ε be before it does harm, and how small?",
    control="The default, 1e-5, with the same weights and batches, paired by seed.",
    mode="Test accuracy in evaluation mode, with the statistics of the whole training set.",
)
def epsilon_range() -> Epsilons:
    """Train the ReLU network with several ε at three learning rates, over five seeds.

    Returns
    -------
    Epsilons
    """
    stored = EPSILON_STORED.load()
    scores = {
        (epsilon, rate, steps): stored.select(epsilon=epsilon, learning_rate=rate, steps=steps)
        for rate, steps in EPSILON_SETTINGS
        for epsilon in EPSILONS
    }
    return Epsilons(scores)


class StoppedBatchNorm(BatchNorm):
    """Batch norm whose backward pass takes μ and σ² for constants: a mistake, on purpose."""

    def _backward(self, dz: Floats) -> Floats:
        super()._backward(dz)
        assert self.cache is not None
        return dz * (self.cache.gamma * self.cache.inv_std)


def stopped_losses(seed: int, stopped: bool, steps: int = 300, rate: float = 0.1) -> list[float]:
    """Return the training losses with the right backward pass, or with the stopped one.

    Parameters
    ----------
    seed : int
        Of weights and batches; the same for both.
    stopped : bool
        Whether the gradient is stopped at μ and σ².
    steps : int
        Updates.
    rate : float
        Learning rate.

    Returns
    -------
    list of float
        In nats.
    """
    norm = StoppedBatchNorm if stopped else BatchNorm
    _, history = train_digits(seed, ReLU, True, rate, steps, norm=norm)
    return history.loss


#: The four dots of the course.
DOTS = np.array([[1.0], [3.0], [5.0], [7.0]])


class Quotients(NamedTuple):
    """How far central differences are from two formulas of dz, for the four dots.

    Attributes
    ----------
    steps : array, shape (k,)
        h.
    right, wrong : array, shape (k,)
        Largest difference, relative to the largest entry of dz: of the whole formula, and of the
        one that stops at σ².
    """

    steps: Floats
    right: Floats
    wrong: Floats


def difference_quotients(steps: Sequence[float] | Floats) -> Quotients:
    """Return how the difference to central differences depends on their step.

    The cost is the square of the output of the dot at 7, with γ = 2, β = 1 and ε = 10⁻⁵.

    Parameters
    ----------
    steps : sequence of float
        Values of h.

    Returns
    -------
    Quotients
    """
    gamma, beta, epsilon, m = np.array([2.0]), np.array([1.0]), 1e-5, len(DOTS)

    def cost(z: Floats) -> float:
        return float(batch_norm(z, gamma, beta, epsilon)[0][-1, 0] ** 2)

    z_tilde, cache = batch_norm(DOTS, gamma, beta, epsilon)
    dz_tilde = np.zeros_like(z_tilde)
    dz_tilde[-1] = 2 * z_tilde[-1]
    dz, dgamma, _ = batch_norm_backward(dz_tilde, cache)
    without = dz + gamma * cache.inv_std * cache.z_norm * dgamma / m
    errors = []
    for h in steps:
        nudges = h * np.eye(m)[:, :, np.newaxis]
        slopes = [(cost(DOTS + nudge) - cost(DOTS - nudge)) / (2 * h) for nudge in nudges]
        numeric = np.reshape(slopes, dz.shape)
        errors.append([np.abs(numeric - f).max() / np.abs(dz).max() for f in (dz, without)])
    right, wrong = np.transpose(errors)
    return Quotients(np.asarray(steps, float), right, wrong)


def first_colleague(dz_tilde: Floats, z_norm: Floats, std: Floats, gamma: Floats) -> Floats:
    """Return dz with a mistake, to be found from what it returns."""
    dz: Floats = gamma / std * (dz_tilde - z_norm * np.mean(dz_tilde * z_norm, axis=0))
    return dz


def second_colleague(dz_tilde: Floats, z_norm: Floats, std: Floats, gamma: Floats) -> Floats:
    """Return dz with another mistake."""
    dz: Floats = gamma / std * (dz_tilde - np.mean(dz_tilde, axis=0))
    return dz


def without_gamma_and_beta(n: int) -> BatchNorm:
    """Return a batch norm whose γ and β stay 1 and 0; its backward pass is whole."""
    return BatchNorm(n, affine=False)


#: Steps of the running means of a loss: about one epoch.
EPOCH = 24


@dataclass(frozen=True)
class Paths:
    """What training does with each of several backward passes.

    Attributes
    ----------
    arms : tuple of str
        What each backward pass is.
    losses : array, shape (arms, seeds, steps)
        Of each step, in nats.
    means : array, shape (arms, seeds, steps)
        |μ| of the first layer's z over the batch, mean over the units.
    lengths : array, shape (arms, seeds, steps)
        ‖w‖ of the first layer, all units together.
    accuracies : array, shape (arms, seeds)
        Of the test images, after training.
    card : Card
    """

    arms: tuple[str, ...]
    losses: Floats
    means: Floats
    lengths: Floats
    accuracies: Floats
    card: Card | None = None

    @property
    def smooth(self) -> Floats:
        """Running means of the losses over `EPOCH` steps: the first is that of steps 1 to 24."""
        windows = np.lib.stride_tricks.sliding_window_view(self.losses, EPOCH, axis=-1)
        return np.asarray(windows.mean(axis=-1))

    def rows(self) -> list[list[Any]]:
        """Return the state before training, and each arm's lowest and last loss and its end.

        Of the first layer |μ| and ‖w‖, then the accuracy; each is a range over the seeds.
        """
        lowest, last = self.smooth.min(axis=-1), self.smooth[..., -1]
        first = self.means[..., 0], self.lengths[..., 0]
        before = ["before training", "", "", _span(first[0]), _span(first[1], 1), ""]
        return [before] + [
            [
                arm,
                _span(lowest[k]),
                _span(last[k]),
                _span(self.means[k, :, -1]),
                _span(self.lengths[k, :, -1], 1),
                _span(self.accuracies[k]),
            ]
            for k, arm in enumerate(self.arms)
        ]


def _span(values: Floats, digits: int = 2) -> str:
    """Return the range of a few numbers in words: one number if they are alike."""
    low, high = (f"{value:.{digits}f}" for value in (values.min(), values.max()))
    return low if low == high else f"{low}–{high}"


@measured(
    question="What does training do when the gradient does not come back along all paths?",
    control="Batch norm with its whole backward pass, from the same weights and batches, paired "
    "by seed.",
    mode="Losses, means and lengths in training mode, with the batch's statistics; test accuracy "
    "with the statistics of the whole training set.",
)
def train_with(
    norms: Mapping[str, Callable[[int], Layer]],
    seeds: Sequence[int] = range(5),
    steps: int = 300,
    rate: float = 0.1,
) -> Paths:
    """Train the book's ReLU network with several kinds of batch norm, and watch its first layer.

    Parameters
    ----------
    norms : mapping of str to callable
        What batch norm is in each arm.
    seeds : sequence of int
        The same weights and batches in each arm.
    steps : int
        Updates.
    rate : float
        Learning rate.

    Returns
    -------
    Paths
    """
    shape = len(norms), len(seeds), steps
    losses, means, lengths = np.empty(shape), np.empty(shape), np.empty(shape)
    accuracies = np.empty(shape[:2])
    for arm, norm in enumerate(norms.values()):
        for k, seed in enumerate(seeds):
            watched: list[tuple[float, float]] = []

            def watch(net: Sequential, watched: list[tuple[float, float]] = watched) -> None:
                dense, cache = net.layers[0], net.batch_norms[0].cache
                assert isinstance(dense, Dense)
                assert cache is not None
                length = float(np.linalg.norm(dense.w))
                watched.append((float(np.mean(np.abs(cache.mean))), length))

            net, history = train_digits(
                seed, ReLU, True, rate, steps, norm=norm, after_backward=watch
            )
            losses[arm, k] = history.loss
            means[arm, k], lengths[arm, k] = np.transpose(watched)
            accuracies[arm, k] = full_statistics_accuracy(net, load_digits())
    return Paths(tuple(norms), losses, means, lengths, accuracies)


def float32_variances(exponent: float, formula: str, m: int = 60, units: int = 200) -> Floats:
    """Return the variances of units whose true one is near 1, computed in float32.

    Parameters
    ----------
    exponent : float
        log₁₀ of the units' mean; their standard deviation is 1.
    formula : str
        ``"one pass"``: mean(z²) − mean(z)². ``"two passes"``: mean((z − mean(z))²).
    m, units : int
        Shape of the batch.

    Returns
    -------
    array, shape (units,)
    """
    z = _large_mean(exponent, m, units)
    # Sums down axis 0 add row after row on every machine; the order of a product's is its own.
    mu = z.sum(axis=0) / np.float32(m)
    one_pass: Floats = (z * z).sum(axis=0) / np.float32(m) - mu * mu
    two_passes: Floats = np.square(z - mu).sum(axis=0) / np.float32(m)
    return one_pass if formula == "one pass" else two_passes


def _large_mean(exponent: float, m: int, units: int) -> Floats:
    draws = np.random.default_rng(0).normal(10.0**exponent, 1.0, (m, units))
    z: Floats = draws.astype(np.float32)
    return z


class VarianceErrors(NamedTuple):
    """Relative errors of a variance in float32.

    Attributes
    ----------
    means : array, shape (k,)
        Mean of the data; the standard deviation is 1.
    one_pass, two_pass : array, shape (k,)
        |computed − exact| / exact, median over units.
    negative : array, shape (k,)
        Share of units whose one-pass variance is below zero.
    """

    means: Floats
    one_pass: Floats
    two_pass: Floats
    negative: Floats


def variance_errors(exponents: Sequence[float] | Floats) -> VarianceErrors:
    """Compare the two ways of `float32_variances` with float64.

    Parameters
    ----------
    exponents : sequence of float
        log₁₀ of the means of the data.

    Returns
    -------
    VarianceErrors
    """
    rows = []
    for exponent in exponents:
        exact = _large_mean(exponent, 60, 200).astype(np.float64).var(axis=0)
        one, two = (float32_variances(exponent, f) for f in ("one pass", "two passes"))
        rows.append(
            [float(np.median(np.abs(v - exact) / exact)) for v in (one, two)]
            + [float(np.mean(one < 0))]
        )
    one_pass, two_pass, negative = np.array(rows).T
    return VarianceErrors(10.0 ** np.asarray(exponents, float), one_pass, two_pass, negative)


def sum_errors(m: int, seed: int = 0) -> tuple[float, float]:
    """Return the errors of two float32 means down the batch, relative to float64.

    Parameters
    ----------
    m : int
        Examples.
    seed : int
        Of 1,000 units with mean 1 and standard deviation 1.

    Returns
    -------
    sequential, product : float
        Root mean square error of ``a.sum(axis=0) / m`` and of ``ones @ a / m``.
    """
    a = np.random.default_rng(seed).normal(1.0, 1.0, (m, 1000)).astype(np.float32)
    exact = a.astype(np.float64).mean(axis=0)
    sequential, product = (
        float(np.sqrt(np.mean((total / np.float32(m) - exact) ** 2)))
        for total in (a.sum(axis=0), np.ones(m, np.float32) @ a)
    )
    return sequential, product


def peak_memory(function: Callable[[], object]) -> int:
    """Return the most bytes that a call had allocated at once, its result included.

    Parameters
    ----------
    function : callable
        Without arguments.

    Returns
    -------
    int
    """
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def fresh_network(seed: int = 0) -> Sequential:
    """Return the book's ReLU network with batch norm before training."""
    return mlp(SIZES, ReLU, rng=np.random.default_rng(seed))


class Calculation(NamedTuple):
    """The four equations on one unit's batch.

    Attributes
    ----------
    mu, var : float
        Mean and biased variance.
    z_norm, z_tilde : array, shape (m,)
        NaN where the formula gives no number.
    """

    mu: float
    var: float
    z_norm: Floats
    z_tilde: Floats


def calculate(z: Floats, gamma: float, beta: float, epsilon: float) -> Calculation:
    """Return the four equations as they are written, with no protection against bad values.

    Parameters
    ----------
    z : array, shape (m,)
        One unit's values.
    gamma, beta : float
        Scale and shift.
    epsilon : float
        Added to the variance under the root; it may be 0 or negative here.

    Returns
    -------
    Calculation
    """
    mu = float(np.mean(z))
    var = float(np.mean((z - mu) ** 2))
    # 0/0 and the root of a negative number are part of the lesson.
    with np.errstate(invalid="ignore", divide="ignore"):
        z_norm = (z - mu) / np.sqrt(np.float64(var + epsilon))
    return Calculation(mu, var, z_norm, gamma * z_norm + beta)

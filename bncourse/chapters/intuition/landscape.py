"""The runs of page 5.2: how fast the gradient changes, at one step and at one loss; the halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bncourse.activations import ReLU, Sigmoid, Tanh
from bncourse.arrays import Floats
from bncourse.chapters.common import (
    BATCH_SIZE,
    SIZES,
    Centre,
    Divide,
    DivideByRMS,
    Shift,
    describe_inputs,
)
from bncourse.chapters.measured import measured, take_down
from bncourse.chapters.stored import StoredRun
from bncourse.data import load_digits
from bncourse.display.card import Card
from bncourse.landscape import (
    GradientWalk,
    gauss_newton_spectrum,
    max_over_median,
    walk_along_gradient,
)
from bncourse.layers import Dense, Layer
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Sequential
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent
from bncourse.training import History, train

FIVE = (0, 1, 2, 3, 4)


class Setting(NamedTuple):
    """An activation and how its network starts and is trained.

    Attributes
    ----------
    activation : type
    init : str
    gain : float
        On all initial weights.
    rate : float
        Learning rate of the descents.
    """

    activation: type[Layer]
    init: str
    gain: float
    rate: float


SETTINGS = {
    "ReLU": Setting(ReLU, "he", 1.0, 0.1),
    "tanh": Setting(Tanh, "lecun", 1.0, 0.1),
    "sigmoid": Setting(Sigmoid, "lecun", 1.0, 1.0),
    "ReLU, weights × 0.3": Setting(ReLU, "he", 0.3, 0.1),
}
#: What stands between the hidden weights and the activation.
ARMS = ("none", "subtract", "divide", "rms", "both")
#: And how a card calls it.
ARM_NAMES = {
    "none": "a bias",
    "subtract": "subtraction and β",
    "divide": "division, γ and β",
    "rms": "root mean square, γ and β",
    "both": "batch norm",
}
#: Controls of the root mean square. It is held constant on the way back; division by σ whose γ
#: starts so that the network is that of the root mean square; division by σ, and on the way back
#: the mean over the batch is subtracted too.
CONTROLS = ("rms held", "divide small", "divide, push out")
CONTROL_NAMES = {
    "rms held": "root mean square, constant on the way back",
    "divide small": "division, γ from σ over root mean square",
    "divide, push out": "division, gradients centred",
}


class _SmallAtFirst(Divide):
    """A division by σ that begins as one by the root mean square, by the γ that makes it so."""

    _begun = False

    def _forward(self, x: Floats, training: bool) -> Floats:
        if not self._begun:
            self.gamma[...] = np.sqrt((x.var(axis=0) + 1e-5) / ((x**2).mean(axis=0) + 1e-5))
            self._begun = True
        return super()._forward(x, training)


class _PushOut(Divide):
    """A division by σ that sends back no gradient that all examples share."""

    def _backward(self, dz: Floats) -> Floats:
        dx = super()._backward(dz)
        centred: Floats = dx - dx.mean(axis=0)
        return centred


def build(
    seed: int, setting: str, arm: str, sizes: Sequence[int] = SIZES
) -> tuple[Sequential, np.random.Generator]:
    """Return a network with one of `ARMS` and the generator of its batches.

    Parameters
    ----------
    seed : int
        The weights are the same for all arms, and the batches too.
    setting : str
        One of `SETTINGS`.
    arm : str
        One of `ARMS` or of `CONTROLS`.
    sizes : sequence of int
        Widths.
    """
    kind, init, gain, _ = SETTINGS[setting]
    weights, order = np.random.default_rng(seed).spawn(2)
    layers: list[Layer] = []
    for n_in, n in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers.append(Dense(n_in, n, arm == "none", init=init, gain=gain, rng=weights))
        if arm == "subtract":
            layers += [Centre(), Shift(n)]
        elif arm == "divide":
            layers.append(Divide(n))
        elif arm in ("rms", "rms held"):
            layers.append(DivideByRMS(n, held=arm == "rms held"))
        elif arm == "divide small":
            layers.append(_SmallAtFirst(n))
        elif arm == "divide, push out":
            layers.append(_PushOut(n))
        elif arm == "both":
            layers.append(BatchNorm(n))
        layers.append(kind())
    layers.append(Dense(sizes[-2], sizes[-1], init=init, gain=gain, rng=weights))
    return Sequential(layers), order


def _say(seed: int, setting: str, arm: str, rate: float, x: Floats, steps: int) -> None:
    kind, init, gain, _ = SETTINGS[setting]
    take_down(
        activation=kind.__name__,
        arm=(ARM_NAMES | CONTROL_NAMES)[arm],
        learning_rate=rate,
        init=init,
        gain=gain,
        inputs="pixels from 1 to 2" if x.min() == 1 else describe_inputs(x),
        sizes="-".join(map(str, SIZES)),
        batch_size=BATCH_SIZE,
        steps=steps,
        seed=seed,
    )


# ------------------------------------------------------------------------------ the halves

#: Rates at which each activation is trained, and updates at most.
HALF_RATES = {
    "ReLU": (0.1, 0.3, 1.0),
    "tanh": (0.1, 0.3, 1.0),
    "sigmoid": (0.3, 1.0, 3.0),
}
HALF_STEPS = 150


def half_steps(
    seed: int, setting: str, arm: str, rate: float, standardized: bool, added: float = 0.0
) -> float:
    """Return the steps to 90 % of the test images, looked at after every step.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    setting, arm
        As for `build`.
    rate : float
        Learning rate.
    standardized : bool
        Whether the pixels are.
    added : float
        To every pixel.

    Returns
    -------
    float
        Infinity if `HALF_STEPS` were not enough.
    """
    digits = load_digits(standardized=standardized)
    digits = digits._replace(x_train=digits.x_train + added, x_test=digits.x_test + added)
    _say(seed, setting, arm, rate, digits.x_train, HALF_STEPS)
    net, order = build(seed, setting, arm)

    def arrived(_: History) -> bool:
        logits = net.forward(digits.x_test, training=True)
        return bool(np.mean(logits.argmax(axis=1) == digits.y_test) >= 0.9)

    with np.errstate(over="ignore", invalid="ignore"):
        history = train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=GradientDescent(rate),
            batch_size=BATCH_SIZE,
            steps=HALF_STEPS,
            rng=order,
            after_step=arrived,
        )
        return float(len(history.loss)) if arrived(history) else float("inf")


def _halves_grid() -> list[dict[str, object]]:
    return [
        {"setting": setting, "arm": arm, "rate": rate, "standardized": standardized}
        for setting, rates in HALF_RATES.items()
        for standardized in (False, True)
        for arm in ARMS
        for rate in rates
    ]


HALVES = StoredRun("both_halves", half_steps, _halves_grid(), FIVE, tolerance=12.0)


@dataclass(frozen=True)
class Halves:
    """Steps of networks with nothing, one half, or all of batch norm.

    Attributes
    ----------
    steps : dict of (setting, arm, rate, standardized) to list of float
        One value a seed, arms paired by seed.
    card : Card
    """

    steps: dict[tuple[str, str, float, bool], list[float]]
    card: Card | None = None

    def best(self, setting: str, arm: str, standardized: bool) -> tuple[float, list[float]]:
        """Return the rate with the lowest median, the smaller of two equal ones, and its steps."""
        rates = HALF_RATES[setting]
        steps = [self.steps[setting, arm, rate, standardized] for rate in rates]
        k = int(np.argmin([np.median(values) for values in steps]))
        return rates[k], steps[k]


@measured(
    question="Which half of batch norm makes the network faster: the subtraction or the division?",
    control="The same weights and batches with neither half and with both, and with division by "
    "a scale that sees the mean, at each of three rates, on raw and on standardised pixels.",
    mode="Test accuracy in training mode, with the statistics of the 360 test images as one "
    "batch.",
)
def halves() -> Halves:
    """Return the stored runs."""
    steps: dict[tuple[str, str, float, bool], list[float]] = {}
    for run in HALVES.load().runs:
        s = run.settings
        key = (s["setting"], s["arm"], s["rate"], s["standardized"])
        steps.setdefault(key, []).append(run.result)
    return Halves(steps)


def _controls_grid() -> list[dict[str, object]]:
    shown = [
        *((arm, 1.0, 0.0) for arm in CONTROLS),
        *((arm, 3.0, 0.0) for arm in ("rms", "both")),
        *((arm, 1.0, 1.0) for arm in ("rms", "both")),
    ]
    return [
        {"setting": setting, "arm": arm, "rate": rate, "standardized": False, "added": added}
        for setting in ("ReLU", "tanh")
        for arm, rate, added in shown
    ]


# One point may be far: ReLU with centred gradients is at the edge of what trains.
RMS_CONTROLS = StoredRun(
    "rms_controls", half_steps, _controls_grid(), FIVE, tolerance=30.0, edge=0.08
)


@dataclass(frozen=True)
class RMSControls:
    """Steps of networks with a division by the root mean square, and of its controls.

    Attributes
    ----------
    steps : dict of (setting, arm, rate, added) to list of float
        On raw pixels, to all of which something was added: one value a seed, paired by seed.
    card : Card
    """

    steps: dict[tuple[str, str, float, float], list[float]]
    card: Card | None = None


@measured(
    question="What lets a division by the root mean square train at rate 1, and until when?",
    control="The root mean square held constant on the way back; division by σ that begins as the "
    "same network; division by σ with gradients centred on the way back; batch norm.",
    mode="Test accuracy in training mode, with the statistics of the 360 test images as one "
    "batch.",
)
def rms_controls(seeds: Sequence[int] | None = None) -> RMSControls:
    """Return the stored runs, and those of the arms without controls."""
    steps: dict[tuple[str, str, float, float], list[float]] = {}
    for run in [*HALVES.load(seeds).runs, *RMS_CONTROLS.load(seeds).runs]:
        s = run.settings
        if s["setting"] in ("ReLU", "tanh") and not s["standardized"]:
            key = (s["setting"], s["arm"], s["rate"], s.get("added", 0.0))
            steps.setdefault(key, []).append(run.result)
    return RMSControls(steps)


# ------------------------------------------------------------------------------ smoothness

#: η of the walks, in gradients; one of them is `ETA`, with which settings are compared.
ETAS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
ETA = 0.1
#: Losses, in nats, at which networks are compared; and the steps, for the other comparison.
LEVELS = (1.5, 1.0, 0.5)
AFTER = (0, 50, 100)
DESCENT = 900


class Descent(NamedTuple):
    """Walks along the gradient at some moments of one training run.

    Attributes
    ----------
    after : dict of int to GradientWalk
        By the number of steps before the walk.
    at_loss : dict of float to GradientWalk
        By the loss of the first 60 training images below which the walk begins; without those
        that `DESCENT` steps didn't reach.
    loss : dict of int to float
        That loss after the steps of `after`.
    """

    after: dict[int, GradientWalk]
    at_loss: dict[float, GradientWalk]
    loss: dict[int, float]


def descend(
    seed: int, setting: str, arm: str, standardized: bool = False, etas: tuple[float, ...] = ETAS
) -> Descent:
    """Train, and walk along the gradient after some steps and at some losses.

    Parameters
    ----------
    seed : int
        Of weights and batches.
    setting, arm
        As for `build`; the learning rate is the setting's.
    standardized : bool
        Whether the pixels are.
    etas : tuple of float
        How many gradients to walk.
    """
    digits = load_digits(standardized=standardized)
    rate = SETTINGS[setting].rate
    _say(seed, setting, arm, rate, digits.x_train, DESCENT)
    net, order = build(seed, setting, arm)
    x, y = digits.x_train[:BATCH_SIZE], digits.y_train[:BATCH_SIZE]
    found = Descent({}, {}, {})

    def look(history: History | None) -> bool:
        done = 0 if history is None else len(history.loss)
        loss, _ = SoftmaxCrossEntropy()(net.forward(x, training=True), y)
        walk = None
        for level in LEVELS:
            if loss < level and level not in found.at_loss:
                walk = walk or walk_along_gradient(net, x, y, np.array(etas))
                found.at_loss[level] = walk
        if done in AFTER:
            found.after[done] = walk or walk_along_gradient(net, x, y, np.array(etas))
            found.loss[done] = loss
        return done >= max(AFTER) and len(found.at_loss) == len(LEVELS)

    with np.errstate(over="ignore", invalid="ignore"):
        look(None)
        train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=GradientDescent(rate),
            batch_size=BATCH_SIZE,
            steps=DESCENT,
            rng=order,
            after_step=look,
        )
    return found


def smooth(seed: int, setting: str, arm: str, standardized: bool) -> dict[str, list[float | None]]:
    """Return β_eff of one descent for three sizes of the step: what is stored.

    Parameters
    ----------
    seed, setting, arm, standardized
        As for `descend`.

    Returns
    -------
    dict of str to list
        ``"after 50"`` has β_eff after 50 steps for each of `STORED_ETAS`, and so on; ``"loss"``
        the losses then; ``"below 1"`` β_eff at the loss of 1 nat, empty if it wasn't reached.
    """
    found = descend(seed, setting, arm, standardized, STORED_ETAS)
    rows: dict[str, list[float | None]] = {"loss": [round(v, 3) for v in found.loss.values()]}
    for done, walk in found.after.items():
        rows[f"after {done}"] = [round(float(v), 3) for v in walk.smoothness]
    for level in LEVELS:
        walk_there = found.at_loss.get(level)
        rows[f"below {level:g}"] = (
            [] if walk_there is None else [round(float(v), 3) for v in walk_there.smoothness]
        )
    return rows


STORED_ETAS = (0.01, 0.1, 1.0)
#: What is walked on: on standardised pixels too, all settings.
SMOOTH_GRID = [
    {"setting": setting, "arm": arm, "standardized": standardized}
    for standardized in (False, True)
    for setting in SETTINGS
    for arm in (ARMS if setting in ("ReLU", "tanh") else ("none", "both"))
]
SMOOTH = StoredRun("smooth", smooth, SMOOTH_GRID, FIVE, tolerance=4.0)


@dataclass(frozen=True)
class Smoothness:
    """β_eff of all descents.

    Attributes
    ----------
    rows : dict of (setting, arm, standardized) to list of dict
        The results of `smooth`, one a seed.
    card : Card
    """

    rows: dict[tuple[str, str, bool], list[dict[str, list[float]]]]
    card: Card | None = None

    def beta(
        self, when: str, setting: str, arm: str, standardized: bool = False, eta: float = ETA
    ) -> list[float]:
        """Return β_eff of each seed; NaN where the loss was not reached."""
        k = STORED_ETAS.index(eta)
        rows = self.rows[setting, arm, standardized]
        return [row[when][k] if row[when] else float("nan") for row in rows]

    def loss(self, done: int, setting: str, arm: str, standardized: bool = False) -> list[float]:
        """Return the loss of each seed after some steps."""
        rows = self.rows[setting, arm, standardized]
        return [row["loss"][AFTER.index(done)] for row in rows]

    def ratio(self, when: str, setting: str, standardized: bool, eta: float = ETA) -> list[float]:
        """Return β_eff without over with batch norm, by seed."""
        without, with_bn = (
            self.beta(when, setting, arm, standardized, eta) for arm in ("none", "both")
        )
        return [a / b for a, b in zip(without, with_bn, strict=True)]


@measured(
    question="How fast does the gradient change along the gradient, without and with batch norm?",
    control="The same weights and batches without batch norm and with each half of it, compared "
    "after equal steps and at equal loss.",
    mode="Loss and gradients of the first 60 training images, in training mode.",
)
def smoothness() -> Smoothness:
    """Return the stored runs."""
    rows: dict[tuple[str, str, bool], list[dict[str, list[float]]]] = {}
    for run in SMOOTH.load().runs:
        s = run.settings
        rows.setdefault((s["setting"], s["arm"], s["standardized"]), []).append(run.result)
    return Smoothness(rows)


@dataclass(frozen=True)
class Apart:
    """β_eff at a loss of 1, and steps to 90 %, of the halves of batch norm.

    Attributes
    ----------
    beta, steps : dict of (setting, arm) to list of float
        One value a seed, arms paired by seed.
    card : Card
    """

    beta: dict[tuple[str, str], list[float]]
    steps: dict[tuple[str, str], list[float]]
    card: Card | None = None


@measured(
    question="Is the network with the smoother landscape the faster one?",
    control="Neither half of batch norm, and each half by itself, with the same weights and "
    "batches at the same learning rate.",
    mode="β_eff: loss and gradients of the first 60 training images in training mode. Steps: test "
    "accuracy in training mode, with the statistics of the 360 test images as one batch.",
)
def apart(rate: float = 0.1, standardized: bool = False) -> Apart:
    """Return both of the stored runs.

    Parameters
    ----------
    rate : float
        Learning rate of the steps; β_eff was measured at that of `SETTINGS`, 0.1.
    standardized : bool
        Whether the pixels are.
    """
    found, steps = smoothness(), halves().steps
    arms = [(setting, arm) for setting in ("ReLU", "tanh") for arm in ARMS]
    return Apart(
        {key: found.beta("below 1", *key, standardized) for key in arms},
        {key: steps[*key, rate, standardized] for key in arms},
    )


@dataclass(frozen=True)
class Spreads:
    """Largest over median eigenvalue of the Gauss–Newton matrix at the start.

    Attributes
    ----------
    values : dict of (setting, standardized, batch_norm) to list of float
        One value a seed.
    largest : dict of (setting, standardized, batch_norm) to list of float
        The largest eigenvalue itself.
    card : Card
    """

    values: dict[tuple[str, bool, bool], list[float]]
    largest: dict[tuple[str, bool, bool], list[float]]
    card: Card | None = None


@measured(
    question="Does batch norm make the loss rounder in all parameters at once?",
    control="The same weights and images without batch norm.",
    mode="Training mode, with the statistics of the 20 images; networks at their start, "
    "eigenvalues above zero only.",
)
def spreads(seeds: Sequence[int] = FIVE) -> Spreads:
    """Compute the spectrum of six networks without and with batch norm, on 20 images."""
    values: dict[tuple[str, bool, bool], list[float]] = {}
    largest: dict[tuple[str, bool, bool], list[float]] = {}
    for setting in ("ReLU", "tanh", "sigmoid"):
        for standardized in (False, True):
            x = load_digits(standardized=standardized).x_train[:20]
            for arm in ("none", "both"):
                key = (setting, standardized, arm == "both")
                for seed in seeds:
                    take_down(
                        activation=SETTINGS[setting].activation.__name__,
                        arm=ARM_NAMES[arm],
                        init=SETTINGS[setting].init,
                        inputs="standardised" if standardized else "pixels from 0 to 1",
                        sizes="-".join(map(str, SIZES)),
                        batch_size=20,
                        seed=seed,
                    )
                    found = gauss_newton_spectrum(build(seed, setting, arm)[0], x)
                    ratio = max_over_median(found[found > 1e-12 * found[0]])
                    values.setdefault(key, []).append(ratio)
                    largest.setdefault(key, []).append(float(found[0]))
    return Spreads(values, largest)


@dataclass(frozen=True)
class Scaled:
    """β_eff at the start when all hidden weights are multiplied by a factor.

    Attributes
    ----------
    beta : dict of (factor, batch_norm) to list of float
        One value a seed.
    logits : dict of float to float
        With batch norm, the largest change of a logit by the factor, over the seeds.
    card : Card
    """

    beta: dict[tuple[float, bool], list[float]]
    logits: dict[float, float]
    card: Card | None = None


@measured(
    question="Does β_eff depend on how long the hidden weights are?",
    control="The same factors in front of batch norm, where they change nothing that the network "
    "computes.",
    mode="Loss and gradients of the first 60 training images in training mode, at the start.",
)
def scaled(factors: Sequence[float] = (0.3, 1.0, 3.0), seeds: Sequence[int] = FIVE) -> Scaled:
    """Walk one step of η = 0.1 at the start of the ReLU network with scaled hidden weights."""
    digits = load_digits()
    x, y = digits.x_train[:BATCH_SIZE], digits.y_train[:BATCH_SIZE]
    beta: dict[tuple[float, bool], list[float]] = {}
    logits = dict.fromkeys(factors, 0.0)
    for seed in seeds:
        for arm in ("none", "both"):
            start = build(seed, "ReLU", arm)[0].forward(x, training=True)
            for factor in factors:
                take_down(
                    activation="ReLU",
                    arm=ARM_NAMES[arm],
                    init="he",
                    gain=factor,
                    inputs=describe_inputs(digits.x_train),
                    sizes="-".join(map(str, SIZES)),
                    batch_size=BATCH_SIZE,
                    seed=seed,
                )
                net, _ = build(seed, "ReLU", arm)
                for layer in [la for la in net.layers if isinstance(la, Dense)][:-1]:
                    layer.params["w"] *= factor
                walk = walk_along_gradient(net, x, y, np.array([ETA]))
                beta.setdefault((factor, arm == "both"), []).append(float(walk.smoothness[0]))
                if arm == "both":
                    change = np.abs(net.forward(x, training=True) - start).max()
                    logits[factor] = max(logits[factor], float(change))
    return Scaled(beta, logits)

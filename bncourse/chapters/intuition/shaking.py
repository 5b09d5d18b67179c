"""The runs of page 5.1: noise behind batch norm, and in the network without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bncourse.activations import ReLU
from bncourse.arrays import Floats
from bncourse.chapters.common import BATCH_SIZE, SIZES, describe_inputs
from bncourse.chapters.measured import measured, take_down
from bncourse.chapters.stored import StoredRun
from bncourse.data import load_digits
from bncourse.display.card import Card
from bncourse.layers import Dense, Layer
from bncourse.network import Sequential
from bncourse.normalization import BatchNorm
from bncourse.optimizers import GradientDescent
from bncourse.training import History, train

FIVE = (0, 1, 2, 3, 4)
#: Updates at most, and the first ones, over which the drift is read.
STEPS, WATCHED = 150, 40

#: What `Noise` does, in words; the level L is 1 unless it is said.
KINDS = {
    "none": "no noise",
    "shift": "shift",
    "scale": "scale, mean 1",
    "gain": "constant gain",
    "examples": "jitter of examples",
    "all": "all three",
    "slow 30": "slow shift, 30 steps",
    "slow 100": "slow shift, 100 steps",
    "own shift": "shift, in the unit’s own sd",
}


class Noise(Layer):
    """What the experiments add between a unit's normalisation and its ReLU, at every step anew.

    Parameters
    ----------
    n : int
        Number of units.
    kind : str
        One of `KINDS`. ``"shift"`` adds to each unit a number from ±L. ``"scale"`` multiplies it
        by one from 1 ± L/(2 + L). ``"gain"`` multiplies all by 1 + L/2, always. ``"examples"``
        adds to each example and unit a normal number of standard deviation L/4. ``"all"`` is
        of the kind of Santurkar et al.: a shift from ±L, a scale from 1 to 1 + L, and the jitter
        of examples. The slow shifts have the standard deviation of ``"shift"``, and forget with a
        correlation of exp(−1/30) or exp(−1/100) a step. ``"own shift"`` is a shift times the
        standard deviation that the unit has in the batch.
    level : float
        L.
    rng : numpy.random.Generator

    Attributes
    ----------
    off : bool
        Whether the network is only looked at: then each random number is at its mean, and a slow
        shift stays where it is.
    """

    def __init__(self, n: int, kind: str, level: float, rng: np.random.Generator) -> None:
        super().__init__(n, n)
        self.n, self.kind, self.level, self.rng = n, kind, level, rng
        self.off = False
        self.shift = np.zeros(n)
        if kind.startswith("slow"):
            self.memory = float(np.exp(-1 / int(kind.split()[1])))
            self.shift = rng.normal(0.0, level / np.sqrt(3), n)

    def _factor(self) -> Floats | float:
        L = self.level
        if self.kind == "scale" and not self.off:
            return self.rng.uniform(1 - L / (2 + L), 1 + L / (2 + L), self.n)
        if self.kind == "all" and not self.off:
            return self.rng.uniform(1.0, 1.0 + L, self.n)
        return 1 + L / 2 if self.kind in ("gain", "all") else 1.0

    def _added(self, z: Floats) -> Floats | float:
        L = self.level
        if self.kind.startswith("slow"):
            if not self.off:
                fresh = self.rng.normal(0.0, L / np.sqrt(3), self.n)
                self.shift = self.memory * self.shift + np.sqrt(1 - self.memory**2) * fresh
            return self.shift
        added: Floats | float = 0.0
        if self.off:
            return added
        if self.kind in ("shift", "all", "own shift"):
            added = self.rng.uniform(-L, L, self.n)
        if self.kind == "own shift":
            added = added * z.std(axis=0)
        if self.kind in ("examples", "all"):
            added = added + self.rng.normal(0.0, L / 4, z.shape)
        return added

    def _forward(self, z: Floats, training: bool) -> Floats:
        self._applied = self._factor()
        return np.asarray(z * self._applied + self._added(z))

    def _backward(self, dz: Floats) -> Floats:
        return np.asarray(dz * self._applied)


class _Watched(ReLU):
    """A ReLU that notes the means and the standard deviations of what it receives."""

    def __init__(self) -> None:
        super().__init__()
        self.watching = True
        self.received: list[tuple[Floats, Floats]] = []

    def _forward(self, z: Floats, training: bool) -> Floats:
        if self.watching:
            self.received.append((z.mean(axis=0), z.std(axis=0)))
        return super()._forward(z, training)


def network(
    seed: int, batch_norm: bool, kind: str, level: float
) -> tuple[Sequential, list[Noise], list[_Watched]]:
    """Return a ReLU network with noise, the layers of the noise, and its ReLUs.

    Parameters
    ----------
    seed : int
        Of weights and noise; the weights are the same for all kinds.
    batch_norm : bool
        Whether there is batch norm before the noise.
    kind, level
        As for `Noise`.
    """
    weights, _ = np.random.default_rng(seed).spawn(2)
    rng = np.random.default_rng([seed, 1])
    layers: list[Layer] = []
    noises, watched = [], []
    for n_in, n in zip(SIZES[:-2], SIZES[1:-1], strict=True):
        noises.append(Noise(n, kind, level, rng))
        watched.append(_Watched())
        norm: list[Layer] = [BatchNorm(n)] if batch_norm else []
        layers += [Dense(n_in, n, not batch_norm, rng=weights), *norm, noises[-1], watched[-1]]
    net = Sequential([*layers, Dense(SIZES[-2], SIZES[-1], rng=weights)])
    return net, noises, watched


@dataclass(frozen=True)
class Shaken:
    """One training run with noise.

    Attributes
    ----------
    accuracy : list of float
        After each step until it is at 90 %, with the noise off.
    noisy_accuracy : list of float
        The same with the noise on; empty unless it was asked for.
    drift : float
        How far the mean of what a ReLU receives moves in 10 steps, in the standard deviations
        that it had before; over units, layers, and the first `WATCHED` steps.
    spread_drift : float
        The same for its standard deviation.
    """

    accuracy: list[float]
    noisy_accuracy: list[float]
    drift: float
    spread_drift: float


def steps_to(accuracy: Sequence[float], target: float = 0.9) -> float:
    """Return the first step after which the accuracy is at the target, or infinity."""
    return next((float(t) for t, a in enumerate(accuracy, 1) if a >= target), float("inf"))


def shake(
    seed: int,
    batch_norm: bool,
    kind: str,
    level: float,
    rate: float,
    standardized: bool,
    *,
    noisy_too: bool = False,
) -> Shaken:
    """Train the ReLU network with noise.

    Parameters
    ----------
    seed : int
        Of weights, batches and noise.
    batch_norm, kind, level
        As for `network`.
    rate : float
        Learning rate.
    standardized : bool
        Whether the pixels are.
    noisy_too : bool
        Whether the accuracy is also taken with the noise on.
    """
    digits = load_digits(standardized=standardized)
    net, noises, watched = network(seed, batch_norm, kind, level)
    arm = "batch norm" if batch_norm else "no batch norm"
    take_down(
        arm=arm if kind == "none" else f"{arm}, with noise",
        activation="ReLU",
        learning_rate=rate,
        init="he",
        inputs=describe_inputs(digits.x_train),
        sizes="-".join(map(str, SIZES)),
        batch_size=BATCH_SIZE,
        steps=STEPS,
        seed=seed,
    )
    _, order = np.random.default_rng(seed).spawn(2)
    clean: list[float] = []
    noisy: list[float] = []

    # What is drawn only to look must not change what is drawn to train.
    training, looking = noises[0].rng, np.random.default_rng([seed, 3])

    def accuracy(off: bool) -> float:
        for relu, noise in zip(watched, noises, strict=True):
            relu.watching, noise.off, noise.rng = False, off, looking
        logits = net.forward(digits.x_test, training=True)
        for relu, noise in zip(watched, noises, strict=True):
            relu.watching, noise.off, noise.rng = True, False, training
        return float(np.mean(logits.argmax(axis=1) == digits.y_test))

    def look(history: History) -> bool:
        taken = [(clean, True), (noisy, False)] if noisy_too else [(clean, True)]
        for accuracies, off in taken:
            if steps_to(accuracies) == float("inf"):
                accuracies.append(accuracy(off))
        arrived = all(steps_to(accuracies) < float("inf") for accuracies, _ in taken)
        return arrived and len(history.loss) >= WATCHED

    with np.errstate(over="ignore", invalid="ignore"):
        train(
            net,
            digits.x_train,
            digits.y_train,
            optimizer=GradientDescent(rate),
            batch_size=BATCH_SIZE,
            steps=STEPS,
            rng=order,
            after_step=look,
        )
        moves = [
            np.mean(np.abs(np.subtract(after, before)) / (before[1] + 1e-6), axis=1)
            for relu in watched
            for before, after in zip(
                relu.received[: WATCHED - 10], relu.received[10:WATCHED], strict=True
            )
        ]
    # A network that overflows drifts by any number.
    drifts = [float(move) if move < 10 else float("inf") for move in np.mean(moves, axis=0)]
    return Shaken(clean, noisy, *drifts)


def shaken(
    seed: int, batch_norm: bool, kind: str, level: float, rate: float, standardized: bool
) -> list[float]:
    """Return steps to 90 % and both drifts of `shake`: what is stored."""
    run = shake(seed, batch_norm, kind, level, rate, standardized)
    return [steps_to(run.accuracy), round(run.drift, 4), round(run.spread_drift, 4)]


#: The kind of noise and its level, in the network with batch norm and in that without.
BEHIND = (
    ("none", 0.0),
    ("shift", 0.5),
    ("shift", 1.0),
    ("shift", 2.0),
    ("shift", 4.0),
    ("scale", 1.0),
    ("gain", 1.0),
    ("gain", 8.0),
    ("examples", 1.0),
    ("all", 1.0),
    ("all", 8.0),
    ("slow 30", 1.0),
    ("slow 30", 2.0),
    ("slow 100", 1.0),
    ("slow 100", 2.0),
)
IN_PLAIN = (
    ("none", 0.0),
    ("shift", 0.5),
    ("shift", 1.0),
    ("shift", 2.0),
    ("shift", 4.0),
    ("own shift", 1.0),
    ("all", 1.0),
    ("all", 8.0),
    ("slow 30", 1.0),
    ("slow 100", 1.0),
)
#: Of these, what is run on standardised inputs too.
ON_BOTH = {("none", 0.0), ("shift", 1.0), ("shift", 2.0), ("all", 1.0), ("own shift", 1.0)}
#: And what only there: at rate .3 it drifts, behind batch norm, as the plain network does.
ON_STANDARDIZED = (("shift", 0.35),)
RATES = (0.1, 0.3, 1.0)


def _grid() -> list[dict[str, object]]:
    return [
        {
            "batch_norm": batch_norm,
            "kind": kind,
            "level": level,
            "rate": rate,
            "standardized": standardized,
        }
        for standardized in (False, True)
        for rate in RATES
        for batch_norm, arms in ((False, IN_PLAIN), (True, BEHIND))
        for kind, level in (*arms, *ON_STANDARDIZED)
        if (kind, level) in ON_BOTH or standardized == ((kind, level) in ON_STANDARDIZED)
    ]


# Steps of a noisy run move on other processors by some; its drift is near 1.
SHAKING = StoredRun("shaking", shaken, _grid(), FIVE, tolerance=12.0)

#: An arm: batch norm or not, kind of noise, level.
Arm = tuple[bool, str, float]


@dataclass(frozen=True)
class Shaking:
    """Steps and drifts of all arms.

    Attributes
    ----------
    steps, drift, spread_drift : dict of (arm, rate, standardized) to list of float
        One value a seed, arms paired by seed.
    card : Card
    """

    steps: dict[tuple[Arm, float, bool], list[float]]
    drift: dict[tuple[Arm, float, bool], list[float]]
    spread_drift: dict[tuple[Arm, float, bool], list[float]]
    card: Card | None = None

    def told(self, arm: Arm, rate: float, standardized: bool = False) -> str:
        """Return median and range of an arm's steps."""
        return told(self.steps[arm, rate, standardized])

    def faster(self, arm: Arm, than: Arm, rate: float, standardized: bool = False) -> int:
        """Return on how many seeds one arm takes fewer steps than another."""
        mine, others = (self.steps[a, rate, standardized] for a in (arm, than))
        return sum(a < b for a, b in zip(mine, others, strict=True))


def told(steps: Sequence[float]) -> str:
    """Return median and range of steps, such as ``"25 (18 to 26)"``; infinity is ``"never"``."""
    middle, low, high = (
        f"{value:.0f}" if np.isfinite(value) else "never"
        for value in (float(np.median(steps)), min(steps), max(steps))
    )
    return middle if low == high else f"{middle} ({low} to {high})"


@measured(
    question="Does noise behind batch norm take its gain away, and does the noise by itself "
    "explain what happens?",
    control="The same weights and batches without noise, with the constant gain that the noise "
    "contains, and with the same noise but no batch norm.",
    mode="Test accuracy in training mode, with the statistics of the 360 test images as one "
    "batch, noise off: each random number at its mean, and a slow shift where it stands. Drift: "
    "read from what the ReLUs receive in the first 40 steps of training.",
)
def shaking() -> Shaking:
    """Return the stored runs."""
    steps: dict[tuple[Arm, float, bool], list[float]] = {}
    drift: dict[tuple[Arm, float, bool], list[float]] = {}
    spread_drift: dict[tuple[Arm, float, bool], list[float]] = {}
    for run in SHAKING.load().runs:
        s = run.settings
        key = ((s["batch_norm"], s["kind"], s["level"]), s["rate"], s["standardized"])
        steps.setdefault(key, []).append(run.result[0])
        drift.setdefault(key, []).append(run.result[1])
        spread_drift.setdefault(key, []).append(run.result[2])
    return Shaking(steps, drift, spread_drift)


@dataclass(frozen=True)
class NoiseOn:
    """Steps to 90 % of the same runs, by whether the noise is on when the accuracy is taken.

    Attributes
    ----------
    off, on : dict of (kind, level) to list of float
        One value a seed.
    card : Card
    """

    off: dict[tuple[str, float], list[float]]
    on: dict[tuple[str, float], list[float]]
    card: Card | None = None


@measured(
    question="What does it change to leave the noise on when the accuracy is taken?",
    control="The same networks with the noise off.",
    mode="Test accuracy in training mode, with the statistics of the 360 test images as one "
    "batch; first with the noise off, then with it on.",
)
def noise_on(seeds: Sequence[int] = FIVE) -> NoiseOn:
    """Train with shifts up to 1 and 2 at rate .1, and take each accuracy twice."""
    off: dict[tuple[str, float], list[float]] = {}
    on: dict[tuple[str, float], list[float]] = {}
    for kind in (("shift", 1.0), ("shift", 2.0)):
        runs = [shake(seed, True, *kind, 0.1, False, noisy_too=True) for seed in seeds]
        off[kind] = [steps_to(run.accuracy) for run in runs]
        on[kind] = [steps_to(run.noisy_accuracy) for run in runs]
    return NoiseOn(off, on)


@dataclass(frozen=True)
class Constant:
    """Steps to 90 % with shifts that never change, and with shifts that change at every step.

    Attributes
    ----------
    kept, fresh : dict of float to list of float
        By level, one value a seed.
    card : Card
    """

    kept: dict[float, list[float]]
    fresh: dict[float, list[float]]
    card: Card | None = None


@measured(
    question="Is it the size of a shift that costs steps, or its change?",
    control="Shifts of the same standard deviation that are drawn anew at every step.",
    mode="Test accuracy in training mode, with the statistics of the 360 test images as one "
    "batch; the constant shift stays, the other is off.",
)
def constant_shift(seeds: Sequence[int] = FIVE) -> Constant:
    """Train with shifts of levels 1 and 4 at rate .1, drawn once or at every step."""
    kept, fresh = (
        {
            level: [
                steps_to(shake(seed, True, kind, level, 0.1, False).accuracy) for seed in seeds
            ]
            for level in (1.0, 4.0)
        }
        for kind in (f"slow {10**9}", "shift")
    )
    return Constant(kept, fresh)

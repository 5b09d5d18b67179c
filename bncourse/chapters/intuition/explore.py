"""The explorables of chapter 5: noisy batch norm, the landscape walk, the depth profile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from bncourse.chapters.intuition import landscape
from bncourse.chapters.intuition.figures import NEVER, arm_colour
from bncourse.chapters.intuition.runs import (
    ACTIVATIONS,
    NETWORKS,
    RAW,
    SHAKE_RATES,
    Arm,
    ShakeRun,
    narrow_profile,
    narrow_profiles,
    note_down,
    predicted_profile,
    shake_run,
)
from bncourse.chapters.intuition.shaking import RATES, STEPS, Shaking, shaking
from bncourse.chapters.intuition.shaking import Arm as Noise
from bncourse.chapters.measured import measured, taking_down
from bncourse.display import Choice, Explorable, FigureWithWords, Range
from bncourse.display.card import Card
from bncourse.display.style import CARD, GREY, INK, WITH, WITHOUT, join, new_figure, style


def _one_digit(value: float) -> str:
    """Return a positive number to one significant digit, as one writes it."""
    if value >= 0.1:
        return f"{float(f'{value:.1g}'):,g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} · 10{raised}"


# ---------------------------------------------------------------- book/05-intuition.ipynb

#: Steps of the explorable, and how often its accuracy is drawn.
SHOWN, TAKEN = 60, 5


@cache
def _shake_curve(batch_norm: bool, level: float, rate: float) -> ShakeRun:
    arm = Arm(batch_norm, level)
    name = "batch norm" if batch_norm else "no batch norm"
    note_down("ReLU", f"{name}, shaken" if level else name, RAW, rate, SHOWN, 0)
    return shake_run(0, arm, rate, at_most=SHOWN, every=TAKEN, whole=True)


def draw_shake(level: float, rate: float) -> FigureWithWords:
    """Draw the accuracy of four networks, two of them shaken, and what their ReLUs receive."""
    arms = {
        "no batch norm": (False, 0.0, WITHOUT, "-"),
        "no batch norm, shaken": (False, level, WITHOUT, ":"),
        "batch norm": (True, 0.0, WITH, "-"),
        "batch norm, shaken": (True, level, WITH, ":"),
    }
    said = []
    with style():
        figure, axes = new_figure(5.0, 4.6, 2, 1, height_ratios=[1.6, 1])
        for k, (name, (bn, shaken, colour, line)) in enumerate(arms.items()):
            run = _shake_curve(bn, shaken, rate)
            steps = np.arange(TAKEN, SHOWN + 1, TAKEN)
            axes[0].plot(steps, run.curve, color=colour, linestyle=line, linewidth=2, label=name)
            drift = min(run.drift, 3.0)
            hatch = "///" if line == ":" else None
            axes[1].barh(
                -k, drift, 0.6, color=CARD if hatch else colour, edgecolor=colour, hatch=hatch
            )
            reached = f"{run.steps:.0f}" if np.isfinite(run.steps) else f"more than {SHOWN}"
            moved = f"{run.drift:.2f}" if run.drift < 2 else "more than 2"
            said.append(f"{name} {reached} steps, drift {moved}")
        axes[0].axhline(0.9, color=INK, linewidth=1, linestyle="--")
        axes[0].set_ylim(0, 1.02)
        axes[0].set_xlabel("step")
        axes[0].set_title("test accuracy", fontsize=11.5)
        axes[1].set_yticks(
            [0, -1, -2, -3],
            ["no batch norm", "the same, shaken", "batch norm", "the same, shaken"],
        )
        axes[1].set_xlim(0, 3.1)
        axes[1].grid(visible=False, axis="y")
        axes[1].set_title("drift in 10 steps, sd", fontsize=11.5)
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower left", fontsize=9.5, ncols=2
        )
    words = f"Level {level:g}, rate {rate:g}, to 90 %: {'; '.join(said)}."
    return FigureWithWords(figure, words)


@dataclass(frozen=True)
class _Frames:
    card: Card | None = None


@measured(
    question="How much shaking does each network bear, and at which learning rate?",
    control="No batch norm, and both networks unshaken, from the same weights with the same "
    "batches.",
    mode="Test accuracy without shifts, with the statistics of the whole training set, every 5 "
    "steps, and every step until 90 %. Drift as a ReLU receives it in training, between batches "
    "10 steps apart.",
)
def _shake_frames() -> _Frames:
    for rate in SHAKE_RATES:
        for level in (0.0, *SHAKE_LEVELS):
            for bn in (False, True):
                _shake_curve(bn, level, rate)
    return _Frames()


SHAKE_LEVELS = (0.5, 1.0, 2.0, 4.0)


def shake() -> Explorable:
    """Return the explorable: how hard batch norm may be shaken, and at which rate."""
    return Explorable(
        "Shaken at every step",
        draw_shake,
        {
            "level": Range(
                "level of the shifts", SHAKE_LEVELS, 1.0, low=0.25, high=4.0, step=0.25
            ),
            "rate": Range("learning rate", SHAKE_RATES, 0.1, log=True),
        },
        _shake_frames().card,
    )


# Page 5.1 -------------------------------------------------------------------------------------

#: The kinds of noise that both networks were trained with, by the name on the control.
NOISES: dict[str, tuple[str, float]] = {
    "shift up to ½": ("shift", 0.5),
    "shift up to 1": ("shift", 1.0),
    "shift up to 2": ("shift", 2.0),
    "shift up to 4": ("shift", 4.0),
    "all three, level 1": ("all", 1.0),
    "all three, level 8": ("all", 8.0),
    "slow shift, 30 steps": ("slow 30", 1.0),
}


def draw_shaken(results: Shaking, noise: str, rate: float) -> FigureWithWords:
    """Draw steps and drift of four networks: both without noise, and both with it."""
    kind = NOISES[noise]
    rate = min(RATES, key=lambda stored: abs(np.log(stored / rate)))
    arms: dict[str, Noise] = {
        "no batch norm": (False, "none", 0.0),
        "the same, shaken": (False, *kind),
        "batch norm": (True, "none", 0.0),
        "batch norm, shaken": (True, *kind),
    }
    with style():
        figure, axes = new_figure(5.0, 2.9, 1, 2, sharey=True, width_ratios=[1.5, 1])
        for row, arm in enumerate(arms.values()):
            colour = arm_colour(arm)
            steps = np.array(results.steps[arm, rate, False])
            shown = np.where(np.isfinite(steps), steps, NEVER)
            axes[0].plot(shown, [-row] * len(shown), "o", color=colour, markersize=7)
            drift = float(np.median(results.drift[arm, rate, False]))
            axes[1].barh(-row, min(drift, 4.0), 0.55, color=colour)
        axes[0].axvline(STEPS, color=GREY, linewidth=1, linestyle=":")
        axes[0].set_xscale("log")
        axes[0].set_xlim(3, 1.4 * NEVER)
        axes[0].set_xticks([5, 10, 20, 40, 80, NEVER], ["5", "10", "20", "40", "80", "never"])
        axes[0].minorticks_off()
        axes[0].set_yticks([0, -1, -2, -3], list(arms))
        axes[0].set_title("steps to 90 %", fontsize=11.5)
        axes[1].set_xlim(0, 4)
        axes[1].grid(visible=False, axis="y")
        axes[1].set_title("drift, sd", fontsize=11.5)
    said = [
        f"{name} {_middle(results.steps[arm, rate, False])} steps and drift "
        f"{_drift(results.drift[arm, rate, False])}"
        for name, arm in arms.items()
    ]
    words = f"{noise[0].upper()}{noise[1:]}, rate {rate:g}, medians: {join(said)}."
    return FigureWithWords(figure, words)


def _middle(values: list[float]) -> str:
    middle = float(np.median(values))
    return f"{middle:.0f}" if np.isfinite(middle) else f"more than {STEPS}"


def _drift(values: list[float]) -> str:
    middle = float(np.median(values))
    return f"{middle:.2f}" if np.isfinite(middle) else "more than 10"


def shaken() -> Explorable:
    """Return the explorable: four networks, by the kind of noise and by the learning rate."""
    results = shaking()
    return Explorable(
        "Shaken, with and without batch norm",
        partial(draw_shaken, results),
        {
            "noise": Choice("noise", tuple(NOISES), "shift up to 1"),
            "rate": Range("learning rate", RATES, 0.1, log=True),
        },
        results.card,
    )


# Page 5.2 -------------------------------------------------------------------------------------

#: Where the walk may begin, by the name on the control; 0 stands for the start.
MOMENTS = {"at the start": 0.0, "a loss of 1": 1.0}


def draw_walk(
    walks: dict[tuple[str, str], landscape.Descent], setting: str, moment: str, eta: float
) -> FigureWithWords:
    """Draw loss and change of the gradient along one gradient, without and with batch norm."""
    etas = np.array(landscape.ETAS)
    k = int(np.argmin(np.abs(np.log(etas / eta))))
    found = {}
    for arm in ("none", "both"):
        descent = walks[setting, arm]
        level = MOMENTS[moment]
        found[arm] = descent.at_loss[level] if level else descent.after[0]
    with style():
        figure, axes = new_figure(5.0, 4.2, 2, 1, sharex=True)
        for arm, colour in (("none", WITHOUT), ("both", WITH)):
            walk = found[arm]
            axes[0].plot(etas, np.minimum(walk.loss, 1e3), color=colour)
            axes[1].plot(etas, np.minimum(walk.smoothness, 1e3), color=colour)
            for ax, values in zip(axes, (walk.loss, walk.smoothness), strict=True):
                ax.plot(etas[k], min(values[k], 1e3), "o", color=colour, markersize=8)
        for ax in axes:
            ax.axvline(etas[k], color=GREY, linewidth=1, linestyle=":")
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_xticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
        axes[0].set_ylim(0.02, 50)
        axes[0].set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
        axes[0].set_title("loss, nats", fontsize=11.5)
        for height, name, colour in (
            (0.06, "without", WITHOUT),
            (0.03, "with batch norm", WITH),
        ):
            axes[0].annotate(name, (0.012, height), color=colour, fontweight="bold", fontsize=10)
        axes[1].set_ylim(0.05, 100)
        axes[1].set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        axes[1].set_title(r"β$_\mathbf{eff}$", fontsize=11.5)
        axes[1].set_xlabel("η, in gradients")
    without, with_bn = found["none"], found["both"]
    words = (
        f"{setting}, {moment}, η = {etas[k]:g}: β_eff is {without.smoothness[k]:.2g} without "
        f"batch norm and {with_bn.smoothness[k]:.2g} with it, and one step leads to a loss of "
        f"{without.loss[k]:.2f} without and {with_bn.loss[k]:.2f} with."
    )
    return FigureWithWords(figure, words)


def walk_at_loss() -> Explorable:
    """Return the explorable: the gradient's change by the size of the step, at a chosen loss."""
    with taking_down() as taken:
        walks = {
            (setting, arm): landscape.descend(0, setting, arm)
            for setting in landscape.SETTINGS
            for arm in ("none", "both")
        }
    return Explorable(
        "The landscape walk",
        partial(draw_walk, walks),
        {
            "setting": Choice("network", tuple(landscape.SETTINGS), "ReLU"),
            "moment": Choice("walk begins at", tuple(MOMENTS), "at the start"),
            "eta": Range(
                "step η, in gradients", (0.03, 0.1, 1.0), 0.1, low=0.01, high=10.0, log=True
            ),
        },
        Card(
            "How do loss and gradient change along the gradient?",
            "The same weights and batches without batch norm, at the same loss.",
            "Loss and gradients of the first 60 training images, in training mode.",
            taken,
        ),
    )


# --- 5.3, Look through fifty layers


def draw_deep_gradients(activation: str, network: str, depth: int) -> FigureWithWords:
    """Draw the gradient norm of every layer at the start, and what is predicted."""
    values = narrow_profile(activation, network, depth)
    line = predicted_profile(activation, network, depth)
    layers = np.arange(1, depth + 1)
    with style():
        figure, ax = new_figure(5.0, 3.0)
        ax.axhline(1, color=GREY, linewidth=1, linestyle=":")
        colour = WITHOUT if network == "plain" else WITH
        ax.semilogy(layers, values / values[-1], color=colour)
        if line is not None:
            ax.semilogy(layers, line, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        ax.set_ylim(1e-5 if network != "plain" or activation != "sigmoid" else 1e-38, 1e6)
        ax.set_xlabel("layer, from the input (left)")
        ax.set_ylabel("gradient norm over last")
        first = float(values[0] / values[-1])
        ax.set_title(f"First over last: {_few_digits(first)}")
    words = (
        f"{depth} layers of {activation}, {network}: the first layer's gradient is "
        f"{_few_digits(first)} times the last one's"
    )
    if line is not None:
        words += f", and the derivation says {_few_digits(float(line[0]))} times"
    return FigureWithWords(figure, words + ".")


def _few_digits(value: float) -> str:
    """Return a ratio to two digits, and one far below 1 to a power of ten."""
    return f"{float(f'{value:.2g}'):,g}" if value >= 0.1 else _one_digit(value)


def deep_gradients() -> Explorable:
    """Return the explorable: gradients through many layers, as measured and as derived."""
    depths = (15, 30, 60)
    return Explorable(
        "Gradients through many layers",
        draw_deep_gradients,
        {
            "activation": Choice("activation", tuple(ACTIVATIONS), "sigmoid"),
            "network": Choice("network", tuple(NETWORKS), "plain"),
            "depth": Range("hidden layers", depths, 30, high=80, step=1, form="{:.0f}"),
        },
        narrow_profiles(depths).card,
    )

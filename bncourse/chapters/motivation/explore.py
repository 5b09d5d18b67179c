"""The explorables of chapter 1: the contour bowl, and the map of rates and initial scales."""

from __future__ import annotations

from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np

from bncourse.chapters.motivation.runs import (
    FEATURES,
    GOOD,
    START,
    Map,
    bowl,
    descent_path,
    map_run,
    steps_down,
)
from bncourse.display import Choice, Explorable, FigureWithWords, Range
from bncourse.display.style import GREEN, GREY, INK, WITH, WITHOUT, new_figure, style

#: Test accuracy below which the words of a frame don't tell a bad network from a worse one: such
#: runs are chaotic, and their third digit depends on the processor.
POOR = 0.60

#: The axes stand still from frame to frame, and drawing takes half the time.
FIXED_MARGINS: Any = {"figure.constrained_layout.use": False}


def draw_contour_bowl(
    scale: float, correlation: float, features: str, rate: float
) -> FigureWithWords:
    """Draw a bowl and the way of gradient descent down to its minimum."""
    hessian = bowl(scale, correlation, features)
    kappa = float(np.linalg.cond(hessian))
    steps = steps_down(hessian, rate)
    shown = np.unique(np.r_[np.arange(min(steps, 20) + 1), np.geomspace(1, steps, 30).astype(int)])
    path = descent_path(hessian, rate, shown)
    with style(), mpl.rc_context(FIXED_MARGINS):
        figure, ax = new_figure(4.6, 3.2)
        figure.subplots_adjust(left=0.15, right=0.98, bottom=0.17, top=0.88)
        u, v = np.meshgrid(np.linspace(-1.25, 1.25, 121), np.linspace(-0.9, 0.9, 121))
        height = hessian[0, 0] * u**2 + 2 * hessian[0, 1] * u * v + hessian[1, 1] * v**2
        at_start = START @ hessian @ START
        levels = at_start * np.linspace(0.15, 1.3, 5) ** 2
        # Without smoothing, flat colours: a frame of half the bytes.
        ax.contour(u, v, height, levels=levels, colors=GREY, linewidths=0.9, antialiased=False)
        ax.plot(*path.T, "o-", color=GREEN, markersize=3.5, linewidth=1.3)
        ax.plot(0, 0, "+", color=INK, markersize=11)
        ax.grid(visible=False)
        ax.set_aspect("equal")
        ax.set_xlim(-1.25, 1.25)
        ax.set_ylim(-0.9, 0.9)
        ax.set_xlabel("weight 1, from the minimum")
        ax.set_ylabel("weight 2")
        ax.set_title(f"κ = {kappa:,.1f}: {steps:,} step{'' if steps == 1 else 's'}")
    words = (
        f"With {features} inputs the condition number κ is {kappa:,.1f}, and descent takes "
        f"{steps:,} step{'' if steps == 1 else 's'} to a thousandth of its starting distance."
    )
    return FigureWithWords(figure, words)


def contour_bowl() -> Explorable:
    """Return the explorable: two features' scale and correlation, what is done to them, α."""
    return Explorable(
        "The contour bowl",
        draw_contour_bowl,
        {
            "scale": Range("scale of input 2", (1.0, 3.0, 10.0), 3.0, high=30.0, step=0.5),
            "correlation": Range("correlation", (0.0, 0.9), 0.0, low=-0.95, high=0.95, step=0.05),
            "features": Choice("inputs", FEATURES, "raw"),
            "rate": Range("learning rate × λmax", (1.0, 1.9), 1.0, low=0.1, high=1.95, step=0.05),
        },
    )


def draw_rate_and_gain(table: Map, rate: float, gain: float) -> FigureWithWords:
    """Draw both maps with one cell chosen, and the loss of the two runs in that cell."""
    cells = [
        (np.flatnonzero(np.isclose(v, x))) for v, x in ((table.rates, rate), (table.gains, gain))
    ]
    if all(len(cell) for cell in cells):
        column, row = (int(cell[0]) for cell in cells)
        runs = [
            (float(t[row, column]), loss[row, column])
            for t, loss in zip((table.without, table.with_bn), table.losses, strict=True)
        ]
    else:
        runs = [map_run(0, bn, rate, gain, table.losses[0].shape[-1]) for bn in (False, True)]
    place = [
        float(np.interp(np.log10(x), np.log10(v), np.arange(len(v))))
        for x, v in ((rate, table.rates), (gain, table.gains))
    ]
    with style(), mpl.rc_context(FIXED_MARGINS):
        figure, grid = new_figure(5.0, 4.3, 2, 2, height_ratios=(1.2, 1))
        figure.subplots_adjust(left=0.135, right=0.985, bottom=0.115, top=0.925, hspace=0.7)
        axes = [*grid[0], figure.add_subplot(grid[1, 0].get_gridspec()[1, :])]
        for ax in grid[1]:
            ax.remove()
        for ax, values, (accuracy, _), text, colour in (
            (axes[0], table.without, runs[0], "without", WITHOUT),
            (axes[1], table.with_bn, runs[1], "with", WITH),
        ):
            ax.imshow(
                values,
                origin="lower",
                cmap="cividis",
                vmin=0,
                vmax=1,
                aspect="auto",
                interpolation="nearest",
            )
            ax.plot(*place, "s", markersize=13, fillstyle="none", color="white", markeredgewidth=4)
            ax.plot(*place, "s", markersize=13, fillstyle="none", color=INK, markeredgewidth=1.6)
            ax.grid(visible=False)
            for axis, ticks in ((ax.xaxis, table.rates), (ax.yaxis, table.gains)):
                first = len(ticks) % 2 == 0
                axis.set_ticks(
                    np.arange(first, len(ticks), 2),
                    [f"{v:g}" for v in ticks[first::2]],
                    fontsize=9.5,
                )
            ax.set_title(f"{text}: {100 * accuracy:.0f} %", color=colour, fontsize=11)
            ax.set_xlabel("learning rate")
        axes[0].set_ylabel("initial gain")
        axes[1].tick_params(labelleft=False)
        for (_, loss), colour in zip(runs, (WITHOUT, WITH), strict=True):
            finite = np.flatnonzero(np.isfinite(loss))
            axes[2].plot(
                finite,
                np.minimum(loss[finite], 4.0),
                color=colour,
                linewidth=1.4,
                antialiased=False,
            )
        axes[2].set_ylim(0, 4.1)
        axes[2].set_xlabel("step")
        axes[2].set_title("loss, nats (cut at 4)", fontsize=11)
    a, b = (accuracy for accuracy, _ in runs)
    verdict = {
        (False, False): "Neither reaches 90 %.",
        (True, False): "Only the network without reaches 90 %.",
        (False, True): "Only the network with it reaches 90 %.",
        (True, True): "Both reach 90 %.",
    }[a >= GOOD, b >= GOOD]
    words = (
        f"At learning rate {rate:.3g} and {gain:.3g} times He's initial weights, test accuracy "
        f"after {len(runs[0][1])} steps: {_grade(a)} without batch norm, {_grade(b)} with. "
        f"{verdict}"
    )
    return FigureWithWords(figure, words)


def _grade(accuracy: float) -> str:
    if accuracy >= GOOD:
        return "90 % or more"
    return f"below {100 * (POOR if accuracy < POOR else GOOD):.0f} %"


def rate_and_gain(table: Map) -> Explorable:
    """Return the explorable: the map of learning rates and initial gains, cell by cell.

    Parameters
    ----------
    table : Map
        From `bncourse.chapters.motivation.runs.learning_rate_map`.
    """
    rates, gains = (tuple(map(float, values)) for values in (table.rates, table.gains))
    return Explorable(
        "The map of learning rates and initial weights",
        partial(draw_rate_and_gain, table),
        {
            "rate": Range("learning rate", rates, rates[2], log=True),
            "gain": Range("gain on the initial weights", gains, gains[3], log=True),
        },
        table.card,
    )

"""The figures of chapter 5."""

from __future__ import annotations

import numpy as np

from bncourse._validation import Floats
from bncourse.display import FigureWithWords
from bncourse.experiments.intuition import Stability, growth_per_layer
from bncourse.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    WITH,
    WITHOUT,
    join,
    label_line,
    new_figure,
    style,
)

__all__ = ["depth_profile", "drift_and_speed", "smoothness_ratios"]


def drift_and_speed(results: dict[str, list[Stability]]) -> FigureWithWords:
    """Draw the drift of activations against the steps to 90 %.

    Parameters
    ----------
    results : dict of str to list of Stability
        For ``"none"``, ``"batch norm"`` and ``"noisy"``, one entry for each seed.

    Returns
    -------
    FigureWithWords
    """
    names = {
        "none": ("no batch norm", WITHOUT),
        "batch norm": ("batch norm", WITH),
        "noisy": ("noisy batch norm", GREEN),
    }
    with style():
        figure, ax = new_figure(6.4, 3.8)
        for key, (text, colour) in names.items():
            drift = [run.drift for run in results[key]]
            steps = [run.steps for run in results[key]]
            ax.plot(drift, steps, "o", color=colour, markersize=9, alpha=0.75)
            ax.annotate(
                text,
                (float(np.median(drift)), float(np.median(steps))),
                xytext=(0, 16),
                textcoords="offset points",
                color=colour,
                fontweight="bold",
                ha="left" if key == "batch norm" else "center",
            )
        ax.set_xlim(-0.02, 1.25 * max(run.drift for run in results["noisy"]))
        ax.set_ylim(0, 1.4 * max(run.steps for run in results["none"]))
        ax.set_xlabel("drift of a unit's mean in 10 steps, in standard deviations")
        ax.set_ylabel("steps to 90 %")
        ax.set_title("The least stable network is among the fastest")
    words = "Median drift in 10 steps and steps to 90 %: " + join(
        [
            f"{np.median([r.drift for r in results[key]]):.2f} and "
            f"{np.median([r.steps for r in results[key]]):.0f} with {text}"
            for key, (text, _) in names.items()
        ]
    )
    return FigureWithWords(figure, words + ".")


def smoothness_ratios(ratios: dict[str, float]) -> FigureWithWords:
    """Draw how many times smoother the landscape is with batch norm, in several settings.

    Parameters
    ----------
    ratios : dict of str to float
        β-smoothness without over with batch norm, by setting.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, ax = new_figure(6.4, 3.6)
        places = np.arange(len(ratios))[::-1]
        for place, value in zip(places, ratios.values(), strict=True):
            better = value >= 1
            ax.barh(place, np.log2(value), color=WITH if better else WITHOUT, height=0.6)
            ax.annotate(
                f"{value:.1f}" if value >= 0.95 else f"{value:.2f}",
                (np.log2(value), place),
                xytext=(5 if better else -5, 0),
                textcoords="offset points",
                va="center",
                fontweight="bold",
                ha="left" if better else "right",
            )
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_yticks(places, list(ratios))
        ticks = np.arange(-4, 4, 2)
        ax.set_xticks(ticks, [f"{2.0**t:g}" for t in ticks])
        ax.set_xlim(-5, 3.2)
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("β-smoothness without over with")
        ax.set_title("Smoother in one setting, rougher in others")
    smoother = [name for name, value in ratios.items() if value > 1.05]
    rougher = [name for name, value in ratios.items() if value < 0.95]
    words = (
        f"Batch norm's landscape is smoother in {len(smoother)} of {len(ratios)} settings and "
        f"rougher in {len(rougher)}; the ratio runs from {min(ratios.values()):.2f} "
        f"({min(ratios, key=lambda k: ratios[k])}) to {max(ratios.values()):.1f} "
        f"({max(ratios, key=lambda k: ratios[k])})."
    )
    return FigureWithWords(figure, words)


def depth_profile(norms: dict[str, Floats]) -> FigureWithWords:
    """Draw the gradient norm of each layer of deep networks.

    Parameters
    ----------
    norms : dict of str to array of shape (depth,)
        By the network's name, from the input to the output.

    Returns
    -------
    FigureWithWords
    """
    colours = (BLUE, GREY, GREEN, VERMILION, ORANGE)
    with style():
        figure, ax = new_figure(6.4, 4.2)
        for (name, values), colour in zip(norms.items(), colours, strict=False):
            depth = len(values)
            (line,) = ax.semilogy(np.arange(1, depth + 1), values / values[-1], color=colour)
            label_line(ax, line, name, at=depth // 3, offset=(0, 12), ha="left")
        ax.set_xlabel("layer, from the input (left) to the output (right)")
        ax.set_ylabel("gradient norm over that of the last layer")
        ax.set_title("Batch norm cures vanishing, and explodes with ReLU")
    words = f"Growth of the gradient per layer, over {depth} layers towards the input: " + join(
        [f"{growth_per_layer(values):.2f} with {name}" for name, values in norms.items()]
    )
    return FigureWithWords(figure, words + ".")

"""The figures of chapter 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Rectangle

from bncourse.chapters.inference.runs import VarianceEstimates
from bncourse.display import FigureWithWords
from bncourse.display.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    join,
    label_line,
    new_figure,
    style,
    title,
)

__all__ = [
    "averages_compared",
    "boxes",
    "ema_weights",
    "prediction_modes",
    "variance_corrections",
]


def prediction_modes(accuracies: dict[str, list[float]]) -> FigureWithWords:
    """Draw the test accuracy of one network under several ways to normalise a test batch.

    Parameters
    ----------
    accuracies : dict of str to list of float
        Accuracies of the seeds, by name; the last one is the right way, the one before it
        nearly as good.

    Returns
    -------
    FigureWithWords
    """
    medians = {name: float(np.median(values)) for name, values in accuracies.items()}
    with style():
        figure, ax = new_figure(6.4, 3.2)
        places = np.arange(len(medians))[::-1]
        colours = [VERMILION] * (len(medians) - 2) + [GREY, BLUE]
        ax.barh(places, list(medians.values()), color=colours, height=0.6)
        for place, value in zip(places, medians.values(), strict=True):
            ax.annotate(
                f"{value:.2f}",
                (max(value, 0.12), place),  # clear of the line of chance
                xytext=(5, 0),
                fontweight="bold",
                textcoords="offset points",
                va="center",
            )
        ax.axvline(0.1, color=INK, linewidth=1, linestyle=":")
        ax.annotate(
            "chance",
            (0.1, places[0] + 0.42),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=10,
            color="#555555",
        )
        ax.set_yticks(places, list(medians))
        ax.grid(visible=False, axis="y")
        ax.set_xlim(0, 1.1)
        ax.set_xlabel("test accuracy")
        title(figure, "The company decides, unless statistics are stored")
    words = "Median test accuracy of the same weights: " + join(
        [f"{value:.2f} with {name.replace(chr(10), ' ')}" for name, value in medians.items()]
    )
    return FigureWithWords(figure, words + ".")


def ema_weights(decays: Sequence[float], steps: int) -> FigureWithWords:
    """Draw the weight that each past batch has in an exponentially weighted average.

    Parameters
    ----------
    decays : sequence of float
        d, each in (0, 1).
    steps : int
        Batches seen.

    Returns
    -------
    FigureWithWords
    """
    age = np.arange(steps)
    with style():
        figure, axes = new_figure(6.4, 3.7, 1, 2)
        for decay, colour in zip(decays, (BLUE, ORANGE, GREY), strict=False):
            weights = (1 - decay) * decay**age
            axes[0].plot(age, weights / (1 - decay), color=colour, label=f"d = {decay:g}")
            axes[1].plot(age + 1, 1 - decay ** (age + 1.0), color=colour)
        axes[0].legend()
        axes[0].set_xlabel("batches ago")
        axes[0].set_ylabel("weight, over that of the newest")
        axes[1].set_xlabel("batches seen, t")
        axes[1].set_ylabel("sum of all weights, 1 − dᵗ")
        title(figure, "A long memory takes long to fill")
    words = f"After {steps} batches the weights add up to " + join(
        [f"{1 - decay**steps:.2f} for decay {decay:g}" for decay in decays]
    )
    return FigureWithWords(figure, words + ".")


def averages_compared(
    results: dict[str, list[float]], checkpoints: Sequence[int]
) -> FigureWithWords:
    """Draw the test accuracy with several averages, less that with precise statistics.

    Parameters
    ----------
    results : dict of str to list of float
        Accuracies at the checkpoints, by the average's name: first the raw average, then the
        corrected ones, then the one that starts from 0 and 1, then the precise statistics.
    checkpoints : sequence of int
        Training steps.

    Returns
    -------
    FigureWithWords
    """
    raw, *others, cold, reference = results
    gaps = {name: np.subtract(results[name], results[reference]) for name in results}
    low, high = (f([gaps[name] for name in others], axis=0) for f in (np.min, np.max))
    with style():
        figure, ax = new_figure(6.4, 3.9)
        ax.set_xscale("log")
        ax.axhline(0, color=INK, linewidth=1, linestyle=":")
        ax.fill_between(checkpoints, low, high, color="#b5b3ac", linewidth=2)
        for name, colour, at in ((raw, VERMILION, 3), (cold, ORANGE, 0)):
            (line,) = ax.plot(checkpoints, gaps[name], "o-", color=colour)
            label_line(ax, line, name, at=at, offset=(14, -6), ha="left")
        ax.annotate(
            f"{join(others)}: the grey band",
            (checkpoints[0], 0),
            xytext=(0, 10),
            textcoords="offset points",
            color="#555555",
            fontsize=10.5,
        )
        ax.set_xticks(checkpoints, [str(c) for c in checkpoints])
        ax.minorticks_off()
        ax.set_ylim(-0.65, 0.1)
        ax.set_xlabel("training steps so far")
        ax.set_ylabel(f"accuracy less that of {reference}")
        title(figure, "Correct the bias, and the kind of average hardly matters")
    at = len(checkpoints) // 2
    words = (
        f"Test accuracy, compared with {reference} statistics: {raw} is {-gaps[raw][0]:.2f} below "
        f"after {checkpoints[0]} steps and {-gaps[raw][at]:.2f} after {checkpoints[at]}; {cold} "
        f"is {-gaps[cold][0]:.2f} below after {checkpoints[0]} and {-gaps[cold][1]:.2f} after "
        f"{checkpoints[1]}; {join(others)} are never further off than "
        f"{max(np.abs(low).max(), np.abs(high).max()):.2f}."
    )
    return FigureWithWords(figure, words)


def variance_corrections(
    shuffled: dict[int, VarianceEstimates], by_class: dict[int, VarianceEstimates]
) -> FigureWithWords:
    """Draw four estimates of a variance from batches, over the true one.

    Parameters
    ----------
    shuffled, by_class : dict of int to VarianceEstimates
        By batch size.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, axes = new_figure(6.4, 4.0, 1, 2, sharey=True)
        for ax, estimates, text in (
            (axes[0], shuffled, "batches at random"),
            (axes[1], by_class, "set sorted by digit"),
        ):
            sizes = list(estimates)
            ax.axhline(1.0, color=INK, linewidth=1, linestyle=":")
            for name, label, colour, marker in (
                ("both", "both corrections", VERMILION, "v"),
                ("total", "plus Var(μ)", BLUE, "o"),
                ("bessel", "times m/(m−1)", GREEN, "s"),
                ("biased", "mean of σ²", GREY, "^"),
            ):
                values = [getattr(estimates[m], name) for m in sizes]
                ax.semilogx(sizes, values, marker=marker, color=colour, label=label, alpha=0.85)
            ax.minorticks_off()
            ax.set_xticks(sizes, [str(m) for m in sizes])
            ax.set_title(text, fontsize=11.5)
            ax.set_xlabel("examples in the batch, m")
        axes[0].set_ylabel("estimate over true variance")
        axes[0].legend(loc="lower right")
        title(figure, "Adding Var(μ) always works, m/(m−1) for random batches")
    m, large = min(shuffled), max(shuffled)
    a, b = shuffled[m], by_class[m]
    words = (
        f"At m = {m}, over the true variance: random batches give {a.biased:.2f} on average, "
        f"{a.bessel:.2f} times m/(m−1), {a.total:.2f} with the variance of the means added, "
        f"{a.both:.2f} with both; batches from the set sorted by digit give {b.biased:.2f}, "
        f"{b.bessel:.2f}, {b.total:.2f} and {b.both:.2f}. At m = {large} the first of these is "
        f"{shuffled[large].biased:.2f} and {by_class[large].biased:.2f}."
    )
    return FigureWithWords(figure, words)


# --- 6.3, Use it elsewhere


def boxes(examples: int, channels: int, places: int, groups: int) -> FigureWithWords:
    """Draw which numbers of a small array share a ruler, under four normalisations.

    Parameters
    ----------
    examples, channels, places : int
        Of the array.
    groups : int
        Of channels, for group norm.

    Returns
    -------
    FigureWithWords
    """
    ways = {
        "batch norm": (examples, 1),
        "layer norm": (1, channels),
        "group norm": (1, channels // groups),
        "instance norm": (1, 1),
    }
    told = []
    with style():
        figure, axes = new_figure(6.8, 3.9, 2, 2)
        for ax, (name, (tall, wide)) in zip(axes.flat, ways.items(), strict=True):
            width, rulers = wide * places, examples // tall * (channels // wide)
            for k in range(rulers):
                top, left = divmod(k, channels // wide)
                corner = (left * width, top * tall)
                ax.add_patch(
                    Rectangle(corner, width, tall, facecolor="#dcece7", edgecolor=GREEN, lw=2.5)
                )
                middle = (corner[0] + width / 2, corner[1] + tall / 2)
                ax.annotate(str(k + 1), middle, ha="center", va="center", weight="bold")
            ax.vlines(range(channels * places), 0, examples, color=GREEN, linewidth=0.4, alpha=0.5)
            ax.hlines(range(examples), 0, channels * places, color=GREEN, linewidth=0.4, alpha=0.5)
            ax.set_xlim(-0.15, channels * places + 0.15)
            ax.set_ylim(examples + 0.04, -0.04)
            ax.set_xticks(
                [places * (k + 0.5) for k in range(channels)],
                [f"ch. {k + 1}" for k in range(channels)],
            )
            ax.set_yticks(
                [k + 0.5 for k in range(examples)], [f"image {k + 1}" for k in range(examples)]
            )
            ax.tick_params(length=0, labelsize=9)
            ax.grid(visible=False)
            ax.spines[["left", "bottom"]].set_visible(False)
            ax.set_title(f"{name}: {rulers} rulers", fontsize=11)
            numbers = examples * channels * places // rulers
            told.append(f"{rulers} rulers of {numbers} numbers with {name}")
        title(figure, "Batch norm's boxes stand upright, the others lie within an image")
    words = f"{examples} images of {channels} channels and {places} places: {join(told)}."
    return FigureWithWords(figure, words)

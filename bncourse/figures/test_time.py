"""The figures of chapter 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bncourse.display import FigureWithWords
from bncourse.experiments.test_time import VarianceEstimates
from bncourse.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    join,
    new_figure,
    style,
    title,
)

__all__ = ["averages_compared", "ema_weights", "prediction_modes", "variance_corrections"]


def prediction_modes(accuracies: dict[str, list[float]]) -> FigureWithWords:
    """Draw the test accuracy of one network under several ways to normalise a test batch.

    Parameters
    ----------
    accuracies : dict of str to list of float
        Accuracies of the seeds, by name; the last one is the right way.

    Returns
    -------
    FigureWithWords
    """
    medians = {name: float(np.median(values)) for name, values in accuracies.items()}
    with style():
        figure, ax = new_figure(6.4, 3.2)
        places = np.arange(len(medians))[::-1]
        colours = [VERMILION] * (len(medians) - 1) + [BLUE]
        ax.barh(places, list(medians.values()), color=colours, height=0.6)
        for place, value in zip(places, medians.values(), strict=True):
            ax.annotate(
                f"{value:.2f}",
                (value, place),
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
    """Draw the test accuracy with several averages of the statistics along one training run.

    Parameters
    ----------
    results : dict of str to list of float
        Accuracies at the checkpoints, by the average's name.
    checkpoints : sequence of int
        Training steps.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, ax = new_figure(6.4, 4.0)
        colours = (VERMILION, ORANGE, GREEN, GREY, BLUE)
        for (name, values), colour in zip(results.items(), colours, strict=True):
            ax.semilogx(checkpoints, values, "o-", color=colour, label=name, alpha=0.85)
        ax.legend(loc="lower right")
        ax.set_xticks(checkpoints, [str(c) for c in checkpoints])
        ax.minorticks_off()
        ax.set_ylim(0, 1.03)
        ax.set_xlabel("training steps so far")
        ax.set_ylabel("test accuracy")
        ax.set_title("Correct the bias, and the kind of average hardly matters")
    at = len(checkpoints) // 2
    words = f"Test accuracy after {checkpoints[at]} steps: " + join(
        [f"{values[at]:.2f} with {name}" for name, values in results.items()]
    )
    words += f"; after {checkpoints[-1]}: from {min(v[-1] for v in results.values()):.2f} to "
    return FigureWithWords(figure, words + f"{max(v[-1] for v in results.values()):.2f}.")


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
            (axes[1], by_class, "batches by digit"),
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
        title(figure, "One correction is right, two are one too many")
    m = min(shuffled)
    a, b = shuffled[m], by_class[m]
    words = (
        f"At m = {m}, over the true variance: random batches give {a.biased:.2f} on average, "
        f"{a.bessel:.2f} times m/(m−1), {a.total:.2f} with the variance of the means added, "
        f"{a.both:.2f} with both; batches of one digit give {b.bessel:.2f} times m/(m−1) and "
        f"{b.total:.2f} with the variance of the means added."
    )
    return FigureWithWords(figure, words)

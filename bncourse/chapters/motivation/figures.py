"""The figures of chapter 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bncourse.arrays import Floats
from bncourse.chapters.motivation.runs import GOOD, Descent, Map, Range, WorkingRanges, two_digits
from bncourse.display import FigureWithWords
from bncourse.display.style import (
    GREY,
    INK,
    WITH,
    WITHOUT,
    label_line,
    new_figure,
    style,
    title,
)

__all__ = ["bowls", "headline", "hidden_spectra", "learning_rate_map", "working_ranges"]


def bowls(descents: Sequence[Descent], names: Sequence[str]) -> FigureWithWords:
    """Draw contours of quadratic bowls with the path of gradient descent on each.

    Parameters
    ----------
    descents : sequence of Descent
        From `bncourse.chapters.motivation.runs.descend`.
    names : sequence of str
        What was done to the features, for each.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, axes = new_figure(6.4, 3.6, 1, len(descents))
        for ax, descent, name in zip(axes, descents, names, strict=True):
            side = np.linspace(-1.0, 1.0, 161) * 1.2 * np.abs(descent.path).max()
            u, v = np.meshgrid(side, side)
            h = descent.hessian
            height = 0.5 * (h[0, 0] * u**2 + 2 * h[0, 1] * u * v + h[1, 1] * v**2)
            # Equally spaced where the flat direction crosses the frame.
            edge = 0.5 * np.linalg.eigvalsh(h)[0] * side[-1] ** 2
            ax.contour(
                u,
                v,
                height,
                levels=edge * np.linspace(0.15, 2.6, 9) ** 2,
                colors=GREY,
                linewidths=0.9,
            )
            ax.plot(*descent.path.T, "o-", color=WITH, markersize=3.5, linewidth=1.4)
            ax.plot(0, 0, "+", color=INK, markersize=11)
            ax.grid(visible=False)
            ax.set_aspect("equal")
            ax.set_title(f"{name}: {_steps(descent)}", fontsize=11.5)
            ax.set_xlabel("weight 1, from the minimum")
        axes[0].set_ylabel("weight 2")
        title(figure, "Descent zig-zags in a long bowl, not in a round one")
    words = "Gradient descent takes " + ", ".join(
        f"{_steps(d)} on {name} features (condition number {d.kappa:.0f})"
        for d, name in zip(descents, names, strict=True)
    )
    return FigureWithWords(figure, words + ".")


def _steps(descent: Descent) -> str:
    count = len(descent.path) - 1
    return f"{count} step{'' if count == 1 else 's'}"


def hidden_spectra(without: Floats, with_bn: Floats) -> FigureWithWords:
    """Draw the eigenvalues of a hidden layer's Gram matrix, each over the median.

    Parameters
    ----------
    without, with_bn : array, shape (n,)
        Eigenvalues, largest first.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, ax = new_figure(6.4, 3.6)
        number = np.arange(1, len(without) + 1)
        for values, colour, text in (
            (without, WITHOUT, "without batch norm"),
            (with_bn, WITH, "with batch norm"),
        ):
            (line,) = ax.semilogy(number, values / np.median(values), color=colour)
            ax.plot(number[:1], values[:1] / np.median(values), "o", color=colour)
            label_line(ax, line, text, at=0, offset=(14, 2))
        ax.set_ylim(1e-4, None)
        ax.set_xlabel("eigenvalue, largest first")
        ax.set_ylabel("eigenvalue over the median one")
        ax.set_title("Batch norm draws the eigenvalues together")
    words = (
        "Largest over median eigenvalue of the last hidden layer: "
        f"{two_digits(without.max() / np.median(without))} without batch norm, "
        f"{two_digits(with_bn.max() / np.median(with_bn))} with. Smallest over median: "
        f"{_share(without.min() / np.median(without))} without, "
        f"{_share(with_bn.min() / np.median(with_bn))} with."
    )
    return FigureWithWords(figure, words)


def _share(value: float) -> str:
    return "below 0.0001" if value < 1e-4 else f"{value:.2f}"


def headline(
    classic: dict[bool, list[float]], control: dict[bool, tuple[float, list[float]]]
) -> FigureWithWords:
    """Draw the steps to 90 % in the classic setting beside those in the modern one.

    Parameters
    ----------
    classic : dict of bool to list of float
        Steps of each seed, without (False) and with batch norm.
    control : dict of bool to (float, list of float)
        Best learning rate and steps of each seed.

    Returns
    -------
    FigureWithWords
    """
    modern = {bn: steps for bn, (_, steps) in control.items()}
    with style():
        figure, axes = new_figure(6.4, 3.9, 1, 2, sharey=True)
        for ax, runs, text in (
            (axes[0], classic, "sigmoid, learning rate 1"),
            (axes[1], modern, "control: ReLU, He, standardised"),
        ):
            for place, (bn, colour) in enumerate(((False, WITHOUT), (True, WITH))):
                steps = np.array(runs[bn])
                jitter = np.linspace(-0.13, 0.13, len(steps))
                ax.plot(place + jitter, steps, "o", color=colour, alpha=0.55)
                middle = float(np.median(steps))
                ax.plot([place - 0.26, place + 0.26], [middle] * 2, color=colour, linewidth=3)
                ax.annotate(
                    f"{middle:.0f}",
                    (place + 0.3, middle),
                    va="center",
                    color=colour,
                    fontweight="bold",
                )
            ax.set_xticks([0, 1], ["without", "with"])
            ax.set_xlim(-0.5, 1.7)
            ax.set_yscale("log")
            ax.set_title(text, fontsize=10.5)
        axes[0].set_ylabel("steps to 90 % test accuracy")
        title(figure, "Batch norm saves most where the setting is bad")
    a, b = (float(np.median(classic[bn])) for bn in (False, True))
    c, d = (float(np.median(modern[bn])) for bn in (False, True))
    words = (
        f"Steps to 90 %, median of {len(classic[False])} seeds: sigmoid at learning rate 1, "
        f"{a:.0f} without batch norm and {b:.0f} with, ratio {a / b:.0f}. Control with ReLU, He "
        f"initialisation and standardised inputs, each at its best rate: {c:.0f} without, "
        f"{d:.0f} with, ratio {c / d:.1f}."
    )
    return FigureWithWords(figure, words)


def working_ranges(ranges: WorkingRanges) -> FigureWithWords:
    """Draw test accuracy over learning rates and over initial gains.

    Parameters
    ----------
    ranges : WorkingRanges
        From `bncourse.chapters.motivation.runs.working_ranges`.

    Returns
    -------
    FigureWithWords
    """
    rates, gains = ranges.rates, ranges.gains
    with style():
        figure, axes = new_figure(6.4, 3.9, 1, 2, sharey=True)
        for ax, grid, name, text in (
            (axes[0], rates, "learning rate", "learning rate"),
            (axes[1], gains, "initial gain", "gain on the initial weights"),
        ):
            ax.axhline(GOOD, color=GREY, linewidth=1, linestyle=":")
            for bn, colour in ((False, WITHOUT), (True, WITH)):
                (line,) = ax.semilogx(grid.values, grid.accuracies(bn), "o-", color=colour)
                if grid is gains:
                    # Both lines begin flat here, with room between them.
                    label_line(
                        ax,
                        line,
                        "with batch norm" if bn else "without",
                        at=0,
                        offset=(-4, -27 if bn else 13),
                    )
            ax.set_xlabel(text)
            ax.set_xticks([1e-3, 1e-1, 1e1])
            ax.set_title(
                f"{name}: {grid.decades(False):.1f} → {grid.decades(True):.1f} decades",
                fontsize=10.5,
            )
        axes[0].set_ylabel("test accuracy")
        axes[0].annotate(
            "90 %",
            (axes[0].get_xlim()[0], GOOD),
            xytext=(4, 2),
            textcoords="offset points",
            va="bottom",
            color="#555555",
            fontsize=10,
        )
        title(figure, "Batch norm widens rates mostly up, initial scales down")
    words = " ".join(
        f"{text} that reach 90 %: {grid.decades(False):.1f} decades without batch norm "
        f"({_limits(grid, False)}), {grid.decades(True):.1f} with ({_limits(grid, True)})."
        for grid, text in ((rates, "Learning rates"), (gains, "Initial gains"))
    )
    return FigureWithWords(figure, words, ranges.card)


def _limits(grid: Range, batch_norm: bool) -> str:
    low, high = grid.limits(batch_norm)
    return f"{low:.2g} to {high:.2g}"


def learning_rate_map(table: Map) -> FigureWithWords:
    """Draw test accuracy over learning rate and initial gain at once.

    Parameters
    ----------
    table : Map
        From `bncourse.chapters.motivation.runs.learning_rate_map`.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, axes = new_figure(6.4, 3.9, 1, 2, sharey=True)
        for ax, values, text, colour in (
            (axes[0], table.without, "without batch norm", WITHOUT),
            (axes[1], table.with_bn, "with batch norm", WITH),
        ):
            ax.imshow(values, origin="lower", cmap="cividis", vmin=0, vmax=1, aspect="auto")
            for (row, column), value in np.ndenumerate(values):
                ax.annotate(
                    f"{100 * value:.0f}",
                    (column, row),
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="white" if value < 0.55 else "black",
                    fontweight="bold" if value >= GOOD else "normal",
                )
            ax.grid(visible=False)
            ax.set_xticks(range(len(table.rates)), _powers(table.rates))
            ax.set_yticks(range(len(table.gains)), _powers(table.gains))
            ax.set_title(text, color=colour, fontsize=11.5)
            ax.set_xlabel("learning rate")
        axes[0].set_ylabel("gain on the initial weights")
        a, b = (int(np.sum(values >= GOOD)) for values in (table.without, table.with_bn))
        title(
            figure,
            f"With batch norm {b} of {table.without.size} settings train, without it {a}",
        )
    words = (
        f"Of {table.without.size} combinations of learning rate and initial gain, {a} "
        f"{'reaches' if a == 1 else 'reach'} 90 % without batch norm and {b} with it."
    )
    return FigureWithWords(figure, words, table.card)


def _powers(values: Floats) -> list[Any]:
    return [f"$10^{{{round(float(np.log10(v)))}}}$" for v in values]

"""The figures of chapter 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bncourse.arrays import Floats
from bncourse.chapters.motivation.runs import (
    CLASSIC,
    COARSE,
    GOOD,
    HELPED,
    MODERN,
    Cures,
    Descent,
    Headline,
    Map,
    Range,
    Spectra,
    WorkingRanges,
    two_digits,
)
from bncourse.display import FigureWithWords
from bncourse.display.style import (
    GREEN,
    GREY,
    INK,
    WITH,
    WITHOUT,
    join,
    label_line,
    new_figure,
    style,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "cures",
    "headline",
    "hidden_spectra",
    "learning_rate_map",
    "rulers_and_bowls",
    "working_ranges",
]


def rulers_and_bowls(
    dots: Sequence[Floats], descents: Sequence[Descent], names: Sequence[str]
) -> FigureWithWords:
    """Draw four examples on the raw rulers of two inputs, and beside them their bowl.

    Parameters
    ----------
    dots : sequence of array, shape (4, 2)
        The examples, once for each choice of the second input's measure, as they were measured.
    descents : sequence of Descent
        From `bncourse.chapters.motivation.runs.descend`, on the centred dots.
    names : sequence of str
        The measure of the second input.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, axes = new_figure(6.6, 0.5 + 2.1 * len(dots), len(dots), 2, width_ratios=[1.25, 1])
        for (left, right), x, descent, name in zip(axes, dots, descents, names, strict=True):
            _rulers(left, x, name)
            _bowl(right, descent)
            right.set_title(f"κ = {_kappa(descent)}: {_steps(descent)}", fontsize=10.5)
            right.set_ylabel("weight 2")
        axes[-1][1].set_xlabel("weight 1, from the minimum")
        title(
            figure,
            "The units of measurement decide the steps: "
            + " or ".join(f"{d.steps:,}" for d in descents),
        )
    words = "With the second input in " + ", in ".join(
        f"{name} the curvatures are {d.hessian[0, 0]:,.0f} and {d.hessian[1, 1]:,.0f}, κ is "
        f"{_kappa(d)}, and descent takes {_steps(d)}"
        for d, name in zip(descents, names, strict=True)
    )
    return FigureWithWords(figure, words + ".")


def _rulers(ax: Axes, x: Floats, name: str) -> None:
    """Draw two raw rulers, one above the other, with the four dots on each."""
    end = 1.12 * x.max()
    for height, column, text in ((1.0, 0, "first input"), (0.0, 1, f"second input, in {name}")):
        ax.plot([0, end], [height, height], color=GREY, linewidth=1.2)
        for place, value in enumerate(x[:, column]):
            # Two examples with the same number stand one above the other.
            twin = int(np.sum(x[:place, column] == value))
            ax.plot(
                value,
                height + 0.17 * twin,
                "o",
                markersize=8,
                color=INK,
                markerfacecolor=INK if place >= len(x) // 2 else "white",
                markeredgewidth=1.5,
                clip_on=False,
                zorder=3,
            )
        ax.annotate(text, (0, height + 0.3), fontsize=10.5, color="#444444")
    ax.set_ylim(-0.25, 1.6)
    ax.set_xlim(0, end)
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)


def _bowl(ax: Axes, descent: Descent) -> None:
    """Draw the contours of a bowl and the way down."""
    side = np.linspace(-1.2, 1.2, 161)
    u, v = np.meshgrid(side, side)
    h = descent.hessian
    height = 0.5 * (h[0, 0] * u**2 + 2 * h[0, 1] * u * v + h[1, 1] * v**2)
    # Equally spaced where the flat direction crosses the frame.
    edge = 0.5 * np.linalg.eigvalsh(h)[0] * side[-1] ** 2
    ax.contour(
        u, v, height, levels=edge * np.linspace(0.15, 2.6, 9) ** 2, colors=GREY, linewidths=0.9
    )
    # After a thousand steps the dots of a path lie on each other.
    path = descent.path[:: 1 + descent.steps // 1000]
    ax.plot(*path.T, "o-", color=GREEN, markersize=3.2, linewidth=1.2)
    ax.plot(0, 0, "+", color=INK, markersize=11)
    ax.grid(visible=False)
    ax.set_aspect("equal")


def _kappa(descent: Descent) -> str:
    return f"{descent.kappa:,.0f}" if descent.kappa >= 100 else f"{descent.kappa:.3g}"


def _steps(descent: Descent) -> str:
    return f"{descent.steps:,} step{'' if descent.steps == 1 else 's'}"


def cures(result: Cures) -> FigureWithWords:
    """Draw the steps that each cure of the pixels takes, and how far one direction stands out.

    Parameters
    ----------
    result : Cures
        From `bncourse.chapters.motivation.runs.cures`.

    Returns
    -------
    FigureWithWords
    """
    arms = result.arms
    place = np.arange(len(arms))[::-1]
    with style():
        figure, axes = new_figure(6.4, 3.3, 1, 3, sharey=True)
        for ax, values, text in (
            (axes[0], [arm.ratio for arm in arms], r"$\lambda_\mathrm{max}$ over the next"),
            (axes[1], [arm.safe for arm in arms], "steps, rate 1/L"),
            (axes[2], [arm.best for arm in arms], "steps, best rate"),
        ):
            ax.barh(place, values, height=0.62, color=GREY)
            for y, value in zip(place, values, strict=True):
                ax.annotate(
                    f"{value:.2g}" if ax is axes[0] else f"{value:.0f}",
                    (value, y),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=10.5,
                )
            ax.set_xlim(0, 1.45 * max(values))
            ax.set_title(text, fontsize=10.5)
            ax.set_xticks([])
            ax.grid(visible=False)
        axes[0].set_yticks(place, [arm.name for arm in arms])
        title(figure, "To 95 %, subtracting the mean is nearly the whole cure")
    words = (
        "Softmax regression on the digits, steps to 95 % training accuracy at rate 1/L: "
        + join([f"{arm.name} {arm.safe:.0f}" for arm in arms])
        + "; at the best rate of each: "
        + join([f"{arm.best:.0f}" for arm in arms])
        + ". The largest eigenvalue is this many times the next one: "
        + join([f"{arm.ratio:.2g}" for arm in arms])
        + "."
    )
    return FigureWithWords(figure, words, result.card)


def hidden_spectra(result: Spectra) -> FigureWithWords:
    """Draw the eigenvalues of a hidden layer's Gram matrix, each over the median.

    Parameters
    ----------
    result : Spectra
        From `bncourse.chapters.motivation.runs.spectra`.

    Returns
    -------
    FigureWithWords
    """
    without, with_bn = result.without, result.with_bn
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
        if result.silent:
            ax.annotate(
                f"{result.silent} units never fire",
                (len(without) - 0.5 * result.silent, 2e-4),
                xytext=(-12, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                color=WITHOUT,
                fontsize=10.5,
            )
        ax.set_ylim(1e-4, None)
        ax.set_xlabel("eigenvalue, largest first")
        ax.set_ylabel("eigenvalue over the median one")
        ax.set_title("Batch norm draws the eigenvalues together")
    words = (
        "Largest over median eigenvalue of the last hidden layer: "
        f"{two_digits(without.max() / np.median(without))} without batch norm, "
        f"{two_digits(with_bn.max() / np.median(with_bn))} with. Smallest over median: "
        f"{_share(without.min() / np.median(without))} without, "
        f"{_share(with_bn.min() / np.median(with_bn))} with. Units that never fire without batch "
        f"norm: {result.silent}."
    )
    return FigureWithWords(figure, words, result.card)


def _share(value: float) -> str:
    return "below 0.0001" if value < 1e-4 else f"{value:.2f}"


def headline(result: Headline) -> FigureWithWords:
    """Draw the steps to 90 % in the classic setting, with standardised inputs, and today.

    Parameters
    ----------
    result : Headline
        From `bncourse.chapters.motivation.runs.headline`.

    Returns
    -------
    FigureWithWords
    """
    classic, helped = (
        [result.steps[name, bn, 1.0] for bn in (False, True)] for name in (CLASSIC, HELPED)
    )
    modern = list(result.at_best(MODERN, COARSE))
    panels = (
        (classic, "sigmoid, rate 1,\nraw pixels"),
        (helped, "sigmoid, rate 1,\nstandardised pixels"),
        (modern, "ReLU, He, best rates,\nstandardised pixels"),
    )
    told = []
    with style():
        figure, axes = new_figure(6.6, 4.1, 1, len(panels), sharey=True)
        for ax, (runs, text) in zip(axes, panels, strict=True):
            medians = [float(np.median(steps)) for steps in runs]
            for place, (steps, middle, colour) in enumerate(
                zip(runs, medians, (WITHOUT, WITH), strict=True)
            ):
                jitter = np.linspace(-0.13, 0.13, len(steps))
                ax.plot(place + jitter, steps, "o", color=colour, alpha=0.55)
                ax.plot([place - 0.26, place + 0.26], [middle] * 2, color=colour, linewidth=3)
                ax.annotate(
                    f"{middle:g}",
                    (place + 0.3, middle),
                    va="center",
                    color=colour,
                    fontweight="bold",
                )
            ax.set_xticks([0, 1], ["without", "with"])
            ax.set_xlim(-0.5, 1.85)
            ax.set_yscale("log")
            ratio = medians[0] / medians[1]
            ax.set_title(f"{text}\n{_ratio(ratio)} times", fontsize=10.5)
            told.append(
                f"{medians[0]:g} without and {medians[1]:g} with, a factor of {_ratio(ratio)}"
            )
        axes[0].set_ylabel("steps to 90 % test accuracy")
        title(figure, "What batch norm gains depends on the plain network beside it")
    words = (
        f"Steps to 90 % of the test images, median of {len(classic[0])} seeds. "
        f"Sigmoid at learning rate 1: {told[0]}; with standardised inputs: {told[1]}. "
        "ReLU, He initialisation, standardised inputs, each arm at the best of "
        f"{len(COARSE)} rates: {told[2]}."
    )
    return FigureWithWords(figure, words, result.card)


def _ratio(value: float) -> str:
    return f"{value:.0f}" if value >= 5 else f"{value:.1f}"


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
                        fontsize=10.5,
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
            shades = ax.imshow(
                values, origin="lower", cmap="cividis", vmin=0, vmax=1, aspect="auto"
            )
            for (row, column), value in np.ndenumerate(values):
                # The dashed line stops at a number.
                patch = {"boxstyle": "square,pad=0.15", "color": shades.to_rgba(value)}
                ax.annotate(
                    f"{100 * value:.0f}",
                    (column, row),
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="white" if value < 0.55 else "black",
                    fontweight="bold" if value >= GOOD else "normal",
                    bbox=patch if _on_diagonal(table, row, column) else None,
                )
            if values is table.with_bn:
                # Ten times smaller weights, a hundred times smaller rate: α/‖w‖² stays.
                # On a white one, since the cells are dark and light.
                ax.plot(*_diagonal(table), color="white", linewidth=3.2)
                ax.plot(*_diagonal(table), color=INK, linewidth=1.6, linestyle=(0, (4, 3)))
                ax.set_xlim(-0.5, len(table.rates) - 0.5)
                ax.set_ylim(-0.5, len(table.gains) - 0.5)
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
        f"{'reaches' if a == 1 else 'reach'} 90 % without batch norm and {b} with it. Along the "
        "dashed line the learning rate goes as the gain."
    )
    return FigureWithWords(figure, words, table.card)


def _diagonal(table: Map) -> tuple[Floats, Floats]:
    """Return where α/gain is what it is at rate 0.1 and He's weights, in cells."""
    exponents = np.array([-4.0, 2.0])
    columns = exponents - np.log10(table.rates[0])
    rows = exponents + 1.0 - np.log10(table.gains[0])
    return columns, rows


def _on_diagonal(table: Map, row: int, column: int) -> bool:
    """Whether the dashed line goes through a cell's middle."""
    return bool(np.isclose(10 * table.rates[column], table.gains[row]))


def _powers(values: Floats) -> list[Any]:
    return [f"$10^{{{round(float(np.log10(v)))}}}$" for v in values]

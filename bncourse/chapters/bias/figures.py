"""The figures of chapter 3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bncourse.chapters.bias.runs import (
    RULERS,
    DecayCurves,
    Growth,
    Growths,
    Reading,
    Shares,
    ShiftEffect,
    read_dots,
)
from bncourse.display import FigureWithWords
from bncourse.display.figure import true_minus
from bncourse.display.narrow import relabelled
from bncourse.display.style import (
    CARD,
    GREEN,
    GREY,
    INK,
    PURPLE,
    WITH,
    WITHOUT,
    join,
    label_line,
    new_figure,
    style,
    title,
)

#: Steps over which the rates of single steps, which jump by a fifth, are averaged.
AT_THE_END = 300

__all__ = [
    "effective_rate",
    "gradient_shares",
    "moved_dots",
    "right_triangles",
    "shifted_biases",
    "weight_growth",
]


def draw_reading(ax: Axes, reading: Reading, window: tuple[float, float]) -> None:
    """Draw four dots on their raw axis, and below them the ruler that they are read by.

    Parameters
    ----------
    ax : Axes
    reading : Reading
    window : tuple of float
        Ends of the raw axis.
    """
    ax.axhline(0.0, color=WITH, linewidth=1.6)
    low, high = window
    ticks = np.arange(np.ceil((low - reading.zero) / reading.unit), 1e3)
    ticks = ticks[reading.zero + ticks * reading.unit <= high]
    # A label wherever there is room for one.
    every = int(np.ceil((high - low) / 17 / reading.unit))
    for tick in ticks:
        x = reading.zero + tick * reading.unit
        ax.plot([x, x], [-0.12, 0.12], color=WITH, linewidth=2.6 if tick == 0 else 1.2)
        if tick % every == 0:
            label = true_minus(f"{tick:.0f}")
            ax.annotate(label, (x, -0.22), color=WITH, ha="center", va="top", fontsize=10)
    for k, dot in enumerate(reading.dots):
        ax.plot([dot, dot], [0.12, 0.72], color=GREY, linewidth=1, linestyle=":")
        face = CARD if k < 2 else INK
        ax.plot(dot, 0.85, "o", color=INK, markerfacecolor=face, markersize=9, markeredgewidth=2)
    ax.set_xlim(low, high)
    ax.set_ylim(-0.75, 1.15)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)


def moved_dots(b: float, c: float) -> FigureWithWords:
    """Draw the dots 1, 3, 5, 7 and their ruler, and below both the moved ones and theirs.

    Parameters
    ----------
    b : float
        Added to each dot.
    c : float
        Factor on each dot.

    Returns
    -------
    FigureWithWords
    """
    before, after = read_dots(0.0, 1.0, RULERS[0]), read_dots(b, c, RULERS[0])
    change = float(np.abs(after.z_norm - before.z_norm).max())
    did = " and ".join(word for word, moved in (("slid", b != 0), ("stretched", c != 1)) if moved)
    with style():
        figure, axes = new_figure(6.4, 3.6, 2, 1)
        for ax, reading in zip(axes, (before, after), strict=True):
            half = 5.0 * max(reading.unit / before.unit, 0.3)
            draw_reading(ax, reading, (reading.zero - half, reading.zero + half))
        title(figure, f"The dots are {did}, and the ruler with them")
    words = (
        f"Dots at {join([f'{d:g}' for d in before.dots])} on a ruler with its zero at "
        f"{before.zero:g} and a tick every {before.unit:.2f}; {did} to "
        f"{join([f'{d:g}' for d in after.dots])}, zero at {after.zero:g}, a tick every "
        f"{after.unit:.2f}. The first read {join([f'{v:.3f}' for v in before.z_norm])}; the "
        f"largest change of a reading is {change:.3f}."
    )
    return FigureWithWords(figure, true_minus(words))


def gradient_shares(shares: Shares) -> FigureWithWords:
    """Draw the share of ‖dw‖² along the mean of each layer's inputs.

    Parameters
    ----------
    shares : Shares
        From `bncourse.chapters.bias.runs.gradient_shares`.

    Returns
    -------
    FigureWithWords
    """
    panels = list(dict.fromkeys(inputs for inputs, _ in shares.values))
    names = ["layer 1", "2", "3", "output"]
    said = []
    with style():
        figure, axes = new_figure(6.4, 3.9, 1, len(panels), sharey=True)
        for ax, inputs in zip(axes, panels, strict=True):
            for side, bn, colour in ((-0.2, False, WITHOUT), (0.2, True, WITH)):
                values = shares.values[inputs, bn]
                middle = np.median(values, axis=0)
                spread = [middle - values.min(axis=0), values.max(axis=0) - middle]
                at = np.arange(4) + side
                ax.bar(at, middle, 0.38, color=colour, yerr=spread, ecolor=INK)
                for x, value, top in zip(at, middle, values.max(axis=0), strict=True):
                    text = f"{value:.2f}"[1:]
                    ax.text(x, top + 0.02, text, ha="center", color=colour, fontsize=9.5)
                name = "with batch norm" if bn else "without"
                said.append(f"{inputs}, {name}: {join([f'{v:.2f}' for v in middle])}")
            for k, value in enumerate(shares.random):
                ax.plot([k - 0.42, k + 0.42], [value, value], color=INK, linestyle=":")
            ax.set_xticks(range(4), names)
            ax.set_yticks(np.linspace(0, 1, 6))
            ax.set_title(inputs, fontsize=11.5)
            ax.set_ylim(0, 1.06)
            ax.grid(visible=False, axis="x")
        axes[0].set_ylabel("share of ‖dw‖² along ā")
        axes[0].text(0.02, 0.97, "without", color=WITHOUT, transform=axes[0].transAxes, va="top")
        axes[0].text(
            0.30, 0.97, "with batch norm", color=WITH, transform=axes[0].transAxes, va="top"
        )
        title(figure, "In the hidden layers batch norm takes the common push away")
    words = (
        f"Share of the squared gradient along the mean of the layer's inputs, layers 1, 2, 3 and "
        f"output, medians. {'. '.join(said)}. A random direction has "
        f"{join([f'{v:.3f}' for v in shares.random])}."
    )
    return FigureWithWords(figure, words, shares.card)


def shifted_biases(effect: ShiftEffect) -> FigureWithWords:
    """Draw how far logits move when all hidden biases are shifted.

    Parameters
    ----------
    effect : ShiftEffect
        From `bncourse.chapters.bias.runs.shift_biases`.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, ax = new_figure(6.4, 4.2)
        for values, text, colour in (
            (effect.evaluation, "stored ruler, float64", GREEN),
            (effect.training32, "made ruler, float32", GREY),
            (effect.training, "made ruler, float64", INK),
        ):
            (line,) = ax.loglog(effect.shifts, values, "o-", color=colour)
            label_line(ax, line, text, at=len(effect.shifts) // 2, offset=(0, 14), ha="right")
        ax.set_xlabel("size of the shift of every hidden bias")
        ax.set_ylabel("largest change of a logit")
        title(figure, "A stored ruler feels b; a made one, only rounding")
    words = (
        f"Biases shifted by {effect.shifts[0]:g} to {effect.shifts[-1]:g}: by the batch's own "
        f"statistics the "
        f"logits change by less than {_ceiling(effect.training.max())} in float64 at every shift, "
        f"by {'more' if effect.training32[-1] > 1 else 'less'} than 1 in float32 at the largest; "
        f"by stored ones by {effect.evaluation[0]:.1f} at the smallest shift already, and by "
        f"{effect.evaluation[-1] / effect.shifts[-1]:.0f} times the shift at the largest."
    )
    return FigureWithWords(figure, words, effect.card)


def _ceiling(value: float) -> str:
    """Return the next power of ten above a number: 3.1e-7 gives ``1e-06``."""
    exponent = int(f"{value:e}".split("e")[1]) + 1
    return f"1e{exponent:03d}" if exponent < 0 else f"{10**exponent:g}"


def weight_growth(growths: Growths) -> FigureWithWords:
    """Draw the squared norm of the weights beside the sum of the squared updates.

    Parameters
    ----------
    growths : Growths
        From `bncourse.chapters.bias.runs.weight_growths`; the first seed is drawn.

    Returns
    -------
    FigureWithWords
    """
    with_bn, without_bn = growths.with_bn[0], growths.without_bn[0]
    with style():
        figure, axes = new_figure(6.4, 3.9, 1, 2, sharey=True)
        for ax, run, colour, text in (
            (axes[0], with_bn, WITH, "with batch norm"),
            (axes[1], without_bn, WITHOUT, "without (control)"),
        ):
            ax.plot(
                run.steps,
                run.norm / run.norm[0],
                color=colour,
                linewidth=5,
                alpha=0.45,
                label="measured",
            )
            ax.plot(
                run.steps,
                run.pythagoras / run.norm[0],
                color="black",
                linewidth=1.4,
                linestyle="--",
                label="Pythagoras",
            )
            ax.set_title(text, color=colour, fontsize=11.5)
            ax.set_xlabel("training step")
            ax.legend(loc="upper left")
        axes[0].set_ylabel("‖w‖² over its start")
        title(figure, "With batch norm the weights grow as Pythagoras says")
    gap = abs(_share(with_bn) - 1)
    words = (
        f"Over {len(with_bn.steps) - 1} steps the squared norm of the hidden weights grows by a "
        f"factor of {with_bn.norm[-1] / with_bn.norm[0]:.1f} with batch norm, "
        f"and the squared updates add up to that growth {'within' if gap < 1e-3 else 'but not to'}"
        f" 0.1 %; without batch norm they add up to {100 * _share(without_bn):.0f} % of it."
    )
    return FigureWithWords(figure, words, growths.card)


def _share(run: Growth) -> float:
    """Return the sum of the squared updates over the growth of ‖w‖²."""
    return float((run.pythagoras[-1] - run.norm[0]) / (run.norm[-1] - run.norm[0]))


def right_triangles(lengths: Sequence[float] = (0.75, 0.7, 0.65)) -> FigureWithWords:
    """Draw steps of gradient descent at right angles to the weights, one after the other.

    Parameters
    ----------
    lengths : sequence of float
        Of the steps; the first weights have length 1.

    Returns
    -------
    FigureWithWords
    """
    points = [np.array([1.0, 0.0])]
    for length in lengths:
        w = points[-1]
        points.append(w + length * np.array([-w[1], w[0]]) / np.linalg.norm(w))
    with style():
        figure, ax = new_figure(6.0, 4.1)
        circle = np.radians(np.linspace(-12, 125, 80))
        ax.plot(np.cos(circle), np.sin(circle), color=GREY, linewidth=1, linestyle="--")
        ax.text(0.97, -0.24, "length 1", color=GREY, fontsize=10)
        for t, w in enumerate(points):
            ax.plot([0, w[0]], [0, w[1]], color=INK)
            ax.plot(*(w / np.linalg.norm(w)), "o", color=GREY, markersize=5)
            ax.annotate(
                f"$w_{t}$",
                0.55 * w,
                xytext=tuple(11 * np.array([w[1], -w[0]]) / np.linalg.norm(w)),
                textcoords="offset points",
                color=INK,
                ha="center",
                va="center",
            )
        for t, (w, following) in enumerate(zip(points, points[1:], strict=False)):
            ax.plot(*np.transpose([w, following]), color=PURPLE)
            along, step = -0.07 * w / np.linalg.norm(w), following - w
            across = 0.07 * step / np.linalg.norm(step)
            corner = [w + along, w + along + across, w + across]
            ax.plot(*np.transpose(corner), color=GREY, linewidth=1)
            ax.annotate(
                rf"$-\alpha\,\nabla J(w_{t})$",
                (w + following) / 2,
                xytext=(8, 4),
                textcoords="offset points",
                color=PURPLE,
            )
        ax.plot(0, 0, "o", color="black", markersize=5)
        ax.set_aspect("equal")
        ax.set_xlim(right=1.7)
        ax.margins(0.08)
        ax.axis("off")
        title(figure, "Each step at a right angle makes the weights longer")
    squared = [f"{float(w @ w):.2f}" for w in points]
    words = (
        f"{len(lengths)} steps, each at a right angle to the weights it starts from: the squared "
        f"length grows from {squared[0]} to {join(squared[1:])}."
    )
    return FigureWithWords(figure, words)


def effective_rate(curves: DecayCurves) -> FigureWithWords:
    """Draw the effective learning rate from several starts, with and without weight decay.

    Parameters
    ----------
    curves : DecayCurves
        From `bncourse.chapters.bias.runs.decay_curves`.

    Returns
    -------
    FigureWithWords
    """
    gradient = np.mean([np.mean(run.gradient[-AT_THE_END:]) for run in curves.decayed])
    formula = float(np.sqrt(2 * 0.01 / gradient))
    with style():
        figure, axes = new_figure(6.4, 4.0, 1, 2, sharey=True)
        for ax, runs, text in (
            (axes[0], curves.decayed, "with weight decay"),
            (axes[1], curves.free, "without (control)"),
        ):
            for gain, run, colour in zip(curves.starts, runs, (GREEN, PURPLE, GREY), strict=True):
                (line,) = ax.semilogy(run.steps, run.rate, color=colour)
                if ax is axes[1]:
                    label_line(ax, line, f"{gain:g} × He", offset=(-2, 10), ha="right")
                else:
                    label_line(ax, line, f"{gain:g} ×", at=0, offset=(6, 9), ha="left")
            ax.set_title(text, fontsize=11.5)
            ax.set_xlabel("training step")
        axes[0].axhline(formula, color=INK, linestyle="--", linewidth=1.4)
        axes[0].annotate(
            "√(2αλ) / ‖∇J(u)‖",
            (800, formula),
            (0, -30),
            textcoords="offset points",
            ha="right",
            fontsize=10,
        )
        axes[0].set_ylabel("α over the mean ‖wⱼ‖²")
        title(figure, "Weight decay makes the effective rate forget its start")
    late = float(np.mean([np.mean(run.rate[-AT_THE_END:]) for run in curves.decayed]))
    meet = _ratio(curves.decayed, -AT_THE_END) < 1.2
    words = (
        f"Starts whose effective learning rates differ by a factor of "
        f"{_ratio(curves.decayed, 0):.0f} "
        f"end {'within a fifth of each other' if meet else 'apart'} with weight decay, at "
        f"{late:.1f} where the formula says {formula:.1f}, and a factor of "
        f"{_ratio(curves.free, -AT_THE_END):.0f} apart without (means of the last {AT_THE_END} "
        f"steps)."
    )
    labels = {f"{gain:g} ×": {"position": (12, -3)} for gain in curves.starts[1:]}
    return FigureWithWords(figure, words, curves.card, relabelled(labels))


def _ratio(runs: Sequence[Growth], at: int) -> float:
    """Return the largest rate over the smallest, at the first step or averaged from one on."""
    rates = [float(np.mean(run.rate[at:]) if at else run.rate[0]) for run in runs]
    return max(rates) / min(rates)

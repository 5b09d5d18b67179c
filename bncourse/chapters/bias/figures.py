"""The figures of chapter 3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bncourse.chapters.bias.runs import Growth, ShiftEffect
from bncourse.display import FigureWithWords
from bncourse.display.style import (
    BLUE,
    GREY,
    ORANGE,
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

__all__ = ["effective_rate", "ghost_bias", "right_triangles", "weight_growth"]


def ghost_bias(effect: ShiftEffect) -> FigureWithWords:
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
            (effect.evaluation, "evaluation mode", ORANGE),
            (effect.training32, "training, float32", GREY),
            (effect.training, "training, float64", BLUE),
        ):
            (line,) = ax.loglog(effect.shifts, values, "o-", color=colour)
            label_line(ax, line, text, at=len(effect.shifts) // 2, offset=(0, 14), ha="right")
        ax.set_xlabel("size of the shift of every hidden bias")
        ax.set_ylabel("largest change of a logit")
        ax.set_title("A shifted bias vanishes in training mode, and only there")
    words = (
        f"Biases shifted by {effect.shifts[0]:g} to {effect.shifts[-1]:g}: in training mode the "
        f"logits change by less than {_ceiling(effect.training.max())} in float64 at every shift, "
        f"by {'more' if effect.training32[-1] > 1 else 'less'} than 1 in float32 at the largest; "
        f"in evaluation mode by {effect.evaluation[0]:.1f} at the smallest shift already, and by "
        f"{effect.evaluation[-1] / effect.shifts[-1]:.0f} times the shift at the largest."
    )
    return FigureWithWords(figure, words)


def _ceiling(value: float) -> str:
    """Return the next power of ten above a number: 3.1e-7 gives ``1e-06``."""
    exponent = int(f"{value:e}".split("e")[1]) + 1
    return f"1e{exponent:03d}" if exponent < 0 else f"{10**exponent:g}"


def weight_growth(with_bn: Growth, without_bn: Growth) -> FigureWithWords:
    """Draw the squared norm of the weights beside the sum of the squared updates.

    Parameters
    ----------
    with_bn, without_bn : Growth
        From `bncourse.chapters.bias.runs.weight_growth`.

    Returns
    -------
    FigureWithWords
    """
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
    return FigureWithWords(figure, words)


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
        figure, ax = new_figure(5.2, 3.6)
        for t, w in enumerate(points):
            ax.plot([0, w[0]], [0, w[1]], color=BLUE)
            ax.annotate(
                f"$w_{t}$",
                0.55 * w,
                xytext=tuple(11 * np.array([w[1], -w[0]]) / np.linalg.norm(w)),
                textcoords="offset points",
                color=BLUE,
                ha="center",
                va="center",
            )
        for t, (w, following) in enumerate(zip(points, points[1:], strict=False)):
            ax.plot(*np.transpose([w, following]), color=ORANGE)
            along, step = -0.07 * w / np.linalg.norm(w), following - w
            across = 0.07 * step / np.linalg.norm(step)
            corner = [w + along, w + along + across, w + across]
            ax.plot(*np.transpose(corner), color=GREY, linewidth=1)
            ax.annotate(
                rf"$-\alpha\,\nabla J(w_{t})$",
                (w + following) / 2,
                xytext=(8, 4),
                textcoords="offset points",
                color=ORANGE,
            )
        ax.plot(0, 0, "o", color="black", markersize=5)
        ax.set_aspect("equal")
        ax.set_xlim(right=1.7)
        ax.margins(0.08)
        ax.axis("off")
        title(figure, "Each step is a leg, so the hypotenuse grows")
    squared = [f"{float(w @ w):.2f}" for w in points]
    words = (
        f"{len(lengths)} steps, each at a right angle to the weights it starts from: the squared "
        f"length grows from {squared[0]} to {join(squared[1:])}."
    )
    return FigureWithWords(figure, words)


def effective_rate(
    gains: Sequence[float], decayed: Sequence[Growth], free: Sequence[Growth]
) -> FigureWithWords:
    """Draw the effective learning rate from several starts, with and without weight decay.

    Parameters
    ----------
    gains : sequence of float
        Factors on the initial weights.
    decayed, free : sequence of Growth
        One run for each gain, from `bncourse.chapters.bias.runs.decay_run`.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, axes = new_figure(6.4, 4.0, 1, 2, sharey=True)
        for ax, runs, text in (
            (axes[0], decayed, "with weight decay"),
            (axes[1], free, "without (control)"),
        ):
            for gain, run, colour in zip(gains, runs, (ORANGE, BLUE, GREY), strict=True):
                (line,) = ax.semilogy(run.steps, run.rate, color=colour)
                if ax is axes[1]:
                    label_line(ax, line, f"{gain:g} × He", offset=(-2, 10), ha="right")
                else:
                    label_line(ax, line, f"{gain:g} ×", at=0, offset=(6, 9), ha="left")
            ax.set_title(text, fontsize=11.5)
            ax.set_xlabel("training step")
        axes[0].set_ylabel("α over the mean ‖wⱼ‖²")
        title(figure, "Weight decay makes the effective rate forget its start")
    words = (
        f"Starts whose effective learning rates differ by a factor of {_ratio(decayed, 0):.0f} "
        f"{'end within a fifth of each other' if _ratio(decayed, -AT_THE_END) < 1.2 else 'differ'}"
        f" with weight decay, and a factor of {_ratio(free, -AT_THE_END):.0f} apart without "
        f"(means of the last {AT_THE_END} steps)."
    )
    return FigureWithWords(figure, words)


def _ratio(runs: Sequence[Growth], at: int) -> float:
    """Return the largest rate over the smallest, at the first step or averaged from one on."""
    rates = [float(np.mean(run.rate[at:]) if at else run.rate[0]) for run in runs]
    return max(rates) / min(rates)

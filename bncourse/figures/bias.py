"""The figures of chapter 3."""

from __future__ import annotations

from collections.abc import Sequence

from bncourse.display import FigureWithWords
from bncourse.experiments.bias import Growth, ShiftEffect
from bncourse.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    WITH,
    WITHOUT,
    label_line,
    new_figure,
    style,
    title,
)

__all__ = ["effective_rate", "ghost_bias", "weight_growth"]


def ghost_bias(effect: ShiftEffect) -> FigureWithWords:
    """Draw how far logits move when all hidden biases are shifted.

    Parameters
    ----------
    effect : ShiftEffect
        From `bncourse.experiments.bias.shift_biases`.

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
        "in evaluation mode by "
        f"{effect.evaluation[0]:.1f} at the smallest shift already, and in proportion from there."
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
        From `bncourse.experiments.bias.weight_growth`.

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
    gap = abs(with_bn.norm[-1] / with_bn.pythagoras[-1] - 1)
    control = without_bn.norm[-1] / without_bn.pythagoras[-1] - 1
    words = (
        f"Over {len(with_bn.steps) - 1} steps the squared norm of the hidden weights grows by a "
        f"factor of {with_bn.norm[-1] / with_bn.norm[0]:.1f} with batch norm, "
        f"{'within 0.1 %' if gap < 1e-3 else f'{gap:.1%}'} of the sum of squared updates; without "
        f"batch norm the sum is {abs(control):.0%} {'below' if control > 0 else 'above'} the "
        "truth."
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
        One run for each gain, from `bncourse.experiments.bias.decay_run`.

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
            ax.set_title(text, fontsize=11.5)
            ax.set_xlabel("training step")
        axes[0].set_ylabel("effective rate α / ‖w‖²")
        title(figure, "Weight decay makes the effective rate forget its start")
    words = (
        f"Starts whose effective learning rates differ by a factor of {_ratio(decayed, 0):.0f} "
        f"end within a factor of {_ratio(decayed, -1):.1f} of each other with weight decay, and "
        f"{_ratio(free, -1):.0f} apart without."
    )
    return FigureWithWords(figure, words)


def _ratio(runs: Sequence[Growth], at: int) -> float:
    """Return the largest rate over the smallest, at one step."""
    rates = [float(run.rate[at]) for run in runs]
    return max(rates) / min(rates)

"""The figures of *Does it hold elsewhere?*."""

from __future__ import annotations

from collections import Counter
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure

from bncourse.chapters.elsewhere.runs import Comparison, two_digits
from bncourse.data import Digits
from bncourse.display import FigureWithWords
from bncourse.display.style import GREEN, GREY, INK, join, new_figure, style, title

__all__ = ["examples", "ratios"]

#: What one sentence does, and what several do.
VERDICTS = {
    "holds": ("holds", "hold"),
    "weaker": ("holds more weakly", "hold more weakly"),
    "not": ("does not hold", "do not hold"),
}


def examples(data: Digits) -> FigureWithWords:
    """Draw the first six sequences of a training set.

    Parameters
    ----------
    data : Digits
        Of which each example is a sequence.

    Returns
    -------
    FigureWithWords
    """
    x, y = data.x_train[:6], data.y_train[:6]
    with style():
        figure, axes = new_figure(6.4, 3.6, 2, 3, sharex=True, sharey=True)
        for ax, sequence, label in zip(axes.flat, x, y, strict=True):
            ax.plot(sequence, color=INK, linewidth=1.6)
            ax.set_title(f"class {label}", fontsize=10.5)
            ax.tick_params(labelbottom=False, labelleft=False)
        title(figure, "A digit is a bend in a noisy line, and may stand anywhere")
    labels = join([str(label) for label in y])
    words = (
        f"Six sequences of {x.shape[1]} numbers, drawn as curves; they belong to the classes "
        f"{labels}. The values run from {x.min():.1f} to {x.max():.1f}."
    )
    return FigureWithWords(figure, words)


def ratios(found: Comparison) -> FigureWithWords:
    """Draw the ratio of each sentence on both data sets.

    Parameters
    ----------
    found : Comparison
        From `bncourse.chapters.elsewhere.runs`.

    Returns
    -------
    FigureWithWords
    """
    counted = Counter(outcome.verdict for outcome in found.outcomes)
    told = join(
        [
            f"{counted[verdict]} {text[counted[verdict] != 1]}"
            for verdict, text in VERDICTS.items()
            if counted[verdict]
        ]
    )
    with style():
        figure, ax = new_figure(6.4, 0.38 * len(found.outcomes) + 1.2)
        # Between the sentences, which no line crosses.
        places = np.arange(len(found.outcomes))
        ax.vlines(np.ones(len(places)), places - 0.13, places + 0.13, color=GREY, linewidth=1)
        ax.spines["left"].set_visible(False)
        for place, outcome in enumerate(found.outcomes):
            digits, mnist1d = outcome.digits.ratio, outcome.mnist1d.ratio
            ax.plot([digits, mnist1d], [place, place], color=GREY, linewidth=1)
            ax.plot(digits, place, "o", color=GREY)
            ax.plot(mnist1d, place, "o" if outcome.verdict != "not" else "X", color=GREEN)
            ax.text(
                0.0,
                place - 0.3,
                outcome.row.sentence,
                transform=ax.get_yaxis_transform(),
                fontsize=9,
                va="center",
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.set_ylim(len(found.outcomes) - 0.4, -0.8)
        ax.set_yticks([])
        ax.grid(visible=False)
        # Above, and the scale at both ends: the figure is longer than a screen.
        ax.xaxis.set_label_position("top")
        ax.tick_params(axis="x", top=True, labeltop=True)
        ax.set_xlabel("ratio: digits grey, MNIST-1D green (a cross: does not hold)", labelpad=8)
        title(figure, f"On MNIST-1D, {told}")
    furthest = max(
        found.outcomes,
        key=lambda outcome: abs(np.log(outcome.digits.ratio / outcome.mnist1d.ratio)),
    )
    words = (
        f"Of {len(found.outcomes)} sentences, {told} on MNIST-1D. The ratios differ most in "
        f"“{furthest.row.sentence}”: {two_digits(furthest.digits.ratio)} on the digits, "
        f"{two_digits(furthest.mnist1d.ratio)} on MNIST-1D."
    )

    def narrow(figure: Figure) -> None:
        figure.set_figheight(figure.get_figheight() + 0.2 * len(found.outcomes))
        (ax,) = figure.axes
        for place, text in enumerate(ax.texts):
            text.set(text=fill(text.get_text(), 60), y=place - 0.16, va="bottom")

    return FigureWithWords(figure, words, found.card, narrow)

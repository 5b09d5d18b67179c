"""The explorable of chapter 4: batch-mates."""

from __future__ import annotations

from functools import partial

import numpy as np

from bncourse.chapters.minibatches.runs import COMPANIES, in_company, with_stored_statistics
from bncourse.data import load_digits
from bncourse.display import Choice, Explorable, FigureWithWords, Range
from bncourse.display.style import GREY, VERMILION, WITH, new_figure, style
from bncourse.network import Sequential


def draw_batch_mates(net: Sequential, m: int, company: str, draw: int) -> FigureWithWords:
    """Draw what the network says of one image in this company, and with stored statistics."""
    label = int(load_digits().y_test[0])
    here, stored = in_company(net, m, company, draw), with_stored_statistics(net)
    right = int(here.argmax()) == label
    with style():
        figure, ax = new_figure(5.6, 3.0)
        classes = np.arange(10)
        ax.bar(classes - 0.2, stored, 0.4, color=GREY)
        ax.bar(classes + 0.2, here, 0.4, color=WITH if right else VERMILION)
        ax.set_ylim(0, 1.2)
        ax.set_yticks(np.linspace(0, 1, 6))
        key = "grey: with stored statistics; colour: in this company"
        ax.text(9.5, 1.1, key, ha="right", va="center")
        ax.set_xticks(classes)
        ax.grid(visible=False, axis="x")
        ax.set_xlabel(f"class; the image shows a {label}")
        ax.set_ylabel("probability")
        ax.set_title(f"{here[label]:.2f} in company, {stored[label]:.2f} with stored statistics")
    words = (
        f"Among {m - 1} mate{'' if m == 2 else 's'} ({company}, draw {draw}) the image of a "
        f"{label} is taken for a {here.argmax()} ({here.max():.2f}); its own class gets "
        f"{here[label]:.2f}, and {stored[label]:.2f} with stored statistics."
    )
    return FigureWithWords(figure, words)


def batch_mates(net: Sequential) -> Explorable:
    """Return the explorable: one image, the size of its batch, and who else is in it.

    Parameters
    ----------
    net : Sequential
        Trained, with batch norm.
    """
    return Explorable(
        "Batch-mates",
        partial(draw_batch_mates, net),
        {
            "m": Range("examples, m", (2, 4, 8, 32, 128), 8, step=1, form="{:.0f}"),
            "company": Choice("company", COMPANIES, COMPANIES[0]),
            "draw": Range("draw", (1, 2, 3), 1, high=100, step=1, form="{:.0f}"),
        },
    )

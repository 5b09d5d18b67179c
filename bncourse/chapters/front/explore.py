"""The explorable of the front page: an image's neighbours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bncourse.arrays import Floats, Integers
from bncourse.chapters.front.runs import COMPANIES, LABEL, NETWORKS, Neighbours
from bncourse.display import Choice, Explorable, FigureWithWords
from bncourse.display.style import GREY, WITH, WITHOUT, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Below this probability a network has no opinion: a tenth is what guessing gives.
SHRUG = 0.2


def _show(ax: Axes, images: Floats, name: str) -> None:
    """Draw nine images of 8 × 8 pixels in a square, or one alone, or say that there is none."""
    ax.set_title(name, fontsize=11, fontweight="normal", loc="center", pad=5)
    ax.set_axis_off()
    if not len(images):
        ax.text(0.5, 0.5, "nobody", ha="center", va="center", color=GREY, fontsize=14)
        ax.set_box_aspect(1)
        return
    side = 3 if len(images) > 1 else 1
    sheet = np.zeros((9 * side - 1, 9 * side - 1))
    for k, image in enumerate(images):
        row, column = divmod(k, side)
        sheet[9 * row : 9 * row + 8, 9 * column : 9 * column + 8] = image.reshape(8, 8)
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")


def said(found: Neighbours, company: str, network: str) -> str:
    """Return the answer in words, for a title."""
    shares = found.probabilities[network, company]
    if shares.max() < SHRUG:
        return "no idea"
    sure = "sure" if shares.max() > 0.9 else "quite sure" if shares.max() > 0.6 else "unsure"
    return f"“{shares.argmax()}”, {sure}"


def draw_neighbours(found: Neighbours, company: str, network: str) -> FigureWithWords:
    """Draw one image of a 0, its neighbours, and what a network says of it."""
    shares, answers = found.probabilities[network, company], found.answers[network, company]
    colour = WITHOUT if network == NETWORKS[2] else WITH
    with style():
        figure, axes = new_figure(4.4, 3.45, 2, 2, height_ratios=(1.1, 1))
        _show(axes[0, 0], found.image[None], "the image")
        _show(axes[0, 1], found.mates[company], "its neighbours")
        for ax in axes[1]:
            ax.remove()
        ax = figure.add_subplot(axes[1, 0].get_gridspec()[1, :])
        ax.bar(range(10), shares, color=colour)
        ax.set_ylim(0, 1.02)
        ax.set_xticks(range(10))
        ax.set_yticks((0, 0.5, 1))
        ax.grid(visible=False, axis="x")
        ax.set_xlabel("digit")
        ax.set_ylabel("probability")
        ax.set_title(said(found, company, network))
    return FigureWithWords(figure, words(found, company, network, shares, answers), found.card)


def words(found: Neighbours, company: str, network: str, shares: Floats, answers: Integers) -> str:
    """Return what a frame shows, with how often it was so."""
    beside = "Alone" if company == COMPANIES[2] else f"Among {company}"
    here = f"the image of a {LABEL} is taken for a {shares.argmax()} ({shares.max():.2f})"
    if shares.max() < SHRUG:
        here = f"no digit gets more than {shares.max():.2f}"
    # With nobody beside the image there is one answer a network.
    networks = found.answers[network, COMPANIES[2]].sum()
    most = int(answers.argmax())
    others = "" if most == LABEL else f", {answers[most]} said {most}"
    return (
        f"{beside}, {network}: {here}. Of {answers.sum()} answers by {networks} networks, "
        f"{answers[LABEL] or 'none'} said {LABEL}{others}."
    )


def neighbours(found: Neighbours) -> Explorable:
    """Return the explorable: who stands beside an image of a 0, and which network looks.

    Parameters
    ----------
    found : Neighbours
        From `bncourse.chapters.front.runs.neighbours`.
    """
    return Explorable(
        "Neighbours",
        partial(draw_neighbours, found),
        {
            "company": Choice("neighbours", COMPANIES, COMPANIES[0]),
            "network": Choice("network", NETWORKS, NETWORKS[0]),
        },
        found.card,
    )

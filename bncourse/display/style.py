"""One look for all figures: Okabe and Ito's colours, two fixed roles, labels on the lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

#: Okabe and Ito's palette, which colour-blind readers can tell apart. Three are darker than
#: theirs: a dark page turns figures light on dark, where a light ink would come out dim.
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#007A59"
BLUE = "#0072B2"
VERMILION = "#B84E00"
PURPLE = "#9C4A7C"

#: The two roles that never change: a network without batch norm, and one with it.
WITHOUT = VERMILION
WITH = BLUE
#: Also for words: 4.7 to 1 on the card, and 5 to 1 on a dark page.
GREY = "#717171"
INK = "#222222"
#: The figures' own background: a light card on light and on dark pages.
CARD = "#fdfcf9"

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 11.5,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelsize": 11.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#666666",
    "axes.facecolor": CARD,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY]),
    "figure.facecolor": CARD,
    "figure.constrained_layout.use": True,
    "grid.color": "#e4e2dc",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.2,
    "lines.markersize": 6,
    "text.color": INK,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "axes.unicode_minus": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of the book inside the ``with`` block."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(
    width: float = 6.4, height: float = 3.8, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """Return a figure and its axes, made without pyplot; call it inside `style`.

    Parameters
    ----------
    width, height : float
        Inches, at 100 pixels an inch on the page. A phone has a drawing of its own.
    rows, columns : int
        Of axes.
    **options
        As for ``Figure.subplots``.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : Axes, or array of Axes
    """
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(rows, columns, **options)


def label_line(
    ax: Axes,
    line: Line2D,
    text: str,
    at: int = -1,
    offset: tuple[float, float] = (6, 0),
    **options: Any,
) -> None:
    """Write a label in the line's colour beside one of its points.

    Parameters
    ----------
    ax : Axes
        Where the line is.
    line : Line2D
        Plotted already.
    text : str
        The label.
    at : int
        Index of the point, by default the last.
    offset : tuple of float
        From that point, in points.
    **options
        As for ``Axes.annotate``.
    """
    x, y = line.get_xdata(), line.get_ydata()
    options = {"color": line.get_color(), "va": "center", "fontweight": "bold"} | options
    ax.annotate(text, (x[at], y[at]), xytext=offset, textcoords="offset points", **options)  # type: ignore[index]


def title(figure: Figure, text: str) -> None:
    """Write the finding over the whole figure, left-aligned, and clear of the panels' titles."""
    figure.suptitle(text, x=0.01, ha="left", fontweight="bold", fontsize=12.5)
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine) and any(
        ax.get_title("left") for ax in figure.axes
    ):
        layout.set(h_pad=0.09)


def join(values: Sequence[str]) -> str:
    """Join words as a sentence does: ``a, b and c``."""
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}"

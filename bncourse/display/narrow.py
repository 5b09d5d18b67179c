"""A second drawing of each figure, for narrow screens, made from the figure itself.

A phone shows a picture of 640 pixels at about half its size, and its letters too small to read.
So a copy of the figure is laid out in `WIDTH`: titles and labels are broken into lines, panels
that stand side by side go below one another, and no letters are smaller than `SMALLEST`. The
authors of figures write nothing for it. Where labels that were placed by hand collide on the
narrower ground, ``FigureWithWords(…, narrow=change)`` names a function that mends the copy:
``change(figure)`` is called when the copy's panels stand where they will be, before lines are
broken; a height that it adds or takes away is that of the panels.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

#: Inches. At the 360 pixels of a small phone an inch has 80 pixels, so that
WIDTH = 4.5
#: points are 10.6 pixels high there.
SMALLEST = 9.5
#: Of the picture that is stored.
DPI = 200
#: Width of a panel that stands alone in its row, about, in inches; its height over its width, at
#: most, when it has come below its one neighbour, and when it is one of several.
PANEL, TALL, FLAT = 3.75, 0.66, 0.5
#: Inches between the letters and the edge of the screen.
MARGIN = 0.08
#: Where no line ends: between a number and its unit, between the sides of an equation.
TOGETHER = re.compile(r"(?<=\d) (?=%|times\b)|(?<==) | (?==)|(?<=×) | (?=×)|(?<=[<>]) | (?=[<>])")


def narrowed(figure: Figure, change: Callable[[Figure], object] | None = None) -> Figure | None:
    """Return a copy of a figure that was laid out for a narrow screen.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Stays as it is.
    change : callable, optional
        Is given the copy, to change what this layout cannot know.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if the figure can't be copied.
    """
    from bncourse.display.style import style

    copy = _copied(figure)
    if copy is None:
        return None
    with style():
        _lay_out(copy)
        wanted = {ax: _height(ax) for ax in panels(copy)}
        _over_the_whole(copy)
        # Letters are a little wider or narrower at another resolution.
        copy.set_dpi(DPI)
        copy.set_size_inches(WIDTH, copy.get_figheight())
        _enlarge(copy)
        _keep_off_the_edges(copy)
        if len(wanted) > 1 and _in_one_row(copy):
            in_columns(copy)
            wanted = {
                ax: _stacked_height(ax, before, len(wanted)) for ax, before in wanted.items()
            }
        if change is not None:
            _change(copy, change, wanted)
        whole = {text: text.get_text() for text, _, _ in _long_texts(copy)}
        for _ in range(2):
            # Lines take height, and heights say which labels have room.
            _lay_out(copy)
            _give_heights(copy, wanted)
            for text, room, upright in _long_texts(copy):
                text.set_text(whole[text])
                _wrap(text, room, upright)
        _lay_out(copy)
        _give_heights(copy, wanted)
    return copy


def _change(figure: Figure, change: Callable[[Figure], object], wanted: dict[Axes, float]) -> None:
    """Let the figure's author change it, and see which heights its panels are to have now."""
    height, specs = figure.get_figheight(), {ax: ax.get_subplotspec() for ax in wanted}
    change(figure)
    more = 1 + (figure.get_figheight() - height) / sum(wanted.values(), 1e-9)
    for ax, before in wanted.items():
        moved = ax.get_subplotspec() is not specs[ax]
        wanted[ax] = more * (_stacked_height(ax, before, len(wanted)) if moved else before)


def _copied(figure: Figure) -> Figure | None:
    """Return a copy that can be drawn by itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    try:
        copy: Figure = pickle.loads(pickle.dumps(figure))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    FigureCanvasAgg(copy)
    return copy


def _lay_out(figure: Figure) -> None:
    """Put everything in its place."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)


def panels(figure: Figure) -> list[Axes]:
    """Return the axes that stand in a grid, in their order."""
    return [ax for ax in figure.axes if ax.get_subplotspec() is not None]


def _in_one_row(figure: Figure) -> bool:
    specs = [ax.get_subplotspec() for ax in panels(figure)]
    grids = {id(spec.get_gridspec()) for spec in specs if spec is not None}
    return len(grids) == 1 and all(s is not None and s.get_gridspec().nrows == 1 for s in specs)


def in_columns(figure: Figure, columns: int = 1) -> None:
    """Set the panels into so many columns, row by row.

    What they share is said at each: tick labels that only the first one had, and its label.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The copy.
    columns : int
    """
    from matplotlib.gridspec import GridSpec

    axes = panels(figure)
    if columns == 1:
        for ax in axes:
            heading = ax._left_title  # type: ignore[attr-defined]
            heading.set_text(heading.get_text().replace(",\n", ", "))
    grid = GridSpec(-(-len(axes) // columns), columns, figure=figure)
    for place, ax in enumerate(axes):
        ax.set_subplotspec(grid[place])
    said = {ax.get_ylabel() for ax in axes} - {""}
    for ax in axes[::columns]:
        kin = [other for other in ax.get_shared_y_axes().get_siblings(ax) if other in axes]
        if any(other.yaxis.get_tick_params()["labelleft"] for other in kin):
            ax.tick_params(labelleft=True)
        if len(said) == 1 and ax.yaxis.get_tick_params()["labelleft"]:
            ax.set_ylabel(next(iter(said)))


def _stacked_height(ax: Axes, before: float, count: int) -> float:
    """Return the height for a panel that has the whole width now, one of so many."""
    from matplotlib.ticker import FixedFormatter

    if ax.get_aspect() != "auto":
        low, high = ax.get_ylim()
        left, right = ax.get_xlim()
        return PANEL * abs(high - low) / abs(right - left)
    rows = [label.get_text() for label in ax.get_yticklabels()]
    if isinstance(ax.yaxis.get_major_formatter(), FixedFormatter) and any(map(str.strip, rows)):
        return min(before, sum(0.26 + 0.16 * len(row.split("\n")) for row in rows))
    return min(before, PANEL * (TALL if count == 2 else FLAT))


def _give_heights(figure: Figure, wanted: dict[Axes, float]) -> None:
    """Make the figure as high as its panels need, each as high as is wanted."""
    specs = {ax: spec for ax in wanted if (spec := ax.get_subplotspec()) is not None}
    grids = {spec.get_gridspec() for spec in specs.values()}
    if len(grids) != 1 or any(len(spec.rowspan) > 1 for spec in specs.values()):
        # No plain rows: the heights stay in their proportions.
        return
    (grid,) = grids
    rows, found = [0.0] * grid.nrows, [0.0] * grid.nrows
    for ax, spec in specs.items():
        row = spec.rowspan.start
        rows[row] = max(rows[row], wanted[ax])
        found[row] = max(found[row], _height(ax))
    if all(rows):
        grid.set_height_ratios(rows)
        figure.set_figheight(figure.get_figheight() + sum(rows) - sum(found))


def _height(ax: Axes) -> float:
    """Return the height of the place of some axes, in inches."""
    figure: Any = ax.figure
    return float(ax.get_position(original=True).height * figure.get_figheight())


def _over_the_whole(figure: Figure) -> None:
    """Let the title of a single panel begin at the edge of the figure, where it has more room."""
    from bncourse.display.style import title

    if len(figure.axes) == 1 and not figure.get_suptitle():
        (ax,) = figure.axes
        text = ax.get_title("left")
        if text:
            ax.set_title("")
            title(figure, text)


def _keep_off_the_edges(figure: Figure) -> None:
    """Leave a margin at both sides: on a phone the picture goes to the edges of the screen."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(w_pad=MARGIN)
    suptitle = figure._suptitle  # type: ignore[attr-defined]
    if suptitle is not None:
        suptitle.set_x(MARGIN / WIDTH)


def _enlarge(figure: Figure) -> None:
    """Make the smallest letters large enough."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if float(text.get_fontsize()) < SMALLEST:
            text.set_fontsize(SMALLEST)
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if axis.get_tick_params().get("labelsize", SMALLEST) < SMALLEST:
                axis.set_tick_params(labelsize=SMALLEST)


def _long_texts(figure: Figure) -> list[tuple[Text, float, bool]]:
    """Return titles and labels, the room of each in pixels, and whether it is written upwards."""
    width, margin = figure.bbox.width, MARGIN * DPI
    left, right = margin, width - margin
    found: list[tuple[Text, float, bool]] = []
    if figure._suptitle is not None:  # type: ignore[attr-defined]
        found.append((figure._suptitle, right - left, False))  # type: ignore[attr-defined]
    for ax in figure.axes:
        box, spec = ax.bbox, ax.get_subplotspec()
        alone = spec is None or spec.get_gridspec().ncols == 1
        middle = (box.x0 + box.x1) / 2
        found += [
            (ax._left_title, (right if alone else box.x1) - box.x0, False),  # type: ignore[attr-defined]
            (
                ax.xaxis.label,
                2 * min(middle - left, right - middle) if alone else 1.1 * box.width,
                False,
            ),
            (ax.yaxis.label, 1.2 * box.height, True),
        ]
    return [entry for entry in found if entry[0].get_text()]


def _wrap(text: Text, room: float, upright: bool = False) -> None:
    """Break a text into as few lines as fit, of about the same length."""

    def extent(words: str) -> float:
        text.set_text(words)
        box = text.get_window_extent()
        return float(box.height if upright else box.width)

    lines: list[str] = []
    for line in text.get_text().split("\n"):
        words = TOGETHER.sub("\N{NO-BREAK SPACE}", line).split(" ")
        if extent(line) <= room or len(words) == 1:
            lines.append(line)
        else:
            space = (extent("n " * 20 + "n") - extent("n" * 21)) / 20
            lines += _lines(words, [extent(word) for word in words], space, room)
    text.set_text("\n".join(lines))


def _lines(words: Sequence[str], widths: Sequence[float], space: float, room: float) -> list[str]:
    """Return the lines of a text: as few as possible, and none much longer than the others."""

    def filled(limit: float) -> list[str]:
        lines, used = [words[0]], widths[0]
        for word, width in zip(words[1:], widths[1:], strict=True):
            if used + space + width <= limit:
                lines[-1] += f" {word}"
                used += space + width
            else:
                lines.append(word)
                used = width
        return lines

    # It has not fitted into one.
    fewest = max(2, len(filled(room)))
    if fewest == 2:
        # Best is a line that ends as a part of the sentence does.
        for k, word in enumerate(words[:-1], 1):
            parts = [sum(part) + space * (len(part) - 1) for part in (widths[:k], widths[k:])]
            if word[-1] in ",;:" and max(parts) <= room and min(parts) > 0.45 * room:
                return [" ".join(words[:k]), " ".join(words[k:])]
    return next(
        (lines for part in range(50, 100, 4) if len(lines := filled(room * part / 100)) == fewest),
        filled(0.97 * room),
    )


def relabelled(changes: dict[str, dict[str, Any]]) -> Callable[[Figure], None]:
    """Return a change for `narrowed` that moves, breaks or shortens labels.

    Parameters
    ----------
    changes : dict of str to dict
        By a label's text what ``Text.set`` is given, as ``{"position": (0, -14)}``.

    Returns
    -------
    callable
        Which raises `ValueError` if no label has such a text.
    """

    def change(figure: Figure) -> None:
        for text, properties in changes.items():
            labels = [*figure.texts, *(label for ax in figure.axes for label in ax.texts)]
            found = [label for label in labels if label.get_text() == text]
            if not found:
                raise ValueError(f"no label {text!r} in the figure")
            for label in found:
                label.set(**properties)

    return change


def with_letters(points: float) -> Callable[[Figure], None]:
    """Return a change for `narrowed` that sets all labels in letters of this size."""

    def change(figure: Figure) -> None:
        for ax in figure.axes:
            for label in ax.texts:
                label.set_fontsize(points)

    return change

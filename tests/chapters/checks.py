"""What the chapters' tests ask of every figure and of every explorable.

The notebooks compare the words of the real runs strictly. Here each figure gets two sets of
made-up numbers that its sentence must tell apart, so that no branch of a sentence goes unread, and
each explorable is drawn over the whole range of its live controls.
"""

from __future__ import annotations

import inspect
import io
import itertools
import re
from dataclasses import fields

import matplotlib as mpl
import numpy as np
from matplotlib.text import Text
from PIL import Image

from bncourse.display import FigureWithWords, Range
from bncourse.display.narrow import narrowed


def record(kind, **values):
    """Return a record of a run with these fields; the figures don't look at the others."""
    names = getattr(kind, "_fields", None) or [field.name for field in fields(kind)]
    return kind(**{name: values.pop(name, None) for name in names}, **values)


def losses(end):
    return list(np.geomspace(2.3, end, 60))


def numbers(pattern, text):
    """Return the numbers that a pattern finds in words."""
    found = re.search(pattern, text.replace("−", "-").replace(",", ""))
    assert found, text
    return [float(group) for group in found.groups()]


def explorables_of(module):
    """Return the names of the functions that make explorables."""
    return {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if inspect.signature(function).return_annotation == "Explorable"
    }


def check_words(draw, calls):
    """Each call's words must say what is expected of them, and no two calls' words agree."""
    before = dict(mpl.rcParams)
    told = set()
    for arguments, expected in calls:
        shown = draw(*arguments)
        assert isinstance(shown, FigureWithWords)
        assert any(ax.has_data() or ax.texts for ax in shown.figure.axes)
        words = repr(shown)
        assert re.search(expected, words), words
        assert words.endswith(".")
        assert "nan" not in words.split()
        told.add(words)
        assert title_of(shown.figure)
        if len(told) == 1:
            check_narrow(shown)
    assert len(told) == len(calls)
    assert dict(mpl.rcParams) == before


def title_of(figure):
    return figure.get_suptitle() or next(t for ax in figure.axes if (t := ax.get_title("left")))


def check_picture(shown):
    """The picture is of few colours, twice the size of its place, and not empty."""
    data, metadata = shown._repr_mimebundle_()
    picture = Image.open(io.BytesIO(data["image/png"]))
    assert picture.mode == "P"
    assert picture.width == 2 * metadata["image/png"]["width"] <= 1600
    assert len(data["image/png"]) < 150_000
    assert data["text/plain"] == shown.words
    # Something was drawn: the ground is one colour, and not all of the picture.
    share = max(picture.histogram()) / (picture.width * picture.height)
    assert 0.2 < share < 0.99


def check_narrow(shown):
    """In the drawing for narrow screens no title, axis or tick has a label that is cut off."""
    figure = narrowed(shown.figure, shown.narrow)
    figure.draw_without_rendering()
    edge = figure.bbox.padded(2)
    for text in labels_of(figure):
        box = Text.get_window_extent(text)
        assert edge.x0 <= box.x0 < box.x1 <= edge.x1, text.get_text()
        assert edge.y0 <= box.y0 < box.y1 <= edge.y1, text.get_text()


def labels_of(figure):
    """Return the texts of a figure that are seen, but for those at made-up numbers."""
    unseen = {text for ax in figure.axes for text in ax.texts}
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            hidden = not ax.axison or not axis.get_visible()
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if hidden or not low - 1e-9 * abs(low) <= tick.get_loc() <= high + 1e-9 * abs(
                    high
                ):
                    unseen |= {tick.label1, tick.label2}
            if hidden:
                unseen |= {axis.label, axis.offsetText}
    texts = figure.findobj(Text)
    return [t for t in texts if t not in unseen and t.get_visible() and t.get_text().strip()]


def corners(control):
    """Return the ends and the middle of a live control, or all its values."""
    if not isinstance(control, Range):
        return control.stops
    low, high = control.ends()
    if control.log:
        return (low, float(np.sqrt(low * high)), high)
    if isinstance(control.start, int) and control.step == 1:
        return (low, (low + high) // 2, high)
    return (low, (low + high) / 2, high)


def check_range(explorable, may_be_nan=False):
    """The callback holds at every corner of small ranges, and at many of large ones."""
    settings = list(itertools.product(*map(corners, explorable.controls.values())))
    # Of the large ones every seventh, which meets each end.
    for values in settings if len(settings) <= 40 else settings[::7]:
        drawn = explorable.draw(**dict(zip(explorable.controls, values, strict=True)))
        if not may_be_nan:
            assert not re.search(r"\b(nan|inf)\b", drawn.words, re.I), drawn.words


def check_controls(explorable, unmoved=frozenset()):
    """Each control's stops give different words at the first setting, but for the unmoved."""
    first = {key: control.start for key, control in explorable.controls.items()}
    for name, control in explorable.controls.items():
        said = {explorable.draw(**first | {name: stop}).words for stop in control.stops}
        assert len(said) == len(control.stops) or name in unmoved

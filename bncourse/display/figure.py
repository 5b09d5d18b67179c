"""How a figure shows itself: a picture, and words computed from what the picture plots."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bncourse.display.card import EXACT, Card, Exact, checked, with_card

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Pixels of the picture for each pixel of its place on the page, for sharp lines on any screen.
PIXEL_RATIO = 2
#: The same for the frames of an explorable, of which a page holds many.
FRAME_RATIO = 1.25
#: Pixels per inch at display size.
DISPLAY_DPI = 100
#: Colours of a picture's palette; line art needs few, and few make small files.
COLOURS = 128
#: The form of an output that holds the drawing for narrow screens. No notebook shows it; the pages
#: of the book do (`_ext/figures.py`).
NARROW = "application/vnd.bncourse.narrow"
#: Sum of the channels' differences that makes two colours of a palette distinct.
APART = 15


def true_minus(text: str) -> str:
    """Return text with a minus sign before each negative number, where Python writes a hyphen."""
    return re.sub(r"-(?=\d)", "\N{MINUS SIGN}", text)


def powers(text: str) -> str:
    """Return text with powers of ten as one writes them, where Python writes an e.

    >>> powers("1e-05, 2e-07 and 10^4")
    '10⁻⁵, 2 · 10⁻⁷ and 10⁴'
    """
    return re.sub(r"\b(?:(\d(?:\.\d+)?)e|10\^)([+-]?\d+)(?!\.?\d)", _power, text)


def _power(found: re.Match[str]) -> str:
    factor = "" if found[1] in (None, "1") else f"{found[1]} · "
    raised = str(int(found[2])).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{factor}10{raised}"


class FigureWithWords:
    """A picture and one or two sentences that say what it shows.

    Shown in a notebook it is the picture; its text form, which tests compare and screen readers
    speak, is the words.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Made without pyplot, so that it is shown once only.
    words : str
        One or two sentences, computed from the plotted numbers.
    card : Card, optional
        That of the result, if it was measured.
    narrow : callable, optional
        What to change in a copy of the figure, laid out for a narrow screen, where labels that
        were placed by hand would collide there. See `bncourse.display.narrow`.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        To be changed, and shown again by ``FigureWithWords(figure, words)``.
    words : str
    card : Card or None

    Raises
    ------
    ValueError
        If the words are empty, or are not a sentence that ends with a full stop.
    TypeError
        If a card is given that is none.
    """

    def __init__(
        self,
        figure: Figure,
        words: str,
        card: Card | Exact | None = EXACT,
        narrow: Callable[[Figure], object] | None = None,
    ) -> None:
        if not isinstance(words, str) or not words.strip() or not words.rstrip().endswith("."):
            raise ValueError(f"words: expected one or two sentences, got {words!r}")
        self.figure = figure
        self.words = re.sub(r"(?<=\w)'(?=\w| )", "’", " ".join(words.split()))
        self.card = checked(card)
        self.narrow = narrow

    def __repr__(self) -> str:
        return self.words

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on the page, in pixels."""
        width, height = self.figure.get_size_inches() * DISPLAY_DPI
        return round(width), round(height)

    def png(self, colours: int = COLOURS) -> bytes:
        """Return the picture as PNG with a palette of so many colours, at twice its size."""
        small = io.BytesIO()
        _palette_picture(self.figure, PIXEL_RATIO, colours).save(small, "png", optimize=True)
        return small.getvalue()

    def webp(self, colours: int = COLOURS) -> bytes:
        """Return the picture as lossless WebP, at 1¼ times its size.

        Far fewer bytes than `png`: an explorable stores dozens of them.
        """
        return _webp(_palette_picture(self.figure, FRAME_RATIO, colours))

    def narrow_webp(self, colours: int = COLOURS) -> bytes | None:
        """Return the drawing for narrow screens as lossless WebP, at twice its size.

        None if the figure can't be copied, as with a tick formatter that is a lambda.
        """
        from bncourse.display.narrow import narrowed

        drawn = narrowed(self.figure, self.narrow)
        return None if drawn is None else _webp(_palette_picture(drawn, PIXEL_RATIO, colours))

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {"image/png": self.png(), "text/plain": with_card(self.words, self.card)}
        narrow = self.narrow_webp()
        if narrow is not None:
            # As a data URI, whose bytes nbval does not compare (tests/notebooks/sanitize.cfg).
            data[NARROW] = f"data:image/webp;base64,{base64.b64encode(narrow).decode()}"
        return data, {"image/png": {"width": self.size[0]}}


def _palette_picture(figure: Figure, ratio: float, colours: int) -> Any:
    """Return the picture of a figure, `ratio` times its size, in so many colours."""
    from PIL import Image

    dpi = DISPLAY_DPI * ratio
    width, height = (int(inches * dpi) for inches in figure.get_size_inches())
    raw = io.BytesIO()
    figure.savefig(raw, format="rgba", dpi=dpi)
    picture = Image.frombytes("RGBA", (width, height), raw.getvalue()).convert("RGB")
    palette = Image.new("P", (1, 1))
    palette.putpalette(_distinct_colours(picture, colours))
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _webp(picture: Any) -> bytes:
    """Return a picture as lossless WebP."""
    small = io.BytesIO()
    picture.convert("RGB").save(small, "webp", lossless=True, quality=60, method=4)
    return small.getvalue()


def _distinct_colours(picture: Any, most: int) -> list[int]:
    """Return the most frequent colours that are not much alike, as a flat list of channels.

    Those are the colours that were drawn, small letters included; the rest are shades at edges.
    """
    found = sorted(picture.getcolors(picture.width * picture.height), reverse=True)
    chosen: list[tuple[int, int, int]] = []
    for _, colour in found:
        if len(chosen) == most:
            break
        if all(sum(abs(a - b) for a, b in zip(colour, c, strict=True)) > APART for c in chosen):
            chosen.append(colour)
    return [channel for colour in chosen for channel in colour]

"""How a figure shows itself: a picture, and words computed from what the picture plots."""

from __future__ import annotations

import io
import re
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

    def __init__(self, figure: Figure, words: str, card: Card | Exact | None = EXACT) -> None:
        if not isinstance(words, str) or not words.strip() or not words.rstrip().endswith("."):
            raise ValueError(f"words: expected one or two sentences, got {words!r}")
        self.figure = figure
        self.words = " ".join(words.split())
        self.card = checked(card)

    def __repr__(self) -> str:
        return self.words

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on the page, in pixels."""
        width, height = self.figure.get_size_inches() * DISPLAY_DPI
        return round(width), round(height)

    def _palette_picture(self, ratio: float, colours: int) -> Any:
        """Return the picture, `ratio` times its size, in so many colours."""
        from PIL import Image

        dpi = DISPLAY_DPI * ratio
        width, height = (int(inches * dpi) for inches in self.figure.get_size_inches())
        raw = io.BytesIO()
        self.figure.savefig(raw, format="rgba", dpi=dpi)
        picture = Image.frombytes("RGBA", (width, height), raw.getvalue()).convert("RGB")
        palette = Image.new("P", (1, 1))
        palette.putpalette(_distinct_colours(picture, colours))
        return picture.quantize(palette=palette, dither=Image.Dither.NONE)

    def png(self, colours: int = COLOURS) -> bytes:
        """Return the picture as PNG with a palette of so many colours, at twice its size."""
        small = io.BytesIO()
        self._palette_picture(PIXEL_RATIO, colours).save(small, "png", optimize=True)
        return small.getvalue()

    def webp(self, colours: int = COLOURS) -> bytes:
        """Return the picture as lossless WebP, at 1¼ times its size.

        Far fewer bytes than `png`: an explorable stores dozens of them.
        """
        small = io.BytesIO()
        picture = self._palette_picture(FRAME_RATIO, colours).convert("RGB")
        picture.save(small, "webp", lossless=True, quality=60, method=4)
        return small.getvalue()

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return (
            {"image/png": self.png(), "text/plain": with_card(self.words, self.card)},
            {"image/png": {"width": self.size[0]}},
        )


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

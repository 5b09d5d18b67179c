"""How a figure shows itself: a picture, and words computed from what the picture plots."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Pixels of the picture for each pixel of its place on the page, for sharp lines on any screen.
PIXEL_RATIO = 2
#: Pixels per inch at display size.
DISPLAY_DPI = 100
#: Colours of a picture's palette; line art needs few, and few make small files.
COLOURS = 128


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

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        To be changed, and shown again by ``FigureWithWords(figure, words)``.
    words : str

    Raises
    ------
    ValueError
        If the words are empty, or are not a sentence that ends with a full stop.
    """

    def __init__(self, figure: Figure, words: str) -> None:
        if not isinstance(words, str) or not words.strip() or not words.rstrip().endswith("."):
            raise ValueError(f"words: expected one or two sentences, got {words!r}")
        self.figure = figure
        self.words = " ".join(words.split())

    def __repr__(self) -> str:
        return self.words

    def png(self, colours: int = COLOURS) -> bytes:
        """Return the picture as PNG with a palette of so many colours, at twice its size."""
        from PIL import Image

        raw = io.BytesIO()
        self.figure.savefig(raw, format="png", dpi=DISPLAY_DPI * PIXEL_RATIO)
        picture = Image.open(raw).convert("RGB")
        small = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(small, "png", optimize=True)
        return small.getvalue()

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        width = round(self.figure.get_figwidth() * DISPLAY_DPI)
        return (
            {"image/png": self.png(), "text/plain": self.words},
            {"image/png": {"width": width}},
        )

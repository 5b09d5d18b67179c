"""A small table of results: text that tests compare, and HTML that a screen reader can walk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bncourse.display.card import EXACT, Card, Exact, card_html, checked, with_card
from bncourse.display.figure import powers, true_minus


class Table:
    """Rows of results under named columns; the first column says what each row is.

    Parameters
    ----------
    rows : sequence of sequence
        Words and numbers, as many in each row as there are columns.
    columns : mapping of str to str
        Heads, with the unit in them, to the format of the column's numbers, such as ``".2f"``;
        an empty format is for words and whole numbers.
    caption : str
        What the table shows, in a sentence.
    card : Card, optional
        That of the result, if it was measured.

    Raises
    ------
    ValueError
        If a row has another number of cells than there are columns, or the caption is no
        sentence.
    TypeError
        If a card is given that is none.

    Examples
    --------
    >>> Table([["raw", 503, 1.0], ["standardised", 41, 12.268]],
    ...       {"inputs": "", "steps": "", "ratio": ".1f"}, "Steps to 95 %.")
    Steps to 95 %.
    inputs        steps  ratio
    raw             503    1.0
    standardised     41   12.3
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Any]],
        columns: Mapping[str, str],
        caption: str,
        card: Card | Exact | None = EXACT,
    ) -> None:
        if not caption.rstrip().endswith("."):
            raise ValueError(f"caption: expected a sentence, got {caption!r}")
        for row in rows:
            if len(row) != len(columns):
                raise ValueError(f"rows: expected {len(columns)} cells in each, got {row!r}")
        self.columns = list(columns)
        self.caption = caption
        self.card = checked(card)
        formats = list(columns.values())
        self.rows = [[_text(v, f) for v, f in zip(row, formats, strict=True)] for row in rows]
        # Numbers stand under each other; a column of words begins at the left.
        self._numbers = [
            bool(rows) and all(isinstance(row[k], int | float) for row in rows)
            for k in range(len(columns))
        ]

    def __repr__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        shown = (
            "  ".join(
                text.rjust(width) if number else text.ljust(width)
                for text, width, number in zip(line, widths, self._numbers, strict=True)
            ).rstrip()
            for line in lines
        )
        return "\n".join([self.caption, *shown])

    def html(self) -> str:
        """Return the table with header cells, in a box that scrolls by itself when it must."""
        caption = escape(self.caption)
        heads = "".join(
            f'<th scope="col"{_side(number)}>{escape(head)}</th>'
            for head, number in zip(self.columns, self._numbers, strict=True)
        )
        body = "\n".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(
                f"<td{_side(number)}>{escape(text)}</td>"
                for text, number in zip(rest, self._numbers[1:], strict=True)
            )
            + "</tr>"
            for first, *rest in self.rows
        )
        card = "" if self.card is None else "\n" + card_html(self.card.rows())
        return (
            f'<div class="results"><table>\n<caption>{caption}</caption>\n'
            f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>{card}"
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": with_card(repr(self), self.card)}


def _side(number: bool) -> str:
    return ' class="number"' if number else ""


def _text(value: Any, form: str) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "never" if value > 0 else "\N{MINUS SIGN}∞"
    return value if isinstance(value, str) else true_minus(powers(format(value, form)))

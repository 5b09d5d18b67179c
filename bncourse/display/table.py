"""A small table of results: text that tests compare, and HTML that a screen reader can walk."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from bncourse.display.card import EXACT, Card, Exact, card_html, checked, with_card
from bncourse.display.figure import powers, true_minus

#: A number as it stands in a cell, and what stands where there is none.
_NUMBER = re.compile(
    "(over )?[\N{MINUS SIGN}-]?[0-9][0-9,.]*( %| · 10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?|10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+"
)
#: Letters from which on a cell holds a sentence, and those up to which one holds a number.
_SENTENCE, _SHORT = 60, 24
#: Letters that stand in one row of a phone, and those that a long name takes of it.
_ROW, _LONG_NAME = 46, 14
_MISSING = frozenset(
    {"", "–", "none", "never", "no mean", "split", "NaN", "nan", "\N{MINUS SIGN}∞"}
)
#: β_eff, z_norm, x_k and λmax; a[1]; the name of a function.
_INDEX = re.compile(r"\b(d?[a-zA-Zα-ω])(?:_|(?=max))([a-z]+)\b(?!_)")
_LAYER = re.compile("\\b(d?[a-z]\N{COMBINING TILDE}?)(\\[[0-9]\\])")
_FUNCTION = re.compile(r"\b[a-z]{2,}\d?(?:_[a-z]+)+\b")


class Table:
    """Rows of results under named columns; the first column says what each row is.

    Parameters
    ----------
    rows : sequence of sequence
        Words and numbers, as many in each row as there are columns.
    columns : mapping of str, or of (str, str), to str
        Heads, with the unit in them, to the format of the column's numbers, such as ``".2f"``;
        an empty format is for words and whole numbers. A pair is a head above several columns,
        and one of its own: ``("rate", "0.1")``.
    caption : str
        What the table shows, in a sentence.
    card : Card, optional
        That of the result, if it was measured.

    Raises
    ------
    ValueError
        If a row has another number of cells than there are columns, a head is neither words nor
        a pair of them, or the caption is no sentence.
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
        columns: Mapping[str, str] | Mapping[str | tuple[str, str], str],
        caption: str,
        card: Card | Exact | None = EXACT,
    ) -> None:
        if not caption.rstrip().endswith("."):
            raise ValueError(f"caption: expected a sentence, got {caption!r}")
        for row in rows:
            if len(row) != len(columns):
                raise ValueError(f"rows: expected {len(columns)} cells in each, got {row!r}")
        for head in columns:
            if not isinstance(head, str) and (not isinstance(head, tuple) or len(head) != 2):
                raise ValueError(f"columns: expected a head or a pair of heads, got {head!r}")
        pairs = [("", head) if isinstance(head, str) else head for head in columns]
        self.above = [powers(head) for head, _ in pairs]
        self.columns = [powers(head) for _, head in pairs]
        self.caption = powers(caption)
        self.card = checked(card)
        formats = list(columns.values())
        self.rows = [[_text(v, f) for v, f in zip(row, formats, strict=True)] for row in rows]
        self._numbers = [_are_numbers([row[k] for row in self.rows]) for k in range(len(columns))]

    def __repr__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        above = ""
        for head, columns in self._groups():
            # A head that is longer than its columns makes the last one wider.
            own = sum(widths[k] + 2 for k in columns) - 2
            widths[columns[-1]] += max(0, len(head) - own)
            above += head.ljust(max(own, len(head)) + 2)
        shown = (
            "  ".join(
                text.rjust(width) if number else text.ljust(width)
                for text, width, number in zip(line, widths, self._numbers, strict=True)
            ).rstrip()
            for line in lines
        )
        return "\n".join([self.caption, *([above.rstrip()] if above.strip() else []), *shown])

    def _groups(self) -> list[tuple[str, list[int]]]:
        """Return each head above columns with their numbers; a column without one is alone."""
        groups = groupby(range(len(self.columns)), key=lambda k: self.above[k] or k)
        return [(self.above[first], [first, *rest]) for _, (first, *rest) in groups]

    def _heads(self) -> str:
        """Return the rows of the table's head: two if heads stand above others."""
        if not any(self.above):
            return f"<tr>{''.join(self._head(k) for k in range(len(self.columns)))}</tr>"
        upper, lower = "", ""
        for text, columns in self._groups():
            if text:
                count = len(columns)
                # Also where a phone makes a grid of them (page.css).
                place = f' colspan="{count}" style="grid-column: {columns[0]} / span {count}"'
                side = _classes(begins=columns[0] > 1)
                upper += f'<th scope="colgroup"{place}{side}>{_marked(text)}</th>'
                lower += "".join(self._head(k, f' style="grid-column: {k}"') for k in columns)
            else:
                upper += self._head(columns[0], ' rowspan="2"')
        return f"<tr>{upper}</tr>\n<tr>{lower}</tr>"

    def _head(self, k: int, place: str = "") -> str:
        """Return the head of a column; an empty corner heads nothing."""
        if not self.columns[k]:
            return f"<td{place}></td>"
        return f'<th scope="col"{place}{self._side(k)}>{_marked(self.columns[k])}</th>'

    def _side(self, k: int, again: bool = False) -> str:
        """Return the classes of a column's cells.

        number: of numbers. begins: the first below a head above, or behind. again: as in the row
        before.
        """
        begins = k > 1 and self.above[k] != self.above[k - 1]
        return _classes(number=self._numbers[k], begins=begins, again=again)

    def html(self) -> str:
        """Return the table with header cells, in a box that scrolls by itself when it must."""
        caption = _marked(self.caption)
        kind = self._kind()
        # A phone stacks cells that hold sentences, and then says at each what it is; and rows that
        # have no room for their names, which it writes once, and with their head if it's numbers.
        wordy = kind == "results wordy"
        whole = [
            f"{above}: {head}" if above else head
            for above, head in zip(self.above, self.columns, strict=True)
        ]
        said = [f' data-head="{escape(head)}"' if wordy else "" for head in whole[1:]]
        named = f' data-head="{escape(self.columns[0])}"' if self._numbers[0] else ""
        before = [None, *(row[0] for row in self.rows)]
        body = "\n".join(
            f'<tr><th scope="row"{self._side(0, again=first == last)}{named}>'
            + (f"<span>{_marked(first)}</span>" if first == last else _marked(first))
            + "</th>"
            + "".join(
                f"<td{self._side(k)}{head}>{_marked(text)}</td>"
                for k, (text, head) in enumerate(zip(rest, said, strict=True), start=1)
            )
            + "</tr>"
            for (first, *rest), last in zip(self.rows, before, strict=False)
        )
        card = "" if self.card is None else "\n" + card_html(self.card.rows())
        columns = f' style="--columns: {len(self.columns) - 1}"' if kind == "results named" else ""
        return (
            f'<div class="{kind}"><table{columns}>\n<caption>{caption}</caption>\n'
            f"<thead>{self._heads()}</thead>\n<tbody>\n{body}\n</tbody></table></div>{card}"
        )

    def _kind(self) -> str:
        """Return the classes of the box, by which a phone chooses how to show the rows.

        wordy: some cell holds a sentence. named: a row has no room for its name beside its cells.
        """
        if any(len(text) >= _SENTENCE for row in self.rows for text in row[1:]):
            return "results wordy"
        names, *others = zip(self.columns, *self.rows, strict=True)
        groups = len({head for head in self.above if head})
        room = _ROW - groups - sum(1 + max(map(_narrowest, column)) for column in others)
        long = _LONG_NAME if any(len(name) > _LONG_NAME for name in names) else 0
        return "results named" if room < max(long, *map(_narrowest, names)) else "results"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": with_card(repr(self), self.card)}


def _narrowest(text: str) -> int:
    """Return the letters of a cell that no line breaks: a word's, or a number's or its range's.

    >>> _narrowest("batch norm"), _narrowest("0.97 (0.96 to 0.98)")
    (5, 14)
    """
    whole = len(text) <= _SHORT and any(letter.isdigit() for letter in text)
    return max(map(len, re.split(r" (?=\()" if whole else " ", text)))


def _classes(**given: bool) -> str:
    names = " ".join(name for name, holds in given.items() if holds)
    return f' class="{names}"' if names else ""


def _text(value: Any, form: str) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "never" if value > 0 else "\N{MINUS SIGN}∞"
    return powers(value) if isinstance(value, str) else true_minus(powers(format(value, form)))


def _are_numbers(texts: Sequence[str]) -> bool:
    """Return whether these stand under each other as numbers do, with a word where one is missing.

    A column of words begins at the left.
    """
    numbers = [bool(_NUMBER.fullmatch(text)) for text in texts]
    return any(numbers) and all(
        number or text in _MISSING for number, text in zip(numbers, texts, strict=True)
    )


def _marked(text: str) -> str:
    """Return text as HTML: names of functions as code, indices as the notation has them.

    >>> _marked("batch_norm of a[1] and β_eff")
    '<code>batch_norm</code> of a<sup>[1]</sup> and β<sub>eff</sub>'
    """
    text = _INDEX.sub(r"\1<sub>\2</sub>", escape(text, quote=False))
    text = _LAYER.sub(r"\1<sup>\2</sup>", text)
    return _FUNCTION.sub(r"<code>\g<0></code>", text)

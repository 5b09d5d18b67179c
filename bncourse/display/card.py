"""The card of a measured result: what was asked, what it is compared with, how it was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, NoReturn

#: How a card calls what a run took down, in the order in which it stands there.
NAMES = {
    "data": "Data",
    "activation": "Activation",
    "arm": "Arms",
    "learning_rate": "Learning rate",
    "optimizer": "Optimiser",
    "init": "Initial weights",
    "gain": "Factor on them",
    "inputs": "Inputs",
    "sizes": "Layers",
    "batch_size": "Batch size",
    "steps": "Steps, at most",
    "seed": "Seeds",
    "stored": "Stored run",
}

#: Words of the package that a reader would not use.
WORDS = {"he": "He, variance 2/n", "lecun": "variance 1/n"}


@dataclass(frozen=True)
class Card:
    """What a measured result rests on.

    Attributes
    ----------
    question : str
        What was asked, by hand.
    control : str
        The arm that would show that something else did it, or why there can be none.
    mode : str
        The mode in which each number was taken: with the batch's statistics, the running ones,
        or those of the whole training set.
    settings : mapping of str to sequence
        What the run took down while it ran: every value that a setting had.

    Raises
    ------
    ValueError
        If one of the sentences is empty, or no setting was taken down.

    Examples
    --------
    >>> card = Card("Which rates train?", "The same without batch norm.", "Evaluation.",
    ...             {"learning_rate": [0.1, 1.0], "seed": [0, 1, 2]})
    >>> print(card)
    Question: Which rates train?
    Control: The same without batch norm.
    Mode: Evaluation.
    Learning rate: 0.1, 1
    Seeds: 0 to 2
    """

    question: str
    control: str
    mode: str
    settings: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("question", "control", "mode"):
            text = getattr(self, name)
            if not isinstance(text, str) or not text.strip().endswith((".", "?")):
                raise ValueError(f"{name}: expected a sentence, got {text!r}")
        unknown = self.settings.keys() - NAMES.keys()
        if not self.settings or unknown:
            raise ValueError(
                f"settings: expected some of {list(NAMES)}, got {list(self.settings)}"
            )

    def rows(self) -> list[tuple[str, str]]:
        """Return name and text of each line."""
        told = [("Question", self.question), ("Control", self.control), ("Mode", self.mode)]
        return told + [
            (name, describe(self.settings[key]))
            for key, name in NAMES.items()
            if key in self.settings
        ]

    def __str__(self) -> str:
        return "\n".join(f"{name}: {text}" for name, text in self.rows())


class Exact:
    """What is shown was computed exactly, or drawn: nothing was measured."""

    def __repr__(self) -> str:
        return "EXACT"


#: Instead of a card.
EXACT = Exact()


def checked(card: Card | Exact | None) -> Card | None:
    """Return the card of a measured result, or None for an exact one.

    Raises
    ------
    TypeError
        If it is another thing: None is what a result has that comes from no `measured` run.
    """
    if isinstance(card, Exact):
        return None
    if isinstance(card, Card):
        return card
    _refuse(card)


def _refuse(card: object) -> NoReturn:
    raise TypeError(
        f"card: expected the card of a measured result, got {card!r}; a run gets one by "
        "@measured (bncourse.chapters.measured)"
    )


def with_card(words: str, card: Card | None) -> str:
    """Return the text form of what has words and perhaps a card."""
    return words if card is None else f"{words}\n\n{card}"


def without_card(text: str) -> tuple[str, list[tuple[str, str]]]:
    r"""Take a text form apart: the words, and the rows of the card, of which there may be none.

    >>> without_card("Ratio 2.\n\nQuestion: Why?\nControl: None.")
    ('Ratio 2.', [('Question', 'Why?'), ('Control', 'None.')])
    """
    words, found, card = text.partition("\n\nQuestion: ")
    if not found:
        return text, []
    rows = [line.partition(": ")[::2] for line in ("Question: " + card).splitlines()]
    return words, rows


def card_html(rows: Sequence[tuple[str, str]]) -> str:
    """Return a card, folded."""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    return (
        '<details class="card-of-run"><summary>How this was measured</summary>'
        f"<dl>{lines}</dl></details>"
    )


def describe(values: Sequence[Any]) -> str:
    """Return the values in a few words: a run of numbers by its ends.

    >>> describe([0, 1, 2, 3]), describe([0.1, 1.0]), describe(["with", "without"])
    ('0 to 3', '0.1, 1', 'with, without')
    >>> describe([0.001, 0.01, 0.1, 1.0, 10.0])
    '0.001 to 10 (5 values)'
    >>> describe(["batch norm", "batch norm, shaken"])
    'batch norm; batch norm, shaken'
    """
    if len(values) > 2 and all(type(v) is int for v in values):
        low, high = min(values), max(values)
        if sorted(values) == list(range(low, high + 1)):
            return f"{low} to {high}"
    if len(values) > 4 and all(isinstance(v, int | float) for v in values):
        return f"{min(values):g} to {max(values):g} ({len(values)} values)"
    words = [f"{v:.3g}" if isinstance(v, float) else WORDS.get(v, str(v)) for v in values]
    return ("; " if any("," in word for word in words) else ", ").join(words)

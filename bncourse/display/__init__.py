"""How results show themselves: pictures with words, tables, cards, frames, live controls."""

from bncourse.display.card import EXACT, Card
from bncourse.display.controls import Choice, Control, Range, Switch
from bncourse.display.explorable import Explorable, Frame
from bncourse.display.figure import FigureWithWords
from bncourse.display.table import Table

__all__ = [
    "EXACT",
    "Card",
    "Choice",
    "Control",
    "Explorable",
    "FigureWithWords",
    "Frame",
    "Range",
    "Switch",
    "Table",
]

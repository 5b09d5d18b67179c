"""How figures and explorables show themselves: pictures with words, frames, live controls."""

from bncourse.display.controls import Choice, Control, Range, Switch
from bncourse.display.explorable import Explorable, Frame
from bncourse.display.figure import FigureWithWords

__all__ = ["Choice", "Control", "Explorable", "FigureWithWords", "Frame", "Range", "Switch"]

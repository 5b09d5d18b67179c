"""The controls of an explorable: a range, a choice, a switch.

Each knows its two forms: HTML that steps through the stored frames, and a live widget that takes
any value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from bncourse.display.figure import powers, true_minus


class Control(Protocol):
    """What an explorable needs of a control."""

    @property
    def label(self) -> str:
        """What the reader changes."""
        ...

    @property
    def stops(self) -> Sequence[Any]:
        """The values that have a stored frame."""
        ...

    @property
    def start(self) -> Any:
        """The value shown first; one of the stops."""
        ...

    def text(self, value: Any) -> str:
        """Return a value as the reader sees it."""
        ...

    def html(self) -> str:
        """Return the control of the static page."""
        ...

    def widget(self) -> Any:
        """Return the control of a running kernel."""
        ...


def _checked_start(name: str, start: Any, stops: Sequence[Any]) -> Any:
    if not stops:
        raise ValueError(f"{name}: expected at least one value, got none")
    if start not in stops:
        raise ValueError(f"{name}: expected a start among {tuple(stops)}, got {start!r}")
    return start


@dataclass(frozen=True)
class Range:
    """A slider.

    Parameters
    ----------
    label : str
        What it changes.
    stops : sequence of float
        Increasing values that have a stored frame. With one stop the slider is shown in a kernel
        only, where it takes other values between `low` and `high`.
    start : float
        One of the stops.
    low, high : float, optional
        Ends of the live slider, by default the first and the last stop.
    step : float
        Of the live slider; in decades if `log`. 1 with integer stops makes it a whole number.
    log : bool
        Whether the live slider is logarithmic.
    form : str
        How a value is written, as for ``str.format``.

    Raises
    ------
    ValueError
        If there are no stops, they don't increase, or the start is not one of them.
    """

    label: str
    stops: Sequence[float]
    start: float
    low: float | None = None
    high: float | None = None
    step: float = 0.1
    log: bool = False
    form: str = "{:g}"

    def __post_init__(self) -> None:
        _checked_start(self.label, self.start, self.stops)
        if any(b <= a for a, b in zip(self.stops, self.stops[1:], strict=False)):
            raise ValueError(f"{self.label}: expected increasing stops, got {self.stops}")

    def text(self, value: float) -> str:
        """Return the value in its form, with a true minus sign."""
        return true_minus(powers(self.form.format(value)))

    def ends(self) -> tuple[float, float]:
        """Return the ends of the live slider."""
        low = self.stops[0] if self.low is None else self.low
        return low, self.stops[-1] if self.high is None else self.high

    def html(self) -> str:
        """Return a native range input over the stops' indices."""
        at, last = list(self.stops).index(self.start), len(self.stops) - 1
        text = escape(self.text(self.start))
        return (
            f'<label class="explorable-range"><span>{escape(self.label)}</span>'
            f'<input type="range" min="0" max="{last}" step="1" value="{at}"'
            f' aria-valuetext="{text}"><output aria-live="off">{text}</output></label>'
        )

    def widget(self) -> Any:
        """Return a slider of ipywidgets between `ends`."""
        import ipywidgets

        low, high = self.ends()
        options: dict[str, Any] = {"description": self.label, "value": self.start}
        if self.log:
            from math import log10

            options |= {"min": log10(low), "max": log10(high), "step": self.step}
            return ipywidgets.FloatLogSlider(**options, readout_format=".3g")
        if isinstance(self.start, int) and self.step == 1:
            return ipywidgets.IntSlider(**options, min=low, max=high)
        return ipywidgets.FloatSlider(**options, min=low, max=high, step=self.step)


@dataclass(frozen=True)
class Choice:
    """One of several names.

    Parameters
    ----------
    label : str
        What it changes.
    stops : sequence of str
        The names.
    start : str
        One of them.

    Raises
    ------
    ValueError
        If there are no names, or the start is not one of them.
    """

    label: str
    stops: Sequence[str]
    start: str

    def __post_init__(self) -> None:
        _checked_start(self.label, self.start, self.stops)

    def text(self, value: str) -> str:
        """Return the name."""
        return value

    def html(self) -> str:
        """Return native radio buttons; the page's script gives them a common name."""
        buttons = "".join(
            f'<label><input type="radio" value="{k}"{" checked" if name == self.start else ""}>'
            f"<span>{escape(name)}</span></label>"
            for k, name in enumerate(self.stops)
        )
        return (
            f'<fieldset class="explorable-choice"><legend>{escape(self.label)}</legend>'
            f"{buttons}</fieldset>"
        )

    def widget(self) -> Any:
        """Return toggle buttons of ipywidgets."""
        import ipywidgets

        return ipywidgets.ToggleButtons(
            description=self.label, options=list(self.stops), value=self.start
        )


@dataclass(frozen=True)
class Switch:
    """On or off.

    Parameters
    ----------
    label : str
        What is on or off.
    start : bool
        How it is shown first.
    """

    label: str
    start: bool = False

    @property
    def stops(self) -> Sequence[bool]:
        """Off and on."""
        return (False, True)

    def text(self, value: bool) -> str:
        """Return ``on`` or ``off``."""
        return "on" if value else "off"

    def html(self) -> str:
        """Return a native checkbox."""
        return (
            '<label class="explorable-switch"><input type="checkbox"'
            f"{' checked' if self.start else ''}><span>{escape(self.label)}</span></label>"
        )

    def widget(self) -> Any:
        """Return a checkbox of ipywidgets."""
        import ipywidgets

        return ipywidgets.Checkbox(description=self.label, value=self.start, indent=False)

"""An explorable: one drawing function, and two lives.

In a running kernel it shows live controls, and any value is drawn anew. In a static page it shows
frames that were drawn beforehand, under native controls, with no kernel and no network.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

from bncourse.display.card import EXACT, Card, Exact, card_html, checked, with_card
from bncourse.display.controls import Control
from bncourse.display.figure import FigureWithWords

#: Colours of a frame's palette: line art needs few, and a page holds many frames.
FRAME_COLOURS = 32


@cache
def _script() -> str:
    """Return the page's script, which finds its figure by itself."""
    return files("bncourse.display").joinpath("explorable.js").read_text(encoding="utf-8").strip()


class Frame(NamedTuple):
    """What is shown at one setting of the controls.

    Attributes
    ----------
    source : str
        The picture as a data URI.
    words : str
        What it shows.
    width, height : int
        Pixels on the page.
    """

    source: str
    words: str
    width: int
    height: int


class Explorable:
    """A figure that moves with its controls.

    Parameters
    ----------
    title : str
        What it is called.
    draw : callable
        Takes the controls' values by name and returns a `FigureWithWords`. It must depend on
        nothing else, so that a frame shows what the live figure would.
    controls : dict of str to Control
        By the names of `draw`'s arguments.
    card : Card, optional
        That of the result that is drawn, if it was measured.

    Raises
    ------
    ValueError
        If there is no control.
    TypeError
        If a card is given that is none.
    """

    def __init__(
        self,
        title: str,
        draw: Callable[..., FigureWithWords],
        controls: Mapping[str, Control],
        card: Card | Exact | None = EXACT,
    ) -> None:
        if not controls:
            raise ValueError("controls: expected at least one, got none")
        self.title = title
        self.draw = draw
        self.controls = dict(controls)
        self.card = checked(card)

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The values of each frame, in the order of the frames."""
        stops = [control.stops for control in self.controls.values()]
        return [
            dict(zip(self.controls, values, strict=True)) for values in itertools.product(*stops)
        ]

    @cached_property
    def frames(self) -> list[Frame]:
        """One frame for each of `settings`."""
        return [self._frame(setting) for setting in self.settings]

    def _frame(self, setting: dict[str, Any]) -> Frame:
        drawn = self.draw(**setting)
        picture = base64.b64encode(drawn.webp(FRAME_COLOURS)).decode()
        width, height = drawn.size
        return Frame(f"data:image/webp;base64,{picture}", drawn.words, width, height)

    def at(self, **setting: Any) -> str:
        """Return the words of the frame at one setting.

        Parameters
        ----------
        **setting
            A stop for each control.

        Raises
        ------
        ValueError
            If there is no frame with these values.
        """
        if setting not in self.settings:
            raise ValueError(f"expected values among the stops of the controls, got {setting}")
        return self.draw(**setting).words

    @property
    def start(self) -> int:
        """The index of the frame that is shown first."""
        first = {name: control.start for name, control in self.controls.items()}
        return self.settings.index(first)

    def describe(self, setting: Mapping[str, Any]) -> str:
        """Return a setting in words: ``m = 8, γ = 1``."""
        return ", ".join(
            f"{control.label} = {control.text(setting[name])}"
            for name, control in self.controls.items()
            if len(control.stops) > 1
        )

    def __repr__(self) -> str:
        lines = [
            f"{self.describe(setting)}: {frame.words}"
            for setting, frame in zip(self.settings, self.frames, strict=True)
        ]
        return "\n".join([self.title, *lines])

    def html(self) -> str:
        """Return the static form: native controls, the first frame, and all others as data."""
        shown = [control for control in self.controls.values() if len(control.stops) > 1]
        first = self.frames[self.start]
        # Each picture once: settings that look the same share one, and the first is in the page.
        pictures = list(dict.fromkeys(frame.source for frame in self.frames))
        data = {
            "texts": [[control.text(value) for value in control.stops] for control in shown],
            "pictures": ["" if source == first.source else source for source in pictures],
            "frames": [
                {"picture": pictures.index(frame.source), "words": frame.words}
                for frame in self.frames
            ],
            "start": self.start,
        }
        # "</" would end the element that holds the data.
        encoded = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
        words = escape(first.words)
        title = escape(self.title)
        return (
            f'<figure class="explorable" aria-label="{title}">\n'
            f'<div class="explorable-controls" hidden>{"".join(c.html() for c in shown)}</div>\n'
            f'<img src="{first.source}" alt="{words}" width="{first.width}"'
            f' height="{first.height}" style="max-width:100%;height:auto">\n'
            f'<figcaption aria-live="polite">{words}</figcaption>\n'
            f'<p class="explorable-still">{title}: one of {len(self.frames)} frames, at '
            f"{escape(self.describe(self.settings[self.start]))}. "
            "In a browser with JavaScript, controls change it.</p>\n"
            f'<script type="application/json">{encoded}</script>\n'
            f"<script>{_script()}</script>\n"
            "</figure>"
        )

    def live(self) -> Any:
        """Return the live form: controls of ipywidgets over a figure that follows them.

        An error while drawing is shown in the figure's place, with its message.
        """
        import ipywidgets

        widgets = {name: control.widget() for name, control in self.controls.items()}
        for widget in widgets.values():
            widget.style.description_width = "11rem"
            widget.layout.width = "min(100%, 36rem)"
        view = ipywidgets.HTML()

        def show(_: object = None) -> None:
            values = {name: widget.value for name, widget in widgets.items()}
            try:
                view.value = _picture(self.draw(**values))
            except Exception as error:
                # A callback's exception would end in a log that no reader looks at.
                view.value = (
                    f'<p role="alert"><strong>This setting could not be drawn.</strong> '
                    f"{escape(type(error).__name__)}: {escape(str(error))}</p>"
                )

        for widget in widgets.values():
            widget.observe(show, names="value")
        show()
        return ipywidgets.VBox([*widgets.values(), view])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        text = with_card(repr(self), self.card)
        bundle = {"text/html": self.html(), "text/plain": text}
        if self.card is not None:
            bundle["text/html"] += "\n" + card_html(self.card.rows())
        if _in_kernel():
            bundle |= self.live()._repr_mimebundle_()
            bundle["text/plain"] = text
        return bundle


def _picture(drawn: FigureWithWords) -> str:
    """Return the HTML of a live picture and its words."""
    source = base64.b64encode(drawn.webp()).decode()
    words = escape(drawn.words)
    return (
        f'<img src="data:image/webp;base64,{source}" alt="{words}" width="{drawn.size[0]}"'
        f' style="max-width:100%"><p aria-live="polite">{words}</p>'
    )


def _in_kernel() -> bool:
    """Whether there is a kernel that could answer a widget."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")

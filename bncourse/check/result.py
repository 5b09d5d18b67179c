"""What a check returns, and how it shows itself."""

from __future__ import annotations

from html import escape

from bncourse.check.description import Description

_BOX = "border-inline-start: 4px solid currentColor; padding: .25em 1em; margin: .5em 0"


def _box(inside: str) -> str:
    return f'<div style="{_BOX}">{inside}</div>'


class Hint:
    """One of three hints, as text or as HTML.

    Attributes
    ----------
    label : str
        Which of them it is.
    text : str
    """

    def __init__(self, label: str, text: str) -> None:
        self.label, self.text = label, text

    def __repr__(self) -> str:
        return f"{self.label} {self.text}"

    def _repr_html_(self) -> str:
        return _box(f"<p><strong>{escape(self.label)}</strong> {escape(self.text)}</p>")


class Result:
    """What is known of the function that was checked.

    Shown by itself it gives the verdict and the smallest input that tells; `hint` goes on from
    there, and `message` has all at once. It is true where the function is right, so that
    ``assert check.batch_norm(f)`` works.

    Attributes
    ----------
    correct : bool
    mistake : str or None
        The identifier of the mistake, ``"unknown"`` for one without a name.
    mistakes : tuple of str
        All that were found.
    message : str
        What was seen, the mistake, why it is one, and where to read.
    """

    def __init__(self, mistakes: tuple[str, ...], description: Description) -> None:
        self.mistakes = mistakes
        self._description = description
        self._hints_given = 0

    @property
    def correct(self) -> bool:
        """Whether the function is right."""
        return not self.mistakes

    @property
    def mistake(self) -> str | None:
        """The identifier of the mistake, or None."""
        return self.mistakes[0] if self.mistakes else None

    @property
    def _verdict(self) -> str:
        return "Right." if self.correct else "Wrong."

    @property
    def message(self) -> str:
        """All that there is to say."""
        if self.correct:
            return f"Right. {self._description.seen}"
        d, names = self._description, " and ".join(self.mistakes)
        return f"Wrong ({names}). {d.seen} {d.explanation} {d.repair}"

    def hint(self) -> Hint:
        """Return the next of three hints: a question, the mistake and why, where and how.

        Returns
        -------
        Hint
            After the third, the third again.
        """
        if self.correct:
            return Hint("No hint.", "Your function is right.")
        self._hints_given = min(self._hints_given + 1, 3)
        d, names = self._description, " and ".join(self.mistakes)
        text = (d.question, f"{d.explanation} ({names})", d.repair)[self._hints_given - 1]
        return Hint(f"Hint {self._hints_given} of 3.", text)

    def __bool__(self) -> bool:
        return self.correct

    def __repr__(self) -> str:
        more = "" if self.correct else "\nFor a hint, call .hint() on this result (3 of them)."
        return f"{self._verdict} {self._description.seen}{more}"

    def _repr_html_(self) -> str:
        more = (
            ""
            if self.correct
            else "<p>For a hint, call <code>.hint()</code> on this result (3 of them).</p>"
        )
        seen = escape(self._description.seen)
        return _box(f"<p><strong>{self._verdict}</strong> {seen}</p>{more}")

"""What a run was made of, taken down while it runs, and put on its result's card."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from bncourse.display.card import Card

#: Every value that each setting had, in the order of their appearance.
Taken = dict[str, list[Any]]

P = ParamSpec("P")
R = TypeVar("R")

_under_way: ContextVar[tuple[Taken, ...]] = ContextVar("under_way", default=())


@contextmanager
def taking_down() -> Iterator[Taken]:
    """Collect what the runs inside take down."""
    taken: Taken = {}
    token = _under_way.set((*_under_way.get(), taken))
    try:
        yield taken
    finally:
        _under_way.reset(token)


def take_down(**settings: Any) -> None:
    """Say what a run is made of, for the cards of all results that it is a part of.

    Parameters
    ----------
    **settings
        Plain numbers and words by the names of `bncourse.display.card.NAMES`.
    """
    merge({name: [value] for name, value in settings.items()})


def merge(taken: Mapping[str, list[Any]]) -> None:
    """Say what a stored run was made of."""
    for record in _under_way.get():
        for name, values in taken.items():
            known = record.setdefault(name, [])
            known += [value for value in values if value not in known]


def measured(question: str, control: str, mode: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Put a card on the result of a run: what is written here, and what the run takes down.

    Parameters
    ----------
    question, control, mode : str
        As for `bncourse.display.card.Card`.

    Returns
    -------
    decorator
        For a function whose result is a dataclass with a field ``card``.
    """

    def decorate(run: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(run)
        def with_card(*args: P.args, **kwargs: P.kwargs) -> R:
            with taking_down() as taken:
                result = run(*args, **kwargs)
            return replace(result, card=Card(question, control, mode, taken))  # type: ignore[type-var]

        return with_card

    return decorate

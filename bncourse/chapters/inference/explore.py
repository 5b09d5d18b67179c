"""The explorable of chapter 6: the laboratory of running averages."""

from __future__ import annotations

import numpy as np

from bncourse.chapters.inference.runs import (
    TRUE_VARIANCE,
    WEIGHED,
    expected_average,
    running_variance,
)
from bncourse.display import Choice, Explorable, FigureWithWords, Range, Switch
from bncourse.display.style import GREY, INK, ORANGE, WITH, new_figure, style

STEPS = 100


def draw_ema_lab(
    decay: float, steps: int, m: int, correction: bool, bessel: bool, convention: str
) -> FigureWithWords:
    """Draw a running variance along its batches, and what it is in expectation."""
    setting = (decay, steps, m, correction, bessel, convention)
    batches, average = running_variance(*setting)
    expected = expected_average(*setting)
    early = min(steps, 10)
    scatter = average[steps // 2 :].std()
    with style():
        figure, ax = new_figure(5.8, 3.0)
        at = np.arange(1, steps + 1)
        ax.plot(
            at,
            batches,
            "s",
            color="#cfcdc6",
            markersize=3,
            antialiased=False,
            markeredgewidth=0,
        )
        ax.axhline(TRUE_VARIANCE, color=INK, linewidth=1, linestyle=":")
        ax.plot(at, average, color=WITH, linewidth=1.8, antialiased=False)
        ax.plot(at, expected, color=ORANGE, linewidth=1.8, antialiased=False)
        ax.set_ylim(0, 12)
        ax.set_xlabel("batches seen")
        ax.set_ylabel("variance")
        for text, value, colour in (
            ("this run", 10.9, WITH),
            ("expected", 9.6, ORANGE),
            ("truth, dotted", 8.3, GREY),
        ):
            ax.annotate(
                text,
                (steps, value),
                ha="right",
                fontsize=10,
                fontweight="bold",
                color=colour,
            )
        ax.set_title(
            f"at the end {average[-1]:.2f}, expected {expected[-1]:.2f}, true {TRUE_VARIANCE:.2f}"
        )
    words = (
        f"d = {decay:g} weighs {convention}, m = {m}, bias correction "
        f"{'on' if correction else 'off'}, m/(m−1) {'on' if bessel else 'off'}: after {early} "
        f"batches {expected[early - 1]:.2f} is expected and this run has "
        f"{average[early - 1]:.2f}, after {steps} it is {expected[-1]:.2f} and "
        f"{average[-1]:.2f}; in the second half the run scatters by {scatter:.2f}. "
        f"The truth is {TRUE_VARIANCE:.2f}."
    )
    return FigureWithWords(figure, words)


def ema_lab() -> Explorable:
    """Return the explorable: decay, batch size, both corrections, and the two conventions."""
    return Explorable(
        "The laboratory of running averages",
        draw_ema_lab,
        {
            "decay": Range("d", (0.9, 0.99), 0.9, low=0.01, high=0.999, step=0.01),
            "steps": Range("batches", (STEPS,), STEPS, low=10, high=1000, step=1),
            "m": Range("examples, m", (2, 60), 60, high=256, step=1, form="{:.0f}"),
            "correction": Switch("bias correction"),
            "bessel": Switch("times m/(m − 1)"),
            "convention": Choice("d weighs", WEIGHED, WEIGHED[0]),
        },
    )

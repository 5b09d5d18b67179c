"""The explorable of chapter 6: the laboratory of running averages."""

from __future__ import annotations

import numpy as np

from bncourse.chapters.inference.runs import (
    TRUE_VARIANCE,
    WEIGHED,
    deviation_of_average,
    expected_average,
    running_variances,
)
from bncourse.display import Choice, Explorable, FigureWithWords, Range, Switch
from bncourse.display.style import INK, PURPLE, new_figure, style

STEPS = 100
#: Faint lines in the laboratory.
RUNS = 20


def draw_ema_lab(
    decay: float, steps: int, m: int, correction: bool, bessel: bool, convention: str
) -> FigureWithWords:
    """Draw the running variances of many runs along their batches, and their expectation."""
    setting = (decay, steps, m, correction, bessel, convention)
    runs = running_variances(*setting, runs=RUNS)
    expected = expected_average(*setting)
    early = min(steps, 10)
    scatter = deviation_of_average(*setting)
    with style():
        figure, ax = new_figure(5.0, 3.0)
        at = np.arange(1, steps + 1)
        gap = np.full((RUNS, 1), np.nan)  # all runs are one line, which is drawn faster
        lines = np.hstack([runs, gap]).ravel()
        ax.plot(np.tile([*at, np.nan], RUNS), lines, color="#a9a59b", lw=0.8, antialiased=False)
        ax.axhline(TRUE_VARIANCE, color=INK, linewidth=1, linestyle=":")
        ax.plot(at, expected, color=PURPLE, linewidth=2.0, antialiased=False)
        ax.set_ylim(0, 20)
        ax.set_xlabel("batches seen")
        ax.set_ylabel("running variance")
        # Beside the axes, where no run goes: each at the end of its line, the upper one above it.
        truth = ("truth,\ndotted", float(TRUE_VARIANCE), INK)
        expectation = ("expected", max(float(expected[-1]), 2.0), PURPLE)
        lower, upper = sorted([truth, expectation], key=lambda label: label[1])
        tall = 1 + upper[0].count("\n")
        runs_label = (f"{RUNS} runs", upper[1] + 0.4 + 1.4 * tall, "#6b6b6b")
        for (text, place, colour), side in (
            (lower, "top"),
            (upper, "bottom"),
            (runs_label, "bottom"),
        ):
            ax.annotate(
                text,
                (1.02, place),
                xycoords=("axes fraction", "data"),
                va=side,
                fontsize=10,
                fontweight="bold",
                color=colour,
            )
        ax.set_title(f"expected {expected[-1]:.2f}, give or take {scatter:.2f}")
    words = (
        f"d = {decay:g} weighs {convention}, m = {m}, 1 − dᵗ "
        f"{'on' if correction else 'off'}, m/(m−1) {'on' if bessel else 'off'}: "
        f"{expected[early - 1]:.2f} is expected after {early} batches and {expected[-1]:.2f} "
        f"after {steps}, and around that such runs (here {RUNS}) have a standard deviation "
        f"of {scatter:.2f}. "
        f"The truth is {TRUE_VARIANCE:.2f}."
    )
    return FigureWithWords(figure, words)


def ema_lab() -> Explorable:
    """Return the explorable: decay, batch size, both corrections, and the two conventions."""
    return Explorable(
        "The laboratory of running averages",
        draw_ema_lab,
        {
            "decay": Range("d", (0.9, 0.99), 0.99, low=0.01, high=0.999, step=0.01),
            "steps": Range("batches", (STEPS,), STEPS, low=10, high=1000, step=1),
            "m": Range("examples, m", (2, 60), 2, high=256, step=1, form="{:.0f}"),
            "correction": Switch("divided by 1 − dᵗ", True),
            "bessel": Switch("times m/(m − 1)", True),
            "convention": Choice("d weighs", WEIGHED, WEIGHED[0]),
        },
    )

"""The explorables of chapter 2: the calculator, the activation's window, the float32 cliff."""

from __future__ import annotations

import numpy as np

from bncourse.arrays import Floats
from bncourse.chapters.algorithm import runs
from bncourse.chapters.algorithm.figures import DEEP_GREEN, PLUM
from bncourse.display import Choice, Explorable, FigureWithWords, Range
from bncourse.display.figure import powers, true_minus
from bncourse.display.style import (
    GREEN,
    GREY,
    INK,
    PURPLE,
    join,
    new_figure,
    style,
)

#: The batch of the calculator; its first m values are used.
BATCH = (3.0, 5.0, 4.0, 9.0, 1.0, 6.0, 2.0, 10.0)


#: As figures write it.
NORMALISED = r"$z_\mathrm{norm}$"


def draw_batch_norm_calculator(
    m: int, first: float, gamma: float, beta: float, epsilon: float
) -> FigureWithWords:
    """Draw one unit's batch as it goes through the four equations."""
    z = np.array([first, *BATCH[1:m]])
    result = runs.calculate(z, gamma, beta, epsilon)
    rows = ((z, "z"), (result.z_norm, NORMALISED), (result.z_tilde, f"z̃ = γ {NORMALISED} + β"))
    good = bool(np.all(np.isfinite(result.z_tilde)))
    with style():
        figure, ax = new_figure(5.0, 2.6)
        places = [2, 1, 0]
        for i in range(m):
            points = [values[i] for values, _ in rows]
            ax.plot(points, places, color=GREY, linewidth=0.6, antialiased=False)
        for (values, _), place, colour in zip(rows, places, (INK, GREEN, PURPLE), strict=True):
            ax.plot(values, np.full(m, place), "o", color=colour, markersize=8)
        ax.plot(0, 1, "|", color=GREY, markersize=22)
        if not good:
            ax.annotate(
                "not a number",
                (0.5, 0.25),
                xycoords="axes fraction",
                color=INK,
                fontweight="bold",
                ha="center",
                fontsize=14,
            )
        ends = np.concatenate([z, result.z_tilde[np.isfinite(result.z_tilde)], [-6.0, 11.0]])
        ax.set_xlim(ends.min() - 0.5, ends.max() + 0.5)
        ax.set_ylim(-0.5, 2.5)
        ax.set_yticks(places, [name for _, name in rows])
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("value")
        text = f"μ = {result.mu:.2f}, σ² = {result.var:.2f}, σ² + ε = {result.var + epsilon:.2f}"
        ax.set_title(true_minus(text))
    words = f"m = {m}: μ is {result.mu:.2f}, σ² {result.var:.2f}. "
    if good:
        # Adding 0 turns a negative zero into zero.
        mean = np.round(np.mean(result.z_tilde), 2) + 0.0
        words += f"z_norm is {_numbers(result.z_norm)}; z̃ has mean {mean:.2f} "
        words += f"and standard deviation {np.std(result.z_tilde):.2f}."
    elif result.var + epsilon == 0:
        words += "z_norm is 0/0, which is not a number."
    else:
        words += f"The root of {result.var + epsilon:.2f} is not a number."
    return FigureWithWords(figure, true_minus(words))


def _numbers(values: Floats) -> str:
    """Return a few values in words."""
    return join([f"{value + 0.0:.2f}" for value in np.round(values, 2)])


def batch_norm_calculator() -> Explorable:
    """Return the explorable: the four equations on up to eight values, live also on others."""
    return Explorable(
        "The batch-norm calculator",
        draw_batch_norm_calculator,
        {
            "m": Range("examples, m", (1, 2, 8), 8, step=1, form="{:.0f}"),
            # The second stop is the second value of the batch: two equal examples.
            "first": Range("first value", (3.0, 5.0, 20.0), 3.0, low=-20.0, step=0.5),
            "gamma": Range("γ", (1.0, 2.0), 1.0, low=-3.0, high=3.0, step=0.25),
            "beta": Range("β", (0.0, 3.0), 0.0, low=-5.0, high=5.0, step=0.25),
            "epsilon": Range("ε", (0.0, 2.0), 0.0, low=-2.0, step=0.25),
        },
    )


def draw_activation_window(activation: str, gamma: float, beta: float) -> FigureWithWords:
    """Draw the part of an activation that inputs from N(β, γ²) see, and how straight it is."""
    window = runs.window(activation, beta, gamma)
    f, outputs = runs.CURVES[activation], runs.window_outputs(activation, beta, gamma)
    z = np.linspace(-8.0, 8.0, 401)
    inside = np.linspace(beta - 2 * gamma, beta + 2 * gamma, 201)
    low, high = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "ReLU": (0.0, 8.0)}[activation]
    margin = 0.25 * (high - low)
    density = np.exp(-0.5 * ((z - beta) / gamma) ** 2)
    with style():
        figure, axes = new_figure(5.0, 2.8, 1, 2, width_ratios=[1.6, 1])
        shade = low + 0.6 * (high - low) * density
        axes[0].fill_between(z, low, shade, color="#dcdad2", linewidth=0)
        axes[0].plot(z, f(z), color=GREY, linewidth=1.4)
        axes[0].plot(inside, f(inside), color=GREEN, linewidth=3)
        axes[0].plot(inside, window.line(inside), "--", color=INK, linewidth=1.4)
        axes[0].set_xlim(-8, 8)
        axes[0].set_ylim(low - margin, high + margin)
        axes[0].set_xlabel("z̃; grey: its density")
        axes[0].set_title(f"{activation}: R² of a line {window.r2:.2f}", fontsize=11.5)
        axes[1].hist(outputs, np.linspace(low, high, 21), color=GREEN)
        axes[1].set_yticks([])
        axes[1].set_xlabel("activation a")
        axes[1].set_title("what comes out", fontsize=11.5)
    words = (
        f"{activation} with γ = {gamma:g} and β = {beta:g}: a straight line explains "
        f"{window.r2:.2f} of the variance of what comes out, and nine tenths of that lie between "
        f"{window.low:.2f} and {window.high:.2f}."
    )
    return FigureWithWords(figure, true_minus(words))


def activation_window() -> Explorable:
    """Return the explorable: where γ and β let the inputs of an activation fall."""
    return Explorable(
        "The activation's window",
        draw_activation_window,
        {
            "activation": Choice("activation", tuple(runs.CURVES), "sigmoid"),
            "gamma": Range("γ", (0.3, 1.0, 3.0), 1.0, log=True, step=0.05),
            "beta": Range("β", (-1.0, 0.0, 1.0, 3.0), 0.0, low=-3.0, step=0.25),
        },
    )


def draw_float32_cliff(exponent: float, formula: str) -> FigureWithWords:
    """Draw the variances that float32 gives for 200 units, sorted."""
    variances = np.sort(runs.float32_variances(exponent, formula))
    negative = int(np.sum(variances < 0))
    colour = PLUM if formula == "one pass" else DEEP_GREEN
    with style():
        figure, ax = new_figure(5.0, 3.0)
        ax.axhspan(-6, 0, color="#e9e6de", linewidth=0)
        ax.axhline(1, color=INK, linewidth=1, linestyle=":")
        ax.plot(np.clip(variances, -5.5, 5.5), ".", color=colour, markersize=5)
        ax.set_ylim(-6, 6)
        ax.set_yticks([-5, 0, 1, 5], ["≤ −5", "0", "1", "≥ 5"])
        ax.annotate("below 0: impossible for a variance", (100, -4.9), ha="center", fontsize=10)
        ax.set_xlabel("unit, sorted by its variance")
        ax.set_ylabel("variance in float32")
        ax.set_title(powers(f"Mean 10^{exponent:g}, {formula}: {negative} of 200 are below 0"))
    words = (
        f"{formula.capitalize()}, mean 10^{exponent:g}: variances from {_short(variances[0])} to "
        f"{_short(variances[-1])}, {negative} of 200 negative."
    )
    return FigureWithWords(figure, true_minus(powers(words)))


def _short(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:,.0f}"


def float32_cliff() -> Explorable:
    """Return the explorable: how large a mean float32 can bear under the variance."""
    return Explorable(
        "The float32 cliff",
        draw_float32_cliff,
        {
            "exponent": Range(
                "mean", (0.0, 2.0, 3.0, 4.0, 6.0), 0.0, high=8.0, step=0.25, form="10^{:g}"
            ),
            "formula": Choice("variance in", ("one pass", "two passes"), "one pass"),
        },
    )

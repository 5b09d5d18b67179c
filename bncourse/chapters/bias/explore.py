"""The explorables of chapter 3: the ghost bias, and the growth of weights."""

from __future__ import annotations

import numpy as np

from bncourse.chapters.bias.runs import MODES, WX, Growth, ghost, weight_growth
from bncourse.display import Choice, Explorable, FigureWithWords, Range
from bncourse.display.figure import true_minus
from bncourse.display.style import BLUE, GREY, INK, WITH, new_figure, style

#: Training steps of the second explorable.
STEPS = 200


def draw_ghost_bias(b: float, c: float, epsilon: float, mode: str) -> FigureWithWords:
    """Draw one unit before and after normalisation, with its bias and without."""
    result = ghost(b, c, epsilon, mode)
    change = float(np.abs(result.z_norm - result.reference).max())
    with style():
        figure, axes = new_figure(5.8, 2.9, 2, 1)
        for ax, values, grey, text in (
            (axes[0], result.u, WX, "c·wa + b"),
            (axes[1], result.z_norm, result.reference, "z_norm"),
        ):
            ax.plot(grey, np.full(8, 0.75), "o", color=GREY, markersize=6)
            ax.plot(values, np.full(8, 0.25), "o", color=WITH, markersize=8)
            ax.set_ylim(0, 1)
            low, high = min(-4.0, values.min()), max(4.0, values.max())
            ax.set_xlim(1.08 * low, 1.08 * high)
            ax.set_yticks([0.25, 0.75], ["now", "b = 0, c = 1"])
            ax.grid(visible=False, axis="y")
            ax.set_title(text, fontsize=11)
    slope = result.slope if abs(result.slope) >= 0.005 else 0.0
    words = (
        f"In {mode} mode, b = {b:g}, c = {c:g}, ε = {epsilon:g}: the largest change of an "
        f"output is {change:.2f}, and ∂J/∂b is {slope:.2f}."
    )
    return FigureWithWords(figure, true_minus(words))


def ghost_bias() -> Explorable:
    """Return the explorable: a bias and a scale that batch norm takes out again."""
    return Explorable(
        "The ghost bias",
        draw_ghost_bias,
        {
            "b": Range("bias b", (0.0, 3.0, 30.0), 0.0, low=-30.0, step=0.5),
            "c": Range("weight scale c", (0.1, 1.0, 10.0), 1.0, log=True, step=0.05),
            "epsilon": Range("ε", (0.0, 0.5), 0.0, high=1.0, step=0.05),
            "mode": Choice("mode", MODES, "training"),
        },
    )


def draw_effective_rate(learning_rate: float, weight_decay: float) -> FigureWithWords:
    """Draw how the hidden weights grow, and the effective learning rate falls, in training."""
    run: Growth = weight_growth(
        0, learning_rate=learning_rate, weight_decay=weight_decay, steps=STEPS
    )
    with style():
        figure, axes = new_figure(6.0, 3.0, 1, 2)
        axes[0].plot(run.steps, run.norm, color=WITH)
        axes[0].axhline(run.norm[0], color=INK, linewidth=1, linestyle=":")
        axes[0].set_ylim(0, max(2.2 * run.norm[0], 1.05 * run.norm.max()))
        axes[0].set_xlabel("step")
        axes[0].set_title("‖w‖², hidden layers", fontsize=11.5)
        axes[1].plot(run.steps, run.rate, color=BLUE)
        axes[1].plot(0, run.rate[0], "o", color=BLUE)
        axes[1].set_ylim(0, 1.25 * max(run.rate))
        axes[1].set_xlabel("step")
        axes[1].set_title("effective rate, α / ‖wⱼ‖²", fontsize=11.5)
    words = (
        f"Learning rate {learning_rate:g}, weight decay {weight_decay:g}: after {STEPS} steps "
        f"‖w‖² is {run.norm[-1] / run.norm[0]:.2f} times what it was, and the effective rate "
        f"{run.rate[-1] / run.rate[0]:.2f} times."
    )
    return FigureWithWords(figure, words)


def effective_rate() -> Explorable:
    """Return the explorable: learning rate and weight decay against the growth of weights."""
    return Explorable(
        "The effective learning rate",
        draw_effective_rate,
        {
            "learning_rate": Range("learning rate α", (0.3, 1.0, 3.0), 3.0, log=True),
            "weight_decay": Range(
                "weight decay λ", (0.0, 0.001, 0.003), 0.0, high=0.02, step=0.001
            ),
        },
    )

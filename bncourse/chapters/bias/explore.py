"""The explorables of chapter 3: the ruler made or stored, one unit, and the effective rate."""

from __future__ import annotations

import numpy as np

from bncourse.chapters.bias.figures import draw_reading
from bncourse.chapters.bias.runs import RULERS, Growth, one_step, read_dots, weight_growth
from bncourse.chapters.measured import taking_down
from bncourse.display import Choice, Explorable, FigureWithWords, Range
from bncourse.display.card import Card
from bncourse.display.figure import true_minus
from bncourse.display.style import GREEN, GREY, INK, PURPLE, WITH, join, new_figure, style

#: Training steps of the third explorable, and its stops.
STEPS = 200
RATES = (0.3, 1.0, 3.0)
DECAYS = (0.0, 0.0003, 0.0008, 0.003)


def draw_ruler(b: float, c: float, ruler: str) -> FigureWithWords:
    """Draw four dots, slid and stretched, and the ruler that they are read by."""
    reading = read_dots(b, c, ruler)
    with style():
        figure, ax = new_figure(5.0, 2.1)
        draw_reading(ax, reading, (-12.0, 32.0))
    values = [f"{value:.2f}" for value in reading.z_norm]
    words = (
        f"Stretched by {c:g} and slid by {b:g}, the dots are at "
        f"{join([f'{dot:g}' for dot in reading.dots])}. The ruler {ruler} has its zero at "
        f"{reading.zero:g} and reads {join(values)}."
    )
    return FigureWithWords(figure, true_minus(words))


def ruler() -> Explorable:
    """Return the explorable: slide and stretch four dots, with a ruler made or stored."""
    return Explorable(
        "Slide, stretch, and the ruler",
        draw_ruler,
        {
            "b": Range(
                "slide, b", (-8.0, -4.0, 0.0, 2.0, 8.0), 0.0, low=-10.0, high=10.0, step=0.5
            ),
            "c": Range("stretch, c", (0.5, 1.0, 2.0, 3.0), 1.0, low=0.25, high=3.0, step=0.25),
            "ruler": Choice("the ruler is", RULERS, RULERS[0]),
        },
    )


def draw_one_unit(length: float, degrees: float) -> FigureWithWords:
    """Draw the weights of one unit with two inputs, and one step of gradient descent."""
    step = one_step(length, degrees)
    with style():
        figure, ax = new_figure(5.0, 4.3)
        for ray in range(0, 121, 15):
            end = 3.75 * np.array([np.cos(np.radians(ray)), np.sin(np.radians(ray))])
            ax.plot([0, end[0]], [0, end[1]], color="#d6d3ca", linewidth=1)
            if ray % 30 == 0:
                label = f"{one_step(1.0, float(ray)).loss:.2f}"
                ax.text(*(1.06 * end), label, color=GREY, ha="center", va="center", fontsize=10)
        circle = np.radians(np.linspace(-8, 128, 60))
        ax.plot(np.cos(circle), np.sin(circle), color=GREY, linewidth=1, linestyle="--")
        ax.annotate("", step.w, (0, 0), arrowprops={"arrowstyle": "-|>", "color": WITH, "lw": 2.4})
        ax.annotate(
            "",
            step.w_next,
            step.w,
            arrowprops={"arrowstyle": "-|>", "color": PURPLE, "lw": 2.4, "shrinkA": 0},
        )
        ax.plot([0, step.w_next[0]], [0, step.w_next[1]], color=GREEN, linewidth=1.4)
        ax.plot(0, 0, "o", color=INK, markersize=4)
        ax.set_aspect("equal")
        ax.set_xlim(-2.1, 4.3)
        ax.set_ylim(-0.35, 4.1)
        ax.axis("off")
        ax.set_title(
            f"loss {step.loss:.3f}   ‖∇J‖ {step.gradient:.2f}   turn {step.turn:.1f}°",
            fontsize=12,
        )
    words = (
        f"‖w‖ = {length:g} at {degrees:g}°: the loss is {step.loss:.3f}, the gradient has length "
        f"{step.gradient:.2f} and stands at a right angle to w, and one step at rate 0.5 turns w "
        f"by {step.turn:.1f}°, whose tangent is {np.tan(np.radians(step.turn)):.3f}."
    )
    return FigureWithWords(figure, true_minus(words))


def one_unit() -> Explorable:
    """Return the explorable: one unit in two dimensions, whose length can be dragged."""
    return Explorable(
        "One unit in two dimensions",
        draw_one_unit,
        {
            "length": Range("length ‖w‖", (0.5, 1.0, 2.0, 3.0), 1.0, low=0.5, step=0.1),
            "degrees": Range("direction of w, degrees", (30.0, 60.0, 90.0), 60.0, step=5.0),
        },
    )


def effective_rate() -> Explorable:
    """Return the explorable: learning rate and weight decay against the growth of weights."""
    with taking_down() as taken:
        known = {
            (rate, decay): weight_growth(0, learning_rate=rate, weight_decay=decay, steps=STEPS)
            for rate in RATES
            for decay in DECAYS
        }

    def draw(learning_rate: float, weight_decay: float) -> FigureWithWords:
        run: Growth = known.get((learning_rate, weight_decay)) or weight_growth(
            0, learning_rate=learning_rate, weight_decay=weight_decay, steps=STEPS
        )
        with style():
            figure, axes = new_figure(5.0, 3.9, 2, 1, sharex=True)
            axes[0].plot(run.steps, run.norm, color=WITH)
            axes[0].axhline(run.norm[0], color=INK, linewidth=1, linestyle=":")
            axes[0].set_ylim(0, max(2.2 * run.norm[0], 1.05 * run.norm.max()))
            axes[0].set_title("‖w‖², hidden layers", fontsize=11.5)
            axes[1].plot(run.steps, run.rate, color=WITH)
            axes[1].plot(0, run.rate[0], "o", color=WITH)
            axes[1].set_ylim(0, 1.25 * max(run.rate))
            axes[1].set_xlabel("step")
            axes[1].set_title("effective rate, α / mean ‖wⱼ‖²", fontsize=11.5)
        words = (
            f"Learning rate {learning_rate:g}, weight decay {weight_decay:g}: after {STEPS} steps "
            f"‖w‖² is {run.norm[-1] / run.norm[0]:.3f} times what it was, and the effective rate "
            f"{run.rate[-1] / run.rate[0]:.2f} times."
        )
        return FigureWithWords(figure, words)

    return Explorable(
        "The effective learning rate",
        draw,
        {
            "learning_rate": Range("learning rate α", RATES, 3.0, log=True),
            "weight_decay": Range("weight decay λ", DECAYS, 0.0, high=0.02, step=0.0001),
        },
        Card(
            "What do the learning rate and weight decay make of the length of the weights?",
            "No weight decay, at each learning rate.",
            "Weights in training.",
            taken,
        ),
    )

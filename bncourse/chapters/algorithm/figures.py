"""The figures of chapter 2."""

from __future__ import annotations

import numpy as np

from bncourse.arrays import Floats
from bncourse.chapters.algorithm.runs import VarianceErrors, Window
from bncourse.chapters.gaussian import sigmoid
from bncourse.display import FigureWithWords
from bncourse.display.style import (
    BLUE,
    CARD,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    label_line,
    new_figure,
    style,
)

__all__ = [
    "computation_graph",
    "output_spread",
    "sigmoid_window",
    "stopped_gradient",
    "variance_errors",
]


def sigmoid_window(window: Window) -> FigureWithWords:
    """Draw the sigmoid, the part of it that normal inputs use, and the best straight line.

    Parameters
    ----------
    window : Window
        From `bncourse.chapters.algorithm.runs.sigmoid_window`.

    Returns
    -------
    FigureWithWords
    """
    mean, sd, low, high = window.mean, window.sd, window.low, window.high
    z = np.linspace(-6, 6, 601)
    with style():
        figure, ax = new_figure(6.4, 3.9)
        density = np.exp(-0.5 * ((z - mean) / sd) ** 2)
        ax.fill_between(z, 0, 0.45 * density, color=GREY, alpha=0.25, linewidth=0)
        line_z = mean + sd * np.array([-2.0, 2.0])
        (line,) = ax.plot(line_z, window.line(line_z), color=ORANGE)
        (curve,) = ax.plot(z, sigmoid(z), color=BLUE)
        used = np.abs(z - mean) <= 1.645 * sd
        ax.plot(z[used], sigmoid(z[used]), color=BLUE, linewidth=5)
        label_line(ax, curve, "sigmoid", at=540, offset=(0, -14), ha="center")
        label_line(ax, line, "best line", at=1, offset=(8, -16), ha="left")
        ax.annotate("density of z̃", (mean, 0.04), color="#555555", ha="center")
        ax.set_ylim(-0.02, 1.05)
        ax.set_xlim(-6, 6)
        ax.set_xlabel("z̃")
        ax.set_ylabel("activation")
        ax.set_title(
            "On N(0, 1) the sigmoid is nearly a straight line"
            if (mean, sd) == (0, 1)
            else "γ and β choose the part of the sigmoid that is used"
        )
    words = (
        f"For inputs with mean {mean:g} and standard deviation {sd:g} the middle 90 % of the "
        f"sigmoid's outputs lie between {low:.2f} and {high:.2f}, and the best straight line "
        f"explains {100 * window.r2:.1f} % of their variance."
    )
    return FigureWithWords(figure, words)


def output_spread(epsilons: tuple[float, float] = (1e-5, 1e-3)) -> FigureWithWords:
    """Draw the standard deviation of z_norm against that of z, for several ε.

    Parameters
    ----------
    epsilons : tuple of float
        Two, both above 0, the smaller one first.

    Returns
    -------
    FigureWithWords
    """
    sd = np.logspace(-5, 1, 200)
    with style():
        figure, ax = new_figure(6.4, 3.8)
        for k, (epsilon, colour) in enumerate(zip(epsilons, (BLUE, VERMILION), strict=True)):
            ax.loglog(sd, sd / np.sqrt(sd**2 + epsilon), color=colour)
            root = float(np.sqrt(epsilon))
            ax.axvline(root, color=colour, linewidth=1, linestyle=":")
            ax.annotate(
                f"√ε = {root:.2g}",
                (root, 1.3e-3),
                xytext=(6 if k else -6, 0),
                textcoords="offset points",
                color=colour,
                fontweight="bold",
                ha="left" if k else "right",
            )
        ax.set_xlabel("standard deviation of z")
        ax.set_ylabel("standard deviation of z_norm")
        ax.set_title("Below √ε a unit keeps its smallness")
    halves = " and ".join(f"{np.sqrt(epsilon):.2g} for ε = {epsilon:g}" for epsilon in epsilons)
    words = (
        f"The standard deviation of z_norm is close to 1 for large inputs and falls in proportion "
        f"below √ε, which is {halves}; there it is {1 / np.sqrt(2):.2f}."
    )
    return FigureWithWords(figure, words)


#: Nodes of the computation graph: name, formula, place.
_NODES = (
    ("z", "$z$", (0.0, 1.0)),
    ("mu", r"$\mu = \frac{1}{m}\sum z$", (0.85, 0.0)),
    ("c", r"$c = z - \mu$", (1.7, 1.0)),
    ("var", r"$\sigma^2 = \frac{1}{m}\sum c^2$", (2.75, 0.0)),
    ("s", r"$s = (\sigma^2+\epsilon)^{-1/2}$", (4.75, 0.0)),
    ("z_norm", r"$z_{norm} = c\,s$", (4.75, 1.0)),
    ("z_tilde", r"$\tilde z = \gamma z_{norm} + \beta$", (6.95, 1.0)),
    ("gamma", r"$\gamma$", (6.55, 0.0)),
    ("beta", r"$\beta$", (7.35, 0.0)),
)
_EDGES = (
    ("z", "mu"),
    ("z", "c"),
    ("mu", "c"),
    ("c", "var"),
    ("var", "s"),
    ("s", "z_norm"),
    ("c", "z_norm"),
    ("z_norm", "z_tilde"),
    ("gamma", "z_tilde"),
    ("beta", "z_tilde"),
)


def computation_graph() -> FigureWithWords:
    """Draw the nodes of batch norm and the edges between them.

    Returns
    -------
    FigureWithWords
    """
    paths = _paths("z", "z_norm")
    with style():
        figure, ax = new_figure(7.2, 2.5)
        boxes = {}
        for name, text, place in _NODES:
            if name in ("gamma", "beta"):
                edge = GREEN
            else:
                edge = ORANGE if name in ("mu", "var", "s") else BLUE
            box = {"boxstyle": "round,pad=0.4", "facecolor": CARD, "edgecolor": edge}
            boxes[name] = ax.annotate(
                text,
                place,
                ha="center",
                va="center",
                fontsize=10.5,
                bbox=box | {"linewidth": 1.6},
            )
        ax.set_xlim(-0.3, 7.95)
        ax.set_ylim(-0.4, 1.4)
        ax.axis("off")
        ax.set_title(f"z reaches z_norm by {paths} paths")
        places = {name: place for name, _, place in _NODES}
        # The boxes are drawn first, so each arrow finds their borders and ends there.
        for start, end in _EDGES:
            ax.annotate(
                "",
                places[end],
                places[start],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "#555555",
                    "linewidth": 1.4,
                    "shrinkA": 2,
                    "shrinkB": 3,
                    "patchA": boxes[start].get_bbox_patch(),
                    "patchB": boxes[end].get_bbox_patch(),
                },
            )
    into_output = [a for a, b in _EDGES if b == "z_norm"]
    words = (
        f"A graph of {len(_NODES)} nodes and {len(_EDGES)} edges, from z through μ, c, σ² and s "
        f"to the normalised z, and from there with γ and β to z̃; {len(into_output)} edges enter "
        f"the normalised z, and {paths} paths lead to it from z."
    )
    return FigureWithWords(figure, words)


def _paths(start: str, end: str) -> int:
    """Return the number of paths in the graph from one node to another."""
    return 1 if start == end else sum(_paths(b, end) for a, b in _EDGES if a == start)


def stopped_gradient(
    right: list[float], stopped: list[float], window: int = 10
) -> FigureWithWords:
    """Draw the training loss with the whole backward pass and with the stopped one.

    Parameters
    ----------
    right, stopped : list of float
        Losses of each step.
    window : int
        Steps of the running mean.

    Returns
    -------
    FigureWithWords
    """
    kernel = np.ones(window) / window
    with style():
        figure, ax = new_figure(6.4, 3.6)
        for values, colour, text in (
            (stopped, VERMILION, "stopped at μ and σ²"),
            (right, BLUE, "whole backward pass"),
        ):
            smooth = np.convolve(values, kernel, "valid")
            (line,) = ax.semilogy(np.arange(len(smooth)) + window, smooth, color=colour)
            label_line(ax, line, text, at=len(smooth) // 3, offset=(0, 26), ha="left")
        ax.set_xlabel("training step")
        ax.set_ylabel(f"loss in nats, mean of {window} steps")
        ax.set_title("Without the paths through μ and σ² training turns back")
    a, b = np.mean(right[-24:]), np.mean(stopped[-24:])
    # What the stopped run does step by step is chaotic; that it rises again is not.
    lowest = np.min(np.convolve(stopped, np.ones(24) / 24, "valid"))
    turns = "fallen lower before and risen again" if b > 1.1 * lowest else "fallen all the time"
    words = (
        f"After {len(right)} steps the training loss is {a:.2f} with the whole backward pass. "
        "When the gradient is stopped at μ and σ² it is "
        f"{'more than ten times' if b > 10 * a else 'less than ten times'} as much, "
        f"and has {turns}."
    )
    return FigureWithWords(figure, words)


def variance_errors(errors: VarianceErrors) -> FigureWithWords:
    """Draw the relative error of two ways to compute a variance in float32.

    Parameters
    ----------
    errors : VarianceErrors
        From `bncourse.chapters.algorithm.runs.variance_errors`.

    Returns
    -------
    FigureWithWords
    """

    def at(values: Floats, mean: float) -> float:
        return float(values[int(np.argmin(np.abs(errors.means - mean)))])

    with style():
        figure, ax = new_figure(6.4, 3.9)
        for values, colour, text, at_point, offset in (
            (errors.one_pass, VERMILION, "one pass: mean(z²) − mean(z)²", 9, (-12, 8)),
            (errors.two_pass, BLUE, "two passes: mean((z − μ)²)", 7, (0, -14)),
        ):
            (line,) = ax.loglog(errors.means, values, "o-", color=colour)
            label_line(ax, line, text, at=at_point, offset=offset, ha="right")
        ax.axhline(1.0, color=INK, linewidth=1, linestyle=":")
        ax.annotate(
            "100 % wrong",
            (errors.means[-1], 1.0),
            xytext=(0, -4),
            textcoords="offset points",
            fontsize=10,
            ha="right",
            va="top",
        )
        ax.set_ylim(bottom=3e-9)
        ax.set_xlabel("mean of the data (standard deviation 1)")
        ax.set_ylabel("relative error of the variance")
        ax.set_title("One pass over float32 loses the variance")
    words = (
        f"Median relative error of the variance of 200 units in float32. One pass: "
        f"{100 * at(errors.one_pass, 1e3):.0f} % with a mean of 1,000 and more than "
        f"{'100 %' if at(errors.one_pass, 1e4) > 1 else '1 %'} at 10,000, where "
        f"{100 * at(errors.negative, 1e4):.0f} % of the variances are negative. Two passes: "
        f"less than {_power_above(at(errors.two_pass, 1e3))} at 1,000, and "
        f"{100 * at(errors.two_pass, 1e6):.1f} % at 1,000,000."
    )
    return FigureWithWords(figure, words)


def _power_above(value: float) -> str:
    """Return the next power of ten above a number: 3.1e-8 gives ``1e-07``."""
    return f"{10.0 ** np.ceil(np.log10(value)):.0e}"

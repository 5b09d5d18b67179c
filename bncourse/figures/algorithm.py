"""The figures of chapter 2."""

from __future__ import annotations

import numpy as np

from bncourse._validation import Floats
from bncourse.display import FigureWithWords
from bncourse.experiments.algorithm import VarianceErrors, gaussian_mean, linear_r2, sigmoid
from bncourse.figures.style import (
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


def sigmoid_window(mean: float = 0.0, sd: float = 1.0) -> FigureWithWords:
    """Draw the sigmoid, the part of it that normal inputs use, and the best straight line.

    Parameters
    ----------
    mean, sd : float
        Of the inputs z̃: β and |γ|.

    Returns
    -------
    FigureWithWords
    """
    z = np.linspace(-6, 6, 601)
    r2 = linear_r2(sigmoid, mean, sd)
    centre = gaussian_mean(sigmoid, mean, sd)
    slope = gaussian_mean(lambda v: sigmoid(v) * (v - mean), mean, sd) / sd**2
    low, high = (float(sigmoid(np.array(mean + k * sd))) for k in (-1.645, 1.645))
    with style():
        figure, ax = new_figure(6.4, 3.9)
        density = np.exp(-0.5 * ((z - mean) / sd) ** 2)
        ax.fill_between(z, 0, 0.45 * density, color=GREY, alpha=0.25, linewidth=0)
        line_z = mean + sd * np.array([-2.0, 2.0])
        (line,) = ax.plot(line_z, centre + slope * (line_z - mean), color=ORANGE)
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
        f"explains {100 * r2:.1f} % of their variance."
    )
    return FigureWithWords(figure, words)


def output_spread(epsilons: tuple[float, ...] = (1e-5, 1e-3)) -> FigureWithWords:
    """Draw the standard deviation of z_norm against that of z, for several ε.

    Parameters
    ----------
    epsilons : tuple of float
        All above 0.

    Returns
    -------
    FigureWithWords
    """
    sd = np.logspace(-5, 1, 200)
    with style():
        figure, ax = new_figure(6.4, 3.8)
        for epsilon, colour in zip(epsilons, (BLUE, VERMILION, GREEN), strict=False):
            (line,) = ax.loglog(sd, sd / np.sqrt(sd**2 + epsilon), color=colour)
            label_line(ax, line, f"ε = {epsilon:g}", at=50, offset=(-8, 6), ha="right")
            ax.axvline(np.sqrt(epsilon), color=colour, linewidth=1, linestyle=":")
        ax.set_xlabel("standard deviation of z")
        ax.set_ylabel("standard deviation of z_norm")
        ax.set_title("Below √ε a unit is no longer normalised")
    halves = " and ".join(f"{np.sqrt(epsilon):.2g} for ε = {epsilon:g}" for epsilon in epsilons)
    words = (
        f"The standard deviation of z_norm is close to 1 for large inputs and falls in proportion "
        f"below √ε, which is {halves}; there it is {1 / np.sqrt(2):.2f}."
    )
    return FigureWithWords(figure, words)


#: Nodes of the computation graph: name, formula, place.
_NODES = (
    ("z", "$z$", (0.0, 1.0)),
    ("mu", r"$\mu = \frac{1}{m}\sum z$", (0.95, 0.0)),
    ("c", r"$c = z - \mu$", (1.9, 1.0)),
    ("var", r"$\sigma^2 = \frac{1}{m}\sum c^2$", (2.95, 0.0)),
    ("s", r"$s = (\sigma^2+\epsilon)^{-1/2}$", (4.85, 0.0)),
    ("z_norm", r"$z_{norm} = c\,s$", (5.4, 1.0)),
    ("z_tilde", r"$\tilde z = \gamma z_{norm} + \beta$", (7.3, 1.0)),
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
)


def computation_graph() -> FigureWithWords:
    """Draw the seven nodes of batch norm and the eight edges between them.

    Returns
    -------
    FigureWithWords
    """
    places = {name: place for name, _, place in _NODES}
    with style():
        figure, ax = new_figure(7.2, 2.4)
        for start, end in _EDGES:
            ax.annotate(
                "",
                places[end],
                places[start],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "#555555",
                    "shrinkA": 28,
                    "shrinkB": 30,
                    "linewidth": 1.4,
                },
            )
        for name, text, place in _NODES:
            statistic = name in ("mu", "var", "s")
            ax.annotate(
                text,
                place,
                ha="center",
                va="center",
                fontsize=10.5,
                bbox={
                    "boxstyle": "round,pad=0.4",
                    "facecolor": CARD,
                    "edgecolor": ORANGE if statistic else BLUE,
                    "linewidth": 1.6,
                },
            )
        ax.set_xlim(-0.4, 8.2)
        ax.set_ylim(-0.5, 1.5)
        ax.axis("off")
        paths = _paths("z", "z_norm")
        ax.set_title(f"z reaches z_norm by {paths} paths")
    into_output = [a for a, b in _EDGES if b == "z_norm"]
    words = (
        f"A graph of {len(_NODES)} nodes and {len(_EDGES)} edges, from z through μ, c, σ² and s "
        f"to the normalised z and z̃; {len(into_output)} edges enter the normalised z, and "
        f"{paths} paths lead to it from z."
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
        ax.set_title("Without the paths through μ and σ² training stalls")
    a, b = np.mean(right[-24:]), np.mean(stopped[-24:])
    words = (
        f"After {len(right)} steps the training loss is {a:.2f} with the whole backward pass and "
        f"{b:.2f} when the gradient is stopped at μ and σ², {b / a:.0f} times as much."
    )
    return FigureWithWords(figure, words)


def variance_errors(errors: VarianceErrors) -> FigureWithWords:
    """Draw the relative error of two ways to compute a variance in float32.

    Parameters
    ----------
    errors : VarianceErrors
        From `bncourse.experiments.algorithm.variance_errors`.

    Returns
    -------
    FigureWithWords
    """

    def at(values: Floats, mean: float) -> float:
        return float(values[int(np.argmin(np.abs(errors.means - mean)))])

    with style():
        figure, ax = new_figure(6.4, 3.9)
        for values, colour, text in (
            (errors.one_pass, VERMILION, "one pass: mean(z²) − mean(z)²"),
            (errors.two_pass, BLUE, "two passes: mean((z − μ)²)"),
        ):
            (line,) = ax.loglog(errors.means, values, "o-", color=colour)
            label_line(
                ax, line, text, at=5, offset=(4, -16 if colour == VERMILION else 14), ha="left"
            )
        ax.axhline(1.0, color=INK, linewidth=1, linestyle=":")
        ax.annotate(
            "100 % wrong",
            (errors.means[0], 1.0),
            xytext=(0, 4),
            textcoords="offset points",
            fontsize=10,
        )
        ax.set_xlabel("mean of the data (standard deviation 1)")
        ax.set_ylabel("relative error of the variance")
        ax.set_title("One pass over float32 loses the variance")
    words = (
        "In float32, with a mean of 1,000 standard deviations, the one-pass variance is off by "
        f"{'more' if at(errors.one_pass, 1e3) > 0.01 else 'less'} than 1 % and the two-pass "
        f"variance by {'more' if at(errors.two_pass, 1e3) > 1e-6 else 'less'} than one in a "
        "million. At 10,000 the one-pass result is negative for "
        f"{'many' if at(errors.negative, 1e4) > 0.1 else 'few'} of the units."
    )
    return FigureWithWords(figure, words)

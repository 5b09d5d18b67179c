"""The figures of chapter 2."""

from __future__ import annotations

import numpy as np

from bncourse.arrays import Floats
from bncourse.chapters.algorithm.runs import (
    DOTS,
    EPOCH,
    Paths,
    Quotients,
    VarianceErrors,
    Window,
)
from bncourse.chapters.gaussian import sigmoid
from bncourse.display import FigureWithWords
from bncourse.display.figure import true_minus
from bncourse.display.style import (
    BLUE,
    CARD,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    label_line,
    new_figure,
    style,
    title,
)

#: Blue and orange mean with and without batch norm; these are for what is neither.
PLUM, DEEP_GREEN = "#9C4A7C", "#007A59"

__all__ = [
    "computation_graph",
    "difference_quotients",
    "output_spread",
    "removed_pushes",
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
    ("mu", r"$\mu$", (0.85, 0.0)),
    ("c", r"$c = z - \mu$", (1.75, 1.0)),
    ("var", r"$\sigma^2$", (2.65, 0.0)),
    ("s", r"$s = (\sigma^2+\epsilon)^{-1/2}$", (4.15, 0.0)),
    ("z_norm", r"$z_{norm} = c\,s$", (4.15, 1.0)),
    ("z_tilde", r"$\tilde z = \gamma z_{norm} + \beta$", (6.6, 1.0)),
    ("gamma", r"$\gamma$", (6.25, 0.0)),
    ("beta", r"$\beta$", (6.95, 0.0)),
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
        figure, ax = new_figure(6.4, 2.6)
        boxes = {}
        for name, text, place in _NODES:
            # What is one number for the whole batch is green.
            edge = DEEP_GREEN if name in ("mu", "var", "s", "gamma", "beta") else INK
            box = {"boxstyle": "round,pad=0.4", "facecolor": CARD, "edgecolor": edge}
            boxes[name] = ax.annotate(
                text,
                place,
                ha="center",
                va="center",
                fontsize=13,
                bbox=box | {"linewidth": 1.6},
            )
        ax.set_xlim(-0.3, 7.75)
        ax.set_ylim(-0.35, 1.35)
        ax.axis("off")
        ax.set_title(
            f"z reaches z_norm by {paths} paths: {paths - 1} of them through μ or σ²", fontsize=14
        )
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


def removed_pushes(parts: dict[str, Floats]) -> FigureWithWords:
    """Draw on the raw ruler what each part of the gradient asks of the four dots.

    Parameters
    ----------
    parts : dict of str to array, shape (4,)
        Parts of dz by their names; the last one is their sum.

    Returns
    -------
    FigureWithWords
    """
    z = DOTS[:, 0]
    with style():
        figure, ax = new_figure(6.0, 3.6)
        for row, (name, part) in enumerate(parts.items()):
            y = -row
            last = row == len(parts) - 1
            colour = INK if last else GREY
            ax.plot([0.2, 9], [y, y], color="#e4e2dc", linewidth=1)
            ax.plot(z, np.full(4, y), "o", color=DEEP_GREEN, markersize=9)
            for place, push in zip(z, part, strict=True):
                if abs(push) > 1e-3:
                    ax.annotate(
                        "",
                        (place + 4 * push, y - 0.22),
                        (place, y - 0.22),
                        arrowprops={
                            "arrowstyle": "-|>",
                            "color": colour,
                            "linewidth": 2.4 if last else 1.8,
                            "shrinkA": 0,
                            "shrinkB": 0,
                        },
                    )
                ax.annotate(
                    f"{push + 0.0:.3f}".replace("-", "−"),
                    (place, y + 0.18),
                    ha="center",
                    va="bottom",
                    fontsize=12,
                    color=colour,
                    fontweight="bold" if last else "normal",
                )
            ax.annotate(
                name,
                (-0.55, y),
                ha="right",
                va="center",
                fontsize=12.5,
                color=colour,
                fontweight="bold" if last else "normal",
            )
        ax.set_xlim(-3.2, 9.2)
        ax.set_ylim(-len(parts) + 0.45, 0.75)
        ax.set_xticks(z)
        ax.set_yticks([])
        ax.grid(visible=False)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("z")
        ax.set_title("A shift and a stretch are taken out of the push")
    words = "; ".join(
        f"{name}: {', '.join(f'{push + 0.0:.3f}' for push in np.round(part, 3))}"
        for name, part in parts.items()
    )
    return FigureWithWords(figure, true_minus(f"Pushes on the dots at 1, 3, 5 and 7. {words}."))


def difference_quotients(quotients: Quotients) -> FigureWithWords:
    """Draw how far central differences are from a right and from a wrong formula.

    Parameters
    ----------
    quotients : Quotients
        From `bncourse.chapters.algorithm.runs.difference_quotients`.

    Returns
    -------
    FigureWithWords
    """
    h = quotients.steps
    with style():
        figure, ax = new_figure(6.0, 3.7)
        # Orders of magnitude: the third derivative here is about 1.
        ax.loglog(h, h**2, "--", color=GREY, linewidth=1.2)
        ax.loglog(h, 1e-16 / h, "--", color=GREY, linewidth=1.2)
        (wrong,) = ax.loglog(h, quotients.wrong, "o-", color=PLUM)
        (right,) = ax.loglog(h, quotients.right, "o-", color=DEEP_GREEN)
        label_line(ax, wrong, "without the path through σ²", at=3, offset=(0, -14), ha="left")
        label_line(ax, right, "whole formula", at=1, offset=(14, 8), ha="left")
        ax.annotate("$h^2$", (3e-7, 9e-14), xytext=(8, -6), textcoords="offset points")
        ax.annotate("$10^{-16}/h$", (1e-3, 1e-13), xytext=(6, 4), textcoords="offset points")
        ax.axhline(1e-7, color=INK, linewidth=1, linestyle=":")
        ax.annotate("tolerance", (2e-1, 8e-8), ha="right", va="top", fontsize=11)
        ax.set_ylim(1e-14, 30)
        ax.set_xlabel("step h of the nudge")
        ax.set_ylabel("relative difference")
        ax.set_title("A wrong formula stays wrong, whatever the step")
    far, best = quotients.right[-1], quotients.right[int(np.argmin(np.abs(np.log(h / 1e-5))))]
    low = quotients.wrong.min()
    words = (
        f"The whole formula differs from central differences by {far:.0e} of its largest entry "
        f"with a step of {h[-1]:g}, and by {'less' if best < 1e-8 else 'more'} than 1e-08 with "
        f"1e-05. Without the path through σ² the difference is at least {low:.2f} for every step."
    )
    return FigureWithWords(figure, words)


def stopped_gradient(paths: Paths, names: tuple[str, str]) -> FigureWithWords:
    """Draw losses and means of the first layer for two backward passes and each seed.

    Parameters
    ----------
    paths : Paths
        From `bncourse.chapters.algorithm.runs.train_with`.
    names : tuple of str
        Two of its arms, the whole backward pass first.

    Returns
    -------
    FigureWithWords
    """
    steps = paths.losses.shape[-1]
    arms = [paths.arms.index(name) for name in names]
    with style():
        figure, axes = new_figure(6.6, 3.7, 1, 2)
        for arm, colour in zip(arms, (BLUE, PLUM), strict=True):
            for smooth, means in zip(paths.smooth[arm], paths.means[arm], strict=True):
                axes[0].semilogy(np.arange(EPOCH, steps + 1), smooth, color=colour, linewidth=1.4)
                axes[1].plot(np.arange(1, steps + 1), means, color=colour, linewidth=1.4)
            for ax, values in ((axes[0], paths.smooth), (axes[1], paths.means)):
                middle = values.shape[-1] // 2
                ax.annotate(
                    paths.arms[arm],
                    (steps, values[arm, :, middle:].max()),
                    xytext=(0, 8),
                    textcoords="offset points",
                    ha="right",
                    va="bottom",
                    color=colour,
                    fontweight="bold",
                )
        axes[0].set_title(f"loss, mean of {EPOCH} steps", fontsize=11.5, fontweight="normal")
        axes[1].set_title("mean |μ| of layer 1", fontsize=11.5, fontweight="normal")
        for ax in axes:
            ax.set_xlabel("training step")
        axes[1].set_ylim(0, 1.2 * paths.means[arms].max())
        whole, stopped = paths.means[arms]
        runs_away = bool(stopped[:, -1].min() > 2 * whole.max())
        title(
            figure,
            "Stopped, μ runs away and the loss is larger"
            if runs_away
            else "Stopped, μ stays where it is",
        )
    rows = {row[0]: row for row in paths.rows()}
    words = " ".join(
        f"{name[0].upper()}{name[1:]}: loss {rows[name][2]} in the last {EPOCH} of {steps} steps, "
        f"lowest {rows[name][1]}; mean |μ| of layer 1 {rows[name][3]} at the end."
        for name in names
    )
    return FigureWithWords(figure, words, paths.card)


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
            (errors.one_pass, PLUM, "one pass: mean(z²) − mean(z)²", 9, (-12, 8)),
            (errors.two_pass, DEEP_GREEN, "two passes: mean((z − μ)²)", 6, (0, -14)),
        ):
            (line,) = ax.loglog(errors.means, values, "o-", color=colour)
            label_line(ax, line, text, at=at_point, offset=offset, ha="right")
        # u is half the distance from 1 to the next float32.
        u = 2.0**-24
        for values, text in (
            (u * errors.means**2, r"$u\,\mu^2$"),
            ((u * errors.means) ** 2, r"$(u\,\mu)^2$"),
        ):
            seen = values > 2e-8
            ax.loglog(errors.means[seen], values[seen], "--", color=GREY, linewidth=1.2)
            k = min(int(np.searchsorted(values, 3e-5)), len(values) - 1)
            ax.annotate(
                text,
                (errors.means[k], values[k]),
                xytext=(8, -6),
                textcoords="offset points",
                va="top",
                color="#555555",
            )
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
        ax.set_ylim(bottom=1e-9)
        ax.set_xlabel("mean of the data (standard deviation 1)")
        ax.set_ylabel("relative error of the variance")
        ax.set_title("One pass fails at means that two passes bear")
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

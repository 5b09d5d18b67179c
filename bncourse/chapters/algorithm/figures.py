"""The figures of chapter 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bncourse.arrays import Floats
from bncourse.chapters.algorithm.runs import (
    CURVES,
    DOTS,
    EPOCH,
    Paths,
    Quotients,
    VarianceErrors,
    Window,
    calculate,
)
from bncourse.display import FigureWithWords
from bncourse.display.figure import true_minus
from bncourse.display.narrow import relabelled, with_letters
from bncourse.display.style import (
    BLUE,
    CARD,
    GREEN,
    GREY,
    INK,
    PURPLE,
    join,
    label_line,
    new_figure,
    style,
    title,
)

#: Blue and orange mean with and without batch norm; these are for what is neither.
PLUM, DEEP_GREEN = "#9C4A7C", "#007A59"

ONE_PASS, TWO_PASSES = "one pass: mean(z²) − mean(z)²", "two passes: mean((z − μ)²)"

__all__ = [
    "activation_window",
    "computation_graph",
    "difference_quotients",
    "lower_ruler",
    "one_lower_ruler",
    "output_spread",
    "removed_pushes",
    "stopped_gradient",
    "variance_errors",
]


def lower_ruler(z: Floats, gamma: float, beta: float) -> FigureWithWords:
    """Draw in three frames how a batch makes its ruler: its zero, its ticks, other labels.

    Parameters
    ----------
    z : array, shape (m,)
        One unit's batch.
    gamma, beta : float
        For the last frame.

    Returns
    -------
    FigureWithWords
    """
    result = calculate(z, 1.0, 0.0, 0.0)
    mu, sd = result.mu, float(np.sqrt(result.var))
    ticks = np.arange(-2, 3)
    frames = (
        ("The mean becomes 0", ticks[2:3], ticks[2:3]),
        ("A tick for each standard deviation", ticks, ticks),
        (f"γ = {gamma:g}, β = {beta:g}: same points, other labels", ticks, gamma * ticks + beta),
    )
    numbers = MaxNLocator(10, integer=True).tick_values(z.min() - 1, z.max() + 1)
    with style():
        figure, axes = new_figure(6.4, 6.6, len(frames), 1)
        for k, (ax, (text, places, labels)) in enumerate(zip(axes, frames, strict=True)):
            _ruler(ax, 1.0, numbers, above=True)
            _ruler(ax, 0.0, mu + sd * places, labels)
            _dots(ax, z, np.full(len(z), 1.0))
            if k:
                out = (gamma if k == 2 else 1.0) * result.z_norm + (beta if k == 2 else 0.0)
                for value, new, height in zip(z, out, _heights(z / sd), strict=True):
                    ax.plot([value] * 2, [0.92, 0.06], color=GREY, linewidth=1)
                    ax.annotate(
                        true_minus(f"{new:.2f}"),
                        (value, height),
                        ha="center",
                        va="center",
                        fontweight="bold",
                        bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1.5},
                    )
                _dots(ax, z, np.zeros(len(z)))
            else:
                ax.plot([mu] * 2, [1.0, 0.0], color=GREY, linewidth=1, linestyle=":")
            _bare(ax, (mu - 2.6 * sd, mu + 2.6 * sd), (-0.55, 1.55))
            ax.set_title(f"{k + 1}  {text}")
    words = (
        f"The batch {_list(z)} has mean {mu:g} and standard deviation {sd:.2f}. Read on the ruler "
        f"whose zero is the mean and whose ticks are standard deviations it is "
        f"{_list(result.z_norm, '.2f')}; with γ = {gamma:g} and β = {beta:g} the same points read "
        f"{_list(gamma * result.z_norm + beta, '.2f')}."
    )
    return FigureWithWords(figure, true_minus(words))


def one_lower_ruler(first: Floats, second: Floats, gamma: float, beta: float) -> FigureWithWords:
    """Draw two batches and where one pair of γ and β puts both.

    Parameters
    ----------
    first, second : array, shape (m,)
        One unit's batches.
    gamma, beta : float
        The same for both.

    Returns
    -------
    FigureWithWords
    """
    out = [calculate(z, gamma, beta, 0.0).z_tilde for z in (first, second)]
    every = np.concatenate([first, second, *out])
    numbers = range(int(np.floor(every.min())) - 1, int(np.ceil(every.max())) + 2)
    left = numbers[0] - 0.3
    with style():
        figure, ax = new_figure(6.4, 4.2)
        for z, z_tilde, place, marker, size in (
            (second, out[1], 0.0, "s", 13),
            (first, out[0], 2.0, "o", 7),
        ):
            _ruler(ax, place, numbers, above=place > 1, begin=left)
            for a, b in zip(z, z_tilde, strict=True):
                ax.annotate(
                    "",
                    (b, 1.0 + 0.16 * (place - 1.0)),
                    (a, place),
                    arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 1},
                )
            for x, y in ((z, place), (z_tilde, 1.0)):
                fill = INK if marker == "o" else CARD
                ax.plot(
                    x,
                    np.full(len(x), y),
                    marker,
                    color=INK,
                    markersize=size,
                    markerfacecolor=fill,
                    markeredgewidth=1.6,
                )
        _ruler(ax, 1.0, numbers, labels=None, begin=left)
        for place, text in (
            (2.0, "one batch"),
            (1.0, "what comes\nout of both"),
            (0.0, "the next"),
        ):
            ax.annotate(
                text,
                (left - 0.3, place),
                ha="right",
                va="center",
                fontsize=10.5,
            )
        _bare(ax, (left - 3.6, numbers[-1] + 0.5), (-0.5, 2.5))
        means = [float(np.mean(z)) for z in (first, second)]
        apart = abs(means[1] - means[0])
        ax.set_title(f"Means {apart:g} apart go in; one mean comes out")
    words = (
        f"γ = {gamma:.3g} and β = {beta:g}, a training layer. The batch {_list(first)} with mean "
        f"{means[0]:g} comes out as {_list(out[0])}; the batch {_list(second)} with mean "
        f"{means[1]:g} comes out as {_list(out[1])}. Both have mean {np.mean(out[1]):g}."
    )
    return FigureWithWords(figure, true_minus(words))


def _heights(places: Floats) -> list[float]:
    """Return the heights of the labels at some places: on three lines where it is narrow."""
    close = len(places) > 1 and float(np.diff(np.sort(places)).min()) < 0.45
    return [(0.74, 0.5, 0.26)[k % 3] if close else 0.5 for k in range(len(places))]


def _ruler(
    ax: Any,
    y: float,
    places: Sequence[float] | Floats,
    labels: Any = (),
    above: bool = False,
    begin: float = -100.0,
) -> None:
    """Draw a ruler at a height: its ticks, and their labels below or above; None for no labels."""
    if labels is not None and len(labels) == 0:
        labels = places
    ax.plot([begin, 100.0], [y, y], color=INK, linewidth=1.2)
    ax.plot(places, np.full(len(places), y), "|", color=INK, markersize=12)
    for place, label in zip(places, labels if labels is not None else (), strict=False):
        ax.annotate(
            true_minus(f"{label:g}"),
            (place, y),
            xytext=(0, 12 if above else -12),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=10.5,
        )


def _dots(ax: Any, z: Floats, y: Floats) -> None:
    """Draw examples."""
    ax.plot(z, y, "o", color=INK, markersize=9)


def _bare(ax: Any, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Leave nothing of the axes but their limits."""
    ax.set_xlim(*x)
    ax.set_ylim(*y)
    ax.axis("off")


def _list(values: Floats, form: str = ".3g") -> str:
    return join([f"{value + 0.0:{form}}" for value in np.round(values, 6)])


def activation_window(window: Window) -> FigureWithWords:
    """Draw an activation, the part of it that normal inputs use, and the best straight line.

    Parameters
    ----------
    window : Window
        From `bncourse.chapters.algorithm.runs.window`.

    Returns
    -------
    FigureWithWords
    """
    mean, sd, low, high = window.mean, window.sd, window.low, window.high
    f = CURVES[window.name]
    z = np.linspace(-6, 6, 601)
    with style():
        figure, ax = new_figure(6.4, 3.9)
        bottom, top = float(f(z).min()), float(f(z).max())
        density = np.exp(-0.5 * ((z - mean) / sd) ** 2)
        height = 0.45 * (top - bottom)
        ax.fill_between(z, bottom, bottom + height * density, color=GREY, alpha=0.25, linewidth=0)
        line_z = mean + sd * np.array([-2.0, 2.0])
        (line,) = ax.plot(line_z, window.line(line_z), color=INK, linestyle="--", linewidth=1.8)
        (curve,) = ax.plot(z, f(z), color=GREEN)
        used = np.abs(z - mean) <= 1.645 * sd
        ax.plot(z[used], f(z[used]), color=GREEN, linewidth=5)
        label_line(ax, curve, window.name, at=540, offset=(0, -14), ha="center")
        label_line(ax, line, "best line", at=1, offset=(8, -16), ha="left")
        place = (mean, bottom + 0.06 * height)
        ax.annotate("density of z̃", place, color="#555555", ha="center")
        ax.set_xlim(-6, 6)
        ax.set_xlabel("z̃")
        ax.set_ylabel("activation")
        share = 100 * window.r2
        ax.set_title(f"A straight line explains {share:.0f} % of the {window.name}'s variance")
    words = (
        f"For inputs with mean {mean:g} and standard deviation {sd:g} the middle 90 % of the "
        f"{window.name}'s outputs lie between {low:.2f} and {high:.2f}, and the best straight "
        f"line explains {share:.1f} % of their variance."
    )
    return FigureWithWords(figure, true_minus(words))


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
    roots: list[str] = []
    with style():
        figure, ax = new_figure(6.4, 3.8)
        for k, (epsilon, colour) in enumerate(zip(epsilons, (GREEN, PURPLE), strict=True)):
            ax.loglog(sd, sd / np.sqrt(sd**2 + epsilon), color=colour)
            root = float(np.sqrt(epsilon))
            roots.append(f"√ε = {root:.2g}")
            ax.axvline(root, color=colour, linewidth=1, linestyle=":")
            ax.annotate(
                roots[-1],
                (root, 1.3e-3),
                xytext=(6 if k else -6, 0),
                textcoords="offset points",
                color=colour,
                fontweight="bold",
                ha="left" if k else "right",
            )
        ax.set_xlabel("standard deviation of z")
        ax.set_ylabel(r"standard deviation of $z_\mathrm{norm}$")
        ax.set_title("Below √ε the output falls short of standard deviation 1")
    halves = " and ".join(f"{np.sqrt(epsilon):.2g} for ε = {epsilon:g}" for epsilon in epsilons)
    words = (
        f"The standard deviation of z_norm is close to 1 for large inputs and falls in proportion "
        f"below √ε, which is {halves}; there it is {1 / np.sqrt(2):.2f}."
    )
    labels = {root: {"text": root.replace("= ", "=\n")} for root in roots}
    return FigureWithWords(figure, words, narrow=relabelled(labels))


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
#: Where places go on a narrow screen, so that the box of s has room at its sides.
_SPREAD = (0.0, 2.65, 4.15, 6.6, 7.0), (0.0, 2.6, 4.4, 6.65, 7.0)
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

    def narrow(figure: Figure) -> None:
        with_letters(10.5)(figure)
        for label in figure.axes[0].texts:
            for name in ("xy", "xyann"):
                x, y = getattr(label, name)
                setattr(label, name, (float(np.interp(x, *_SPREAD)), y))

    return FigureWithWords(figure, words, narrow=narrow)


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
    words = f"Pushes on the dots at 1, 3, 5 and 7. {words}."
    return FigureWithWords(figure, true_minus(words), narrow=with_letters(10.5))


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
    return FigureWithWords(
        figure,
        words,
        narrow=relabelled(
            {
                "without the path through σ²": {"position": (-24, -14)},
                "tolerance": {"fontsize": 9.5},
            }
        ),
    )


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
            (errors.one_pass, PLUM, ONE_PASS, 9, (-12, 8)),
            (errors.two_pass, DEEP_GREEN, TWO_PASSES, 6, (0, -14)),
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
    return FigureWithWords(
        figure,
        words,
        narrow=relabelled(
            {
                ONE_PASS: {"text": ONE_PASS.replace(": ", ":\n")},
                TWO_PASSES: {"position": (54, -14)},
            }
        ),
    )


def _power_above(value: float) -> str:
    """Return the next power of ten above a number: 3.1e-8 gives ``1e-07``."""
    return f"{10.0 ** np.ceil(np.log10(value)):.0e}"

"""The figures of chapter 5."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bncourse.arrays import Floats
from bncourse.chapters.intuition.runs import (
    Profiles,
    Stability,
    growth_per_layer,
    predicted,
    predicted_profile,
)
from bncourse.display import FigureWithWords
from bncourse.display.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    WITH,
    WITHOUT,
    join,
    new_figure,
    style,
    title,
)

__all__ = [
    "depth_growth",
    "depth_profile",
    "drift_and_speed",
    "shortcut_growth",
    "smoothness_ratios",
]


def drift_and_speed(results: dict[str, list[Stability]]) -> FigureWithWords:
    """Draw the drift of activations against the steps to 90 %.

    Parameters
    ----------
    results : dict of str to list of Stability
        For ``"none"``, ``"batch norm"`` and ``"noisy"``, one entry for each seed.

    Returns
    -------
    FigureWithWords
    """
    names = {
        "none": ("no batch norm", WITHOUT),
        "batch norm": ("batch norm", WITH),
        "noisy": ("noisy batch norm", GREEN),
    }
    with style():
        figure, ax = new_figure(6.4, 3.8)
        for key, (text, colour) in names.items():
            drift = [run.drift for run in results[key]]
            steps = [run.steps for run in results[key]]
            ax.plot(drift, steps, "o", color=colour, markersize=9, alpha=0.75)
            ax.annotate(
                text,
                (float(np.median(drift)), float(np.max(steps))),
                xytext=(0, 14),
                textcoords="offset points",
                color=colour,
                fontweight="bold",
                ha="left" if key == "batch norm" else "center",
            )
        ax.set_xlim(-0.02, 1.25 * max(run.drift for run in results["noisy"]))
        ax.set_ylim(0, 1.25 * max(run.steps for run in results["none"]))
        ax.set_xlabel("drift of a unit's mean in 10 steps, in standard deviations")
        ax.set_ylabel("steps to 90 %")
        ax.set_title("The least stable network is among the fastest")
    words = "Median drift in 10 steps and steps to 90 %: " + join(
        [
            f"{np.median([r.drift for r in results[key]]):.2f} and "
            f"{np.median([r.steps for r in results[key]]):.0f} with {text}"
            for key, (text, _) in names.items()
        ]
    )
    return FigureWithWords(figure, words + ".")


#: Ratios within this factor of 1 are called alike.
ALIKE = 1.5


def smoothness_ratios(ratios: dict[str, list[float]]) -> FigureWithWords:
    """Draw how many times smoother the landscape is with batch norm, in several settings.

    Parameters
    ----------
    ratios : dict of str to list of float
        β-smoothness without over with batch norm, by setting, one number for each seed.

    Returns
    -------
    FigureWithWords
    """
    medians = {name: float(np.median(values)) for name, values in ratios.items()}
    smoother = [name for name, value in medians.items() if value > ALIKE]
    rougher = [name for name, value in medians.items() if value < 1 / ALIKE]
    numbers = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
    with style():
        figure, ax = new_figure(6.4, 3.7)
        places = np.arange(len(medians))[::-1]
        for place, (name, value) in zip(places, medians.items(), strict=True):
            colour = WITH if name in smoother else WITHOUT if name in rougher else GREY
            seeds = np.log2(np.ravel(ratios[name]))
            ax.barh(place, np.log2(value), color=colour, height=0.6)
            ax.plot(seeds, [place] * len(seeds), "o", color=INK, markersize=3.5)
            ax.annotate(
                f"{value:.1f}" if value >= 0.95 else f"{value:.2f}",
                (seeds.max() if value >= 1 else seeds.min(), place),
                xytext=(7 if value >= 1 else -7, 0),
                textcoords="offset points",
                va="center",
                fontweight="bold",
                ha="left" if value >= 1 else "right",
            )
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_yticks(places, list(medians))
        ax.set_xticks([-4, -2, 0, 2], ["1/16", "1/4", "1", "4"])
        ax.set_xlim(-5.3, 3.2)
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("β-smoothness without over with, median and seeds")
        title(
            figure,
            f"Smoother in {numbers.get(len(smoother), len(smoother))} settings, "
            f"rougher in {numbers.get(len(rougher), len(rougher))}",
        )
    low, high = (f(medians, key=lambda name: medians[name]) for f in (min, max))
    words = (
        f"Batch norm's landscape is smoother in {len(smoother)} of {len(medians)} settings and "
        f"rougher in {len(rougher)}; in the others the two are alike, to a factor of {ALIKE}. "
        f"The ratio runs from {medians[low]:.2f} ({low}) to {medians[high]:.1f} ({high})."
    )
    return FigureWithWords(figure, words)


def depth_profile(norms: dict[str, Floats]) -> FigureWithWords:
    """Draw the gradient norm of each layer of deep networks.

    Parameters
    ----------
    norms : dict of str to array of shape (depth,)
        By the network's name, from the input to the output.

    Returns
    -------
    FigureWithWords
    """
    colours = dict(zip(norms, (BLUE, GREY, GREEN, VERMILION, ORANGE), strict=False))
    profiles = {name: values / values[-1] for name, values in norms.items()}
    # One that vanishes would press all others flat.
    near = {name: values for name, values in profiles.items() if values.min() > 1e-3}
    depth = len(next(iter(norms.values())))
    with style():
        figure, axes = new_figure(6.4, 4.0, 1, 2)
        for ax, shown, text in (
            (axes[0], profiles, "all of them"),
            (axes[1], near, "those that don't vanish"),
        ):
            for name, values in shown.items():
                ax.semilogy(np.arange(1, depth + 1), values, color=colours[name], label=name)
            ax.set_title(text, fontsize=11.5)
            ax.set_xlabel("layer, from the input")
        axes[0].set_ylabel("gradient norm over that of the last layer")
        axes[0].legend(loc="lower right", fontsize=9.5, handlelength=1.2)
        title(figure, "Batch norm stops vanishing, and explodes with ReLU")
    words = f"Growth of the gradient per layer, over {depth} layers towards the input: " + join(
        [f"{growth_per_layer(values):.2f} with {name}" for name, values in norms.items()]
    )
    largest = max(profiles, key=lambda name: float(profiles[name][0]))
    words += (
        f". The first layer's gradient is {float(f'{profiles[largest][0]:.2g}'):,.0f} times the "
        f"last one's with {largest}"
    )
    return FigureWithWords(figure, words + ".")


# --- 5.3, Look through fifty layers


def _draw_profiles(ax: Axes, norms: Floats, colour: str, **options: Any) -> Floats:
    """Draw each seed's gradients over the last layer's, and return their medians."""
    over_last = norms / norms[:, -1:]
    layers = np.arange(1, norms.shape[1] + 1)
    for row in over_last:
        ax.semilogy(layers, row, color=colour, linewidth=0.8, alpha=0.5, **options)
    median: Floats = np.median(over_last, axis=0)
    ax.semilogy(layers, median, color=colour, linewidth=2.2, **options)
    return median


def _draw_prediction(ax: Axes, values: Floats, text: str, at: float, offset: float) -> None:
    layers = np.arange(1, len(values) + 1)
    ax.semilogy(layers, values, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    place = int(at * (len(values) - 1))
    ax.annotate(
        text,
        (float(layers[place]), float(values[place])),
        xytext=(4, offset),
        textcoords="offset points",
        fontsize=10,
        color=INK,
        va="center",
    )


def depth_growth(profiles: Profiles) -> FigureWithWords:
    """Draw the gradients through fifty layers, sigmoid and ReLU, with what is predicted.

    Parameters
    ----------
    profiles : Profiles
        With ``"sigmoid"`` and ``"ReLU"``, each also with ``", batch norm"`` behind its name.

    Returns
    -------
    FigureWithWords
    """
    told = []
    with style():
        figure, axes = new_figure(6.8, 3.9, 1, 2)
        for ax, name in zip(axes, ("sigmoid", "ReLU"), strict=True):
            for end, colour in (("", WITHOUT), (", batch norm", WITH)):
                _draw_profiles(ax, profiles.norms[name + end], colour)
                growth = np.median(profiles.growth(name + end))
                told.append(f"{growth:.2f} with {name}{end or ' alone'}")
            depth = profiles.norms[name].shape[1]
            lines = predicted_profile(name, "plain", depth), predicted(name)
            assert lines[0] is not None
            base = "¼" if name == "sigmoid" else "1"
            _draw_prediction(ax, lines[0], f"{base} a layer", 0.5, -13)
            powers = lines[1] ** np.arange(depth - 1, -1, -1)
            _draw_prediction(ax, powers, f"{lines[1]:.2f} a layer", 0.3, 13)
            ax.set_title(name, fontsize=11.5)
            ax.set_xlabel("layer, from the input")
            places = ((0.97, 0.93), (0.97, 0.84)) if name == "ReLU" else ((0.62, 0.8), (0.62, 0.2))
            for (x, y), text, colour in zip(
                places, ("batch norm", "none"), (WITH, WITHOUT), strict=True
            ):
                ax.annotate(
                    text, (x, y), xycoords="axes fraction", ha="right", color=colour, weight="bold"
                )
        axes[0].set_ylim(1e-33, 1e4)
        axes[0].set_ylabel("‖∂J/∂w‖ over that of the last layer")
        title(figure, "Batch norm saves the sigmoid's gradients, and blows up ReLU's")
    first = profiles.first_to_last("ReLU, batch norm")
    words = (
        f"Growth of the gradient per layer towards the input, median of {len(first)} seeds: "
        f"{join(told)}. The first layer's gradient is {_two_digits(min(first))} to "
        f"{_two_digits(max(first))} times the last one's with ReLU and batch norm."
    )
    return FigureWithWords(figure, words, profiles.card)


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):,g}"


def shortcut_growth(profiles: Profiles) -> FigureWithWords:
    """Draw the gradients of ReLU networks with batch norm, without and with shortcuts.

    Parameters
    ----------
    profiles : Profiles
        With ``"batch norm"`` and ``"shortcuts, batch norm"``.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, ax = new_figure(6.4, 3.8)
        _draw_profiles(ax, profiles.norms["batch norm"], WITH)
        _draw_profiles(ax, profiles.norms["shortcuts, batch norm"], WITH, linestyle=":")
        depth = profiles.norms["batch norm"].shape[1]
        for network, text, at, offset in (
            ("batch norm", "1.21 a layer", 0.3, 12.0),
            ("batch norm, shortcuts", "a power of the depth", 0.1, 12.0),
        ):
            values = predicted_profile("ReLU", network, depth)
            assert values is not None
            _draw_prediction(ax, values, text, at, offset)
        for text, y in (("batch norm", 0.9), ("batch norm and shortcuts (dotted)", 0.81)):
            ax.annotate(
                text, (0.98, y), xycoords="axes fraction", ha="right", color=WITH, weight="bold"
            )
        ax.set_xlabel("layer, from the input")
        ax.set_ylabel("‖∂J/∂w‖ over that of the last layer")
        ax.set_title("With shortcuts the growth is a power of the depth")
    ends = {name: profiles.first_to_last(name) for name in ("batch norm", "shortcuts, batch norm")}
    words = "The first layer's gradient over the last one's: " + join(
        [
            f"{_two_digits(min(values))} to {_two_digits(max(values))} with {name}"
            for name, values in ends.items()
        ]
    )
    return FigureWithWords(figure, words + ".", profiles.card)

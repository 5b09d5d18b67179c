"""The figures of chapter 5."""

from __future__ import annotations

import numpy as np

from bncourse.arrays import Floats
from bncourse.chapters.intuition import landscape
from bncourse.chapters.intuition.runs import Stability, growth_per_layer
from bncourse.chapters.intuition.shaking import STEPS, Arm, Shaking
from bncourse.display import FigureWithWords
from bncourse.display.style import (
    BLUE,
    CARD,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    VERMILION,
    WITH,
    WITHOUT,
    join,
    new_figure,
    style,
    title,
)

__all__ = [
    "depth_profile",
    "drift_and_speed",
    "shaken_arms",
    "smooth_and_fast",
    "smoothness_ratios",
    "steps_and_losses",
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


# Page 5.1 -------------------------------------------------------------------------------------

#: Where a run that never arrives is drawn.
NEVER = 1.25 * STEPS


def arm_colour(arm: Arm) -> str:
    """Return the colour of an arm; noise makes blue green, and orange purple."""
    batch_norm, kind, _ = arm
    if kind == "none":
        return WITH if batch_norm else WITHOUT
    return GREEN if batch_norm else PURPLE


def shaken_arms(results: Shaking, arms: dict[str, Arm], finding: str) -> FigureWithWords:
    """Draw the steps to 90 % of several arms at the three rates, on raw pixels.

    Parameters
    ----------
    results : Shaking
    arms : dict of str to Arm
        By what stands beside the row.
    finding : str
        The title.

    Returns
    -------
    FigureWithWords
    """
    rates = sorted({rate for _, rate, _ in results.steps})
    with style():
        figure, axes = new_figure(6.8, 0.42 * len(arms) + 1.5, 1, len(rates), sharey=True)
        for ax, rate in zip(axes, rates, strict=True):
            for row, arm in enumerate(arms.values()):
                steps = np.array(results.steps[arm, rate, False])
                shown = np.where(np.isfinite(steps), steps, NEVER)
                colour = arm_colour(arm)
                ax.plot(shown, [-row] * len(shown), "o", color=colour, markersize=6, alpha=0.6)
                ax.plot(np.median(shown), -row, "|", color=colour, markersize=17, mew=2.6)
            ax.axvline(STEPS, color=GREY, linewidth=1, linestyle=":")
            ax.set_xscale("log")
            ax.set_xlim(3, 1.5 * NEVER)
            ax.set_xticks([5, 20, 60, NEVER], ["5", "20", "60", "never"])
            ax.minorticks_off()
            ax.set_yticks([-row for row in range(len(arms))], list(arms))
            ax.set_title(f"rate {rate:g}", fontsize=11.5)
            ax.set_xlabel("steps to 90 %")
        title(figure, finding)
    words = "Median steps to 90 % at rates " + join([f"{rate:g}" for rate in rates]) + ": "
    words += "; ".join(
        f"{name} {join([_steps(results.steps[arm, rate, False]) for rate in rates])}"
        for name, arm in arms.items()
    )
    return FigureWithWords(figure, words + ".", results.card)


def _steps(steps: list[float]) -> str:
    middle = float(np.median(steps))
    return f"{middle:.0f}" if np.isfinite(middle) else "never"


# Page 5.2 -------------------------------------------------------------------------------------

#: A loss above which a network is said to be on its plateau: near that of guessing, ln 10.
PLATEAU = 2.2


def steps_and_losses(
    results: landscape.Smoothness, done: int = 50, level: float = 1.0
) -> FigureWithWords:
    """Draw β_eff without and with batch norm at an equal step, and at an equal loss.

    Parameters
    ----------
    results : landscape.Smoothness
    done : int
        Steps before the first comparison.
    level : float
        Loss of the second.

    Returns
    -------
    FigureWithWords
    """
    panels = {
        f"after {done} steps": f"after {done}",
        f"at a loss of {level:g}": f"below {level:g}",
    }
    names = [setting for setting, arm, inputs in results.rows if arm == "both" and not inputs]
    said, flat = [], set()
    with style():
        figure, axes = new_figure(6.8, 4.1, 1, 2, sharey=True)
        for ax, (heading, when) in zip(axes, panels.items(), strict=True):
            ratios = []
            for k, name in enumerate(names):
                for side, arm, colour in ((0.2, "none", WITHOUT), (-0.2, "both", WITH)):
                    values = results.beta(when, name, arm)
                    loss = np.median(results.loss(done, name, arm))
                    stuck = when.startswith("after") and loss > PLATEAU
                    if stuck:
                        flat.add(name)
                    ax.barh(
                        side - k,
                        np.median(values),
                        0.36,
                        color=CARD if stuck else colour,
                        edgecolor=colour,
                        hatch="////" if stuck else None,
                        label={"none": "without", "both": "with batch norm"}[arm]
                        if k == 0
                        else None,
                    )
                    ax.plot(values, [side - k] * len(values), "o", color=INK, markersize=3)
                ratios.append(f"{np.median(results.ratio(when, name, False)):.2g} for {name}")
            ax.set_xscale("log")
            ax.set_xlim(0.1, 40)
            ax.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
            ax.set_yticks([-k for k in range(len(names))], [_two_lines(name) for name in names])
            ax.grid(visible=False, axis="y")
            ax.set_title(heading, fontsize=11.5)
            ax.set_xlabel("β_eff, five seeds")
            said.append(f"{heading} {join(ratios)}")
        axes[0].legend(loc="upper center", bbox_to_anchor=(0.9, -0.18), ncols=2)
        title(figure, "A plateau makes its network look smooth (hatched)")
    words = f"β_eff without batch norm over β_eff with it, in the median: {'; '.join(said)}. "
    words += (
        f"On its plateau after {done} steps, without batch norm: {join(sorted(flat) or ['none'])}."
    )
    return FigureWithWords(figure, words, results.card)


def _two_lines(name: str) -> str:
    return name.replace(", ", ",\n")


def smooth_and_fast(results: landscape.Apart) -> FigureWithWords:
    """Draw β_eff at a loss of 1 against the steps to 90 %, for the halves of batch norm.

    Parameters
    ----------
    results : landscape.Apart

    Returns
    -------
    FigureWithWords
    """
    colours = {"none": WITHOUT, "subtract": GREEN, "divide": PURPLE, "both": WITH}
    labels = {
        "none": "neither",
        "subtract": "subtract",
        "divide": "divide",
        "both": "both",
    }
    said = []
    with style():
        figure, axes = new_figure(6.8, 3.7, 1, 2, sharey=True)
        for ax, setting in zip(axes, ("ReLU", "tanh"), strict=True):
            points = []
            for arm, colour in colours.items():
                beta, steps = results.beta[setting, arm], results.steps[setting, arm]
                ax.plot(beta, steps, "o", color=colour, markersize=6, alpha=0.55)
                middle = float(np.median(beta)), float(np.median(steps))
                below = arm == "divide"
                ax.annotate(
                    labels[arm],
                    (middle[0], min(steps) if below else max(steps)),
                    xytext=(0, -9 if below else 9),
                    textcoords="offset points",
                    color=colour,
                    fontweight="bold",
                    ha="center",
                    va="top" if below else "baseline",
                )
                points.append(f"{labels[arm]} {middle[0]:.2g} and {middle[1]:.0f}")
            ax.set_xscale("log")
            ax.set_xlim(0.3, 40)
            ax.set_xticks([0.5, 2, 10], ["0.5", "2", "10"])
            ax.minorticks_off()
            ax.set_ylim(0, 110)
            ax.set_xlabel("β_eff at a loss of 1")
            ax.set_title(setting, fontsize=11.5)
            said.append(f"{setting}: {join(points)}")
        axes[0].set_ylabel("steps to 90 % at rate 0.1")
        title(figure, "The smoothest network is the slowest, or nearly")
    words = f"Median β_eff at a loss of 1, and median steps to 90 %. {'. '.join(said)}."
    return FigureWithWords(figure, words, results.card)

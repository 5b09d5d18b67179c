"""The figures of chapter 5."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bncourse.arrays import Floats
from bncourse.chapters.intuition import landscape
from bncourse.chapters.intuition.runs import (
    AT_STEP,
    RAW,
    STANDARDISED,
    Depth,
    Descents,
    GradientShifts,
    Profiles,
    TanhRates,
    predicted,
    predicted_profile,
)
from bncourse.chapters.intuition.shaking import STEPS, Arm, Shaking
from bncourse.display import FigureWithWords
from bncourse.display.figure import true_minus
from bncourse.display.narrow import relabelled
from bncourse.display.style import (
    CARD,
    GREEN,
    GREY,
    INK,
    PURPLE,
    WITH,
    WITHOUT,
    join,
    new_figure,
    style,
    title,
)

__all__ = [
    "depth_growth",
    "fifty_layers",
    "shaken_arms",
    "shaken_dots",
    "shift_smoothness_steps",
    "shortcut_growth",
    "smooth_and_fast",
    "smoothness_at_step_and_loss",
    "steps_and_losses",
]


# ---------------------------------------------------------------- book/05-intuition.ipynb


#: What the figure of tanh shows of the gradient shift, and of the smoothness.
SHIFTS_SHOWN = {
    f"layer {layer}, {window}": f"layer {layer}, {short}"
    for layer in (2, 3)
    for window, short in (
        ("steps 1 to 10", "steps 1–10"),
        ("1.5 to 1 nat", "1.5–1 nat"),
        ("1 to 0.5 nat", "1–0.5 nat"),
    )
}
BETAS_SHOWN = {
    f"loss {loss}{eta}": f"{loss:g} nat, η {number}"
    for eta, number in (("", "0.1"), (", η 1", "1"))
    for loss in (1.5, 1.0, 0.5)
}


def shift_smoothness_steps(
    descents: Descents, shifted: GradientShifts, rates: TanhRates
) -> FigureWithWords:
    """Draw gradient shift, smoothness and steps of the tanh network, raw and standardised.

    Parameters
    ----------
    descents : Descents
        From `bncourse.chapters.intuition.runs.descents`.
    shifted : GradientShifts
        From `bncourse.chapters.intuition.runs.gradient_shifts`.
    rates : TanhRates
        From `bncourse.chapters.intuition.runs.tanh_rates`.

    Returns
    -------
    FigureWithWords
    """
    rows = {"tanh, standardised": STANDARDISED, "tanh": RAW}
    short = {STANDARDISED: STANDARDISED, RAW: "raw pixels"}
    said = []
    with style():
        figure, axes = new_figure(6.4, 7.0, 3, 2, height_ratios=[6, 6, 2.6])
        for k, (network, inputs) in enumerate(rows.items()):
            sides = (False, True)
            moves = [shifted.values[network, 0.1, bn] for bn in sides]
            walks = [descents.values[network, bn] for bn in sides]
            counts = [
                {
                    "rate 0.1": rates.steps[inputs, bn, 0.1],
                    "best rates": rates.steps[inputs, bn, rates.best(inputs, bn)],
                }
                for bn in sides
            ]
            panels: tuple[tuple[str, dict[str, str], Any, str], ...] = (
                ("gradient shift", SHIFTS_SHOWN, moves, ".2f"),
                ("β_eff", BETAS_SHOWN, walks, ".1f"),
                ("steps to 90 %", {name: name for name in counts[0]}, counts, ".0f"),
            )
            told = []
            for ax, (head, shown, pair, form) in zip(axes[:, k], panels, strict=True):
                parts = []
                highest = max(max(values[key]) for values in pair for key in shown)
                for row, (key, name) in enumerate(shown.items()):
                    middles = []
                    for side, values, colour in zip(
                        (0.2, -0.2), pair, (WITHOUT, WITH), strict=True
                    ):
                        middle = float(np.median(values[key]))
                        spread = [[middle - min(values[key])], [max(values[key]) - middle]]
                        ax.barh(
                            side - row,
                            middle,
                            0.38,
                            color=colour,
                            xerr=spread,
                            ecolor=INK,
                            error_kw={"elinewidth": 1},
                        )
                        ax.text(
                            max(values[key]) + 0.06 * highest,
                            side - row,
                            f"{middle:{form}}",
                            va="center",
                            color=colour,
                            fontsize=10,
                            fontweight="bold",
                        )
                        middles.append(f"{middle:{form}}")
                    parts.append(f"{name}: {middles[0]} and {middles[1]}")
                ax.set_xlim(0, 1.45 * highest)
                ax.set_xticks([])
                names = list(shown.values()) if k == 0 else [""] * len(shown)
                ax.set_yticks(-np.arange(len(shown)), names)
                ax.grid(visible=False)
                ax.tick_params(axis="y", length=0)
                shown_head = head.replace("β_eff", r"β$_\mathbf{eff}$")
                ax.set_title(f"{shown_head}, {short[inputs]}", fontsize=10.5, pad=5)
                told.append(f"{head}, {', '.join(parts)}")
            said.append(f"{inputs}: {'; '.join(told)}")
        arms = {"without batch norm": WITHOUT, "with batch norm": WITH}
        figure.legend(
            handles=[Patch(color=colour, label=arm) for arm, colour in arms.items()],
            loc="outside lower center",
            ncols=2,
        )
        title(figure, "tanh, rate 0.1: fewer steps with less shift, and with more")
    words = (
        f"The tanh network without and with batch norm, medians. {'. '.join(said)}. Best rates: "
        + join(
            [
                f"{rates.best(inputs, bn):g} {'with' if bn else 'without'} on {inputs}"
                for inputs in rows.values()
                for bn in (False, True)
            ]
        )
    )

    return FigureWithWords(figure, words + ".", rates.card)


#: A loss above this, in nats, is called a plateau: ten classes guessed alike have ln 10 = 2.30.
PLATEAU = 2.2


def smoothness_at_step_and_loss(descents: Descents) -> FigureWithWords:
    """Draw β_eff without and with batch norm, after equally many steps and at equal loss.

    Parameters
    ----------
    descents : Descents
        From `bncourse.chapters.intuition.runs.descents`.

    Returns
    -------
    FigureWithWords
    """
    networks = list(dict.fromkeys(network for network, _ in descents.values))
    panels = {f"step {AT_STEP}": f"after {AT_STEP} steps", "loss 1.0": "at a loss of 1 nat"}
    said: dict[str, list[str]] = {head: [] for head in panels.values()}
    hatched = []
    with style():
        figure, axes = new_figure(6.8, 4.3, 1, 2, sharey=True)
        for ax, (key, head) in zip(axes, panels.items(), strict=True):
            for row, network in enumerate(networks):
                middles = []
                for side, bn, colour in ((0.2, False, WITHOUT), (-0.2, True, WITH)):
                    values = np.array(descents.values[network, bn][key])
                    middle = float(np.median(values))
                    level = descents.median(network, bn, f"loss at step {AT_STEP}")
                    flat = key == f"step {AT_STEP}" and level > PLATEAU
                    if flat:
                        hatched.append(network)
                    ax.barh(
                        side - row,
                        middle,
                        0.36,
                        color=CARD if flat else colour,
                        edgecolor=colour,
                        hatch="///" if flat else None,
                    )
                    ax.plot(values, [side - row] * len(values), "o", color=INK, markersize=2.5)
                    ax.text(
                        values.max() + 0.9,
                        side - row,
                        f"{middle:.2g}",
                        va="center",
                        color=colour,
                        fontsize=10,
                        fontweight="bold",
                    )
                    middles.append(f"{middle:.2g}")
                said[head].append(f"{network} {middles[0]} and {middles[1]}")
            ax.set_title(head, fontsize=11.5)
            ax.set_xlim(0, 24)
            ax.grid(visible=False, axis="y")
            ax.set_xlabel(r"β$_\mathrm{eff}$")
        axes[0].set_yticks(
            -np.arange(len(networks)), [name.replace(", ", ",\n") for name in networks]
        )
        axes[0].text(
            0.97,
            0.03,
            "hatched: on the plateau\ndots: the five seeds",
            transform=axes[0].transAxes,
            ha="right",
        )
        axes[1].text(0.97, 0.11, "without", color=WITHOUT, transform=axes[1].transAxes, ha="right")
        axes[1].text(
            0.97, 0.03, "with batch norm", color=WITH, transform=axes[1].transAxes, ha="right"
        )
        title(figure, "The smoothest stand on a plateau; at 1 nat it depends")
    words = " ".join(
        f"β_eff without and with batch norm {head}, medians: {join(parts)}."
        for head, parts in said.items()
    )
    words += f" On the plateau after {AT_STEP} steps: {join(hatched) if hatched else 'none'}."
    return FigureWithWords(figure, words, descents.card)


def fifty_layers(depth: Depth) -> FigureWithWords:
    """Draw the gradient of each of 50 layers, with the growth that theory predicts.

    Parameters
    ----------
    depth : Depth
        From `bncourse.chapters.intuition.runs.depth`.

    Returns
    -------
    FigureWithWords
    """
    drawn = {
        "sigmoid": (WITHOUT, ":"),
        "ReLU": (WITHOUT, "-"),
        "sigmoid, batch norm": (WITH, ":"),
        "ReLU, batch norm": (WITH, "-"),
        "ReLU, shortcuts": (WITHOUT, "-."),
        "ReLU, batch norm, shortcuts": (WITH, "-."),
    }
    layers = np.arange(1, 51)
    with style():
        figure, ax = new_figure(6.6, 4.2)
        for name, (colour, line) in drawn.items():
            profile = np.median(depth.norms[name] / depth.norms[name][:, -1:], axis=0)
            ax.semilogy(layers, profile, color=colour, linestyle=line, label=name)
        predicted = depth.predicted ** (50.0 - layers)
        ax.semilogy(
            layers,
            predicted,
            color=INK,
            linestyle="--",
            linewidth=1.3,
            label=f"predicted, × {depth.predicted:.2f} per layer",
        )
        ax.set_ylim(1e-6, 1e5)
        ax.set_xlabel("layer, from the input (left) to the output")
        ax.set_ylabel("‖∂J/∂w‖ over that of the last layer")
        falls = "falls to\n" + magnitude(depth.first_to_last("sigmoid"))
        ax.text(34, 2e-6, falls, fontsize=9.5)
        ax.legend(loc="lower left", fontsize=9.5, handlelength=2.6)
        title(figure, "Batch norm saves the sigmoid’s gradients and blows up ReLU’s")
    words = (
        "Factor per layer towards the input, over 50 layers at the start: "
        + join([f"{depth.growth(name):.2f} with {name}" for name in drawn])
        + f"; predicted for ReLU with batch norm {depth.predicted:.2f}, so "
        f"{magnitude(depth.predicted**49)} in 49 layers. The first layer's gradient over the "
        "last one's: "
        + join([f"{magnitude(depth.first_to_last(name))} with {name}" for name in depth.norms])
    )
    labels = {falls: {"position": (43, 2e-6)}}
    return FigureWithWords(figure, words + ".", depth.card, relabelled(labels))


def magnitude(value: float) -> str:
    """Return a positive number to two significant digits, as one writes it."""
    if 0.01 <= value < 1e6:
        return f"{float(f'{value:.2g}'):,g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} · 10{raised}"


def shaken_dots(level: float = 1.0, seed: int = 0) -> FigureWithWords:
    """Draw what a ReLU receives of the dots 1, 3, 5, 7 in three steps, when their ruler is shaken.

    Parameters
    ----------
    level : float
        Shifts are uniform in ±level.
    seed : int
        Of the three shifts.

    Returns
    -------
    FigureWithWords
    """
    dots = np.array([1.0, 3.0, 5.0, 7.0])
    still = (dots - dots.mean()) / dots.std()
    shifts = np.random.default_rng(seed).uniform(-level, level, 3)
    names = [
        "batch norm",
        *(f"step {k}: {true_minus(f'{s:+.2f}')}" for k, s in enumerate(shifts, 1)),
    ]
    rows = [still, *(still + shift for shift in shifts)]
    with style():
        figure, ax = new_figure(6.4, 2.9)
        ax.axvline(0.0, color=INK, linewidth=1, linestyle="--")
        ax.text(0.05, 0.42, "the ReLU's threshold", color=INK, fontsize=10)
        for k, row in enumerate(rows):
            ax.axhline(-k, color=WITH, linewidth=1.4)
            if k:
                for before, now in zip(rows[k - 1], row, strict=True):
                    ax.plot([before, now], [1 - k, -k], color=GREY, linewidth=1, linestyle=":")
            for example, value in enumerate(row):
                face = CARD if example < 2 else INK
                ax.plot(
                    value,
                    -k,
                    "o",
                    color=INK,
                    markerfacecolor=face,
                    markersize=9,
                    markeredgewidth=2,
                )
        ax.set_yticks(-np.arange(len(rows)), names)
        ax.set_ylim(-3.4, 0.75)
        ax.set_xlim(-2.6, 2.6)
        ax.grid(visible=False)
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("what the ReLU receives")
        title(figure, "The ruler is shaken: all dots move together")
    words = (
        f"The dots 1, 3, 5 and 7 read {join([f'{value:.2f}' for value in still])}. Shaken at "
        f"level {level:g}, all four are moved by {join([f'{shift:+.2f}' for shift in shifts])} in "
        f"three steps; {join([str(np.count_nonzero(row > 0)) for row in rows[1:]])} of them pass "
        "a ReLU."
    )
    return FigureWithWords(figure, true_minus(words))


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
            ax.set_xlabel(r"β$_\mathrm{eff}$, five seeds")
            said.append(f"{heading} {join(ratios)}")
        axes[0].legend(loc="upper center", bbox_to_anchor=(0.9, -0.18), ncols=2)
        title(figure, "A plateau makes its network look smooth (hatched)")
    words = f"β_eff without batch norm over β_eff with it, in the median: {'; '.join(said)}. "
    words += (
        f"On its plateau after {done} steps, without batch norm: {join(sorted(flat) or ['none'])}."
    )

    def narrow(figure: Figure) -> None:
        legend = figure.axes[0].get_legend()
        assert legend is not None
        legend.remove()
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
        )

    return FigureWithWords(figure, words, results.card, narrow)


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
    colours = {"none": WITHOUT, "subtract": GREEN, "divide": PURPLE, "rms": INK, "both": WITH}
    labels = {
        "none": "neither",
        "subtract": "subtract",
        "divide": "divide",
        "rms": "RMS",
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
                place = {
                    "divide": ((1.15 * max(beta), middle[1]), (0, 0), "left", "center"),
                    "rms": ((middle[0], max(steps)), (7, 9), "center", "baseline"),
                }.get(arm, ((middle[0], max(steps)), (0, 9), "center", "baseline"))
                ax.annotate(
                    labels[arm],
                    place[0],
                    xytext=place[1],
                    textcoords="offset points",
                    color=colour,
                    fontweight="bold",
                    ha=place[2],
                    va=place[3],
                )
                points.append(f"{labels[arm]} {middle[0]:.2g} and {middle[1]:.0f}")
            ax.set_xscale("log")
            ax.set_xlim(0.2, 60)
            ax.set_xticks([0.5, 2, 10], ["0.5", "2", "10"])
            ax.minorticks_off()
            ax.set_ylim(0, 110)
            ax.set_xlabel(r"β$_\mathrm{eff}$ at a loss of 1")
            ax.set_title(setting, fontsize=11.5)
            said.append(f"{setting}: {join(points)}")
        axes[0].set_ylabel("steps to 90 % at rate 0.1")
        title(figure, "The smoothest network is the slowest, or nearly")
    words = f"Median β_eff at a loss of 1, and median steps to 90 %. {'. '.join(said)}."
    return FigureWithWords(figure, words, results.card)


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
        title(figure, "Batch norm saves the sigmoid’s gradients, and blows up ReLU’s")
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
    both = "batch norm and shortcuts (dotted)"
    labels = {both: {"text": fill(both, 14), "position": (0.98, 0.66)}}
    return FigureWithWords(figure, words + ".", profiles.card, relabelled(labels))

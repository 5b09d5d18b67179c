"""The figures of chapter 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Rectangle

from bncourse.chapters.inference.runs import (
    DOTS,
    TRUE_VARIANCE,
    TUNING_RATES,
    WAYS,
    Arrivals,
    Averages,
    FineTuned,
    Scatter,
    VarianceStudy,
    average_deviation,
    half_cold,
)
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
    label_line,
    new_figure,
    style,
    title,
)

__all__ = [
    "arrivals",
    "average_scatter",
    "average_weights",
    "averages_compared",
    "boxes",
    "cold_rulers",
    "fine_tuning",
    "variance_corrections",
]


def arrivals(found: Arrivals) -> FigureWithWords:
    """Draw the test accuracy of the same weights by how an image arrives.

    Parameters
    ----------
    found : Arrivals

    Returns
    -------
    FigureWithWords
    """
    medians = {way: float(np.median(found.accuracy[way])) for way in WAYS}
    with style():
        figure, ax = new_figure(6.4, 3.4)
        places = np.arange(len(WAYS))[::-1]
        colours = [GREY] * (len(WAYS) - 1) + [GREEN]
        ax.barh(places, list(medians.values()), color=colours, height=0.6)
        for place, (way, value) in zip(places, medians.items(), strict=True):
            scores = found.accuracy[way]
            ax.plot(scores, [place] * len(scores), ".", color=INK, markersize=4)
            ax.annotate(
                f"{value:.2f}",
                (max(*scores, 0.1), place),  # clear of the line of guessing
                xytext=(7, 0),
                fontweight="bold",
                textcoords="offset points",
                va="center",
            )
        ax.axvline(0.1, color=INK, linewidth=1, linestyle=":")
        ax.annotate(
            "guessing",
            (0.1, places[0] + 0.5),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=10,
            color="#555555",
        )
        ax.set_yticks(places, [way.replace(" digit", "\ndigit") for way in WAYS])
        ax.grid(visible=False, axis="y")
        ax.set_xlim(0, 1.15)
        ax.set_ylim(-0.5, places[0] + 0.9)
        ax.set_xlabel("test accuracy")
        title(figure, "One set of weights, and the company decides")
    words = (
        f"Median test accuracy of the same weights on {sum(found.of_digit)} images, "
        f"{min(found.of_digit)} to {max(found.of_digit)} of a digit, by how an image arrives: "
        + join(
            [f"{way.replace(', ', ' with the ')} {value:.2f}" for way, value in medians.items()]
        )
        + f". Alone, by its own statistics, all test images get {max(found.answers)} answer."
    )
    return FigureWithWords(figure, words, found.card)


def average_weights(decay: float, steps: Sequence[int]) -> FigureWithWords:
    """Draw what each batch weighs in a moving average, and what is missing from 1.

    Parameters
    ----------
    decay : float
        d, in (0, 1).
    steps : sequence of int
        Batches seen; one bar for each.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, ax = new_figure(6.4, 2.6)
        places = np.arange(len(steps))[::-1]
        for place, t in zip(places, steps, strict=True):
            start = 0.0
            for age in range(t):
                width = (1 - decay) * decay**age
                ax.barh(place, width, left=start, height=0.55, color=GREEN, edgecolor=CARD)
                start += width
            ax.barh(
                place,
                1 - start,
                left=start,
                height=0.55,
                color="#efece4",
                edgecolor=GREY,
                hatch="///",
                linewidth=0,
            )
            inside = start + (1 - start) / 2
            if 1 - start > 0.2:
                ax.annotate(
                    f"missing {1 - start:.3f}",
                    (inside, place),
                    ha="center",
                    va="center",
                    bbox={"facecolor": CARD, "edgecolor": "none", "pad": 2},
                )
        ax.set_yticks(places, [f"t = {t}" for t in steps])
        ax.grid(visible=False)
        ax.set_xlim(0, 1)
        ax.set_xlabel("weights, the newest batch at the left")
        title(figure, f"At first most of the weight is missing (d = {decay:g})")
    words = f"With decay {decay:g} the weights of the batches add up to " + join(
        [f"{1 - decay**t:.3f} after {t}" for t in steps]
    )
    return FigureWithWords(figure, words + "; what is missing from 1 is hatched.")


def cold_rulers(decay: float = 0.9, steps: int = 3) -> FigureWithWords:
    """Draw one dot under the right ruler and under rulers of which a half is cold.

    Parameters
    ----------
    decay : float
    steps : int
        Batches that all have the mean and variance of the four dots.

    Returns
    -------
    FigureWithWords
    """
    rulers = half_cold(decay, steps)
    with style():
        figure, ax = new_figure(6.4, 3.6)
        places = np.arange(len(rulers))[::-1]
        ax.axvline(DOTS[2], color=GREY, linewidth=1.2, linestyle=":")
        for place, (name, (mean, var, reading)) in zip(places, rulers.items(), strict=True):
            unit = np.sqrt(var)
            ax.plot([-1, 9], [place, place], color=WITH, linewidth=1.6)
            for k in range(-4, 6):
                tick = mean + k * unit
                if -1 <= tick <= 9:
                    tall = 0.16 if k == 0 else 0.1
                    width = 2.6 if k == 0 else 1.4
                    ax.plot([tick, tick], [place - tall, place + tall], color=WITH, lw=width)
                    if k in (0, 1):
                        ax.annotate(
                            f"{k}", (tick, place - 0.2), ha="center", va="top", fontsize=10
                        )
            ax.annotate(name, (-1, place + 0.24), fontsize=10.5, color="#444444")
            ax.plot(DOTS[2], place, "o", color=INK, markersize=8)
            ax.annotate(
                true_minus(f"reads {reading:.2f}"),
                (9.2, place),
                va="center",
                fontweight="bold",
                annotation_clip=False,
            )
        ax.set_xlim(-1, 11.2)
        ax.set_ylim(-0.6, places[0] + 0.7)
        ax.axis("off")
        title(figure, "The dot at 5 stays; the stored ruler is what differs")
    words = f"After {steps} batches with decay {decay:g}, the dot at 5 reads " + join(
        [f"{reading:.3f} by the ruler with {name}" for name, (_, _, reading) in rulers.items()]
    )
    return FigureWithWords(figure, words + ".")


def averages_compared(found: Averages) -> FigureWithWords:
    """Draw the test accuracy with several averages, less that with precise statistics.

    Parameters
    ----------
    found : Averages

    Returns
    -------
    FigureWithWords
    """
    reference = np.array(found.accuracy["precise"])
    gaps = {
        name: np.median(np.array(rows) - reference, axis=0)
        for name, rows in found.accuracy.items()
        if name != "precise"
    }
    warm = [name for name in gaps if not name.startswith("from")]
    apart = max(float(np.abs(np.array(found.accuracy[n]) - reference).max()) for n in warm)
    at = found.checkpoints
    with style():
        figure, ax = new_figure(6.4, 3.8)
        ax.set_xscale("log")
        ax.axhline(0, color=INK, linewidth=1, linestyle=":")
        for name, colour, offset in (
            ("from 0", PURPLE, (10, -12)),
            ("from 0 and 1", GREEN, (8, 6)),
        ):
            each = np.array(found.accuracy[name]) - reference
            ax.plot(at, each.T, color=colour, linewidth=0.8, alpha=0.35)
            (line,) = ax.plot(at, gaps[name], "o-", color=colour)
            k = 4 if name == "from 0" else 2
            side = {"ha": "left"} if name == "from 0" else {"ha": "right"}
            shift = offset if name == "from 0" else (-8, 10)
            label_line(ax, line, name, at=k, offset=shift, **side)
        low, high = (f([gaps[name] for name in warm], axis=0) for f in (np.min, np.max))
        ax.fill_between(at, low, high, color="#b5b3ac", linewidth=2)
        ax.annotate(
            f"{join(warm)}: the grey band",
            (at[0], 0),
            xytext=(0, 10),
            textcoords="offset points",
            color="#555555",
            fontsize=10.5,
        )
        ax.set_xticks(at, [str(c) for c in at])
        ax.minorticks_off()
        ax.set_ylim(-0.85, 0.12)
        ax.set_xlabel("training steps so far")
        ax.set_ylabel("accuracy less that of precise")
        title(figure, "m = 60, rate 0.1: corrected and cumulative do as precise does")
    raw, cold = (gaps[name].round(2) + 0.0 for name in ("from 0", "from 0 and 1"))  # no −0
    words = (
        f"Median test accuracy less that with precise statistics: started from 0 it is "
        f"{raw[0]:.2f} after {at[0]} steps, {raw[len(at) // 2]:.2f} after {at[len(at) // 2]} and "
        f"{raw[-1]:.2f} after {at[-1]}; from 0 and 1 {cold[0]:.2f}, {cold[len(at) // 2]:.2f} and "
        f"{cold[-1]:.2f}. In no seed are {join(warm)} farther off than {apart:.3f}."
    )
    labels = {"from 0 and 1": {"position": (-8, 17)}}
    return FigureWithWords(figure, true_minus(words), found.card, relabelled(labels))


def variance_corrections(found: VarianceStudy) -> FigureWithWords:
    """Draw four estimates of a variance from batches, over the true one.

    Parameters
    ----------
    found : VarianceStudy

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, axes = new_figure(6.4, 4.0, 1, 2, sharey=True)
        for ax, estimates, text in (
            (axes[0], found.shuffled, "batches at random"),
            (axes[1], found.by_class, "set sorted by digit"),
        ):
            sizes = list(estimates)
            ax.axhline(1.0, color=INK, linewidth=1, linestyle=":")
            for name, label, colour, marker in (
                ("both", "both", PURPLE, "v"),
                ("total", "plus Var(μ)", INK, "o"),
                ("bessel", "times m/(m−1)", GREEN, "s"),
                ("biased", "mean of σ²", GREY, "^"),
            ):
                values = [getattr(estimates[m], name) for m in sizes]
                ax.semilogx(sizes, values, marker=marker, color=colour, label=label, alpha=0.85)
            ax.minorticks_off()
            ax.set_xticks(sizes, [str(m) for m in sizes])
            ax.set_title(text, fontsize=11.5)
            ax.set_xlabel("examples in the batch, m")
        axes[0].set_ylabel("estimate over true variance")
        axes[0].legend(loc="lower right")
        title(figure, "Adding Var(μ) is right for both, m/(m−1) for random batches")
    m, large = min(found.shuffled), max(found.shuffled)
    a, b = found.shuffled[m], found.by_class[m]
    words = (
        f"At m = {m}, over the true variance: random batches give {a.biased:.2f} on average, "
        f"{a.bessel:.2f} times m/(m−1), {a.total:.2f} with the variance of the means added, "
        f"{a.both:.2f} with both; batches from the set sorted by digit give {b.biased:.2f}, "
        f"{b.bessel:.2f}, {b.total:.2f} and {b.both:.2f}. At m = {large} the first of these is "
        f"{found.shuffled[large].biased:.2f} and {found.by_class[large].biased:.2f}."
    )
    return FigureWithWords(figure, words, found.card)


# ---------------------------------------------------------------- 6.1 and 6.2


def average_scatter(
    scatter: Scatter, decays: tuple[float, float] = (0.99, 0.01)
) -> FigureWithWords:
    """Draw twenty runs of a running variance for two decays, and one standard deviation.

    Parameters
    ----------
    scatter : Scatter
        From `bncourse.chapters.inference.runs.scatter`.
    decays : tuple of float
        The two to draw.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, axes = new_figure(6.4, 3.7, 1, 2, sharey=True)
        for ax, d in zip(axes, decays, strict=True):
            paths = scatter.paths[d]
            t = np.arange(1, len(paths) + 1)
            ax.plot(t, paths, color=GREY, linewidth=0.7, alpha=0.45)
            for sign in (-1, 1):
                band = [
                    TRUE_VARIANCE + sign * scatter.deviation * average_deviation(d, int(k))
                    for k in t
                ]
                ax.plot(t, band, color=PURPLE, linewidth=1.8, linestyle="--")
            ax.axhline(TRUE_VARIANCE, color=INK, linewidth=1.2, linestyle=":")
            ax.set_title(f"old value weighs {d:g}", fontsize=11.5)
            ax.set_xlabel("batches seen")
            ax.set_ylim(0, 16)
        axes[0].set_ylabel("running variance")
        axes[0].annotate("truth, dotted", (len(t), 0.4), ha="right", fontsize=10)
        axes[0].annotate(
            "± one standard deviation", (len(t), 12), ha="right", fontsize=10, color=PURPLE
        )
        step = scatter.steps[0]
        calm, wild = (average_deviation(d, step) for d in decays)
        title(figure, f"The same batches, and {wild / calm:.0f} times the scatter after {step}")
    words = f"Twenty runs of {step} batches. At the end the standard deviation is " + join(
        [
            f"{scatter.deviation * average_deviation(d, step):.2f} by the formula where the old "
            f"value weighs {d:g}"
            for d in decays
        ]
    )
    return FigureWithWords(figure, f"{words}; the truth is {TRUE_VARIANCE:g}.", scatter.card)


def fine_tuning(results: dict[str, FineTuned]) -> FigureWithWords:
    """Draw what fine-tuning gains on new images, and loses on old ones.

    Parameters
    ----------
    results : dict of str to FineTuned
        Two, by a panel's name; each arm is drawn at its best rate.

    Returns
    -------
    FigureWithWords
    """
    arms = {
        "nothing": (INK, "x"),
        "statistics only": (GREY, "v"),
        "everything moves": (PURPLE, "s"),
        "statistics frozen": (GREEN, "o"),
        "folded": (GREEN, "D"),
        "without batch norm": (WITHOUT, "^"),
    }
    medians: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in results}
    with style():
        figure, axes = new_figure(6.4, 4.3, 1, 2, sharey=True)
        for ax, (name, result) in zip(axes, results.items(), strict=True):
            for arm, (colour, marker) in arms.items():
                at_once = arm in ("nothing", "statistics only")
                new, old = result.at(arm, TUNING_RATES[0]) if at_once else result.best(arm)
                ax.plot(new, old, marker, color=colour, alpha=0.35, markersize=4.5)
                middle = float(np.median(new)), float(np.median(old))
                filled = colour if arm != "folded" else "none"
                ax.plot(
                    *middle,
                    marker,
                    color=colour,
                    markerfacecolor=filled,
                    markersize=9,
                    label=arm,
                    linestyle="none",
                )
                medians[name][arm] = middle
            ax.set_xlim(0.1, 1.05)
            ax.set_ylim(0.5, 1.04)
            ax.set_title(name, fontsize=11.5)
            ax.set_xlabel("accuracy on the new images")
        axes[0].set_ylabel("accuracy on the old images")
        axes[1].legend(loc="lower left", fontsize=9)
        title(figure, "On grey paper, moving statistics pay with the old images")
    words = " ".join(
        f"{name}: median accuracies on new and on old images are "
        + join([f"{new:.2f} and {old:.2f} with {arm}" for arm, (new, old) in found.items()])
        + "."
        for name, found in medians.items()
    )
    return FigureWithWords(figure, words, next(iter(results.values())).card)


# --- 6.3, Use it elsewhere


def boxes(examples: int, channels: int, places: int, groups: int) -> FigureWithWords:
    """Draw which numbers of a small array share a ruler, under four normalisations.

    Parameters
    ----------
    examples, channels, places : int
        Of the array.
    groups : int
        Of channels, for group norm.

    Returns
    -------
    FigureWithWords
    """
    ways = {
        "batch norm": (examples, 1),
        "layer norm": (1, channels),
        "group norm": (1, channels // groups),
        "instance norm": (1, 1),
    }
    told = []
    with style():
        figure, axes = new_figure(6.8, 3.9, 2, 2)
        for ax, (name, (tall, wide)) in zip(axes.flat, ways.items(), strict=True):
            width, rulers = wide * places, examples // tall * (channels // wide)
            for k in range(rulers):
                top, left = divmod(k, channels // wide)
                corner = (left * width, top * tall)
                ax.add_patch(
                    Rectangle(corner, width, tall, facecolor="#dcece7", edgecolor=GREEN, lw=2.5)
                )
                middle = (corner[0] + width / 2, corner[1] + tall / 2)
                ax.annotate(str(k + 1), middle, ha="center", va="center", weight="bold")
            ax.vlines(range(channels * places), 0, examples, color=GREEN, linewidth=0.4, alpha=0.5)
            ax.hlines(range(examples), 0, channels * places, color=GREEN, linewidth=0.4, alpha=0.5)
            ax.set_xlim(-0.15, channels * places + 0.15)
            ax.set_ylim(examples + 0.04, -0.04)
            ax.set_xticks(
                [places * (k + 0.5) for k in range(channels)],
                [f"ch. {k + 1}" for k in range(channels)],
            )
            ax.set_yticks(
                [k + 0.5 for k in range(examples)], [f"image {k + 1}" for k in range(examples)]
            )
            ax.tick_params(length=0, labelsize=9)
            ax.grid(visible=False)
            ax.spines[["left", "bottom"]].set_visible(False)
            ax.set_title(f"{name}: {rulers} rulers", fontsize=11)
            numbers = examples * channels * places // rulers
            told.append(f"{rulers} rulers of {numbers} numbers with {name}")
        title(figure, "Batch norm’s boxes stand upright, the others lie within an image")
    words = f"{examples} images of {channels} channels and {places} places: {join(told)}."
    return FigureWithWords(figure, words)

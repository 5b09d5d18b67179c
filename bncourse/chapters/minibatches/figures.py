"""The figures of chapter 4."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bncourse.chapters.minibatches.runs import (
    CALLED,
    COMPANIES,
    ORDERS,
    SMALL,
    TINY,
    BySize,
    Company,
    Dealt,
    GhostLosses,
    SmallBatches,
    Sorted,
    Wobble,
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
    "company",
    "dealt_means",
    "ghost_losses",
    "same_dot",
    "small_batches",
    "small_outcomes",
    "sorted_batches",
    "strings",
    "wobble",
]


def small_batches(batches: BySize) -> FigureWithWords:
    """Draw the test accuracy against small batch sizes, with and without batch norm.

    Parameters
    ----------
    batches : BySize
        From `bncourse.chapters.minibatches.runs.accuracy_by_size`.

    Returns
    -------
    FigureWithWords
    """
    accuracies = batches.accuracy
    medians = {
        kind: {m: float(np.median(values)) for m, values in by_size.items()}
        for kind, by_size in accuracies.items()
    }
    with style():
        figure, ax = new_figure(6.4, 4.1)
        labels = {
            TINY[0]: (WITHOUT, "without batch norm", (-30, 24), 1),
            TINY[1]: (WITH, "with batch norm", (12, -8), 0),
            TINY[2]: (GREY, "with batch norm,\nonly the output layer trained", (0, -26), -1),
        }
        for kind, (colour, text, offset, at) in labels.items():
            sizes = list(medians[kind])
            (line,) = ax.semilogx(sizes, list(medians[kind].values()), "o-", color=colour)
            for m in sizes:
                values = accuracies[kind][m]
                ax.semilogx([m] * len(values), values, ".", color=colour, alpha=0.4)
            side = "right" if kind == TINY[2] else "left"
            label_line(ax, line, text, at=at, offset=offset, ha=side)
        everywhere = sorted({m for by_size in medians.values() for m in by_size})
        sizes = sorted(medians[TINY[1]])
        if min(everywhere) < min(sizes):
            ax.annotate("refused", (1, 0.02), color=WITH, ha="left", fontweight="bold")
        ax.axhline(0.1, color=INK, linestyle=":", linewidth=1)
        ax.text(everywhere[-1], 0.125, "guessing", ha="right", fontsize=10)
        ax.minorticks_off()
        ax.set_xticks(everywhere, [str(m) for m in everywhere])
        ax.set_ylim(0, 1.15)
        ax.set_xlabel("examples in the batch, m")
        ax.set_ylabel("test accuracy")
        title(figure, "Batch norm fails in batches of two and recovers by four")
    # What tiny batches learn is chaotic, so their accuracies are told in steps of a tenth.
    without, with_bn, output_only = (medians[kind] for kind in TINY)
    behind = [m for m in sizes if with_bn[m] < without[m] - 0.3]
    level = [m for m in sizes if with_bn[m] > without[m] - 0.03]
    worse = [m for m in sizes if with_bn[m] < output_only[m] - 0.1]
    better = [m for m in sizes if with_bn[m] > output_only[m] + 0.05]
    at_smallest = [
        f"{min(accuracies[kind][sizes[0]]):.2f} to {max(accuracies[kind][sizes[0]]):.2f}"
        for kind in TINY
    ]
    words = (
        f"With batch norm the median test accuracy is more than 0.3 below that without in batches "
        f"of {_sizes(behind)}, and no more than 0.03 below it in batches of {_sizes(level)}; "
        f"training the hidden layers costs more than 0.1 in batches of {_sizes(worse)} and gains "
        f"more than 0.05 in batches of {_sizes(better)}. In batches of {sizes[0]} the seeds end "
        f"at {at_smallest[0]} without, {at_smallest[1]} with, and {at_smallest[2]} with only the "
        "output layer trained."
    )
    above, below = labels[TINY[0]][1], labels[TINY[2]][1]
    narrow = relabelled(
        {
            above: {"position": (-42, 28)},
            below: {"text": below.replace("output ", "output\n"), "position": (0, -36)},
        }
    )
    return FigureWithWords(figure, words, batches.card, narrow)


def _sizes(sizes: list[int]) -> str:
    return join([str(m) for m in sizes]) if sizes else "no size"


# ---- Page 4: train with mini-batches ----

#: The dots of the course: 1 and 3 are of class 0 and hollow, 5 and 7 of class 1 and filled.
HOLLOW = (1.0, 3.0)


def _dot(ax: Axes, x: float, y: float, stranger: bool = False) -> None:
    face = CARD if x in HOLLOW else GREY if stranger else INK
    edge = GREY if stranger else INK
    ax.plot(x, y, "o", color=edge, markerfacecolor=face, markersize=9, markeredgewidth=2)


def _bare(ax: Axes) -> None:
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)


def same_dot(
    dot: float = 5.0,
    batches: Sequence[Sequence[float]] = ((1.0, 3.0, 5.0, 7.0), (5.0, 7.0, 9.0, 11.0)),
) -> FigureWithWords:
    """Draw one dot in several batches, each with the ruler that it makes.

    Parameters
    ----------
    dot : float
        In each batch.
    batches : sequence of sequence of float

    Returns
    -------
    FigureWithWords
    """
    known = batches[0]
    said = []
    with style():
        figure, axes = new_figure(6.4, 1.9 * len(batches), len(batches), 1, sharex=True)
        for ax, batch in zip(axes, batches, strict=True):
            zero, unit = float(np.mean(batch)), float(np.std(batch))
            reading = (dot - zero) / unit
            ax.axhline(0.0, color=WITH, linewidth=1.6)
            for tick in range(-6, 7):
                x = zero + tick * unit
                ax.plot([x, x], [-0.12, 0.12], color=WITH, linewidth=2.6 if tick == 0 else 1.2)
                if -0.5 < x < 12.5:
                    label = true_minus(f"{tick}")
                    ax.annotate(label, (x, -0.2), color=WITH, ha="center", va="top", fontsize=10)
            for value in batch:
                ax.plot([value, value], [0.12, 0.72], color=GREY, linewidth=1, linestyle=":")
                _dot(ax, value, 0.85, value not in known)
            ax.plot([dot, dot], [0.12, 0.72], color=PURPLE, linewidth=2)
            text = f"{dot:g} reads {reading:.3f}"
            ax.annotate(
                true_minus(text),
                (dot, 0.85),
                (0, 11),
                textcoords="offset points",
                color=PURPLE,
                fontweight="bold",
                ha="center",
            )
            ax.set_xlim(-0.5, 12.5)
            ax.set_ylim(-0.7, 1.6)
            ax.set_xticks(range(0, 13))
            _bare(ax)
            said.append(
                f"In the batch {join([f'{v:g}' for v in batch])} the ruler has its zero at "
                f"{zero:g} and a tick every {unit:.2f}, and {text}."
            )
        title(figure, "The dot stays where it is; its reading changes with the batch")
    return FigureWithWords(figure, true_minus(" ".join(said)))


def strings(
    cuts: Sequence[Sequence[Sequence[float]]] = (
        ((1.0, 3.0), (5.0, 7.0)),
        ((1.0, 5.0), (3.0, 7.0)),
    ),
) -> FigureWithWords:
    """Draw the dots, cut into batches in two ways, with a string to what each reads.

    Parameters
    ----------
    cuts : sequence of sequence of sequence of float
        For each panel its batches.

    Returns
    -------
    FigureWithWords
    """
    names = ("one class a batch", "both classes in each")
    said = []
    with style():
        figure, axes = new_figure(6.8, 3.6, 1, len(cuts), gridspec_kw={"wspace": 0.08})
        for ax, batches, name in zip(axes, cuts, names, strict=True):
            ax.axhline(1.0, color="#bbbbbb", linewidth=1.2)
            ax.axhline(0.0, color=WITH, linewidth=1.6)
            readings: dict[float, list[float]] = {}
            for batch, dashes in zip(batches, ("-", "--"), strict=True):
                zero, unit = float(np.mean(batch)), float(np.std(batch))
                for value in batch:
                    reading = round((value - zero) / unit, 9)
                    readings.setdefault(reading, []).append(value)
                    # The lower ruler's 0 stands under the dots' middle.
                    ax.plot(
                        [value, 4 + 2 * reading], [1, 0.16], color=GREY, linestyle=dashes, lw=1.4
                    )
                    _dot(ax, value, 1.0)
                    ax.text(value, 1.09, f"{value:g}", ha="center", fontsize=10)
            for reading, values in readings.items():
                for k, value in enumerate(sorted(values)):
                    shift = 0.42 * (k - (len(values) - 1) / 2)
                    ax.plot(
                        4 + 2 * reading + shift,
                        0.08,
                        "o",
                        color=INK,
                        markerfacecolor=CARD if value in HOLLOW else INK,
                        markersize=8,
                        markeredgewidth=2,
                    )
            for tick in (-1, 0, 1):
                ax.annotate(
                    true_minus(str(tick)),
                    (4 + 2 * tick, -0.06),
                    color=WITH,
                    ha="center",
                    va="top",
                )
            ax.set_xlim(0, 8)
            ax.set_ylim(-0.25, 1.25)
            ax.set_title(name, fontsize=11.5)
            ax.set_xticks([])
            ax.spines["bottom"].set_visible(False)
            _bare(ax)
            groups = join(["{" + ", ".join(f"{v:g}" for v in batch) + "}" for batch in batches])
            reads = join(
                [
                    f"{join([f'{v:g}' for v in sorted(values)])} read {reading:g}"
                    for reading, values in sorted(readings.items())
                ]
            )
            said.append(f"With the batches {groups}, {reads}.")
        title(figure, "Cut by class, a hollow and a filled dot become one number")
    return FigureWithWords(figure, true_minus(" ".join(said)))


def wobble(measured: Wobble) -> FigureWithWords:
    """Draw how much a batch's mean and variance scatter, against its size.

    Parameters
    ----------
    measured : Wobble
        From `bncourse.chapters.minibatches.runs.wobble`.

    Returns
    -------
    FigureWithWords
    """
    m = np.array(measured.sizes, float)
    mean, variance = (np.median(v**2, axis=0) for v in (measured.mean, measured.variance))
    with style():
        figure, ax = new_figure(6.4, 3.9)
        (line,) = ax.loglog(m, 1 / m, color=GREEN, linewidth=1.2)
        label_line(ax, line, "σ²/m", offset=(6, 0))
        (line,) = ax.loglog(m, 2 / m, color=PURPLE, linewidth=1.2, linestyle="--")
        label_line(ax, line, "2σ⁴/m", offset=(6, 0))
        ax.loglog(m, mean, "o", color=GREEN)
        ax.loglog(m, variance, "s", color=PURPLE)
        ax.annotate("the batch’s mean", (m[0], 0.16 / m[0]), color=GREEN)
        ax.annotate("the batch’s variance", (m[2], 2.6 / m[2]), color=PURPLE)
        ax.minorticks_off()
        ax.set_xticks(m, [f"{size:.0f}" for size in m])
        ax.set_xlim(m[0] / 1.6, m[-1] * 2.2)
        ax.set_yticks((0.01, 0.1, 1.0), ("0.01", "0.1", "1"))
        ax.set_xlabel("examples in the batch, m")
        ax.set_ylabel("mean square, in σ² and in σ⁴")
        title(figure, "The batch’s mean scatters like σ²/m")
    slope = float(np.polyfit(np.log(m), np.log(mean), 1)[0])
    at = measured.sizes.index(60) if 60 in measured.sizes else len(m) // 2
    words = (
        f"The squared error of a batch's mean falls with slope {slope:.1f} in m on log axes. "
        f"At m = {m[at]:.0f} the mean is off by {np.sqrt(mean[at]):.2f} of a standard deviation "
        f"and the variance by {np.sqrt(variance[at]):.2f} of itself; the formulas say "
        f"{m[at] ** -0.5:.2f} and {(2 / m[at]) ** 0.5:.2f}."
    )
    labels = {"the batch’s mean": {"position": (m[0], 0.06 / m[0])}}
    return FigureWithWords(figure, true_minus(words), measured.card, relabelled(labels))


def company(measured: Company) -> FigureWithWords:
    """Draw how often an image is recognised, by who else is in its batch.

    Parameters
    ----------
    measured : Company
        From `bncourse.chapters.minibatches.runs.company`.

    Returns
    -------
    FigureWithWords
    """
    m = measured.sizes
    said = []
    with style():
        figure, ax = new_figure(6.4, 4.0)
        for bn, colour, name in ((False, WITHOUT, "without"), (True, WITH, "with batch norm")):
            for kind, mark, dash in zip(COMPANIES, ("o", "s"), ("-", "--"), strict=True):
                values = measured.right[bn, kind]
                middle = np.median(values, axis=0)
                ax.semilogx(m, middle, mark + dash, color=colour)
                ax.fill_between(
                    m, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0
                )
                told = [f"{v:.2f}" for v in middle]
                all_alike = len(set(told)) == 1
                said.append(f"{name}, {kind}: {f'{told[0]} in each' if all_alike else join(told)}")
        mixed = np.median(measured.right[True, COMPANIES[0]], axis=0)
        same = np.median(measured.right[True, COMPANIES[1]], axis=0)
        bold = {"fontweight": "bold"}
        ax.annotate("without batch norm, in either company", (m[0], 1.03), color=WITHOUT, **bold)
        ax.annotate(
            "with batch norm,\namong mixed digits", (m[1], mixed[1] - 0.17), color=WITH, **bold
        )
        ax.annotate(
            "with batch norm, among the same digit", (m[0], same[1] + 0.1), color=WITH, **bold
        )
        ax.axhline(0.1, color=INK, linestyle=":", linewidth=1)
        ax.minorticks_off()
        ax.set_xticks(m, [str(size) for size in m])
        ax.set_ylim(0, 1.15)
        ax.set_xlabel("examples in the batch, m (dotted: guessing)")
        ax.set_ylabel("share of right answers")
        title(figure, "A larger batch helps among mixed digits only")
    sizes = join([str(size) for size in m])
    words = f"Share of right answers in batches of {sizes}, medians. {'. '.join(said)}."
    return FigureWithWords(figure, words, measured.card)


def sorted_batches(measured: Sorted) -> FigureWithWords:
    """Draw the losses of pure and of mixed batches of the last epoch, beside guessing.

    Parameters
    ----------
    measured : Sorted
        From `bncourse.chapters.minibatches.runs.sorted_batches`.

    Returns
    -------
    FigureWithWords
    """
    guess = float(np.log(10))
    said = []
    with style():
        figure, ax = new_figure(6.6, 4.0)
        ticks = []
        rows = [(order, part) for order in ORDERS for part in ("pure", "mixed")][1:]
        for at, (order, part) in enumerate(reversed(rows)):
            short = "in random order" if order == ORDERS[2] else CALLED[order]
            ticks.append(order if order == ORDERS[0] else f"{short},\n{part} batches")
            for bn, colour, side in ((False, WITHOUT, -0.12), (True, WITH, 0.12)):
                values = getattr(measured, part)[order, bn]
                ax.plot(values, [at + side] * len(values), "o", color=colour, alpha=0.45)
                middle = float(np.median(values))
                ax.plot([middle] * 2, [at + side - 0.12, at + side + 0.12], color=colour, lw=3)
        for order, part in rows:
            said.append(
                f"{CALLED[order]}, {part}: "
                + " and ".join(
                    f"{np.median(getattr(measured, part)[order, bn]):.2f} {name}"
                    for bn, name in ((False, "without"), (True, "with batch norm"))
                )
            )
        ax.axvline(guess, color=INK, linestyle=":", linewidth=1.4)
        ax.annotate(
            "guessing:\nln 10", (guess - 0.05, 2.0), ha="right", va="center", fontsize=10.5
        )
        ax.set_yticks(range(len(ticks)), ticks)
        ax.set_xlim(0, 2.9)
        ax.set_ylim(-0.5, len(ticks) - 0.4)
        ax.set_xlabel("mean loss of the ninth epoch")
        ax.grid(visible=False, axis="y")
        ax.text(0.3, 3.86, "without", color=WITHOUT, fontweight="bold", va="center")
        ax.text(0.3, 4.14, "with batch norm", color=WITH, fontweight="bold", va="center")
        title(figure, "Batches of one digit cost more than guessing, with batch norm")
    words = (
        f"Median loss of the ninth epoch. {'; '.join(said)}. Guessing costs {guess:.2f}. "
        f"Of the {sum(measured.batches)} sorted batches {measured.batches[0]} hold one digit "
        f"only, {measured.batches[1]} more than one."
    )
    labels = {"without": {"x": 0.36}, "with batch norm": {"x": 0.36}}
    return FigureWithWords(figure, words, measured.card, relabelled(labels))


# --- Pages 4.1 Use the noise, and 4.2 Count what small batches lose


def ghost_losses(found: GhostLosses) -> FigureWithWords:
    """Draw training and test loss against the ghost size, in both modes, at rate 0.1.

    Parameters
    ----------
    found : GhostLosses
        From `bncourse.chapters.minibatches.runs.ghosts`.

    Returns
    -------
    FigureWithWords
    """
    sizes = [
        size
        for size, rate, standardized, images in found.values
        if size is not None and rate == 0.1 and not standardized and images == 300
    ]
    sizes.sort()

    def middle(size: int | None, key: str) -> float:
        return float(np.median(found.of(size)[key]))

    panels = (("training", "loss on the training images"), ("test", "loss on the test images"))
    with style():
        figure, axes = new_figure(7.2, 4.1, 1, 2, sharey=True)
        for ax, (key, name) in zip(axes, panels, strict=True):
            plain = found.of(None)[key]
            ax.axhspan(min(plain), max(plain), color=WITHOUT, alpha=0.12, linewidth=0)
            ax.axhline(middle(None, key), color=WITHOUT, linewidth=1.8)
            for mode, marker, line in ((f"noisy {key}", "s", ":"), (key, "o", "-")):
                for size in sizes:
                    values = found.of(size)[mode]
                    ax.loglog([size] * len(values), values, ".", color=WITH, alpha=0.3)
                ax.loglog(sizes, [middle(size, mode) for size in sizes], marker + line, color=WITH)
            ax.minorticks_off()
            ax.set_xticks(sizes, [*map(str, sizes[:-1]), f"{sizes[-1]}\n(whole)"])
            ax.set_yticks((0.01, 0.1, 1.0), ("0.01", "0.1", "1"))
            ax.set_xlabel("normalised together")
            ax.set_title(name, fontweight="normal", fontsize=11.5)
        axes[0].set_ylabel("nats")
        axes[0].set_ylim(bottom=0.25 * min(middle(size, "training") for size in sizes))
        bold = {"fontweight": "bold", "textcoords": "offset points"}
        axes[0].annotate(
            "training mode",
            (8, middle(8, "noisy training")),
            xytext=(8, 8),
            color=WITH,
            **bold,
        )
        axes[0].annotate(
            "evaluation mode", (8, middle(8, "training")), xytext=(-8, -24), color=WITH, **bold
        )
        axes[1].annotate(
            "no batch norm",
            (sizes[-1], middle(None, "test")),
            xytext=(0, -22),
            ha="right",
            color=WITHOUT,
            **bold,
        )
        title(figure, "From 128 down to 8: losses up while the noise is on, down when it is off")
    said = [
        f"in {mode} mode the training loss goes from {middle(sizes[-1], before + 'training'):.3f} "
        f"to {middle(8, before + 'training'):.3f} and the test loss from "
        f"{middle(sizes[-1], before + 'test'):.3f} to {middle(8, before + 'test'):.3f}"
        for mode, before in (("training", "noisy "), ("evaluation", ""))
    ]
    words = (
        f"From {sizes[-1]} to 8 examples normalised together, {'; '.join(said)}. Without batch "
        f"norm they are {middle(None, 'training'):.3f} and {middle(None, 'test'):.3f}. At "
        f"{sizes[0]} all four are above "
        f"{10.0 ** np.floor(np.log10(middle(sizes[0], 'training'))):g}."
    )
    return FigureWithWords(figure, words, found.card)


def dealt_means(dealt: Dealt) -> FigureWithWords:
    """Draw m times the variance of the batch mean, drawn and dealt, with both formulas.

    Parameters
    ----------
    dealt : Dealt
        From `bncourse.chapters.minibatches.runs.dealt_means`.

    Returns
    -------
    FigureWithWords
    """
    m, n = dealt.sizes, dealt.population
    replaced, without = np.median(dealt.replaced, axis=0), np.median(dealt.dealt, axis=0)
    with style():
        figure, ax = new_figure(6.4, 3.7)
        fine = np.geomspace(m[0], n, 200)
        ax.semilogx(fine, np.ones(200), color=GREY, linewidth=1.4)
        ax.semilogx(fine, (n - fine) / (n - 1), color=GREEN, linewidth=1.4)
        ax.semilogx(m, replaced, "o", color=GREY)
        ax.semilogx(m, without, "s", color=GREEN)
        ax.annotate("drawn, and put back: 1", (m[1], 1.06), color="#555555", fontweight="bold")
        ax.annotate("dealt: (N − m)/(N − 1)", (m[1], 0.72), color=GREEN, fontweight="bold")
        ax.minorticks_off()
        ax.set_xticks(m, [f"{size:,}" for size in m], rotation=0)
        labels = ax.get_xticklabels()
        labels[-1].set_ha("left")
        ax.set_ylim(0, 1.2)
        ax.set_xlabel("examples in the batch, m")
        ax.set_ylabel("variance of the mean, in σ²/m")
        ax.set_title("Dealing helps when the batch is a large part of the set")
    words = (
        f"Drawn with replacement, the variance of a batch's mean is between "
        f"{replaced.min():.2f} and {replaced.max():.2f} times σ²/m at every size; dealt from "
        f"{n:,} examples it is {without[0]:.2f} times σ²/m at m = {m[0]}, "
        + join(
            [f"{value:.2f} at {size:,}" for value, size in zip(without[-3:], m[-3:], strict=True)]
        )
        + "."
    )

    def narrow(figure: Figure) -> None:
        (ax,) = figure.axes
        ax.set_xticks(m, [f"{size:,}" for size in m[:-2]] + ["", f"{m[-1]:,}"])
        relabelled({"dealt: (N − m)/(N − 1)": {"text": "dealt:\n(N − m)/(N − 1)"}})(figure)

    return FigureWithWords(figure, words, dealt.card, narrow)


#: The rows of `small_outcomes`: arm, ε, ε of the way back, and what the figure calls it.
OUTCOMES = (
    (SMALL[0], 1e-5, 1e-5, "without batch norm"),
    (SMALL[1], 1e-5, 1e-5, "with batch norm"),
    (SMALL[2], 1e-5, 1e-5, "only output layer trained"),
    (SMALL[3], 1e-5, 1e-5, "hidden w held still"),
    (SMALL[4], 1e-5, 1e-5, "steps of hidden w capped"),
    (SMALL[1], 0.1, 0.1, "all trained, ε = 0.1"),
    (SMALL[1], 0.1, 1e-5, "ε = 0.1 only forwards"),
    (SMALL[1], 1e-5, 0.1, "ε = 0.1 only on the way back"),
    (SMALL[2], 0.1, 0.1, "only output layer, ε = 0.1"),
)


def small_outcomes(found: SmallBatches) -> FigureWithWords:
    """Draw the test accuracies after 600 steps on batches of two, one dot a network.

    Parameters
    ----------
    found : SmallBatches
        From `bncourse.chapters.minibatches.runs.small_batches`.

    Returns
    -------
    FigureWithWords
    """
    said = []
    with style():
        figure, ax = new_figure(6.4, 4.8)
        for row, (arm, epsilon, back, name) in enumerate(OUTCOMES):
            values = np.sort(found.of(arm, epsilon=epsilon, back=back)["accuracy"])
            colour = (WITHOUT, WITH)[row] if row < 2 else GREY
            at = -row + 0.3 * np.linspace(-1, 1, len(values))
            ax.plot(values, at, ".", color=colour, alpha=0.7)
            middle = float(np.median(values))
            ax.plot([middle, middle], [-row - 0.38, -row + 0.38], color=INK, linewidth=2.4)
            said.append(f"{middle:.1f} {name}")
        ax.axvline(0.1, color="#555555", linewidth=1, linestyle=":")
        ax.annotate("guessing", (0.11, 0.42), color="#555555", fontsize=10)
        ax.set_yticks(-np.arange(len(OUTCOMES)), [name for *_, name in OUTCOMES])
        ax.set_xlim(0, 1)
        ax.set_ylim(-len(OUTCOMES) + 0.4, 0.75)
        ax.set_xlabel("test accuracy after 600 steps on batches of two")
        ax.set_title("Opening the way back mends most, capping mends little", x=-0.45)
    words = f"Median test accuracies after 600 steps on batches of two: {join(said)}."
    return FigureWithWords(figure, words, found.card)

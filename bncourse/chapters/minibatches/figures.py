"""The figures of chapter 4."""

from __future__ import annotations

import numpy as np

from bncourse.chapters.minibatches.runs import (
    SMALL,
    TINY,
    Company,
    Dealt,
    Ghost,
    GhostLosses,
    MeanVariance,
    SmallBatches,
)
from bncourse.display import FigureWithWords
from bncourse.display.style import (
    BLUE,
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
    "batch_company",
    "batch_mean_variance",
    "dealt_means",
    "ghost_batches",
    "ghost_losses",
    "small_batches",
    "small_outcomes",
    "training_losses",
]


def batch_mean_variance(measured: MeanVariance) -> FigureWithWords:
    """Draw the variance of the batch mean against the batch size, with both formulas.

    Parameters
    ----------
    measured : MeanVariance
        From `bncourse.chapters.minibatches.runs.batch_mean_variance`.

    Returns
    -------
    FigureWithWords
    """
    m, n = measured.sizes, measured.population
    with style():
        figure, ax = new_figure(6.4, 4.0)
        ax.loglog(m, 1 / m, color=GREY, linewidth=1.4)
        ax.loglog(m, (n - m) / (n - 1) / m, color=BLUE, linewidth=1.4)
        ax.loglog(m, measured.replaced, "o", color=GREY)
        ax.loglog(m, measured.dealt, "s", color=BLUE)
        ax.annotate(
            "drawn with replacement: σ²/m", (m[3], 2.0 / m[3]), color="#555555", fontweight="bold"
        )
        ax.annotate(
            "dealt without: σ²/m · (N−m)/(N−1)", (m[0], 0.0035), color=BLUE, fontweight="bold"
        )
        ax.set_xlabel("examples in the batch, m")
        ax.set_ylabel("variance of the batch mean, in σ²")
        ax.set_title("The batch mean scatters like σ²/m, and less when dealt")
    words = (
        f"On logarithmic axes the variance of the batch mean falls with slope "
        f"−{-measured.slope():.2f} in m; dealt without replacement from {n:,} examples, it is "
        f"{measured.dealt[-1] * m[-1]:.1f} times σ²/m at m = {m[-1]:.0f}."
    )
    return FigureWithWords(figure, words)


def batch_company(company: Company) -> FigureWithWords:
    """Draw what becomes of an image's logits, and of its answer, among others.

    Parameters
    ----------
    company : Company
        From `bncourse.chapters.minibatches.runs.batch_mates`.

    Returns
    -------
    FigureWithWords
    """
    m = company.sizes
    with style():
        figure, axes = new_figure(7.2, 3.9, columns=2)
        panels = (
            (company.shift, company.alike_shift, "distance of a logit from its value"),
            (company.right, company.alike_right, "share of right answers"),
        )
        for ax, (random, alike, name) in zip(axes, panels, strict=True):
            ax.semilogx(m, random, "o-", color=GREEN)
            ax.semilogx(m, alike, "s-", color=PURPLE)
            ax.set_xticks(m, [f"{size:.0f}" for size in m])
            ax.minorticks_off()
            ax.set_ylim(0, 1.2 * max(random.max(), alike.max()))
            ax.set_xlabel("examples in the batch, m")
            ax.set_ylabel(name)
        axes[0].set_ylabel("distance of a logit\nfrom its value in the whole set")
        labels = {"color": GREEN, "fontweight": "bold"}
        axes[0].annotate("mates at random", (m[0], 0.15), **labels)
        axes[1].annotate("mates at random", (m[2], company.right[2] + 0.12), **labels)
        labels["color"] = PURPLE
        axes[0].annotate("mates of its own digit", (m[0], 1.06 * company.alike_shift[1]), **labels)
        axes[1].annotate("mates of its own digit", (m[0], company.alike_right[0] + 0.06), **labels)
        title(figure, "Large batches quiet random company, not biased company")
    words = (
        f"Among random mates a logit is {company.shift[0]:.1f} away from its value in the whole "
        f"training set in batches of {m[0]:.0f}, where {_percent(company.right[0])} of the "
        f"answers are right, and {company.shift[-1]:.1f} in batches of {m[-1]:.0f}, where "
        f"{_percent(company.right[-1])} are; among mates of its own digit it is "
        f"{company.alike_shift[-1]:.1f} away even there, and {_percent(company.alike_right[-1])} "
        "are right."
    )
    return FigureWithWords(figure, words)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def training_losses(losses: dict[str, list[float]], window: int = 10) -> FigureWithWords:
    """Draw the training loss of several optimisers.

    Parameters
    ----------
    losses : dict of str to list of float
        Loss of each step, by the optimiser's name; the first is drawn in black.
    window : int
        Steps of the running mean.

    Returns
    -------
    FigureWithWords
    """
    kernel = np.ones(window) / window
    smooth = {name: np.convolve(values, kernel, "valid") for name, values in losses.items()}
    first = next(iter(losses))
    steps = len(losses[first])
    with style():
        figure, ax = new_figure(6.4, 3.9)
        height = -np.inf
        for name in sorted(smooth, key=lambda name: smooth[name][-1]):
            values, colour = smooth[name], INK if name == first else GREY
            ax.semilogy(np.arange(len(values)) + window, values, color=colour, linewidth=1.8)
            # Names of lines that end close together are moved apart, upwards.
            height = max(np.log10(values[-1]), height + 0.11)
            ax.annotate(
                name,
                (steps, values[-1]),
                xytext=(1.03 * steps, 10**height),
                va="center",
                color=INK if name == first else "#555555",
                fontweight="bold",
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8},
            )
        ax.set_xlim(0, 1.36 * steps)
        ax.set_xticks(np.arange(0, steps + 1, 20))
        ticks = [t for t in (0.1, 0.2, 0.5, 1.0, 2.0) if t < max(map(max, smooth.values()))]
        ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
        ax.minorticks_off()
        ax.set_xlabel("training step")
        ax.set_ylabel(f"loss in nats, mean of {window} steps")
        ax.set_title("All four optimisers train the network with batch norm")
    ends = join([f"{values[-1]:.2f} with {name}" for name, values in smooth.items()])
    words = f"From {losses[first][0]:.2f} the loss falls in {steps} steps to {ends}."
    return FigureWithWords(figure, words)


def ghost_batches(runs: dict[int, list[Ghost]]) -> FigureWithWords:
    """Draw the training and the test loss against the size of the ghost batch.

    Parameters
    ----------
    runs : dict of int to list of Ghost
        The seeds' runs, by ghost size; the largest size is ordinary batch norm.

    Returns
    -------
    FigureWithWords
    """
    sizes = sorted(runs)
    medians = {
        size: Ghost(*(float(np.median(v)) for v in zip(*runs[size], strict=True)))
        for size in sizes
    }
    with style():
        figure, ax = new_figure(6.4, 4.0)
        for field, colour in (("training", GREY), ("test", BLUE)):
            for size in sizes:
                values = [getattr(run, field) for run in runs[size]]
                ax.loglog([size] * len(values), values, "o", color=colour, alpha=0.35)
            ax.loglog(sizes, [getattr(medians[s], field) for s in sizes], "o-", color=colour)
        whole = medians[sizes[-1]]
        options = {"textcoords": "offset points", "fontweight": "bold", "ha": "right"}
        ax.annotate("test loss", (sizes[-1], whole.test), xytext=(0, 12), color=BLUE, **options)
        ax.annotate(
            "training loss",
            (sizes[-1], whole.training),
            xytext=(0, 22),
            color="#555555",
            **options,
        )
        ax.minorticks_off()
        ax.set_xticks(sizes, [*map(str, sizes[:-1]), f"{sizes[-1]}\n(whole batch)"])
        ax.set_yticks((0.01, 0.1, 1.0), ("0.01", "0.1", "1"))
        ax.set_xlabel("examples that are normalised together")
        ax.set_ylabel("loss in nats")
        ax.set_title("From 128 down to 8: training loss up, test loss down")
    best = min(sizes, key=lambda size: medians[size].test)
    # What the smallest parts learn is chaotic, so their losses are told to a power of ten.
    level = 10.0 ** np.floor(np.log10(min(medians[sizes[0]][:2])))
    words = (
        f"From {sizes[-1]} to {best} examples normalised together, the median training loss rises "
        f"from {whole.training:.2f} to {medians[best].training:.2f} and the test loss falls from "
        f"{whole.test:.2f} to {medians[best].test:.2f}, with a test accuracy of "
        f"{whole.accuracy:.2f} and {medians[best].accuracy:.2f}; at {sizes[0]} both losses are "
        f"above {level:g}."
    )
    return FigureWithWords(figure, words)


def small_batches(accuracies: dict[str, dict[int, list[float]]]) -> FigureWithWords:
    """Draw the test accuracy against small batch sizes, with and without batch norm.

    Parameters
    ----------
    accuracies : dict of str to dict of int to list of float
        By `bncourse.chapters.minibatches.runs.TINY`; test accuracies of the seeds, by batch size.

    Returns
    -------
    FigureWithWords
    """
    medians = {
        kind: {m: float(np.median(values)) for m, values in by_size.items()}
        for kind, by_size in accuracies.items()
    }
    with style():
        figure, ax = new_figure(6.4, 3.9)
        labels = {
            TINY[0]: (WITHOUT, "without batch norm", 0, (14, 16)),
            TINY[1]: (WITH, "with batch norm", 0, (12, -4)),
            TINY[2]: (GREY, "only the output layer trained", 3, (0, -24)),
        }
        for kind, (colour, text, at, offset) in labels.items():
            sizes = list(medians[kind])
            (line,) = ax.semilogx(sizes, list(medians[kind].values()), "o-", color=colour)
            for m in sizes:
                values = accuracies[kind][m]
                ax.semilogx([m] * len(values), values, ".", color=colour, alpha=0.4)
            side = "right" if kind == TINY[2] else "left"
            label_line(ax, line, text, at=at, offset=offset, ha=side)
        ax.minorticks_off()
        ax.set_xticks(sizes, [str(m) for m in sizes])
        ax.set_ylim(0, 1.1)
        ax.set_xlabel("examples in the batch, m")
        ax.set_ylabel("test accuracy")
        ax.set_title("Batch norm fails in batches of two and recovers by four")
    # What tiny batches learn is chaotic, so their accuracies are told in steps of a tenth.
    without, with_bn, output_only = (medians[kind] for kind in TINY)
    behind = [m for m in sizes if with_bn[m] < without[m] - 0.3]
    level = [m for m in sizes if with_bn[m] > without[m] - 0.03]
    worse = [m for m in sizes if with_bn[m] < output_only[m] - 0.1]
    better = [m for m in sizes if with_bn[m] > output_only[m] + 0.1]
    words = (
        f"With batch norm the test accuracy is more than 0.3 below that without in batches of "
        f"{_sizes(behind)}, and no more than 0.03 below it in batches of {_sizes(level)}; "
        f"training the hidden layers costs more than 0.1 in batches of {_sizes(worse)} and gains "
        f"more than 0.1 in batches of {_sizes(better)}."
    )
    return FigureWithWords(figure, words)


def _sizes(sizes: list[int]) -> str:
    return join([str(m) for m in sizes]) if sizes else "no size"


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
    return FigureWithWords(figure, words, dealt.card)


#: The rows of `small_outcomes`: arm, ε, and what the figure calls it.
OUTCOMES = (
    (SMALL[0], 1e-5, "without batch norm"),
    (SMALL[1], 1e-5, "with batch norm"),
    (SMALL[2], 1e-5, "only output layer trained"),
    (SMALL[3], 1e-5, "hidden w held still"),
    (SMALL[4], 1e-5, "steps of hidden w capped"),
    (SMALL[1], 0.1, "all trained, ε = 0.1"),
    (SMALL[2], 0.1, "only output layer, ε = 0.1"),
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
        figure, ax = new_figure(6.4, 4.0)
        for row, (arm, epsilon, name) in enumerate(OUTCOMES):
            values = np.sort(found.of(arm, epsilon=epsilon)["accuracy"])
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
        ax.set_title("Capping the throws mends little, a large ε mends most", x=-0.45)
    words = f"Median test accuracies after 600 steps on batches of two: {join(said)}."
    return FigureWithWords(figure, words, found.card)

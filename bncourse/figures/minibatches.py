"""The figures of chapter 4."""

from __future__ import annotations

import numpy as np

from bncourse.display import FigureWithWords
from bncourse.experiments.minibatches import Company, MeanVariance
from bncourse.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    join,
    label_line,
    new_figure,
    style,
)

__all__ = [
    "batch_company",
    "batch_mean_variance",
    "ghost_batches",
    "small_batches",
    "training_losses",
]


def batch_mean_variance(measured: MeanVariance) -> FigureWithWords:
    """Draw the variance of the batch mean against the batch size, with both formulas.

    Parameters
    ----------
    measured : MeanVariance
        From `bncourse.experiments.minibatches.batch_mean_variance`.

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
            "drawn with replacement: σ²/m", (m[5], 1.5 / m[5]), color="#555555", fontweight="bold"
        )
        ax.annotate(
            "dealt without: σ²/m · (N−m)/(N−1)", (m[0], 0.0035), color=BLUE, fontweight="bold"
        )
        ax.set_xlabel("examples in the batch, m")
        ax.set_ylabel("variance of the batch mean, in σ²")
        ax.set_title("The batch mean scatters like σ²/m")
    words = (
        f"On logarithmic axes the variance of the batch mean falls with slope "
        f"{measured.slope():.2f} in m; dealt without replacement from {n:,} examples, it is "
        f"{measured.dealt[-1] * m[-1]:.1f} times σ²/m at m = {m[-1]:.0f}."
    )
    return FigureWithWords(figure, words)


def batch_company(company: Company) -> FigureWithWords:
    """Draw how far the logits of an image move with its batch-mates.

    Parameters
    ----------
    company : Company
        From `bncourse.experiments.minibatches.batch_mates`.

    Returns
    -------
    FigureWithWords
    """
    with style():
        figure, ax = new_figure(6.4, 3.9)
        for values, colour, text in (
            (company.sorted_scatter, VERMILION, "mates all show the same digit"),
            (company.scatter, BLUE, "mates at random"),
        ):
            (line,) = ax.semilogx(company.sizes, values, "o-", color=colour)
            label_line(ax, line, text, at=3, offset=(0, 16 if colour == BLUE else -18), ha="left")
        ax.set_xticks(company.sizes, [f"{m:.0f}" for m in company.sizes])
        ax.minorticks_off()
        ax.set_ylim(0, 1.25 * company.sorted_scatter.max())
        ax.set_xlabel("examples in the batch, m")
        ax.set_ylabel("shift of a logit (root mean square)")
        ax.set_title("An image's logits depend on its batch-mates")
    words = (
        f"With random batch-mates a logit scatters by {company.scatter[0]:.1f} in batches of "
        f"{company.sizes[0]:.0f} and by {company.scatter[-1]:.1f} in batches of "
        f"{company.sizes[-1]:.0f}; among images of the same digit it moves by "
        f"{company.sorted_scatter[-1]:.1f} even in the largest."
    )
    return FigureWithWords(figure, words)


def training_losses(losses: dict[str, list[float]], window: int = 10) -> FigureWithWords:
    """Draw the training loss of several optimisers.

    Parameters
    ----------
    losses : dict of str to list of float
        Loss of each step, by the optimiser's name.
    window : int
        Steps of the running mean.

    Returns
    -------
    FigureWithWords
    """
    kernel = np.ones(window) / window
    with style():
        figure, ax = new_figure(6.4, 3.9)
        for (name, values), colour in zip(losses.items(), (INK, BLUE, GREEN, ORANGE), strict=True):
            smooth = np.convolve(values, kernel, "valid")
            ax.semilogy(np.arange(len(smooth)) + window, smooth, color=colour, label=name)
        ax.legend()
        ax.set_xlabel("training step")
        ax.set_ylabel(f"loss in nats, mean of {window} steps")
        ax.set_title("Four optimisers, one loop")
    ends = join(
        [f"{np.mean(values[-window:]):.2f} with {name}" for name, values in losses.items()]
    )
    first = next(iter(losses.values()))
    words = f"From {first[0]:.2f} the loss falls in {len(first)} steps to {ends}."
    return FigureWithWords(figure, words)


def ghost_batches(losses: dict[int, list[float]]) -> FigureWithWords:
    """Draw the test loss against the size of the ghost batch.

    Parameters
    ----------
    losses : dict of int to list of float
        Test losses of the seeds, by ghost size; the largest size is ordinary batch norm.

    Returns
    -------
    FigureWithWords
    """
    sizes = sorted(losses)
    medians = [float(np.median(losses[size])) for size in sizes]
    with style():
        figure, ax = new_figure(6.4, 3.8)
        for size in sizes:
            ax.semilogx([size] * len(losses[size]), losses[size], "o", color=GREY, alpha=0.6)
        ax.semilogx(sizes, medians, "o-", color=BLUE)
        ax.annotate(
            "the whole batch\n(control)",
            (sizes[-1], medians[-1]),
            xytext=(0, 16),
            textcoords="offset points",
            ha="right",
            color=INK,
        )
        ax.set_yscale("log")
        ax.minorticks_off()
        ticks = [t for t in (0.1, 0.2, 0.5, 1.0, 2.0) if 0.5 * min(medians) < t < 2 * max(medians)]
        ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.set_xlabel("examples that are normalised together")
        ax.set_ylabel("test loss in nats")
        ax.set_title("A little batch noise helps, too much hurts")
    best = sizes[int(np.argmin(medians))]
    words = (
        f"Median test loss: {medians[-1]:.2f} when all {sizes[-1]} examples are normalised "
        f"together, lowest at {best} examples with {min(medians):.2f}, and "
        f"{'more' if medians[0] > 3 * medians[-1] else 'less'} than three times as high at "
        f"{sizes[0]}."
    )
    return FigureWithWords(figure, words)


def small_batches(
    accuracies: dict[bool, dict[int, list[float]]],
) -> FigureWithWords:
    """Draw the test accuracy against small batch sizes, with and without batch norm.

    Parameters
    ----------
    accuracies : dict of bool to dict of int to list of float
        Without (False) and with batch norm; test accuracies of the seeds, by batch size.

    Returns
    -------
    FigureWithWords
    """
    medians = {
        bn: {m: float(np.median(values)) for m, values in by_size.items()}
        for bn, by_size in accuracies.items()
    }
    with style():
        figure, ax = new_figure(6.4, 3.6)
        for bn, colour, text, at in (
            (False, VERMILION, "without batch norm", 0),
            (True, BLUE, "with batch norm", 0),
        ):
            sizes = list(medians[bn])
            (line,) = ax.semilogx(sizes, list(medians[bn].values()), "o-", color=colour)
            for m in sizes:
                values = accuracies[bn][m]
                ax.semilogx([m] * len(values), values, "o", color=colour, alpha=0.3)
            label_line(ax, line, text, at=at, offset=(12, 10 if bn else -14))
        ax.minorticks_off()
        ax.set_xticks(sizes, [str(m) for m in sizes])
        ax.set_ylim(0, 1.05)
        ax.set_xlabel("examples in the batch, m")
        ax.set_ylabel("test accuracy")
        ax.set_title("Batch norm fails in batches of two and recovers by four")
    # What tiny batches learn is chaotic, so their accuracies are told in steps of a tenth.
    behind = [m for m in sizes if medians[True][m] < medians[False][m] - 0.3]
    level = [m for m in sizes if medians[True][m] > medians[False][m] - 0.03]
    words = (
        f"With batch norm the test accuracy is more than 0.3 below that without in batches of "
        f"{join([str(m) for m in behind])}, and no more than 0.03 below it in batches of "
        f"{join([str(m) for m in level])}."
    )
    return FigureWithWords(figure, words)

"""The explorable of chapter 4: batch-mates."""

from __future__ import annotations

import numpy as np

from bncourse.arrays import Floats
from bncourse.chapters.measured import taking_down
from bncourse.chapters.minibatches.runs import COMPANIES, CROWDS, in_company, mates, two_networks
from bncourse.data import load_digits
from bncourse.display import Choice, Explorable, FigureWithWords, Range
from bncourse.display.card import Card
from bncourse.display.style import PURPLE, WITH, WITHOUT, new_figure, style


def _album(images: Floats) -> Floats:
    """Return the images side by side in rows, about twice as many in a row as there are rows."""
    rows = max(1, int(np.sqrt(len(images) / 1.5)))
    columns = -(-len(images) // rows)
    album = np.full((9 * rows - 1, 9 * columns - 1), np.nan)
    for k, image in enumerate(images):
        top, left = 9 * (k // columns), 9 * (k % columns)
        album[top : top + 8, left : left + 8] = image.reshape(8, 8)
    return album


def batch_mates(seed: int = 0, steps: int = 200) -> Explorable:
    """Return the explorable: one image of a 0, the size of its batch, and who else is in it.

    Parameters
    ----------
    seed : int
        Of the two networks.
    steps : int
        Of their training.
    """
    with taking_down() as taken:
        nets = two_networks(seed, steps)
    digits = load_digits()
    label = int(digits.y_test[0])

    def draw_mates(m: int, company: str, draw: int) -> FigureWithWords:
        others = mates(m, company, np.random.default_rng(draw))
        shares = {bn: in_company(net, others) for bn, net in nets.items()}
        album = _album(np.concatenate([digits.x_test[:1], digits.x_train[others]]))
        with style():
            figure, axes = new_figure(5.0, 4.4, 2, 1)
            axes[0].imshow(np.ma.masked_invalid(album), cmap="Greys", vmin=0, vmax=1.15)
            axes[0].plot(
                [-0.5, 7.5, 7.5, -0.5, -0.5], [-0.5, -0.5, 7.5, 7.5, -0.5], color=PURPLE, lw=2.5
            )
            axes[0].set_xlim(-1, album.shape[1])
            axes[0].set_ylim(album.shape[0], -1)
            axes[0].axis("off")
            for bn, side, colour in ((False, -0.2, WITHOUT), (True, 0.2, WITH)):
                axes[1].bar(np.arange(10) + side, shares[bn], 0.4, color=colour)
                says = int(shares[bn].argmax())
                axes[1].text(
                    -0.5,
                    1.12 + 0.14 * (not bn),
                    f"{'with batch norm' if bn else 'without'}: {says} ({shares[bn][says]:.2f})",
                    color=colour,
                    fontweight="bold",
                    va="center",
                )
            axes[1].set_ylim(0, 1.34)
            axes[1].set_yticks((0, 0.5, 1), ("0", "0.5", "1"))
            axes[1].set_xticks(range(10))
            axes[1].get_xticklabels()[label].set_color(PURPLE)
            axes[1].get_xticklabels()[label].set_fontweight("bold")
            axes[1].grid(visible=False, axis="x")
        beside = f"{m - 1} other image{'' if m == 2 else 's'}"
        of_one = shares[True]
        words = (
            f"The framed image of a {label} beside {beside} ({company}, draw {draw}): with batch "
            f"norm it is taken for a {of_one.argmax()} ({of_one.max():.2f}), and its own class "
            f"gets {of_one[label]:.2f}; without, for a {shares[False].argmax()} "
            f"({shares[False].max():.2f})."
        )
        return FigureWithWords(figure, words)

    return Explorable(
        "Batch-mates",
        draw_mates,
        {
            "m": Range("examples, m", CROWDS, 8, low=2, high=128, step=1, form="{:.0f}"),
            "company": Choice("company", COMPANIES, COMPANIES[0]),
            "draw": Range("draw", (1, 2, 3), 1, high=100, step=1, form="{:.0f}"),
        },
        Card(
            "What does a network say of one image, by who else is in its batch?",
            "The same image by the network without batch norm, with the same company.",
            "Training mode: statistics of the batch.",
            taken,
        ),
    )

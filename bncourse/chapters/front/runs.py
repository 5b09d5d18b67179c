"""The run of the front page: one image of a 0, and what its neighbours make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bncourse.activations import ReLU
from bncourse.arrays import Floats, Integers
from bncourse.chapters.common import train_digits
from bncourse.chapters.measured import measured
from bncourse.data import Digits, load_digits
from bncourse.display.card import Card
from bncourse.network import Sequential
from bncourse.statistics import layer_outputs

#: Who stands beside the image.
COMPANIES = ("nine other digits", "nine other zeros", "nobody")
#: The first two are one network, asked in two modes.
NETWORKS = (
    "with batch norm, training mode",
    "with batch norm, evaluation mode",
    "without batch norm",
)
LABEL = 0
MATES = 9


@dataclass(frozen=True)
class Neighbours:
    """What networks say of one image in several companies.

    Attributes
    ----------
    image : array, shape (64,)
        The image of a 0, from the test set.
    mates : dict of str to array, shape (9, 64)
        The first draw of each company; nobody has no mates.
    probabilities : dict of (str, str) to array, shape (10,)
        By network and company: what the first network says in the first draw.
    answers : dict of (str, str) to array, shape (10,)
        In how many of all draws of all networks each class was the answer.
    right : dict of (str, str) to float
        Share of the test images recognised, each beside one draw of mates: its own class for
        ``"nine other zeros"``.
    card : Card or None
    """

    image: Floats
    mates: dict[str, Floats]
    probabilities: dict[tuple[str, str], Floats]
    answers: dict[tuple[str, str], Integers]
    right: dict[tuple[str, str], float]
    card: Card | None = None


def draw_mates(rng: np.random.Generator, digits: Digits, company: str, image: int) -> Floats:
    """Draw nine test images to stand beside one of them: of other classes, or of its own."""
    if company == COMPANIES[2]:
        return digits.x_test[:0]
    same = digits.y_test == digits.y_test[image]
    pool = np.flatnonzero(same if company == COMPANIES[1] else ~same)
    chosen = rng.choice(pool[pool != image], MATES, replace=False)
    return digits.x_test[chosen]


def answer(net: Sequential, image: Floats, mates: Floats, network: str) -> Floats:
    """Return the probabilities of one image's classes, beside its mates, in one of the modes."""
    batch = np.concatenate([image[None], mates])
    statistics = "running" if network == NETWORKS[1] else "batch"
    logits = layer_outputs(net, batch, statistics=statistics)[-1][0]
    e = np.exp(logits - logits.max())
    shares: Floats = e / e.sum()
    return shares


@measured(
    question="Do an image's neighbours in the batch change what a network says of it?",
    control="The same networks without batch norm, the same image and the same neighbours.",
    mode="In training mode by the statistics of the ten images shown, in evaluation mode by the "
    "running averages of training.",
)
def neighbours(seeds: Sequence[int] = range(5), draws: int = 20, steps: int = 480) -> Neighbours:
    """Ask trained networks for one image of a 0 in several companies, and for every test image.

    Parameters
    ----------
    seeds : sequence of int
        A network with and one without batch norm for each.
    draws : int
        Of each company, for each network; the same for both arms.
    steps : int
        Of training, on batches of mixed digits.

    Returns
    -------
    Neighbours
    """
    digits = load_digits()
    zero = int(np.flatnonzero(digits.y_test == LABEL)[0])
    rng = np.random.default_rng(0)
    drawn = {
        company: [draw_mates(rng, digits, company, zero) for _ in range(draws)]
        for company in COMPANIES[:2]
    } | {COMPANIES[2]: [digits.x_test[:0]]}
    of_each = {
        company: [draw_mates(rng, digits, company, k) for k in range(len(digits.y_test))]
        for company in COMPANIES
    }
    cells = [(network, company) for network in NETWORKS for company in COMPANIES]
    probabilities: dict[tuple[str, str], Floats] = {}
    answers = {cell: np.zeros(10, int) for cell in cells}
    right = dict.fromkeys(cells, 0.0)
    for seed in seeds:
        nets = [train_digits(seed, ReLU, bn, 0.1, steps)[0] for bn in (True, False)]
        for network, net in zip(NETWORKS, (nets[0], *nets), strict=True):
            for company in COMPANIES:
                cell = network, company
                said = [
                    answer(net, digits.x_test[zero], mates, network) for mates in drawn[company]
                ]
                probabilities.setdefault(cell, said[0])
                answers[cell] += np.bincount(np.argmax(said, axis=1), minlength=10)
                each = [
                    answer(net, x, mates, network).argmax()
                    for x, mates in zip(digits.x_test, of_each[company], strict=True)
                ]
                right[cell] += float(np.mean(each == digits.y_test)) / len(seeds)
    first = {company: mates[0] for company, mates in drawn.items()}
    return Neighbours(digits.x_test[zero], first, probabilities, answers, right)

"""The front page's explorable: what an image's neighbours do to its answer, and how it is told."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from bncourse.chapters.front import explore, runs
from bncourse.chapters.front.runs import COMPANIES, NETWORKS
from bncourse.data import load_digits

from .checks import check_controls, explorables_of

WITH, STORED, WITHOUT = NETWORKS
DIGITS, ZEROS, NOBODY = COMPANIES


@pytest.fixture(scope="module")
def found():
    return runs.neighbours(seeds=range(2), draws=5)


def test_the_image_is_a_zero_and_its_neighbours_are_what_they_are_called(found):
    digits = load_digits()

    def label(image):
        (k,) = np.flatnonzero((digits.x_test == image).all(axis=1))
        return digits.y_test[k]

    assert label(found.image) == 0
    assert {label(mate) for mate in found.mates[ZEROS]} == {0}
    assert 0 not in {label(mate) for mate in found.mates[DIGITS]}
    assert not any((mate == found.image).all() for mate in found.mates[ZEROS])
    assert [len(found.mates[company]) for company in COMPANIES] == [9, 9, 0]


def test_with_batch_norm_the_neighbours_decide_and_without_they_do_not(found):
    assert found.answers[WITH, DIGITS][0] == 10
    assert found.answers[WITH, ZEROS][0] <= 1
    for network in (STORED, WITHOUT):
        for company in COMPANIES:
            assert found.answers[network, company][0] == found.answers[network, company].sum()
            assert found.right[network, company] > 0.95
    # Not this image alone: nearly every test image is lost among its own kind, and when alone.
    assert found.right[WITH, DIGITS] > 0.95
    assert found.right[WITH, ZEROS] < 0.2
    assert found.right[WITH, NOBODY] < 0.2


def test_alone_all_images_get_one_answer(found):
    shares = found.probabilities[WITH, NOBODY]
    assert shares.max() < explore.SHRUG
    assert found.answers[WITH, NOBODY].sum() == 2


def test_a_frame_says_what_it_shows(found):
    moved = explore.neighbours(found)
    check_controls(moved)
    assert explorables_of(explore) == {"neighbours"}
    for setting in moved.settings:
        words = moved.at(**setting)
        shares = found.probabilities[setting["network"], setting["company"]]
        assert f"{shares.max():.2f}" in words
        assert setting["network"] in words


@pytest.mark.parametrize(
    ("top", "title"),
    [(0.95, "“5”, sure"), (0.7, "“5”, quite sure"), (0.4, "“5”, unsure"), (0.15, "no idea")],
)
def test_how_sure_a_network_is_has_a_word(found, top, title):
    shares = np.full(10, (1 - top) / 9)
    shares[5] = top
    changed = dataclasses.replace(found, probabilities={(WITH, ZEROS): shares})
    assert explore.said(changed, ZEROS, WITH) == title
    words = explore.draw_neighbours(changed, ZEROS, WITH).words
    assert ("no digit gets more" in words) == (top < explore.SHRUG)
    assert re.search(rf"{top:.2f}", words)

"""Does it hold elsewhere? The rule of its verdicts, its runs' settings, its figures' words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bncourse import load_mnist1d
from bncourse.chapters.elsewhere import figures, runs
from bncourse.display import Card

from .checks import check_picture, check_words

CARD = Card("Why?", "None is needed here.", "Evaluation.", {"seed": [0]})
LIKE = runs.ROWS[3]
UNLIKE = runs.ROWS[0]


def outcome(digits, mnist1d, row=UNLIKE):
    return runs.Outcome(
        row, *(runs.Pairs(tuple(ratios), (1.0,) * len(ratios)) for ratios in (digits, mnist1d))
    )


def compared(*outcomes):
    return runs.Comparison(outcomes, CARD)


HOLDS = outcome([16.0] * 5, [4.0] * 5)
WEAKER = outcome([16.0] * 5, [3.9] * 5)
NOT = outcome([16.0] * 5, [90.0] * 4 + [1.0])

#: For each figure two calls, and what the words must say after each.
CALLS = {
    "examples": [
        ((load_mnist1d(),), r"Six sequences of 40 numbers.* classes 2, 6, 4, 5, 6 and 6\."),
        (
            (load_mnist1d()._replace(y_train=np.arange(6), x_train=np.ones((6, 7))),),
            r"of 7 numbers.* 0, 1, 2, 3, 4 and 5\. The values run from 1\.0 to 1\.0\.",
        ),
    ],
    "ratios": [
        (
            (compared(HOLDS, HOLDS, WEAKER, NOT),),
            r"Of 4 sentences, 2 hold, 1 holds more weakly and 1 does not hold on MNIST-1D\. "
            r".*: 16 on the digits, 90 on",
        ),
        ((compared(HOLDS, HOLDS),), r"Of 2 sentences, 2 hold on MNIST-1D\. .*16 .* 4 on"),
    ],
}


def test_every_figure_is_here():
    assert set(CALLS) == set(figures.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_the_words_follow_the_numbers(name):
    check_words(getattr(figures, name), CALLS[name])


def test_the_picture_is_small_and_twice_the_size_of_its_place():
    check_picture(figures.examples(*CALLS["examples"][0][0]))


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (HOLDS, "holds"),  # a logarithm of half the digits'
        (WEAKER, "weaker"),
        (NOT, "not"),  # one pair of five shows nothing
        (outcome([16.0] * 5, [0.1] * 5), "not"),
        (outcome([1.0] * 5, [0.9, 1.1, 1.1, 1.1, 1.1], LIKE), "holds"),
        (outcome([1.0] * 5, [1.1] * 5, LIKE), "not"),
        (outcome([1.0] * 5, [0.9] * 5, LIKE), "not"),
    ],
)
def test_the_verdict_follows_the_rule(found, verdict):
    assert found.verdict == verdict


def test_a_run_that_never_arrives_counts_as_the_last_step():
    pairs = runs.Pairs((float("inf"), 50.0), (20.0, 100.0), most=100.0)
    assert pairs.ratios.tolist() == [5.0, 0.5]
    assert not pairs.agree
    assert not pairs.opposed


def test_decades_are_compared_by_the_width_they_make():
    assert runs.Pairs((2.0,), (0.5,), exponents=True).ratio == pytest.approx(10**1.5)


def test_both_sides_of_a_row_differ_in_one_setting_or_in_what_is_read():
    for row in runs.ROWS:
        sides = row.more.settings, row.less.settings
        differing = {
            name for name in sides[0].keys() | sides[1].keys() if sides[0][name] != sides[1][name]
        }
        if row.run is runs.noisy_training and row.more.name != "noise":
            if row.less.name != "none":
                assert differing == {"batch_norm", "level"}
        else:
            assert len(differing) == 1 or (not differing and row.more.read != row.less.read)


def test_mnist1d_gets_ten_times_the_steps_where_they_are_not_the_subject():
    (digits,) = UNLIKE.points(UNLIKE.more, "digits")
    (mnist1d,) = UNLIKE.points(UNLIKE.more, "mnist1d")
    assert (digits["at_most"], digits["every"], digits["target"]) == (1000, 10, 0.9)
    assert (mnist1d["at_most"], mnist1d["every"], mnist1d["target"]) == (10_000, 100, 0.5)
    assert {name for name in digits if digits[name] != mnist1d[name]} == {
        "data",
        "at_most",
        "every",
        "target",
    }


#: A few steps of each run, and what its result must be like.
SMALL = {
    runs.steps_to: {
        "data": "mnist1d",
        "activation": "ReLU",
        "batch_norm": True,
        "rate": 0.3,
        "standardized": True,
        "target": 0.11,
        "at_most": 20,
        "every": 10,
    },
    runs.accuracy_after: {
        "data": "mnist1d",
        "activation": "sigmoid",
        "batch_norm": True,
        "rate": 0.1,
        "steps": 2,
        "layers": 2,
        "units": 5,
    },
    runs.accuracy_by_order: {
        "data": "mnist1d",
        "batch_norm": True,
        "order": "shuffled",
        "steps": 2,
    },
    runs.accuracy_by_average: {"data": "mnist1d", "corrected": True, "decay": 0.9, "steps": 2},
    runs.accuracy_in_company: {"data": "mnist1d", "rate": 0.1, "steps": 2},
    runs.curvature_spread: {"data": "mnist1d", "activation": "tanh", "batch_norm": True},
    runs.gradient_shift: {
        "data": "mnist1d",
        "activation": "ReLU",
        "batch_norm": True,
        "steps": 2,
    },
    runs.noisy_training: {
        "data": "mnist1d",
        "batch_norm": True,
        "level": 1.0,
        "rate": 0.1,
        "target": 0.99,
        "at_most": 4,
        "every": 2,
    },
    runs.smoothness: {"data": "mnist1d", "activation": "ReLU", "batch_norm": True, "steps": 10},
    runs.fixed_length_accuracy: {"data": "mnist1d", "rate": 0.1, "fixed": True, "steps": 2},
    runs.gradient_growth: {
        "data": "mnist1d",
        "activation": "ReLU",
        "batch_norm": True,
        "depth": 12,
    },
    runs.ghost_loss: {"data": "mnist1d", "ghost_size": 8, "images": 130, "steps": 2},
}


def test_every_run_is_tried():
    assert set(SMALL) == {stored.run for stored in runs.STORED} == {row.run for row in runs.ROWS}


@pytest.mark.parametrize("run", SMALL, ids=lambda run: run.__name__)
def test_a_run_gives_plain_numbers_that_its_seed_decides(run):
    result = run(seed=3, **SMALL[run])
    assert json.loads(json.dumps(result)) == result == run(seed=3, **SMALL[run])
    numbers = result.values() if isinstance(result, dict) else [result]
    assert all(type(number) is float for number in numbers)
    if run is not runs.steps_to:  # which is the same after the same number of steps
        assert run(seed=4, **SMALL[run]) != result


def test_noise_moves_what_arrives_and_stops_at_evaluation(rng):
    settings = SMALL[runs.noisy_training] | {"data": "digits"}
    still, moved = (runs.noisy_training(0, **settings | {"level": level}) for level in (0.0, 2.0))
    # Two shifts in ±2 are 4/3 apart on average, and ReLU gets a z of standard deviation 1.
    assert still["drift"] < 0.1
    assert moved["drift"] == pytest.approx(4 / 3, rel=0.15)
    layer = runs.ShiftNoise(3, 1.0, rng)
    z = np.zeros((2, 3))
    np.testing.assert_array_equal(layer.forward(z, training=False), z)
    shifted = layer.forward(z, training=True)
    np.testing.assert_array_equal(shifted[0], shifted[1])
    assert (np.abs(shifted) < 1).all()
    assert (shifted != 0).all()


#: What the page's prose says of a row; the others are of no concern to it.
TOLD = {
    "The sigmoid network at learning rate 1 trains in fewer steps": "weaker",
    "The modern network trains in fewer steps, each arm at its best rate": "holds",
    "At the moderate rate 0.1 the modern network gains little or nothing": "not",
    "More learning rates train": "holds",
    "More initial weights train": "holds",
    "With batches of two, batch norm does harm": "holds",
    "With batches of one class each, batch norm does harm": "holds",
    "A prediction that depends on its batch-mates fails on a batch of one class": "holds",
    "Over 60 steps the gradient shift is smaller, for ReLU": "weaker",
    "Batch norm with noise on it drifts more than no batch norm": "holds",
    "With that noise, batch norm trains in fewer steps than none without noise": "not",
    "Without batch norm the same noise slows training": "holds",
    "After equally many steps the landscape is rougher, for the sigmoid": "not",
    "At rate 5, training with batch norm needs weights that may grow": "not",
    "On few examples, ghost batches of 8 are level with no batch norm": "not",
}


def test_the_page_s_prose_tells_what_the_tables_say():
    found = {o.row.sentence: o for o in runs.comparison().outcomes}
    assert {sentence: found[sentence].verdict for sentence in TOLD} == TOLD
    # "Four do not."
    verdicts = [o.verdict for o in found.values() if o.row.chapter == runs.VERDICTS]
    assert verdicts.count("not") == 4
    # "MNIST-1D trains in neither way."
    stuck = found["At rate 5, training with batch norm needs weights that may grow"].mnist1d
    assert max(stuck.more + stuck.less) < 0.2
    # And every sentence is seen on the digits, or there would be nothing to hold.
    assert all(o.digits.agree for o in found.values() if not o.row.alike)


def test_a_cell_says_never_over_and_split():
    noise = next(row for row in runs.ROWS if row.more.name == "noise")
    inf = float("inf")
    cells = [
        runs._cells(noise, runs.Pairs(more, less, most=100.0))
        for more, less in (
            ((50.0, 60.0), (20.0, 20.0)),
            ((inf, inf), (20.0, 20.0)),
            ((50.0, 10.0), (20.0, 20.0)),
            ((1234.0,), (0.5,)),
        )
    ]
    assert [(medians.replace("\u00a0", " "), ratio) for medians, ratio in cells] == [
        ("55 / 20", "2.8"),
        ("never / 20", "over 5"),
        ("30 / 20", "split"),
        ("1,234 / 0", "200"),
    ]


def test_batch_norm_saves_steps_on_mnist1d_at_every_rate():
    pairs = runs.modern_by_rate().pairs
    assert len(pairs) == 8
    assert all(found.agree for (data, _), found in pairs.items() if data == "mnist1d")

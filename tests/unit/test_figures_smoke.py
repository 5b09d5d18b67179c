"""Every figure is drawn from made-up numbers, and its words must follow them.

The notebooks compare the words of the real runs strictly; here each figure gets two sets of
numbers that its sentence must tell apart, so that no branch of a sentence goes unread.
"""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from bncourse.chapters import algorithm, bias, inference, intuition, minibatches, motivation
from bncourse.display import FigureWithWords, style

MODULES = (algorithm, bias, inference, intuition, minibatches, motivation)
FIGURES = {
    name: getattr(module.figures, name) for module in MODULES for name in module.figures.__all__
}


def record(kind, **values):
    """Return a record of a run with these fields; the figures don't look at the others."""
    return kind(**{name: values.pop(name, None) for name in kind._fields}, **values)


def variance_errors(one_pass, negative):
    means = 10.0 ** np.arange(0, 6.1, 0.5)
    flat = np.ones(len(means))
    return record(
        algorithm.runs.VarianceErrors,
        means=means,
        one_pass=one_pass * flat,
        two_pass=3e-8 * flat,
        negative=negative * flat,
    )


def window(mean, sd):
    return algorithm.runs.sigmoid_window(mean, sd)


def growth(measured, pythagoras, rates):
    return record(
        bias.runs.Growth,
        steps=np.arange(len(rates)),
        norm=np.linspace(1.0, measured, len(rates)),
        pythagoras=np.linspace(1.0, pythagoras, len(rates)),
        rate=np.asarray(rates, float),
        accuracy=0.9,
    )


def shift_effect(factor):
    shifts = 10.0 ** np.arange(-2, 3)
    return record(
        bias.runs.ShiftEffect,
        shifts=shifts,
        training=factor * 1e-9 * shifts,
        training32=factor * 0.1 * shifts,
        evaluation=factor * 10 * shifts,
    )


def stability(drift, steps):
    return [
        record(intuition.runs.Stability, drift=drift, steps=steps + k) for k in (-1.0, 0.0, 1.0)
    ]


def mean_variance(power):
    sizes = np.array([2.0, 4, 8, 16, 32, 64])
    return record(
        minibatches.runs.MeanVariance,
        sizes=sizes,
        replaced=sizes**power,
        dealt=0.5 / sizes,
        population=1437,
    )


def company(shift, right):
    sizes = np.array([2.0, 4, 8, 16, 32])
    return record(
        minibatches.runs.Company,
        sizes=sizes,
        shift=shift / sizes,
        alike_shift=shift * np.ones(5),
        right=right * np.ones(5),
        alike_right=0.5 * right * np.ones(5),
    )


def ghosts(best):
    return {
        size: [
            record(minibatches.runs.Ghost, training=0.1, test=0.2 + (size != best), accuracy=0.9)
        ]
        for size in (2, 8, 128)
    }


def tiny_batches(with_bn):
    rows = ({2: 0.9, 4: 0.9}, with_bn, {2: 0.7, 4: 0.7})
    rows += ({2: 0.5, 4: 0.5},) * (len(minibatches.runs.TINY) - len(rows))
    return {
        kind: {m: [value] * 3 for m, value in row.items()} | {8: [0.8] * 3, 16: [0.8] * 3}
        for kind, row in zip(minibatches.runs.TINY, rows, strict=True)
    }


def descent(steps, kappa):
    path = np.linspace([1.0, 0.5], [0.0, 0.0], steps + 1)
    return record(motivation.runs.Descent, path=path, kappa=kappa, hessian=np.diag([1.0, kappa]))


def working_range(without, with_bn):
    values = 10.0 ** np.arange(-3.0, 1.1)
    rows = ([0.95 if k < n else 0.2 for k in range(5)] for n in (without, with_bn))
    return motivation.runs.Range(values, *map(np.array, rows))


def table(good):
    values = np.where(np.arange(9).reshape(3, 3) < good, 0.95, 0.1)
    return record(
        motivation.runs.Map,
        rates=10.0 ** np.arange(-2, 1),
        gains=10.0 ** np.arange(-1, 2),
        without=values,
        with_bn=np.full((3, 3), 0.95),
        losses=np.ones((2, 3, 3, 5)),
    )


def estimates(biased):
    return {
        m: inference.runs.VarianceEstimates(biased, biased * m / (m - 1), 1.0, 1.5)
        for m in (2, 8, 60)
    }


def averages(gap):
    names = ("raw", "corrected", "cumulative", "from 0 and 1", "precise")
    return {name: [0.9 - gap * (name == "raw")] * 5 for name in names}


def losses(end):
    return list(np.geomspace(2.3, end, 60))


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "sigmoid_window": [
        ((window(0.0, 1.0),), r"mean 0 and standard deviation 1 .* between 0\.16 and 0\.84"),
        ((window(3.0, 0.5),), r"mean 3 and standard deviation 0\.5 .* between 0\.90 and 0\.98"),
    ],
    "output_spread": [
        ((), r"0\.0032 for ε = 1e-05 and 0\.032 for ε = 0\.001"),
        (((1e-8, 1e-4),), r"0\.0001 for ε = 1e-08 and 0\.01 for ε = 0\.0001"),
    ],
    "computation_graph": [((), r"2 edges enter .* 4 paths")],
    "stopped_gradient": [
        ((losses(0.01), losses(0.02)), r"After 60 steps .* less than ten times .* all the time"),
        (
            (losses(0.01), [*losses(0.5)[:40], *[2.0] * 30]),
            r"more than ten times .* lower before and risen again",
        ),
    ],
    "variance_errors": [
        ((variance_errors(2.0, 0.4),), r"200 % .* more than 100 % .* 40 % .* less than 1e-07"),
        ((variance_errors(0.5, 0.0),), r"50 % .* more than 1 % .* 0 %"),
    ],
    "ghost_bias": [
        ((shift_effect(1.0),), r"less than 1e-06 .* more than 1 .* by 0\.1 at"),
        ((shift_effect(0.01),), r"less than 1e-08 .* less than 1 .* by 0\.0 at"),
        ((shift_effect(1e9),), r"less than 1000 in float64"),
    ],
    "weight_growth": [
        (
            (growth(3.0, 3.0, [1] * 3), growth(3.0, 2.0, [1] * 3)),
            r"factor of 3\.0 .* within 0\.1 %; .* 50 %",
        ),
        (
            (growth(5.0, 6.0, [1] * 3), growth(2.0, 3.0, [1] * 3)),
            r"factor of 5\.0 .* but not to 0\.1 %; .* 200 %",
        ),
    ],
    "right_triangles": [
        ((), r"3 steps.* from 1\.00 to 1\.56, 2\.05 and 2\.48"),
        (((1.0,),), r"1 steps.* from 1\.00 to 2\.00"),
    ],
    "effective_rate": [
        (
            (
                (0.25, 1.0, 4.0),
                [growth(1.0, 1.0, [r, 5, 5]) for r in (16, 4, 1)],
                [growth(1.0, 1.0, [r, r, r]) for r in (8, 4, 1)],
            ),
            r"factor of 16 differ .* factor of 8",
        ),
        (
            (
                (0.25, 1.0, 4.0),
                [growth(1.0, 1.0, [4, *[5] * 999]) for _ in range(3)],
                [growth(1.0, 1.0, [r, r, r]) for r in (9, 3, 1)],
            ),
            r"factor of 1 end within a fifth .* factor of 9",
        ),
    ],
    "depth_profile": [
        (({"one": np.ones(50), "two": 2.0 ** np.arange(50)[::-1]},), r"1\.00 with one and 2\.00"),
        (({"one": 3.0 ** np.arange(50)[::-1]},), r"over 50 layers .* 3\.00 with one\."),
    ],
    "drift_and_speed": [
        (
            (
                {
                    "none": stability(0.1, 90.0),
                    "batch norm": stability(0.2, 30.0),
                    "noisy": stability(0.9, 40.0),
                },
            ),
            r"0\.10 and 90 with no batch norm, 0\.20 and 30 .* 0\.90 and 40",
        ),
    ],
    "smoothness_ratios": [
        (({"a": 3.0, "b": 0.5, "c": 1.0},), r"smoother in 1 of 3 .* rougher in 1; .* 0\.50 \(b\)"),
        (({"a": 2.0, "b": 4.0},), r"smoother in 2 of 2 .* rougher in 0; .* 4\.0 \(b\)"),
    ],
    "batch_mean_variance": [
        ((mean_variance(-1.0),), r"slope −1\.00 .* 0\.5 times σ²/m at m = 64"),
        ((mean_variance(-2.0),), r"slope −2\.00"),
    ],
    "batch_company": [
        ((company(4.0, 0.8),), r"2\.0 away .* 80 % .* 4\.0 away even there, and 40 %"),
        ((company(1.0, 0.5),), r"0\.5 away .* 50 % .* 1\.0 away even there, and 25 %"),
    ],
    "training_losses": [
        (({name: losses(0.1) for name in "abcd"},), r"From 2\.30 .* in 60 steps .* with d"),
        (({name: losses(1.5) for name in "ab"},), r"with a and .* with b"),
    ],
    "ghost_batches": [
        ((ghosts(8),), r"From 128 to 8 .* from 1\.20 to 0\.20"),
        ((ghosts(2),), r"From 128 to 2 .* from 1\.20 to 0\.20"),
    ],
    "small_batches": [
        ((tiny_batches({2: 0.2, 4: 0.9}),), r"more than 0\.3 below that without in batches of 2,"),
        ((tiny_batches({2: 0.9, 4: 0.9}),), r"in batches of no size, .* batches of 2, 4, 8 and"),
    ],
    "bowls": [
        (
            ([descent(30, 16.0), descent(1, 1.0)], ["raw", "scaled"]),
            r"30 steps on raw .* 1 step on",
        ),
        (([descent(2, 9.0), descent(3, 2.0)], ["a", "b"]), r"number 9\), 3 steps on b"),
    ],
    "headline": [
        (
            ({False: [800.0, 900.0], True: [50.0, 50.0]}, {b: (1.0, [20.0]) for b in (0, 1)}),
            r"median of 2 seeds: .* 850 .* 50 with, ratio 17\. .* ratio 1\.0",
        ),
        (
            ({False: [90.0], True: [30.0]}, {False: (1.0, [30.0]), True: (0.1, [20.0])}),
            r"90 .* 30 with, ratio 3\. .* 30 without, 20 with, ratio 1\.5",
        ),
    ],
    "hidden_spectra": [
        (
            (np.geomspace(100, 1e-9, 9), np.geomspace(4, 1, 9)),
            r"below 0\.0001 without, 0\.50 with",
        ),
        ((np.geomspace(4, 1, 9), np.geomspace(9, 4, 9)), r"0\.50 without, 0\.67 with"),
    ],
    "learning_rate_map": [
        ((table(1),), r"Of 9 .* 1 reaches 90 % without .* 9 with"),
        ((table(4),), r"Of 9 .* 4 reach 90 % without"),
    ],
    "working_ranges": [
        (
            (working_range(2, 4), working_range(1, 5)),
            r"1\.0 decades .*0\.001 to 0\.01\), 2\.0 with .* to 10\)",
        ),
        ((working_range(5, 5), working_range(3, 3)), r"0\.001 to 10\).*0\.001 to 0\.1\)"),
    ],
    "averages_compared": [
        ((averages(0.4), [5, 10, 20, 40, 80]), r"0\.40 below after 5 steps .* 0\.40 after 20"),
        ((averages(0.1), [1, 2, 3, 4, 5]), r"0\.10 below after 1 steps"),
    ],
    "ema_weights": [
        (([0.9, 0.99], 10), r"After 10 .* 0\.65 for decay 0\.9 and 0\.10 for decay 0\.99\."),
        (([0.5], 1), r"After 1 .* 0\.50 for decay 0\.5\."),
    ],
    "prediction_modes": [
        (
            ({"a\nb": [0.1, 0.2, 0.3], "c": [0.8], "d": [0.9]},),
            r"0\.20 with a b, 0\.80 with c and",
        ),
        (({"c": [0.7], "d": [0.9]},), r"0\.70 with c and 0\.90 with d\."),
    ],
    "variance_corrections": [
        ((estimates(0.5), estimates(0.25)), r"m = 2, .* 0\.50 on average, 1\.00 times .* 0\.25"),
        ((estimates(0.9), estimates(0.8)), r"0\.90 on average, 1\.80 times"),
    ],
}


def test_every_figure_is_here():
    assert CALLS.keys() == FIGURES.keys()


@pytest.mark.parametrize("name", CALLS)
def test_the_words_follow_the_numbers(name):
    before = dict(mpl.rcParams)
    told = set()
    for arguments, expected in CALLS[name]:
        shown = FIGURES[name](*arguments)
        assert isinstance(shown, FigureWithWords)
        assert any(ax.has_data() or ax.texts for ax in shown.figure.axes)
        words = repr(shown)
        assert re.search(expected, words), words
        assert words.endswith(".")
        assert "nan" not in words.split()
        told.add(words)
        assert title_of(shown.figure)
    assert len(told) == len(CALLS[name])
    assert dict(mpl.rcParams) == before


def title_of(figure):
    return figure.get_suptitle() or next(t for ax in figure.axes if (t := ax.get_title("left")))


@pytest.mark.parametrize("name", [module.figures.__all__[0] for module in MODULES])
def test_the_picture_is_small_and_twice_the_size_of_its_place(name):
    arguments, _ = CALLS[name][0]
    shown = FIGURES[name](*arguments)
    data, metadata = shown._repr_mimebundle_()
    picture = Image.open(io.BytesIO(data["image/png"]))
    assert picture.mode == "P"
    assert picture.width == 2 * metadata["image/png"]["width"] <= 1600
    assert len(data["image/png"]) < 150_000
    assert data["text/plain"] == shown.words
    # Something was drawn: the ground is one colour, and not all of the picture.
    share = max(picture.histogram()) / (picture.width * picture.height)
    assert 0.2 < share < 0.99


def test_the_paths_of_the_graph_are_counted():
    assert algorithm.figures._paths("z", "z_norm") == 4
    assert algorithm.figures._paths("z", "z") == 1
    assert algorithm.figures._paths("z_tilde", "z") == 0


@pytest.mark.parametrize(
    ("values", "joined"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")]
)
def test_words_are_joined_as_in_a_sentence(values, joined):
    assert style.join(list(values)) == joined


@pytest.mark.parametrize("words", ["", "   ", "no full stop", None, 5])
def test_a_figure_without_a_sentence_is_refused(words):
    with pytest.raises(ValueError, match=r"words: expected one or two sentences, got"):
        FigureWithWords(SimpleNamespace(), words)


def test_words_are_one_line():
    assert FigureWithWords(SimpleNamespace(), "Two\n   lines. ").words == "Two lines."

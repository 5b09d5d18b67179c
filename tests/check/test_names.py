"""Names are distinct: each catalogued mistake gets its own, and two at once one of theirs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bncourse import check
from bncourse.check import diagnosis, sections
from bncourse.check.description import describe
from bncourse.check.diagnosis import diagnose, registered
from bncourse.check.mistakes import SAID, said
from bncourse.check.pieces import Piece, mistake
from bncourse.check.quarantine import sealed

from ..loading import load

pages = load("pages")

CALLS = {
    "standardize": "standardize",
    "batch_norm": "batch_norm",
    "layer_norm": "layer_norm",
    "batch_norm_backward": "batch_norm_backward",
    "running_statistics": "running_statistics",
    "moving_average": "moving_average",
    "evaluate": "evaluate",
    "fold": "fold",
    "total_statistics": "total_statistics",
    "mini_batches": "mini_batches",
    "training_step": "training_step",
    "training_loop": "training_loop",
    "SubtractMean": "subtract_mean",
    "Shake": "shake",
    "effective_rate": "effective_rate",
    "cross_entropy": "cross_entropy",
}
NAMES = list(CALLS)
EVERYWHERE = {
    "wrote-into-input",
    "wrong-dtype",
    "wrong-shape",
    "wrong-return",
    "returned-none",
    "raised",
    "ignores-argument",
    "arguments-swapped",
    "unknown",
}
#: What the contract promises to tell apart, by piece.
PROMISED = {
    "standardize": "test-statistics-from-test-data test-not-transformed whole-array axis-1 "
    "no-root division-by-zero",
    "batch_norm": "divided-by-m-minus-1 no-epsilon epsilon-minus epsilon-outside-root "
    "epsilon-hard-coded no-root axis-1 whole-array one-pass-variance mean-not-subtracted "
    "gamma-beta-swapped gamma-forgotten beta-forgotten beta-inside",
    "layer_norm": "divided-by-m-minus-1 no-epsilon epsilon-minus epsilon-outside-root "
    "epsilon-hard-coded no-root axis-0 whole-array one-pass-variance mean-not-subtracted "
    "gamma-beta-swapped gamma-forgotten beta-forgotten beta-inside",
    "batch_norm_backward": "gradient-stopped-at-mean gradient-stopped-at-variance "
    "gradient-stopped-at-both gradient-mean-instead-of-sum gradient-sum-instead-of-mean "
    "gamma-forgotten sign-turned outputs-swapped",
    "running_statistics": "decay-swapped biased-running-variance "
    "running-standard-deviation axis-1",
    "moving_average": "decay-swapped no-bias-correction bias-correction-off-by-one",
    "evaluate": "batch-statistics-at-test no-epsilon no-root gamma-beta-swapped beta-forgotten "
    "mean-not-subtracted",
    "fold": "no-epsilon no-root gamma-beta-swapped beta-forgotten mean-not-subtracted "
    "bias-not-folded rows-and-columns-swapped",
    "total_statistics": "between-batch-variance-forgotten unweighted-batches "
    "running-standard-deviation",
    "mini_batches": "starts-shuffled labels-not-shuffled not-shuffled rest-dropped "
    "examples-repeated global-random-state",
    "effective_rate": "rate-divided-by-length whole-array rows-and-columns-swapped",
    "training_step": "evaluation-mode-in-training step-uphill not-updated",
    "training_loop": "starts-shuffled labels-not-shuffled not-shuffled rest-dropped "
    "examples-repeated global-random-state evaluation-mode-in-training step-uphill not-updated "
    "not-reshuffled gamma-beta-not-updated",
    "SubtractMean": "axis-1 whole-array gradient-mean-not-subtracted scaled-too gradient-changed",
    "Shake": "axis-1 whole-array shift-per-example same-every-step shift-in-evaluation scaled-too "
    "gradient-changed global-random-state",
    "cross_entropy": "overflow log-of-zero gradient-sum-instead-of-mean axis-0",
}
#: Two mistakes that are, together, right, or exactly a third one: nothing could tell.
CANCEL = {("running_statistics", "correction-twice", "biased-running-variance"): ()}
COINCIDE = {
    ("running_statistics", "correction-twice", "correction-turned"): ("biased-running-variance",)
}


def diagnosed(piece, program, seed=0):
    with sealed():
        return diagnose(piece, program, seed).names


def test_all_sixteen_calls_are_here():
    assert sorted(CALLS.values()) == sorted(c for c in check.__all__ if c.islower())
    assert set(PROMISED) == set(CALLS)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_promised_is_in_the_catalogue(name):
    assert set(PROMISED[name].split()) <= set(registered(name).identifiers)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_each_mistake_gets_its_own_name_and_no_other(name, seed):
    piece = registered(name)
    assert diagnosed(piece, piece.reference, seed) == ()
    for expected, program in piece.programs():
        assert diagnosed(piece, program, seed) == (expected,)


@pytest.mark.parametrize("name", NAMES)
def test_two_mistakes_are_named_by_one_of_them(name):
    piece = registered(name)
    both = 0
    total = 0
    for pair, program in piece.pairs():
        names = tuple(known.name for known in pair)
        found = diagnosed(piece, program)
        key = (name, *names)
        if key in CANCEL or key in COINCIDE:
            assert found == {**CANCEL, **COINCIDE}[key]
            continue
        total += 1
        both += set(found) == set(names)
        if found == ("raised",):  # two edits may make a program that can't run
            continue
        assert found == ("unknown",) or (found and set(found) <= set(names)), (names, found)
    assert both >= 0.4 * total


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_has_its_sentences(name):
    piece = registered(name)
    for identifier in {*piece.identifiers, *EVERYWHERE} - {"unknown"}:
        words = said(name, identifier)
        assert words.question.endswith("?")
        for text in (words.what, words.repair):
            assert text.endswith((".", ")")), (identifier, text)
        section = words.section or sections.OF_PIECE[name]
        assert section in sections.TOPICS


def test_no_sentence_is_left_over():
    used = {key for name in NAMES for key in registered(name).identifiers} | EVERYWHERE
    for key in SAID:
        piece, _, identifier = key.rpartition(".")
        assert identifier in used
        assert not piece or identifier in {*registered(piece).identifiers, *EVERYWHERE}


def test_sentences_are_distinct():
    whats = [words.what for words in SAID.values() if words.what]
    assert len(set(whats)) == len(whats)


@pytest.mark.parametrize("label", sections.TOPICS)
def test_every_section_is_in_the_book(label):
    book = Path(__file__).resolve().parents[2] / "book"
    page = sections.page(label)
    assert (book / f"{page}.ipynb").exists()
    where = [
        path.stem for path in book.glob("*.ipynb") if f"({label})=" in path.read_text("utf-8")
    ]
    assert where == [page]


@pytest.mark.parametrize("name", NAMES)
def test_messages_of_named_mistakes_are_whole_and_the_same_each_time(name):
    piece = registered(name)
    call = getattr(check, CALLS[name])
    for identifier, program in piece.programs():
        result = call(program)
        message = result.message
        assert message == call(program).message
        assert message.startswith(f"Wrong ({identifier}).")
        assert re.search(r"Read: (Chapter \d|Page \d\.\d), on [^()]*\.$", message), message
        assert "{" not in message
        assert "nan" not in message
        assert "array(" not in message
        for line in piece.source.splitlines():
            assert len(line.strip()) < 12 or line.strip() not in message
        hints = [result.hint() for _ in range(3)]
        assert hints[0].text.endswith("?")
        assert identifier in hints[1].text
        assert re.search(r"Read: (Chapter|Page) \d", hints[2].text)


def test_a_piece_is_added_as_contributing_shows(monkeypatch):
    text = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text("utf-8")
    (source,) = re.findall(r"RMS_NORM = register\(.*?\n\)\n", text, re.DOTALL)
    assert source.count("\n") < 25
    monkeypatch.setattr(diagnosis, "_PIECES", diagnosis._PIECES.copy())
    monkeypatch.setitem(sections.OF_PIECE, "rms_norm", "sec-algorithm-axis")
    names = {"register": diagnosis.register, "Piece": Piece, "mistake": mistake, "np": np}
    exec(source, names)
    piece = names["RMS_NORM"]
    assert diagnosed(piece, piece.reference) == ()
    for expected, program in piece.programs():
        assert diagnosed(piece, program) == (expected,)
    triple = diagnose(piece, lambda *arguments: 3 * piece.reference(*arguments), 0)
    assert "ε = 0.3: z̃ is what is right times 3." in describe(triple).explanation

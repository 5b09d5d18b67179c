"""Quotations have their form and are compared word for word, here with made-up notes."""

import os
from pathlib import Path

import pytest

from ..loading import load

quotations = load("quotations")
ledger_data = load("ledger")

S0 = """### Tea
- Warm the *pot* first, since $t^{[0]}$ drops “fast” – and
never reheat it
1. $\\frac{a}{b}$
"""


@pytest.fixture
def folder(tmp_path):
    for name, text in (("0.txt", S0), ("1.txt", "Milk last.\n"), ("2.txt", "No teh suger.\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def claim(*quotes, **more):
    return {"id": "C01", "notes": "S0, Tea; S1; S2", "quotes": list(quotes), **more}


@pytest.mark.parametrize(
    "quote",
    [
        "S0: Warm the pot first",
        'S0: since $t^{[0]}$ drops "fast" - and never reheat',
        "S0: Warm … drops … never",
        "S0: Warm the pot ... reheat it",
        "S0: $\\frac{a}{b}$",
        "S1: Milk last.",
        "S2: No teh suger",
    ],
)
def test_words_that_are_there_are_found(folder, quote):
    assert quotations.form_problems(claim(quote)) == []
    assert quotations.differences([claim(quote)], quotations.read_notes(folder)) == []


@pytest.mark.parametrize(
    ("quote", "piece"),
    [
        ("S0: Warm the pots first", "Warm the pots first"),
        ("S0: never … Warm", "Warm"),
        ("S0: fast … fast", "fast"),
        ("S1: Warm the pot", "Warm the pot"),
        ("S2: No the sugar", "No the sugar"),
        ("S0: warm the pot", "warm the pot"),
    ],
)
def test_words_that_are_not_there_are_named(folder, quote, piece):
    note = quote[:2]
    assert quotations.differences([claim(quote)], quotations.read_notes(folder)) == [
        f"C01: not in {note}: {piece!r}"
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (claim(), "expected a quotation, or `formula: true`"),
        (claim(formula=False), "expected a quotation, or `formula: true`"),
        (claim("S0: Warm", formula=True), "`formula` is for claims without a quotation"),
        (claim("S3: Warm"), "expected 'S0: words' in one line, got 'S3: Warm'"),
        (claim("Warm"), "expected 'S0: words' in one line, got 'Warm'"),
        (claim("S0: Warm\nthe pot"), "expected 'S0: words' in one line"),
        (claim(3), "expected 'S0: words' in one line, got 3"),
        (claim("S0: " + "tea " * 16), "a quotation has 16 words; at most 15"),
        (claim("S2: No") | {"notes": "S0"}, "a quotation is from S2, and `notes` is 'S0'"),
        (claim() | {"quotes": "S0: Warm"}, "quotes: expected a list, got 'S0: Warm'"),
    ],
)
def test_bad_form_is_named(entry, message):
    (found,) = quotations.form_problems(entry)
    assert found.startswith(message)


def test_a_formula_needs_no_quotation():
    assert quotations.form_problems(claim(formula=True)) == []
    assert quotations.form_problems(claim("S0: " + "tea " * 15)) == []


def test_a_folder_without_three_notes_is_refused(folder):
    (folder / "2.txt").unlink()
    with pytest.raises(ValueError, match="expected 3 text files, got 2"):
        quotations.read_notes(folder)


def test_without_the_folder_nothing_is_compared(monkeypatch, capsys):
    monkeypatch.delenv(quotations.VARIABLE, raising=False)
    assert quotations.main() == 0
    assert capsys.readouterr().out.startswith("not compared: BNCOURSE_NOTES")


def test_main_names_what_differs(monkeypatch, capsys, folder):
    monkeypatch.setenv(quotations.VARIABLE, str(folder))
    assert quotations.main() == 1
    assert "C01: not in S0: 'Batch normalization is a" in capsys.readouterr().out


@pytest.mark.skipif(not os.environ.get(quotations.VARIABLE), reason="the notes are not here")
def test_the_ledger_quotes_the_notes():
    notes = quotations.read_notes(Path(os.environ[quotations.VARIABLE]))
    assert quotations.differences(ledger_data.load().claims, notes) == []

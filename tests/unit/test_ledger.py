"""The ledger of claims is complete, legal and consistent with the bibliography."""

import copy
import json
import re

import pytest

from ..loading import load

ledger_data = load("ledger")


@pytest.fixture
def ledger():
    return copy.deepcopy(ledger_data.load())


@pytest.fixture(scope="module")
def keys():
    return ledger_data.bibliography_keys()


def test_ledger_has_no_problem(ledger, keys):
    assert ledger_data.problems(ledger, keys) == []


def test_every_claim_has_its_evidence(ledger):
    assert ledger_data.evidence_problems(ledger) == []


def test_every_claim_is_counted(ledger):
    counts = ledger.counts()
    assert tuple(counts) == ledger_data.VERDICTS
    assert sum(counts.values()) == 89


def test_nearly_all_claims_have_a_test(ledger):
    assert sum(claim["test"] is None for claim in ledger.claims) <= 7


def _without_claim(ledger):
    del ledger.claims[7]


def _claim_twice(ledger):
    ledger.claims.append(copy.deepcopy(ledger.claims[0]))


def _set(field, value):
    def change(ledger):
        ledger.claims[0][field] = value

    return change


def _slip_at_length(ledger):
    ledger.claims[0] |= {"verdict": "slip", "correction": "x" * 121}


def _drop(field):
    def change(ledger):
        del ledger.claims[0][field]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_claim, r"missing \['C08'\]"),
        (_claim_twice, r"more than once \['C01'\]"),
        (_set("verdict", "probably"), "C01: expected a verdict"),
        (_set("chapter", 7), "C01: expected a chapter from 1 to 6, got 7"),
        (_set("sources", ["nobody1900nothing"]), "C01: 'nobody1900nothing' is not in the biblio"),
        (_set("test", None), "C01: a claim without a test needs a reason"),
        (_set("test", "tests/unit/test_data.py::test_c01_x"), "C01: expected a test of a chapter"),
        (
            _set("test", "tests/claims/test_motivation.py::test_c02_x"),
            "C01: expected a test of a chapter",
        ),
        (_set("reason", "taste"), "C01: a reason is given only"),
        (_set("anchor", "c02"), "C01: expected the anchor 'c01'"),
        (_set("correction", " "), "C01: correction: expected text"),
        (_set("correction", 3), "C01: correction: expected text, got 3"),
        (_set("note", "x"), "C01: the field 'note' is unknown"),
        (_drop("claim"), "C01: the field 'claim' is missing"),
        (_drop("quotes"), "C01: the field 'quotes' is missing"),
        (_set("quotes", []), "C01: expected a quotation"),
        (_set("quotes", ["S0: " + "word " * 16]), "C01: a quotation has 16 words; at most 15"),
        (_slip_at_length, "C01: a slip is corrected in one line of at most 120 characters"),
        (_set("formula", True), "C01: `formula` is for claims without a quotation"),
    ],
)
def test_each_mistake_is_named(ledger, keys, change, message):
    change(ledger)
    found = "\n".join(ledger_data.problems(ledger, keys))
    assert re.search(message, found), found


def test_reasons_cite_known_sources_and_claims(ledger, keys):
    ledger.reasons[0]["literature"] = "{cite:t}`nobody1900nothing` say so."
    ledger.reasons[1]["claims"] = ["C99"]
    found = "\n".join(ledger_data.problems(ledger, keys))
    assert "'nobody1900nothing' is not in the bibliography" in found
    assert "there is no claim 'C99'" in found


def _repository(tmp_path, *, target="(c40)=", tag="claim-C40", count=1, body="assert True"):
    """Write a repository with a chapter, a deeper page, an appendix and a test, for claim C40."""
    cells = [
        {"cell_type": "markdown", "source": [f"{target}\n", "\n", "Text."], "metadata": {}},
        {
            "cell_type": "code",
            "source": ["1"],
            "metadata": {"tags": [tag]},
            "execution_count": count,
            "outputs": [],
        },
    ]
    book = tmp_path / "book"
    book.mkdir()
    (tmp_path / "_toc.yml").write_text(
        "root: book/index\nchapters:\n- file: book/03-beta-replaces-b\n  sections:\n"
        "  - file: book/03-1-scale\n- file: book/notation\n",
        encoding="utf-8",
    )
    for name in ("index", "notation"):
        (book / f"{name}.md").write_text("# A page\n", encoding="utf-8")
    (book / "03-beta-replaces-b.ipynb").write_text(json.dumps({"cells": cells}))
    (book / "03-1-scale.ipynb").write_text(json.dumps({"cells": []}))
    (tmp_path / "tests" / "claims").mkdir(parents=True)
    (tmp_path / "tests" / "claims" / "test_bias.py").write_text(
        f"def test_c40_dense_adds_its_bias():\n    {body}\n"
    )
    return tmp_path


def test_what_comes_first_is_a_claim_with_a_quotation(ledger, keys):
    ledger.first[0]["claim"] = "C12"  # a formula
    del ledger.first[1]["about"]
    found = "\n".join(ledger_data.problems(ledger, keys))
    assert "first 'The axis': expected a claim with a quotation, got 'C12'" in found
    assert "first None: the field 'about' is missing" in found


def _only_c40(ledger):
    return ledger_data.Ledger([c for c in ledger.claims if c["id"] == "C40"], [], [], [])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, None),
        ({"body": "np.testing.assert_allclose(1, 1)"}, None),
        ({"body": "with pytest.raises(ValueError): f()"}, None),
        ({"target": "(c41)="}, "C40: no page has the target 'c40'"),
        ({"tag": "claim-C41"}, "C40: no code cell is tagged claim-C40"),
        ({"count": None}, "C40: no code cell is tagged claim-C40"),
        ({"body": "x = 1"}, "test_c40_dense_adds_its_bias asserts nothing"),
    ],
)
def test_missing_evidence_is_named(ledger, tmp_path, settings, message):
    found = ledger_data.evidence_problems(_only_c40(ledger), _repository(tmp_path, **settings))
    assert found == [] if message is None else message in "\n".join(found)


def test_missing_test_is_named(ledger, tmp_path):
    root = _repository(tmp_path)
    (root / "tests" / "claims" / "test_bias.py").unlink()
    assert ledger_data.evidence_problems(_only_c40(ledger), root) == [
        "C40: there is no test tests/claims/test_bias.py::test_c40_dense_adds_its_bias"
    ]


def test_evidence_may_be_on_a_deeper_page(ledger, tmp_path):
    book = _repository(tmp_path) / "book"
    (book / "03-beta-replaces-b.ipynb").rename(book / "03-1-scale.ipynb")
    (book / "03-beta-replaces-b.ipynb").write_text(json.dumps({"cells": []}))
    assert ledger_data.evidence_problems(_only_c40(ledger), tmp_path) == []


def test_evidence_on_two_pages_is_named(ledger, tmp_path):
    root = _repository(tmp_path)
    (root / "book" / "notation.md").write_text("# Notation\n\n(c40)=\n", encoding="utf-8")
    assert ledger_data.evidence_problems(_only_c40(ledger), root) == [
        "C40: the target 'c40' is on book/03-beta-replaces-b and book/notation"
    ]

"""Every claim has a mutant that fits the code; and what counts as a kill."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from ..loading import ROOT, load

tool = load("claim_mutants")
MUTANTS = tool.load()


def test_every_claim_with_a_test_and_every_assertion_has_a_mutant():
    claims = set(load("ledger").CLAIM_IDS) | set(tool.ASSERTION_IDS)
    without_a_test = {c["id"] for c in load("ledger").load().claims if c["test"] is None}
    assert {mutant.claim for mutant in MUTANTS} == claims - without_a_test
    # And one that doesn't wait for SLOW=1.
    assert {m.claim for m in MUTANTS if not m.slow} == claims - without_a_test


def test_the_tests_that_must_turn_red_are_there():
    for mutant in MUTANTS:
        path, name = mutant.test.split("::")
        functions = [
            node.name
            for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        ]
        assert name in functions, mutant.claim


def test_each_mutant_fits_the_code_and_is_code():
    for mutant in MUTANTS:
        assert mutant.why.strip(), mutant.claim
        assert mutant.was != mutant.becomes, mutant.claim
        ast.parse(mutant.source(), f"{mutant.file}, changed for {mutant.claim}")


def test_what_is_not_there_once_is_said():
    def mutant(was):
        return tool.Mutant("C20", "", "bncourse/normalization.py", was, "", "ε is gone")

    with pytest.raises(ValueError, match="C20, ε is gone: .* found it 0 times"):
        mutant("var - epsilon").source()
    with pytest.raises(ValueError, match="found it 2 times"):
        mutant("np.sqrt(var + epsilon)").source()


JUDGED = """
import claim_mutants as tool

test = "tests/claims/test_algorithm.py::test_c20_plus_epsilon"
was = "    var = ones @ work / m\\n"
mutants = [
    tool.Mutant("C20", test, "bncourse/normalization.py", was, was + line, "")
    for line in (
        "    var += 1.0\\n",
        "    var += 0.0\\n",
        "    m / 0\\n",
        "    assert m == 0\\n",
        "import no\\n",
    )
]
found = {o.mutant: o for o in tool.outcomes([([test], mutant) for mutant in mutants])}
for mutant in mutants:
    print(found[mutant].good, found[mutant].said.splitlines()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the processes are forked")
def test_only_an_assertion_of_the_test_is_a_kill():
    done = subprocess.run(
        [sys.executable, "-c", JUDGED],
        cwd=ROOT / "tools",
        capture_output=True,
        text=True,
        check=True,
    )
    killed, same, divided, by_itself, unimportable = done.stdout.splitlines()
    assert killed.startswith("True")
    assert "AssertionError" in killed
    assert same == "False 1 passed"
    assert divided.startswith("False")
    assert "ZeroDivisionError" in divided
    assert by_itself.startswith("False")
    assert "AssertionError" in by_itself
    assert unimportable.startswith("False")


def test_the_table_says_which_live_wait_or_have_no_test():
    killed, alive, slow = (
        tool.Mutant(claim, "t", "f", "a", "b", why, slow=claim == "A01")
        for claim, why in (("C02", "one"), ("C01", "two"), ("A01", "three"))
    )
    found = [
        tool.Outcome(["t"], killed, True, "AssertionError", 0.52),
        tool.Outcome(["t"], alive, False, "1 passed", 2.0),
    ]
    assert tool.table([killed, alive, slow], found, {"C03": "A drawing."}) == [
        "A01  slow    three: run by make claim-mutants SLOW=1",
        "C01  LIVES   two (2.0 s)\n             1 passed",
        "C02  killed  one (0.5 s)",
        "C03  none    A drawing.",
    ]

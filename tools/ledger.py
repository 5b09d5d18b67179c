"""Read and check the ledger of claims, ``book/claims.yml``.

Run as a program, it checks the ledger itself and counts the verdicts; with ``--evidence`` it
checks the anchors, tagged cells and tests that the ledger names as well.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pages
import quotations
import yaml

ROOT = Path(__file__).resolve().parents[1]
LEDGER = Path("book/claims.yml")
BIBLIOGRAPHY = Path("book/references.bib")
VERDICTS = ("correct", "needs qualification", "wrong", "contested", "slip")
#: A slip is corrected in one line, without argument.
LONGEST_SLIP = 120
#: Which claims belong together; where the evidence is, the anchor says.
CHAPTERS = tuple(range(1, len(pages.CHAPTERS) + 1))
CLAIM_IDS = tuple(f"C{number:02}" for number in range(1, 90))
OMISSION_IDS = tuple(f"O{number}" for number in range(1, 11))
CLAIM_FIELDS = {
    "id",
    "notes",
    "quotes",
    "claim",
    "verdict",
    "correction",
    "chapter",
    "anchor",
    "test",
    "sources",
}
OMISSION_FIELDS = {"id", "what", "chapter", "anchor", "sources"}
FIRST_FIELDS = {"about", "claim"}
REASON_FIELDS = {"reason", "claims", "here", "literature", "status"}
OPTIONAL_CLAIM_FIELDS = {"formula", "reason", "changed"}
#: Fields whose values are checked by other means.
NOT_TEXT = {"chapter", "sources", "test", "claims", "quotes", "formula"}
TEST_NAME = re.compile(r"tests/claims/test_[a-z]+\.py::test_(c\d\d)_[a-z0-9_]+")


@dataclass(frozen=True)
class Ledger:
    """The four lists of the file, as read."""

    claims: list[dict[str, Any]]
    omissions: list[dict[str, Any]]
    reasons: list[dict[str, Any]]
    first: list[dict[str, Any]]

    def counts(self) -> dict[str, int]:
        """Return how many claims got each verdict, in the order of ``VERDICTS``."""
        found = Counter(claim["verdict"] for claim in self.claims)
        return {verdict: found[verdict] for verdict in VERDICTS}


def load(root: Path = ROOT) -> Ledger:
    """Read the ledger of the repository at ``root``."""
    data = yaml.safe_load((root / LEDGER).read_text(encoding="utf-8"))
    return Ledger(data["claims"], data["omissions"], data["reasons"], data["first"])


def bibliography_keys(root: Path = ROOT) -> set[str]:
    """Return the keys of the bibliography."""
    text = (root / BIBLIOGRAPHY).read_text(encoding="utf-8")
    return set(re.findall(r"^@\w+\{\s*([^,\s]+),", text, re.MULTILINE))


def problems(ledger: Ledger, keys: set[str]) -> list[str]:
    """Return what is wrong with the ledger itself, one sentence each."""
    found = _ids(ledger.claims, CLAIM_IDS, "claims") + _ids(
        ledger.omissions, OMISSION_IDS, "omissions"
    )
    for claim in ledger.claims:
        found += [f"{claim.get('id')}: {text}" for text in _claim_problems(claim)]
    for omission in ledger.omissions:
        found += [
            f"{omission.get('id')}: {text}" for text in _fields(omission, OMISSION_FIELDS, set())
        ]
    for entry in (*ledger.claims, *ledger.omissions):
        if entry.get("chapter") not in CHAPTERS:
            found.append(
                f"{entry.get('id')}: expected a chapter from 1 to 6, got {entry.get('chapter')!r}"
            )
        found += [
            f"{entry.get('id')}: {key!r} is not in the bibliography"
            for key in entry.get("sources", [])
            if key not in keys
        ]
    anchors = [claim.get("anchor") for claim in ledger.claims]
    found += [
        f"the anchor {anchor!r} is given {count} times"
        for anchor, count in Counter(anchors).items()
        if count > 1
    ]
    for reason in ledger.reasons:
        name = f"reason {reason.get('reason')!r}"
        found += [f"{name}: {text}" for text in _fields(reason, REASON_FIELDS, set())]
        found += [
            f"{name}: there is no claim {claim!r}"
            for claim in reason.get("claims", [])
            if claim not in CLAIM_IDS
        ]
        cited = re.findall(r"\{cite:[tp]\}`([^`]+)`", reason.get("literature", ""))
        found += [
            f"{name}: {key!r} is not in the bibliography"
            for keys_of_role in cited
            for key in keys_of_role.split(",")
            if key not in keys
        ]
    quoted = [claim.get("id") for claim in ledger.claims if claim.get("quotes")]
    for entry in ledger.first:
        name = f"first {entry.get('about')!r}"
        found += [f"{name}: {text}" for text in _fields(entry, FIRST_FIELDS, set())]
        if entry.get("claim") not in quoted:
            found.append(f"{name}: expected a claim with a quotation, got {entry.get('claim')!r}")
    return found


def _ids(entries: list[dict[str, Any]], expected: tuple[str, ...], name: str) -> list[str]:
    got = tuple(entry.get("id") for entry in entries)
    if got == expected:
        return []
    counts = Counter(got)
    missing = [i for i in expected if not counts[i]]
    twice = [i for i, count in counts.items() if count > 1]
    extra = [i for i in counts if i not in expected]
    return [
        f"{name}: expected {expected[0]} to {expected[-1]} in order; "
        f"missing {missing}, more than once {twice}, unknown {extra}"
    ]


def _fields(entry: dict[str, Any], required: set[str], optional: set[str]) -> list[str]:
    found = [f"the field {name!r} is missing" for name in sorted(required - set(entry))]
    found += [
        f"the field {name!r} is unknown" for name in sorted(set(entry) - required - optional)
    ]
    for name in sorted(set(entry) - NOT_TEXT):
        if not isinstance(entry[name], str) or not entry[name].strip():
            found.append(f"{name}: expected text, got {entry[name]!r}")
    return found


def _claim_problems(claim: dict[str, Any]) -> list[str]:
    found = _fields(claim, CLAIM_FIELDS, OPTIONAL_CLAIM_FIELDS)
    if "quotes" in claim:
        found += quotations.form_problems(claim)
    if claim.get("verdict") not in VERDICTS:
        found.append(f"expected a verdict of {', '.join(VERDICTS)}; got {claim.get('verdict')!r}")
    if claim.get("verdict") == "slip" and len(str(claim.get("correction"))) > LONGEST_SLIP:
        found.append(f"a slip is corrected in one line of at most {LONGEST_SLIP} characters")
    if claim.get("anchor") != str(claim.get("id")).lower():
        found.append(
            f"expected the anchor {str(claim.get('id')).lower()!r}, got {claim.get('anchor')!r}"
        )
    test = claim.get("test")
    if test is None:
        if not claim.get("reason"):
            found.append("a claim without a test needs a reason")
    else:
        match = TEST_NAME.fullmatch(str(test))
        if match is None or match[1] != str(claim.get("id")).lower():
            found.append(f"expected a test of a chapter named after the claim, got {test!r}")
        if "reason" in claim:
            found.append("a reason is given only for claims without a test")
    return found


def evidence_problems(ledger: Ledger, root: Path = ROOT) -> list[str]:
    """Return which anchors, tagged cells and tests the ledger names in vain.

    An anchor may be on any page of the book; on two pages it is an error.
    """
    found = []
    targets: dict[str, list[str]] = {}
    tags: set[str] = set()
    for page in pages.existing(root):
        page_targets, page_tags = _page(root / page)
        tags |= page_tags
        for target in page_targets:
            targets.setdefault(target, []).append(page)
    for claim in ledger.claims:
        name, anchor = claim["id"], claim["anchor"]
        if anchor not in targets:
            found.append(f"{name}: no page has the target {anchor!r}")
        elif len(targets[anchor]) > 1:
            found.append(f"{name}: the target {anchor!r} is on {' and '.join(targets[anchor])}")
        if claim["test"] is None:
            continue
        if f"claim-{name}" not in tags:
            found.append(f"{name}: no code cell is tagged claim-{name}")
        path, function = claim["test"].split("::")
        asserting = _tests(root / path)
        if function not in asserting:
            found.append(f"{name}: there is no test {claim['test']}")
        elif not asserting[function]:
            found.append(f"{name}: {claim['test']} asserts nothing")
    return found


def _page(path: Path) -> tuple[list[str], set[str]]:
    """Return the targets of a page, named without ending, and the tags of its executed cells."""
    notebook, text = path.with_name(f"{path.name}.ipynb"), path.with_name(f"{path.name}.md")
    if not notebook.exists():
        return _targets(text.read_text(encoding="utf-8")), set()
    targets: list[str] = []
    tags: set[str] = set()
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            targets += _targets("".join(cell["source"]))
        elif cell.get("execution_count"):
            tags |= set(cell["metadata"].get("tags", []))
    return targets, tags


def _targets(text: str) -> list[str]:
    return re.findall(r"^\(([\w-]+)\)=", text, re.MULTILINE)


def _tests(path: Path) -> dict[str, bool]:
    """Return the test functions of a file, and whether each asserts something."""
    if not path.exists():
        return {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: any(_asserts(part) for part in ast.walk(node))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        function = node.func
        name = getattr(function, "attr", getattr(function, "id", ""))
        return name.startswith("assert") or name == "raises"
    return isinstance(node, ast.Assert)


def main() -> int:
    """Print the problems, or the counts when there are none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--evidence", action="store_true", help="check anchors, tagged cells and tests as well"
    )
    arguments = parser.parse_args()
    ledger = load()
    found = problems(ledger, bibliography_keys())
    if arguments.evidence and not found:
        found = evidence_problems(ledger)
    for text in found:
        print(text)
    if not found:
        print(", ".join(f"{count} {verdict}" for verdict, count in ledger.counts().items()))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())

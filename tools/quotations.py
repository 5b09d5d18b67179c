"""Compare the ledger's quotations with the notes, word for word.

    BNCOURSE_NOTES=/a/folder python tools/quotations.py

The notes are not in the repository. The folder holds them as three text files, which are called
S0, S1 and S2 in the order of their names. Without the variable nothing is compared.

A quotation reads ``S0: words … more words``; an ellipsis joins pieces that follow each other in
the note. Marks of Markdown and LaTeX, white space, and the kinds of quotation marks and dashes
don't count. Letters do, spelling mistakes included.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

NOTES = ("S0", "S1", "S2")
VARIABLE = "BNCOURSE_NOTES"
#: More would be copying, not quoting.
MOST_WORDS = 15
QUOTATION = re.compile(rf"({'|'.join(NOTES)}): (\S.*)")
ALIKE = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


def plain(text: str) -> str:
    """Return the text without what doesn't count."""
    return " ".join(re.sub(r"[*_$`>#{}\\^\[\]]", "", text.translate(ALIKE)).split())


def form_problems(claim: dict[str, Any]) -> list[str]:
    """Return what is wrong with a claim's quotations that can be seen without the notes."""
    quotes, formula = claim.get("quotes"), claim.get("formula")
    if not isinstance(quotes, list):
        return [f"quotes: expected a list, got {quotes!r}"]
    found = []
    if not quotes and formula is not True:
        found.append("expected a quotation, or `formula: true`")
    if quotes and formula is not None:
        found.append("`formula` is for claims without a quotation")
    for quote in quotes:
        match = QUOTATION.fullmatch(quote) if isinstance(quote, str) else None
        if match is None:
            found.append(f"expected 'S0: words' in one line, got {quote!r}")
            continue
        note, words = match.groups()
        if len(words.split()) > MOST_WORDS:
            found.append(f"a quotation has {len(words.split())} words; at most {MOST_WORDS}")
        if note not in str(claim.get("notes")):
            found.append(f"a quotation is from {note}, and `notes` is {claim.get('notes')!r}")
    return found


def read_notes(folder: Path) -> dict[str, str]:
    """Return the notes in the folder by name, without what doesn't count."""
    paths = sorted(folder.glob("*.txt"))
    if len(paths) != len(NOTES):
        raise ValueError(f"{folder}: expected {len(NOTES)} text files, got {len(paths)}")
    return {
        name: plain(path.read_text(encoding="utf-8"))
        for name, path in zip(NOTES, paths, strict=True)
    }


def differences(claims: list[dict[str, Any]], notes: dict[str, str]) -> list[str]:
    """Return which quotations, of good form, are not in the notes."""
    found = []
    for claim in claims:
        for quote in claim["quotes"]:
            note, words = quote.split(": ", 1)
            at = 0
            for piece in map(plain, re.split(r"…|\.\.\.", words)):
                start = notes[note].find(piece, at)
                if start < 0:
                    found.append(f"{claim['id']}: not in {note}: {piece!r}")
                    break
                at = start + len(piece)
    return found


def main() -> int:
    """Print what differs, or how many quotations were found."""
    import ledger

    folder = os.environ.get(VARIABLE)
    if not folder:
        print(f"not compared: {VARIABLE} names no folder with the notes")
        return 0
    claims = ledger.load().claims
    found = [f"{c['id']}: {text}" for c in claims for text in form_problems(c)]
    found = found or differences(claims, read_notes(Path(folder)))
    print("\n".join(found) or f"{sum(len(c['quotes']) for c in claims)} quotations found")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())

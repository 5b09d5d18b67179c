"""Write a page that shows one formula of every construct as the book and as MathJax draw it.

    python tools/maintain/formulas.py node_modules/mathjax/es5    # after a build of the book

Open ``_build/formulas.html`` in each browser and look: at glyphs, their slope, the room around
them, brackets that grow, limits, accents, the line of the text; ``?dark`` shows it on a dark page.
"""

from __future__ import annotations

import argparse
import re
from html import escape
from pathlib import Path

from bs4 import BeautifulSoup, Tag

BUILD = Path(__file__).resolve().parents[2] / "_build"
PAGE = """<!doctype html>
<html lang="en" data-theme="light"><meta charset="utf-8"><title>Formulas</title>
<link rel="stylesheet" href="html/_static/book.css">
<style>
table {{ width: 100%; table-layout: fixed }} td {{ border-bottom: 1px solid; padding: 0.3rem }}
td:first-child {{ width: 26%; font: 0.8rem monospace; overflow-wrap: anywhere }}</style>
<script>
if (location.search === "?dark") document.documentElement.dataset.theme = "dark";
MathJax = {{ options: {{ ignoreHtmlClass: "bd-article", processHtmlClass: "mathjax" }} }};
</script>
<script defer src="{mathjax}/tex-svg.js"></script>
<body><article class="bd-article"><table>{rows}</table></article>
"""


def constructs(formula: Tag) -> set[tuple[str, ...]]:
    """Return what is in a formula: its commands, its layouts, and its signs with their room."""
    commands = re.findall(r"\\(?:[A-Za-z]+|.)|\{,\}", formula.annotation.get_text())
    found = {(formula.name, command) for command in commands}
    found.add((formula.name, "numbered" if formula.select(".eqno") else "not numbered"))
    for part in formula.semantics.find_all(re.compile("^m(?!row)")):
        outer = next(tag.name for tag in part.parents if tag.name not in ("mrow", "semantics"))
        shape = (part.name, str(part.attrs), outer)
        if part.name == "mo" or (part.name == "mi" and not part.get_text().isalpha()):
            found.add((*shape, part.get_text()))
        else:
            found.add((*shape, *(child.name for child in part.find_all(True, recursive=False))))
    return found


def chosen(formulas: dict[tuple[str, str], Tag]) -> list[tuple[str, str]]:
    """Return few formulas that have all constructs, the one with the most new ones first."""
    having = {key: constructs(formula) for key, formula in formulas.items()}
    missing, taken = set().union(*having.values()), []
    print(f"{len(having)} formulas, {len(missing)} constructs")
    while missing:
        best = max(having, key=lambda key: (len(having[key] & missing), -len(key[0])))
        taken.append(best)
        missing -= having[best]
    return taken


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mathjax", type=Path, help="the folder es5 of the npm package mathjax 3")
    mathjax = parser.parse_args().mathjax.resolve().as_uri()
    formulas, rows = {}, []
    for path in sorted((BUILD / "html").glob("**/*.html")):
        for formula in BeautifulSoup(path.read_bytes(), "html.parser").select(".math"):
            formulas[formula.annotation.get_text().strip(), formula.name] = formula
    for latex, name in chosen(formulas):
        around, delimited = ("So {} is", r"\({}\)") if name == "span" else ("{}", r"\[{}\]")
        ours = around.format(formulas[latex, name])
        theirs = around.format(escape(delimited.format(latex)))
        rows.append(f'<tr><td>{escape(latex)}<td>{ours}<td class="mathjax">{theirs}')
    page = PAGE.format(mathjax=mathjax, rows="\n".join(rows))
    (BUILD / "formulas.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Directives that show the ledger of claims, ``book/claims.yml``.

``{first-corrections}`` are those that matter most, ``{ledger}`` is the table of all claims,
``{omissions}`` what the notes leave out, ``{corrections} 3`` the corrections of one chapter, and
``{verdicts}`` the verdict table of the chapter that asks why batch norm works. All say what the
ledger says, so none can go stale.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

PAGE = "book/corrections"
#: How a sentence says that claims have a verdict, where it isn't "are" and the verdict.
IN_A_SENTENCE = {"needs qualification": "need qualification", "slip": "are slips"}
STYLE, SCRIPT = "ledger.css", "ledger.js"


def _ledger_data() -> Any:
    """Return the module ``tools/ledger.py``, which is no package's."""
    if "ledger_data" not in sys.modules:
        tools = Path(__file__).resolve().parents[1] / "tools"
        if str(tools) not in sys.path:
            sys.path.append(str(tools))  # as for a script: the tools import each other
        path = tools / "ledger.py"
        spec = importlib.util.spec_from_file_location("ledger_data", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["ledger_data"] = module
        spec.loader.exec_module(module)
    return sys.modules["ledger_data"]


class evidence(nodes.Inline, nodes.TextElement):  # noqa: N801 (docutils names nodes so)
    """A link to a label, or to a page; resolved when all pages have been read."""


class LedgerText(SphinxDirective):
    """What the directives have in common: the data, and text that is MyST."""

    def ledger(self) -> Any:
        """Return the ledger, and note that the page hangs on it."""
        data = _ledger_data()
        path = Path(self.env.srcdir) / data.LEDGER
        self.env.note_dependency(str(path))
        return data.load(Path(self.env.srcdir))

    def myst(self, text: str) -> list[nodes.Node]:
        """Return a text as nodes."""
        holder = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), str(self.env.docname)), 0, holder)
        return holder.children

    def link(self, entry: dict[str, Any], text: str) -> nodes.Node:
        """Return a link to where an entry is shown."""
        return evidence("", text, anchor=entry["anchor"], owner=entry["id"])

    def quotations(self, claim: dict[str, Any]) -> list[nodes.paragraph]:
        """Return the words of the notes, in quotation marks, each with the name of its note."""
        found = []
        for quote in claim["quotes"]:
            note, words = quote.split(": ", 1)
            found.append(
                _paragraph(
                    nodes.inline(
                        "",
                        "",
                        nodes.Text("“"),
                        *_inline(self.myst(words)),
                        nodes.Text("”"),
                        classes=["ledger-quotation"],
                    ),
                    nodes.Text(f" {note}"),
                )
            )
        return found

    def table(
        self, heads: list[str], rows: Iterable[tuple[list[str], list[list[nodes.Node]]]], name: str
    ) -> nodes.table:
        """Return a table from rows of classes and cells."""
        table = nodes.table(classes=["ledger", name, "colwidths-auto"])
        group = nodes.tgroup(cols=len(heads))
        group += [nodes.colspec(colwidth=1) for _ in heads]
        head = nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in heads))
        group += nodes.thead("", head)
        body = nodes.tbody()
        for classes, cells in rows:
            body += nodes.row("", *(nodes.entry("", *cell) for cell in cells), classes=classes)
        group += body
        table += group
        return table

    def sources(self, entry: dict[str, Any]) -> list[nodes.Node]:
        """Return the citations of an entry."""
        keys = ",".join(entry["sources"])
        return self.myst(f"{{cite:p}}`{keys}`") if keys else []


def _verdict(verdict: str) -> nodes.Node:
    return nodes.inline("", verdict, classes=["verdict", slug(verdict)])


def slug(verdict: str) -> str:
    """Return the class of a verdict."""
    return "verdict-" + verdict.replace(" ", "-")


def _paragraph(*parts: nodes.Node) -> nodes.Node:
    return nodes.paragraph("", "", *parts)


class LedgerDirective(LedgerText):
    """All claims, with the counts of their verdicts first."""

    def run(self) -> list[nodes.Node]:
        """Return the counts and the table."""
        ledger = self.ledger()
        counts = ledger.counts()
        words = [
            f"{count} {IN_A_SENTENCE.get(name, f'are {name}')}" for name, count in counts.items()
        ]
        sentence = f"Of {len(ledger.claims)} claims, {', '.join(words[:-1])} and {words[-1]}."
        heads = ["Claim", "The notes say", "What is right", "Evidence"]
        table = self.table(heads, self.rows(ledger), "ledger-claims")
        (body,) = table.findall(nodes.tbody)
        for row, claim in zip(body.findall(nodes.row), ledger.claims, strict=True):
            # For the signs that lead here from the other pages (blocks.py).
            row["ids"].append(f"claim-{claim['id'].lower()}")
            row["claim"], row["verdict"] = claim["id"], claim["verdict"]
            row["words"] = _inline(self.myst(claim["claim"]))
        return [_paragraph(nodes.strong("", sentence)), self.counts(ledger), table]

    def counts(self, ledger: Any) -> nodes.table:
        """Return the verdicts by chapter."""
        data = _ledger_data()
        rows = []
        for number in data.CHAPTERS:
            verdicts = [c["verdict"] for c in ledger.claims if c["chapter"] == number]
            cells = [str(number), *(str(verdicts.count(v)) for v in data.VERDICTS)]
            rows.append(([], [[nodes.paragraph("", text)] for text in cells]))
        return self.table(
            ["Chapter", *(v.capitalize() for v in data.VERDICTS)], rows, "ledger-counts"
        )

    def rows(self, ledger: Any) -> Iterator[tuple[list[str], list[list[nodes.Node]]]]:
        """Yield the classes and the cells of each claim."""
        for claim in ledger.claims:
            shown = [_paragraph(self.link(claim, f"chapter {claim['chapter']}"))]
            if claim["test"]:
                shown.append(_paragraph(_test_name(claim["test"].split("::")[1])))
            else:
                reason = _inline(self.myst(claim["reason"]))
                shown.append(_paragraph(nodes.Text("No test: "), *reason))
            right = list(self.myst(claim["correction"]))
            if "changed" in claim:
                right.append(
                    _paragraph(
                        nodes.emphasis("", "Judged anew: "), *_inline(self.myst(claim["changed"]))
                    )
                )
            says = [*self.quotations(claim), *self.in_our_words(claim)]
            says.append(nodes.paragraph("", claim["notes"], classes=["ledger-where"]))
            yield (
                [f"chapter-{claim['chapter']}", slug(claim["verdict"])],
                [
                    [
                        _paragraph(self.link(claim, claim["id"])),
                        _paragraph(_verdict(claim["verdict"])),
                    ],
                    says,
                    right,
                    shown + self.sources(claim),
                ],
            )

    def in_our_words(self, claim: dict[str, Any]) -> list[nodes.Node]:
        """Return what the claim is about; a slip, which has a quotation, needs no more words."""
        if claim["verdict"] == "slip" and claim["quotes"]:
            return []
        words = _inline(self.myst(claim["claim"]))
        if "formula" in claim:
            return [_paragraph(*words, nodes.Text(" (By a formula or a drawing.)"))]
        meaning = _paragraph(nodes.Text("That is: "), *words)
        meaning["classes"].append("ledger-where")
        return [meaning]


def _test_name(name: str) -> nodes.Node:
    """Return the name of a test, which may break behind an underscore."""
    breaking = escape(name).replace("_", "_<wbr>")
    return nodes.raw("", f'<code class="literal">{breaking}</code>', format="html")


def _inline(paragraphs: Iterable[nodes.Node]) -> list[nodes.Node]:
    """Return what stands in the paragraphs."""
    return [child for paragraph in paragraphs for child in paragraph.children]


class FirstCorrectionsDirective(LedgerText):
    """The corrections that matter most: the words, what is right, and where it is shown."""

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        ledger = self.ledger()
        by_id = {claim["id"]: claim for claim in ledger.claims}
        items = nodes.enumerated_list(classes=["ledger-first"])
        for entry in ledger.first:
            claim = by_id[entry["claim"]]
            shown = [nodes.Text(" "), self.link(claim, f"Chapter {claim['chapter']}")]
            items += nodes.list_item(
                "",
                _paragraph(nodes.strong("", "", *_inline(self.myst(entry["about"])))),
                *self.quotations(claim),
                _paragraph(*_inline(self.myst(claim["correction"])), *shown, nodes.Text(".")),
            )
        return [items]


class OmissionsDirective(LedgerText):
    """What the notes leave out, and where the book has it."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [
            (
                [],
                [
                    self.myst(entry["what"]),
                    [_paragraph(self.link(entry, f"chapter {entry['chapter']}"))],
                    self.sources(entry),
                ],
            )
            for entry in self.ledger().omissions
        ]
        return [
            self.table(["Missing from the notes", "Here", "Sources"], rows, "ledger-omissions")
        ]


class CorrectionsDirective(LedgerText):
    """The corrections made in one chapter, whose number is the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the list, and how many claims needed none."""
        data = _ledger_data()
        if self.arguments[0] not in map(str, data.CHAPTERS):
            raise self.error(f"expected a chapter from 1 to 6, got {self.arguments[0]!r}")
        claims = [c for c in self.ledger().claims if c["chapter"] == int(self.arguments[0])]
        items = nodes.bullet_list(classes=["ledger-corrections"])
        for claim in claims:
            if claim["verdict"] != "correct":
                items += nodes.list_item(
                    "",
                    _paragraph(
                        self.link(claim, claim["id"]),
                        nodes.Text(" "),
                        _verdict(claim["verdict"]),
                        nodes.Text(" "),
                        nodes.emphasis("", "", *_inline(self.myst(claim["claim"]))),
                        nodes.Text(" "),
                        *_inline(self.myst(claim["correction"])),
                    ),
                )
        correct = sum(claim["verdict"] == "correct" for claim in claims)
        tail = "none is" if not correct else "one is" if correct == 1 else f"{correct} are"
        last = _paragraph(
            nodes.Text(
                f"Of the {len(claims)} claims that belong to this chapter, {tail} correct "
                f"as {'it stands' if correct == 1 else 'they stand'}. All are listed in "
            ),
            evidence("", "Corrections to the notes", page=PAGE, owner="the list"),
            nodes.Text("."),
        )
        first = _paragraph(
            nodes.Text(
                "The notes are three sets of lecture notes that this course takes as its guide. "
                "In italics what they say, in our words, and behind it what was found."
            )
        )
        return [first, items, last]


class VerdictsDirective(LedgerText):
    """The reasons that are given for batch norm's success, weighed."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        ledger = self.ledger()
        by_id = {claim["id"]: claim for claim in ledger.claims}
        rows = []
        for reason in ledger.reasons:
            links: list[nodes.Node] = []
            for name in reason["claims"]:
                links += [self.link(by_id[name], name), nodes.Text(" ")]
            rows.append(
                (
                    [],
                    [
                        [
                            *self.myst(reason["reason"]),
                            nodes.paragraph("", "", *links[:-1], classes=["ledger-where"]),
                        ],
                        self.myst(reason["here"]),
                        self.myst(reason["literature"]),
                        self.myst(reason["status"]),
                    ],
                )
            )
        return [
            self.table(
                ["Reason", "Evidence here", "Evidence in the literature", "Status"],
                rows,
                "ledger-verdicts",
            )
        ]


@cache
def places(app: Sphinx) -> dict[str, list[tuple[str, str]]]:
    """Return where each label is: the pages, one or wrongly more, and the id in each.

    A label is a target (``(c40)=``), a heading's slug or an equation's id, on any page, so that
    evidence may move from a chapter to one of its deeper pages, and the ledger stays as it is.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for docname in sorted(app.env.found_docs):
        doctree = app.env.get_doctree(docname)
        labels = {i: i for i in doctree.ids}
        labels |= {name: i for name, i in doctree.nameids.items() if i}
        for label, place in labels.items():
            found.setdefault(label, []).append((docname, place))
    return found


def forget_places(app: Sphinx, env: object, docnames: list[str]) -> None:
    """Look for the labels anew in each build."""
    places.cache_clear()


def resolve_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Turn the links into references, and warn of labels that no page has, or two pages have."""
    links = list(doctree.findall(evidence))
    if not links:
        return
    where = places(app)
    for link in links:
        if "page" in link:
            target, place = link["page"], ""
        else:
            anchor = link["anchor"]
            pages = where.get(anchor, [])
            if len(pages) != 1:
                names = " and ".join(repr(page) for page, _ in pages)
                logger.warning(
                    "%s: %s",
                    link["owner"],
                    f"the label {anchor!r} is on {names}"
                    if pages
                    else f"no page has the label {anchor!r}",
                    location=docname,
                    type="ledger",
                    subtype="anchor",
                )
            if not pages:
                link.replace_self(nodes.Text(link.astext()))
                continue
            target, place = pages[0]
        uri = "" if target == docname else app.builder.get_relative_uri(docname, target)
        reference = nodes.reference(
            "", link.astext(), internal=True, refuri=f"{uri}#{place}" if place else uri
        )
        link.replace_self(reference)


def add_assets(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Load the style and the script where they are used, and nowhere else."""
    if doctree is None:
        return
    classes = {
        name
        for kind in (nodes.table, nodes.bullet_list, nodes.enumerated_list)
        for node in doctree.findall(kind)
        for name in node["classes"]
    }
    if any(name.startswith("ledger") for name in classes):
        app.add_css_file(STYLE)
    if "ledger-claims" in classes:
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_node(evidence)
    app.add_directive("ledger", LedgerDirective)
    app.add_directive("first-corrections", FirstCorrectionsDirective)
    app.add_directive("omissions", OmissionsDirective)
    app.add_directive("corrections", CorrectionsDirective)
    app.add_directive("verdicts", VerdictsDirective)
    app.connect("env-before-read-docs", forget_places)
    app.connect("doctree-resolved", resolve_links)
    app.connect("html-page-context", add_assets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

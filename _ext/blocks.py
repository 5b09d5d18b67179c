"""Blocks that say what they are: *Explore*, *Often said*, definitions, notes, folds, claims.

    :::{ask}
    What will happen to the mean? Guess before you move the slider.
    :::

stands before a cell with an explorable, and ``{compare}`` behind it, folded. The three become one
block. The code of an explorable, and of each cell tagged ``hide-input``, is folded below what it
shows.

    :::{often-said} C52
    Batch norm works because it reduces internal covariate shift.

    What we find here.
    :::

The first paragraph is the saying, the rest what is to be said of it; the verdict is the ledger's.

    :::{definition}
    The **effective learning rate** of a unit is …
    :::

    :::{margin}
    At most 45 words, for which there is room beside the next paragraph.
    :::

    :::{fold} Where to look
    What opens when its title is clicked.
    :::

``{claim}`C52` `` is a sign that leads to a claim in the ledger and says, where it is pointed at,
what is claimed. Where the label of a claim (``(c52)=``) stands, its sign is shown by itself.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import ledger
from docutils import nodes
from exercises import folded, summary, task, task_title
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)

#: Of a note in the margin, in words: more would run into the next one.
MOST_WORDS = 45
#: What one sentence may go through.
GOES_ON = (
    nodes.paragraph,
    nodes.math_block,
    nodes.target,
    nodes.bullet_list,
    nodes.enumerated_list,
)
LABEL = re.compile(r"c\d\d")
TITLE = re.compile(r'<figure class="explorable" aria-label="([^"]*)"')
#: What a verdict makes of a saying.
FINDINGS = {
    "correct": "It is correct",
    "needs qualification": "It needs qualification",
    "wrong": "It is wrong",
    "contested": "It is contested",
    "slip": "It is a slip",
}


class block(nodes.General, nodes.Element):  # noqa: N801 (docutils names nodes so)
    """A division of the page with a class of its own, and a role where it has one."""


class claim_sign(nodes.Inline, nodes.TextElement):  # noqa: N801
    """A link to a claim; its children are what is claimed."""


class _Block(SphinxDirective):
    """A block of text with a class."""

    has_content = True
    kind: str

    def run(self) -> list[nodes.Node]:
        """Return the block."""
        node = block(classes=[self.kind])
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class Ask(_Block):
    """The question that an explorable answers."""

    kind = "ask"


class Definition(_Block):
    """A term, in bold, and what it means."""

    kind = "definition"

    def run(self) -> list[nodes.Node]:
        """Return the block."""
        (node,) = super().run()
        if next(node.findall(nodes.strong), None) is None:
            raise self.error("a definition has its term in bold")
        return [node]


class Margin(_Block):
    """A short note beside the paragraph that follows; behind it where the page has no margin."""

    kind = "margin"

    def run(self) -> list[nodes.Node]:
        """Return the note."""
        words = len(" ".join(self.content).split())
        if words > MOST_WORDS:
            raise self.error(f"expected at most {MOST_WORDS} words in the margin, got {words}")
        (node,) = super().run()
        assert isinstance(node, block)
        node["role"] = "note"
        return [node]


class Fold(SphinxDirective):
    """What opens when its title is clicked; it needs no script."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    kind = "fold"

    def title(self) -> str:
        """Return what can be seen while it is closed."""
        return str(self.arguments[0])

    def run(self) -> list[nodes.Node]:
        """Return it."""
        node = folded(classes=[self.kind])
        self.set_source_info(node)
        words, messages = self.state.inline_text(self.title(), self.lineno)
        node += [summary("", "", *words), *messages]
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class Compare(Fold):
    """What an explorable should have shown."""

    required_arguments = 0
    kind = "compare"

    def title(self) -> str:
        """Return the words that are the same for all."""
        return "Compare with what we saw"


class OftenSaid(ledger.LedgerText):
    """A saying with its verdict."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the block."""
        by_id = {claim["id"]: claim for claim in self.ledger().claims}
        if self.arguments[0] not in by_id:
            raise self.error(f"the ledger has no claim {self.arguments[0]!r}")
        claim = by_id[self.arguments[0]]
        said = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, said)
        first, *rest = said.children
        if not rest or not isinstance(first, nodes.paragraph):
            raise self.error("expected a paragraph with the saying, and behind it what is found")
        node = block(classes=["often-said", ledger.slug(claim["verdict"])])
        node += nodes.paragraph(
            "", "", nodes.inline("", "Often said", classes=["block-name"]), classes=["block-title"]
        )
        first["classes"].append("saying")
        node += first
        finding = nodes.inline("", FINDINGS[claim["verdict"]], classes=["finding"])
        sign = claim_sign(claim=claim["id"])
        node += nodes.paragraph("", "", finding, nodes.Text(" "), sign, classes=["block-title"])
        node += rest
        return [node]


class Claim(SphinxRole):
    """A sign that leads to a claim."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return it; what is claimed is filled in when all pages have been read."""
        return [claim_sign(claim=self.text)], []


class Explore(SphinxTransform):
    """Make one block of a question, the explorable that answers it, and what should be seen."""

    # After exercises have been put together: their cells are where they belong.
    default_priority = 210

    def apply(self, **kwargs: Any) -> None:
        """Change the page in place."""
        for cell in list(self.document.findall(nodes.container)):
            if cell.get("nb_element") == "cell_code":
                self.join(cell)
                if cell.get("hide_mode") == "input" and len(cell.children) > 1:
                    prompt = cell["prompt_show"].replace("{type}", "source")
                    # The sign before it says whether it is shown.
                    words = prompt.removeprefix("Show the ")
                    self.fold_code(cell, words[0].upper() + words[1:])
        for node in self.document.findall(lambda n: isinstance(n, (block, folded))):
            alone = {"ask", "compare"} & set(node["classes"])
            if alone and not isinstance(node.parent, task):
                logger.warning("%s belongs beside an explorable", alone, location=node)

    def join(self, cell: nodes.container) -> None:
        """Put the parts of one explorable together."""
        forms = [n for n in cell.findall(nodes.container) if n.get("mime_type") == "text/html"]
        found = next((f for form in forms if (f := TITLE.search(form.astext()))), None)
        if not found:
            return
        parent, at = cell.parent, cell.parent.index(cell)
        whole = task(ids=[f"explore-{cell['cell_index']}"], classes=["explore"])
        whole.source, whole.line = cell.source, cell.line
        heading = task_title("", "", nodes.inline("", "Explore", classes=["task-name"]))
        heading += [nodes.Text(" "), nodes.Text(unescape(found[1]))]
        whole += heading
        before = parent.children[at - 1] if at else None
        behind = parent.children[at + 1] if at + 1 < len(parent.children) else None
        parent.replace(cell, whole)
        if isinstance(before, block) and "ask" in before["classes"]:
            parent.remove(before)
            whole += before
        whole += cell
        if isinstance(behind, folded) and "compare" in behind["classes"]:
            parent.remove(behind)
            whole += behind
        self.fold_code(cell, "Code of the explorable")

    def fold_code(self, cell: nodes.container, words: str) -> None:
        """Put code that is not the lesson below what it shows, so that the text leads to that."""
        source = cell.children[0]
        if isinstance(source, nodes.container) and source.get("nb_element") == "cell_code_source":
            cell.remove(source)
            cell.attributes.pop("hide_mode", None)
            cell += folded("", summary(words, words), source, classes=["code-fold"])


def show_claims(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Say at the place of a claim's label that it is weighed there, and fill in the signs."""
    if docname != ledger.PAGE:
        _name_claims(app, doctree, docname)
    signs = list(doctree.findall(claim_sign))
    if not signs:
        return
    rows = app.env.get_doctree(ledger.PAGE).findall(nodes.row)
    claims = {row["claim"]: row for row in rows if "claim" in row}
    page = app.builder.get_relative_uri(docname, ledger.PAGE)
    for number, sign in enumerate(signs, start=1):
        row = claims.get(sign["claim"])
        if row is None:
            logger.warning("the ledger has no claim %r", sign["claim"], location=sign)
            sign.replace_self(nodes.Text(sign["claim"]))
            continue
        sign["verdict"] = row["verdict"]
        sign["refuri"] = f"{page}#{row['ids'][0]}"
        sign["ids"] = [f"claim-tip-{number}"]
        sign += [word.deepcopy() for word in row["words"]]


def _name_claims(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put a line with their signs where the labels of claims are."""
    where: dict[str, list[str]] = {}
    for label, found in ledger.places(app).items():
        if LABEL.fullmatch(label) and found[0][0] == docname:
            where.setdefault(found[0][1], []).append(label.upper())
    for node in list(doctree.findall(nodes.Element)):
        here = sorted({name for i in node.get("ids", []) for name in where.get(i, [])})
        if not here:
            continue
        line = nodes.paragraph("", "", classes=["margin", "claims-here"])
        line += nodes.inline("", "Claims weighed here", classes=["claims-here-name"])
        for name in here:
            line += [nodes.Text(" "), claim_sign(claim=name)]
        if isinstance(node, nodes.section):
            node.insert(1, line)
        else:
            node.parent.insert(node.parent.index(node), line)


def _in_margin(node: nodes.Node) -> bool:
    return isinstance(node, (block, nodes.paragraph)) and "margin" in node["classes"]


def _hold_notes(_app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Put what stands in the margin and its paragraph into one box, which a narrow page orders.

    What goes on with the paragraph's sentence, a formula or a list, comes along.
    """
    for note in list(doctree.findall(_in_margin)):
        beside = note.next_node(descend=False, siblings=True)
        if not isinstance(beside, nodes.paragraph) or _in_margin(beside):
            continue
        parent, at = note.parent, note.parent.index(note)
        held = [note]
        for node in parent[at + 1 :]:
            if not isinstance(node, GOES_ON):
                break
            held.append(node)
            if node.astext().rstrip().endswith((".", "?", "!", ")", "”")):
                break
        parent[at : at + len(held)] = [block("", *held, classes=["noted"])]


def _visit_block(self: Any, node: nodes.Element) -> None:
    role = {"role": node["role"]} if "role" in node else {}
    self.body.append(self.starttag(node, "div", **role))


def _depart_block(self: Any, node: nodes.Element) -> None:
    self.body.append("</div>\n")


def _visit_sign(self: Any, node: nodes.Element) -> None:
    name, verdict, tip = node["claim"], node["verdict"], node["ids"][0]
    self.body.append(
        f'<span class="claim {ledger.slug(verdict)}"><a class="reference internal" '
        f'href="{node["refuri"]}" aria-label="{name}, {verdict}" aria-describedby="{tip}">'
        f'{name}</a><span class="claim-tip" role="tooltip" id="{tip}">'
        f"<b>{verdict.capitalize()}</b> "
    )


def _depart_sign(self: Any, node: nodes.Element) -> None:
    self.body.append("</span></span>")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx, and register the directives."""
    app.add_node(block, html=(_visit_block, _depart_block))
    app.add_node(claim_sign, html=(_visit_sign, _depart_sign))
    app.add_directive("ask", Ask)
    app.add_directive("compare", Compare)
    app.add_directive("fold", Fold)
    app.add_directive("definition", Definition)
    app.add_directive("margin", Margin, override=True)
    app.add_directive("often-said", OftenSaid)
    app.add_role("claim", Claim())
    app.add_transform(Explore)
    app.connect("doctree-resolved", show_claims)
    app.connect("doctree-resolved", _hold_notes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

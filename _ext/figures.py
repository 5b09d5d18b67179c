"""Show figures with the words of their own outputs as alternative text, and in their size.

A figure's output holds a picture and its words (see ``bncourse.display``). Words typed into the
page would go stale, so the picture's ``alt`` is taken from the output itself. So are the cards of
measured results: below a figure, and all together where ``{experiments}`` stands.

``{move}`words <ruler; −8; 0.5>` `` is a link that sets the explorable of the cell ``ruler``, on
the same page, to these values of its controls.

Figures and explorables have numbers, counted through a page, and addresses, made of the names of
their cells: a link to one stays when another is put before it.
"""

from __future__ import annotations

import re
import struct
from html import escape
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import nbformat
from course_tools import tool
from docutils import nodes
from docutils.parsers.rst import Directive
from frames import EXPLORABLE
from listings import full_title, section_of
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import ReferenceRole

from bncourse.display.card import card_html, without_card

pages = tool("pages")

#: Names and texts of a card.
Rows = list[tuple[str, str]]

logger = logging.getLogger(__name__)

#: Pixels of a stored picture for each pixel on the page.
PIXEL_RATIO = 2


def add_words(app: Sphinx, doctree: nodes.document) -> None:
    """Copy the text form of each output to its picture."""
    for bundle in doctree.findall(nodes.container):
        if bundle.get("nb_element") != "mime_bundle":
            continue
        forms = {
            form.get("mime_type"): form
            for form in bundle.children
            if isinstance(form, nodes.Element)
        }
        if "image/png" not in forms:
            continue
        text = forms["text/plain"].astext().strip() if "text/plain" in forms else ""
        words, card = without_card(text)
        if card:
            # Tables and explorables bring their card with their HTML.
            below = nodes.raw("", card_html(card), format="html")
            bundle.parent.insert(bundle.parent.index(bundle) + 1, below)
        for image in forms["image/png"].findall(nodes.image):
            if not words or words.startswith("<"):
                logger.warning("a picture without words", location=image)
            image["alt"] = words
            width = _width(Path(app.srcdir) / image["uri"].lstrip("/"))
            if width:
                image["width"] = f"{width // PIXEL_RATIO}px"


def number_figures(app: Sphinx, doctree: nodes.document) -> None:
    """Give each figure and explorable of a notebook its number and its address."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    cells = nbformat.read(path, as_version=4).cells
    page = re.match(r"0?(\d+)(?:-(\d))?-", path.stem)
    prefix = "".join(f"{part}." for part in (page.groups() if page else ()) if part)
    count = 0
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        shown = [bundle for bundle in cell.findall(nodes.container) if _is_figure(bundle)]
        for k, bundle in enumerate(shown):
            count += 1
            name = f"fig-{cells[cell['cell_index']].id}" + (f"-{k + 1}" if k else "")
            number = f"Figure {prefix}{count}"
            line = f'<p class="figure-number" id="{name}"><a href="#{name}">{number}</a></p>'
            place = bundle.parent.index(bundle) + 1
            bundle.parent.insert(place, nodes.raw("", line, format="html"))


def _is_figure(bundle: nodes.container) -> bool:
    """Say whether an output is a figure or an explorable."""
    forms = [form for form in bundle.children if isinstance(form, nodes.Element)]
    return bundle.get("nb_element") == "mime_bundle" and any(
        form.get("mime_type") == "image/png"
        or (form.get("mime_type") == "text/html" and EXPLORABLE.search(form.astext()))
        for form in forms
    )


def _width(path: Path) -> int:
    """Return the width of a PNG in pixels, or 0 if there is none at that place."""
    try:
        header = path.read_bytes()[:24]
    except OSError:
        return 0
    return struct.unpack(">I", header[16:20])[0] if header[:4] == b"\x89PNG" else 0


class experiments(nodes.Element):  # noqa: N801 (docutils names nodes so)
    """The place of the list of cards, filled when all pages have been read."""


class Experiments(Directive):
    """List the cards of all pages, each with the page that shows the result."""

    def run(self) -> list[nodes.Node]:
        """Return the place."""
        return [experiments()]


def cards(doctree: nodes.document) -> list[Rows]:
    """Return the cards of a page, each once, in their order."""
    found: list[Rows] = []
    for form in doctree.findall(nodes.container):
        if form.get("mime_type") == "text/plain":
            _, card = without_card(form.astext().strip())
            if card and card not in found:
                found.append(card)
    return found


def list_experiments(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Fill the place of the list."""
    for place in list(doctree.findall(experiments)):
        shown: list[nodes.Node] = []
        for page in pages.existing(Path(app.srcdir)):
            found = cards(app.env.get_doctree(page))
            if found:
                address = app.builder.get_relative_uri(docname, page)
                title = full_title(app.env, page)
                link = nodes.reference("", title, internal=True, refuri=address)
                entries = (nodes.raw("", _entry(card), format="html") for card in found)
                shown.append(section_of(page, link, *entries))
        place.replace_self(shown or [nodes.paragraph("", "No page has a card yet.")])


def _entry(card: Rows) -> str:
    """Return a card under its question."""
    (_, question), *rest = card
    return card_html(rest).replace("How this was measured", escape(question.replace("'", "’")))


class Move(ReferenceRole):
    """A link that sets an explorable."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link; the page's script reads its address."""
        cell, *values = (part.strip() for part in self.target.split(";"))
        state = "&".join(quote(value, safe="") for value in values)
        return [nodes.reference("", self.title, internal=True, refuri=f"#fig-{cell}={state}")], []


class StoredExplorable(Directive):
    """Show an explorable that another page has stored.

        ```{stored-explorable} fifteen-minutes neighbours
        ```

    It is the output of the cell ``neighbours`` of the notebook ``fifteen-minutes`` in the same
    folder, so the page can't show anything that the other one does not compute.
    """

    required_arguments = 2
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return it without its card, which stands on its own page."""
        env = self.state.document.settings.env
        stem, cell_id = self.arguments
        path = Path(env.doc2path(env.docname)).with_name(f"{stem}.ipynb")
        env.note_dependency(str(path))
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            for output in cell.get("outputs", []) if cell.id == cell_id else []:
                found = EXPLORABLE.search(output.get("data", {}).get("text/html", ""))
                if found:
                    return [nodes.raw("", found[0], format="html")]
        raise self.error(f"no explorable in cell {cell_id!r} of {path.name}")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx, and register the directive."""
    app.connect("doctree-read", add_words)
    app.connect("doctree-read", number_figures)
    app.connect("doctree-resolved", list_experiments)
    app.add_node(experiments)
    app.add_directive("stored-explorable", StoredExplorable)
    app.add_directive("experiments", Experiments)
    app.add_role("move", Move())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

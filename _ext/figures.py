"""Show figures with the words of their own outputs as alternative text, and in their size.

A figure's output holds a picture and its words (see ``bncourse.display``). Words typed into the
page would go stale, so the picture's ``alt`` is taken from the output itself. So are the cards of
measured results: below a figure, and all together where ``{experiments}`` stands.

``{move}`words <ruler; −8; 0.5>` `` is a link that sets the explorable of the cell ``ruler``, on
the same page, to these values of its controls.

On a narrow screen the page shows the figure's second drawing, which the same output holds (see
``bncourse.display.narrow``): it is written to a file beside the first one, and the browser fetches
the one that it needs.

Figures and explorables have numbers, counted through a page, and addresses, made of the names of
their cells: a link to one stays when another is put before it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import struct
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from urllib.parse import quote

import nbformat
from course_tools import tool
from docutils import nodes
from docutils.parsers.rst import Directive
from frames import EXPLORABLE, FOLDER
from listings import full_title, section_of
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import ReferenceRole

from bncourse.display.card import card_html, without_card
from bncourse.display.figure import NARROW

pages = tool("pages")

#: Names and texts of a card.
Rows = list[tuple[str, str]]

logger = logging.getLogger(__name__)

#: Pixels of a stored picture for each pixel on the page.
PIXEL_RATIO = 2
#: The screens that get the drawing for narrow ones. Paper is as narrow, but its dots are finer.
NARROW_SCREEN = "screen and (max-width: 520px)"
#: A picture of a page, and the name of its file.
PICTURE = re.compile(r'<img [^>]*\bsrc="[^"]*/([^"/]+)"[^>]*>')


def set_narrow_aside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Take the drawings for narrow screens out of what MyST-NB reads, which knows no such form."""
    if NARROW in source[0] and str(app.env.doc2path(docname)).endswith(".ipynb"):
        notebook = json.loads(source[0])
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                output.get("data", {}).pop(NARROW, None)
        source[0] = json.dumps(notebook)


def store_narrow(app: Sphinx, doctree: nodes.document) -> None:
    """Write each drawing for narrow screens beside its picture, which gets to know its name."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    cells = nbformat.read(path, as_version=4).cells
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        stored = [
            output["data"]
            for output in cells[cell["cell_index"]].get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        shown = [
            next(form.findall(nodes.image))
            for form in cell.findall(nodes.container)
            if form.get("mime_type") == "image/png"
        ]
        for data, image in zip(stored, shown, strict=True):
            if NARROW in data:
                picture = base64.b64decode(data[NARROW].partition(",")[2])
                name = f"{hashlib.sha256(picture).hexdigest()[:20]}.webp"
                place = PurePosixPath(image["uri"].lstrip("/")).with_name(name)
                Path(app.srcdir, place).write_bytes(picture)
                image["narrow"] = str(place)


def offer_narrow(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Let the browser choose between the drawings."""
    if app.builder.format != "html" or doctree is None or "body" not in context:
        return
    sources, shapes = {}, {}
    for image in doctree.findall(nodes.image):
        if "narrow" in image:
            path = Path(app.outdir, FOLDER, PurePosixPath(image["narrow"]).name)
            path.parent.mkdir(exist_ok=True)
            shutil.copyfile(Path(app.srcdir, image["narrow"]), path)
            with Image.open(path) as picture:
                width, height = picture.size
            address = context["pathto"](f"{FOLDER}/{path.name}", 1)
            # The writer has put the place in the output where the place in the source was.
            name = PurePosixPath(image["uri"]).name
            # A picture that loads late has the shape of its <img> until then, unless told.
            shapes[name] = f'style="--narrow: {width}/{height}; '
            sources[name] = (
                f'<source media="{NARROW_SCREEN}" srcset="{address}" '
                f'width="{width}" height="{height}">'
            )

    def with_choice(image: re.Match[str]) -> str:
        source = sources.get(image[1])
        if source is None:
            return image[0]
        shaped = image[0].replace('style="', shapes[image[1]], 1)
        return f"<picture>{source}{shaped}</picture>"

    context["body"] = PICTURE.sub(with_choice, context["body"])


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
                entries = (nodes.raw("", _entry(card, found), format="html") for card in found)
                shown.append(section_of(app.env, docname, page, link, *entries))
        place.replace_self(shown or [nodes.paragraph("", "No page has a card yet.")])


def _entry(card: Rows, cards: list[Rows]) -> str:
    """Return a card under its question, and under what tells it from another of the page's."""
    (_, question), *rest = card
    others = [row for other in cards if other != card and other[0] == card[0] for row in other]
    own = next((row for row in rest if others and row not in others), None)
    told = question if own is None else f"{question} ({own[0]}: {own[1]})"
    return card_html(rest).replace("How this was measured", escape(told.replace("'", "’")))


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
    app.connect("source-read", set_narrow_aside)
    app.connect("doctree-read", add_words)
    app.connect("doctree-read", store_narrow)
    app.connect("doctree-read", number_figures)
    app.connect("doctree-resolved", list_experiments)
    app.connect("html-page-context", offer_narrow)
    app.add_node(experiments)
    app.add_directive("stored-explorable", StoredExplorable)
    app.add_directive("experiments", Experiments)
    app.add_role("move", Move())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

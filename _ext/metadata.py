"""Tell search engines, and whoever shows a link to a page, what the page is about.

A page's description is the ``description`` of its front matter, or else its first paragraph. No
address of the published site is known until ``html.baseurl`` is set in ``_config.yml``, or
``BOOK_URL`` in the environment; the tags that need one (``og:url``, ``og:image``; Sphinx adds the
canonical link) wait for it.
"""

from __future__ import annotations

import html
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urljoin

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

#: The length to which search engines show a description.
LENGTH = 200
#: What holds paragraphs that don't say what the page is about.
ASIDE = (nodes.citation, nodes.definition_list, nodes.figure, nodes.footnote, nodes.table)
#: Letters and signs that the prose writes as formulas; a formula of anything else is left out.
SIGNS = {
    r"\alpha": "α",
    r"\beta": "β",
    r"\gamma": "γ",
    r"\epsilon": "ε",
    r"\mu": "μ",
    r"\sigma": "σ",
    r"\times": "×",
}
#: What stands at the root of the site: whoever shares the short address shares this page.
FRONT_DOOR = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8" />
<title>{title}</title>
{tags}
<meta http-equiv="refresh" content="0; url={target}" />
</head>
<body><p><a href="{target}">{title}</a></p></body>
</html>
"""


def set_address(app: Sphinx, config: Config) -> None:
    """Take the address of the site from the environment, where whoever publishes it sets it."""
    config.html_baseurl = os.environ.get("BOOK_URL") or config.html_baseurl


def page_description(doctree: nodes.document) -> str:
    """Return the page's first paragraph as plain text, or an empty string."""
    for paragraph in doctree.findall(nodes.paragraph):
        if any(isinstance(parent, ASIDE) for parent in _parents(paragraph)):
            continue
        text = plain_text(paragraph)
        if len(text.split()) > 3:
            return shorten(text)
    return ""


def _parents(node: nodes.Node) -> list[nodes.Node]:
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def plain_text(paragraph: nodes.paragraph) -> str:
    """Return the words of a paragraph, without a heading in bold that opens it."""
    copy = paragraph.deepcopy()
    first = next((child for child in copy.children if child.astext()), None)
    if isinstance(first, nodes.strong) and first.astext().endswith("."):
        copy.remove(first)
    for formula in list(copy.findall(nodes.math)):
        text = formula.astext()
        for sign, letter in SIGNS.items():
            text = text.replace(sign, letter)
        formula.parent.replace(formula, nodes.Text("…" if re.search(r"[\\{}^_]", text) else text))
    return " ".join(copy.astext().split())


def shorten(text: str, length: int = LENGTH) -> str:
    """Return as many whole sentences as fit, or as many words of the first one."""
    if len(text) <= length:
        return text
    ends = [m.end() for m in re.finditer(r"[.?!](?=\s)", text[: length + 1])]
    if ends and ends[-1] > length // 3:
        return text[: ends[-1]]
    return text[: text.rfind(" ", 0, length - 1)].rstrip(",;:") + " …"


def add_tags(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Add the tags to the head of a page."""
    site = app.config.html_title or app.config.project
    names = {"search": "Search", "genindex": "Index"}
    is_root = pagename == app.config.root_doc
    page_title = context.get("title") or names.get(pagename, "")
    title = " ".join(html.unescape(re.sub(r"<[^>]*>", "", str(page_title))).split())
    description = ""
    if doctree is not None:
        front_matter = app.env.metadata.get(pagename, {})
        description = str(front_matter.get("description", "")) or page_description(doctree)
    description = description or (f"{title}: a page of “{site}”." if title else site)

    tags = [
        ("name", "description", description),
        ("property", "og:title", title or site),
        ("property", "og:type", "website" if is_root else "article"),
        ("property", "og:site_name", site),
        ("property", "og:description", description),
    ]
    base = app.config.html_baseurl
    if base:
        base = base.rstrip("/") + "/"
        tags.append(("property", "og:url", urljoin(base, app.builder.get_target_uri(pagename))))
        picture = _first_picture(app, doctree)
        if picture is not None:
            tags.append(("property", "og:image", urljoin(base, picture[0])))
            tags.append(("property", "og:image:alt", picture[1]))
    lines = [
        f'<meta {kind}="{name}" content="{html.escape(text)}" />' for kind, name, text in tags
    ]
    context["metatags"] = "\n    ".join([context.get("metatags", ""), *lines])
    if is_root:
        # The front page would be called "Title — Title".
        context["docstitle"] = ""
        app.env.front_door_tags = lines


def _first_picture(app: Sphinx, doctree: nodes.document | None) -> tuple[str, str] | None:
    """Return the place of the page's first picture in the output, and its words."""
    for image in doctree.findall(nodes.image) if doctree is not None else ():
        # The writer has put the place in the output where the place in the source was.
        name = PurePosixPath(unquote(image["uri"])).name
        if name in app.builder.images.values() and name.endswith((".png", ".jpg", ".webp")):
            return f"{app.builder.imagedir}/{quote(name)}", image.get("alt", "")
    return None


def write_front_door(app: Sphinx, exception: Exception | None) -> None:
    """Write the page that leads from the root of the site to the book's first page."""
    # A build that leaves the first page as it was leaves this one as it was, too.
    tags = getattr(app.env, "front_door_tags", None)
    if exception is not None or app.builder.name != "html" or tags is None:
        return
    text = FRONT_DOOR.format(
        language=app.config.language,
        title=html.escape(app.config.html_title or app.config.project),
        tags="\n".join(tags),
        target=app.builder.get_target_uri(app.config.root_doc),
    )
    Path(app.outdir, "index.html").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("config-inited", set_address)
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", write_front_door)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

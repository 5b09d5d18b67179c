"""Tell search engines, and whoever shows a link to a page, what the page is about.

A page's description is the ``description`` of its front matter, or else its first paragraph. No
address of the published site is known until ``html.baseurl`` is set in ``_config.yml``, or
``BOOK_URL`` in the environment; the tags that need one (``og:url``, ``og:image``; Sphinx adds the
canonical link) wait for it.

Each page's footer names the version that it was built from.

Two pages stand around the book: the one at the root of the site, which leads to the front page,
and the one for addresses that lead nowhere.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import subprocess
from pathlib import Path, PurePosixPath
from string import Template
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from course_tools import tool
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

pages = tool("pages")

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
#: A file that every build of this book has in its root.
PROBE = "searchindex.js"


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


def version(folder: Path) -> str:
    """Return the package's version, and the commit if the book is built from a repository."""
    source = (folder / "bncourse" / "__init__.py").read_text(encoding="utf-8")
    text = "Version " + re.findall(r'^__version__ = "(.+)"', source, re.MULTILINE)[0]
    if not (folder / ".git").exists():
        return text  # an unpacked archive, perhaps inside another repository
    try:
        said = subprocess.run(
            ["git", "-C", folder, "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return text
    return f"{text}, commit {said.stdout.strip()}"


def set_credit(app: Sphinx, config: Config) -> None:
    """Let the footer know title and version, before Sphinx asks what has changed."""
    if Path(app.confdir, "bncourse").is_dir():
        title = app.config.html_title or app.config.project
        app.config.html_context |= {
            "course_title": title,
            "course_version": version(Path(app.confdir)),
        }


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


def _inlined(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _group(app: Sphinx, root: str, caption: str, rows: list[list[str]]) -> str:
    """Return a group of the pages as the sidebar has it, deeper pages set in."""
    lines = []
    numbered = False
    for row in rows:
        for docname in row:
            page = app.builder.get_target_uri(docname)
            title = html.escape(app.env.titles[docname].astext())
            number = ".".join(map(str, app.env.titles[docname].get("secnumber") or ()))
            numbered |= bool(number)
            below = ' class="below"' if docname != row[0] else ""
            lines.append(
                f'<li{below} data-number="{number}">'
                f'<a href="{root}{page}" data-page="{page}">{title}</a></li>'
            )
    heading = f"<h2>{html.escape(caption)}</h2>" if caption else ""
    name = "course" if numbered else "plain"
    return f'<section class="{name}">{heading}<ul>\n' + "\n".join(lines) + "\n</ul></section>"


def write_not_found(app: Sphinx, exception: Exception | None) -> None:
    """Write ``404.html``, the page that a server shows for an address that it does not have.

    A server shows it at any depth (``/book/x/y``), under a site's root that may itself be a
    folder, so neither relative nor absolute links are right as they stand. With ``html.baseurl``
    the root is known. Without it a few lines of script try the folders of the address from the
    deepest up, until one holds this book, and mend the links. The page carries its style itself,
    for the same reason.
    """
    if exception is not None or app.builder.name != "html":
        return
    root = urlsplit(app.config.html_baseurl).path.rstrip("/") + "/"
    if not app.config.html_baseurl:
        root = ""
    groups = [
        _group(app, root, caption, rows) for caption, rows in pages.parts(Path(app.srcdir))[1:]
    ]
    front = app.builder.get_target_uri(app.config.root_doc)
    assets = Path(app.confdir) / "_assets"
    icon = (assets / "favicon.svg").read_text(encoding="utf-8").strip()
    logo = (assets / "logo.svg").read_text(encoding="utf-8").strip()
    template = Path(app.confdir, "_templates", "404.html").read_text(encoding="utf-8")
    text = Template(template).substitute(
        language=app.config.language,
        site=html.escape(app.config.html_title or app.config.project),
        icon=re.sub(r"[#<>\"%]", lambda m: f"%{ord(m[0]):02X}", icon),
        logo=re.sub(r'role="img" aria-label="[^"]*"', 'aria-hidden="true"', logo),
        face=_inlined(assets / "fonts" / "text.woff2"),
        greek=_inlined(assets / "fonts" / "text-greek.woff2"),
        front=front,
        root_page=root + front,
        search=root + "search.html",
        groups="\n".join(groups),
        root=json.dumps(root),
        probe=PROBE,
    )
    Path(app.outdir, "404.html").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("config-inited", set_address)
    app.connect("config-inited", set_credit)
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", write_front_door)
    app.connect("build-finished", write_not_found)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

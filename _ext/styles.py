"""Join the stylesheets of a page to one, the theme's in a layer below the book's own.

What stands in a layer loses to what stands in none, however it is written: so the book's rules can
be plain, and one request takes the place of ten. The face of the text comes with it.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
from pathlib import Path
from typing import Any

from purge import COMMENT, known, purged, without_unread
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

TARGET = "book.css"
#: The book's own, in this order; all others are the theme's.
OURS = ("course.css", "explorable.css", "exercises.css", "blocks.css", "ledger.css", "page.css")
#: The face of the text comes as a script, which holds its bytes: only such a face is there at the
#: first paint. What a stylesheet names comes later, and moves the page. Where no script runs, it
#: is taken from its file all the same.
FACE, FONT = "face.js", "fonts/text.woff2"
SCRIPT = (
    'document.fonts.add(new FontFace("Course Text", Uint8Array.from(atob("{bytes}"), '
    '(c) => c.charCodeAt(0)), {{ weight: "400 700" }}));\n'
)
#: And a mark on pages that are read from their beginning: there the sections below may wait to be
#: laid out (page.css, course.js), which moves what is below them.
EARLY = """
    <script>
      if (!location.hash && performance.getEntriesByType("navigation")[0]?.type === "navigate")
        document.documentElement.classList.add("from-the-top");
    </script>
    <script src="{up}_static/{face}"></script>
    <noscript><style>
      @font-face {{ font-family: "Course Text"; font-weight: 400 700;
        src: url({up}_static/{font}); }}
    </style></noscript>"""
LINK = re.compile(r'\s*<link [^>]*\brel="stylesheet"[^>]*>')
ADDRESS = re.compile(r'href="[^"]*_static/([^"?]+)')
IMPORT = re.compile(r"@import\s+(?:url\()?[\"']([^\"']+)[\"']\)?\s*;")
URL = re.compile(r"url\((['\"]?)(?!data:|[a-z]+:|/|#)([^)'\"]+)\1\)")
#: A comment that stays: it says who wrote the rules, and under which licence.
NOTICE = re.compile(r"licen[cs]e|copyright", re.IGNORECASE)
#: ``!important`` would win from below.
IMPORTANT = re.compile(r"(box-shadow:[^;}]*?)\s*!important")


def sheet(folder: Path, name: str) -> str:
    """Return a stylesheet with what it imports, its addresses as seen from ``folder``.

    Parameters
    ----------
    folder : Path
        ``_static``.
    name : str
        The file, as seen from there.
    """
    text = (folder / name).read_text(encoding="utf-8").replace('@charset "UTF-8";', "")

    def place(address: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(name), address))

    parts = [sheet(folder, place(found)) for found in IMPORT.findall(text)]
    text = URL.sub(lambda found: f'url("{place(found[2])}")', IMPORT.sub("", text))
    return "\n".join([*parts, text])


def joined(folder: Path, theirs: list[str]) -> str:
    """Return all stylesheets as one, the theme's without what no page can use."""
    layer = IMPORTANT.sub(r"\1", "\n".join(sheet(folder, name) for name in theirs))
    notices = "\n".join(comment for comment in COMMENT.findall(layer) if NOTICE.search(comment))
    ours = "\n".join(sheet(folder, name) for name in OURS)
    scripts = "\n".join(
        path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*.js")
    )
    layer = without_unread(purged(layer, known(folder.parent)), ours + scripts)
    layer = f"{notices}\n{layer}"
    return f"@layer theme {{\n{layer}\n}}\n{ours}"


def digest(text: str) -> str:
    """Return a version of a file, which changes with its content."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def join(app: Sphinx, exception: Exception | None) -> None:
    """Write the one stylesheet and the face of the text, and their links into all pages."""
    if exception is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir, "_static")
    pages = {}
    theirs: dict[str, None] = {}
    for path in sorted(Path(app.outdir).rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        links = LINK.findall(text) if folder not in path.parents else []
        names = [ADDRESS.search(link) for link in links]
        if None in names:
            raise ExtensionError(f"a stylesheet from elsewhere: {links}")
        found = [name[1] for name in names if name]
        if found and found != [TARGET]:
            pages[path] = text
            theirs |= dict.fromkeys(name for name in found if name not in (*OURS, TARGET))
    if not pages:
        return
    text = joined(folder, list(theirs))
    (folder / TARGET).write_text(text, encoding="utf-8", newline="\n")
    face = base64.b64encode((folder / FONT).read_bytes()).decode("ascii")
    script = SCRIPT.format(bytes=face)
    (folder / FACE).write_text(script, encoding="utf-8", newline="\n")
    for path, text in pages.items():
        up = "../" * len(path.relative_to(app.outdir).parent.parts)
        link = f'\n    <link rel="stylesheet" href="{up}_static/{TARGET}?v={digest(text)}" />'
        early = EARLY.format(up=up, face=f"{FACE}?v={digest(script)}", font=FONT)
        once = iter([early + link])
        changed = LINK.sub(lambda _, once=once: next(once, ""), text)
        path.write_text(changed, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("build-finished", join, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Give each figure's picture the words of its own output as alternative text, and its size.

A figure's output holds a picture and its words (see ``bncourse.display``). Words typed into the
page would go stale, so the picture's ``alt`` is taken from the output itself.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

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
        words = forms["text/plain"].astext().strip() if "text/plain" in forms else ""
        for image in forms["image/png"].findall(nodes.image):
            if not words or words.startswith("<"):
                logger.warning("a picture without words", location=image)
            image["alt"] = words
            width = _width(Path(app.srcdir) / image["uri"].lstrip("/"))
            if width:
                image["width"] = f"{width // PIXEL_RATIO}px"


def _width(path: Path) -> int:
    """Return the width of a PNG in pixels, or 0 if there is none at that place."""
    try:
        header = path.read_bytes()[:24]
    except OSError:
        return 0
    return struct.unpack(">I", header[16:20])[0] if header[:4] == b"\x89PNG" else 0


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("doctree-read", add_words)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

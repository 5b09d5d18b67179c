"""Show figures with the words of their own outputs as alternative text, and in their size.

A figure's output holds a picture and its words (see ``bncourse.display``). Words typed into the
page would go stale, so the picture's ``alt`` is taken from the output itself.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path
from typing import Any, ClassVar

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
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


class StoredFigure(Directive):
    """Show a figure that a chapter has stored, with its words, on another page.

        ```{stored-figure} 01-motivation headline
        ```

    The picture and the words are those of the cell ``headline`` of the notebook ``01-motivation``
    in the same folder, so the page can't say anything that the chapter does not compute.
    """

    required_arguments = 2
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the image and a caption made of its words."""
        env = self.state.document.settings.env
        stem, cell_id = self.arguments
        path = Path(env.doc2path(env.docname)).with_name(f"{stem}.ipynb")
        env.note_dependency(str(path))
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            for output in cell.get("outputs", []) if cell.id == cell_id else []:
                if "image/png" in output.get("data", {}):
                    return self._figure(env, output)
        raise self.error(f"no stored figure in cell {cell_id!r} of {path.name}")

    def _figure(self, env: Any, output: Any) -> list[nodes.Node]:
        picture = base64.b64decode(output.data["image/png"])
        words = output.data["text/plain"]
        folder = Path(env.app.outdir).parent / "jupyter_execute"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{hashlib.sha256(picture).hexdigest()}.png"
        target.write_bytes(picture)
        width = int.from_bytes(picture[16:20], "big") // PIXEL_RATIO
        uri = "/" + target.relative_to(env.app.srcdir).as_posix()
        image = nodes.image(uri=uri, alt=words, width=f"{width}px")
        return [nodes.figure("", image, nodes.caption(words, words))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx, and register the directive."""
    app.connect("doctree-read", add_words)
    app.add_directive("stored-figure", StoredFigure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

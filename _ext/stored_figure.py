"""Show a figure that a chapter has stored, with its words, on another page.

    ```{stored-figure} 01-motivation headline
    ```

The picture and the words are those of the cell ``headline`` of the notebook ``01-motivation`` in
the same folder, so the page can't say anything that the chapter does not compute.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, ClassVar

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

PIXEL_RATIO = 2


class StoredFigure(Directive):
    """The directive: the notebook's stem and the cell's id."""

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
    """Register the directive."""
    app.add_directive("stored-figure", StoredFigure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Take out of the built HTML what no reader needs: the theme's source maps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def remove_source_maps(app: Sphinx, exception: Exception | None) -> None:
    """Delete the maps, and the comments that make developer tools look for them."""
    if exception is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir, "_static").rglob("*.map"):
        script = path.with_suffix("")
        if script.is_file():
            text = script.read_text(encoding="utf-8")
            script.write_text(
                re.sub(r"(//|/\*)# sourceMappingURL=\S+?( \*/|\*/|\s*$)", "", text),
                encoding="utf-8",
            )
        path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("build-finished", remove_source_maps)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

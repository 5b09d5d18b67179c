"""Join the scripts that wait for a page to one: on a phone each request costs more than its bytes.

What only some pages need comes besides; the search page, which has no use for some, keeps its own.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from styles import digest

TARGET = "book.js"
SCRIPT = re.compile(
    r'\s*<script defer(?:="defer")? src="(?:\.\./)*_static/([^"?]+)[^"]*"></script>'
)


def join(app: Sphinx, exception: Exception | None) -> None:
    """Write the one script, and its link into the pages."""
    if exception is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir, "_static")
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in sorted(Path(app.outdir).rglob("*.html"))
        if folder not in path.parents
    }
    asked = {
        path: tuple(found[1] for found in SCRIPT.finditer(text)) for path, text in texts.items()
    }
    names = Counter(names for names in asked.values() if names and TARGET not in names)
    if not names:
        return
    usual = names.most_common(1)[0][0]
    # The first sign ends no statement; it keeps one script's "use strict" from ruling all others.
    script = ";" + "\n;\n".join((folder / name).read_text(encoding="utf-8") for name in usual)
    (folder / TARGET).write_text(script, encoding="utf-8", newline="\n")
    for path, text in texts.items():
        if set(usual) <= set(asked[path]):
            up = "../" * len(path.relative_to(app.outdir).parent.parts)
            tag = f'<script defer src="{up}_static/{TARGET}?v={digest(script)}"></script>'
            others = SCRIPT.sub(lambda found: "" if found[1] in usual else found[0], text)
            changed = others.replace("</head>", f"  {tag}\n  </head>", 1)
            path.write_text(changed, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    # After the pages have got their scripts, and the scripts have been mended.
    app.connect("build-finished", join, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Write the frames of the explorables to files, which load when a reader comes near them.

A notebook holds each frame as text in the HTML of its output, so that it stands by itself. In a
page that was most of the weight, and no reader needs all frames at once: here each goes to a file
whose name is made of its content, and its address takes the place of the text.

The caption also learns its longest words, for which it keeps room at every width, and the controls
keep theirs until the script shows them (explorable.css).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

EXPLORABLE = re.compile(r'<figure class="explorable".*?</figure>', re.DOTALL)
FRAME = re.compile(r"data:image/webp;base64,([A-Za-z0-9+/]+=*)")
DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)
HIDDEN = '<div class="explorable-controls" hidden>'
FOLDER = "_images"


def write_frames(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Take the frames out of a page."""
    if app.builder.format != "html" or "body" not in context:
        return
    folder = Path(app.outdir, FOLDER)

    def written(match: re.Match[str]) -> str:
        picture = base64.b64decode(match[1])
        path = folder / f"{hashlib.sha256(picture).hexdigest()[:20]}.webp"
        if not path.exists():
            folder.mkdir(exist_ok=True)
            path.write_bytes(picture)
        return str(context["pathto"](f"{FOLDER}/{path.name}", 1))

    def light(match: re.Match[str]) -> str:
        figure = FRAME.sub(written, match[0])
        data = DATA.search(figure)
        assert data is not None, figure[:200]
        longest = max((frame["words"] for frame in json.loads(data[1])["frames"]), key=len)
        room = f'<figcaption data-longest="{escape(longest)}" '
        figure = figure.replace("<figcaption ", room, 1)
        # A page may be painted between the figure and its script (explorable.css).
        figure = figure.replace(HIDDEN, HIDDEN.replace(" hidden", ""), 1)
        # What is at the top of a page is seen at once.
        waits = 'loading="lazy" ' if "<h2" in match.string[: match.start()] else ""
        return figure.replace("<img ", f'<img {waits}decoding="sync" ', 1)

    context["body"] = EXPLORABLE.sub(light, context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", write_frames)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

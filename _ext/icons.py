"""Keep of the theme's 1,400 icons those that the pages show: 2 kB of font instead of 156.

The theme loads the whole icon font on every page, and 100 kB of css that names each icon. Once the
pages are written it is known which icons they use.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

STYLE = "styles/pydata-sphinx-theme.css"
FONT = "vendor/fontawesome/webfonts/fa-solid-900"
#: ``.fa-bars:before,.fa-navicon:before{content:"\\f0c9"}``
RULE = re.compile(r'(?:\.fa-[\w-]+:{1,2}before,?)+\{content:"[^"]*"\}')
#: Icons stand in the font's private use area, written as an escape or as the character itself.
ESCAPED = re.compile(r"\\([ef][0-9a-f]{3})\b")
PRIVATE = re.compile("[\ue000-\uf8ff]")


def used_names(folder: Path) -> set[str]:
    """Return the names of icons that any page or script mentions."""
    names: set[str] = set()
    for pattern in ("*.html", "*.js"):
        for path in folder.rglob(pattern):
            names.update(re.findall(r"\bfa-[\w-]+", path.read_text(encoding="utf-8")))
    return names


def drop_rules(css: str, names: set[str]) -> str:
    """Return the css without the rules of icons that are not among the names."""
    return RULE.sub(
        lambda rule: rule[0] if names & set(re.findall(r"fa-[\w-]+", rule[0])) else "", css
    )


def code_points(css: str) -> set[int]:
    """Return the places in the font of all icons that the css still draws."""
    escaped = {int(code, 16) for code in ESCAPED.findall(css)}
    return escaped | {ord(character) for character in PRIVATE.findall(css)}


def shrink(font: Path, points: set[int]) -> bytes:
    """Return the font with these icons only, as WOFF."""
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    options.drop_tables += ["FFTM", "GSUB", "GPOS"]
    with TTFont(font, recalcTimestamp=False) as whole:
        tool = subset.Subsetter(options)
        tool.populate(unicodes=points)
        tool.subset(whole)
        buffer = BytesIO()
        whole.flavor = "woff"
        whole.save(buffer)
    return buffer.getvalue()


def keep_used_icons(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the theme's style and write the small font beside the whole one."""
    static = Path(app.outdir, "_static")
    style, font = static / STYLE, static / FONT
    if exception is not None or app.builder.name != "html" or not style.is_file():
        return
    css = drop_rules(style.read_text(encoding="utf-8"), used_names(Path(app.outdir)))
    everywhere = css + "".join(
        path.read_text(encoding="utf-8") for path in static.rglob("*.css") if path != style
    )
    font.with_suffix(".woff").write_bytes(
        shrink(font.with_suffix(".ttf"), code_points(everywhere))
    )
    whole = f'url(../{FONT}.woff2) format("woff2"),url(../{FONT}.ttf) format("truetype")'
    style.write_text(
        css.replace(whole, f'url(../{FONT}.woff) format("woff")'), encoding="utf-8", newline="\n"
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("build-finished", keep_used_icons, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

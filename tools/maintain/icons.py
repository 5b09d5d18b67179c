"""Cut the theme's icon font to the icons that the pages show: 3 kB instead of 156.

    python tools/maintain/icons.py [CODE ...]    # writes _assets/icons.woff

It is run when a page gets an icon that the small font lacks, with the icon's place in the font
(``f0c9``). Until then that page loads the whole font besides, and a browser test says so.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

TARGET = Path(__file__).resolve().parents[2] / "_assets" / "icons.woff"
FONT = "theme/pydata_sphinx_theme/static/vendor/fontawesome/webfonts/fa-solid-900.ttf"


def main() -> None:
    """Write the icons that the small font has, and those that are named."""
    with TTFont(TARGET) as small:
        points = set(small.getBestCmap()) | {int(code, 16) for code in sys.argv[1:]}
    theme = find_spec("pydata_sphinx_theme")
    assert theme is not None
    assert theme.origin is not None
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    options.drop_tables += ["FFTM", "GSUB", "GPOS"]
    with TTFont(Path(theme.origin).parent / FONT, recalcTimestamp=False) as font:
        tool = subset.Subsetter(options)
        tool.populate(unicodes=points)
        tool.subset(font)
        font.flavor = "woff"
        font.save(TARGET)


if __name__ == "__main__":
    main()

"""What the pages don't load, and that nothing is missing for it."""

from __future__ import annotations

import re

from fontTools.ttLib import TTFont

from .test_pages import HTML, each_page, parse

STATIC = HTML / "_static"
STYLE = STATIC / "styles" / "pydata-sphinx-theme.css"
FONT = STATIC / "vendor" / "fontawesome" / "webfonts" / "fa-solid-900.woff"


def glyphs():
    with TTFont(FONT) as font:
        return set(font.getBestCmap())


@each_page
def test_every_icon_of_a_page_is_in_the_small_font(page):
    css = STYLE.read_text(encoding="utf-8")
    known = glyphs()
    shown = {
        name
        for tag, a, _ in parse(page).elements
        if tag in ("i", "span")
        for name in (a.get("class") or "").split()
        if name.startswith("fa-") and name not in ("fa-solid", "fa-lg", "fa-fw")
    }
    assert shown
    for name in shown:
        code = re.search(rf"\.{name}:before[^{{]*\{{content:\"\\([0-9a-f]+)\"", css)
        assert code, name
        assert int(code[1], 16) in known, name


def test_icons_that_the_styles_draw_are_in_the_small_font():
    known = glyphs()
    with TTFont(FONT.with_suffix(".ttf")) as font:
        known |= set(range(0xE000, 0xF900)) - set(font.getBestCmap())  # of the brands' font
    for path in STATIC.rglob("*.css"):
        css = path.read_text(encoding="utf-8")
        for code in re.findall(r'(?:content|--pst-icon-[\w-]+):\s*"\\([ef][0-9a-f]{3})"', css):
            assert int(code, 16) in known, (path.name, code)
        for character in re.findall("[\ue000-\uf8ff]", css):
            assert ord(character) in known, (path.name, hex(ord(character)))


def test_the_icons_are_small_and_the_style_loads_them():
    assert FONT.stat().st_size < 10_000
    solid = re.search(r"@font-face\{[^}]*fa-solid[^}]*\}", STYLE.read_text(encoding="utf-8"))
    assert "fa-solid-900.woff)" in solid[0]
    assert "woff2" not in solid[0]


@each_page
def test_scripts_wait_and_the_search_index_is_not_loaded(page):
    scripts = [a for tag, a, _ in parse(page).elements if tag == "script" and a.get("src")]
    at_once = {a["src"].split("/")[-1].split("?")[0] for a in scripts if "defer" not in a}
    assert at_once == {"documentation_options.js"}
    assert not [a["src"] for a in scripts if "search" in a["src"]]


def test_the_search_page_loads_the_search_index():
    assert 'src="searchindex.js"' in (HTML / "search.html").read_text(encoding="utf-8")


@each_page
def test_pictures_keep_their_place_and_all_but_the_first_wait(page):
    pictures = [
        a for tag, a, _ in parse(page).elements if tag == "img" and "_images/" in a.get("src", "")
    ]
    for a in pictures:
        header = (page.parent / a["src"]).read_bytes()[:24]
        assert int(a["width"]) == int.from_bytes(header[16:20], "big")
        assert int(a["height"]) == int.from_bytes(header[20:24], "big")
    assert ["loading" in a for a in pictures[:2]] == [False, True][: len(pictures)]

"""What the pages don't load, and that nothing is missing for it."""

from __future__ import annotations

import re

from .test_pages import HTML, each_page, parse

STATIC = HTML / "_static"


def test_the_icons_take_the_place_of_the_themes_font():
    """A browser test sees that no page fetches the whole font."""
    face = re.compile(r"@font-face\s*\{[^}]*Font Awesome[^}]*\b900\b[^}]*\}")
    theme = (STATIC / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    ours = face.search((STATIC / "course.css").read_text(encoding="utf-8"))[0]
    name = re.search(r'font-family: "([^"]*)"', ours)[1]
    assert f"font-family:{name}" in face.search(theme)[0].replace("\\ ", " ")
    assert (STATIC / re.search(r"url\(([^)]*)\)", ours)[1]).stat().st_size < 10_000


@each_page
def test_scripts_wait_and_the_search_index_is_not_loaded(page):
    scripts = [a for tag, a, _ in parse(page).elements if tag == "script" and a.get("src")]
    waits = {a["src"].split("?")[0].rpartition("/")[2]: "defer" in a for a in scripts}
    # The face of the text must be there at the first paint.
    own = {"ledger.js": True} if page.stem == "corrections" else {}
    assert waits == {"face.js": False, "book.js": True} | own
    assert not [a for tag, a, _ in parse(page).elements if a.get("as") == "script"]
    assert not [a["src"] for a in scripts if "search" in a["src"]]


def test_the_search_page_loads_the_search_index():
    assert 'src="searchindex.js"' in (HTML / "search.html").read_text(encoding="utf-8")


@each_page
def test_pictures_keep_their_place_and_wait_below_the_top(page):
    below = False
    for tag, a, _ in parse(page).elements:
        below = below or tag == "h2"
        if tag != "img" or not re.search(r"_images/.*\.png", a.get("src", "")):
            continue
        header = (page.parent / a["src"]).read_bytes()[:24]
        assert int(a["width"]) == int.from_bytes(header[16:20], "big")
        assert int(a["height"]) == int.from_bytes(header[20:24], "big")
        assert a.get("loading") == ("lazy" if below else None)


@each_page
def test_a_page_has_one_stylesheet(page):
    sheets = [a["href"] for tag, a, _ in parse(page).elements if a.get("rel") == "stylesheet"]
    assert [address.split("?")[0].split("/")[-1] for address in sheets] == ["book.css"]


def test_the_themes_rules_lie_below_the_books():
    text = (STATIC / "book.css").read_text(encoding="utf-8")
    assert text.startswith("@layer theme {")
    assert "@import" not in text
    # Its braces match, so the layer ends before the book's own rules.
    end = text.index((STATIC / "course.css").read_text(encoding="utf-8")[:80])
    layer = re.sub(r'"(?:\\.|[^"\\])*"', '""', re.sub(r"/\*.*?\*/", "", text[:end], flags=re.S))
    assert layer.count("{") == layer.count("}")
    for file in ("page.css", "blocks.css", "explorable.css", "exercises.css", "ledger.css"):
        assert (STATIC / file).read_text(encoding="utf-8")[:80] in text[end:]


def test_every_file_that_the_stylesheet_names_is_there():
    text = (STATIC / "book.css").read_text(encoding="utf-8")
    for address in re.findall(r"url\([\"']?(?!data:|#)([^\"')]+)", text):
        assert (STATIC / address.split("?")[0].split("#")[0]).is_file(), address


def test_all_faces_together_are_light():
    faces = list((STATIC / "fonts").glob("*.woff2"))
    assert len(faces) == 6
    assert sum(face.stat().st_size for face in faces) <= 100_000

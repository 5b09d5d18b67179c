"""Each figure offers narrow screens the drawing that was made for them."""

from __future__ import annotations

import base64
import json

from PIL import Image

from bncourse.display.figure import NARROW

from .test_pages import HTML, ROOT, each_page, parse


def stored(page):
    """Return the pictures of a page's notebook that have a narrow drawing, as their bytes."""
    source = ROOT / "book" / f"{page.stem}.ipynb"
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"] if source.exists() else []
    return [
        ("".join(output["data"]["text/plain"]), base64.b64decode(text.partition(",")[2]))
        for cell in cells
        for output in cell.get("outputs", [])
        if (text := "".join(output.get("data", {}).get(NARROW, "")))
    ]


@each_page
def test_a_narrow_screen_gets_the_narrow_drawing_in_its_size(page):
    elements = [(tag, a) for tag, a, _ in parse(page).elements]
    found = []
    for k, (tag, source) in enumerate(elements):
        if tag != "source":
            continue
        # The picture that others get stands right behind it, with its own size and words.
        (before, _), (behind, image) = elements[k - 1], elements[k + 1]
        assert (before, behind) == ("picture", "img")
        assert source["media"] == "screen and (max-width: 520px)"
        path = page.parent / source["srcset"]
        assert path.parent == page.parent / "../_images"
        with Image.open(path) as narrow, Image.open(page.parent / image["src"]) as wide:
            assert narrow.format == "WEBP"
            assert (int(source["width"]), int(source["height"])) == narrow.size
            assert (int(image["width"]), int(image["height"])) == wide.size
            assert narrow.width < wide.width
        found.append((image["alt"], path.read_bytes()))
    # An exercise takes its cells along, so the order is that of the page.
    expected = stored(page)
    assert sorted(picture for _, picture in found) == sorted(picture for _, picture in expected)
    told = {picture: words for words, picture in expected}
    assert all(told[picture].startswith(alt) for alt, picture in found)
    assert len([tag for tag, _ in elements if tag == "picture"]) == len(found)


def test_no_page_carries_the_form_that_notebooks_store():
    for page in HTML.rglob("*.html"):
        assert NARROW not in page.read_text(encoding="utf-8"), page

"""Formulas: each is MathML that was made at build time, drawn from the book's one face."""

from __future__ import annotations

import re
from functools import cache
from unicodedata import name

import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from tests.html.test_pages import HTML, each_page
from tests.loading import ROOT, load

LatexError, mathml = (getattr(load("mathml", "_ext"), name) for name in ("LatexError", "mathml"))
FACE = ROOT / "_assets" / "fonts" / "mathematics.woff2"
#: Letters of the italic alphabet whose place is not in the row of the others.
ELSEWHERE = {"h": "ℎ", "ϵ": "𝜖", "ϑ": "𝜗", "ϕ": "𝜙", "ϱ": "𝜚", "ϖ": "𝜛"}


@cache
def formulas(page):
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return soup.select(".math")


def drawn(letter):
    """Return the character that a browser draws for a single letter in ``<mi>``."""
    for first, last, italic in (
        ("A", "Z", "𝐴"),
        ("a", "z", "𝑎"),
        ("Α", "Ω", "𝛢"),
        ("α", "ω", "𝛼"),
    ):
        if first <= letter <= last:
            return ELSEWHERE.get(letter, chr(ord(letter) - ord(first) + ord(italic)))
    return ELSEWHERE.get(letter, letter)


@each_page
def test_every_formula_is_mathml_and_keeps_its_latex(page):
    for formula in formulas(page):
        (math,) = formula.find_all("math")
        (latex,) = math.find_all("annotation", encoding="application/x-tex")
        assert latex.get_text().strip()
        assert (math.get("display") == "block") == (formula.name == "div")
        shown = "".join(t for t in math.find_all(string=True) if t.parent.name != "annotation")
        assert shown.strip()
        assert not re.search(r"\\[A-Za-z]|\$|\[\d+(?:pt|em)\]", shown), shown


@each_page
def test_every_character_of_a_formula_is_in_the_face(page):
    with TTFont(FACE) as font:
        face = set(font.getBestCmap())
    needed = set()
    for formula in formulas(page):
        for part in formula.select("mi, mn, mo, mtext"):
            text = part.get_text()
            if part.name == "mi" and len(text) == 1 and part.get("mathvariant") != "normal":
                text = drawn(text)
            needed |= set(text) - set("\n")
    lost = {c: name(c, "?") for c in needed if ord(c) not in face}
    assert lost == {}, "add them in tools/maintain/faces.py"


@each_page
def test_no_mark_is_left_alone_behind_a_formula(page):
    for formula in formulas(page):
        behind = str(formula.next_sibling or "") if formula.name == "span" else ""
        if re.match(r"[.,;:!?)]", behind):
            assert "together" in formula.parent.get("class", []), formula.find("annotation")


@each_page
def test_every_number_of_a_formula_stands_outside_its_box(page):
    for formula in formulas(page):
        for number in formula.select(".eqno"):
            assert number.parent is formula
            assert formula.get("id") or formula.find_parent(id=True)
            assert re.match(r"\(\d+(\.\d+)*\)", number.get_text())


def test_what_cannot_be_converted_is_refused():
    for latex in (r"\nosuchcommand x", r"\frac{1", r"\left( x"):
        with pytest.raises(LatexError):
            mathml(latex, display=False)


def test_lines_need_no_environment_and_environments_no_number():
    assert mathml(r"a &= b \\ c &= d", display=True).count("<mtr>") == 2
    numbered = mathml(r"\begin{align} a &= b \\ c &= d \end{align}", display=True)
    assert "(1)" not in numbered.replace(" ", "")


def test_an_arrow_grows_with_its_label():
    (arrow,) = re.findall(r"<mo[^>]*>→", mathml(r"a \xrightarrow{w} b", display=True))
    assert 'stretchy="true"' in arrow
    assert 'stretchy="false"' in re.search(r"<mo[^>]*>→", mathml(r"d \to 1", display=False))[0]


def forms(font, direction, sign):
    """Return the names and sizes of the forms of a sign that grows."""
    variants, glyph = font["MATH"].table.MathVariants, font.getBestCmap()[ord(sign)]
    place = getattr(variants, f"{direction}GlyphCoverage").glyphs.index(glyph)
    records = getattr(variants, f"{direction}GlyphConstruction")[place].MathGlyphVariantRecord
    return [(record.VariantGlyph, record.AdvanceMeasurement) for record in records]


def test_no_room_is_kept_beside_a_sign_for_its_larger_forms():
    with TTFont(FACE) as font:
        for sign, spare in (("√", 0), ("(", 140), (")", 140), ("[", 140), ("{", 140)):
            widths = [font["hmtx"][glyph][0] for glyph, _ in forms(font, "Vert", sign)]
            assert max(widths) - min(widths) <= spare, sign


def test_the_smallest_root_is_not_higher_than_a_line():
    with TTFont(FACE) as font:
        sizes = [size for _, size in forms(font, "Vert", "√")]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.85 * 1000


def test_an_arrow_has_longer_forms():
    with TTFont(FACE) as font:
        sizes = [size for _, size in forms(font, "Horiz", "→")]
        assert sizes == sorted(sizes)
        assert sizes[-1] > 5 * 1000


def test_the_primes_of_the_text_are_not_those_of_formulas():
    for face in ("text", "text-italic"):
        with TTFont(FACE.with_name(f"{face}.woff2")) as font:
            assert {ord("′"), ord("″")} <= set(font.getBestCmap())


def test_indices_stand_where_tex_sets_them():
    with TTFont(FACE) as font:
        constants = font["MATH"].table.MathConstants
        assert constants.SubscriptBaselineDropMin.Value <= 50
        assert constants.SuperscriptBaselineDropMax.Value >= 386


def test_the_built_book_has_the_faces():
    for path in (ROOT / "_assets" / "fonts").glob("*.woff2"):
        assert (HTML / "_static" / "fonts" / path.name).read_bytes() == path.read_bytes()


def test_no_page_brings_a_script_for_formulas():
    for path in HTML.rglob("*.html"):
        assert not re.search(
            r"<script[^>]*(mathjax|katex)", path.read_text(encoding="utf-8"), re.I
        ), path

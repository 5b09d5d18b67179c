"""Cut the book's faces to the letters that it uses, and write them to ``_assets/fonts``.

    python tools/maintain/faces.py    # fetches three npm packages, pinned by their checksums

The mathematics face holds the letters, signs and delimiters that formulas of this subject ask for,
with the larger forms of roots, sums and brackets, so that a new formula rarely needs a new cut: a
phone waits for every kilobyte of it. When one does, ``tests/html/test_mathematics.py`` names the
character; add it below. Italics have one weight: what is bold as well is made so by the browser.

Sizes: all faces together may take 100 KB (``tests/html/test_light.py``).
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from copy import copy, deepcopy
from pathlib import Path

from fontTools import subset
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))

from vendor import REGISTRY, Package, fetch, select  # noqa: E402

FOLDER = ROOT / "_assets" / "fonts"

TEXT = Package(
    "@fontsource-variable/source-serif-4",
    "5.3.1",
    "4Rtay22SC4lMvw11r/+9kxANB6P3M0X8s1NudBC2v0J1KU2y3DcMoNcT3lBoZ/CqLirzf+StlO6UlJilyrvaUg==",
    ((r"files/(source-serif-4-(?:latin|greek)-wght-\w+\.woff2)", r"\1"), (r"LICENSE", r"LICENSE")),
)
CODE = Package(
    "@fontsource-variable/source-code-pro",
    "5.3.1",
    "N0nZDizh8CQ19+AHHA8Ssb1i/aQf4N2lpRl3qZVH4/9f1yNgWzTkBFpc26v+QQr2hm4By4aiv597BCoEg2SDQg==",
    (
        (r"files/(source-code-pro-(?:latin|greek)-wght-normal\.woff2)", r"\1"),
        (r"LICENSE", r"LICENSE"),
    ),
)
MATHEMATICS = Package(
    "@fontsource/stix-two-math",
    "5.3.0",
    "negoeozw6VSXjZMozwKRSm/dhCQT62csZcuea9I8KYqPaZq/8KbbBBrA02ZHF7AyuR5mVML/p+q0bwFuSIf2GQ==",
    ((r"files/(stix-two-math-latin-400-normal\.woff2)", r"\1"), (r"LICENSE", r"LICENSE")),
)


def span(first: str, last: str) -> str:
    """Return all characters from one to another."""
    return "".join(map(chr, range(ord(first), ord(last) + 1)))


ASCII = span(" ", "~")
GREEK = "ΓΔΘΛΞΠΣΦΨΩ" + span("α", "ω")
#: What the text face has of the prose: the letters of western European names (in the
#: bibliography), quotation marks, dashes, and the signs that stand in running text.
LATIN = ASCII + "\u00a0\u202f§©«»°±²³µ·¹¼½¾×÷ÄÅÉÖØÜßàáâãäåæçèéêëíîïñóôõöøúûüýœ–—‘’“”•…′″−"
#: Letters that a formula shows by their own code: ``<mi>x</mi>`` is drawn from U+1D465.
LETTERS = (
    span("𝐴", "𝑔") + "ℎ" + span("𝑖", "𝑧")  # italic, without h, which has an older code
    + "ℒ𝒩𝔼ℕℙℝ𝟙"
    + span("𝛼", "𝜛") + "𝛤𝛥𝛩𝛬𝛯𝛱𝛴𝛷𝛹𝛺"
    + "ℓ"
)  # fmt: skip
SIGNS = (
    "\u00a0¬°±²³·×÷ˆ˙¯˜ϵϑϕ‖†…′″→←↑↓↔⇒⇔↦∀∂∃∅∇∈∉∏∑−∓∗∘√∝∞∥∧∨∩∪∫∼≃≈≔≜≠≡≤≥≪≫⊂⊆⊕⊖⊗⊙⊤⊥⋅⋆⋮⋯⋱⌈⌉⌊⌋⏞⏟⟨⟩"
    "\u0302\u0303\u0304\u0307\u0338\u20d7\u2061\u2062\u2063\u2064"
)


def cut(data: bytes, characters: str, **options: object) -> bytes:
    """Return a face with these characters only, without hints and its name, which is reserved."""
    chosen = subset.Options(
        flavor="woff2", hinting=False, notdef_outline=True, name_IDs=[0, 13, 14]
    )
    for name, value in options.items():
        setattr(chosen, name, value)
    tool = subset.Subsetter(chosen)
    with TTFont(io.BytesIO(data), recalcTimestamp=False) as font:
        tool.populate(text=characters)
        tool.subset(font)
        font.flavor = "woff2"
        out = io.BytesIO()
        font.save(out)
    return out.getvalue()


def narrowed(data: bytes, **axes: float | tuple[float, float]) -> bytes:
    """Return a variable face whose axes go only so far."""
    with TTFont(io.BytesIO(data), recalcTimestamp=False) as font:
        smaller = instancer.instantiateVariableFont(font, axes)
        smaller.flavor = None
        out = io.BytesIO()
        # Saved, and read again before it is cut: fontTools stumbles over what it has in memory.
        smaller.save(out)
    return out.getvalue()


#: Places and gaps in thousandths of the size. Browsers apply them to every base, where TeX spares
#: single letters, so STIX's own values lower the index of μ and raise the power of a bracket.
CONSTANTS = {
    "SubscriptBaselineDropMin": 0,  # 160
    "SuperscriptBaselineDropMax": 386,  # 230; this is TeX's
    "FractionNumeratorShiftUp": 480,  # 585
    "FractionDenominatorShiftDown": 440,  # 585
    "StretchStackTopShiftUp": 620,  # 800: the label of an arrow
}


def mended(data: bytes) -> bytes:
    """Return the mathematics face so that Chromium and Firefox set it as TeX would.

    Both leave room around a sign that grows as wide as the widest form that the face has:
    larger forms are made narrower. Chromium hangs a root that is too high below the line: there
    are two smaller ones. It does not put an arrow together from its parts: the arrow has longer
    forms. A prime stands in a superscript: it is larger, and lower.
    """
    with TTFont(io.BytesIO(data), recalcTimestamp=False) as font:
        table, names = font["MATH"].table, font.getBestCmap()
        for name, value in CONSTANTS.items():
            getattr(table.MathConstants, name).Value = value
        for prime in "′″‴":
            reshape(font, names[ord(prime)], (1.3, 0, 0, 1.6, -45, -600))
        variants = table.MathVariants
        for base, forms in zip(
            variants.VertGlyphCoverage.glyphs, variants.VertGlyphConstruction, strict=True
        ):
            if base not in [names[ord(sign)] for sign in "()[]{}⌈⌉⌊⌋⟨⟩√/"]:
                continue
            width, _ = font["hmtx"][base]
            glyphs = {form.VariantGlyph for form in forms.MathGlyphVariantRecord}
            glyphs |= {part.glyph for part in getattr(forms.GlyphAssembly, "PartRecords", ())}
            for glyph in sorted(glyphs):
                wide, _ = font["hmtx"][glyph]
                narrow = width if base == names[ord("√")] else width + 0.5 * (wide - width)
                if wide > width:
                    reshape(font, glyph, (narrow / wide, 0, 0, 1, 0, 0))
        smaller_roots(font, names[ord("√")])
        longer_arrows(font, names[ord("→")])
        out = io.BytesIO()
        font.flavor = None
        font.save(out)
    return out.getvalue()


def reshape(font: TTFont, glyph: str, matrix: tuple[float, ...], source: str = "") -> None:
    """Give a glyph another shape: its own, or that of another, transformed."""
    pen = TTGlyphPen(None)
    font.getGlyphSet()[source or glyph].draw(TransformPen(pen, matrix))
    font["glyf"][glyph] = shape = pen.glyph()
    width, _ = font["hmtx"][source or glyph]
    shape.recalcBounds(font["glyf"])
    font["hmtx"][glyph] = round(width * matrix[0]), shape.xMin


def smaller_roots(font: TTFont, root: str) -> None:
    """Put two smaller forms before those of the root."""
    variants = font["MATH"].table.MathVariants
    place = variants.VertGlyphCoverage.glyphs.index(root)
    forms = variants.VertGlyphConstruction[place].MathGlyphVariantRecord
    usual, middle = f"{root}.usual", f"{root}.middle"
    font.setGlyphOrder([*font.getGlyphOrder(), usual, middle])
    reshape(font, usual, (1, 0, 0, 1, 0, 0), root)
    reshape(font, middle, (1, 0, 0, 0.84, 0, 20), root)
    reshape(font, root, (1, 0, 0, 0.68, 0, 40))
    height = forms[0].AdvanceMeasurement
    forms[0].VariantGlyph = usual
    for glyph, part in ((middle, 0.84), (root, 0.68)):
        smaller = copy(forms[0])
        smaller.VariantGlyph, smaller.AdvanceMeasurement = glyph, round(part * height)
        forms.insert(0, smaller)


def longer_arrows(font: TTFont, arrow: str) -> None:
    """Give an arrow that points to the right forms whose shaft is longer."""
    variants = font["MATH"].table.MathVariants
    place = variants.HorizGlyphCoverage.glyphs.index(arrow)
    forms = variants.HorizGlyphConstruction[place].MathGlyphVariantRecord
    width, left = font["hmtx"][arrow]
    for more in range(150, 5000, 150):
        longer = f"{arrow}.{more}"
        font.setGlyphOrder([*font.getGlyphOrder(), longer])
        font["glyf"][longer] = shape = deepcopy(font["glyf"][arrow])
        for place, (x, y) in enumerate(shape.coordinates):
            shape.coordinates[place] = (x + more * (x > width / 2), y)
        shape.recalcBounds(font["glyf"])
        font["hmtx"][longer] = width + more, left
        form = copy(forms[0])
        form.VariantGlyph, form.AdvanceMeasurement = longer, width + more
        forms.append(form)


def main() -> int:
    """Write the faces and their licences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--registry", default=REGISTRY, help="an npm registry (%(default)s)")
    registry = parser.parse_args().registry
    text, code, mathematics = (
        select(package, fetch(package, registry)) for package in (TEXT, CODE, MATHEMATICS)
    )

    def serif(name: str, wght: float | tuple[float, float] = (400, 700)) -> bytes:
        return narrowed(text[f"source-serif-4-{name}.woff2"], wght=wght)

    def mono(name: str) -> bytes:
        return narrowed(code[f"source-code-pro-{name}.woff2"], wght=400)

    stix = mended(mathematics["stix-two-math-latin-400-normal.woff2"])
    words = {"layout_features": ["kern", "tnum"]}
    shapes = {"layout_features": ["ccmp"], "drop_tables": ["GPOS", "DSIG"]}
    makers: dict[str, Callable[[], bytes]] = {
        "text.woff2": lambda: cut(serif("latin-wght-normal"), LATIN, **words),
        "text-italic.woff2": lambda: cut(serif("latin-wght-italic", 400), LATIN, **words),
        "text-greek.woff2": lambda: cut(serif("greek-wght-normal"), GREEK, **words),
        "code.woff2": lambda: cut(mono("latin-wght-normal"), ASCII + "·×–—…−", layout_features=[]),
        "code-greek.woff2": lambda: cut(mono("greek-wght-normal"), GREEK, layout_features=[]),
        "mathematics.woff2": lambda: cut(stix, ASCII + GREEK + LETTERS + SIGNS, **shapes),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in makers.items():
        (FOLDER / name).write_bytes(make())
        print(f"{name}: {(FOLDER / name).stat().st_size / 1000:.1f} kB")
    for package, files in ((TEXT, text), (CODE, code), (MATHEMATICS, mathematics)):
        (FOLDER / f"LICENSE-{package.name.rpartition('/')[2]}").write_bytes(files["LICENSE"])
    return 0


if __name__ == "__main__":
    sys.exit(main())

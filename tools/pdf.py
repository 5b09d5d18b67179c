"""Print the built book as one PDF, with headless Chromium.

    python tools/pdf.py [FILE]    # `make pdf` builds the HTML first

The pages of ``_build/html`` are put one after another in the order of ``_toc.yml``. Links between
them become links inside the document, so that cross-references, equation numbers and citations
are those of the HTML. What is folded becomes an appendix.

The book is printed twice: the first copy tells on which sheet each section begins, and the second
has these numbers in its table of contents.
"""

from __future__ import annotations

import html
import logging
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import yaml
from bs4 import BeautifulSoup, Tag
from pages import existing
from playwright.sync_api import Page, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
TARGET = ROOT / "_build" / "pdf" / "batch-normalization.pdf"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: What is for the screen only.
SCREEN_ONLY = (
    "a.headerlink, annotation, script, button, .prev-next-footer, .ledger-controls, "
    ".explorable-controls, .practice-link, .claim-tip, .code-fold, picture > source"
)
MARGIN = {"top": "18mm", "bottom": "18mm", "left": "20mm", "right": "20mm"}
#: The width of the printed column in the browser's pixels: A4 less the margins.
COLUMN = round((210 - 40) / 25.4 * 96)
FOOTER = (
    '<div style="width: 100%; text-align: center; font: 8pt sans-serif; color: #555">'
    '<span class="pageNumber"></span></div>'
)
#: On the screen the upright face comes by script (_ext/styles.py); a printed page waits for all.
FACES = "".join(
    f'@font-face {{ font-family: "Course Text"; font-weight: 400 700; font-display: block; {more}'
    f'src: url("{(HTML / "_static" / "fonts" / name).as_uri()}"); }}\n'
    for name, more in {
        "text.woff2": "",
        "text-italic.woff2": "font-style: italic; ",
        "text-greek.woff2": "unicode-range: U+370-3FF; ",
    }.items()
)
STYLE = """
html, body { background: #fff; font-size: 10pt; }
.bd-content, .bd-article-container, .bd-article { display: block; max-width: none; padding: 0; }
.bd-article { padding: 0 !important; }
.bd-article p, .bd-article li { line-height: 1.48; orphans: 3; widows: 3; }
.bd-article h1, .print-toc h1 { display: block !important; font-size: 21pt; margin: 0 0 14pt; }
.bd-article h2 { font-size: 15pt; margin-top: 22pt; }
.bd-article h3 { font-size: 12pt; }
h1, h2, h3, h4, dt, .admonition-title, figcaption { break-after: avoid; }
figure, .cell_output img, tr, .admonition-title, div.math { break-inside: avoid; }
figure { break-inside: avoid; margin-inline: 0; }
.print-page { break-before: page; }
.bd-article div.highlight pre, .cell_output pre {
  font-size: 8pt; line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere;
}
.bd-article .cell, .bd-article table, .pst-scrollable-table-container, .admonition {
  break-inside: auto;
}
.bd-article div.cell_input, .bd-article div.highlight { break-inside: avoid; }
.bd-article .cell_output img, .bd-article img { max-width: 82%; }
.bd-article .formula, .bd-article .pst-scrollable-table-container { overflow: visible; }
.admonition, .bd-article .admonition { box-shadow: none; border: 0.5pt solid #c9ced6; }
div.cell div.cell_input { border-width: 0.5pt; border-left-width: 2pt; }
table { font-size: 8.5pt; }
.bd-article a { text-decoration: none; color: #0b5394; }
.bd-article a code { color: inherit; }
.bd-article dl.field-list { display: block; }
.bd-article dl.field-list > dt { margin-top: 4pt; padding: 1pt 4pt; }
/* The column is as narrow as a phone's, but not the sheet: the ledger stays a table. */
main table.ledger { display: table; font-size: 7.5pt; }
main table.ledger thead { display: table-header-group; position: static; clip-path: none; }
main table.ledger tbody { display: table-row-group; }
main table.ledger tr { display: table-row; }
main table.ledger :is(td, th), main table.ledger-claims td:nth-child(1) {
  display: table-cell; padding: 3pt 4pt; font-weight: inherit; line-height: 1.35;
}
main table.ledger td p { line-height: 1.35; }
main table.ledger td:nth-child(n+2)::before { content: none; }
main table.ledger-claims { table-layout: fixed; width: 100%; }
main table.ledger-claims th:nth-child(1) { width: 17%; }
main table.ledger-claims th:nth-child(2) { width: 27%; }
main table.ledger-claims th:nth-child(3) { width: 32%; }
.print-answers h2 { font-size: 14pt; }
.print-answers h3 { font-size: 11pt; margin-top: 16pt; }
.print-answers h4 { font-size: 10pt; margin-bottom: 2pt; }
.print-choices { list-style: lower-alpha; }
.bd-article :is(.exercise, .do, .predict, .explore, .often-said) { break-inside: avoid; }
.print-cover {
  display: flex; flex-direction: column; height: 240mm; justify-content: center;
  align-items: flex-start;
}
.print-cover svg { width: 46mm; height: auto; }
.print-cover h1 { font-size: 32pt; line-height: 1.15; margin: 14mm 0 6mm; font-weight: 650; }
.print-cover p { font-size: 12pt; color: #444; margin: 0 0 2mm; max-width: 125mm; }
.print-toc ol { list-style: none; margin: 0; padding: 0; }
.print-toc li { break-inside: avoid; }
.print-toc > ol > li { margin-top: 7pt; font-weight: 600; }
.print-toc ol ol { padding-left: 12pt; font-weight: 400; font-size: 9.5pt; }
.print-toc a { display: flex; align-items: baseline; }
.bd-article-container .print-toc a { color: #222; text-decoration: none; }
.print-toc a::after { content: attr(data-sheet); order: 2; font-variant-numeric: tabular-nums; }
.print-toc a i { flex: 1; border-bottom: 0.5pt dotted #999; margin: 0 4pt; }
"""
#: A formula that is wider than the column is made smaller: on paper nothing scrolls.
FIT = """() => {
  for (const box of document.querySelectorAll("div.math")) {
    const formula = box.querySelector("math");
    const number = box.querySelector(".eqno");
    const room = box.clientWidth - (number ? number.offsetWidth + 8 : 0);
    const ratio = room / formula.getBoundingClientRect().width;
    const size = parseFloat(formula.style.fontSize) || 100;
    if (ratio < 1) formula.style.fontSize = `${Math.floor(ratio * size)}%`;
  }
  return document.documentElement.scrollWidth;
}"""


@dataclass
class Entry:
    """A line of the table of contents, and the lines below it."""

    anchor: str
    title: str
    below: list[Entry] = field(default_factory=list)


#: The page with the cards of all measured results.
EXPERIMENTS = "experiments"
#: What is folded in the pages, at the end of the print.
ANSWERS = Entry("answers", "Hints, solutions and answers")


def toc_pages() -> list[Path]:
    """Return the built pages in the order in which they are read."""
    return [HTML / f"{name}.html" for name in existing()]


def read_page(path: Path, pages: list[Path]) -> tuple[Tag, Entry]:
    """Return the page's article, fit to stand in one document, and its contents."""
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = soup.select_one("article.bd-article")
    assert article is not None, path
    for thing in article.select(SCREEN_ONLY):
        thing.decompose()
    if path.stem != EXPERIMENTS:
        refer_to_experiments(article, path)
    for thing in article.find_all(True):
        _rewrite(thing, path, pages)
    article["id"] = path.stem
    article["class"] = [*article.get_attribute_list("class"), "print-page"]
    return article, _contents(article, path)


def refer_to_experiments(article: Tag, path: Path) -> None:
    """Print each card once: on the page that has all of them, to which a link leads here."""
    for card in article.select("details.card-of-run"):
        place = f"{EXPERIMENTS}.html#of-{path.stem}"
        link = f'<p class="print-card"><a href="{place}">How this was measured</a></p>'
        card.replace_with(BeautifulSoup(link, "html.parser"))


def _rewrite(thing: Tag, path: Path, pages: list[Path]) -> None:
    """Make an element's names and addresses those of the document that holds all pages."""
    for name in ("id", "for", "aria-labelledby", "aria-describedby"):
        if name in thing.attrs:
            thing[name] = f"{path.stem}--{thing[name]}"
    if thing.name == "details":
        thing["open"] = ""
    if thing.name == "img" and not str(thing["src"]).startswith("data:"):
        thing["src"] = (path.parent / str(thing["src"])).resolve().as_uri()
    thing.attrs.pop("loading", None)
    address = str(thing.get("href", ""))
    if thing.name == "a" and address and not re.match(r"[a-z]+:", address):
        target, anchor = urldefrag(address)
        page = (path.parent / target).resolve() if target else path
        if page in pages:
            # On paper an explorable has one setting: its link leads to it.
            anchor = anchor.partition("=")[0]
            thing["href"] = f"#{page.stem}--{anchor}" if anchor else f"#{page.stem}"
        else:
            del thing["href"]


def _contents(article: Tag, path: Path) -> Entry:
    """Return the entry of a page, with its sections."""
    heads = article.select("h1, h2")
    entry = Entry(path.stem, heads[0].get_text(" ", strip=True))
    for head in heads[1:]:
        section = head.find_parent("section")
        if section is not None:
            entry.below.append(Entry(str(section["id"]), head.get_text(" ", strip=True)))
    return entry


def take_answers(article: Tag) -> str:
    """Take what is folded on a page out of it.

    Parameters
    ----------
    article : Tag
        It is changed: links to the answers take their place, and a prediction keeps its choices.

    Returns
    -------
    str
        The answers as HTML, each below a heading that leads back.
    """
    answers = []
    tasks = article.select(".exercise, .do, .predict, .explore")
    # Two folds of one section are one entry.
    sections = {id(fold.parent): fold.parent for fold in article.select("section > .fold")}
    for task in [*tasks, *filter(None, sections.values())]:
        name, title = str(task["id"]), task.select_one(".task-title, h2, h3")
        assert title is not None, name
        folds = "fold" if task.name == "section" else "folded"
        parts = [f.extract() for f in task.find_all("details", class_=folds)]
        if not parts:
            continue
        summaries = [part.summary.extract() for part in parts if part.summary]
        kinds = task.get_attribute_list("class")
        is_prediction = "predict" in kinds
        heads = [s.decode_contents() for s in summaries]
        if is_prediction:
            heads = [f"{letter}. {head}" for letter, head in zip("abcd", heads, strict=False)]
        inside = "".join(
            f"<h4>{head}</h4>{part.decode_contents()}"
            for head, part in zip(heads, parts, strict=True)
        )
        answers.append(
            f'<section id="answers--{name}"><h3><a href="#{name}">{title.decode_contents()}</a>'
            f"</h3>{inside}</section>"
        )
        choices = "".join(f"<li>{s.decode_contents()}</li>" for s in summaries)
        left = f'<ol class="print-choices">{choices}</ol>' if is_prediction else ""
        words = "Hints and solution are"
        if is_prediction:
            words = "Answers are"
        elif "explore" in kinds:
            words = "What we saw is"
        elif task.name == "section":
            words = "What is folded here is"
        left += f'<p><a href="#answers--{name}">{words} in the appendix.</a></p>'
        task.append(BeautifulSoup(left, "html.parser"))
    return "".join(answers)


def appendix(articles: Sequence[Tag], entries: Sequence[Entry]) -> str:
    """Return the answers of all pages as one more page, whose entry is `ANSWERS`."""
    pages = (
        (entry.title, take_answers(article))
        for article, entry in zip(articles, entries, strict=True)
    )
    sections = "".join(f"<h2>{html.escape(title)}</h2>{text}" for title, text in pages if text)
    return (
        f'<article class="bd-article print-page print-answers" id="{ANSWERS.anchor}">'
        f"<h1>{ANSWERS.title}</h1>{sections}</article>"
    )


def contents_page(entries: list[Entry], sheets: dict[str, int]) -> str:
    """Return the table of contents; without numbers where they aren't known yet."""

    def lines(entries: list[Entry]) -> str:
        items = (
            f'<li><a href="#{entry.anchor}" data-sheet="{sheets.get(entry.anchor, "000")}">'
            f"{html.escape(entry.title)}<i></i></a>"
            f"{lines(entry.below) if entry.below else ''}</li>"
            for entry in entries
        )
        return f"<ol>{''.join(items)}</ol>"

    return f'<nav class="print-page print-toc"><h1>Contents</h1>{lines(entries)}</nav>'


@cache
def read_book() -> tuple[str, str, list[Entry]]:
    """Return what stands before and behind the table of contents, and its entries."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    pages = toc_pages()
    articles, entries = zip(*(read_page(page, pages) for page in pages), strict=True)
    answers = appendix(articles, entries)
    front = BeautifulSoup(pages[0].read_text(encoding="utf-8"), "html.parser")
    description = front.select_one('meta[name="description"]')
    chapter = BeautifulSoup(pages[1].read_text(encoding="utf-8"), "html.parser")
    head = []
    for sheet in chapter.select('link[rel="stylesheet"]'):
        sheet["href"] = (pages[1].parent / str(sheet["href"]).split("?")[0]).resolve().as_uri()
        head.append(str(sheet))
    logo = (ROOT / "_assets" / "logo.svg").read_text(encoding="utf-8")
    title = html.escape(config["title"])
    before = f"""<!DOCTYPE html>
<html lang="en" data-theme="light" data-mode="light">
<head><meta charset="utf-8" /><title>{title}</title>
{"".join(head)}<style>{FACES}{STYLE}</style></head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<div class="print-cover">{logo}<div class="print-title" role="presentation"><h1>{title}</h1></div>
<p>{html.escape(str(description["content"])) if description else ""}</p>
<p>{html.escape(config["author"])}, {config["copyright"]}. CC BY 4.0 (text and figures),
MIT (code).</p></div>
"""
    behind = f"""
{"".join(str(article) for article in articles)}{answers}
</div></div></main></body></html>"""
    return before, behind, [*entries, ANSWERS]


def document(sheets: dict[str, int]) -> tuple[str, list[Entry]]:
    """Return the whole book as one page of HTML, and its table of contents."""
    before, behind, entries = read_book()
    return before + contents_page(entries, sheets) + behind, entries


def print_document(page: Page, text: str, target: Path) -> None:
    """Let the browser typeset the document and print it."""
    source = target.with_suffix(".html")
    source.write_text(text, encoding="utf-8")
    page.goto(source.as_uri(), wait_until="load")
    page.evaluate("document.fonts.ready.then(() => true)")
    page.emulate_media(media="print", color_scheme="light")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    lost = page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
    if lost:
        raise SystemExit(f"pictures that can't be shown: {[a[:120] for a in lost]}")
    width = page.evaluate(FIT)
    if width > COLUMN + 1:
        print(f"Something is wider than the column: {width} of {COLUMN} pixels.", file=sys.stderr)
    page.pdf(
        path=str(target),
        format="A4",
        margin=MARGIN,
        print_background=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
        outline=True,
        tagged=True,
    )
    source.unlink()


def sheet_numbers(path: Path) -> dict[str, int]:
    """Return the sheet, counted from 1, on which each place that is linked to stands."""
    reader = PdfReader(path)
    numbers: dict[str, int] = {}
    for name, destination in reader.named_destinations.items():
        sheet = reader.get_destination_page_number(destination)
        if sheet is not None:
            numbers[name.removeprefix("/")] = sheet + 1
    return numbers


def _outline(item: DictionaryObject) -> Iterator[DictionaryObject]:
    """Yield what stands below a place of the outline."""
    below = item.get("/First")
    while below is not None:
        item = below.get_object()
        yield item
        yield from _outline(item)
        below = item.get("/Next")


def add_details(path: Path, config: dict[str, Any], entries: list[Entry]) -> None:
    """Write title and author into the file, and let it open at its outline.

    Where a heading breaks, the browser's outline joins the words before and behind.
    """
    writer = PdfWriter(clone_from=path)
    whole = [e.title for entry in entries for e in (entry, *entry.below)]
    spaced = {re.sub(r"\s", "", title): title for title in whole}
    for item in _outline(writer.root_object["/Outlines"].get_object()):
        title = spaced.get(re.sub(r"\s", "", item["/Title"]))
        if title is not None:
            item[NameObject("/Title")] = TextStringObject(title)
    writer.add_metadata({"/Title": config["title"], "/Author": config["author"]})
    writer.page_mode = "/UseOutlines"
    writer.write(path)


def main() -> int:
    """Print the book."""
    target = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else TARGET
    if not (HTML / "index.html").is_file():
        print("expected the built book in _build/html: run `make book` first", file=sys.stderr)
        return 1
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("expected Chromium (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    # Chromium counts its own objects wrongly, which harms nobody.
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    target.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": COLUMN, "height": 1000})
        # Laying out all chapters at once takes a while on a slow or busy machine.
        page.set_default_timeout(300_000)
        page.on("pageerror", lambda error: print(error, file=sys.stderr))
        text, entries = document({})
        print_document(page, text, target)
        sheets = sheet_numbers(target)
        missing = [
            e.anchor for entry in entries for e in (entry, *entry.below) if e.anchor not in sheets
        ]
        if missing:
            print(f"no sheet is known for {missing}", file=sys.stderr)
            return 1
        text, _ = document(sheets)
        print_document(page, text, target)
        browser.close()
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    add_details(target, config, entries)
    count = len(PdfReader(target).pages)
    print(f"{target}: {count} sheets, {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Mend the pages: what can't be reached, what no reader needs, what the search can't do.

Roles that no longer exist go. So do the theme's source maps, and the search index on pages that
don't search. Scripts wait until the page can be read; pictures below the first wait until the
reader comes near them, with their place kept free. The button of the sidebar that shows deeper
pages gets a name, and these pages get their numbers. The sidebar's last group is folded.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

#: Loaded by the theme on every page for a search while typing, which this book does not have.
SEARCH = re.compile(
    r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>'
)
SCRIPT = re.compile(r'<script((?: data-[\w-]+="[^"]*")*) src="')
#: Sphinx's options, on which the page's own lines of script rely: some 300 bytes, so they stand in
#: the page, and the first paint doesn't wait for a request.
OPTIONS = re.compile(r'<script src="([^"]*documentation_options\.js)[^"]*"></script>')
#: Scripts that wait needn't come before the faces; the one that draws icons is an empty file here.
NEEDLESS = re.compile(
    r'\s*<link rel="preload" as="script"[^>]*>|\s*<script [^>]*/fontawesome\.js.*?</script>'
)
#: The sidebar's button that unfolds the pages below a chapter says nothing by itself, and its one
#: icon would fetch a font of 150 KB.
UNNAMED = re.compile(
    r'<summary>(<span class="toctree-toggle"[^>]*>)<i class="fa-solid fa-chevron-down"></i>'
)
NAMED = r'<summary aria-label="Pages below">\1<i style="font-style: normal">▾</i>'
#: The label says less than the words in the button, which is no good for those who speak them.
SHORT_NAME = re.compile(r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"')
#: The book's name stands outside of every landmark.
BRAND = re.compile(r'(?<!<header>)(<a class="navbar-brand logo".*?</a>)', re.DOTALL)
CONTENTS = re.compile(r'<nav id="pst-page-toc-nav"[^>]*>\s*(<ul.*?</ul>)\s*</nav>', re.DOTALL)
OWN_LINE = re.compile(r'<a class="current reference internal" href="#">.*?</a>', re.DOTALL)
#: A cell of a table of results: a number with its range ("47 (42 to 61)"), or a sentence.
CELL = re.compile(r'<td(?: class="(begins)")?>([^<]+)</td>')
#: The name of a row, long enough to need room.
LONG_NAME = re.compile(r'<th scope="row">(?=[^<]{15,}<)')
#: A power of ten as text has it, whose digits would come from two faces; what no line may break.
POWER = re.compile("(?<=10)([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "−0123456789")
WHOLE = re.compile(
    r"\b\d+(?:-\d+){2,4}\b(?!-)|\bMNIST-1D\b|\|γ\||\{\d+, \d+\}|\b\d[\d.]*–\d[\d.]*\b"
    r"|[\[(]\d+, \d+[\])]|\b1e-\d+\b|±1/√n"
)
#: A word of a heading that has a hyphen, at which no line ends.
HEADING = re.compile(r"(?<=<h[123]>)[^<]+")
HYPHENATED = re.compile(r"\b\w+(?:-\w+)+\b")
INDEX = re.compile(r"\b([zβλ])_?(norm|eff|max)\b")
LONGEST_RANGE, SHORTEST_SENTENCE = 24, 60
RANGE = re.compile(r"(?<= )\([^()]+ to [^()]+\)(?: at [\d.]+)?$")
#: A space between a number and what belongs to it, its unit or its name; no line ends there.
TOGETHER = re.compile(
    r"(?<=\d) (?=%)|(?<=\d) (?=[×·] \d)|(?<=[×·]) (?=\d)|(?<=\bh) (?=\d)"
    r"|(?<=\b[dmg]) (?=[=−])|(?<=\b[dm] −) (?=\d)"
    r"|(?<=\d) (?=(?:ms|µs|MB|KB|min|h|s)\b)|(?<=[λαβγδημσε]) (?==)|(?<==) (?=[−\d])"
    r"|(?<=\d) (?=× He\b)|(?<=\d ×) (?=He\b)|(?<=\b[Uu]nit) (?=\d)|(?<=\b[Ll]ayer) (?=\d)"
    r"|(?<=\b[Cc]hapter) (?=\d)|(?<=\b[Pp]age) (?=\d)|(?<=\b[Rr]ate) (?=\d)|(?<=\b[Bb]ug) (?=\d)"
    r"|(?<=\bet) (?=al\.)|(?<=\bover) (?=s²)|(?<=\bbelow) (?=10)|(?<=\bmomentum) (?==)"
)
#: As cards and tables of results have it; the text's own are curved already.
APOSTROPHE = re.compile(r"(?<=\w)(?:'|&#x27;)(?=\w|\s)")
#: What is copied or read by scripts, and stays as it is; nor does a tag change.
VERBATIM = re.compile(
    r"(<(?:pre|code|script|math|figcaption)\b.*?</(?:pre|code|script|math|figcaption)>|<[^>]*>)",
    re.DOTALL,
)
#: Code within a line, and its letters up to which the next line takes all of it; a block of code.
INLINE_CODE = re.compile(r'(<code class="[^"]*literal[^"]*)("[^>]*>)(.*?)(?=</code>)', re.DOTALL)
SHORT_CODE = 24
CODE = re.compile(r'<div class="highlight">(<pre>.*?</pre>)', re.DOTALL)
#: So many columns are as wide as the text.
COLUMNS = 66
CORNER = re.compile(r"<th\b[^>]*>(?:<p></p>)?</th>")
PICTURE = re.compile(r'<img (?=[^>]*\bsrc="([^"]*_images/[^"]*\.png)")(?![^>]*\bheight=)')

#: The theme lets boxes of code and output that scroll be reached by keyboard. It reads their sizes
#: between changes, a layout for each, and again whenever an explorable changes its words: half a
#: second on a phone. course.js reads all at once.
TAB_STOPS = re.compile(r'document\.querySelectorAll\(\["pre",[^)]*?\]\.join\(", "\)\)')
THEME_SCRIPT = "scripts/pydata-sphinx-theme.js"


#: The last group of the sidebar: who looks for it unfolds it.
LAST_GROUP = re.compile(
    r'<p [^>]*class="caption"[^>]*><span class="caption-text">(About this book)</span></p>\s*'
    r'(<ul class="([^"]*)">.*?</ul>)',
    re.DOTALL,
)


#: The second page below chapter 6 is ``06-2-fold``.
DEEPER = re.compile(r"book/(\d\d)-(\d)-")


def number_deeper_pages(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give the pages below a chapter their numbers: 6.2 is the second below chapter 6.

    Sphinx would number each chapter's own sections in the same row.
    """
    numbered = []
    for page, toc in env.tocs.items():
        if found := DEEPER.match(page):
            number = (int(found[1]), int(found[2]))
            title, *sections = toc.findall(nodes.reference)
            env.titles[page]["secnumber"] = title["secnumber"] = list(number)
            # An empty number is none; without it a section would take that of its page.
            env.toc_secnumbers[page] = {"": number} | {s["anchorname"]: () for s in sections}
            numbered.append(page)
    return numbered


def forget_numbers(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Take the numbers of the build before away, which sphinx-external-toc would count on."""
    for page, toc in env.tocs.items():
        if DEEPER.match(page):
            for node in (env.titles[page], *toc.findall(nodes.reference)):
                node.attributes.pop("secnumber", None)


def name_rows(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let the first column of a table name its rows, if nothing stands above it."""
    for table in doctree.findall(nodes.table):
        head = next(table.findall(nodes.thead), None)
        corner = next(head.findall(nodes.entry), None) if head else None
        column = next(table.findall(nodes.colspec), None)
        if column is not None and corner is not None and not corner.astext().strip():
            column["stub"] = 1


def colour_printed_code(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Colour code that a cell without input prints, so that nothing runs it (the gallery)."""
    for cell in doctree.findall(nodes.container):
        if "tag_remove-input" in cell["classes"]:
            for block in cell.findall(nodes.literal_block):
                block["language"] = "python"


def mend_roles(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Take away what says nothing to a screen reader, or hides what would.

    The bibliography's roles: ARIA has deprecated them, and the text needs none. The label of a
    folded cell: it is the same for all and hides the words that a reader sees. The empty corner of
    a table: it heads no column. And what a narrow page would break, or set in single words.
    """
    if "body" in context:
        context["body"] = CORNER.sub("<td></td>", context["body"])
        context["body"] = CELL.sub(_cell, context["body"])
        context["body"] = LONG_NAME.sub('<th scope="row" class="long">', context["body"])
        context["body"] = "".join(
            part if part.startswith("<") else _set(part, symbols=pagename != "book/api")
            for part in VERBATIM.split(context["body"])
        )
        context["body"] = INLINE_CODE.sub(_code_in_line, context["body"])
        context["body"] = CODE.sub(_code, context["body"])
        context["body"] = HEADING.sub(
            lambda heading: HYPHENATED.sub(r'<span class="together">\g<0></span>', heading[0]),
            context["body"],
        )
        for attribute in (
            ' role="doc-biblioentry"',
            ' role="list"',
            ' aria-label="Toggle hidden content"',
        ):
            context["body"] = context["body"].replace(attribute, "")


def _set(text: str, symbols: bool) -> str:
    """Return words as they are set: with spaces that hold, curved apostrophes, raised powers.

    The reference has names of parameters, which are no symbols.
    """
    text = TOGETHER.sub("\u00a0", APOSTROPHE.sub("’", text))
    text = POWER.sub(lambda found: f"<sup>{found[1].translate(PLAIN)}</sup>", text)
    if symbols:
        text = INDEX.sub(r"\1<sub>\2</sub>", text)
    return WHOLE.sub(r'<span class="together">\g<0></span>', text)


def _code(block: re.Match[str]) -> str:
    """Return code with a name for long lines: its box is then wider than the text."""
    lines = html.unescape(re.sub(r"<[^>]*>", "", block[1])).splitlines()
    longest = max(map(len, lines), default=0)
    return (
        block[0]
        if longest <= COLUMNS
        else block[0].replace("highlight", "highlight long-lines", 1)
    )


def _code_in_line(code: re.Match[str]) -> str:
    """Return code in which a line breaks behind an underscore, if it breaks at all."""
    start, middle, words = code.groups()
    if len(html.unescape(re.sub("<[^>]*>", "", words))) <= SHORT_CODE:
        return f"{start} together{middle}{words}"
    return start + middle + re.sub(r"(?<=[a-z0-9])_(?=[a-z])(?![^<]*>)", "_<wbr>", words)


def _cell(cell: re.Match[str]) -> str:
    """Return a cell with a name for how it may break: a range not at all, a sentence late."""
    begins, text = cell.groups()
    more = f" {begins}" if begins else ""
    if len(text) <= LONGEST_RANGE and re.search(r"\d", text):
        # A phone sets the range below its number (page.css).
        text = RANGE.sub(r'<span class="range">\g<0></span>', text).replace(" to ", " to\u00a0")
        return f'<td class="together{more}">{text}</td>'
    is_sentence = len(text) >= SHORTEST_SENTENCE
    return f'<td class="sentence{more}">{text}</td>' if is_sentence else cell[0]


def say_where(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Give the page's bar its number, or its title where it has none."""
    number = re.match(r"book/0?(\d+)(?:-(\d))?-", pagename)
    context["course_place"] = (
        ".".join(part for part in number.groups() if part) if number else context.get("title", "")
    )


def name_parts(app: Sphinx, exception: Exception | None) -> None:
    """Give parts of all pages the names that a screen reader needs, and delete what is no page."""
    if exception is not None or app.builder.name != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        if "_static" in path.parts:
            path.unlink()  # the theme's own templates
            continue
        text = path.read_text(encoding="utf-8")
        named = BRAND.sub(r"<header>\1</header>", SHORT_NAME.sub(r"\1", text))
        named = UNNAMED.sub(NAMED, named)
        named = LAST_GROUP.sub(_folded, named)
        path.write_text(named, encoding="utf-8", newline="\n")


def lighten_pages(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the pages, all but the one that searches."""
    if exception is not None or app.builder.name != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        if path.name == "search.html":
            continue
        text = path.read_text(encoding="utf-8")
        lighter = NEEDLESS.sub("", SEARCH.sub("", text))
        lighter = OPTIONS.sub(lambda found, path=path: _inlined(path.parent / found[1]), lighter)
        lighter = SCRIPT.sub(r'<script defer\1 src="', lighter)
        if 'class="page-contents' not in lighter:
            lighter = _repeat_contents(lighter)
        lighter = _wait_for_pictures(lighter, path.parent)
        if lighter != text:
            path.write_text(lighter, encoding="utf-8", newline="\n")


def _inlined(script: Path) -> str:
    """Return a script as part of the page."""
    return f"<script>{script.read_text(encoding='utf-8')}</script>"


def _folded(group: re.Match[str]) -> str:
    """Return a group of the sidebar as something that opens; it is open where one is in it."""
    is_open = " open" if "current" in group[3] else ""
    return (
        f'<details class="last-group"{is_open}><summary>{group[1]}</summary>{group[2]}</details>'
    )


def _repeat_contents(text: str) -> str:
    """Put the page's contents below its own line of the sidebar, where a wide page shows them."""
    found = CONTENTS.search(text)
    if not found:
        return text
    contents = found[1].replace('class="pst-show_toc_level nav', 'class="page-contents nav', 1)
    return OWN_LINE.sub(lambda line: line[0] + contents, text, count=1)


def _wait_for_pictures(text: str, folder: Path) -> str:
    """Give each picture its size, and let it wait if it isn't at the top of the page."""
    top = text.find("<h2")

    def attributes(match: re.Match[str]) -> str:
        header = (folder / match[1]).read_bytes()[:24]
        width, height = (int.from_bytes(header[i : i + 4], "big") for i in (16, 20))
        lazy = "" if match.start() < top else 'loading="lazy" '
        return f'<img {lazy}width="{width}" height="{height}" '

    return PICTURE.sub(attributes, text)


def help_search(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Let the search page say what it can't do when the book is opened from a file."""
    if pagename == "search":
        app.add_js_file("search.js", loading_method="defer")


def remove_source_maps(app: Sphinx, exception: Exception | None) -> None:
    """Delete the maps, and the comments that make developer tools look for them."""
    if exception is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir, "_static").rglob("*.map"):
        script = path.with_suffix("")
        if script.is_file():
            text = script.read_text(encoding="utf-8")
            script.write_text(
                re.sub(r"(//|/\*)# sourceMappingURL=\S+?( \*/|\*/|\s*$)", "", text),
                encoding="utf-8",
            )
        path.unlink()


def spare_layouts(app: Sphinx, exception: Exception | None) -> None:
    """Leave the boxes that scroll to course.js."""
    path = Path(app.outdir, "_static", THEME_SCRIPT)
    if exception is not None or not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    if "[].forEach" in text:
        return
    changed, count = TAB_STOPS.subn("[]", text)
    if count != 1:
        raise ExtensionError(f"expected the theme's tab stops once in {path.name}, got {count}")
    path.write_text(changed, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_js_file("course.js", loading_method="defer")
    app.connect("env-before-read-docs", forget_numbers)
    # After Sphinx has numbered the chapters.
    app.connect("env-get-updated", number_deeper_pages, priority=900)
    app.connect("doctree-resolved", name_rows)
    app.connect("doctree-resolved", colour_printed_code)
    app.connect("html-page-context", mend_roles)
    app.connect("html-page-context", help_search)
    app.connect("html-page-context", say_where)
    app.connect("build-finished", remove_source_maps)
    app.connect("build-finished", name_parts)
    app.connect("build-finished", lighten_pages)
    app.connect("build-finished", spare_layouts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

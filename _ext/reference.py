"""Set the pages that one looks things up in: the API reference, the bibliography and the index.

The reference shows each class with the signature of its ``__init__``, and defaults as the source
writes them. Each entry of the bibliography can be linked to, and says where it is cited. The index
has two lists: the terms of the glossary with the sections of the course that speak of them, and
the names of the package.
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections import defaultdict
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import inspect

#: ``Layer.__new__`` takes what its subclasses' ``__init__`` takes, so it says nothing.
SILENT = "(*args, **kwargs)"
#: What autodoc writes for a dataclass's field that is made anew for each object.
FACTORY = re.compile(r"(\w+)=<factory>")
#: The module of a name, of which a narrow page may break the line after each dot.
MODULE = re.compile(
    r'(?<=<span class="sig-prename descclassname"><span class="pre">)[\w.]+(?=</span>)'
)
#: A published address; where it leads says enough.
ADDRESS = re.compile(r'URL: (<a class="reference external" href="([^"]+)">)[^<]+(?=</a>)')
#: A link with the sign behind it, which must not begin a line.
LINK = re.compile(r'<a class="reference external"[^>]*>[^<]*</a>[.,]?')
ENTRY = re.compile(r'(<div class="citation" id="([^"]+)">.*?)(</p>\s*</div>)', re.DOTALL)
#: Pages of the course have numbers.
COURSE = re.compile(r"book/0?(\d+)(?:-(\d))?-")
#: A term that more pages speak of than these is what the book is about.
MANY = 8
#: The rooms of single chapters: their names lead to nothing that one would look up.
ROOMS = "bncourse.chapters."


class Term(NamedTuple):
    """A term of the glossary in the index.

    Attributes
    ----------
    name : str
    link : str
        To its definition.
    places : list of (str, str)
        Number and link of what speaks of it.
    """

    name: str
    link: str
    places: list[tuple[str, str]]


class Name(NamedTuple):
    """A name of the package in the index.

    Attributes
    ----------
    name : str
    link : str
    kind : str
        What it is, and where.
    """

    name: str
    link: str
    kind: str


def sign(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: dict[str, Any],
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Write a signature as a reader would call it."""
    if what != "class" or not signature:
        return None
    if dataclasses.is_dataclass(obj):
        makers = {f.name: f.default_factory for f in dataclasses.fields(obj)}
        signature = FACTORY.sub(lambda m: f"{m[1]}={makers[m[1]]()!r}", signature)
    if signature == SILENT:
        init = vars(obj).get("__init__")
        if getattr(obj, "_is_protocol", False):  # nobody makes one
            signature = ""
        elif init is None:  # a layer without settings
            signature = "()"
        else:
            app.emit("autodoc-before-process-signature", init, True)
            signature = inspect.stringify_signature(
                inspect.signature(init, bound_method=True), show_annotation=False
            )
    return signature, returns


def place(docname: str) -> str:
    """Return the number of a page of the course, or nothing.

    >>> place("book/06-2-fold"), place("book/04-mini-batches"), place("book/glossary")
    ('6.2', '4', '')
    """
    found = COURSE.match(docname)
    return ".".join(part for part in found.groups() if part) if found else ""


def set_bibliography(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Shorten the addresses, and say at each entry where it is cited."""
    if 'class="citation"' not in context.get("body", ""):
        return
    cited: dict[str, dict[str, str]] = defaultdict(dict)
    for ref in app.env.get_domain("cite").citation_refs:
        if number := place(ref.docname):
            link = f"{app.builder.get_relative_uri(pagename, ref.docname)}#{ref.citation_ref_id}"
            for target in ref.targets:
                cited[nodes.make_id(target.key)].setdefault(number, link)

    def entry(found: re.Match[str]) -> str:
        places = ", ".join(
            f'<a href="{link}">{number}</a>' for number, link in sorted(cited[found[2]].items())
        )
        said = f' <span class="cited">Cited in {places}.</span>' if places else ""
        anchor = f'<a class="headerlink" href="#{found[2]}" title="Link to this entry">#</a>'
        return f"{found[1]}{said}{anchor}{found[3]}"

    body = ADDRESS.sub(lambda found: found[1] + _host(found[2]), context["body"])
    body = LINK.sub(lambda found: f'<span class="address">{found[0]}</span>', body)
    context["body"] = ENTRY.sub(entry, body)


def _host(address: str) -> str:
    return urlsplit(html.unescape(address)).netloc.removeprefix("www.")


def break_names(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Let a long name of a module break after its dots."""
    if "sig-prename" in context.get("body", ""):
        context["body"] = MODULE.sub(lambda m: m[0].replace(".", ".<wbr>"), context["body"])


def set_index(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Give the index's template its two lists, each by letter."""
    if pagename != "genindex":
        return
    context["terms"] = _by_letter(terms(app))
    context["names"] = _by_letter(names(app))
    context["course_place"] = "Index"


def _by_letter(entries: list[Any]) -> list[tuple[str, list[Any]]]:
    letters = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.name.casefold()):
        letters[entry.name[0].upper()].append(entry)
    return sorted(letters.items())


def terms(app: Sphinx) -> list[Term]:
    """Return the terms of the glossary, with the sections that speak of them."""
    domain = app.env.get_domain("std")
    found = [
        (name, docname, anchor)
        for (kind, name), (docname, anchor) in domain.objects.items()
        if kind == "term"
    ]
    sections = [
        (docname, section.get("ids", [""])[0], _own_text(section))
        for docname in sorted(app.env.found_docs)
        if place(docname)
        for section in app.env.get_doctree(docname).findall(nodes.section)
    ]
    made = []
    for name, docname, anchor in found:
        said = _said(name)
        best: dict[str, tuple[int, str]] = {}
        for page, section, text in sections:
            times = len(said.findall(text))
            if times > best.get(page, (0, ""))[0]:
                best[page] = (times, section)
        places = [
            (place(page), f"{app.builder.get_relative_uri('genindex', page)}#{section}")
            for page, (_, section) in best.items()
        ]
        link = f"{app.builder.get_relative_uri('genindex', docname)}#{anchor}"
        shown = name.replace("'", "’")
        made.append(Term(shown, link, sorted(places) if len(places) <= MANY else []))
    return made


def _said(term: str) -> re.Pattern[str]:
    """Return what finds a term in a text.

    >>> found = _said("layer normalization")
    >>> [bool(found.search(text)) for text in ("layer norm", "layer normalizations", "layers")]
    [True, True, False]
    """
    words = re.escape(_plain(term))
    return re.compile(rf"\b{words.replace('normalization', 'norm(?:ali[sz]ation)?')}(?:e?s)?\b")


def _plain(text: str) -> str:
    """Return a text as it is searched: small letters, single spaces, plain signs."""
    return " ".join(text.casefold().replace("’", "'").replace("-", " ").split())


def _own_text(section: nodes.section) -> str:
    """Return the words of a section without those of the sections below it."""
    own = (child for child in section.children if not isinstance(child, nodes.section))
    return _plain(" ".join(child.astext() for child in own))


def names(app: Sphinx) -> list[Name]:
    """Return the names of the package that the reference describes."""
    made = []
    for full, shown, kind, docname, anchor, priority in app.env.get_domain("py").get_objects():
        name = shown.rpartition(".")[2]
        # Below 0 are other addresses of the same thing.
        if full.startswith(ROOMS) or name.startswith("_") or kind == "module" or priority < 0:
            continue
        link = f"{app.builder.get_relative_uri('genindex', docname)}#{anchor}"
        owner = full.rpartition(".")[0]
        if kind in ("method", "property", "attribute"):
            said = f"{kind} of {owner.rpartition('.')[2]}"
        else:
            below = owner.partition(".")[2]
            said = f"{kind} in {below}" if below else kind
        made.append(Name(name if kind in ("class", "property") else f"{name}()", link, said))
    return made


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("autodoc-process-signature", sign)
    app.connect("html-page-context", set_bibliography)
    app.connect("html-page-context", break_names)
    app.connect("html-page-context", set_index)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Leave out of the theme's styles what no page can use.

A rule goes if each of its selectors asks for a class that stands in no page and in no script. What
a script may add is in its text, so it stays. Inside ``:is()`` and the like nothing is looked at.
A custom property goes if no rule reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
CLASS = re.compile(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)")
INSIDE = re.compile(r"\[[^\]]*\]|:(?:not|is|where|has)\([^()]*(?:\([^()]*\)[^()]*)*\)")
#: Rules with rules inside; all other ``@`` rules stay as they are.
NESTED = re.compile(r"@(?:media|supports|layer|container)\b")


#: A custom property's name, value and end; no value holds a brace or a semicolon but in quotes.
PROPERTY = re.compile(r"(?<=[{;\s])(--[\w-]+)\s*:((?:\"[^\"]*\"|'[^']*'|[^;{}\"'])*)(;|(?=\}))")


def known(folder: Path) -> set[str]:
    """Return the classes of all pages, and every word of all scripts, below a folder."""
    # Bootstrap puts these two together.
    words = {"bs-tooltip-auto", "bs-popover-auto"}
    for path in folder.rglob("*.html"):
        for classes in re.findall(r'class="([^"]*)"', path.read_text(encoding="utf-8")):
            words.update(classes.split())
    for path in [*folder.rglob("*.js"), *folder.rglob("*.html")]:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".html":
            text = " ".join(re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL))
        words.update(re.findall(r"[\w-]+", text))
    return words


def purged(css: str, words: set[str]) -> str:
    """Return the styles without the rules that nothing can meet.

    >>> purged(".a, .b:hover { x: y } @media print { .c > p { x: y } } p { x: y }", {"b"})
    '.b:hover{ x: y }p{ x: y }'
    """
    kept = []
    for head, body in _rules(COMMENT.sub("", css)):
        if body is None:
            kept.append(f"{head};")
        elif NESTED.match(head):
            inner = purged(body, words)
            kept += [f"{head}{{{inner}}}"] if inner else []
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}")
        else:
            selectors = [part for part in _split(head) if _may_meet(part, words)]
            kept += [f"{','.join(selectors)}{{{body}}}"] if selectors else []
    return "".join(kept)


def without_unread(css: str, others: str) -> str:
    """Return the styles without the custom properties that neither they nor the others read.

    >>> without_unread("p{--a:1;--b:var(--a);--c:2}q{top:var(--b)}", "")
    'p{--a:1;--b:var(--a);}q{top:var(--b)}'
    """
    read = set(re.findall(r"--[\w-]+(?!\s*:)(?![\w-])", css + others))
    shorter = PROPERTY.sub(lambda found: found[0] if found[1] in read else "", css)
    # Those that were read by one that is gone now.
    return css if shorter == css else without_unread(shorter, others)


def _may_meet(selector: str, words: set[str]) -> bool:
    asked = CLASS.findall(INSIDE.sub("", selector))
    return all(name.replace("\\", "") in words for name in asked)


def _rules(css: str) -> Iterator[tuple[str, str | None]]:
    """Yield head and body of each rule of the first level; a statement has no body."""
    begin, depth, opened = 0, 0, 0
    quote = ""
    for at, sign in enumerate(css):
        if quote:
            quote = "" if sign == quote and css[at - 1] != "\\" else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "{":
            opened = opened if depth else at
            depth += 1
        elif sign == "}":
            depth -= 1
            if not depth:
                yield css[begin:opened].strip(), css[opened + 1 : at]
                begin = at + 1
        elif sign == ";" and not depth:
            yield css[begin:at].strip(), None
            begin = at + 1


def _split(selectors: str) -> Iterator[str]:
    """Yield the selectors between commas that stand in no parentheses or brackets."""
    depth, begin = 0, 0
    for at, sign in enumerate(selectors):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            yield selectors[begin:at].strip()
            begin = at + 1
    yield selectors[begin:].strip()

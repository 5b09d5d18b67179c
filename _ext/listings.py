"""Parts of the pages that list what stands on all others, page by page."""

from __future__ import annotations

from docutils import nodes
from sphinx.environment import BuildEnvironment


def full_title(env: BuildEnvironment, page: str) -> str:
    """Return the title of a page behind its number, if it has one."""
    number = ".".join(map(str, env.toc_secnumbers.get(page, {}).get("", ())))
    title = env.titles[page].astext().replace("'", "’")
    return f"{number} {title}".strip()


def section_of(page: str, link: nodes.reference, *content: nodes.Node) -> nodes.section:
    """Return what a page has, under a heading that leads there."""
    name = page.rpartition("/")[2]
    return nodes.section("", nodes.title("", "", link), *content, ids=[f"of-{name}"])

"""Parts of the pages that list what stands on all others, page by page."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.environment import BuildEnvironment


def full_title(env: BuildEnvironment, page: str) -> str:
    """Return the title of a page behind its number, if it has one."""
    number = ".".join(map(str, env.toc_secnumbers.get(page, {}).get("", ())))
    title = env.titles[page].astext().replace("'", "’")
    return f"{number}. {title}" if number else title


def section_of(
    env: BuildEnvironment, docname: str, page: str, link: nodes.reference, *content: nodes.Node
) -> nodes.section:
    """Return what a page has, under a heading that leads there, and enter it in the contents."""
    anchor = f"of-{page.rpartition('/')[2]}"
    own = env.tocs[docname][0]
    if len(own) == 1:
        own += nodes.bullet_list()
    if not any(found["anchorname"] == f"#{anchor}" for found in own[1].findall(nodes.reference)):
        entry = nodes.reference(
            "", link.astext(), internal=True, refuri=docname, anchorname=f"#{anchor}"
        )
        own[1] += nodes.list_item("", addnodes.compact_paragraph("", "", entry))
    return nodes.section("", nodes.title("", "", link), *content, ids=[anchor])

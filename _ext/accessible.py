"""Mend what the generators leave inaccessible: roles that no longer exist, boxes without keys."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def mend_roles(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Take away what says nothing to a screen reader, or hides what would.

    The bibliography's roles: ARIA has deprecated them, and the text needs none. The label of a
    folded cell: it is the same for all and hides the words that a reader sees.
    """
    if "body" in context:
        for attribute in (
            ' role="doc-biblioentry"',
            ' role="list"',
            ' aria-label="Toggle hidden content"',
        ):
            context["body"] = context["body"].replace(attribute, "")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", mend_roles)
    app.add_js_file("course.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Mend what the generators leave inaccessible: roles that no longer exist, boxes without keys."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def mend_roles(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Take away the bibliography's roles: ARIA has deprecated them, and the text needs none."""
    if "body" in context:
        for role in (' role="doc-biblioentry"', ' role="list"'):
            context["body"] = context["body"].replace(role, "")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", mend_roles)
    app.add_js_file("course.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

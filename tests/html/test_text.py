"""The text of the built pages: no role that stayed unread, in text or in mathematics."""

from __future__ import annotations

import re

import pytest

from tests.html.test_pages import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_no_role_is_left_as_text(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"\{(?:eq|ref|doc|cite[:a-z]*|numref|term)\}", text) == []

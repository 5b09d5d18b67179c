"""The text of the built pages: no role that stayed unread, in text or in mathematics."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup

from tests.html.test_pages import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_no_role_is_left_as_text(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"\{(?:eq|ref|doc|cite[:a-z]*|numref|term)\}", text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_number_and_its_sign_stay_on_one_line(page):
    body = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select_one("article")
    for verbatim in body.select("pre, code, script, figcaption"):
        verbatim.decompose()
    assert re.findall(r".{20}\d %|.{20}\b[Cc]hapter \d", body.get_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_code_has_the_width_of_its_lines(page):
    """Either that of the text, 66 columns, or that of 80."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for block in soup.select("article div.highlight"):
        longest = max(map(len, block.pre.get_text().splitlines()), default=0)
        assert ("long-lines" in block["class"]) is (longest > 66), block.get_text()[:200]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_range_behind_a_number_can_stand_below_it(page):
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for cell in soup.select(".results td"):
        if re.fullmatch(r"[\d.,]+ \([\d.,]+ to [\d.,]+\)", cell.get_text().replace("\xa0", " ")):
            assert cell.select_one("span.range"), cell

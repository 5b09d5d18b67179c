"""The pages that one looks things up in: the API reference, the index, the bibliography."""

from __future__ import annotations

import html
import inspect
import re

import pytest

import bncourse
from tests.loading import ROOT

HTML = ROOT / "_build" / "html"


@pytest.fixture(scope="module")
def api():
    return (HTML / "book" / "api.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def index():
    return (HTML / "genindex.html").read_text(encoding="utf-8")


def plain(text):
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def signatures(text):
    found = re.findall(r'<dt class="sig[^>]*id="([^"]*)".*?</dt>', text, re.DOTALL)
    shown = re.findall(r'<dt class="sig.*?</dt>', text, re.DOTALL)
    return dict(zip(found, map(plain, shown), strict=True))


def test_a_signature_is_what_a_reader_would_write(api):
    shown = signatures(api)
    assert len(shown) > 80
    for text in shown.values():
        assert "<" not in text
        assert "*args, **kwargs" not in text
    assert "dtype=np.float64" in shown["bncourse.Dense"]
    assert "activation=ReLU" in shown["bncourse.mlp"]


@pytest.mark.parametrize("name", ["Layer", "Dense", "BatchNorm", "LeakyReLU", "Sequential"])
def test_a_layer_is_called_with_what_its_init_takes(api, name):
    taken = list(inspect.signature(getattr(bncourse, name).__init__).parameters)[1:]
    shown = signatures(api)[f"bncourse.{name}"]
    assert all(re.search(rf"\b{parameter}\b", shown) for parameter in taken)


def test_names_that_share_a_line_stay_names(api):
    assert "<strong>params, grads</strong>" in api
    assert "<strong>running_mean, running_var</strong>" in api
    fields = {plain(field) for field in re.findall(r'<dt class="field-.*?</dt>', api)}
    assert fields <= {"Parameters:", "Attributes:", "Returns:", "Raises:", "Yields:"}


def test_the_index_has_all_terms_and_the_public_names(index):
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^(\w.*)\n  ", glossary.partition("{glossary}")[2], re.MULTILINE)
    assert len(terms) > 25
    words = plain(index)
    assert [term for term in terms if term.replace("'", "’") not in words] == []
    assert all(name in words for name in ("batch_norm()", "Dense", "update()"))
    assert "bncourse.chapters" not in words
    assert "__call__" not in words


def test_every_link_of_the_index_leads_somewhere(index):
    body = index[index.index('id="terms"') :]
    links = re.findall(r'href="([\w/.-]+\.html)#([^"]+)"', body)
    assert len(links) > 100
    pages = {page: (HTML / page).read_text(encoding="utf-8") for page in {p for p, _ in links}}
    assert [link for link in links if f'id="{link[1]}"' not in pages[link[0]]] == []


def test_a_term_leads_to_the_sections_that_speak_of_it(index):
    places = re.search(r">ghost batch</a>.*?</li>", index, re.DOTALL)[0]
    numbers = re.findall(r">([\d.]+)</a>", places)
    assert "4.1" in numbers
    assert numbers == sorted(numbers)
    section = re.search(r'href="book/04-1-noise.html#([^"]+)"', places)[1]
    page = (HTML / "book" / "04-1-noise.html").read_text(encoding="utf-8")
    assert "ghost batch" in plain(page[page.index(f'<section id="{section}"') :])


def test_each_entry_of_the_bibliography_has_an_address_of_its_own():
    text = (HTML / "book" / "references.html").read_text(encoding="utf-8")
    entries = re.findall(r'<div class="citation" id="([^"]+)">(.*?)</div>', text, re.DOTALL)
    assert len(entries) > 30
    for key, entry in entries:
        assert re.fullmatch(r"[a-z]\w{4,}", key), key
        assert f'href="#{key}"' in entry
        assert "://" not in plain(entry)
    cited = dict(entries)["ioffe2015batch"]
    assert re.search(r"Cited in .*02-algorithm\.html#", cited)


@pytest.mark.parametrize("name", ["exercises", "experiments"])
def test_the_contents_lead_to_each_page_of_a_list(name):
    text = (HTML / "book" / f"{name}.html").read_text(encoding="utf-8")
    contents = re.search(r'<nav id="pst-page-toc-nav".*?</nav>', text, re.DOTALL)[0]
    sections = re.findall(r'<section id="(of-[^"]+)"', text)
    assert len(sections) > 15
    assert re.findall(r'href="#(of-[^"]+)"', contents) == sections

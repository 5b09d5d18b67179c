"""What search engines and shared links are told about each page, and the pages around the book."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from docutils import nodes

import bncourse

from ..loading import load
from .test_pages import HTML, PAGES, ROOT, each_page, parse

START = "from jupyter_book.cli.main import main; main()"


@pytest.fixture(scope="module")
def metadata():
    return load("metadata", "_ext")


def tags(path):
    found = {}
    for tag, a, _ in parse(path).elements:
        if tag == "meta" and "content" in a:
            found[a.get("name") or a.get("property")] = a["content"]
    return found


@each_page
def test_each_page_says_what_it_is_about(page):
    found = tags(page)
    assert 25 < len(found["description"]) <= 201
    assert not re.search(r"[$\\{}]|What you will do", found["description"])
    assert found["og:description"] == found["description"]
    assert found["og:site_name"] == "Batch normalization, shown"
    assert found["og:type"] == ("website" if page.stem == "index" else "article")
    assert found["og:title"]


def test_descriptions_and_titles_differ():
    for name in ("description", "og:title"):
        assert len({tags(page)[name] for page in PAGES}) == len(PAGES)


@each_page
def test_without_a_site_address_none_is_made_up(page):
    assert not {"og:url", "og:image"} & set(tags(page))
    assert not [a for tag, a, _ in parse(page).elements if a.get("rel") == "canonical"]


def test_the_front_page_has_its_title_once():
    assert "<title>Batch normalization, shown</title>" in PAGES[0].read_text(encoding="utf-8")


def test_the_root_leads_to_the_front_page_and_says_what_the_book_is():
    root = HTML / "index.html"
    elements = parse(root).elements
    assert next(a for tag, a, _ in elements if tag == "html")["lang"] == "en"
    assert next(a["href"] for tag, a, _ in elements if tag == "a") == "book/index.html"
    assert tags(root)["description"] == tags(PAGES[0])["description"]


def test_the_page_for_wrong_addresses_names_every_page_and_asks_for_nothing():
    elements = parse(HTML / "404.html").elements
    linked = {a["data-page"] for tag, a, _ in elements if tag == "a"}
    assert linked == {page.relative_to(HTML).as_posix() for page in PAGES}
    assert not [a for _, a, _ in elements if "src" in a]
    assert [a["href"][:5] for tag, a, _ in elements if tag == "link"] == ["data:"]


def test_the_logo_is_a_picture_of_our_own():
    logo = ROOT / "_assets" / "logo.svg"
    assert (HTML / "_static" / "logo.svg").read_bytes() == logo.read_bytes()
    assert "logo.svg" in PAGES[1].read_text(encoding="utf-8")


def test_a_site_address_adds_canonical_links_and_pictures(tmp_path):
    """The one build of its own: two pages; the environment's address wins over the setting's."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["html"]["baseurl"] = "https://example.com/overridden/"
    config["exclude_patterns"] = ["_build"]
    del config["bibtex_bibfiles"]
    drop = {"sphinxcontrib.bibtex", "ledger"}
    settings = config["sphinx"]["config"]
    settings["extensions"] = [e for e in settings["extensions"] if e not in drop]
    config["sphinx"]["local_extensions"] = {
        name: str(ROOT / "_ext")
        for name in config["sphinx"]["local_extensions"]
        if name not in drop
    }
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: book/one\n", encoding="utf-8"
    )
    shutil.copytree(ROOT / "_assets", tmp_path / "_assets")
    shutil.copytree(ROOT / "_templates", tmp_path / "_templates")
    book = tmp_path / "book"
    book.mkdir()
    shutil.copy(next((HTML / "_images").glob("*.png")), book / "picture.png")
    (book / "index.md").write_text(
        '# A book\n\nIt has "two" pages & a picture.\n\n![A red 1.](picture.png)\n',
        encoding="utf-8",
    )
    (book / "one.md").write_text(
        "---\ndescription: Said by the author.\n---\n# One\n\nThe first paragraph of it.\n",
        encoding="utf-8",
    )
    subprocess.run(
        [sys.executable, "-c", START, "build", str(tmp_path), "--quiet"],
        check=True,
        capture_output=True,
        env={**os.environ, "BOOK_URL": "https://example.org/course/"},
    )
    out = tmp_path / "_build" / "html"
    first = tags(out / "book" / "index.html")
    assert first["description"] == 'It has "two" pages & a picture.'.replace('"two"', "“two”")
    assert first["og:url"] == "https://example.org/course/book/index.html"
    assert re.fullmatch(r"https://example\.org/course/_images/\w+\.png", first["og:image"])
    assert first["og:image:alt"] == "A red 1."
    assert tags(out / "book" / "one.html")["description"] == "Said by the author."
    canonical = [
        a["href"]
        for tag, a, _ in parse(out / "book" / "one.html").elements
        if a.get("rel") == "canonical"
    ]
    assert canonical == ["https://example.org/course/book/one.html"]
    not_found = parse(out / "404.html").elements
    assert "/course/book/one.html" in [a["href"] for tag, a, _ in not_found if tag == "a"]


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("One. Two.", "One. Two."),
        ("A sentence of thirty letters. " * 10, "A sentence of thirty letters. " * 6),
        ("word " * 60, "word " * 39 + "…"),
    ],
)
def test_a_long_paragraph_is_cut_at_a_sentence_or_a_word(metadata, text, short):
    assert metadata.shorten(text.strip()) == short.strip()
    assert len(metadata.shorten(text.strip())) <= metadata.LENGTH


def test_a_formula_becomes_letters_or_is_left_out(metadata):
    paragraph = nodes.paragraph(
        "",
        "",
        nodes.strong("", "What to do."),
        nodes.Text(" Learn "),
        nodes.math("", r"\gamma"),
        nodes.Text(" and "),
        nodes.math("", r"\frac{1}{2}"),
        nodes.Text("."),
    )
    assert metadata.plain_text(paragraph) == "Learn γ and …."


@each_page
def test_the_footer_gives_licence_version_and_where_to_report_an_error(page):
    (footer,) = re.findall(r'<p class="credit">(.*?)</p>', page.read_text(encoding="utf-8"), re.S)
    words = " ".join(re.sub(r"<[^>]+>", "", footer).split())
    assert words.startswith("Batch normalization, shown, by its authors.")
    assert "CC BY 4.0, the code under the MIT licence" in words
    assert re.search(
        rf"Version {re.escape(bncourse.__version__)}(, commit [0-9a-f]{{7,}})?\.", words
    )
    assert f'href="{"#" if page.stem == "about" else "about.html"}"' in footer


def test_one_version_and_one_licence_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == bncourse.__version__
    assert citation["license"] == "CC-BY-4.0"
    about = (ROOT / "book" / "about.md").read_text(encoding="utf-8")
    assert about.count(bncourse.__version__) == 2

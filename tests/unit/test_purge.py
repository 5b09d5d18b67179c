"""The theme's styles lose the rules that no page can meet, and no other."""

from __future__ import annotations

import pytest

from ..loading import load

purge = load("purge", "_ext")


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".used { x: y }", ".used{ x: y }"),
        (".unused { x: y }", ""),
        (".used .unused { x: y }", ""),
        (".used, .unused > p { x: y }", ".used{ x: y }"),
        ('p:hover, [data-x=".unused"] { x: y }', 'p:hover,[data-x=".unused"]{ x: y }'),
        ("p:not(.unused) { x: y }", "p:not(.unused){ x: y }"),
        (
            ":is(.unused, p:not(.unused)) .used { x: y }",
            ":is(.unused, p:not(.unused)) .used{ x: y }",
        ),
        (r".sm\:used { x: y }", r".sm\:used{ x: y }"),
        ("@media print { .unused { x: y } }", ""),
        ("@media print { .unused { x: y } p { x: y } }", "@media print{p{ x: y }}"),
        ("@font-face { src: url(a;b) }", "@font-face{ src: url(a;b) }"),
        ("@keyframes spin { to { x: y } }", "@keyframes spin{ to { x: y } }"),
        ('@charset "utf-8"; p { content: "}" }', '@charset "utf-8";p{ content: "}" }'),
        ("/* .unused { } */ p { x: y } ", "p{ x: y }"),
    ],
)
def test_what_stays(css, left):
    assert purge.purged(css, {"used", "sm:used"}) == left


def test_what_a_script_may_add_is_known(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p class="one two"></p><script>x.add("three")</script>', encoding="utf-8"
    )
    (tmp_path / "b.js").write_text('y.classList.toggle("is-four")', encoding="utf-8")
    assert purge.known(tmp_path) >= {"one", "two", "three", "is-four", "bs-tooltip-auto"}
    assert "p" not in purge.known(tmp_path)

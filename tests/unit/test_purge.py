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


@pytest.mark.parametrize(
    ("css", "others", "left"),
    [
        # Read by another property, which is read: both stay.
        ("p{--a:1;--b:var(--a)}q{top:var(--b)}", "", "p{--a:1;--b:var(--a)}q{top:var(--b)}"),
        # Read only by one that nobody reads: both go.
        ("p{--a:1;--b:var(--a);top:0}", "", "p{top:0}"),
        # Read by a script, or by the book's own rules.
        ("p{--a:1}", "style.setProperty('--a', 2)", "p{--a:1}"),
        # A name that begins like one that is read.
        ("p{--a-b:1;--a:2;top:var(--a)}", "", "p{--a:2;top:var(--a)}"),
        # A class may look like one.
        (".x--a:hover{--a:1}", "", ".x--a:hover{}"),
        ('p{--a:url("data:x;{}");top:0}', "", "p{top:0}"),
    ],
)
def test_a_custom_property_that_nothing_reads_goes(css, others, left):
    assert purge.without_unread(css, others) == left

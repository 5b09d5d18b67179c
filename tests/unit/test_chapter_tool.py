"""`make chapter`: which steps a chapter gets, and that a failing one ends it."""

from __future__ import annotations

import pytest

from ..loading import ROOT, load

chapter = load("chapter")


@pytest.mark.parametrize("key", list(chapter.BY_KEY))
def test_every_file_and_page_that_a_step_names_is_there(key):
    steps = dict(chapter.steps(chapter.BY_KEY[key]))
    words = [word for command in steps.values() for word in command if "/" in word]
    assert f"bncourse/chapters/{key}" in words
    assert all((ROOT / word).exists() for word in words)
    tests = steps["runs, figures, claims"]
    assert f"tests/chapters/test_{key}.py" in tests
    assert (f"tests/claims/test_{key}.py" in tests) == (
        key not in ("front", "gallery", "elsewhere")
    )


def test_deeper_pages_are_checked_with_their_chapter(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        "root: book/index\nchapters:\n- file: book/03-beta-replaces-b\n"
        "  sections:\n  - file: book/03-1-scale\n",
        encoding="utf-8",
    )
    steps = dict(chapter.steps(chapter.BY_KEY["bias"], tmp_path))
    both = ["book/03-beta-replaces-b.ipynb", "book/03-1-scale.ipynb"]
    assert steps["outputs"][-2:] == both
    assert steps["pages"][-1] == "03-beta-replaces-b or 03-1-scale"


def test_the_first_failing_step_ends_the_check(monkeypatch, capfd):
    monkeypatch.setattr(
        chapter,
        "steps",
        lambda _: [("one", ["platform"]), ("two", ["no_such_module"]), ("three", ["platform"])],
    )
    assert chapter.run(chapter.BY_KEY["bias"]) == 1
    said = capfd.readouterr().out
    assert "== two" in said
    assert "bias: two failed" in said
    assert "== three" not in said


def test_a_sound_chapter_says_what_was_not_checked(monkeypatch, capfd):
    monkeypatch.setattr(chapter, "steps", lambda _: [("one", ["platform"])])
    assert chapter.run(chapter.BY_KEY["bias"]) == 0
    assert "Not checked here, but by `make test`" in capfd.readouterr().out


def test_an_unknown_key_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        chapter.main(["test_time"])
    assert "inference" in capsys.readouterr().err

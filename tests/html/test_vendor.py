"""The committed files of other projects are what their packages hold."""

from __future__ import annotations

import io
import tarfile

import pytest

from ..loading import load


@pytest.fixture
def vendor():
    return load("vendor")


def test_no_vendored_file_has_been_changed(vendor):
    assert vendor.compare(vendor.recorded()) == []


def test_every_package_comes_with_its_licence(vendor):
    places = set(vendor.recorded())
    assert {"_assets/mathjax/LICENSE", "tests/browser/AXE-LICENSE"} <= places


def test_a_change_a_loss_and_a_stranger_are_noticed(vendor, monkeypatch, tmp_path):
    monkeypatch.setattr(vendor, "ROOT", tmp_path)
    folder = tmp_path / "_assets" / "mathjax"
    folder.mkdir(parents=True)
    (folder / "a.js").write_bytes(b"changed")
    (folder / "stranger.js").write_bytes(b"")
    expected = vendor.sums({"_assets/mathjax/a.js": b"a", "_assets/mathjax/b.js": b"b"})
    assert vendor.compare(expected) == [
        "_assets/mathjax/a.js has been changed",
        "_assets/mathjax/b.js is missing",
        "_assets/mathjax/stranger.js is in no package",
    ]


def test_an_archive_with_another_checksum_is_refused(vendor):
    with pytest.raises(SystemExit, match="mathjax 3.2.2: expected sha512-.*nothing was written"):
        vendor.verify(vendor.PACKAGES[0], b"not the archive")


def test_the_files_of_an_archive_go_to_their_places(vendor):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in ("LICENSE", "es5/tex-chtml.js", "es5/tex-svg.js", "../tex-chtml.js"):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    chosen = vendor.select(vendor.PACKAGES[0], stream.getvalue())
    assert sorted(chosen) == ["_assets/mathjax/LICENSE", "_assets/mathjax/tex-chtml.js"]

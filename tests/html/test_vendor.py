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
    assert "tests/browser/AXE-LICENSE" in places


def test_a_change_and_a_loss_are_noticed(vendor, monkeypatch, tmp_path):
    monkeypatch.setattr(vendor, "ROOT", tmp_path)
    (tmp_path / "a.js").write_bytes(b"changed")
    expected = vendor.sums({"a.js": b"a", "b.js": b"b"})
    assert vendor.compare(expected) == [
        "a.js has been changed",
        "b.js is missing",
    ]


def test_an_archive_with_another_checksum_is_refused(vendor):
    with pytest.raises(SystemExit, match="axe-core 4.10.3: expected sha512-.*nothing was written"):
        vendor.verify(vendor.PACKAGES[0], b"not the archive")


def test_the_files_of_an_archive_go_to_their_places(vendor):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in ("LICENSE", "axe.min.js", "axe.js", "../axe.min.js"):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    chosen = vendor.select(vendor.PACKAGES[0], stream.getvalue())
    assert sorted(chosen) == ["tests/browser/AXE-LICENSE", "tests/browser/axe.min.js"]

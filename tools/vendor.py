"""Refresh, or check, the files of other projects that are committed here.

    python tools/vendor.py                     # fetch the packages and write their files
    python tools/vendor.py --check             # compare the files with the packages
    python tools/vendor.py --check --offline   # compare them with the recorded checksums

Readers and builds need neither this script nor the network: the files are part of the repository.
The packages come from the npm registry, each at one version and with one SHA-512 checksum, both
written below. To move to another version, change both (`npm view PACKAGE@VERSION dist.integrity`
prints the checksum), run the script, build the book and run the browser tests.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import re
import sys
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKSUMS = ROOT / "tools" / "vendor.sha256"
REGISTRY = "https://registry.npmjs.org"


@dataclass(frozen=True)
class Package:
    r"""One package, and which of its files go where.

    Attributes
    ----------
    integrity : str
        The SHA-512 checksum of the package's archive, in base64, as npm records it.
    files : tuple of (str, str)
        A regular expression that a path inside the package matches as a whole, and the place in
        this repository, in which ``\1`` stands for the expression's first group.
    """

    name: str
    version: str
    integrity: str
    files: tuple[tuple[str, str], ...]


PACKAGES = (
    Package(
        "axe-core",
        "4.10.3",
        "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg==",
        (
            (r"(axe\.min\.js)", r"tests/browser/\1"),
            (r"LICENSE", r"tests/browser/AXE-LICENSE"),
            (r"LICENSE-3RD-PARTY\.txt", r"tests/browser/AXE-LICENSE-3RD-PARTY"),
        ),
    ),
)


def fetch(package: Package, registry: str) -> bytes:
    """Return the package's archive, once its checksum has been found right."""
    file = package.name.rpartition("/")[2]  # without the scope
    address = f"{registry.rstrip('/')}/{package.name}/-/{file}-{package.version}.tgz"
    with urllib.request.urlopen(address, timeout=60) as answer:
        archive: bytes = answer.read()
    verify(package, archive)
    return archive


def verify(package: Package, archive: bytes) -> None:
    """Stop if the archive is not the one that was pinned."""
    found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != package.integrity:
        raise SystemExit(
            f"{package.name} {package.version}: expected sha512-{package.integrity}, "
            f"got sha512-{found}; nothing was written"
        )


def select(package: Package, archive: bytes) -> dict[str, bytes]:
    """Return the contents of the files that this repository takes, by their place in it."""
    chosen: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar.getmembers():
            inside = member.name.removeprefix("package/")
            for pattern, place in package.files:
                match = re.fullmatch(pattern, inside)
                stream = tar.extractfile(member) if match else None
                if match and stream:
                    chosen[match.expand(place)] = stream.read()
    return chosen


def sums(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 checksum of each file."""
    return {place: hashlib.sha256(data).hexdigest() for place, data in sorted(files.items())}


def recorded() -> dict[str, str]:
    """Return the checksums that were recorded at the last refresh."""
    lines = CHECKSUMS.read_text(encoding="utf-8").splitlines()
    return {place: checksum for checksum, place in (line.split("  ", 1) for line in lines)}


def compare(expected: dict[str, str]) -> list[str]:
    """Return what is wrong with the committed files."""
    faults = []
    for place, checksum in expected.items():
        path = ROOT / place
        if not path.is_file():
            faults.append(f"{place} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            faults.append(f"{place} has been changed")
    return faults


def refresh(files: dict[str, bytes]) -> None:
    """Write the files and their checksums."""
    for place in recorded() if CHECKSUMS.exists() else {}:
        (ROOT / place).unlink(missing_ok=True)
    for place, data in files.items():
        (ROOT / place).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / place).write_bytes(data)
    lines = [f"{checksum}  {place}\n" for place, checksum in sums(files).items()]
    CHECKSUMS.write_text("".join(lines), encoding="utf-8", newline="\n")


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    parser.add_argument("--offline", action="store_true", help="check the recorded sums only")
    parser.add_argument("--registry", default=REGISTRY, help="an npm registry (%(default)s)")
    arguments = parser.parse_args()
    if arguments.offline and not arguments.check:
        parser.error("--offline goes with --check: a refresh needs the packages")

    files: dict[str, bytes] = {}
    if not arguments.offline:
        try:
            for package in PACKAGES:
                files |= select(package, fetch(package, arguments.registry))
        except urllib.error.URLError as error:
            if not arguments.check:
                raise SystemExit(f"{arguments.registry} can't be reached: {error}") from error
            print(f"{arguments.registry} can't be reached: comparing with the recorded checksums.")
            files = {}
    if not arguments.check:
        refresh(files)
        print(f"{len(files)} files written.")
        return 0
    expected = sums(files) if files else recorded()
    faults = compare(expected)
    if files and expected != recorded():
        faults.append(f"{CHECKSUMS.relative_to(ROOT).as_posix()} is not of these packages")
    print("\n".join(faults) or f"{len(expected)} files are as they were packed.")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())

"""Put what a release publishes into ``dist/``: HTML, PDF, wheel, and their checksums.

    make release

The book and its PDF must have been built before; ``RELEASING.md`` says what else comes first.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"


def wheel(folder: Path) -> Path:
    """Build the package's wheel into a folder."""
    # What an earlier build left there would come along.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "-w", folder, ROOT], check=True, cwd=ROOT
    )
    (built,) = folder.glob("bncourse-*.whl")
    return built


def main() -> None:
    """Run the command line."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    found = re.match(r"bncourse-([^-]+)-", wheel(DIST).name)
    assert found
    name = f"batch-normalization-{found[1]}"
    shutil.make_archive(str(DIST / name), "zip", ROOT / "_build" / "html")
    shutil.copy(ROOT / "_build" / "pdf" / "batch-normalization.pdf", DIST / f"{name}.pdf")
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
        for path in sorted(DIST.iterdir())
    ]
    (DIST / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

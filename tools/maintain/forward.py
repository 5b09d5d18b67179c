"""Build the book without Jupyter Book, on the newest Sphinx, MyST-NB and theme.

    python tools/maintain/forward.py PYTHON    # the interpreter that has these

Jupyter Book 1.x is in maintenance and holds Sphinx below 8. It can write what it would tell Sphinx
into a ``conf.py``; with two of its own extensions taken out Sphinx builds from that alone. `make
forward` does so with whatever is newest, so that we hear of a break before a reader does.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "_build" / "forward"
#: Sphinx takes paths in the settings from where this file is.
SETTINGS = ROOT / "conf.py"
JUPYTER_BOOK = ("jupyter_book", "sphinx_jupyterbook_latex")
VERSIONS = """
from importlib.metadata import version
for name in ("sphinx", "myst-nb", "sphinx-book-theme", "pydata-sphinx-theme", "docutils"):
    print(name, version(name))
"""
ADDED = f"""
import sys
sys.path.insert(0, "_ext")
extensions = [name for name in extensions if name not in {JUPYTER_BOOK!r}]
"""


def main() -> int:
    """Build, with warnings as errors; return what Sphinx returns."""
    if len(sys.argv) != 2:
        raise SystemExit(f"expected the interpreter to build with, got {sys.argv[1:]}")
    if SETTINGS.exists():
        raise SystemExit(f"expected no {SETTINGS.name} here: it is written anew and removed")
    try:
        config = "from jupyter_book.cli.main import main; main()"
        subprocess.run(
            [sys.executable, "-c", config, "config", "sphinx", "."],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        text = SETTINGS.read_text(encoding="utf-8")
        if not re.search(r"^extensions = \[.*'jupyter_book'", text, re.MULTILINE):
            raise SystemExit("expected Jupyter Book's list of extensions in what it wrote")
        SETTINGS.write_text(text + ADDED, encoding="utf-8")
        subprocess.run([sys.argv[1], "-c", VERSIONS], check=True)
        build = [sys.argv[1], "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-E", "."]
        return subprocess.run([*build, str(OUTPUT)], cwd=ROOT, check=False).returncode
    finally:
        SETTINGS.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())

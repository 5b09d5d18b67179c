"""Check one chapter: its folder, its notebooks, its tests and its pages.

    python tools/chapter.py bias

It stops at the first step that fails. What only `make test` looks at is named at the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pages import BY_KEY, ROOT, Chapter

#: A step: what it checks, and the command, run by the same Python.
Step = tuple[str, list[str]]

#: Which tests of a chapter run.
QUICK = "not slow and not seeds"

NOT_CHECKED = """\
Not checked here, but by `make test`: the style and types of everything else; the library's tests
(tests/unit, tests/property), those of PyTorch's fixtures and of the other chapters; this chapter's
tests marked slow; the other notebooks; a build from nothing, and the tests of the other pages.
The claims are checked with the book's seeds; `make claims` takes others too."""


def steps(chapter: Chapter, root: Path = ROOT) -> Iterator[Step]:
    """Yield the steps for a chapter, the quick ones first.

    Parameters
    ----------
    chapter : Chapter
        One of `pages.BY_KEY`.
    root : Path
        Of the repository.

    Yields
    ------
    Step
    """
    pages = chapter.pages(root)
    notebooks = [f"{page}.ipynb" for page in pages]
    tests = [
        path
        for path in (f"tests/{kind}/test_{chapter.key}.py" for kind in ("chapters", "claims"))
        if (root / path).exists()
    ]
    yield "style", ["ruff", "check", chapter.folder, *tests]
    yield "format", ["ruff", "format", "--check", chapter.folder, *tests]
    yield "types", ["mypy", chapter.folder]
    yield "runs, figures, claims", ["pytest", "-q", "-n", "2", "-m", QUICK, *tests]
    yield "outputs", ["tools/notebooks.py", "test", *notebooks]
    yield "build", ["jupyter-book", "build", "-W", "-n", "--keep-going", ".", "--quiet"]
    names = " or ".join(page.rpartition("/")[2] for page in pages)
    yield "pages", ["pytest", "-q", "tests/html", "-k", names]


def _by_this_python(command: list[str]) -> list[str]:
    """Return the command with the path of the program that belongs to this Python."""
    if command[0] == "jupyter-book":  # the only one that `python -m` can't start
        return [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    return [sys.executable, *([] if command[0].endswith(".py") else ["-m"]), *command]


def run(chapter: Chapter) -> int:
    """Run the steps; return the exit status of the first that fails, or 0."""
    begun = time.perf_counter()
    for name, command in steps(chapter):
        print(f"== {name}", flush=True)
        start = time.perf_counter()
        done = subprocess.run(_by_this_python(command), cwd=ROOT, check=False)
        if done.returncode:
            print(f"{chapter.key}: {name} failed")
            return done.returncode
        print(f"   {time.perf_counter() - start:.0f} s", flush=True)
    print(f"\n{chapter.key} is sound, in {time.perf_counter() - begun:.0f} s. {NOT_CHECKED}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("key", choices=list(BY_KEY))
    return run(BY_KEY[parser.parse_args(arguments).key])


if __name__ == "__main__":
    sys.exit(main())

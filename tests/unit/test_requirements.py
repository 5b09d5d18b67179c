"""Every package that is imported is declared, where those who run the import look for it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: What lies in this repository.
OURS = {
    "bncourse",
    "benchmarks",
    "tests",
    *(path.stem for path in (ROOT / "tools").rglob("*.py")),
} | {path.stem for path in (ROOT / "_ext").glob("*.py")}
#: Packages that are installed under another name than they are imported.
DISTRIBUTION = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "math_core": "math-core",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
BROWSER = "tests/browser/requirements.txt"
#: A file or folder, and the lists besides requirements.in that those who run it install. The
#: longest name that fits counts.
LISTS = {
    "_ext": [],
    "tests": [],
    "tests/browser": [BROWSER],
    "tests/conformance/make_fixtures.py": ["tests/conformance/requirements.txt"],
    "tools": [],
    "tools/pdf.py": [BROWSER],
    "tools/maintain": ["tools/maintain/requirements.txt"],
    "benchmarks": ["benchmarks/requirements.txt"],
}
EXTRA = sorted({name for extra in LISTS.values() for name in extra})


def names(lines):
    """Return the names of the packages that lines of requirements ask for."""
    found = (re.match(r"[A-Za-z][\w.-]*", line) for line in lines)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


def listed(file):
    return names((ROOT / file).read_text(encoding="utf-8").splitlines())


LIBRARY = names(PROJECT["dependencies"])
BOOK = LIBRARY | names(PROJECT["optional-dependencies"]["book"])
DIRECT = listed("requirements.in")


def imported(path, *, at_once=False):
    """Return what a file imports from elsewhere; only what is imported with it, if asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = set()
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module)
    tops = {module.split(".")[0] for module in modules} - OURS - set(sys.stdlib_module_names)
    return {DISTRIBUTION.get(top, top).lower() for top in tops}


def undeclared(folder, allowed):
    """Return (file, package) for every import of a package that is not allowed there."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        found += [(file, package) for package in sorted(imported(path) - allowed(file))]
    return found


def test_the_package_imports_what_its_extra_names_and_nothing_else():
    assert undeclared("bncourse", lambda file: BOOK) == []
    used = set().union(*(imported(path) for path in (ROOT / "bncourse").rglob("*.py")))
    assert used == BOOK


def test_the_library_needs_numpy_alone():
    assert {"numpy"} == LIBRARY
    for path in (ROOT / "bncourse").glob("*.py"):
        assert imported(path, at_once=True) <= LIBRARY, path.name


@pytest.mark.parametrize("folder", ["_ext", "tests", "tools", "benchmarks"])
def test_what_surrounds_the_package_imports_what_is_listed(folder):
    def allowed(file):
        fitting = [place for place in LISTS if file == place or file.startswith(place + "/")]
        extra = LISTS[max(fitting, key=len)]
        return BOOK.union(DIRECT, *(listed(name) for name in extra))

    assert undeclared(folder, allowed) == []


def test_the_compiled_list_holds_what_the_source_asks_for():
    """`make requirements` notes, below each package, who asked for it."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)

    def asked_by(who):
        return names(e for e in entries if re.search(rf"(?:via|#) +{who}$", e, re.MULTILINE))

    assert asked_by("-r requirements.in") == DIRECT
    assert asked_by("bncourse") == BOOK


@pytest.mark.parametrize("file", ["requirements.in", "requirements.txt", *EXTRA])
def test_no_list_names_where_packages_come_from(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|--(?:index|extra|find)", text)

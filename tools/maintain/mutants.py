"""Change the code in many small ways, and see that a unit test notices each.

    python tools/maintain/mutants.py          mutate, test, compare with tests/mutants.toml
    python tools/maintain/mutants.py --again  only compare: read the results of the run before

mutmut makes the changes (another operator, number, word or argument; a call without one of its
arguments; a condition that always or never holds) and runs, for each, the tests that call the
changed function. It leaves decorated functions alone, here properties, a cached function and
context managers, and what stands outside of functions. `batch_norm` and `batch_norm_backward` are
mutated all the same: in the copy their door is put before them by a line of its own.

The run fails if fewer than 95 % are noticed, if one survives that tests/mutants.toml does not
list with the reason why it is the same program, or if one that is listed does not survive.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".mutants"
LISTED = ROOT / "tests" / "mutants.toml"
AT_LEAST = 0.95

MODULES = (
    "normalization",
    "statistics",
    "averages",
    "losses",
    "optimizers",
    "layers",
    "_guards",
    "activations",
    "network",
    "data",
)
#: `_guards` has no file of tests of its own: `strangers_layers` and `layers` read it.
TESTS = (
    *(name for name in MODULES if name != "_guards"),
    *("training", "gradient_check", "package", "refusals", "strangers_layers"),
)
COPIED = ("bncourse", "tests/__init__.py", "tests/conftest.py", "tests/unit")

#: Function, the lines as they were, the lines as they became.
Mutant = tuple[str, str, str]


def prepare() -> None:
    """Copy what is needed, so that nothing is mutated in place."""
    shutil.rmtree(WORK, ignore_errors=True)
    for name in COPIED:
        source, target = ROOT / name, WORK / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    formulas = WORK / "bncourse" / "normalization.py"
    formulas.write_text(undecorated(formulas.read_text(encoding="utf-8")), encoding="utf-8")
    options = {
        "source_paths": ["bncourse"],
        "only_mutate": [f"bncourse/{name}.py" for name in MODULES],
        "pytest_add_cli_args_test_selection": [f"tests/unit/test_{name}.py" for name in TESTS],
        # mutmut's own methods are in no catalogue of ours.
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-k", "not catalogue"],
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (WORK / "pyproject.toml").write_text(
        f"{project}\n[tool.mutmut]\nuse_git_change_detection = false\n" + "\n".join(lines) + "\n",
        encoding="utf-8",
    )


def undecorated(source: str) -> str:
    r"""Return the same program with the doors put before their functions after the definition.

    >>> print(undecorated("@_door(check)\ndef f(\n    x\n):\n    return x\n\n\ny = 1\n"))
    def f(
        x
    ):
        return x
    f = _door(check)(f)
    <BLANKLINE>
    y = 1
    <BLANKLINE>
    """
    return re.sub(
        r"^(@_door\(\w+(?:\.\w+)*\))\n(def (\w+)\(.*?\n)\n(?=\n\S)",
        lambda m: f"{m[2]}{m[3]} = {m[1][1:]}({m[3]})\n",
        source,
        flags=re.M | re.S,
    )


def mutmut(*arguments: str) -> str:
    """Run mutmut's command line and return what it printed."""
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=WORK,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"mutmut {arguments[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def function_of(mutant: str) -> str:
    """Return the plain name of the function that a mutant changes.

    >>> function_of("bncourse.layers.xǁDenseǁforward__mutmut_15")
    'layers.Dense.forward'
    >>> function_of("bncourse.data.x_whiten__mutmut_3")
    'data.whiten'
    """
    _, module, mangled = re.sub(r"__mutmut_\d+$", "", mutant).split(".", 2)
    name = mangled[2:].replace("ǁ", ".")
    return f"{module}.{name}"


def changed_lines(diff: str) -> tuple[str, str]:
    """Return the removed and the added lines of a diff, without their indentation."""
    body = diff.split("\n+++ ", 1)[1].splitlines()[1:]
    removed, added = (
        "\n".join(line[1:].strip() for line in body if line.startswith(sign)) for sign in "-+"
    )
    return removed, added


def survivors() -> list[Mutant]:
    """Return what no test noticed."""
    found = []
    for line in mutmut("results").splitlines():
        name, _, status = line.strip().rpartition(": ")
        if name and status not in ("killed", "timeout"):
            found.append((function_of(name), *changed_lines(mutmut("show", name))))
    return found


def listed() -> list[Mutant]:
    """Return the mutants of tests/mutants.toml, each of which has its reason there."""
    entries = tomllib.loads(LISTED.read_text(encoding="utf-8"))["equivalent"]
    for entry in entries:
        if not entry["why"].strip():
            raise ValueError(f"{LISTED.name}: expected a reason for {entry['in']}, got none")
    return [
        (entry["in"], entry["was"].strip(), became.strip())
        for entry in entries
        for became in entry["became"]
    ]


def compare(found: Iterable[Mutant], known: Iterable[Mutant]) -> list[str]:
    """Return what is wrong: survivors without a reason, and reasons without a survivor."""
    found, known = set(found), set(known)
    wrong = [
        f"{name}: no test notices\n    - {was}\n    + {became}"
        for name, was, became in sorted(found - known)
    ]
    wrong += [
        f"{name}: is listed, and does not survive (any more)\n    - {was}\n    + {became}"
        for name, was, became in sorted(known - found)
    ]
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args(arguments)
    if not options.again:
        prepare()
        print("running; this takes about ten minutes on two cores", flush=True)
        mutmut("run", "--max-children", str(os.cpu_count() or 2))
    mutmut("export-cicd-stats")
    stats = json.loads((WORK / "mutants" / "mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    total, killed = stats["total"], stats["killed"] + stats["timeout"]
    found = survivors()
    wrong = compare(found, listed())
    if not total or killed < AT_LEAST * total:
        wrong.append(f"expected at least {AT_LEAST:.0%} of the mutants to be noticed")
    print("\n".join(wrong))
    share = killed / total if total else 0.0
    print(f"{total} mutants, {killed} noticed ({share:.1%}), {len(found)} equivalent or unnoticed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Compare the notebooks' outputs on other versions, other kernels of the BLAS, other settings.

    python tools/maintain/matrix.py           every variant
    python tools/maintain/matrix.py --quick   one run, as unlike the ordinary one as one can be
    python tools/maintain/matrix.py --only oldest newest

Each variant is a strict run of nbval over all notebooks. A variant that this machine cannot run is
named, with the reason. Which kernels and which instructions were in use is not taken from the
settings but asked from a process that has them, because an unknown name is silently ignored.
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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import pages  # noqa: E402
from notebooks import check, comparison  # noqa: E402

ENVIRONMENTS = ROOT / ".venv-matrix"

# The oldest releases that pyproject.toml allows and that can be installed together: matplotlib
# before 3.8.4 asks for a NumPy below 2.
OLDEST_LIBRARIES = {"numpy": "2.0.0", "matplotlib": "3.8.4"}
KERNELS = ("Nehalem", "Sandybridge", "Haswell", "SkylakeX")
SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
ALL_FEATURES = "all"  # stands for the names, which differ between versions of NumPy

# Run in a process with a variant's settings. The product makes a kernel that the processor
# cannot execute crash here instead of in a notebook.
PROBE = """
import ctypes, json, platform
from pathlib import Path
import matplotlib, numpy as np
import matplotlib.font_manager  # so that no notebook is the first to build the font cache
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

a = np.random.default_rng(0).normal(size=(64, 64))
assert np.isfinite(a @ a).all()
blas = "not OpenBLAS"
maps = Path("/proc/self/maps")
paths = {row.split()[-1] for row in maps.read_text().splitlines() if "openblas" in row} \
    if maps.exists() else ()
for path in paths:
    library = ctypes.CDLL(path)
    for suffix in ("64_", ""):
        name = getattr(library, "scipy_openblas_get_corename" + suffix, None)
        if name is not None:
            name.restype = ctypes.c_char_p
            blas = name().decode()
print(json.dumps({
    "python": platform.python_version(),
    "numpy": np.__version__,
    "matplotlib": matplotlib.__version__,
    "blas_kernel": blas,
    "cpu_features": [f for f in __cpu_dispatch__ if __cpu_features__[f]],
}))
"""


class CannotRun(Exception):  # noqa: N818 - nothing is wrong; this machine lacks something
    """A variant needs what this machine does not have."""


@dataclass(frozen=True)
class Variant:
    """One way to run the notebooks."""

    name: str
    what: str
    settings: dict[str, str] = field(default_factory=dict)
    #: "" is the environment that runs this tool; the others are made under `.venv-matrix`.
    environment: str = ""


def variants() -> list[Variant]:
    """Return all of them, the ordinary one first."""
    return [
        Variant("ordinary", "the pinned set, one thread"),
        Variant("threads", "two threads", {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}),
        Variant("hash-seed", "another hash seed", {"PYTHONHASHSEED": "20150211"}),
        *(
            Variant(k.lower(), f"OpenBLAS kernels for {k}", {"OPENBLAS_CORETYPE": k})
            for k in KERNELS
        ),
        Variant(
            "features",
            "NumPy without its optional processor features",
            {"NPY_DISABLE_CPU_FEATURES": ALL_FEATURES},
        ),
        QUICK,
        Variant("oldest", "oldest Python, NumPy and matplotlib", environment="oldest"),
        Variant(
            "oldest-plain",
            "the same, oldest kernels, no optional features",
            {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": ALL_FEATURES},
            environment="oldest",
        ),
        Variant("newest", "newest Python, NumPy and matplotlib", environment="newest"),
    ]


QUICK = Variant(
    "quick",
    "Nehalem kernels, no optional features, another hash seed",
    {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": ALL_FEATURES,
        "PYTHONHASHSEED": "424242",
    },
)


def interpreters() -> dict[tuple[int, int], Path]:
    """Return the Pythons that the package supports and that can make environments."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest = tuple(map(int, re.findall(r"\d+", project["requires-python"])))
    candidates = [sys.executable, *filter(None, (shutil.which(f"python3.{k}") for k in range(60)))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += map(str, sorted(pyenv.glob("3.*/bin/python")))
    ask = "import ensurepip, sys; print(*sys.version_info[:2], sys.version_info.releaselevel)"
    found: dict[tuple[int, int], Path] = {}
    for candidate in candidates:
        # A shim of a version manager exists for versions that are not chosen, and fails.
        done = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            major, minor, level = done.stdout.split()
            version = (int(major), int(minor))
            if level == "final" and version >= lowest:
                found.setdefault(version, Path(candidate))
    return found


def requirements(environment: str) -> str:
    """Return the pinned set with other versions of NumPy and matplotlib."""
    lines = []
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name = re.split(r"[=<> ;]", line)[0]
        if name in OLDEST_LIBRARIES:
            line = f"{name}=={OLDEST_LIBRARIES[name]}" if environment == "oldest" else name
        lines.append(f"-e {ROOT}" if line.startswith("-e") else line)
    return "\n".join(lines) + "\n"


def python_of(environment: str) -> Path:
    """Return the interpreter of an environment, which is made if it is missing or outdated."""
    if not environment:
        return Path(sys.executable)
    found = interpreters()
    version = min(found) if environment == "oldest" else max(found)
    folder = ENVIRONMENTS / environment
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = f"# {found[version]}\n{requirements(environment)}"
    stamp = folder / "installed.txt"
    if environment == "oldest" and stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    # "newest" is always installed afresh: what is newest changes without a change here.
    print(f"{environment}: making an environment with Python {'.'.join(map(str, version))}")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([found[version], "-m", "venv", folder], check=True)
    (folder / "requirements.txt").write_text(wanted, encoding="utf-8")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["-r", str(folder / "requirements.txt")]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"pip could not install the set: {done.stderr.strip().splitlines()[-1]}")
    stamp.write_text(wanted, encoding="utf-8")
    return python


def probe(python: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """Return what a process with these settings finds itself to be."""
    done = subprocess.run(
        [python, "-c", PROBE], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CannotRun(f"a process with these settings does not start: {last}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def prepare(variant: Variant) -> tuple[Path, dict[str, str], dict[str, Any]]:
    """Return interpreter, environment variables and facts; raise `CannotRun` if one is lacking."""
    python = python_of(variant.environment)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "NPY_"))}
    env = clean | SETTINGS | variant.settings
    if variant.settings.get("NPY_DISABLE_CPU_FEATURES") == ALL_FEATURES:
        present = probe(python, clean | SETTINGS)["cpu_features"]
        if not present:
            raise CannotRun("NumPy uses no optional processor feature here")
        env["NPY_DISABLE_CPU_FEATURES"] = " ".join(present)
    facts = probe(python, env)
    if "NPY_DISABLE_CPU_FEATURES" in env and facts["cpu_features"]:
        raise CannotRun(f"NumPy kept {facts['cpu_features']}")
    kernel = variant.settings.get("OPENBLAS_CORETYPE")
    if kernel and facts["blas_kernel"].lower() != kernel.lower():
        raise CannotRun(f"asked for {kernel}, OpenBLAS chose {facts['blas_kernel']}")
    return python, env, facts


def run(variant: Variant, notebooks: list[Path]) -> tuple[int, list[str]]:
    """Return how many cells a variant compared, and which it did not reproduce."""
    python, env, facts = prepare(variant)
    print(f"{variant.name}: {json.dumps(facts)}", flush=True)
    log = ENVIRONMENTS / "logs" / variant.name
    log.parent.mkdir(parents=True, exist_ok=True)
    report = log.with_suffix(".xml")
    report.unlink(missing_ok=True)
    # Two processes with two threads each would wait for each other most of the time.
    threads = int(env["OPENBLAS_NUM_THREADS"])
    workers = max(1, (os.cpu_count() or 2) // threads)
    # Long, because what is compared here are values; -vv so that both outputs are in the log.
    options = ["-vv", "--color=no", f"--junitxml={report}"]
    done = subprocess.run(
        comparison(notebooks, options, python=python, timeout=600, workers=workers),
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    log.with_suffix(".txt").write_text(done.stdout, encoding="utf-8")
    cells, failed = outcome(report)
    if (done.returncode and not failed) or not cells:
        failed.append(f"pytest ended with {done.returncode}: {done.stdout.strip()[-300:]}")
    return cells, failed


def outcome(report: Path) -> tuple[int, list[str]]:
    """Return how many cells were compared, and which were not reproduced."""
    if not report.exists():
        return 0, []
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = [
        f"{case.get('classname')}: {case.get('name')}"
        for case in cases
        if any(child.tag in ("failure", "error", "skipped") for child in case)
    ]
    return len(cases), failed


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--quick", action="store_true")
    choice.add_argument("--only", nargs="+", choices=[v.name for v in variants()], metavar="NAME")
    options = parser.parse_args(arguments)
    chosen = [QUICK] if options.quick else variants()
    if options.only:
        chosen = [v for v in chosen if v.name in options.only]
    notebooks = pages.notebooks()
    # nbval passes over cells that were stored unrun: those would count as reproduced.
    if check(notebooks):
        return 1
    compared, skipped, different = 0, 0, 0
    for variant in chosen:
        try:
            cells, failed = run(variant, notebooks)
        except CannotRun as reason:
            print(f"{variant.name}: not run, {reason}", flush=True)
            skipped += 1
            continue
        print(f"{variant.what}: {cells} cells, {len(failed)} not reproduced", flush=True)
        for cell in failed:
            print(f"    {cell}", flush=True)
        compared += 1
        different += len(failed)
    print(f"{compared} variants run, {skipped} not run, {different} cells not reproduced")
    return 1 if different or not compared else 0


if __name__ == "__main__":
    sys.exit(main())

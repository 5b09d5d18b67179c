"""Make each claim false by a small change, and see that its own test turns red.

    python tools/claim_mutants.py            every mutant that takes seconds
    python tools/claim_mutants.py --slow     the slow ones too
    python tools/claim_mutants.py C19 A05    those of these claims, slow or not

tests/claims/mutants.toml lists, for each claim of the ledger that has a test and for each
reference assertion, text of a source file as it is and as it becomes. (Why a claim has no test,
the ledger says.) First the tests run on the code as it is, and must be green. Then each mutant
gets a process of its own, forked from one that has imported everything but the package; there the
changed text is imported, and no file is written. A test kills a mutant by its assertion: if it
ends otherwise, say because the changed code can't be imported, that does not count.
"""

from __future__ import annotations

import argparse
import gc
import importlib.abc
import importlib.util
import json
import multiprocessing
import os
import re
import signal
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import ledger

ROOT = Path(__file__).resolve().parents[1]
LIST = Path("tests/claims/mutants.toml")
ASSERTION_IDS = tuple(f"A{number:02}" for number in range(1, 18))
#: Imported before the processes are forked: it takes a second, and is not what is changed.
UNCHANGED = ("hypothesis", "matplotlib.pyplot", "numpy", "pytest")
#: Seconds of the processor after which a test is given up, and a slow one.
AT_MOST, SLOW_AT_MOST = 60, 900


@dataclass(frozen=True)
class Mutant:
    """A change that makes a claim false.

    Attributes
    ----------
    claim, test : str
        Whose it is, and the test that must turn red.
    file, was, becomes : str
        Where, the text that stands there once, and what is put in its place.
    why : str
        What is wrong then, in a few words.
    slow : bool
        Whether it is left to `--slow`.
    recompute : bool
        Whether stored runs are computed anew, with the change, instead of read.
    """

    claim: str
    test: str
    file: str
    was: str
    becomes: str
    why: str
    slow: bool = False
    recompute: bool = False

    def source(self, root: Path = ROOT) -> str:
        """Return the changed text of the file.

        Raises
        ------
        ValueError
            If the text that is to be changed is not there exactly once.
        """
        text = (root / self.file).read_text(encoding="utf-8")
        if (count := text.count(self.was)) != 1:
            raise ValueError(
                f"{self.claim}, {self.why}: expected this once in {self.file}, "
                f"found it {count} times:\n{self.was}"
            )
        return text.replace(self.was, self.becomes)


class Outcome(NamedTuple):
    """How tests ended, as they are (without a mutant) or under one.

    Attributes
    ----------
    tests, mutant
        What was run.
    good : bool
        Without a mutant whether all passed, with one whether an assertion failed.
    said : str
        Why it is not good.
    seconds : float
        Of the processor.
    """

    tests: Sequence[str]
    mutant: Mutant | None
    good: bool
    said: str
    seconds: float


def evidence(root: Path = ROOT) -> dict[str, str]:
    """Return the test of each claim, as the ledger names it, and of each reference assertion."""
    found = {c["id"]: c["test"] for c in ledger.load(root).claims if c["test"]}
    for path in sorted((root / "tests" / "claims").glob("test_*.py")):
        for name in re.findall(r"^def (test_a\d\d_\w+)", path.read_text(encoding="utf-8"), re.M):
            found[name[5:8].upper()] = f"{path.relative_to(root).as_posix()}::{name}"
    return found


def load(root: Path = ROOT) -> list[Mutant]:
    """Return the mutants in the order of their claims."""
    tests = evidence(root)
    entries = tomllib.loads((root / LIST).read_text(encoding="utf-8"))["mutant"]
    mutants = [
        Mutant(**{"claim": claim, "test": tests[claim], **entry})
        for entry in entries
        for claim in entry.pop("claims")
    ]
    return sorted(mutants, key=lambda mutant: mutant.claim)


class _Changed(importlib.abc.MetaPathFinder, SourceFileLoader):
    """Imports one module from another text than its file's, past the stored bytecode."""

    def __init__(self, mutant: Mutant) -> None:
        name = ".".join(Path(mutant.file).with_suffix("").parts).removesuffix(".__init__")
        super().__init__(name, str(ROOT / mutant.file))
        self.text = mutant.source()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_code(self, name: str) -> CodeType:
        return self.source_to_code(self.text.encode(), self.path)


class _Watch:
    """Pytest's plugin that takes down how the tests ended."""

    def __init__(self) -> None:
        self.passed = 0
        self.failures: list[tuple[bool, str]] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.passed += report.when == "call" and report.passed

    def pytest_exception_interact(self, call: Any, report: Any) -> None:
        import pytest

        error = call.excinfo
        asserted = (
            call.when == "call"
            and issubclass(error.type, AssertionError | pytest.fail.Exception)
            and ROOT / "bncourse" not in Path(error.traceback[-1].path).parents  # its own `assert`
        )
        self.failures.append((asserted, f"{report.nodeid}: {error.exconly()[:300]}"))


def _run(job: tuple[Sequence[str], Mutant | None]) -> Outcome:
    """Run tests in this process, in which the package was not imported before."""
    import pytest

    tests, mutant = job
    watch = _Watch()
    if mutant is not None:
        sys.meta_path.insert(0, _Changed(mutant))
        signal.signal(signal.SIGPROF, _give_up)
        signal.setitimer(signal.ITIMER_PROF, SLOW_AT_MOST if mutant.slow else AT_MOST)
        if mutant.recompute:
            _recompute()
    options = ["-x", "-m", "not seeds", "-p", "no:terminal", "-p", "no:cacheprovider"]
    started = time.process_time()
    code = pytest.main([*options, *tests], plugins=[watch])
    seconds = time.process_time() - started
    green = code == 0 and watch.passed > 0
    asserted, said = watch.failures[0] if watch.failures else (False, f"{watch.passed} passed")
    return Outcome(tests, mutant, asserted if mutant else green, said, seconds)


def _give_up(signum: int, frame: Any) -> None:
    raise TimeoutError("it took too long")


def _recompute() -> None:
    """Let stored runs be computed where they are read, for the seeds that are asked for."""
    from bncourse.chapters import stored

    def load(self: Any, seeds: Iterable[int] | None = None) -> Any:
        seeds = list(self.seeds if seeds is None else seeds)
        data = json.loads(self.compute(seeds=seeds))
        return stored.SweepResult(
            [
                stored.Run(point, seed, result)
                for point, row in zip(data["points"], data["results"], strict=True)
                for seed, result in zip(seeds, row, strict=True)
            ]
        )

    stored.StoredRun.load = load


def outcomes(jobs: Iterable[tuple[Sequence[str], Mutant | None]]) -> Iterator[Outcome]:
    """Run each job in a process of its own, one a core, and yield how it ended."""
    # Only what the tests of the claims need; and one thread each.
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name in UNCHANGED:
        importlib.import_module(name)
    gc.freeze()  # the processes need not look through what they share
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(_run, jobs)


def as_they_are(mutants: Iterable[Mutant]) -> list[tuple[Sequence[str], None]]:
    """Return the tests that the mutants need, a file a job."""
    files: dict[str, dict[str, None]] = {}
    for mutant in mutants:
        files.setdefault(mutant.test.split("::")[0], {})[mutant.test] = None
    return [(list(tests), None) for tests in files.values()]


def table(
    mutants: Iterable[Mutant], found: Iterable[Outcome], untested: Mapping[str, str]
) -> list[str]:
    """Return a line for each mutant and for each claim without a test."""
    by_mutant = {outcome.mutant: outcome for outcome in found}
    lines = [(claim, f"none    {reason}") for claim, reason in untested.items()]
    for mutant in mutants:
        if mutant not in by_mutant:
            lines.append((mutant.claim, f"slow    {mutant.why}: run by make claim-mutants SLOW=1"))
            continue
        _, _, good, said, seconds = by_mutant[mutant]
        text = f"{'killed' if good else 'LIVES '}  {mutant.why} ({seconds:.1f} s)"
        lines.append((mutant.claim, text if good else f"{text}\n             {said}"))
    return [f"{claim}  {text}" for claim, text in sorted(lines)]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="by default all")
    parser.add_argument("--slow", action="store_true", help="the slow ones too")
    options = parser.parse_args(arguments)
    wanted = set(options.claims) or {*ledger.CLAIM_IDS, *ASSERTION_IDS}
    mutants = [mutant for mutant in load() if mutant.claim in wanted]
    for mutant in mutants:
        mutant.source()  # one that does not fit any more is better said at once
    chosen = [m for m in mutants if options.slow or options.claims or not m.slow]
    claims = ledger.load(ROOT).claims
    untested = {c["id"]: c["reason"] for c in claims if c["id"] in wanted and not c["test"]}

    started = time.perf_counter()
    print("the tests as they are", flush=True)
    red = [outcome.said for outcome in outcomes(as_they_are(chosen)) if not outcome.good]
    if red:
        print("expected them to be green without a mutant:", *red, sep="\n")
        return 1
    print(f"{len(chosen)} mutants", flush=True)
    found = list(outcomes([([mutant.test], mutant) for mutant in chosen]))
    print(*table(mutants, found, untested), sep="\n")
    killed = sum(outcome.good for outcome in found)
    print(f"{killed} of {len(chosen)} killed, {time.perf_counter() - started:.0f} s")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())

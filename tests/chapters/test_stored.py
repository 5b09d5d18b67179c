"""Stored runs: one seed of each is computed again; and what `StoredRun` promises."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import pytest

from bncourse import load_digits, load_mnist1d
from bncourse.chapters import measured, motivation, stored
from bncourse.chapters.common import describe_inputs
from bncourse.display import Card

from ..loading import load

RUNS = load("runs").stored_runs()


#: The second data set takes minutes: `make claims` computes it again, `make test` does not.
AGAIN = [
    pytest.param(name, marks=pytest.mark.seeds if name.startswith("elsewhere") else [])
    for name in RUNS
]


@pytest.mark.slow
@pytest.mark.parametrize("name", AGAIN)
def test_one_seed_computed_again_gives_what_is_stored(name):
    assert list(RUNS[name].differences(RUNS[name].seeds[0])) == []


@pytest.mark.parametrize("name", RUNS)
def test_the_file_is_that_of_the_declaration(name):
    assert RUNS[name].load().runs


@dataclass(frozen=True)
class Result:
    card: Card | None = None


def double(seed, a, kind="plain"):
    measured.take_down(seed=seed, gain=a, arm=kind)
    if a < 0:
        raise ValueError("below 0")
    return {"twice": 2.0 * a + seed, "list": [a, float("inf")]}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A stored run in a folder of its own."""
    monkeypatch.setattr(stored.StoredRun, "path", property(lambda self: tmp_path / "x.json"))
    run = stored.StoredRun("x", double, {"a": [1.0, 5.0]}, seeds=range(3), tolerance=0.01)
    run.path.write_text(run.compute(), encoding="utf-8")
    return run


def test_what_is_loaded_is_what_was_run(made):
    assert made.load().select(a=5.0) == [double(seed, 5.0) for seed in range(3)]
    assert made.load(seeds=[2]).select(a=1.0) == [double(2, 1.0)]


def test_dask_stores_the_same(made):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert made.compute(client.get_executor()) == made.path.read_text(encoding="utf-8")


def test_processes_store_the_same():
    # A function that a worker finds by its name, and too few steps to take long.
    run = stored.StoredRun(
        "y",
        motivation.runs.final_accuracy,
        {"batch_norm": [True], "learning_rate": [0.1], "gain": [1.0, 2.0], "steps": [2]},
        seeds=range(2),
    )
    with ProcessPoolExecutor(2) as processes:
        assert run.compute(processes) == run.compute()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seeds": range(4)}, "seeds"),
        ({"grid": {"a": [1.0, 6.0]}}, "points"),
        ({"run": json.dumps}, "run"),
    ],
)
def test_another_declaration_than_the_file_s_is_refused(made, change, named):
    other = stored.StoredRun(**{**vars(made), **change})
    with pytest.raises(ValueError, match=rf"x: expected {named} .* `make runs`"):
        other.load()


def test_a_seed_that_is_not_stored_is_refused(made):
    with pytest.raises(ValueError, match=r"expected seeds among \[0, 1, 2\], got \[3\]"):
        made.load(seeds=[3])


def test_a_changed_number_and_a_changed_setting_are_found(made):
    assert list(made.differences(1)) == []
    data = json.loads(made.path.read_text(encoding="utf-8"))
    data["results"][0][1]["twice"] += 0.005  # within the tolerance
    data["results"][1][1]["twice"] += 0.02
    data["taken down"]["arm"] = ["fancy"]
    made.path.write_text(json.dumps(data), encoding="utf-8")
    setting, number = made.differences(1)
    assert "was made of" in setting
    assert "'a': 5.0" in number


def test_at_the_edge_of_what_trains_a_few_points_may_be_others(made):
    data = json.loads(made.path.read_text(encoding="utf-8"))
    data["results"][1][1]["twice"] += 9.0
    made.path.write_text(json.dumps(data), encoding="utf-8")
    assert len(list(made.differences(1))) == 1
    assert list(stored.StoredRun(**vars(made) | {"edge": 0.5}).differences(1)) == []
    data["results"][0][1]["twice"] += 9.0
    made.path.write_text(json.dumps(data), encoding="utf-8")
    assert len(list(stored.StoredRun(**vars(made) | {"edge": 0.5}).differences(1))) == 2


def test_a_failed_run_is_not_stored(made):
    bad = stored.StoredRun("x", double, {"a": [-1.0]}, seeds=[0])
    with pytest.raises(RuntimeError, match="x: ValueError: below 0"):
        bad.compute()


def test_a_card_names_what_the_run_took_down(made):
    @measured.measured("Why?", "The same without.", "Evaluation.")
    def result(seeds):
        made.load(seeds)
        double(7, 3.0, "live")
        return Result()

    card = result([0, 2]).card
    assert card.settings == {
        "seed": [0, 2, 7],
        "gain": [1.0, 5.0, 3.0],
        "arm": ["plain", "live"],
        "stored": ["x"],
    }
    # What is run outside is on no card.
    double(9, 9.0)
    assert 9 not in card.settings["seed"]


def test_a_result_that_no_run_took_down_gets_no_card():
    with pytest.raises(ValueError, match="settings: expected some of"):
        measured.measured("Why?", "None.", "None.")(Result)()


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (load_digits().x_train, "pixels from 0 to 1"),
        (load_digits(standardized=True).x_train, "standardised"),
        (load_mnist1d().x_train, "standardised as a whole"),
        (load_mnist1d().x_train + 1.0, "rescaled"),
    ],
)
def test_a_card_says_how_the_inputs_are_scaled(x, said):
    assert describe_inputs(x) == said

"""The contenders that need no PyTorch do the same work. `make bench` asks PyTorch the same."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import course, products, report, run, textbook, worker
from benchmarks.contenders import COURSE, HABITS, STEP_CONTENDERS, TEXTBOOK, build
from benchmarks.workload import (
    BN_PARTS,
    COURSE_NET,
    DTYPES,
    LEARNING_RATE,
    SHAPES,
    bn_case,
    examples,
    step_case,
)
from bncourse import Adam, SoftmaxCrossEntropy, gradient_errors

CASE = step_case(COURSE_NET, "float64", LEARNING_RATE)
SMALL = step_case({"sizes": [6, 5, 4, 3], "batch": 8}, "float64")


def losses(step, steps=12):
    return [step() for _ in range(steps)]


def test_the_textbook_follows_the_package():
    np.testing.assert_allclose(
        losses(textbook.training_step(CASE)), losses(course.training_step(CASE)), rtol=1e-10
    )


@pytest.mark.parametrize("name", HABITS)
def test_giving_up_a_habit_changes_no_result(name):
    # In a process of its own, because some replace functions of the package.
    request = {"do": "losses", "case": CASE, "steps": 12}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker", name],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
        cwd=run.ROOT,
    )
    answer = json.loads(done.stdout)
    np.testing.assert_allclose(answer["ok"], losses(course.training_step(CASE)), rtol=1e-10)


def test_training_without_the_gradient_of_the_input_is_the_same_training():
    net = course.build(CASE)
    x, y = examples(CASE)
    loss_of, adam = SoftmaxCrossEntropy(), Adam(1e-3)

    def step():
        loss, dz = loss_of(net.forward(x, training=True), y)
        assert net.backward(dz).shape == x.shape
        adam.step(net.theta, net.dtheta)
        return loss

    assert losses(step) == losses(course.training_step(CASE))


def test_the_compared_network_has_right_gradients():
    net = course.build(SMALL)
    assert max(gradient_errors(net, *examples(SMALL)).values()) < 1e-6


@pytest.mark.parametrize("part", BN_PARTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_norm_of_textbook_and_package_agree(part, dtype):
    case = bn_case(part, 64, 100, dtype)
    ours, theirs = course.batch_norm(case)(), textbook.batch_norm(case)()
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    for a, b in zip(np.atleast_3d(ours), np.atleast_3d(theirs), strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_the_floor_has_the_products_of_a_training_step(monkeypatch):
    shapes = []
    matmul = np.matmul

    def noted(a, b, out):
        shapes.append((a.shape, b.shape))
        return matmul(a, b, out=out)

    step = products.training_step(SMALL)
    monkeypatch.setattr(products.np, "matmul", noted)
    step()
    assert shapes == [
        ((8, 6), (6, 5)),
        ((8, 5), (5, 4)),
        ((8, 4), (4, 3)),
        ((3, 8), (8, 4)),
        ((8, 3), (3, 4)),
        ((4, 8), (8, 5)),
        ((8, 4), (4, 5)),
        ((5, 8), (8, 6)),
    ]


@pytest.mark.parametrize(("part", "limit"), [("forward", 2.1), ("backward", 1.1)])
def test_batch_norm_allocates_no_more_than_it_must(part, limit):
    m, n = 1024, 512
    case = bn_case(part, m, n, "float64")
    assert worker.peak_bytes(build(COURSE, case)) < limit * m * n * 8
    assert worker.peak_bytes(build(TEXTBOOK, case)) > limit * m * n * 8


def test_a_contender_that_fails_is_named_and_loses_no_other():
    workers = run.Workers()
    try:
        able = workers.prepared([COURSE, "nobody", TEXTBOOK], bn_case("forward", 4, 3, "float64"))
    finally:
        workers.close()
    assert able == [COURSE, TEXTBOOK]
    assert list(workers.unavailable) == ["nobody"]


@pytest.fixture(scope="module")
def results():
    return json.loads(run.RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_what_the_results_say():
    assert report.main(["--check"]) == 0


def test_the_page_names_every_target_and_every_miss(results):
    text = report.page(results)
    found = report.targets(results)
    assert len(found) == 21
    missed = [t for t in found if t.measured > t.limit]
    assert text.count(" % over</td>") == len(missed)
    assert all(t.reason in text for t in missed)


def test_other_results_make_another_page(results):
    better = json.loads(json.dumps(results))
    for entry in better["steps"] + better["layers"]:
        entry["ratios"] = {name: [0.1, 0.1, 0.1] for name in entry["ratios"]}
    better["import_seconds"] = 0.1
    assert "All targets were met in this run." in report.page(better)


def test_the_stored_losses_of_all_contenders_agree(results):
    assert {*STEP_CONTENDERS[:-1], *HABITS} == set(results["losses"])
    assert run.disagreeing(results["losses"]) == []
    assert len(results["losses"][COURSE]) == 12
    # Another processor may round differently; six digits hold everywhere.
    np.testing.assert_allclose(
        results["losses"][COURSE], losses(course.training_step(CASE)), rtol=1e-6
    )
    wrong = {**results["losses"], TEXTBOOK: [2.0] * 12}
    assert run.disagreeing(wrong) == [TEXTBOOK]


def test_the_stored_results_cover_the_shapes(results):
    cases = {(e["case"]["part"], e["case"]["m"], e["case"]["dtype"]) for e in results["layers"]}
    assert cases == {(part, m, dtype) for part in BN_PARTS for m, _ in SHAPES for dtype in DTYPES}
    assert all(len(ratio) == 3 for e in results["steps"] for ratio in e["ratios"].values())

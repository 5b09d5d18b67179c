"""Each mistake of the bug gallery shows its symptom and fails the test that the gallery names.

Both are tried with the code at fault, and with the repair that the gallery prints: then there is
no symptom, and the test passes.
"""

from __future__ import annotations

import importlib
import inspect
import re
from copy import deepcopy
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest

from bncourse import (
    BatchNorm,
    Dense,
    ExponentialMovingAverage,
    ReLU,
    Sequential,
    batch_norm,
    layer_outputs,
    mlp,
)
from bncourse.chapters.common import SIZES
from bncourse.chapters.gallery import runs as bugs
from bncourse.chapters.inference.conventions import CONVENTIONS

ROOT = Path(__file__).resolve().parents[2]
Z = np.random.default_rng(1234).normal([1.0, -50.0, 1000.0], [0.01, 1.0, 30.0], (64, 3))
PYTORCH = CONVENTIONS[0]
HERE = "chapters.test_gallery"


def classifier(sizes, rng):
    """The right version of `bugs.plain_output_norm`."""
    return mlp(sizes, ReLU, rng=rng)


def test_the_loss_falls_below_the_floor_of_normalised_logits():
    _, training_loss = bugs.trained(lambda rng: classifier(SIZES, rng))
    # Ten equally frequent classes, logits of variance 1: the winner leads by 3 + 1/3 at most.
    assert training_loss < np.log(1 + 9 * np.exp(-10 / 3))


def test_an_answer_does_not_depend_on_its_batch_mates(rng):
    layer = BatchNorm(3)
    layer.forward(rng.normal(2.0, 3.0, (8, 3)), training=True)
    z = rng.normal(size=(5, 3))
    alone = [layer.forward(z[i : i + 1], training=False)[0] for i in range(5)]
    np.testing.assert_allclose(layer.forward(z, training=False), alone, rtol=1e-13)


def test_the_average_of_a_constant_is_the_constant_at_once():
    for constant in (0.5, 3.0):
        assert float(ExponentialMovingAverage(0.99).update(constant)) == pytest.approx(constant)


def small(rng, bias=None):
    """A small network that has seen batches whose units are not normalised."""
    net = mlp((6, 5, 5, 4), ReLU, BatchNorm, bias=bias, rng=rng)
    for _ in range(20):
        net.forward(rng.normal(2.0, 3.0, (16, 6)), training=True)
    return net


def few_batches(rng, count):
    return [(rng.normal(size=(8, 6)), rng.integers(0, 4, 8)) for _ in range(count)]


# The right versions of the mistakes of the loop; `test_gallery` puts the others in their places.


def new_output_layer(net, batches, rate):
    for x, y in batches:
        features = layer_outputs(net, x, statistics="running")[-2]
        head = Sequential([net.layers[-1]])
        bugs.new_output_layer(head, [(features, y)], rate)
        for name in head.layers[0].params:
            net.layers[-1].params[name] = head.layers[0].params[name]


def train_and_validate(net, batches, rate, validate):
    for step, (x, y) in enumerate(batches, start=1):
        bugs.train_and_validate(net, [(x, y)], rate, validate)
        if step % 20 == 0:
            validate(net, False)


def saved_and_loaded(trained, fresh):
    bugs.saved_and_loaded(trained, fresh)
    for layer, old in zip(fresh.batch_norms, trained.batch_norms, strict=True):
        layer.set_statistics(old.running_mean, old.running_var)
    return fresh


def averaged(shadow, thetas, x_train):
    shadow.theta[...] = np.mean(thetas, axis=0)
    for k, layer in enumerate(shadow.layers):
        if isinstance(layer, BatchNorm):
            z = layer_outputs(shadow, x_train, statistics="batch")[k - 1]
            layer.set_statistics(z.mean(axis=0), z.var(axis=0))
    return shadow


def accumulated(net, x, y, parts):
    return bugs.accumulated(net, x, y, 1)


def loaded(net, saved):
    bugs.loaded(net, saved)
    for layer, old in zip(net.layers[:-1], saved.layers[:-1], strict=True):
        if isinstance(layer, Dense) and not old.bias:
            layer.params["b"][...] = 0
    return net


def test_a_new_output_layer_changes_no_feature(rng):
    net = small(rng)
    x = rng.normal(size=(7, 6))
    before = layer_outputs(net, x, statistics="running")
    new_output_layer(net, few_batches(rng, 5), 0.1)
    after = layer_outputs(net, x, statistics="running")
    np.testing.assert_array_equal(after[-2], before[-2])
    assert np.abs(after[-1] - before[-1]).max() > 0.01


def test_validation_leaves_training_as_it_was(rng):
    one = small(rng)
    other, batches = deepcopy(one), few_batches(rng, 45)
    modes = []
    train_and_validate(one, batches, 0.1, lambda net, training: modes.append(training))
    assert modes == [False, False]
    for batch in batches:
        bugs.train_and_validate(other, [batch], 0.1, None)
    np.testing.assert_array_equal(one.theta, other.theta)
    assert one.batch_norms[0].batches_seen == other.batch_norms[0].batches_seen


def test_a_loaded_network_answers_like_the_saved_one(rng):
    net, fresh = small(rng), mlp((6, 5, 5, 4), ReLU, bugs.Unrefusing, rng=rng)
    x = rng.normal(size=(7, 6))
    np.testing.assert_array_equal(
        saved_and_loaded(net, fresh).forward(x, training=False), net.forward(x, training=False)
    )


def test_an_averaged_network_has_its_own_statistics(rng):
    x = rng.normal(2.0, 3.0, (50, 6))
    net = small(rng)
    thetas = [net.theta + rng.normal(size=net.theta.shape) for _ in range(3)]
    average = averaged(net, thetas, x)
    np.testing.assert_allclose(average.theta, np.mean(thetas, axis=0))
    np.testing.assert_allclose(
        average.forward(x, training=False),
        layer_outputs(average, x, statistics="batch")[-1],
        rtol=1e-9,
    )


def test_the_gradient_of_the_parts_is_that_of_the_batch(rng):
    net = small(rng)
    x, y = rng.normal(size=(12, 6)), rng.integers(0, 4, 12)
    np.testing.assert_allclose(
        accumulated(net, x, y, 3), bugs.accumulated(net, x, y, 1), atol=1e-12
    )


def test_loading_into_a_network_with_biases_changes_no_answer(rng):
    saved, net = small(rng), small(rng, bias=True)
    for layer in net.layers[:-1]:
        if isinstance(layer, Dense):
            layer.params["b"] = rng.normal(size=layer.n_out)
    x = rng.normal(size=(7, 6))
    np.testing.assert_allclose(
        loaded(net, saved).forward(x, training=False), saved.forward(x, training=False), rtol=1e-12
    )


#: Mistake: the test's module and name, the name that is replaced there (or, with a dot, anywhere),
#: and the test's arguments.
GALLERY = {
    bugs.wrong_axis: (
        "unit.test_normalization",
        "test_output_has_mean_zero_and_variance_shrunk_by_epsilon",
        "batch_norm",
        {"z": Z},
    ),
    bugs.minus_epsilon: (
        "claims.test_algorithm",
        "test_c21_output_variance_falls_short_of_one",
        "batch_norm",
        {"sd": 0.01},
    ),
    bugs.epsilon_outside: (
        "claims.test_algorithm",
        "test_c21_output_variance_falls_short_of_one",
        "batch_norm",
        {"sd": 0.01},
    ),
    bugs.one_pass_variance: (
        "unit.test_normalization",
        "test_float32_mean_down_the_batch_is_accurate",
        "batch_norm",
        {},
    ),
    bugs.TrainsOnOne: (
        "unit.test_normalization",
        "test_training_on_one_example_is_refused_and_changes_nothing",
        "BatchNorm",
        {},
    ),
    bugs.plain_output_norm: (
        HERE,
        "test_the_loss_falls_below_the_floor_of_normalised_logits",
        "classifier",
        {},
    ),
    bugs.GuessedMode: (
        HERE,
        "test_an_answer_does_not_depend_on_its_batch_mates",
        "BatchNorm",
        {},
    ),
    bugs.unbiased_batch_variance: (
        "claims.test_algorithm",
        "test_c18_batch_variance_divides_by_m",
        "batch_norm",
        {"z": Z},
    ),
    bugs.stopped_gradient: (
        "unit.test_normalization",
        "test_the_gradient_is_orthogonal_to_ones_and_to_z_norm",
        "batch_norm_backward",
        {"z": Z},
    ),
    bugs.forgotten_gamma: (
        "unit.test_normalization",
        "test_the_gradient_of_z_agrees_with_central_differences",
        "batch_norm_backward",
        {},
    ),
    bugs.mean_gradients: (
        "conformance.test_conformance",
        "test_backward",
        "bncourse.normalization._batch_norm_backward",
        {"convention": PYTORCH},
    ),
    bugs.SwappedDecay: (
        "unit.test_normalization",
        "test_running_statistics_follow_the_formula",
        "BatchNorm",
        {},
    ),
    bugs.BiasedRunningVariance: (
        "unit.test_normalization",
        "test_running_statistics_follow_the_formula",
        "BatchNorm",
        {},
    ),
    bugs.NotFrozen: (
        "unit.test_normalization",
        "test_evaluation_uses_the_running_statistics_and_changes_nothing",
        "BatchNorm",
        {},
    ),
    bugs.UpdatedInEvaluation: (
        "unit.test_normalization",
        "test_evaluation_uses_the_running_statistics_and_changes_nothing",
        "BatchNorm",
        {},
    ),
    bugs.DebiasedFromOne: (
        HERE,
        "test_the_average_of_a_constant_is_the_constant_at_once",
        "ExponentialMovingAverage",
        {},
    ),
    bugs.fold_without_epsilon: (
        "unit.test_normalization",
        "test_a_folded_layer_gives_the_same_output",
        "fold_batch_norm",
        {"bias": True, "affine": True},
    ),
    bugs.new_output_layer: (
        HERE,
        "test_a_new_output_layer_changes_no_feature",
        "new_output_layer",
        {},
    ),
    bugs.train_and_validate: (
        HERE,
        "test_validation_leaves_training_as_it_was",
        "train_and_validate",
        {},
    ),
    bugs.saved_and_loaded: (
        HERE,
        "test_a_loaded_network_answers_like_the_saved_one",
        "saved_and_loaded",
        {},
    ),
    bugs.averaged: (HERE, "test_an_averaged_network_has_its_own_statistics", "averaged", {}),
    bugs.accumulated: (
        HERE,
        "test_the_gradient_of_the_parts_is_that_of_the_batch",
        "accumulated",
        {},
    ),
    bugs.loaded: (HERE, "test_loading_into_a_network_with_biases_changes_no_answer", "loaded", {}),
}


def medians(symptom, quantity):
    """The median over the seeds of each arm."""
    return {arm: np.median(found[quantity]) for arm, found in symptom.values.items()}


def falls(symptom, quantity, by, of="suspect", beside="right"):
    """Whether it is lower by so much than beside it, in all seeds."""
    one, other = (np.array(symptom.values[arm][quantity]) for arm in (beside, of))
    return bool((one - other > by).all())


#: Mistake: whether a version of the code shows the symptom that the gallery tells of. The run is
#: the one that the gallery shows.
SYMPTOMS = {
    bugs.minus_epsilon: lambda v: (
        bugs.minus_epsilon_seen(v)[1][2] > 1.1 and np.isnan(bugs.minus_epsilon_seen(v)[2][2])
    ),
    bugs.one_pass_variance: lambda v: (
        [row[3] for row in bugs.one_pass_seen(v)] == ["none", "more than a third"]
    ),
    bugs.TrainsOnOne: lambda v: [row[3] for row in bugs.last_one_seen(v)][-2:] == ["nan", "nan"],
    bugs.stopped_gradient: lambda v: falls(
        bugs.stalls(v), "training loss", 0.2, "right", "suspect"
    ),
    bugs.plain_output_norm: lambda v: falls(
        bugs.unsure(v), "training loss", 0.3, "right", "suspect"
    ),
    bugs.mean_gradients: lambda v: falls(
        bugs.hardly_move(v), "γ moved by", 0.03, "descent, suspect", "descent, right"
    ),
    bugs.forgotten_gamma: lambda v: (
        [row[1] for row in bugs.gradient_check_seen(v)] == ["below 1e-6", "0.5"]
    ),
    bugs.NotFrozen: lambda v: falls(bugs.alone_nonsense(v), "1 at a time", 0.8),
    bugs.GuessedMode: lambda v: falls(bugs.company_changes(v), "36, by digit", 0.6),
    bugs.UpdatedInEvaluation: lambda v: falls(bugs.asked_twice(v), "then, by digit", 0.08),
    bugs.SwappedDecay: lambda v: falls(
        bugs.predicts_worse(v),
        "test accuracy",
        0.01,
        "batches of 8: suspect",
        "batches of 8: right",
    ),
    bugs.DebiasedFromOne: lambda v: bugs.debias_seen(v)[1][1] > 90,
    bugs.BiasedRunningVariance: lambda v: bugs.biased_seen(v)[0][3] > 1.4,
    bugs.fold_without_epsilon: lambda v: bugs.fold_seen(v)[2][3] > 0.1,
    bugs.wrong_axis: lambda v: abs(bugs.means_seen(v)[1][3]) > 1,
    bugs.epsilon_outside: lambda v: bugs.quiet_seen(v)[2][3] > 100,
    bugs.unbiased_batch_variance: lambda v: bugs.small_batch_seen(v)[0][2] < 0.6,
    bugs.new_output_layer: lambda v: falls(bugs.forgets(v), "accuracy", 0.5, "after", "before"),
    bugs.train_and_validate: lambda v: all(
        np.isnan(bugs.after_validation(v).values["rate 1: validated"]["largest logit"])
    ),
    bugs.saved_and_loaded: lambda v: falls(
        bugs.after_loading(v), "evaluation mode", 0.2, "loaded", "before"
    ),
    bugs.averaged: lambda v: falls(
        bugs.after_averaging(v),
        "test accuracy",
        0.2,
        "average, suspect, copy made at the start",
        "average, right",
    ),
    bugs.accumulated: lambda v: falls(
        bugs.in_parts(v),
        "loss of the batch",
        0.05,
        "with batch norm, 60 at a time",
        "with batch norm, 4 at a time",
    ),
    bugs.loaded: lambda v: falls(
        bugs.with_biases(v), "evaluation mode", 0.4, "b normal, sd 1", "before"
    ),
}


def arguments_of(test, given):
    """Fill in the seeded generator where the test asks for it."""
    names = inspect.signature(test).parameters
    return {name: np.random.default_rng(5) if name == "rng" else given[name] for name in names}


def made_of(code, mistake):
    """Return what the gallery's code makes."""
    namespace = dict(vars(bugs))
    exec(code, namespace)
    return namespace["Suspect" if inspect.isclass(mistake) else "suspect"]


def as_listed(mistake):
    """Return the mistake made anew from the code that the gallery shows."""
    return made_of(bugs.listing(mistake), mistake)


@cache
def riddles():
    """The gallery's cells by riddle: heading, table, code, answer."""
    cells = nbformat.read(ROOT / "book" / "bug-gallery.ipynb", as_version=4).cells
    starts = [k for k, c in enumerate(cells) if re.search(r"^\(bug-\d", c.source, re.M)]
    return [cells[k : k + 4] for k in starts]


def repaired(mistake):
    """Return the mistake with the repair that stands in its answer."""
    answer = riddles()[bugs.CASES.index(mistake)][3].source
    lines = re.search(r"```diff\n(.*?)\n```", answer, re.S)[1].splitlines()
    was = "\n".join(line[1:] for line in lines if line[0] != "+")
    becomes = "\n".join(line[1:] for line in lines if line[0] != "-")
    code = bugs.listing(mistake)
    assert code.count(was) == 1
    return made_of(code.replace(was, becomes), mistake)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("version", [lambda mistake: mistake, as_listed], ids=["run", "listed"])
@pytest.mark.parametrize("mistake", GALLERY, ids=lambda m: m.__name__)
def test_the_named_test_catches_the_mistake(mistake, version, monkeypatch):
    module_name, test_name, replaced, given = GALLERY[mistake]
    module = importlib.import_module(f"tests.{module_name}")
    test = getattr(module, test_name)
    test(**arguments_of(test, given))  # it passes as things are
    place = replaced if "." in replaced else f"{module.__name__}.{replaced}"
    monkeypatch.setattr(place, version(mistake))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(**arguments_of(test, given))


@pytest.mark.parametrize("mistake", GALLERY, ids=lambda m: m.__name__)
def test_the_named_test_passes_with_the_repair(mistake, monkeypatch):
    module_name, test_name, replaced, given = GALLERY[mistake]
    module = importlib.import_module(f"tests.{module_name}")
    test = getattr(module, test_name)
    place = replaced if "." in replaced else f"{module.__name__}.{replaced}"
    monkeypatch.setattr(place, repaired(mistake))
    test(**arguments_of(test, given))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mistake", SYMPTOMS, ids=lambda m: m.__name__)
def test_the_symptom_is_there_and_goes_with_the_repair(mistake, monkeypatch):
    monkeypatch.setattr(bugs, "SEEDS", (0,))
    assert SYMPTOMS[mistake](mistake)
    if mistake is bugs.TrainsOnOne:
        with pytest.raises(ValueError, match="at least 2 examples"):
            SYMPTOMS[mistake](repaired(mistake))
    else:
        assert not SYMPTOMS[mistake](repaired(mistake))


def test_an_average_of_close_weights_gets_away_with_the_last_statistics(monkeypatch):
    monkeypatch.setattr(bugs, "SEEDS", (0,))
    found = medians(bugs.after_averaging(bugs.averaged), "test accuracy")
    ends = "average, suspect, copy made at the end"
    assert abs(found[ends] - found["average, right"]) < 0.02


def test_without_batch_norm_the_parts_are_the_batch(monkeypatch):
    monkeypatch.setattr(bugs, "SEEDS", (0,))
    values = bugs.in_parts(bugs.accumulated).values
    one, other = (values[f"without batch norm, {k} at a time"] for k in (60, 4))
    assert other["first gradient, off by"][0] < 1e-12
    np.testing.assert_allclose(other["loss of the batch"], one["loss of the batch"], rtol=1e-6)


def test_every_mistake_is_a_riddle_with_its_test_in_the_answer():
    assert len(bugs.CASES) == len(riddles()) == 23
    assert set(bugs.CASES) == set(GALLERY) == set(SYMPTOMS)
    for k, (mistake, (heading, seen, code, answer)) in enumerate(
        zip(bugs.CASES, riddles(), strict=True), start=1
    ):
        assert f"(bug-{k})=\n\n## {k}. " in heading.source
        assert f"gallery.runs.case({k})" in seen.source
        assert code.outputs[0].text.strip() == bugs.listing(mistake)
        assert answer.source.count("::::{fold} ") == 2
        assert f"`{mistake.__name__}`" in answer.source
        assert f"`{GALLERY[mistake][1]}`" in answer.source


def test_each_answer_opens_in_two_steps_and_has_a_report_that_was_looked_up():
    reports = []
    for *_, answer in riddles():
        where, what = answer.source.split("::::{fold} What is wrong\n")
        assert where.startswith("::::{fold} Where to look\n")
        for part in (
            "**Reason.** ",
            "**Repair.**",
            "**In PyTorch or Keras you meet this as** ",
            "**Find it in your own code.** ",
        ):
            assert what.count(part) == 1
        checked, meet = re.search(
            r"^% checked: (.+)\n\n\*\*In PyTorch or Keras you meet this as\*\* (.+)$", what, re.M
        ).groups()
        assert "; not checked: " in checked
        (report,) = re.findall(r"\[[\w.-]+/[\w.-]+, (?:issue|pull request) \d+\]\((\S+)\)", meet)
        assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", report)
        reports.append(report)
    assert len(set(reports)) == len(reports)


def test_the_table_of_symptoms_leads_to_every_bug():
    cells = nbformat.read(ROOT / "book" / "bug-gallery.ipynb", as_version=4).cells
    table = cells[0].source
    assert set(re.findall(r"^\* - \(symptom-([\w-]+)\)=$", table, re.M)) == {
        "evaluation",
        "nan",
        "plateau",
        "company",
        "drift",
        "no-gain",
        "port",
    }
    assert {int(k) for k in re.findall(r"<bug-(\d+)>", table)} == set(range(1, 24))


def test_no_riddle_names_its_mistake_before_the_answer():
    names = [mistake.__name__ for mistake in bugs.CASES]
    for heading, seen, code, _ in riddles():
        text = heading.source + seen.source + code.source + code.outputs[0].text
        text += seen.outputs[0]["data"]["text/plain"]
        for name in names:
            # "averaged" and "loaded" are words, too; as names they are called.
            assert not re.search(rf"(\.|def |class |`){name}\b", text), name


def test_a_listing_shows_no_docstring_annotation_or_name():
    shown = bugs.listing(bugs.DebiasedFromOne)
    assert shown.startswith("class Suspect:\n")
    assert "self.v = 1.0" in shown
    assert "Take in" not in shown
    assert "Floats" not in shown


def test_a_layer_goes_back_by_the_function_it_is_given(rng):
    net = bugs.network(bugs.with_backward(bugs.stopped_gradient), rng)
    z = rng.normal(size=(6, 100))
    layer = net.batch_norms[0]
    np.testing.assert_array_equal(
        layer.forward(z, training=True), batch_norm(z, *layer.params.values(), 1e-5)[0]
    )
    _, dgamma, dbeta = bugs.stopped_gradient(z, layer.cache)
    np.testing.assert_array_equal(layer.backward(z), z * layer.cache.gamma * layer.cache.inv_std)
    np.testing.assert_array_equal(layer.grads["gamma"], dgamma)
    np.testing.assert_array_equal(layer.grads["beta"], dbeta)

"""Each mistake of the bug gallery fails the test that the gallery names.

The named test is run as it is, with the broken version in the place of the right one.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from bncourse import BatchNorm, ReLU, batch_norm, mlp
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
        "unit.test_averages",
        "test_bias_correction_makes_a_constant_come_out_at_once",
        "ExponentialMovingAverage",
        {},
    ),
    bugs.fold_without_epsilon: (
        "unit.test_normalization",
        "test_a_folded_layer_gives_the_same_output",
        "fold_batch_norm",
        {"bias": True, "affine": True},
    ),
}


def arguments_of(test, given):
    """Fill in the seeded generator where the test asks for it."""
    names = inspect.signature(test).parameters
    return {name: np.random.default_rng(5) if name == "rng" else given[name] for name in names}


def as_listed(mistake):
    """Return the mistake made anew from the code that the gallery shows."""
    namespace = dict(vars(bugs))
    exec(bugs.listing(mistake), namespace)
    return namespace["Suspect" if inspect.isclass(mistake) else "suspect"]


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


@pytest.fixture(scope="module")
def riddles():
    """The gallery's cells by riddle: heading, code, answer."""
    cells = nbformat.read(ROOT / "book" / "bug-gallery.ipynb", as_version=4).cells
    starts = [k for k, c in enumerate(cells) if re.match(r"\(bug-\d", c.source)]
    return [cells[k : k + 3] for k in starts]


def test_every_mistake_is_a_riddle_with_its_test_in_the_answer(riddles):
    assert len(bugs.CASES) == len(riddles) == len(GALLERY) == 17
    assert set(bugs.CASES) == set(GALLERY)
    for k, (mistake, (heading, code, answer)) in enumerate(
        zip(bugs.CASES, riddles, strict=True), start=1
    ):
        assert heading.source.startswith(f"(bug-{k})=\n\n## {k}. ")
        assert f"gallery.runs.case({k})" in code.source
        assert bugs.listing(mistake) in code.outputs[0].text
        assert answer.source.startswith(":::{dropdown}")
        assert f"`{mistake.__name__}`" in answer.source
        assert f"`{GALLERY[mistake][1]}`" in answer.source


def test_no_riddle_names_its_mistake_before_the_answer(riddles):
    names = [mistake.__name__ for mistake in bugs.CASES]
    for heading, code, _ in riddles:
        text = heading.source + code.source + code.outputs[0].text
        for name in names:
            assert not re.search(rf"\b{name}\b", text), name


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

"""Each mistake of the bug gallery fails the test that the gallery names.

The named test is run as it is, with the broken version in the place of the right one.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from bncourse.experiments import bugs
from bncourse.experiments.conventions import CONVENTIONS

ROOT = Path(__file__).resolve().parents[2]
Z = np.random.default_rng(1234).normal([1.0, -50.0, 1000.0], [0.01, 1.0, 30.0], (64, 3))
PYTORCH = CONVENTIONS[0]

#: Mistake: the test's module and name, the name that is replaced there, and the test's arguments.
GALLERY = {
    bugs.wrong_axis: (
        "unit.test_normalization",
        "test_output_has_mean_zero_and_variance_shrunk_by_epsilon",
        "batch_norm",
        {"z": Z},
    ),
    bugs.minus_epsilon: (
        "claims.test_ch2",
        "test_c21_output_variance_falls_short_of_one",
        "batch_norm",
        {"sd": 0.01},
    ),
    bugs.epsilon_outside: (
        "claims.test_ch2",
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
    bugs.unbiased_batch_variance: (
        "claims.test_ch2",
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
    bugs.MeanGradients: (
        "conformance.test_conformance",
        "test_backward",
        "BatchNorm",
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
        "unit.test_statistics",
        "test_bias_correction_makes_a_constant_come_out_at_once",
        "ExponentialMovingAverage",
        {},
    ),
    bugs.fold_without_epsilon: (
        "unit.test_normalization",
        "test_a_folded_layer_gives_the_same_output",
        "fold",
        {"bias": True, "affine": True},
    ),
}


def arguments_of(test, given):
    """Fill in the seeded generator where the test asks for it."""
    names = inspect.signature(test).parameters
    return {name: np.random.default_rng(5) if name == "rng" else given[name] for name in names}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mistake", GALLERY, ids=lambda m: m.__name__)
def test_the_named_test_catches_the_mistake(mistake, monkeypatch):
    module_name, test_name, replaced, given = GALLERY[mistake]
    module = importlib.import_module(f"tests.{module_name}")
    test = getattr(module, test_name)
    test(**arguments_of(test, given))  # it passes as things are
    monkeypatch.setattr(module, replaced, mistake)
    with pytest.raises(AssertionError):
        test(**arguments_of(test, given))


def test_the_gallery_shows_every_mistake_and_names_its_test():
    text = (ROOT / "book" / "bug-gallery.ipynb").read_text(encoding="utf-8")
    for mistake, (_, test_name, _, _) in GALLERY.items():
        assert re.search(rf"bugs\.{mistake.__name__}\b", text), mistake.__name__
        assert test_name in text, test_name
    assert len(GALLERY) >= 12

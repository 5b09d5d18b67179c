"""bncourse against what PyTorch, Keras, Flax and ONNX computed, and the tables of page 6.1.

Everything is float64. A few dozen roundings of numbers near 1 lie between input and output, so
agreement to 1e-13 relative to the array's largest entry is demanded: about 500 ulp. One feature
has mean 5 and standard deviation 0.01, which costs three digits: hence 1e-11 for gradients.
Keras 3 computes this layer in float32 whatever type it is given; the same feature then costs three
of seven digits.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest

from bncourse import (
    Adam,
    BatchNorm,
    GradientDescent,
    Momentum,
    RMSprop,
    SoftmaxCrossEntropy,
    initial_weights,
)
from bncourse.chapters.inference.conventions import CONVENTIONS

FIXTURES = Path(__file__).with_name("fixtures")
FACTS = {fact["framework"]: fact for fact in json.loads((FIXTURES / "facts.json").read_text())}
FRAMEWORKS = [c for c in CONVENTIONS if c.framework != "bncourse"]
each = pytest.mark.parametrize("convention", FRAMEWORKS, ids=lambda c: c.framework)


OUTPUT, RUNNING = 1e-12, 1e-13
# 40 float32 ulp for the running variance, whose square of 200 ± 100 costs a digit or two.
KERAS_OUTPUT, KERAS_RUNNING = 1e-3, 5e-6


def tolerances(convention):
    if convention.framework == "Keras":
        return KERAS_OUTPUT, KERAS_RUNNING
    return OUTPUT, RUNNING


def load(name):
    with np.load(FIXTURES / f"{name}.npz") as stored:
        return {key: stored[key] for key in stored.files}


def close(ours, theirs, tolerance):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


def configured(convention):
    """Return a BatchNorm set up as the framework is by default."""
    data = load("inputs")
    layer = convention.batch_norm(5)
    if convention.framework == "ONNX":  # whose attributes are float32 in every model
        layer.epsilon = float(np.float32(layer.epsilon))
        layer.decay = float(np.float32(layer.decay))
    layer.params["gamma"][...] = data["gamma"]
    layer.params["beta"][...] = data["beta"]
    return layer, data


@each
def test_forward_and_running_statistics_over_a_sequence(convention):
    layer, data = configured(convention)
    theirs = load(convention.framework.lower())
    output, running = tolerances(convention)
    for t, z in enumerate(data["z"]):
        close(layer.forward(z, training=True), theirs["y"][t], output)
        close(layer.running_mean, theirs["mean"][t], running)
        close(layer.running_var, theirs["var"][t], running)


@each
def test_evaluation(convention):
    layer, data = configured(convention)
    for z in data["z"]:
        layer.forward(z, training=True)
    close(
        layer.forward(data["z_test"], training=False),
        load(convention.framework.lower())["y_test"],
        tolerances(convention)[0],
    )


@pytest.mark.parametrize(
    "convention",
    [c for c in FRAMEWORKS if c.framework in ("PyTorch", "Flax")],
    ids=lambda c: c.framework,
)
def test_backward(convention):
    layer, data = configured(convention)
    theirs = load(convention.framework.lower())
    for t, (z, dz) in enumerate(zip(data["z"], data["dz"], strict=True)):
        layer.forward(z, training=True)
        dx = layer.backward(dz)
        # Each feature by itself: their gradients differ by factors of 10,000.
        for j in range(5):
            close(dx[:, j], theirs["dx"][t][:, j], 1e-11)
        close(layer.grads["gamma"], theirs["dgamma"][t], 1e-11)
        close(layer.grads["beta"], theirs["dbeta"][t], 1e-13)


def test_backward_in_evaluation():
    theirs = load("evaluation")
    layer = BatchNorm(5)
    layer.gamma, layer.beta = theirs["gamma"], theirs["beta"]
    layer.set_statistics(theirs["mean"], theirs["var"])
    close(layer.forward(theirs["z"], training=False), theirs["y"], 1e-13)
    dx = layer.backward(theirs["dz"])
    for j in range(5):
        close(dx[:, j], theirs["dx"][:, j], 1e-13)
        # A mean of 5 beside a standard deviation of .01 costs three digits.
        close(layer.grads["gamma"][j], theirs["dgamma"][j], 1e-12)
        close(layer.grads["beta"][j], theirs["dbeta"][j], 1e-13)
    np.testing.assert_array_equal(layer.running_mean, theirs["mean"])
    np.testing.assert_array_equal(layer.running_var, theirs["var"])


@each
def test_every_entry_of_the_table_of_conventions(convention):
    fact = FACTS[convention.framework]
    assert convention.layer == fact["class"]
    assert convention.argument == fact["argument"]
    assert convention.default == pytest.approx(fact["default"], rel=1e-12)
    assert convention.epsilon == pytest.approx(fact["epsilon"], rel=1e-12)
    assert convention.axis == fact["axis"]
    if convention.initial is None:
        assert fact["initial_mean"] is None
    else:
        assert convention.initial == (fact["initial_mean"], fact["initial_var"])


@each
@pytest.mark.parametrize("change", ["weighs", "running_variance"])
def test_the_opposite_entry_would_not_fit(convention, change):
    # What the default weighs, and which variance is kept, is shown by the sequences alone: with
    # the opposite entry they don't agree.
    layer, data = configured(convention)
    theirs = load(convention.framework.lower())
    if change == "weighs":
        layer.decay = 1.0 - convention.decay
    else:
        layer.unbiased = not layer.unbiased
    for z in data["z"]:
        layer.forward(z, training=True)
    assert not np.allclose(layer.running_var, theirs["var"][-1], rtol=1e-3)


def test_our_own_row_is_that_of_the_layer():
    ours = next(c for c in CONVENTIONS if c.framework == "bncourse")
    layer = BatchNorm(3)
    assert (layer.decay, layer.epsilon, layer.unbiased) == (ours.decay, ours.epsilon, True)
    assert (layer.running_mean[0], layer.running_var[0]) == ours.initial
    assert ours.running_variance == "unbiased"


def page_text():
    """Return the cell of page 6.1 that has the table of names."""
    path = Path(__file__).parents[2] / "book" / "06-1-frameworks.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    (text,) = (t for t in texts if "| stored statistics |" in t)
    return text


def names_on_the_page(framework):
    """Return the code in each column of the framework's row: layer, parameters, stored, call."""
    (row,) = (x for x in page_text().splitlines() if x.startswith(f"| {framework} |"))
    return [re.findall(r"`([^`]+)`", column) for column in row.strip("|").split("|")[1:]]


@pytest.mark.parametrize("framework", FACTS)
def test_the_page_s_names_are_the_frameworks(framework):
    fact = FACTS[framework]
    (layer,), parameters, stored, evaluation = names_on_the_page(framework)
    assert f".{fact['class'].split(',')[0]}".endswith(f".{layer}")
    assert parameters == fact["scale_and_shift"]
    assert stored == fact["stored"]
    assert evaluation == [fact["evaluation"]]


def test_the_page_s_names_are_ours():
    (name,), parameters, stored, evaluation = names_on_the_page("bncourse")
    layer = BatchNorm(3)
    assert name == type(layer).__name__
    assert parameters == list(layer.params)
    np.testing.assert_array_equal(getattr(layer, stored[0]), np.zeros(3))
    np.testing.assert_array_equal(getattr(layer, stored[1]), np.ones(3))
    assert evaluation == ["training=False"]
    assert "training" in inspect.signature(layer.forward).parameters


@each
def test_the_table_names_the_versions_that_were_asked(convention):
    version = FACTS[convention.framework]["version"]
    assert convention.version == ".".join(version.split(".")[:2])


def test_what_the_page_says_of_modes_and_of_frozen_layers():
    assert FACTS["PyTorch"]["starts_in_training"] is True
    assert FACTS["PyTorch"]["frozen_uses"] == "batch"
    assert FACTS["Keras"]["frozen_uses"] == "stored"


def test_what_the_page_says_of_the_fast_variance():
    assert FACTS["Flax"]["use_fast_variance"] is True
    assert FACTS["Flax"]["fast_variance_cancels"] is True


def test_cross_entropy():
    data = load("others")
    loss, dz = SoftmaxCrossEntropy()(data["ce_z"], data["ce_y"])
    assert loss == pytest.approx(float(data["ce_loss"]), rel=1e-14)
    close(dz, data["ce_dz"], 1e-14)


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("gradient_descent", GradientDescent(0.1)),
        ("rmsprop", RMSprop(0.01, 0.9, 1e-8)),
        ("adam", Adam(0.01, 0.9, 0.999, 1e-8)),
    ],
)
def test_optimizers(name, optimizer):
    data = load("others")
    theta = data["theta"].copy()
    for g, theirs in zip(data["gradients"], data[f"path_{name}"], strict=True):
        optimizer.step(theta, g)
        close(theta, theirs, 1e-13)


def test_momentum_from_the_second_step_on():
    # PyTorch's first step takes the whole gradient for its average, ours (1 − d) of it.
    data = load("others")
    gradients, path = data["gradients"], data["path_momentum"]
    theta = path[0].copy()
    optimizer = Momentum(0.1, 0.9)
    optimizer.step(np.zeros(6), np.zeros(6))
    optimizer.v[...] = gradients[0]
    for g, theirs in zip(gradients[1:], path[1:], strict=True):
        optimizer.step(theta, g)
        close(theta, theirs, 1e-13)


@pytest.mark.parametrize("init", ["he", "xavier", "lecun"])
def test_initial_scales(init):
    # Two samples of 240,000 draws: each standard deviation is known to 0.15 %.
    ours = initial_weights(np.random.default_rng(0), 600, 400, init).std()
    assert ours == pytest.approx(float(load("others")[f"std_{init}"]), rel=0.01)

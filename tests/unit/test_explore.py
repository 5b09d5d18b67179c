"""Every explorable: its teaching point over all frames, and its callback over its whole range."""

import collections
import itertools
import re

import numpy as np
import pytest

from bncourse import two_features
from bncourse.chapters import algorithm, bias, inference, intuition, minibatches, motivation
from bncourse.display import Range

EXPLORABLES = {
    "batch_mates": minibatches,
    "batch_norm_calculator": algorithm,
    "contour_bowl": motivation,
    "depth_profile": intuition,
    "effective_rate": bias,
    "ema_lab": inference,
    "float32_cliff": algorithm,
    "ghost_bias": bias,
    "landscape_walk": intuition,
    "noisy_batch_norm": intuition,
    "rate_and_gain": motivation,
    "sigmoid_window": algorithm,
}
#: Where words may say that a result is not a number: that is the lesson.
TEACHES_NAN = {"batch_norm_calculator"}
#: Controls with stops that read alike at the first setting.
UNMOVED = collections.defaultdict(
    tuple,
    {
        "batch_norm_calculator": ("gamma",),  # -1 mirrors the values: same mean, same spread
    },
)
_made = {}


def make(name):
    """Return an explorable, made once."""
    if name not in _made:
        arguments = {
            "rate_and_gain": lambda: [motivation.runs.learning_rate_map(steps=60)],
            "batch_mates": lambda: [minibatches.runs.trained_network(steps=100)],
        }.get(name, list)()
        _made[name] = getattr(EXPLORABLES[name].explore, name)(*arguments)
    return _made[name]


def numbers(pattern, text):
    """Return the numbers that a pattern finds in words."""
    found = re.search(pattern, text.replace("−", "-").replace(",", ""))
    assert found, text
    return [float(group) for group in found.groups()]


def corners(control):
    """Return the ends and the middle of a live control, or all its values."""
    if not isinstance(control, Range):
        return control.stops
    low, high = control.ends()
    if control.log:
        return (low, float(np.sqrt(low * high)), high)
    if isinstance(control.start, int) and control.step == 1:
        return (low, (low + high) // 2, high)
    return (low, (low + high) / 2, high)


@pytest.mark.parametrize("name", EXPLORABLES)
def test_the_callback_holds_over_the_whole_range_of_its_controls(name):
    explorable = make(name)
    settings = list(itertools.product(*map(corners, explorable.controls.values())))
    # Every corner of the small ranges; of the large ones every seventh, which meets each end.
    for values in settings if len(settings) <= 40 else settings[::7]:
        drawn = explorable.draw(**dict(zip(explorable.controls, values, strict=True)))
        if name not in TEACHES_NAN:
            assert not re.search(r"\b(nan|inf)\b", drawn.words, re.I), drawn.words


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    explorable = make(name)
    for control, stops in explorable.controls.items():
        first = {key: c.start for key, c in explorable.controls.items()}
        said = {explorable.draw(**first | {control: stop}).words for stop in stops.stops}
        assert len(said) == len(stops.stops) or control in UNMOVED[name]


def test_in_the_contour_bowl_the_step_count_follows_kappa():
    # From the flattest direction descent at rate 1/λmax takes exactly the predicted steps; from
    # any other start it can only be faster.
    for scale, r, features in itertools.product(
        (1.0, 3.0, 10.0), (0.0, 0.9), motivation.runs.FEATURES
    ):
        hessian = motivation.runs.bowl(scale, r, features)
        kappa = float(np.linalg.cond(hessian))
        steps = motivation.runs.steps_down(hessian, 1.0)
        predicted = motivation.runs.predicted_steps(1.0 if kappa < 1 + 1e-9 else kappa)
        assert 0.6 * predicted <= steps <= predicted
        if features == "whitened":
            assert kappa == pytest.approx(1.0)
            assert steps == 1
        if features == "standardised":
            assert kappa == pytest.approx((1 + r) / (1 - r))


def test_the_bowl_s_closed_form_is_the_descent_of_the_chapter():
    x = two_features(100, 3.0, 0.5, np.random.default_rng(0))
    descent = motivation.runs.descend(x, 1.3, motivation.runs.START)
    hessian = motivation.runs.bowl(3.0, 0.5, "raw")
    steps = motivation.runs.steps_down(hessian, 1.3)
    assert steps == len(descent.path) - 1
    path = motivation.runs.descent_path(hessian, 1.3, np.arange(steps + 1))
    np.testing.assert_allclose(path, descent.path, atol=1e-12)


def test_the_map_s_frames_are_its_cells_and_a_live_value_is_a_run(monkeypatch):
    table = motivation.runs.learning_rate_map(steps=60)
    explorable = motivation.explore.rate_and_gain(table)
    runs = []

    def counted(*setting):
        runs.append(setting)
        return motivation.runs.map_run(*setting)

    monkeypatch.setattr(motivation.explore, "map_run", counted)

    def grade(accuracy):
        if accuracy >= 0.9:
            return "90 % or more"
        return "below 60 %" if accuracy < 0.6 else "below 90 %"

    for row, gain in enumerate(table.gains):
        for column, rate in enumerate(table.rates):
            words = explorable.at(rate=float(rate), gain=float(gain))
            without, with_bn = table.without[row, column], table.with_bn[row, column]
            assert f"{grade(without)} without batch norm, {grade(with_bn)} with." in words
    assert runs == []
    explorable.draw(rate=0.2, gain=1.5)
    assert runs == [(0, False, 0.2, 1.5, 60), (0, True, 0.2, 1.5, 60)]


def test_in_the_calculator_two_examples_become_minus_one_and_one():
    explorable = make("batch_norm_calculator")
    for setting in explorable.settings:
        if setting["m"] == 2 and setting["epsilon"] == 0:
            assert "z_norm is −1.00 and 1.00" in explorable.at(**setting)


def test_in_the_calculator_beta_and_gamma_are_mean_and_standard_deviation():
    explorable = make("batch_norm_calculator")
    for setting in explorable.settings:
        words = explorable.at(**setting)
        if setting["epsilon"] == 0 and setting["m"] > 1:
            mean, sd = numbers(r"mean (-?\d+\.\d\d) and standard deviation (\d+\.\d\d)", words)
            assert (mean, sd) == (setting["beta"], abs(setting["gamma"]))
        if setting["m"] == 1:
            assert ("not a number" in words) == (setting["epsilon"] <= 0)
        if setting["m"] == 2 and setting["epsilon"] < 0:
            assert "root of −1.00 is not a number" in words


def test_in_the_sigmoid_s_window_a_wide_input_is_less_linear():
    explorable = make("sigmoid_window")
    for beta in (0.0, 3.0):
        r2 = [
            numbers(r"explains ([\d.]+)", explorable.at(gamma=gamma, beta=beta))[0]
            for gamma in (0.3, 1.0, 3.0, 10.0)
        ]
        assert r2 == sorted(r2, reverse=True)


def test_at_the_cliff_one_pass_falls_and_two_passes_do_not():
    for exponent in (0.0, 2.0, 3.0, 4.0, 6.0):
        exact = np.random.default_rng(0).normal(10.0**exponent, 1.0, (60, 200)).var(axis=0)
        two = algorithm.runs.float32_variances(exponent, "two passes")
        one = algorithm.runs.float32_variances(exponent, "one pass")
        assert np.abs(two / exact - 1).max() < 0.1
        assert ((one < 0).any()) == (exponent >= 4)


def test_the_ghost_bias_moves_nothing_in_training_and_everything_in_evaluation():
    for b, a, epsilon in itertools.product((0.0, 3.0, 30.0), (0.1, 1.0, 10.0), (0.0, 0.5)):
        training = bias.runs.ghost(b, a, epsilon, "training")
        evaluation = bias.runs.ghost(b, a, epsilon, "evaluation")
        assert training.slope == pytest.approx(0.0, abs=1e-12)
        assert evaluation.slope != pytest.approx(0.0, abs=0.1)
        if epsilon == 0 or a == 1:
            np.testing.assert_allclose(training.z_norm, training.reference, atol=1e-12)
        else:
            assert np.abs(training.z_norm - training.reference).max() > 0.1
        moved = np.abs(evaluation.z_norm - evaluation.reference).max()
        assert (moved > 0.5) == (b != 0 or a != 1)


@pytest.mark.parametrize("mode", bias.runs.MODES)
def test_the_ghost_s_slope_is_the_derivative(mode):
    def cost(b):
        return bias.runs.LIKING @ bias.runs.ghost(b, 2.0, 0.5, mode).z_norm

    step = 1e-6
    numeric = (cost(1.0 + step) - cost(1.0 - step)) / (2 * step)
    assert bias.runs.ghost(1.0, 2.0, 0.5, mode).slope == pytest.approx(numeric, abs=1e-8)


def test_weights_grow_without_decay_and_the_effective_rate_falls():
    explorable = make("effective_rate")
    pattern = r"‖w‖² is ([\d.]+) times what it was and the effective rate ([\d.]+) times"
    for setting in explorable.settings:
        grown, rate = numbers(pattern, explorable.at(**setting))
        if setting["weight_decay"] == 0:
            assert grown >= 1.0
            assert rate <= 1.0
    with_decay = explorable.at(learning_rate=3.0, weight_decay=0.003)
    assert numbers(pattern, with_decay)[1] > 1.0


def test_company_of_its_own_digit_misleads():
    explorable = make("batch_mates")
    for m, draw in itertools.product((8, 32, 128), (1, 2, 3)):
        shuffled, alike = (
            numbers(r"own class gets ([\d.]+)", explorable.at(m=m, company=company, draw=draw))[0]
            for company in ("shuffled", "its own digit only")
        )
        assert alike < 0.5
        assert shuffled > alike


def test_noise_drifts_more_than_no_batch_norm_and_still_trains_faster():
    explorable = make("noisy_batch_norm")
    drifts = []
    for level in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0):
        words = explorable.at(level=level)
        drift, plain = numbers(r"drifts by ([\d.]+) .*?\(([\d.]+) without", words)
        drifts.append(drift)
        noisy, without = numbers(r": (\d+) with noisy.* (\d+) without", words)
        assert noisy < without
        if level >= 0.5:
            assert drift > plain
    assert drifts == sorted(drifts)


def test_in_the_landscape_walk_the_ratio_crosses_one():
    ratios = {
        (a, gain, step): intuition.runs.walk(a, gain, step).ratio
        for a in intuition.runs.ACTIVATIONS
        for gain in (0.3, 1.0, 3.0)
        for step in (0, 100)
    }
    assert all(ratios["ReLU", gain, step] > 1 for gain in (1.0, 3.0) for step in (0, 100))
    assert all(ratios["ReLU", 0.3, step] < 1 for step in (0, 100))
    assert all(ratios["tanh", 1.0, step] < 1 for step in (0, 100))


def test_through_depth_the_sigmoid_vanishes_and_batch_norm_with_relu_explodes():
    explorable = make("depth_profile")
    for depth in (15, 30, 60):
        pattern = r"multiplied by ([\d.]+) per layer"
        growth = {
            (a, bn): numbers(pattern, explorable.at(depth=depth, activation=a, batch_norm=bn))[0]
            for a in ("ReLU", "sigmoid")
            for bn in (False, True)
        }
        assert growth["sigmoid", False] < 0.3
        assert 0.9 < growth["sigmoid", True] < 1.1
        assert 1.1 < growth["ReLU", True] < 1.35


def test_in_the_laboratory_each_correction_does_its_own_work():
    run = inference.runs.running_variance
    old, new = inference.runs.WEIGHED
    _, raw = run(0.99, 100, 32, False, True, old)
    _, corrected = run(0.99, 100, 32, True, True, old)
    assert raw[9] < 0.5
    assert corrected[9] == pytest.approx(4.0, rel=0.25)
    _, biased = run(0.99, 1000, 2, True, False, old)
    _, unbiased = run(0.99, 1000, 2, True, True, old)
    assert unbiased[-1] / biased[-1] == pytest.approx(2.0)
    _, wrong = run(0.99, 100, 32, True, True, new)
    assert wrong[50:].std() > 3 * corrected[50:].std()

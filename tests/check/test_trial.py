"""Functions of a learner's trial to whom a message was false or no help: what is said now.

Each row has the call, the function, the mistakes that must be found, phrases that the message
must have, and phrases that it must not.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from bncourse import Layer, SoftmaxCrossEntropy, check

VAGUE = "by no single factor"
TRIAL = []


def tried(call, mistakes, *, says=(), never=()):
    """Keep a function (or a layer's class) with what must be said of it."""

    def keep(f):
        TRIAL.append((call, f, tuple(mistakes.split()), says, (VAGUE, *never)))
        return f

    return keep


# ---- batch_norm ----


def _norm(z, epsilon):
    return (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon)


@tried(
    "batch_norm",
    "axis-1",
    says=["Without `keepdims` the mean of a row is lined up with the columns."],
    never=["All is right until", "Two mistakes"],
)
def axis_1_without_keepdims(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(1)) / np.sqrt(z.var(1) + epsilon) + beta


@tried(
    "batch_norm",
    "unknown",
    says=["no number of z̃ exceeds 3, however large γ is"],
    never=["right as soon as", "lies on a straight line"],
)
def clipped(z, gamma, beta, epsilon):
    return np.clip(gamma * _norm(z, epsilon) + beta, -3, 3)


@tried("batch_norm", "multiplied-by-root", says=["√(σ² + ε) is 5", "[[−15], [15]] came"])
def multiplied(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(0)) * np.sqrt(z.var(0) + epsilon) + beta


@tried("batch_norm", "beta-inside", says=["β = [5]"], never=["four times ε"])
def beta_before_the_division(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(0) + beta) / np.sqrt(z.var(0) + epsilon)


@tried(
    "batch_norm",
    "gamma-forgotten beta-forgotten",
    says=["γ = [2], β = [5]", "First, your numbers are those of γ = 1. Then, your numbers are"],
    never=["partly"],
)
def neither_gamma_nor_beta(z, gamma, beta, epsilon):
    return _norm(z, epsilon)


@tried("batch_norm", "gamma-beta-swapped", says=["γ = [2], β = [5]"])
def gamma_for_beta(z, gamma, beta, epsilon):
    return beta * _norm(z, epsilon) + gamma


@tried("batch_norm", "unknown", says=["right as soon as γ = 1", "what is right times γ"])
def gamma_squared(z, gamma, beta, epsilon):
    return gamma**2 * _norm(z, epsilon) + beta


@tried("batch_norm", "outputs-swapped", says=["Of your 3 results number 3 is the right one"])
def statistics_first(z, gamma, beta, epsilon):
    return z.mean(0), z.var(0), gamma * _norm(z, epsilon) + beta


@tried("batch_norm", "unknown", says=["the dtype int64"], never=["bends", "straight line"])
def whole_numbers(z, gamma, beta, epsilon):
    out = np.zeros_like(z, dtype=np.int64)
    out[:] = gamma * _norm(z, epsilon) + beta
    return out


@tried("batch_norm", "unknown", says=["With z = [[1], [1], [1], [5]], γ = [2]"])
def median(z, gamma, beta, epsilon):
    return gamma * (z - np.median(z, 0)) / np.sqrt(z.var(0) + epsilon) + beta


@tried(
    "batch_norm",
    "unknown",
    says=["as if σ² were multiplied by 4, which is m for the 4 examples here"],
)
def sum_of_squares(z, gamma, beta, epsilon):
    centred = z - z.mean(0)
    return gamma * centred / np.sqrt((centred**2).sum(0) + epsilon) + beta


@tried("batch_norm", "unknown", says=["right to three digits"], never=["times 1;", "times 1."])
def rounded(z, gamma, beta, epsilon):
    return np.round(gamma * _norm(z, epsilon) + beta, 4)


@tried("batch_norm", "raised", says=["is it spelled as"], never=["shapes", "the last line"])
def misspelt(z, gamma, beta, epsilon):
    return gama * _norm(z, epsilon) + beta  # noqa: F821


@tried("batch_norm", "", says=["10 kinds", "Not tried, because your arithmetic is in float32"])
def in_float32(z, gamma, beta, epsilon):
    return gamma * _norm(z.astype(np.float32), epsilon) + beta


# ---- batch_norm_backward ----


def _backward(dz_tilde, z, gamma, epsilon, mean=1.0, var=1.0):
    std, x = np.sqrt(z.var(0) + epsilon), _norm(z, epsilon)
    dgamma, dbeta = (dz_tilde * x).sum(0), dz_tilde.sum(0)
    m = len(z)
    dz = gamma / std * (dz_tilde - mean * dbeta / m - var * x * dgamma / m)
    return dz, dgamma, dbeta


@tried("batch_norm_backward", "outputs-swapped", says=["Yours are dγ, dβ, dz."])
def another_order(dz_tilde, z, gamma, epsilon):
    dz, dgamma, dbeta = _backward(dz_tilde, z, gamma, epsilon)
    return dgamma, dbeta, dz


@tried("batch_norm_backward", "arguments-swapped", says=["With dz̃ and z exchanged, all is right"])
def arguments_swapped(z, dz_tilde, gamma, epsilon):
    return _backward(dz_tilde, z, gamma, epsilon)


@tried(
    "batch_norm_backward",
    "gradient-sum-instead-of-mean",
    says=["It is the path through σ²; the one through μ has its right weight."],
    never=["How much does μ move"],
)
def sum_in_the_path_through_var(dz_tilde, z, gamma, epsilon):
    return _backward(dz_tilde, z, gamma, epsilon, var=len(z))


@tried(
    "batch_norm_backward",
    "gradient-sum-instead-of-mean gamma-forgotten",
    says=["First, in your dz a path", "has its right weight. Then, your dz is that of γ = 1."],
)
def sum_and_no_gamma(dz_tilde, z, gamma, epsilon):
    dz, dgamma, dbeta = _backward(dz_tilde, z, gamma, epsilon, var=len(z))
    return dz / gamma, dgamma, dbeta


@tried("batch_norm_backward", "sign-turned", says=["the sign of the path through σ² in dz"])
def sign_of_one_path(dz_tilde, z, gamma, epsilon):
    return _backward(dz_tilde, z, gamma, epsilon, var=-1)


@tried("batch_norm_backward", "unknown", says=["with the weight 1.333, which is m/(m − 1)"])
def path_over_m_minus_1(dz_tilde, z, gamma, epsilon):
    return _backward(dz_tilde, z, gamma, epsilon, var=len(z) / (len(z) - 1))


@tried("batch_norm_backward", "unknown", says=["the path through σ² is missing from dz"])
def three_mistakes(dz_tilde, z, gamma, epsilon):
    x = (z - z.mean(0)) / (std := np.sqrt(z.var(0, ddof=1) + epsilon))
    d = dz_tilde * gamma
    return (d - d.mean(0)) / std, (dz_tilde * x).mean(0), dz_tilde.sum(0)


@tried("batch_norm_backward", "gamma-twice", never=["a single"])
def gamma_in_all(dz_tilde, z, gamma, epsilon):
    dz, dgamma, dbeta = _backward(dz_tilde, z, gamma, epsilon)
    return dz, gamma * dgamma, gamma * dbeta


# ---- averages ----


@tried(
    "running_statistics",
    "old-value-forgotten",
    says=["what comes is made of the batch alone"],
    never=["add up to more than 1", "times the batch"],
)
def batch_alone(running_mean, running_var, z, decay):
    return z.mean(0), z.var(0, ddof=1)


@tried("running_statistics", "unknown", says=["(1.333 times as much, which is m/(m − 1)"])
def corrects_the_sum(running_mean, running_var, z, decay):
    var = decay * running_var + (1 - decay) * z.var(0)
    return decay * running_mean + (1 - decay) * z.mean(0), var * len(z) / (len(z) - 1)


def _average(values, decay, divide=lambda v, t, decay: v / (1 - decay**t)):
    v, out = 0, []
    for t, value in enumerate(values, 1):
        v = decay * v + (1 - decay) * value
        out.append(divide(v, t, decay))
    return out


@tried("moving_average", "new-value-not-weighted", says=["a division by 1 − d at every step"])
def constant_correction(values, decay):
    return _average(values, decay, lambda v, t, decay: v / (1 - decay))


@tried("moving_average", "wrong-shape", says=["shape (2,), and shape (1,)", "inside the loop"])
def returns_too_early(values, decay):
    return _average(values, decay)[:1]


@tried("moving_average", "wrong-shape", never=["the numbers are right", "keepdims"])
def the_last_alone(values, decay):
    return _average(values, decay)[-1]


@tried("moving_average", "unknown", says=["the last would count before it has come"])
def backwards(values, decay):
    return _average(values[::-1], decay)[::-1]


@tried("moving_average", "unknown", says=["the dtype int64"], never=["don't add up to 1"])
def averages_in_whole_numbers(values, decay):
    return np.array(_average(values, decay)).astype(np.int64)


@tried("total_statistics", "unweighted-batches", never=["the variance is right"])
def plain_means(means, variances, sizes):
    mean = means.mean(0)
    return mean, (variances + (means - mean) ** 2).mean(0)


@tried("total_statistics", "unweighted-batches", says=["in the part between the batches"])
def var_of_the_means(means, variances, sizes):
    n = sizes.sum()
    return sizes @ means / n, sizes @ variances / n + means.var(0)


@tried(
    "total_statistics",
    "ignores-argument",
    says=["`//` cuts a share to 0"],
    never=["a number"],
)
def divided_in_whole_numbers(means, variances, sizes):
    weight = sizes // sizes.sum()
    mean = weight @ means
    return mean, weight @ (variances + (means - mean) ** 2)


# ---- fold ----


def _scale(gamma, var, epsilon):
    return gamma / np.sqrt(var + epsilon)


@tried("fold", "unknown", says=["in places the wrong sign", "1.118 in the first unit, where γ/√"])
def sign_lost(w, b, gamma, beta, mean, var, epsilon):
    s = _scale(np.abs(gamma), var, epsilon)
    return w * s[:, None], (b - mean) * s + beta


@tried("fold", "transposed", says=["the transpose of the right one"], never=["a second axis"])
def transposed(w, b, gamma, beta, mean, var, epsilon):
    s = _scale(gamma, var, epsilon)
    return (w * s[:, None]).T, (b - mean) * s + beta


@tried("fold", "bias-not-scaled", says=["In yours the mean is not."])
def mean_not_scaled(w, b, gamma, beta, mean, var, epsilon):
    s = _scale(gamma, var, epsilon)
    return w * s[:, None], b * s + beta - mean


@tried(
    "fold",
    "unknown",
    says=["(1/√(σ² + ε) times as much)", "the weight of β in the new b is −1", "where 1 is right"],
)
def three_in_one(w, b, gamma, beta, mean, var, epsilon):
    s = gamma / (var + epsilon)
    return w * s[:, None], (b + mean) * s - beta


@pytest.mark.parametrize("divisor", [lambda v, e: np.sqrt(v) + e, lambda v, e: v + e])
def test_no_two_mistakes_look_alike_in_the_small_example(divisor):
    def forward(z, gamma, beta, epsilon):
        return gamma * (z - z.mean(0)) / divisor(z.var(0), epsilon) + beta

    def folded(w, b, gamma, beta, mean, var, epsilon):
        s = gamma / divisor(var, epsilon)
        return w * s[:, None], (b - mean) * s + beta

    scale = 0.12 if divisor(9.0, 16.0) == 25 else 0.1579
    assert f"[[−{scale}], [{scale}]] came" in check.batch_norm(forward).message
    assert f"[[{2 / divisor(9.0, 16.0):.4g}]] came" in check.fold(folded).message


# ---- effective_rate ----


@tried("effective_rate", "unknown", says=["those where each row of w is short", "[1] came"])
def never_above_1(w, learning_rate):
    return np.minimum(learning_rate / (w**2).sum(1), 1)


@tried("effective_rate", "unknown", says=["divided by ‖w‖² and 0.001 more"], never=["times 0.25"])
def constant_added(w, learning_rate):
    return learning_rate / ((w**2).sum(1) + 1e-3)


@tried("effective_rate", "unknown", says=["what is right times 1/‖w‖²"])
def fourth_power(w, learning_rate):
    return learning_rate / (w**2).sum(1) ** 2


@tried("effective_rate", "unknown", says=["divisor of the rate is 16 in the first unit", "6.08"])
def absolute_values(w, learning_rate):
    return learning_rate / np.abs(w).sum(1) ** 2


# ---- networks and layers ----


def _step(net, x, y, learning_rate, *, late=False, training=True):
    loss, dlogits = SoftmaxCrossEntropy()(net.forward(x, training=training), y)
    if not late:
        net.backward(dlogits)
    net.theta -= learning_rate * net.dtheta
    if late:
        net.backward(dlogits)
    return loss


@tried("training_step", "unknown", says=["what is right times 6, which is m for the 6"])
def sum_of_losses(net, x, y, learning_rate):
    return _step(net, x, y, learning_rate) * len(y)


@tried("training_step", "unknown", says=["the change of θ is what is right times the rate"])
def rate_squared(net, x, y, learning_rate):
    return _step(net, x, y, learning_rate**2)


@tried("training_step", "backward-forgotten", says=["no backward pass came before the update"])
def backward_too_late(net, x, y, learning_rate):
    return _step(net, x, y, learning_rate, late=True)


@tried("training_step", "evaluation-mode-in-training", says=["should be 1.304, and 1.423 came"])
def in_evaluation(net, x, y, learning_rate):
    return _step(net, x, y, learning_rate, training=False)


def _loop(order, rate=lambda rate, epoch: rate, until=lambda m, size: m, labels=None):
    def loop(net, x, y, batch_size, learning_rate, epochs, rng):
        losses = []
        for epoch in range(epochs):
            p = order(rng, x)
            for i in range(0, until(len(x), batch_size), batch_size):
                batch = p[i : i + batch_size]
                given = y[batch if labels is None else slice(i, i + batch_size)]
                losses.append(_step(net, x[batch], given, rate(learning_rate, epoch)))
        return losses

    return loop


def _drawn(rng, x):
    return rng.permutation(len(x))


def _shuffled_in_place(rng, x):
    rng.shuffle(x)
    return np.arange(len(x))


tried(
    "training_loop",
    "rest-dropped",
    says=["With eight examples", "(6, 5, 0), (6, 2, 7)", "Eight examples make two batches of 3"],
    never=["Ten examples"],
)(_loop(_drawn, until=lambda m, size: m - size + 1))
tried("training_loop", "unknown", says=["[1, 1, 1, 0.5, 0.5, 0.5] times −rate · gradient"])(
    _loop(_drawn, rate=lambda rate, epoch: rate / (epoch + 1))
)
tried("training_loop", "labels-not-shuffled", says=["(1, 2, 1), where theirs are (1, 0, 0)"])(
    _loop(_drawn, labels="in order")
)
tried("training_loop", "labels-not-shuffled", says=["changed what it was given as x"])(
    _loop(_shuffled_in_place)
)


def _shake(draw):
    class Shake(Layer):
        def __init__(self, n, level, rng):
            super().__init__(n, n)
            self.level, self.rng = level, rng

        def _forward(self, x, training):
            return x + draw(self, x).astype(x.dtype) if training else x

        def _backward(self, dz):
            return dz

    return Shake


tried("shake", "beyond-level", says=["in step 7 it added [[−1.163, −0.109]"])(
    _shake(lambda self, x: self.level * self.rng.standard_normal(x.shape[1]))
)
tried("shake", "global-random-state", says=["Make two layers"], never=["orders"])(
    _shake(lambda self, x: np.random.uniform(-self.level, self.level, x.shape[1]))  # noqa: NPY002
)


@pytest.mark.parametrize(
    ("call", "f", "mistakes", "says", "never"),
    TRIAL,
    ids=[row[1].__name__ for row in TRIAL],
)
def test_what_is_said_of_the_functions_of_a_trial(call, f, mistakes, says, never):
    result = getattr(check, call)(f)
    text = "\n".join([result.message, *(result.hint().text for _ in range(3))])
    assert result.mistakes == mistakes, text
    for words in says:
        assert words in text, text
    for words in never:
        assert words not in text, text
    assert not re.search(r"should \d| \.|its the ", text), text


@pytest.mark.parametrize("seed", [1, 2])
def test_the_names_do_not_hang_on_the_seed(seed):
    for call, f, mistakes, _, _ in TRIAL:
        assert getattr(check, call)(f, seed=seed).mistakes == mistakes, f

"""What is shown first, what on request, and what when no name fits."""

from __future__ import annotations

import numpy as np
import pytest

from bncourse import MiniBatches, SoftmaxCrossEntropy, check


def batch_norm(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) + beta


def outside(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(0)) / (z.std(0) + epsilon) + beta


def test_a_right_function_hears_so_and_what_was_tried():
    result = check.batch_norm(batch_norm)
    assert result
    assert result.correct
    assert result.mistake is None
    assert result.mistakes == ()
    assert repr(result).startswith("Right. 11 kinds of input gave what was expected")
    assert "on two examples" in result.message
    assert result.hint().text == "Your function is right."


def test_the_witness_comes_first_and_the_rest_by_request():
    result = check.batch_norm(outside)
    assert not result
    first = repr(result)
    assert first.startswith(
        "Wrong. With z = [[1], [7]], γ = [1], β = [0], ε = 16 (μ is 4, σ² is 9, √(σ² + ε) is 5): "
        "z̃ should be [[−0.6], [0.6]], and [[−0.1579], [0.1579]] came."
    )
    assert "epsilon-outside-root" not in first
    hints = [repr(result.hint()) for _ in range(4)]
    assert hints[0].startswith("Hint 1 of 3. Take ε = 16 and the σ² of one unit")
    assert "those of σ + ε" in hints[1]
    assert hints[2].startswith("Hint 3 of 3. Move ε under the root. Read: Chapter 2, on ε")
    assert hints[3] == hints[2]
    assert "those of σ + ε" in result.message
    assert result.mistakes == ("epsilon-outside-root",)


def test_html_says_the_verdict_in_words_and_escapes_the_rest():
    def f(z, gamma, beta, epsilon):
        raise ValueError("a <b> & c")

    page = check.batch_norm(f)._repr_html_()
    assert page.startswith("<div")
    assert "<strong>Wrong.</strong>" in page
    assert "a &lt;b&gt; &amp; c" in page
    assert "<strong>Right.</strong>" in check.batch_norm(batch_norm)._repr_html_()
    hint = check.batch_norm(outside).hint()._repr_html_()
    assert "<strong>Hint 1 of 3.</strong>" in hint


def test_two_mistakes_are_both_told():
    def f(z, gamma, beta, epsilon):
        return gamma * (z - z.mean(0)) / z.var(0) + beta

    result = check.batch_norm(f)
    assert set(result.mistakes) == {"no-root", "no-epsilon"}
    assert "Two mistakes together explain what came. First, your numbers" in result.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, **_: np.clip(x, -1, 1), "should lie on a straight line, and doesn't"),
        (lambda x, **_: x * 1.5, "times 2.25, in every unit alike"),
        (lambda x, **_: x + 0.25, "should have mean 0 for each unit, and has 0.25"),
        (lambda x, z, **_: x * np.sqrt(len(z)), "the number of examples comes in"),
        (lambda x, **_: x + 0.1 * x[:, :1], "changing one unit changes the others"),
        (lambda x, z, **_: x + 0.01 * z, "a constant added to all of z should change nothing"),
        (lambda x, epsilon, **_: x * (1 + epsilon), "twice z with four times ε should give"),
    ],
)
def test_where_no_name_fits_properties_say_where(change, words):
    def f(z, gamma, beta, epsilon):
        norm = (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon)
        return gamma * change(norm, z=z, epsilon=epsilon) + beta

    result = check.batch_norm(f)
    assert result.mistake == "unknown"
    assert "This is not a mistake that I know." in result.message
    assert words in result.message, result.message


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((1, 0.5, 1), "the path through μ is in dz with the weight 0.5"),
        ((1, 1, 4 / 3), "the path through σ² is in dz with the weight 1.333, which is m/(m − 1)"),
        ((1, 36, 1), "the path through μ is in dz with the weight 36"),
        ((1, -2, 1), "the path through μ is in dz with the weight −2"),
        ((1, 0.5, 0), "the path through σ² is missing from dz"),
        ((3, 1, 1), "the direct path (dz̃) is in dz with the weight 3"),
    ],
)
def test_factors_say_how_much(weights, words):
    def f(dz_tilde, z, gamma, epsilon):
        std = np.sqrt(z.var(0) + epsilon)
        x = (z - z.mean(0)) / std
        direct, mean, var = weights
        terms = direct * dz_tilde - mean * dz_tilde.mean(0) - var * x * (dz_tilde * x).mean(0)
        return gamma / std * terms, (dz_tilde * x).sum(0), dz_tilde.sum(0)

    result = check.batch_norm_backward(f)
    assert result.mistake == "unknown"
    assert words in result.message, result.message
    assert "dβ is right" in result.message


def test_a_cure_is_told():
    def f(z, gamma, beta, epsilon):
        return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + 2 * epsilon) + beta

    result = check.batch_norm(f)
    assert result.mistake == "unknown"
    assert "right as soon as ε = 0" in result.message


def test_the_first_quantity_that_departs_is_told_by_the_readers_own_name():
    def f(z, gamma, beta, epsilon):
        mu = z.mean(0)
        var = np.abs(z - mu).mean(0) * 4
        return gamma * (z - mu) / np.sqrt(var + epsilon) + beta

    result = check.batch_norm(f)
    assert result.mistake == "unknown"
    assert "σ² is 9, and your `var` ends as 12" in result.message
    assert result.hint().text.startswith("Here σ² is 9")


def test_what_is_wrong_on_special_inputs_only_is_told_so():
    def f(z, gamma, beta, epsilon):
        if epsilon == 0:
            return z
        return batch_norm(z, gamma, beta, epsilon)

    message = check.batch_norm(f).message
    assert "Plain inputs come out right, but not those with ε = 0" in message


@pytest.mark.parametrize("call", [c for c in check.__all__ if c.islower()])
def test_each_call_takes_a_seed_by_keyword(call):
    f = getattr(check, call)
    with pytest.raises(TypeError):
        f(lambda: None, 1)
    assert f(lambda: None, seed=1).mistake == "raised"
    assert f.__doc__


def test_facts_tell_where_a_loop_is_off():
    def loop(net, x, y, batch_size, learning_rate, epochs, rng):
        velocity, losses = 0, []
        for _ in range(epochs):
            for x_t, y_t in MiniBatches(x, y, batch_size, rng):
                loss, dlogits = SoftmaxCrossEntropy()(net.forward(x_t, training=True), y_t)
                net.backward(dlogits)
                velocity = 0.9 * velocity + net.dtheta
                net.theta -= learning_rate * velocity
                losses.append(loss)
        return losses

    result = check.training_loop(loop)
    assert result.mistake == "unknown"
    assert "it does not hold that θ moves along the gradient of the last" in result.message
    assert "every example comes in every epoch" in result.message

"""A reader's function leaves no state behind, stops nothing, and is shown its own lines only."""

from __future__ import annotations

import random
import subprocess
import sys
import warnings

import numpy as np
import pytest

from bncourse import check
from bncourse.check.quarantine import copied


def good(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) + beta


def test_random_states_warnings_errors_and_output_stay_as_they_were(capsys):
    def f(z, gamma, beta, epsilon):
        print("here")
        sys.stderr.write("and here")
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        np.seterr(all="raise")
        np.set_printoptions(precision=1)
        warnings.simplefilter("error")
        warnings.warn("look", stacklevel=1)
        return good(z, gamma, beta, epsilon)

    def quiet(z, gamma, beta, epsilon):
        print("here")
        random.random()
        np.random.rand()  # noqa: NPY002
        np.seterr(all="raise")
        np.set_printoptions(precision=1)
        warnings.simplefilter("error")
        return good(z, gamma, beta, epsilon)

    def state():
        legacy = np.random.get_state()  # noqa: NPY002
        return (
            random.getstate(),
            legacy[1].tolist(),
            legacy[2],
            np.geterr(),
            np.get_printoptions(),
            list(warnings.filters),
        )

    before = state()
    assert check.batch_norm(f).mistake == "raised"
    assert check.batch_norm(quiet).correct
    assert state() == before
    assert capsys.readouterr() == ("", "")


def test_under_raising_errors_and_with_warnings_as_errors():
    def no_epsilon(z, gamma, beta, epsilon):
        return gamma * (z - z.mean(0)) / z.std(0) + beta

    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check.batch_norm(good).correct
        assert check.batch_norm(no_epsilon).mistake == "no-epsilon"
        assert check.cross_entropy(lambda logits, labels: (logits.sum(), np.exp(logits))).mistake


@pytest.mark.parametrize(
    "error", [SystemExit(3), GeneratorExit(), RecursionError("deep"), ZeroDivisionError("x / 0")]
)
def test_what_is_raised_is_an_answer(error):
    def f(z, gamma, beta, epsilon):
        raise error

    result = check.batch_norm(f)
    assert result.mistake == "raised"
    assert type(error).__name__ in result.message


def test_the_users_own_interrupt_goes_through():
    def f(z, gamma, beta, epsilon):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check.batch_norm(f)


def test_an_exception_whose_text_cannot_be_read_is_an_answer_too():
    class OddError(Exception):
        def __str__(self):
            raise ValueError

    def f(z, gamma, beta, epsilon):
        raise OddError

    assert check.batch_norm(f).mistake == "raised"


def test_only_the_readers_own_lines_are_shown():
    def helper(z):
        return np.linalg.inv(z[:, :1] @ np.zeros((2, 2)))

    def f(z, gamma, beta, epsilon):
        return helper(z)

    message = check.batch_norm(f).message
    assert "in f: return helper(z)" in message
    assert "in helper: return np.linalg.inv" in message
    assert "quarantine" not in message
    assert "numpy" not in message


def test_a_wrong_number_of_arguments_is_explained():
    result = check.batch_norm(lambda z: z)
    assert result.mistake == "raised"
    assert "f(z, gamma, beta, epsilon)" in result.message


@pytest.mark.parametrize("f", [None, 3, np.zeros(2), "batch_norm"])
def test_what_is_not_a_function_is_refused(f):
    with pytest.raises(TypeError, match="f: expected the function itself, .*, got "):
        check.batch_norm(f)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(4, 6)[::2, ::3],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(6.0).reshape(2, 3).T,
        np.arange(8.0)[::2],
        np.zeros((0, 3)),
    ],
)
def test_copies_keep_values_and_strides_and_share_nothing(array):
    copy = copied(array)
    assert np.array_equal(copy, array)
    assert copy.strides == array.strides
    assert not np.shares_memory(copy, array)


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda z: None, "returned-none"),
        (lambda z: "text", "wrong-return"),
        (lambda z: {"z": z}, "wrong-return"),
        (lambda z: [[1.0], [1.0, 2.0]], "wrong-return"),
        (lambda z: (v for v in z), "wrong-return"),
        (lambda z: z.astype(object), "wrong-return"),
        (lambda z: z[:-1], "wrong-shape"),
        (lambda z: 3.0, "wrong-shape"),
        (lambda z: (), "wrong-shape"),
        (lambda z: np.zeros_like(z), "ignores-argument"),
    ],
)
def test_whatever_is_returned_has_a_name(made, name):
    result = check.batch_norm(lambda z, gamma, beta, epsilon: made(z))
    assert result.mistake == name, result.message


def test_complex_numbers_that_are_real_are_of_a_wrong_dtype():
    result = check.batch_norm(lambda *args: good(*args).astype(complex))
    assert result.mistake == "wrong-dtype"


def test_both_manners_are_told():
    def f(z, gamma, beta, epsilon):
        out = good(z, gamma, beta, epsilon).astype(float)
        z[...] = 0
        return out

    result = check.batch_norm(f)
    assert result.mistakes == ("wrote-into-input", "wrong-dtype")
    assert "changed what came as z;" in result.message
    assert "float32 went in and z̃ came out as float64" in result.message


def test_nothing_but_numpy_is_needed():
    program = (
        "import sys, bncourse\n"
        "assert 'bncourse.check' not in sys.modules\n"
        "from bncourse import check\n"
        "print(check.batch_norm(lambda z, gamma, beta, epsilon: z))\n"
        "print(check.mini_batches(lambda x, y, batch_size, rng: [(x, y)]).hint())\n"
        "assert not {'matplotlib', 'IPython', 'ipywidgets', 'tqdm'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Wrong. With z = [[1], [7]]")
    assert "Hint 1 of 3." in done.stdout


def test_lines_are_shown_where_networks_are_trained_too():
    def step(net, x, y, learning_rate):
        return net.forward(x)

    message = check.training_step(step).message
    assert "in step: return net.forward(x)" in message
    assert "layers.py" not in message


def test_a_loop_that_yields_is_no_list_of_losses():
    def loop(net, x, y, batch_size, learning_rate, epochs, rng):
        while True:
            yield 0.0

    result = check.training_loop(loop)
    assert result.mistake == "wrong-return"
    assert "a generator" in result.message
    assert "the losses of all steps" in result.message

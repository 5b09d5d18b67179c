from __future__ import annotations

import copy
import gc
import inspect
import os
import pickle
import signal
import sys
import threading
from itertools import pairwise

import numpy as np
import pytest

from bncourse import (
    Adam,
    GradientDescent,
    History,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    _checks,
    accuracy,
    mlp,
    train,
)


@pytest.fixture
def net(rng):
    return mlp((64, 20, 10), ReLU, rng=rng)


@pytest.fixture
def xy(digits):
    return digits.x_train[:200], digits.y_train[:200]


def test_training_learns_the_digits(digits):
    rng = np.random.default_rng(0)
    net = mlp((64, 100, 100, 100, 10), ReLU, rng=rng)
    history = train(
        net,
        digits.x_train,
        digits.y_train,
        loss=SoftmaxCrossEntropy(),
        optimizer=Adam(1e-3),
        batch_size=64,
        epochs=5,
        rng=rng,
    )
    assert history.steps == 5 * 23
    assert np.mean(history.loss[-23:]) < 0.2 * np.mean(history.loss[:23])
    assert accuracy(net, digits.x_test, digits.y_test) > 0.93


def test_the_seed_decides_everything(xy):
    def run():
        rng = np.random.default_rng(7)
        net = mlp((64, 20, 10), ReLU, rng=rng)
        return train(
            net, *xy, optimizer=GradientDescent(0.1), batch_size=30, steps=15, rng=rng
        ).loss, net.theta

    (loss, theta), (again, theta_again) = run(), run()
    assert loss == again
    np.testing.assert_array_equal(theta, theta_again)


def test_training_is_the_loop_of_the_book(net, xy):
    x, y = xy
    twin = pickle.loads(pickle.dumps(net))
    history = train(
        net,
        x,
        y,
        optimizer=GradientDescent(0.1),
        batch_size=50,
        epochs=2,
        rng=np.random.default_rng(0),
    )
    rng, losses = np.random.default_rng(0), []
    for _ in range(2):
        order = rng.permutation(200)
        for t in range(4):
            batch = order[50 * t : 50 * (t + 1)]
            J, dz = SoftmaxCrossEntropy()(twin.forward(x[batch], training=True), y[batch])
            twin.backward(dz)
            twin.theta -= 0.1 * twin.dtheta
            losses.append(J)
    assert history.loss == losses
    np.testing.assert_array_equal(net.theta, twin.theta)


def test_metrics_are_taken_every_so_often_and_at_the_end(net, xy):
    history = train(
        net,
        *xy,
        optimizer=GradientDescent(0.1),
        batch_size=50,
        steps=11,
        every=4,
        metrics={"norm": lambda n: float(np.linalg.norm(n.theta))},
    )
    assert history.metric_steps == [4, 8, 11]
    assert len(history.metrics["norm"]) == 3
    assert history.first_step("norm", 0.0) == 4
    assert history.first_step("norm", 1e9) is None
    with pytest.raises(KeyError):
        history.first_step("other", 0.0)


@pytest.mark.parametrize("metrics", [None, {"one": lambda n: 1.0}])
def test_stop_is_asked_every_so_often_with_or_without_metrics(net, xy, metrics):
    asked = []

    def stop(history):
        asked.append(history.steps)
        return history.steps >= 8

    options = {"optimizer": GradientDescent(0.1), "batch_size": 50, "every": 4}
    history = train(net, *xy, steps=100, metrics=metrics, stop=stop, **options)
    assert history.steps == 8
    assert asked == [4, 8]
    assert history.metrics == ({"one": [1.0, 1.0]} if metrics else {})


def test_after_step_sees_each_step_and_ends_training(net, xy):
    seen = []

    def after_step(history):
        seen.append((history.steps, len(history.loss), net.theta.copy()))
        return history.steps == 5

    options = {"optimizer": GradientDescent(0.1), "batch_size": 50, "every": 3}
    metrics = {"steps": lambda n: len(seen)}
    history = train(net, *xy, steps=9, after_step=after_step, metrics=metrics, **options)
    assert [steps for steps, _, _ in seen] == [n for _, n, _ in seen] == [1, 2, 3, 4, 5]
    assert all((a != b).any() for (_, _, a), (_, _, b) in pairwise(seen))
    np.testing.assert_array_equal(seen[-1][2], net.theta)
    # Metrics are taken after it, and after the last step too.
    assert (history.metric_steps, history.metrics["steps"]) == ([3, 5], [3, 5])


def test_after_backward_stands_between_gradient_and_update(net, xy):
    before, gradients = net.theta.copy(), []

    def after_backward(network):
        assert network is net
        np.testing.assert_array_equal(net.theta, before)
        gradients.append(net.dtheta.copy())
        net.dtheta[:100] = 0.0

    options = {"optimizer": GradientDescent(0.1), "batch_size": 50}
    history = train(net, *xy, steps=1, after_backward=after_backward, **options)
    assert history.steps == len(gradients) == 1
    np.testing.assert_array_equal(net.theta[:100], before[:100])
    np.testing.assert_array_equal(net.theta[100:], before[100:] - 0.1 * gradients[0][100:])


def test_an_optimizer_is_bound_to_the_network_that_it_trains(net, xy):
    optimizer = Adam()
    options = {"optimizer": optimizer, "batch_size": 50, "steps": 1}
    train(net, *xy, **options)
    twin = copy.deepcopy(net)
    before = pickle.dumps((twin, optimizer))
    with pytest.raises(ValueError, match="optimizer: .* this Adam trained before, got another"):
        train(twin, *xy, **options)
    assert pickle.dumps((twin, optimizer)) == before
    train(net, *xy, **options)
    # With its network gone there is nothing that it could serve.
    del net
    gc.collect()
    with pytest.raises(ValueError, match="make a new optimizer"):
        train(twin, *xy, **options)
    # A copy is for a copy of the network, and a loop by hand is free.
    train(twin, *xy, **options | {"optimizer": copy.deepcopy(optimizer)})
    optimizer.step(twin.theta, twin.dtheta)


def test_zero_steps_change_nothing(net, xy):
    before = net.theta.copy()
    history = train(net, *xy, optimizer=GradientDescent(0.1), batch_size=50, epochs=0)
    assert history.steps == 0
    np.testing.assert_array_equal(net.theta, before)


def test_a_history_is_continued(net, xy):
    history = History()
    optimizer = GradientDescent(0.1)
    for _ in range(2):
        train(
            net,
            *xy,
            optimizer=optimizer,
            batch_size=50,
            steps=3,
            history=history,
            every=2,
            metrics={"one": lambda n: 1.0},
        )
    assert history.steps == 6
    assert history.metric_steps == [2, 3, 5, 6]


def test_a_single_last_example_can_be_left_out(net, xy):
    history = train(
        net, *xy, optimizer=GradientDescent(0.1), batch_size=199, epochs=2, drop_last=True
    )
    assert history.steps == 2


def test_batches_of_one_are_fine_without_batch_norm(xy):
    net = mlp((64, 5, 10), norm=None)
    assert train(net, *xy, optimizer=GradientDescent(0.1), batch_size=1, steps=3).steps == 3


def test_training_works_in_a_thread_too(net, xy):
    done = []
    thread = threading.Thread(
        target=lambda: done.append(
            train(net, *xy, optimizer=GradientDescent(0.1), batch_size=50, steps=3).steps
        )
    )
    thread.start()
    thread.join()
    assert done == [3]


def test_the_progress_bar_shows_every_step(net, xy, capfd):
    train(net, *xy, optimizer=GradientDescent(0.1), batch_size=50, steps=7, progress=True)
    assert "7/7" in capfd.readouterr().err
    train(net, *xy, optimizer=GradientDescent(0.1), batch_size=50, steps=7)
    assert capfd.readouterr() == ("", "")


def test_accuracy_counts_right_answers(digits):
    net = mlp((64, 10), norm=None)
    net.theta[...] = 0.0
    net.layers[0].params["b"][3] = 1.0
    assert accuracy(net, digits.x_test, digits.y_test) == np.mean(digits.y_test == 3)
    with pytest.raises(ValueError, match="labels"):
        accuracy(net, digits.x_test, digits.y_test + 10)


@pytest.fixture
def small(rng):
    """Return a small network, four examples and their labels."""
    net = mlp((4, 3, 2), Sigmoid, rng=rng)
    return net, rng.normal(size=(6, 4)), np.array([0, 1, 1, 0, 1, 0])


def test_training_on_what_is_not_finite_goes_on(small, recwarn):
    net, x, y = small
    x[2, 1] = np.nan
    with np.errstate(invalid="ignore"):
        history = train(net, x, y, optimizer=Adam(), batch_size=6, steps=3)
    assert history.steps == 3
    assert np.isnan(history.loss).all()
    assert not recwarn.list


def test_a_history_is_continued_with_its_own_metrics_only(small):
    history = History([1.0, 0.5], [1, 2], {"accuracy": [0.5, 0.75]})
    arguments = {"optimizer": Adam(), "batch_size": 3, "steps": 1, "history": history}
    before = pickle.dumps((small[0], history))
    with pytest.raises(ValueError, match=r"metrics: expected \['accuracy'\].* got \['other'\]"):
        train(*small, metrics={"other": lambda net: 1.0}, **arguments)
    assert pickle.dumps((small[0], history)) == before
    train(*small, **arguments)
    train(*small, metrics={"accuracy": lambda net: 1.0}, **arguments)
    assert history.metrics == {"accuracy": [0.5, 0.75, 1.0]}
    assert history.metric_steps == [1, 2, 4]


def test_layers_without_widths_can_be_trained_too(small):
    net = Sequential([ReLU(), Sigmoid()])
    assert train(net, *small[1:], optimizer=Adam(), batch_size=6, steps=2).steps == 2


def test_two_trainings_of_an_epoch_are_one_of_two(small):
    net, x, y = small
    losses = []
    for lengths in ([2], [1, 1]):
        twin, optimizer, order, history = (
            copy.deepcopy(net),
            Adam(),
            np.random.default_rng(0),
            History(),
        )
        options = {"optimizer": optimizer, "batch_size": 2, "rng": order, "history": history}
        for epochs in lengths:
            train(twin, x, y, epochs=epochs, **options)
        losses.append(history.loss)
    assert losses[0] == losses[1]
    assert len(losses[0]) == 6


# Checks: one door


def test_a_step_is_checked_once(small, monkeypatch):
    calls = []
    for name, function in inspect.getmembers(_checks, inspect.isfunction):
        if not name.startswith("_"):
            count = lambda *a, f=function, n=name, **k: calls.append(n) or f(*a, **k)  # noqa: E731
            monkeypatch.setattr(_checks, name, count)
    numbers = []

    def after_step(history):
        numbers.append(len(calls))
        calls.clear()

    train(*small, optimizer=Adam(), batch_size=3, steps=4, after_step=after_step)
    assert all(0 < n <= 10 for n in numbers[1:])
    assert numbers[0] > 10
    # Through a network's door once, and not through each layer's, on the way back too.
    net, x, _ = small
    for mode in (True, False):
        dz = net.forward(x, training=mode)
        calls.clear()
        net.backward(net.forward(x, training=mode) + dz)
        assert len(calls) <= 4


# Ctrl-C


def steps_agree(net, optimizer, history, options):
    """Compare with an undisturbed training of as many steps; return their number."""
    steps = history.steps
    assert optimizer.steps == net.batch_norms[0].batches_seen == steps
    assert history.metric_steps == list(range(1, 1 + len(history.metric_steps)))
    assert {len(v) for v in history.metrics.values()} <= {len(history.metric_steps)}
    twin, x, y, options = options(Adam())
    right = train(twin, x, y, **options | {"steps": steps})
    assert history.loss == right.loss
    np.testing.assert_array_equal(net.theta, twin.theta)
    np.testing.assert_array_equal(net.batch_norms[0].running_var, twin.batch_norms[0].running_var)
    return steps


def prepared(optimizer, **more):
    rng = np.random.default_rng(1)
    net = mlp((4, 3, 2), Sigmoid, rng=rng)
    options = {"optimizer": optimizer, "batch_size": 3, "steps": 3, "rng": rng, "every": 1}
    options |= {"metrics": {"one": lambda net: 1.0}, "after_step": lambda history: False}
    return net, rng.normal(size=(6, 4)), np.array([0, 1, 1, 0, 1, 0]), options | more


def press():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def ctrl_c():
    """Let SIGINT interrupt, also where the tests run in a background that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_at_any_line_of_train_leaves_all_of_them_in_step(ctrl_c):
    handler, at = signal.getsignal(signal.SIGINT), 0
    ends, outside = [], sys.gettrace()
    while not ends or ends[-1] is not None:
        at += 1
        lines = iter(range(at))

        def trace(frame, event, argument, lines=lines, last=at - 1):
            if frame.f_code.co_filename != train.__code__.co_filename:
                return None
            if event == "line" and next(lines, None) == last:
                press()
            return trace

        history, optimizer = History(), Adam()
        net, x, y, options = prepared(optimizer, history=history)
        ends.append(None)
        sys.settrace(trace)
        try:
            train(net, x, y, **options)
        except KeyboardInterrupt:
            ends[-1] = history.steps
        finally:
            sys.settrace(outside)
        assert signal.getsignal(signal.SIGINT) is handler
        steps_agree(net, optimizer, history, prepared)
    assert {0, 1, 2, 3} <= set(ends)


PLACES = ["forward", "loss", "backward", "after_backward", "update", "after_step", "one", "stop"]


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_in_what_train_calls_waits_for_the_step(place, at, ctrl_c, monkeypatch):
    calls = iter(range(9))

    def pressing(function):
        def pressed(*arguments):
            if next(calls) == at - 1:
                press()
            return function(*arguments)

        return pressed

    history, optimizer = History(), Adam()
    net, x, y, options = prepared(optimizer, history=history)
    if place in ("forward", "backward"):
        layer, name = net.layers[2], f"_{place}"
        monkeypatch.setattr(layer, name, pressing(getattr(layer, name)))
    elif place == "update":
        monkeypatch.setattr(optimizer, "_step", pressing(optimizer._step))
    elif place == "one":
        options["metrics"] = {"one": pressing(lambda net: 1.0)}
    else:
        made = {"loss": SoftmaxCrossEntropy()}.get(place, lambda argument: False)
        options[place] = pressing(made)
    with pytest.raises(KeyboardInterrupt):
        train(net, x, y, **options)
    assert steps_agree(net, optimizer, history, prepared) == at
    # Training goes on where it ended.
    train(net, x, y, **options | {"steps": 2})
    assert history.steps == optimizer.steps == at + 2


def test_a_second_interrupt_does_not_wait(small, ctrl_c):
    def press_twice(net):
        press()
        press()
        raise AssertionError("the second one should have ended the metric")

    history, options = History(), {"optimizer": Adam(), "batch_size": 3, "steps": 4, "every": 1}
    with pytest.raises(KeyboardInterrupt):
        train(*small, metrics={"one": press_twice}, history=history, **options)
    assert history.steps == 1
    assert (history.metric_steps, history.metrics) == ([], {})


def test_an_error_in_a_metric_leaves_the_history_whole(small):
    history, options = History(), {"optimizer": Adam(), "batch_size": 3, "steps": 4, "every": 1}
    metrics = {"one": lambda net: 1.0, "broken": lambda net: 1 / 0}
    with pytest.raises(ZeroDivisionError):
        train(*small, metrics=metrics, history=history, **options)
    assert history.steps == 1
    assert (history.metric_steps, history.metrics) == ([], {})

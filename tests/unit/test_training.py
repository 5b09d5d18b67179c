from __future__ import annotations

import os
import pickle
import signal
import threading

import numpy as np
import pytest

from bncourse import (
    Adam,
    GradientDescent,
    History,
    ReLU,
    SoftmaxCrossEntropy,
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


def test_stop_ends_training(net, xy):
    history = train(
        net,
        *xy,
        optimizer=GradientDescent(0.1),
        batch_size=50,
        steps=100,
        every=4,
        metrics={"one": lambda n: 1.0},
        stop=lambda h: h.steps >= 8,
    )
    assert history.steps == 8


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


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"x": np.ones((200, 63))}, ValueError, r"\(m, 64\)"),
        ({"x": np.ones((200, 64), int)}, ValueError, "float32 or float64"),
        ({"y": np.full(200, 10)}, ValueError, "labels from 0 to 9, got labels from 10 to 10"),
        ({"y": np.zeros(199, int)}, ValueError, r"\(200,\)"),
        ({"y": np.zeros(200)}, ValueError, "integer labels"),
        ({"batch_size": 201}, ValueError, "at most the 200 examples"),
        ({"batch_size": 1}, ValueError, "at least 2 examples for batch norm"),
        ({"batch_size": 199}, ValueError, "the last of which holds 1"),
        ({"steps": None}, ValueError, "either epochs or steps"),
        ({"epochs": 3}, ValueError, "either epochs or steps"),
        ({"steps": -1}, ValueError, "steps: expected"),
        ({"every": 0}, ValueError, "every: expected"),
        ({"rng": 0}, TypeError, "numpy.random.Generator"),
        ({"x": None}, TypeError, "NumPy array"),
        ({"shuffle": 1}, ValueError, "shuffle: expected"),
    ],
)
def test_what_does_not_fit_is_found_before_the_first_step(net, xy, change, error, match):
    arguments = {
        "x": xy[0],
        "y": xy[1],
        "optimizer": GradientDescent(0.1),
        "batch_size": 50,
        "steps": 5,
    } | change
    before = pickle.dumps(net)
    with pytest.raises(error, match=match):
        train(net, **arguments)
    assert pickle.dumps(net) == before


def test_a_single_last_example_can_be_left_out(net, xy):
    history = train(
        net, *xy, optimizer=GradientDescent(0.1), batch_size=199, epochs=2, drop_last=True
    )
    assert history.steps == 2


def test_batches_of_one_are_fine_without_batch_norm(xy):
    net = mlp((64, 5, 10), norm=None)
    assert train(net, *xy, optimizer=GradientDescent(0.1), batch_size=1, steps=3).steps == 3


def test_an_interrupt_waits_for_the_end_of_the_step(net, xy):
    class Interrupting(GradientDescent):
        def _step(self, theta, dtheta):
            if self.steps == 3:
                os.kill(os.getpid(), signal.SIGINT)
            super()._step(theta, dtheta)

    handler = signal.getsignal(signal.SIGINT)
    history, optimizer = History(), Interrupting(0.1)
    with pytest.raises(KeyboardInterrupt):
        train(net, *xy, optimizer=optimizer, batch_size=50, steps=10, history=history)
    assert signal.getsignal(signal.SIGINT) is handler
    assert history.steps == optimizer.steps == net.batch_norms[0].batches_seen == 3
    assert np.isfinite(net.theta).all()
    train(net, *xy, optimizer=optimizer, batch_size=50, steps=2, history=history)
    assert history.steps == 5


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

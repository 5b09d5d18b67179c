"""Functions that train, and layers, right and wrong."""

from __future__ import annotations

import numpy as np

from bncourse import (
    BatchNorm,
    GradientDescent,
    Layer,
    MiniBatches,
    SoftmaxCrossEntropy,
    train,
)
from tests.check.collection import right, wrong

loss_of = SoftmaxCrossEntropy()

# ---- training_step ----


@right("training_step")
def _(net, x, y, learning_rate):
    loss, dz = SoftmaxCrossEntropy()(net.forward(x, training=True), y)
    net.backward(dz)
    net.theta = net.theta - learning_rate * net.dtheta
    return loss


@right("training_step")
def _(net, x, y, learning_rate):
    loss, dz = loss_of(net.forward(x, training=True), y)
    net.backward(dz, need_input_gradient=False)
    GradientDescent(learning_rate).step(net.theta, net.dtheta)
    return np.array(loss)


@right("training_step")
def _(net, x, y, learning_rate):
    loss, dz = loss_of(net.forward(x, training=True), y)
    net.backward(dz)
    for layer in net.layers:
        for name in layer.params:
            layer.params[name] -= learning_rate * layer.grads[name]
    return loss


@right("training_step")
def _(net, x, y, learning_rate):
    z = net.forward(x, training=True)
    rows = np.arange(len(y))
    log_p = z - z.max(1, keepdims=True)
    log_p = log_p - np.log(np.exp(log_p).sum(1, keepdims=True))
    dz = np.exp(log_p)
    dz[rows, y] -= 1
    net.backward(dz / z.dtype.type(len(y)))
    net.theta[...] -= learning_rate * net.dtheta
    return float(-log_p[rows, y].mean())


@right("training_step")
def _(net, x, y, learning_rate):
    """Goes from layer to layer."""
    a = x
    for layer in net.layers:
        a = layer.forward(a, training=True)
    loss, d = loss_of(a, y)
    for layer in reversed(net.layers):
        d = layer.backward(d)
    net.theta -= learning_rate * net.dtheta
    return loss


@right("training_step")
def _(net, x, y, learning_rate):
    history = train(
        net,
        x,
        y,
        optimizer=GradientDescent(learning_rate),
        batch_size=len(x),
        steps=1,
        shuffle=False,
    )
    return history.loss[0]


def _step(net, x, y, training=True, factor=1.0):
    loss, dz = loss_of(net.forward(x, training=training), y)
    net.backward(dz * factor)
    return loss


@wrong("training_step", "evaluation-mode-in-training")
def _(net, x, y, learning_rate):
    loss = _step(net, x, y, training=False)
    net.theta -= learning_rate * net.dtheta
    return loss


@wrong("training_step", "step-uphill")
def _(net, x, y, learning_rate):
    loss = _step(net, x, y)
    net.theta += learning_rate * net.dtheta
    return loss


@wrong("training_step", "not-updated")
def _(net, x, y, learning_rate):
    loss = _step(net, x, y)
    theta = net.theta.copy()
    theta -= learning_rate * net.dtheta
    return loss


@wrong("training_step", "backward-forgotten")
def _(net, x, y, learning_rate):
    loss, _ = loss_of(net.forward(x, training=True), y)
    net.theta -= learning_rate * net.dtheta
    return loss


@wrong("training_step", "loss-after-step")
def _(net, x, y, learning_rate):
    _step(net, x, y)
    net.theta -= learning_rate * net.dtheta
    return loss_of(net.forward(x, training=True), y)[0]


@wrong("training_step", "gamma-beta-not-updated")
def _(net, x, y, learning_rate):
    loss = _step(net, x, y)
    for layer in net.layers:
        if not isinstance(layer, BatchNorm):
            for name in layer.params:
                layer.params[name] -= learning_rate * layer.grads[name]
    return loss


@wrong("training_step", "ignores-argument")
def _(net, x, y, learning_rate):
    loss = _step(net, x, y)
    net.theta -= 0.1 * net.dtheta
    return loss


@wrong("training_step", "returned-none")
def _(net, x, y, learning_rate):
    _step(net, x, y)
    net.theta -= learning_rate * net.dtheta


@wrong("training_step", "raised")
def _(net, x, y, learning_rate):
    loss, dz = loss_of(net.forward(x), y)
    net.backward(dz)
    net.theta -= learning_rate * net.dtheta
    return loss


@wrong("training_step", "divided-twice")
def _(net, x, y, learning_rate):
    loss = _step(net, x, y, factor=1 / len(x))
    net.theta -= learning_rate * net.dtheta
    return loss


@wrong("training_step", "wrong-return")
def _(net, x, y, learning_rate):
    _step(net, x, y)
    net.theta -= learning_rate * net.dtheta
    return net


@wrong("training_step", "unknown")
def _(net, x, y, learning_rate):
    """The length of the gradient doesn't count."""
    loss = _step(net, x, y)
    net.theta -= learning_rate * net.dtheta / np.linalg.norm(net.dtheta)
    return loss


@wrong("training_step", "unknown")
def _(net, x, y, learning_rate):
    """With weight decay."""
    loss = _step(net, x, y)
    net.theta -= learning_rate * (net.dtheta + 0.01 * net.theta)
    return loss


# ---- training_loop ----


@right("training_loop")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    history = train(
        net,
        x,
        y,
        optimizer=GradientDescent(learning_rate),
        batch_size=batch_size,
        epochs=epochs,
        rng=rng,
    )
    return history.loss


@right("training_loop")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    losses, batches = [], MiniBatches(x, y, batch_size, rng)
    optimizer = GradientDescent(learning_rate)
    for _ in range(epochs):
        for x_t, y_t in batches:
            losses.append(_step(net, x_t, y_t))
            optimizer.step(net.theta, net.dtheta)
    return losses


@right("training_loop")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    order, losses = np.arange(len(x)), []
    for _ in range(epochs):
        rng.shuffle(order)
        for t in range(-(-len(x) // batch_size)):
            part = order[t * batch_size : (t + 1) * batch_size]
            losses.append(_step(net, x[part], y[part]))
            net.theta[:] = net.theta - learning_rate * net.dtheta
    return np.array(losses)


@right("training_loop")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    """A copy of the data is shuffled further in each epoch, and the network looked at."""
    x, y, losses = x.copy(), y.copy(), []
    for _ in range(epochs):
        order = np.argsort(rng.random(len(x)))
        x, y = x[order], y[order]
        for s in range(0, len(x), batch_size):
            losses.append(_step(net, x[s : s + batch_size], y[s : s + batch_size]))
            net.theta -= learning_rate * net.dtheta
        net.forward(x, training=False)
    return tuple(losses)


@right("training_loop")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    steps, losses, left = epochs * -(-len(x) // batch_size), [], []
    while len(losses) < steps:
        left = left or rng.permutation(len(x)).tolist()
        batch, left = left[:batch_size], left[batch_size:]
        losses.append(_step(net, x[batch], y[batch]))
        net.theta -= learning_rate * net.dtheta
    return losses


@right("training_loop")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    losses = []
    for _ in range(epochs):
        order = rng.choice(len(x), len(x), replace=False)
        for batch in np.split(order, np.arange(batch_size, len(x), batch_size)):
            losses.append(_step(net, np.take(x, batch, 0), np.take(y, batch)))
            for layer in net.layers:
                for name, value in layer.params.items():
                    layer.params[name] = value - learning_rate * layer.grads[name]
    return losses


def _loop(net, x, y, size, rate, epochs, order, **options):
    losses = []
    for _ in range(epochs):
        these = order()
        for s in range(0, len(x), size):
            batch = these[s : s + size]
            losses.append(_step(net, x[batch], y[batch], **options))
            net.theta -= rate * net.dtheta
    return losses


@wrong("training_loop", "not-reshuffled")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    order = rng.permutation(len(x))
    return _loop(net, x, y, batch_size, learning_rate, epochs, lambda: order)


@wrong("training_loop", "not-shuffled")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    return _loop(net, x, y, batch_size, learning_rate, epochs, lambda: np.arange(len(x)))


@wrong("training_loop", "evaluation-mode-in-training")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    return _loop(
        net,
        x,
        y,
        batch_size,
        learning_rate,
        epochs,
        lambda: rng.permutation(len(x)),
        training=False,
    )


@wrong("training_loop", "global-random-state")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    return _loop(
        net,
        x,
        y,
        batch_size,
        learning_rate,
        epochs,
        lambda: np.random.permutation(len(x)),  # noqa: NPY002
    )


@wrong("training_loop", "step-uphill")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    return _loop(net, x, y, batch_size, -learning_rate, epochs, lambda: rng.permutation(len(x)))


@wrong("training_loop", "starts-shuffled")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    losses = []
    for _ in range(epochs):
        starts = np.arange(0, len(x), batch_size)
        rng.shuffle(starts)
        for s in starts:
            losses.append(_step(net, x[s : s + batch_size], y[s : s + batch_size]))
            net.theta -= learning_rate * net.dtheta
    return losses


@wrong("training_loop", "gamma-beta-not-updated")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    losses = []
    for _ in range(epochs):
        for x_t, y_t in MiniBatches(x, y, batch_size, rng):
            losses.append(_step(net, x_t, y_t))
            for layer in net.layers:
                if not isinstance(layer, BatchNorm):
                    for name in layer.params:
                        layer.params[name] -= learning_rate * layer.grads[name]
    return losses


@wrong("training_loop", "evaluation-mode-in-training", "not-reshuffled")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    order = rng.permutation(len(x))
    return _loop(net, x, y, batch_size, learning_rate, epochs, lambda: order, training=False)


@wrong("training_loop", "losses-of-epochs")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    return [
        np.mean(_loop(net, x, y, batch_size, learning_rate, 1, lambda: rng.permutation(len(x))))
        for _ in range(epochs)
    ]


@wrong("training_loop", "rest-dropped")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    losses = []
    for _ in range(epochs):
        for x_t, y_t in MiniBatches(x, y, batch_size, rng, drop_last=True):
            losses.append(_step(net, x_t, y_t))
            net.theta -= learning_rate * net.dtheta
    return losses


@wrong("training_loop", "labels-not-shuffled")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    losses = []
    for _ in range(epochs):
        mixed = x[rng.permutation(len(x))]
        for s in range(0, len(x), batch_size):
            losses.append(_step(net, mixed[s : s + batch_size], y[s : s + batch_size]))
            net.theta -= learning_rate * net.dtheta
    return losses


@wrong("training_loop", "unknown")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    """With momentum."""
    v, losses = 0, []
    for _ in range(epochs):
        for x_t, y_t in MiniBatches(x, y, batch_size, rng):
            losses.append(_step(net, x_t, y_t))
            v = 0.9 * v + net.dtheta
            net.theta -= learning_rate * v
    return losses


@wrong("training_loop", "unknown")
def _(net, x, y, batch_size, learning_rate, epochs, rng):
    """A rate that falls."""
    losses = []
    for _ in range(epochs):
        for x_t, y_t in MiniBatches(x, y, batch_size, rng):
            losses.append(_step(net, x_t, y_t))
            net.theta -= learning_rate / len(losses) * net.dtheta
    return losses


# ---- subtract_mean and shake ----


def layer(forward, backward):
    """Return a layer's class that has these two methods and nothing else."""

    class Reader(Layer):
        def __init__(self, n):
            super().__init__(n, n)

        _forward, _backward = forward, backward

    return Reader


def centred(self, x, training):
    return x - np.mean(x, axis=0)


def back(self, dz):
    return dz - np.mean(dz, axis=0)


for pair in (
    (centred, back),
    (lambda self, x, training: (x.T - x.mean(0)[:, None]).T.copy(), back),
    (lambda self, x, training: x + x.sum(0) / -len(x), lambda self, dz: dz - dz.sum(0) / len(dz)),
    (
        lambda self, x, training: np.stack([row - x.mean(0) for row in x]),
        lambda self, dz: np.stack([row - dz.mean(0) for row in dz]),
    ),
    (
        lambda self, x, training: x - np.einsum("ij->j", x) / x.dtype.type(len(x)),
        lambda self, dz: dz - np.einsum("ij->j", dz) / dz.dtype.type(len(dz)),
    ),
    (
        lambda self, x, training: (x.astype(np.float32) - x.astype(np.float32).mean(0)).astype(
            x.dtype
        ),
        back,
    ),
):
    right("subtract_mean")(layer(*pair))

for names, pair in (
    (["gradient-mean-not-subtracted"], (centred, lambda self, dz: dz)),
    (["axis-1"], (lambda self, x, training: x - x.mean(1, keepdims=True), back)),
    (["whole-array"], (lambda self, x, training: x - x.mean(), lambda self, dz: dz - dz.mean())),
    (["evaluation-forgotten"], (lambda self, x, training: x - x.mean(0) if training else x, back)),
    (["scaled-too"], (lambda self, x, training: (x - x.mean(0)) / x.std(0), back)),
    (["gradient-sum-instead-of-mean"], (centred, lambda self, dz: dz - dz.sum(0))),
    (["raised"], (centred, lambda self, dz: None)),
    (["wrote-into-input", "raised"], (lambda self, x, training: x.__isub__(x.mean(0)), back)),
    (["gradient-changed"], (centred, lambda self, dz: 0 * dz)),
    (["unknown"], (lambda self, x, training: x - np.median(x, axis=0), back)),
    (["unknown"], (centred, lambda self, dz: dz - 0.5 * dz.mean(0))),
):
    wrong("subtract_mean", *names)(layer(*pair))


class Shaking(Layer):
    """What a reader's layer is made from here."""

    def __init__(self, n, level, rng):
        super().__init__(n, n)
        self.n, self.level, self.rng = n, level, rng

    def draw(self, x):
        return self.rng.uniform(-self.level, self.level, self.n)

    def _forward(self, x, training):
        return (x + self.draw(x)).astype(x.dtype) if training else x

    def _backward(self, dz):
        return dz


def shaking(**methods):
    return type("Reader", (Shaking,), methods)


for methods in (
    {},
    {"draw": lambda self, x: self.level * (2 * self.rng.random(self.n) - 1)},
    {"draw": lambda self, x: np.array([self.rng.uniform(-self.level, self.level) for _ in x[0]])},
    {"draw": lambda self, x: self.rng.uniform(-self.level, self.level, (1, self.n))},
    {"_forward": lambda self, x, training: (x + training * self.draw(x)).astype(x.dtype)},
    {"_backward": lambda self, dz: dz.copy()},
):
    right("shake")(shaking(**methods))

for names, methods in (
    (
        ["shift-per-example"],
        {"draw": lambda self, x: self.rng.uniform(-self.level, self.level, x.shape)},
    ),
    (["whole-array"], {"draw": lambda self, x: self.rng.uniform(-self.level, self.level)}),
    (["axis-1"], {"draw": lambda self, x: self.rng.uniform(-self.level, self.level, (len(x), 1))}),
    (
        ["same-every-step"],
        {
            "draw": lambda self, x: np.random.default_rng(self.rng.bit_generator.seed_seq).uniform(
                -self.level, self.level, self.n
            )
        },
    ),
    (
        ["shift-in-evaluation"],
        {"_forward": lambda self, x, training: (x + self.draw(x)).astype(x.dtype)},
    ),
    (
        ["scaled-too"],
        {
            "_forward": lambda self, x, training: (
                (x * (1 + self.draw(x)) + self.draw(x)).astype(x.dtype) if training else x
            )
        },
    ),
    (["gradient-changed"], {"_backward": lambda self, dz: dz - dz.mean(0)}),
    (
        ["global-random-state"],
        {
            "draw": lambda self, x: np.random.uniform(-self.level, self.level, self.n)  # noqa: NPY002
        },
    ),
    (
        ["below-level"],
        {
            "draw": lambda self, x: (
                self.rng.uniform(-self.level, self.level, self.n) * (np.arange(self.n) > 0)
            )
        },
    ),
    (["one-sided"], {"draw": lambda self, x: self.level * self.rng.random(self.n)}),
    (["beyond-level"], {"draw": lambda self, x: self.level * self.rng.normal(size=self.n)}),
    (["wrong-dtype"], {"_forward": lambda self, x, training: x + self.draw(x) if training else x}),
    (
        ["unknown"],
        {
            "_forward": lambda self, x, training: (
                (np.tanh(x) + self.draw(x)).astype(x.dtype) if training else x
            )
        },
    ),
    (
        ["unknown"],
        {
            "_forward": lambda self, x, training: (
                np.maximum(x + self.draw(x), 0).astype(x.dtype) if training else x
            )
        },
    ),
):
    wrong("shake", *names)(shaking(**methods))

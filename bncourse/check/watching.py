"""Networks and layers that are watched at work: what went through, and how θ moved."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bncourse import BatchNorm, Dense, Layer, ReLU, Sequential, SoftmaxCrossEntropy
from bncourse.check.pieces import Function, Inputs
from bncourse.check.quarantine import NotUsable, Outcome, Raised, attempt, copied, read, same

Array = np.ndarray[Any, Any]
WIDTHS = (4, 5, 3)


class Watch(Layer):
    """Let everything through and keep it."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[tuple[bool, Array]] = []
        self.gradients: list[tuple[int, Array]] = []
        self.moments: list[Array] = []
        self.net: list[Any] = []

    def _forward(self, x: Array, training: bool) -> Array:
        self.outputs.append((training, x.copy()))
        self.moments += [net().theta.copy() for net in self.net]
        return x

    def _backward(self, dz: Array) -> Array:
        # Of the first layer this is the end of the way back: all gradients are there.
        kept = self.net[0]().dtheta.copy() if self.net else dz.copy()
        self.gradients.append((len(self.outputs) - 1, kept))
        return dz


def network(seed: int, dtype: str = "float64", watched: bool = False) -> Sequential:
    """Return a small network in the middle of its training: nothing in it is 0 or 1."""
    rng = np.random.default_rng(seed)
    n_in, n, n_out = WIDTHS
    hidden = [
        Dense(n_in, n, bias=False, rng=rng, dtype=dtype),
        BatchNorm(n, dtype=dtype),
        ReLU(),
        Dense(n, n_out, rng=rng, dtype=dtype),
    ]
    net = Sequential([Watch(), *hidden, Watch()] if watched else hidden)
    net.theta[...] = net.theta + rng.uniform(-0.3, 0.3, net.theta.size)
    # An earlier step has left its gradients, which a step without a backward pass would take.
    net.dtheta[...] = rng.normal(size=net.dtheta.size)
    (norm,) = net.batch_norms
    norm.set_statistics(rng.normal(size=n).astype(dtype), rng.uniform(0.5, 2.0, n).astype(dtype))
    if watched:
        first = net.layers[0]
        assert isinstance(first, Watch)
        # By a function: a layer must not hold a network.
        first.net.append(lambda: net)
    return net


def examples(m: int, seed: int, dtype: str = "float64") -> tuple[Array, Array]:
    """Return examples and labels."""
    rng = np.random.default_rng([seed, 1])
    x = rng.normal(size=(m, WIDTHS[0])).astype(dtype)
    return x, rng.permutation(np.arange(m) % WIDTHS[-1])


def observe_step(f: Function, inputs: Inputs) -> Outcome:
    """Return the loss, the change of θ, and the running statistics after one step."""
    net = network(inputs["seed"], str(inputs["x"].dtype))
    (norm,) = net.batch_norms
    before = net.theta.copy()
    x, y = copied(inputs["x"]), copied(inputs["y"])
    result = attempt(lambda: f(net, x, y, inputs["learning_rate"]))
    wrote = tuple(name for name, value in (("x", x), ("y", y)) if not same(inputs[name], value))
    loss = read(result, ("the loss",))
    if not isinstance(loss.value, tuple):
        return Outcome(loss.value, wrote=wrote)
    values = (loss.value[0], net.theta - before, norm.running_mean, norm.running_var)
    return Outcome(tuple(np.array(v) for v in values), (True,) * 4, wrote)


def observe_loop(f: Function, inputs: Inputs) -> Outcome:
    """Return what is true of a training whatever the random numbers are."""
    runs = []
    for seed, overall in ((1, 2), (1, 3), (4, 5))[: inputs["runs"]]:
        np.random.seed(overall)  # noqa: NPY002
        run = run_loop(f, inputs, seed)
        if isinstance(run, Outcome):
            return run
        runs.append(run)
    wrote = tuple(name for name in ("x", "y") if any(name in run["wrote"] for run in runs))
    values = np.array([*_of_order(runs, inputs), *_of_steps(runs[0], inputs)], float)
    return Outcome((values,), (True,), wrote)


def run_loop(f: Function, inputs: Inputs, seed: int) -> Outcome | dict[str, Any]:
    """Train once and return all that was seen."""
    net = network(inputs["seed"], str(inputs["x"].dtype), watched=True)
    x, y = copied(inputs["x"]), copied(inputs["y"])
    first, last = net.layers[0], net.layers[-1]
    assert isinstance(first, Watch)
    assert isinstance(last, Watch)
    result = attempt(
        lambda: f(
            net,
            x,
            y,
            inputs["batch_size"],
            inputs["learning_rate"],
            inputs["epochs"],
            np.random.default_rng(seed),
        )
    )
    if isinstance(result, Raised):
        return Outcome(result)
    losses = read(result, ("the losses",))
    if not isinstance(losses.value, tuple):
        return Outcome(losses.value)
    if not first.gradients:
        return Outcome(NotUsable("no backward pass through the network"))
    places = [place for place, _ in first.gradients]
    rows = []
    for place in places:
        distance = np.abs(first.outputs[place][1][:, None, :] - inputs["x"][None]).max(axis=2)
        if distance.min(axis=1).max() > 1e-4:
            return Outcome(NotUsable("a batch whose examples are not rows of x"))
        rows.append(distance.argmin(axis=1))
    moments = [*first.moments, net.theta.copy()]
    return {
        "losses": losses.value[0],
        "rows": rows,
        "training": [first.outputs[place][0] for place in places],
        "more": sum(training for training, _ in first.outputs) > len(set(places)),
        "logits": [last.outputs[place][1] for place in places],
        "dlogits": [dz for _, dz in last.gradients],
        "labels": [dz.argmin(axis=1) for _, dz in last.gradients],
        "dtheta": [dtheta for _, dtheta in first.gradients],
        "change": [moments[place + 1] - moments[place] for place in places],
        "wrote": [n for n, v in (("x", x), ("y", y)) if not same(inputs[n], v)],
    }


def neighbours(batches: list[Array]) -> bool:
    """Say whether batches hold, but for a few, examples that stood side by side."""
    steps = [np.diff(np.sort(batch)) for batch in batches if len(batch) > 1]
    return bool(steps) and float(np.mean(np.concatenate(steps) == 1)) > 0.8


def _flat(rows: list[Array]) -> Array:
    return np.concatenate(rows)


def _of_order(runs: list[dict[str, Any]], inputs: Inputs) -> list[float]:
    """Return in which order the examples came, epoch by epoch."""
    m, size, epochs = len(inputs["x"]), inputs["batch_size"], inputs["epochs"]
    rows = runs[0]["rows"]
    full, rest = divmod(m, size)
    steps = full + (rest > 0)
    lengths = [len(batch) for batch in rows]
    proper = ([size] * full + [rest] * (rest > 0)) * epochs
    dropped = [size] * full * epochs
    category = {tuple(proper): 0, tuple(dropped): 1, tuple(proper[:steps]): 2, (size,): 3}.get(
        tuple(lengths), 4
    )
    each = {1: full, 3: 1}.get(category, steps)
    dealt = [rows[i : i + each] for i in range(0, len(rows), each)]
    counts = [np.bincount(_flat(batches), minlength=m) for batches in dealt]
    in_order = all(
        np.array_equal(_flat(batches), np.arange(len(_flat(batches))))
        for run in runs
        for batches in (run["rows"][i : i + each] for i in range(0, len(run["rows"]), each))
    )
    blocks = not in_order and neighbours([batch for run in runs for batch in run["rows"]])
    if blocks and category == 4 and len(lengths) == len(proper):
        category = 0

    def order(run: dict[str, Any]) -> list[Any]:
        return [batch.tolist() for batch in run["rows"]]

    again = len(dealt) > 1 and all(
        [b.tolist() for b in batches] == [b.tolist() for b in dealt[0]] for batches in dealt
    )
    return [
        category,
        any((count == 0).any() for count in counts),
        any((count > 1).any() for count in counts),
        in_order,
        blocks,
        len(runs) < 2 or order(runs[0]) == order(runs[1]),
        len(runs) > 2 and order(runs[0]) == order(runs[2]) and not in_order,
        again and not in_order,
    ]


def _of_steps(run: dict[str, Any], inputs: Inputs) -> list[float]:
    """Return what was made of each batch: labels, mode, gradient, update, loss."""
    y, size = inputs["y"], inputs["batch_size"]
    # Where the batch begins in an epoch tells which labels come with it, if they keep their order.
    count = len(run["rows"])
    one_epoch = -(-len(inputs["x"]) // size)
    each = one_epoch if count <= one_epoch else count // inputs["epochs"]
    starts = [size * (i % each) for i in range(len(run["rows"]))]
    used = run["labels"]
    if all(np.array_equal(y[r], u) for r, u in zip(run["rows"], used, strict=True)):
        labels = 0
    elif all(np.array_equal(y[s : s + len(u)], u) for s, u in zip(starts, used, strict=True)):
        labels = 1
    else:
        labels = 2
    loss = SoftmaxCrossEntropy()
    right = [loss(z, u) for z, u in zip(run["logits"], used, strict=True)]
    ratios = [
        float((d * g).sum() / (g * g).sum())
        for d, (_, g) in zip(run["dlogits"], right, strict=True)
    ]
    lengths = [len(u) for u in used]
    if np.allclose(ratios, 1, rtol=1e-3):
        scale = 0
    elif np.allclose(ratios, lengths, rtol=1e-3):
        scale = 1
    elif np.allclose(ratios, [1 / k for k in lengths], rtol=1e-3):
        scale = 2
    else:
        scale = 3
    norm = np.zeros(run["dtheta"][0].size, bool)
    n_in, n, _ = WIDTHS
    norm[n_in * n : n_in * n + 2 * n] = True
    change, step = np.array(run["change"]), -inputs["learning_rate"] * np.array(run["dtheta"])
    slopes = [
        float((change[:, part] * step[:, part]).sum() / (step[:, part] ** 2).sum())
        for part in (~norm, norm)
    ]
    slope = np.where(norm, slopes[1], slopes[0])
    bent = bool(np.abs(change - slope * step).max() > 1e-3 * np.abs(step).max())
    losses = run["losses"]
    expected = np.array([value for value, _ in right])
    if losses.shape == expected.shape:
        told = 0 if np.allclose(losses, expected, rtol=1e-3) else 1
    elif losses.shape == (inputs["epochs"],):
        told = 2
    else:
        told = 3
    training = float(np.mean(run["training"]))
    return [labels, scale, *np.round(slopes, 2), bent, told, training, run["more"]]


def observe_layer(cls: Function, inputs: Inputs) -> Outcome:
    """Return what a layer makes of a batch, of its gradient, and of another in evaluation."""

    def work() -> Any:
        layer = cls(inputs["x"].shape[1])
        if not isinstance(layer, Layer):
            return NotUsable("an object that is no Layer")
        out = layer.forward(copied(inputs["x"]), training=True)
        return (
            out,
            layer.backward(copied(inputs["dz"])),
            layer.forward(copied(inputs["x"]), training=False),
        )

    result = attempt(work)
    if isinstance(result, NotUsable):
        return Outcome(result)
    return read(result, ("the output", "dx", "the output in evaluation"))


#: So many that a range is filled but for one case in ten million.
STEPS = 40


def observe_shake(cls: Function, inputs: Inputs) -> Outcome:
    """Return what is true of the shifts, whatever the random numbers are."""
    runs: list[Any] = []
    for seed, overall in ((1, 2), (1, 3), (4, 5)):
        np.random.seed(overall)  # noqa: NPY002
        run = attempt(partial(run_shake, cls, inputs, seed))
        if isinstance(run, Raised | NotUsable):
            return Outcome(run)
        runs.append(run)
    return Outcome((_of_shifts(runs, inputs),), (True,))


def run_shake(cls: Function, inputs: Inputs, seed: int) -> Any:
    """Return the outputs in training, the last gradient, and the output in evaluation."""
    layer = cls(inputs["x"].shape[1], inputs["level"], np.random.default_rng(seed))
    if not isinstance(layer, Layer):
        return NotUsable("an object that is no Layer")
    outputs = [layer.forward(copied(inputs["x"]), training=True) for _ in range(STEPS)]
    dx = layer.backward(copied(inputs["dz"]))
    return np.array(outputs), dx, layer.forward(copied(inputs["x"]), training=False)


def _of_shifts(runs: list[Any], inputs: Inputs) -> Array:
    x, dz, level = (np.asarray(inputs[k], float) for k in ("x", "dz", "level"))
    outputs, dx, evaluated = runs[0]
    exact = 1e-4 if inputs["x"].dtype == np.float32 else 1e-8
    centred = x - x.mean(axis=0)
    slopes = (outputs * centred).sum(axis=1) / (centred**2).sum(axis=0)
    shifts = outputs - x
    apart = np.ptp(shifts, axis=1).max() > exact
    residual = outputs - outputs.mean(axis=1, keepdims=True) - slopes[:, None] * centred
    scaled = bool(apart and np.abs(residual).max() < exact)
    size = np.abs(shifts).max()
    gaps = np.diff(np.sort(shifts, axis=1), axis=1)
    # Where some examples of a unit move alike and others don't, x decides and not chance.
    partly = apart and bool(((gaps < exact).any(axis=1) & (gaps > exact).any(axis=1)).any())
    if scaled:
        kind = 0
    elif partly:
        kind = 6
    elif size < exact:
        kind = 1
    elif size > level * (1 + exact):
        # What is added to single examples may be more than a shift.
        kind = 6 if apart else 2
    elif shifts.min() >= 0 or shifts.max() <= 0:
        kind = 3
    elif np.abs(shifts).max(axis=(0, 1)).min() < 0.6 * level:
        kind = 4
    elif not 0.25 < np.mean(np.abs(shifts) < level / 2) < 0.75:
        kind = 5
    else:
        kind = 0
    if np.allclose(dx, dz, atol=exact):
        gradient = 0
    elif np.allclose(dx, dz - dz.mean(axis=0), atol=exact):
        gradient = 1
    else:
        gradient = 2
    return np.array(
        [
            scaled,
            apart and not scaled,
            np.ptp(shifts, axis=2).max() < exact,
            np.ptp(outputs, axis=0).max() < exact,
            not np.allclose(evaluated, x, atol=exact),
            gradient,
            not np.allclose(outputs, runs[1][0], atol=exact),
            np.allclose(outputs, runs[2][0], atol=exact),
            kind,
        ],
        float,
    )


#: What the numbers of `observe_loop` are about, each as it is where all is right.
LOOP_FACTS = (
    "the batches have the right sizes and number",
    "every example comes in every epoch",
    "no example comes twice in an epoch",
    "the examples are shuffled",
    "examples, not batches, are shuffled",
    "equal generators give equal orders",
    "other generators give other orders",
    "each epoch has an order of its own",
    "each label goes with its example",
    "the gradient sent back is that of the mean loss",
    "w and b move by −rate times gradient",
    "γ and β move by −rate times gradient",
    "θ moves along the gradient of the last batch alone, with one rate",
    "the losses are those of the steps",
    "all passes are in training mode",
    "there is one pass for each step",
)
SHIFT_FACTS = (
    "distances between examples stay",
    "all examples of a unit move alike",
    "each unit has a shift of its own",
    "each step has a shift of its own",
    "evaluation changes nothing",
    "the gradient passes as it is",
    "equal generators give equal shifts",
    "other generators give other shifts",
    "the shifts are spread evenly over ±level",
)

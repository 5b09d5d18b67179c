"""Chapter 4: deal the examples, and take a step; and the loss that the step goes down."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np

from bncourse.check.diagnosis import register
from bncourse.check.findings import of_cross_entropy
from bncourse.check.pieces import Function, Inputs, Piece, mistake
from bncourse.check.probes import Probe
from bncourse.check.quarantine import NotUsable, Outcome, Raised, attempt, copied, same
from bncourse.check.symptoms import log_clipped, rate_ignored
from bncourse.check.watching import (
    LOOP_FACTS,
    examples,
    neighbours,
    observe_loop,
    observe_step,
    run_loop,
)
from bncourse.check.words import array, listed, pair

CROSS_ENTROPY = register(
    Piece(
        source="""
def cross_entropy(logits, labels):
    m = len(logits)
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    log_p = shifted - np.log(total)
    p = e / total
    loss = -np.mean(log_p[np.arange(m), labels])
    dlogits = p.copy()
    dlogits[np.arange(m), labels] -= 1
    return loss, dlogits / m
""",
        outputs=("the loss", "dlogits"),
        free_dtype=("the loss",),
        mistakes=(
            mistake("overflow", "logits - logits.max(axis=1, keepdims=True) → logits"),
            mistake(
                "overflow",
                "logits - logits.max(axis=1, keepdims=True) → logits",
                "log_p[np.arange(m), labels] → np.log(p[np.arange(m), labels])",
            ),
            mistake(
                "overflow",
                "logits - logits.max(axis=1, keepdims=True) → logits",
                "np.mean(log_p[np.arange(m), labels]) → "
                "np.sum(np.eye(logits.shape[1])[labels] * np.log(p)) / m",
            ),
            mistake(
                "log-of-zero", "log_p[np.arange(m), labels] → np.log(p[np.arange(m), labels])"
            ),
            mistake(
                "log-of-zero",
                "np.mean(log_p[np.arange(m), labels]) → "
                "np.sum(np.eye(logits.shape[1])[labels] * np.log(p)) / m",
            ),
            mistake(
                "log-clipped",
                "log_p[np.arange(m), labels] → np.log(p[np.arange(m), labels] + 1e-12)",
            ),
            mistake("gradient-sum-instead-of-mean", "dlogits / m → dlogits"),
            mistake("axis-0", "e.sum(axis=1, keepdims=True) → e.sum(axis=0, keepdims=True)"),
            mistake("axis-0", "axis=1, keepdims=True → axis=0, keepdims=True"),
            mistake("whole-array", "e.sum(axis=1, keepdims=True) → e.sum()"),
            mistake("whole-array", "logits.max(axis=1, keepdims=True) → logits.max()"),
            mistake(
                "divided-by-all-logits", "-np.mean(log_p[ → -1 / logits.shape[1] * np.mean(log_p["
            ),
            mistake("divided-by-all-logits", "dlogits / m → dlogits / logits.size"),
            mistake(
                "divided-by-all-logits",
                "-np.mean(log_p[ → -1 / logits.shape[1] * np.mean(log_p[",
                "dlogits / m → dlogits / logits.size",
            ),
            mistake("loss-sum-instead-of-mean", "np.mean(log_p[ → np.sum(log_p["),
            mistake("labels-not-subtracted", "labels] -= 1 → labels] -= 0"),
            mistake("sign-turned", "dlogits / m → -dlogits / m"),
            mistake("sign-turned", "loss = -np → loss = np"),
            mistake(
                "logarithm-to-base-2",
                "-np.mean(log_p[np.arange(m), labels]) → "
                "-np.mean(log_p[np.arange(m), labels]) / np.log(2)",
            ),
            mistake("outputs-swapped", "return loss, dlogits / m → return dlogits / m, loss"),
        ),
        witnesses=(
            {"logits": np.array([[0.0, 0.0]]), "labels": np.array([0])},
            {"logits": np.array([[0.0, 0.0], [0.0, 0.0]]), "labels": np.array([0, 1])},
            {"logits": np.array([[0.0, 0.0], [1.0, 0.0]]), "labels": np.array([0, 1])},
            {"logits": np.array([[1000.0, 0.0]]), "labels": np.array([0])},
            {"logits": np.array([[1000.0, -1000.0]]), "labels": np.array([1])},
        ),
        probes=("large logits",),
        findings=of_cross_entropy,
        symptoms=log_clipped,
    )
)

#: What the numbers of `features` are about, each as it is where all is right.
DEAL_FACTS = (
    "the batches have the right sizes and number",
    "every example comes",
    "no example comes twice",
    "each label goes with its example",
    "the examples are shuffled",
    "examples, not batches, are shuffled",
    "equal generators give equal orders",
    "other generators give other orders",
)

#: More batches than any answer needs: what still comes then never ends.
ENDLESS = 5


def _numbered(m: int, batch_size: int, seed: int, dtype: str = "float64") -> Inputs:
    """Return examples that carry their number, and labels that carry it too."""
    x = np.stack([np.arange(m), 0.5 + np.arange(m)], axis=1).astype(dtype)
    return {
        "x": x,
        "y": np.arange(m) + 100,
        "batch_size": batch_size,
        "rng": np.random.default_rng(seed),
    }


def _deal(f: Function, inputs: Inputs) -> tuple[Any, tuple[str, ...]]:
    """Return the batches that come, as a list, and the arguments that were written into."""
    given = {name: copied(value) for name, value in inputs.items()}
    limit = ENDLESS * len(inputs["x"]) + ENDLESS

    def deal() -> Any:
        batches = f(*given.values())
        if batches is None:
            return None
        found = []
        for batch in itertools.islice(iter(batches), limit):
            found.append(tuple(np.array(part) for part in batch))
        if inspect.isgenerator(batches):
            batches.close()
        return found

    result = attempt(deal)
    wrote = tuple(name for name, value in given.items() if not same(inputs[name], value))
    return result, wrote


def _order(batches: Any, inputs: Inputs) -> Any:
    """Return the numbers of the examples in each batch, and of their labels, or what is wrong."""
    if isinstance(batches, Raised):
        return batches
    if batches is None:
        return NotUsable("None", none=True)
    if len(batches) > ENDLESS * len(inputs["x"]):
        words = f"batches without end (after {len(batches)} they still come)"
        return NotUsable(words, endless=True)
    if any(len(batch) != 2 for batch in batches):
        return NotUsable("batches that are not pairs of examples and labels")
    examples, labels = [], []
    for x, y in batches:
        if x.ndim != 2 or x.shape[1] != 2 or y.shape != (len(x),):
            return NotUsable(f"a batch with x of shape {x.shape} and y of shape {y.shape}")
        if (np.abs(x[:, 1] - x[:, 0] - 0.5) > 1e-3).any():
            return NotUsable("examples that are not rows of x")
        examples.append(np.rint(x[:, 0]).astype(int))
        labels.append(np.rint(y).astype(int) - 100)
    return examples, labels


def _identity(examples: list[Any]) -> bool:
    return np.array_equal(np.concatenate([*examples, []]), np.arange(sum(map(len, examples))))


def features(deals: list[Any], inputs: Inputs) -> np.ndarray[Any, Any]:
    """Return what is true of the dealing whatever the random numbers are.

    `deals` are two with equal generators and one with another.
    """
    m, size = len(inputs["x"]), inputs["batch_size"]
    examples, labels = deals[0]
    flat = np.concatenate([*examples, []]).astype(int)
    given = np.concatenate([*labels, []]).astype(int)
    counts = np.bincount(flat[(flat >= 0) & (flat < m)], minlength=m)
    in_order = all(_identity(deal[0]) for deal in deals)
    blocks = size > 1 and neighbours([batch for deal in deals for batch in deal[0]])
    lengths = [len(batch) for batch in examples]
    full, rest = divmod(m, size)
    if lengths == [size] * full + [rest] * (rest > 0):
        sizes = 0
    elif lengths == [size] * full:
        sizes = 1
    elif lengths == [size] * (full + (rest > 0)):
        sizes = 2
    elif len(lengths) == 1:
        sizes = 3
    elif max(lengths, default=0) - min(lengths, default=0) <= 1:
        sizes = 4
    else:
        sizes = 5
    if blocks and not in_order and sizes == 5:
        sizes = 0  # the short batch has been shuffled with the others

    def orders(deal: Any) -> list[Any]:
        return [batch.tolist() for batch in deal[0]]

    return np.array(
        [
            sizes,
            bool((counts == 0).any()),
            bool((counts > 1).any()),
            0 if np.array_equal(flat, given) else 1 if _identity(labels) else 2,
            in_order,
            blocks and not in_order,
            orders(deals[0]) == orders(deals[1]),
            orders(deals[0]) == orders(deals[2]),
        ],
        float,
    )


def _observe(f: Function, inputs: Inputs) -> Outcome:
    deals, wrote, dtype = [], set(), inputs["x"].dtype
    for seed, overall in ((1, 2), (1, 3), (4, 5)):
        np.random.seed(overall)  # noqa: NPY002
        batches, written = _deal(f, inputs | {"rng": np.random.default_rng(seed)})
        order = _order(batches, inputs)
        if isinstance(order, Raised | NotUsable):
            return Outcome(order, wrote=written)
        deals.append(order)
        wrote |= set(written)
        if any(x.dtype != dtype for x, _ in batches):
            dtype = next(x.dtype for x, _ in batches if x.dtype != dtype)
        if any(y.dtype.kind not in "iu" for _, y in batches):
            dtype = np.dtype(object)
    return Outcome(
        (features(deals, inputs), np.zeros(0, dtype)),
        (True, False),
        tuple(name for name in inputs if name in wrote),
    )


def _probes(seed: int) -> list[Probe]:
    return [
        Probe("", _numbered(33, 4, seed), plain=True),
        Probe("where no rest is left", _numbered(24, 8, seed)),
        Probe("where one batch holds all", _numbered(12, 12, seed)),
        Probe("with batches of one", _numbered(12, 1, seed)),
        Probe("in float32", _numbered(33, 4, seed, "float32")),
    ]


def _show(f: Function) -> str:
    """Say what comes of ten numbered examples."""
    inputs = _numbered(10, 4, 0)
    np.random.seed(0)  # noqa: NPY002
    batches, _ = _deal(f, inputs)
    given = "With ten examples numbered 0 to 9, labelled with the same numbers, in batches of 4"
    order = _order(batches, inputs)
    if isinstance(order, Raised):
        return f"{given}, your function raised {order.told}."
    if isinstance(order, NotUsable):
        return f"{given}, what came was {order.words}."

    def brackets(parts: list[Any]) -> str:
        return listed([f"({', '.join(map(str, part))})" for part in parts])

    examples, labels = order
    text = f"{given}, your batches were {brackets(examples[:6])}"
    if any(a.tolist() != b.tolist() for a, b in zip(examples, labels, strict=True)):
        text += f", and their labels {brackets(labels[:6])}"
    return text + "."


MINI_BATCHES = register(
    Piece(
        source="""
def mini_batches(x, y, batch_size, rng):
    order = rng.permutation(len(x))
    batches = []
    for start in range(0, len(x), batch_size):
        batch = order[start:start + batch_size]
        batches.append((x[batch], y[batch]))
    return batches
""",
        outputs=("the batches", "x"),
        returns="pairs of examples and labels, one pair a batch",
        facts=DEAL_FACTS,
        mistakes=(
            mistake(
                "starts-shuffled",
                "rng.permutation(len(x)) → np.arange(len(x))",
                "range(0, len(x), batch_size) → rng.permutation(range(0, len(x), batch_size))",
            ),
            mistake("labels-not-shuffled", "y[batch] → y[start:start + batch_size]"),
            mistake(
                "labels-shuffled-apart",
                "    batches = [] →     other = rng.permutation(len(x))\n    batches = []",
                "y[batch] → y[other[start:start + batch_size]]",
            ),
            mistake("not-shuffled", "rng.permutation(len(x)) → np.arange(len(x))"),
            mistake("rest-dropped", "range(0, len(x), → range(0, len(x) - batch_size + 1,"),
            mistake(
                "examples-repeated",
                "order[start:start + batch_size] → "
                "rng.integers(len(x), size=min(batch_size, len(x) - start))",
            ),
            mistake(
                "examples-repeated",
                "order[start:start + batch_size] → rng.integers(len(x), size=batch_size)",
            ),
            mistake(
                "examples-repeated",
                "order[start:start + batch_size] → "
                "np.take(order, range(start, start + batch_size), mode='wrap')",
            ),
            mistake("examples-repeated", "start + batch_size] → start + batch_size + 1]"),
            mistake(
                "examples-repeated",
                "range(0, len(x), → range(0, len(x) - batch_size + 1,",
                "order[start:start + batch_size] → rng.integers(len(x), size=batch_size)",
            ),
            mistake("global-random-state", "rng.permutation → np.random.permutation"),
            mistake("ignores-argument", "rng.permutation → np.random.default_rng(0).permutation"),
            mistake("one-batch-only", "    return batches →     return batches[:1]"),
            mistake(
                "batches-of-equal-size",
                "for start in range(0, len(x), batch_size) → "
                "for batch in np.array_split(order, -(-len(x) // batch_size))",
                "        batch = order[start:start + batch_size]\n → ",
            ),
        ),
        observe=_observe,
        probes=_probes,
        show=_show,
    )
)


def _step_inputs(seed: int, m: int = 6, dtype: str = "float64", rate: float = 0.3) -> Inputs:
    x, y = examples(m, seed, dtype)
    return {"seed": seed, "x": x, "y": y, "learning_rate": rate}


def _step_probes(seed: int) -> list[Probe]:
    return [
        Probe("", _step_inputs(seed), plain=True),
        Probe("on another network", _step_inputs(seed + 1, 9, rate=0.05), plain=True),
        Probe("in float32", _step_inputs(seed, dtype="float32"), tolerance=1e-3),
    ]


def _show_step(f: Function) -> str:
    """Say what one step on a small network does, beside what it should."""
    inputs = _step_inputs(0)
    got = observe_step(f, inputs).value
    right = observe_step(TRAINING_STEP.reference, inputs).value
    given = "On a network of 4, 5 and 3 units, 6 examples and a rate of 0.3"
    if isinstance(got, Raised):
        return f"{given}, your function raised {got.told}."
    if isinstance(got, NotUsable) or not isinstance(right, tuple):
        return f"{given}, {got.words if isinstance(got, NotUsable) else 'nothing'} came."
    texts = []
    for symbol, a, b in zip(TRAINING_STEP.outputs, right, got, strict=True):
        if a.shape != b.shape:
            texts.append(f"{symbol} should have the shape {a.shape}, and has {b.shape}")
        elif np.abs(a - b).max() > 1e-6:
            verb = "be" if a.ndim == 0 else "begin with"
            begin = slice(2) if a.ndim else ()
            expected, came = pair(a[begin], b[begin])
            texts.append(f"{symbol} should {verb} {expected}, and {came} came")
    return f"{given}, {'; '.join(texts) or 'the first numbers agree'}."


TRAINING_STEP = register(
    Piece(
        source="""
def training_step(net, x, y, learning_rate):
    logits = net.forward(x, training=True)
    loss, dlogits = SoftmaxCrossEntropy()(logits, y)
    net.backward(dlogits)
    net.theta -= learning_rate * net.dtheta
    return loss
""",
        outputs=("the loss", "the change of θ", "the running mean", "the running variance"),
        returns="the loss, one number",
        mistakes=(
            mistake("evaluation-mode-in-training", "training=True → training=False"),
            mistake("step-uphill", "-= learning_rate → += learning_rate"),
            mistake("not-updated", "net.theta -= → unused ="),
            mistake("backward-forgotten", "    net.backward(dlogits)\n → "),
            mistake(
                "loss-after-step",
                "return loss → return SoftmaxCrossEntropy()(net.forward(x, training=False), y)[0]",
            ),
            mistake(
                "loss-after-step",
                "return loss → return SoftmaxCrossEntropy()(net.forward(x, training=True), y)[0]",
            ),
            mistake(
                "statistics-moved-twice",
                "logits = net → net.forward(x, training=True); logits = net",
            ),
            mistake(
                "gradient-sum-instead-of-mean", "backward(dlogits) → backward(dlogits * len(x))"
            ),
            mistake("divided-twice", "backward(dlogits) → backward(dlogits / len(x))"),
            mistake("logits-sent-back", "backward(dlogits) → backward(logits)"),
            mistake(
                "gamma-beta-not-updated",
                "    net.theta -= learning_rate * net.dtheta\n → "
                "    for layer in net.layers:\n"
                "        for name in layer.params:\n"
                "            if name in 'wb':\n"
                "                layer.params[name] -= learning_rate * layer.grads[name]\n",
            ),
            mistake(
                "updated-twice", "learning_rate * net.dtheta → 2 * learning_rate * net.dtheta"
            ),
        ),
        observe=observe_step,
        probes=_step_probes,
        show=_show_step,
        symptoms=rate_ignored,
        library=("SoftmaxCrossEntropy",),
    )
)


def _loop_inputs(seed: int, dtype: str = "float64") -> Inputs:
    return _step_inputs(seed, 18, dtype, 0.1) | {"batch_size": 4, "epochs": 2, "runs": 3}


def _loop_probes(seed: int) -> list[Probe]:
    return [
        Probe("", _loop_inputs(seed), plain=True),
        # Whether the order comes from `rng` alone has been seen.
        Probe("where no rest is left", _loop_inputs(seed) | {"batch_size": 6, "runs": 1}),
        Probe("in float32", _loop_inputs(seed, "float32") | {"runs": 1}),
    ]


def _show_loop(f: Function) -> str:
    """Say which examples came in which step, and what else was seen."""
    inputs = _loop_inputs(0) | dict(zip(("x", "y"), examples(8, 0), strict=True))
    np.random.seed(0)  # noqa: NPY002
    given = "With eight examples numbered 0 to 7, in batches of 3, for 2 epochs"
    run = run_loop(f, inputs | {"batch_size": 3}, 0)
    if isinstance(run, Outcome):
        if isinstance(run.value, Raised):
            return f"{given}, your function raised {run.value.told}."
        words = run.value.words if isinstance(run.value, NotUsable) else "nothing"
        return f"{given}, {words} came."

    def brackets(parts: list[Any]) -> str:
        return listed([f"({', '.join(map(str, part))})" for part in parts[:8]])

    text = f"{given}, your batches were {brackets(run['rows'])}"
    for batch, labels in zip(run["rows"], run["labels"], strict=True):
        if (inputs["y"][batch] != labels).any():
            text += f", and {brackets([batch])} came with the labels {brackets([labels])}, where "
            text += f"theirs are {brackets([inputs['y'][batch]])}"
            break
    if not all(run["training"]):
        text += ", in evaluation mode"
    step = -inputs["learning_rate"] * np.array(run["dtheta"])
    along = (np.array(run["change"]) * step).sum(axis=1) / (step**2).sum(axis=1)
    text += f"; from step to step θ moved by {array(np.round(along, 3))} times −rate · gradient"
    count, steps = run["losses"].size, len(run["rows"])
    return f"{text}; {count} loss{'es' * (count != 1)} came back for {steps} steps."


_ORDER = "        order = rng.permutation(len(x))\n"

TRAINING_LOOP = register(
    Piece(
        source="""
def training_loop(net, x, y, batch_size, learning_rate, epochs, rng):
    losses = []
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start:start + batch_size]
            x_t, y_t = x[batch], y[batch]
            logits = net.forward(x_t, training=True)
            loss, dlogits = SoftmaxCrossEntropy()(logits, y_t)
            net.backward(dlogits)
            net.theta -= learning_rate * net.dtheta
            losses.append(loss)
    return losses
""",
        outputs=("the training",),
        returns="the losses of all steps",
        facts=LOOP_FACTS,
        mistakes=(
            mistake(
                "not-reshuffled",
                f"{_ORDER} → ",
                "    losses = []\n →     losses = []\n    order = rng.permutation(len(x))\n",
            ),
            mistake("not-shuffled", "rng.permutation(len(x)) → np.arange(len(x))"),
            mistake(
                "starts-shuffled",
                "rng.permutation(len(x)) → np.arange(len(x))",
                "range(0, len(x), batch_size) → rng.permutation(range(0, len(x), batch_size))",
            ),
            mistake("labels-not-shuffled", "y[batch] → y[start:start + batch_size]"),
            mistake("labels-shuffled-apart", "y[batch] → rng.permutation(y)[batch]"),
            mistake("rest-dropped", "range(0, len(x), → range(0, len(x) - batch_size + 1,"),
            mistake(
                "examples-repeated",
                "order[start:start + batch_size] → "
                "rng.integers(len(x), size=min(batch_size, len(x) - start))",
            ),
            mistake(
                "examples-repeated",
                "order[start:start + batch_size] → rng.integers(len(x), size=batch_size)",
            ),
            mistake("global-random-state", "rng.permutation → np.random.permutation"),
            mistake("ignores-argument", "rng.permutation → np.random.default_rng(0).permutation"),
            mistake(
                "ignores-argument", "rng.permutation → np.random.default_rng(epoch).permutation"
            ),
            mistake(
                "one-batch-only", "            losses.append(loss) →             return [loss]"
            ),
            mistake("one-epoch-only", "    return losses →         return losses"),
            mistake("evaluation-mode-in-training", "training=True → training=False"),
            mistake("step-uphill", "-= learning_rate → += learning_rate"),
            mistake("not-updated", "net.theta -= → unused ="),
            mistake(
                "gamma-beta-not-updated",
                "            net.theta -= learning_rate * net.dtheta\n → "
                "            for layer in net.layers:\n"
                "                for name in layer.params:\n"
                "                    if name in 'wb':\n"
                "                        layer.params[name] -= "
                "learning_rate * layer.grads[name]\n",
            ),
            mistake(
                "gradient-sum-instead-of-mean", "backward(dlogits) → backward(dlogits * len(y_t))"
            ),
            mistake("divided-twice", "backward(dlogits) → backward(dlogits / len(y_t))"),
            mistake(
                "updated-twice", "learning_rate * net.dtheta → 2 * learning_rate * net.dtheta"
            ),
            mistake(
                "statistics-moved-twice",
                "logits = net → net.forward(x_t, training=True); logits = net",
            ),
            mistake(
                "losses-of-epochs", "            losses.append(loss) →         losses.append(loss)"
            ),
        ),
        observe=observe_loop,
        probes=_loop_probes,
        show=_show_loop,
        separate=True,
        library=("SoftmaxCrossEntropy",),
    )
)

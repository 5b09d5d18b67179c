"""Batch norm with one mistake each, for the bug gallery; tests prove that each is caught.

The gallery asks its readers to find the mistake, so it names none before the answer: it takes
them by number from `case` and prints them with `listing`. What the gallery measures takes the
version as an argument, so that a test can put the repaired one in its place.
"""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from bncourse.activations import ReLU
from bncourse.arrays import Floats, Integers
from bncourse.averages import ExponentialMovingAverage
from bncourse.chapters.common import BATCH_SIZE, SIZES, backpropagate, describe_inputs
from bncourse.chapters.measured import measured, take_down
from bncourse.data import load_digits
from bncourse.display import Table
from bncourse.display.card import Card
from bncourse.gradient_check import gradient_check
from bncourse.layers import Dense
from bncourse.losses import SoftmaxCrossEntropy
from bncourse.network import Sequential, mlp
from bncourse.normalization import (
    BatchNorm,
    BatchNormCache,
    batch_norm,
    batch_norm_backward,
    fold_batch_norm,
)
from bncourse.optimizers import Adam, GradientDescent, Optimizer
from bncourse.statistics import layer_outputs, population_statistics, set_statistics
from bncourse.training import accuracy, train

Forward = tuple[Floats, BatchNormCache]
Gradients = tuple[Floats, Floats, Floats]
Batches = Iterable[tuple[Floats, Integers]]

SEEDS = (0, 1, 2, 3, 4)
STEPS = 300
#: Columns that a listing may take.
WIDTH = 74


def minus_epsilon(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Take ε from the variance."""
    mu = z.mean(axis=0)
    var = z.var(axis=0)
    inv_std = 1 / np.sqrt(var - epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


def one_pass_variance(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Compute the variance as the mean square minus the squared mean."""
    mu = z.mean(axis=0)
    var = (z * z).mean(axis=0) - mu * mu
    inv_std = 1 / np.sqrt(var + epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


class TrainsOnOne(BatchNorm):
    """Accept a batch of one example in training, whose unbiased variance is 0/0."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        if not training:
            return super()._forward(z, training)
        z_tilde, self.cache = batch_norm(z, self.gamma, self.beta, self.epsilon)
        m = len(z)
        self._update(self.cache.mean, self.cache.var * m / (m - 1))
        return z_tilde


def stopped_gradient(dz_tilde: Floats, cache: BatchNormCache) -> Gradients:
    """Treat μ and σ² as constants on the way back."""
    dgamma = (dz_tilde * cache.z_norm).sum(axis=0)
    dbeta = dz_tilde.sum(axis=0)
    dz = dz_tilde * cache.gamma * cache.inv_std
    return dz, dgamma, dbeta


def plain_output_norm(sizes: Sequence[int], rng: np.random.Generator) -> Sequential:
    """Normalise the logits, without γ and β."""
    hidden_and_logits = mlp(sizes, ReLU, rng=rng).layers
    return Sequential([*hidden_and_logits, BatchNorm(sizes[-1], affine=False)])


def mean_gradients(dz_tilde: Floats, cache: BatchNormCache) -> Gradients:
    """Average dγ and dβ over the batch, although the loss has done so already."""
    dgamma = (dz_tilde * cache.z_norm).mean(axis=0)
    dbeta = dz_tilde.mean(axis=0)
    dz = cache.gamma * cache.inv_std * (dz_tilde - dbeta - cache.z_norm * dgamma)
    return dz, dgamma, dbeta


def forgotten_gamma(dz_tilde: Floats, cache: BatchNormCache) -> Gradients:
    """Leave γ out of the gradient with respect to z."""
    m = len(dz_tilde)
    dgamma = (dz_tilde * cache.z_norm).sum(axis=0)
    dbeta = dz_tilde.sum(axis=0)
    dz = cache.inv_std * (dz_tilde - dbeta / m - cache.z_norm * dgamma / m)
    return dz, dgamma, dbeta


class NotFrozen(BatchNorm):
    """Use the batch's own statistics in evaluation too."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        z_tilde, self.cache = batch_norm(z, self.gamma, self.beta, self.epsilon)
        if training:
            m = len(z)
            self._update(self.cache.mean, self.cache.var * (m / (m - 1)))
        return z_tilde


class GuessedMode(BatchNorm):
    """Infer the mode from the size of the batch."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        training = len(z) > 1
        return super()._forward(z, training)


class UpdatedInEvaluation(BatchNorm):
    """Let test images change the running statistics."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        if training:
            z_tilde, self.cache = batch_norm(z, self.gamma, self.beta, self.epsilon)
        else:
            z_tilde = super()._forward(z, training)
        self._update(z.mean(axis=0), z.var(axis=0, ddof=1))
        return z_tilde


class SwappedDecay(BatchNorm):
    """Give the new value the weight of the old one."""

    decay: float

    def _update(self, mean: Floats, var: Floats) -> None:
        self.batches_seen += 1
        d = self.decay
        self.running_mean[...] = (1 - d) * self.running_mean + d * mean
        self.running_var[...] = (1 - d) * self.running_var + d * var


class DebiasedFromOne:
    """Start the average at 1, as variances do, and correct it as if it had started at 0."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.v: Floats | float = 1.0

    def update(self, x: Floats | float) -> Floats | float:
        """Take in a value."""
        self.v = self.decay * self.v + (1 - self.decay) * x
        self.steps += 1
        return self.v / (1 - self.decay**self.steps)


class BiasedRunningVariance(BatchNorm):
    """Keep the variance over m where the one over m − 1 is promised."""

    def _forward(self, z: Floats, training: bool) -> Floats:
        if not training:
            return super()._forward(z, training)
        z_tilde, self.cache = batch_norm(z, self.gamma, self.beta, self.epsilon)
        self._update(self.cache.mean, self.cache.var)
        return z_tilde


def fold_without_epsilon(dense: Dense, norm: BatchNorm) -> Dense:
    """Forget ε when batch norm is folded away."""
    scale = norm.gamma / np.sqrt(norm.running_var)
    b = dense.b if dense.bias else 0.0
    n_out, n_in = dense.w.shape
    folded = Dense(n_in, n_out)
    folded.params["w"] = scale[:, np.newaxis] * dense.w
    folded.params["b"] = scale * (b - norm.running_mean) + norm.beta
    return folded


def wrong_axis(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Normalise each example over its units."""
    mu = z.mean(axis=1, keepdims=True)
    var = z.var(axis=1, keepdims=True)
    inv_std = 1 / np.sqrt(var + epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


def epsilon_outside(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Add ε to the standard deviation."""
    mu = z.mean(axis=0)
    var = z.var(axis=0)
    inv_std = 1 / (np.sqrt(var) + epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


def unbiased_batch_variance(z: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Forward:
    """Normalise the batch by the variance over m − 1."""
    mu = z.mean(axis=0)
    var = z.var(axis=0, ddof=1)
    inv_std = 1 / np.sqrt(var + epsilon)
    z_norm = (z - mu) * inv_std
    return gamma * z_norm + beta, BatchNormCache(z_norm, mu, var, inv_std, gamma)


def new_output_layer(net: Sequential, batches: Batches, rate: float) -> None:
    """Train the output layer alone; the statistics of the others follow the new images."""
    last = net.layers[-1]
    for x, y in batches:
        _, dz = SoftmaxCrossEntropy()(net.forward(x, training=True), y)
        net.backward(dz)
        for name in last.params:
            last.params[name] -= rate * last.grads[name]


def train_and_validate(
    net: Sequential, batches: Batches, rate: float, validate: Callable[[Sequential, bool], object]
) -> None:
    """Stay in evaluation mode after the first validation."""
    training = True
    for step, (x, y) in enumerate(batches, start=1):
        _, dz = SoftmaxCrossEntropy()(net.forward(x, training=training), y)
        net.backward(dz)
        net.theta -= rate * net.dtheta
        if step % 20 == 0:
            training = False
            validate(net, training)


def saved_and_loaded(trained: Sequential, fresh: Sequential) -> Sequential:
    """Save the parameters without the running statistics."""
    saved = [dict(layer.params) for layer in trained.layers]
    for layer, params in zip(fresh.layers, saved, strict=True):
        for name in params:
            layer.params[name] = params[name]
    return fresh


def averaged(shadow: Sequential, thetas: Sequence[Floats], x_train: Floats) -> Sequential:
    """Average the parameters, and keep the statistics that the copy happens to have."""
    shadow.theta[...] = np.mean(thetas, axis=0)
    return shadow


def accumulated(net: Sequential, x: Floats, y: Integers, parts: int) -> Floats:
    """Add up the gradients of the parts of a batch as if they were that of the batch."""
    total = np.zeros_like(net.theta)
    for k in np.array_split(np.arange(len(x)), parts):
        backpropagate(net, x[k], y[k])
        total += net.dtheta * len(k) / len(x)
    return total


def loaded(net: Sequential, saved: Sequential) -> Sequential:
    """Leave a bias that the file doesn't have at its initial value."""
    for layer, old in zip(net.layers, saved.layers, strict=True):
        for name in old.params:
            layer.params[name] = old.params[name]
        if isinstance(layer, BatchNorm) and isinstance(old, BatchNorm):
            layer.set_statistics(old.running_mean, old.running_var)
    return net


#: The mistakes in the order of the gallery's riddles.
CASES: tuple[Callable[..., Any], ...] = (
    minus_epsilon,
    one_pass_variance,
    TrainsOnOne,
    stopped_gradient,
    plain_output_norm,
    mean_gradients,
    forgotten_gamma,
    NotFrozen,
    GuessedMode,
    UpdatedInEvaluation,
    SwappedDecay,
    DebiasedFromOne,
    BiasedRunningVariance,
    fold_without_epsilon,
    wrong_axis,
    epsilon_outside,
    unbiased_batch_variance,
    new_output_layer,
    train_and_validate,
    saved_and_loaded,
    averaged,
    accumulated,
    loaded,
)


def case(number: int) -> Any:
    """Return the mistake of that riddle, counted from 1."""
    return CASES[number - 1]


class _Bare(ast.NodeTransformer):
    """Take away what would give a riddle away or distract: names, docstrings, annotations."""

    def _body(self, node: Any) -> Any:
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    visit_ClassDef = _body  # noqa: N815

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self._body(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def listing(suspect: Callable[..., Any]) -> str:
    """Return the code of a mistake, called ``suspect``, without docstrings and annotations."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(suspect)))
    tree = ast.fix_missing_locations(_Bare().visit(tree))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    definition.name = "suspect" if isinstance(definition, ast.FunctionDef) else "Suspect"
    return "\n".join(_fitted(line) for line in ast.unparse(tree).splitlines())


def _fitted(line: str) -> str:
    """Take the brackets off a returned tuple; break a long line behind one that its end closes."""
    if not line.endswith(")"):
        return line
    start = line.lstrip()
    indent = " " * (len(line) - len(start))
    if start.startswith("return (") and _opening(start) == len("return "):
        line = f"{indent}return {start[8:-1]}"
    if len(line) <= WIDTH:
        return line
    k = _opening(line) + 1
    return f"{line[:k]}\n{indent}    {line[k:]}"


def _opening(line: str) -> int:
    """Return where the bracket is that the last character closes."""
    depth, k = 1, len(line) - 1
    while depth:
        k -= 1
        depth += (line[k] == ")") - (line[k] == "(")
    return k


def with_backward(backward: Callable[[Floats, BatchNormCache], Gradients]) -> type[BatchNorm]:
    """Return a layer that goes back by that function instead of `batch_norm_backward`."""

    class WithBackward(BatchNorm):
        """Batch norm with another backward pass."""

        def _backward(self, dz: Floats) -> Floats:
            assert self.cache is not None
            dz, self.grads["gamma"], self.grads["beta"] = backward(dz, self.cache)
            return dz

    return WithBackward


def network(kind: type[BatchNorm], rng: np.random.Generator, **options: Any) -> Sequential:
    """Return the book's ReLU network with layers of that kind in the place of `BatchNorm`."""
    return mlp(SIZES, ReLU, partial(kind, **options), rng=rng)


def trained(
    make: Callable[[np.random.Generator], Sequential],
    seed: int = 0,
    *,
    batch_size: int = BATCH_SIZE,
    optimizer: Optimizer | None = None,
) -> tuple[Sequential, float]:
    """Train for 300 steps on the digits, at rate 0.1 unless an optimiser is given.

    Parameters
    ----------
    make : callable
        Returns the network for a generator.
    seed : int
        Of weights and batches.
    batch_size : int
        Examples per batch.
    optimizer : Optimizer, optional
        Instead of gradient descent.

    Returns
    -------
    net : Sequential
    loss : float
        Mean training loss of the last 24 steps, in nats.
    """
    digits = load_digits()
    optimizer = GradientDescent(0.1) if optimizer is None else optimizer
    _take_down(seed, batch_size, learning_rate=optimizer.learning_rate)
    take_down(optimizer=type(optimizer).__name__)
    weights, order = np.random.default_rng(seed).spawn(2)
    net = make(weights)
    history = train(
        net,
        digits.x_train,
        digits.y_train,
        optimizer=optimizer,
        batch_size=batch_size,
        steps=STEPS,
        rng=order,
        drop_last=True,
    )
    return net, float(np.mean(history.loss[-24:]))


def _take_down(seed: int, batch_size: int = BATCH_SIZE, **more: Any) -> None:
    take_down(
        activation="ReLU",
        init="he",
        inputs=describe_inputs(load_digits().x_train),
        sizes="-".join(map(str, SIZES)),
        batch_size=batch_size,
        seed=seed,
        **{"steps": STEPS} | more,
    )


@cache
def _right(seed: int) -> tuple[Sequential, float]:
    """Train the book's network once; whoever changes it takes a copy."""
    return trained(partial(network, BatchNorm), seed)


def right_network(seed: int) -> tuple[Sequential, float]:
    """Return what `trained` makes with right batch norm, the network as a copy."""
    _take_down(seed, learning_rate=0.1)
    take_down(optimizer="GradientDescent")
    net, loss = _right(seed)
    return copy.deepcopy(net), loss


# --- What the gallery shows of each mistake, with the version at fault as an argument


@dataclass(frozen=True)
class Symptom:
    """What was measured of a mistake and beside it.

    Attributes
    ----------
    values : mapping of str to mapping of str to list of float
        By arm and by quantity, one number for each seed.
    card : Card, optional
    """

    values: Mapping[str, Mapping[str, list[float]]]
    card: Card | None = None

    def table(self, first: str, digits: Mapping[str, int], caption: str) -> Table:
        """Return a table: the median of each quantity, with the lowest and the highest.

        Parameters
        ----------
        first : str
            Head of the column of arms.
        digits : mapping of str to int
            Quantities to show, and the decimals of each.
        caption : str
            What the table shows.

        Returns
        -------
        Table
        """
        rows = [
            [arm, *(_span(found[quantity], shown) for quantity, shown in digits.items())]
            for arm, found in self.values.items()
        ]
        return Table(rows, {first: "", **dict.fromkeys(digits, "")}, caption, self.card)


def _span(values: Sequence[float], digits: int) -> str:
    if lost := int(np.isnan(values).sum()):
        return "nan" if lost == len(values) else f"nan in {lost} of {len(values)}"
    low, middle, high = (f"{f(values):.{digits}f}" for f in (np.min, np.median, np.max))
    return middle if low == high else f"{middle} ({low} to {high})"


def _collect(rows: Iterable[tuple[str, Mapping[str, float]]]) -> Symptom:
    values: dict[str, dict[str, list[float]]] = {}
    for arm, found in rows:
        for quantity, value in found.items():
            values.setdefault(arm, {}).setdefault(quantity, []).append(value)
    return Symptom(values)


def in_evaluation(net: Sequential) -> float:
    """Return the accuracy in evaluation mode."""
    digits = load_digits()
    return accuracy(net, digits.x_test, digits.y_test)


def _by_batch(net: Sequential) -> float:
    """Return the accuracy with the statistics of the whole test set, as in training mode."""
    digits = load_digits()
    logits = layer_outputs(net, digits.x_test, statistics="batch")[-1]
    return float(np.mean(logits.argmax(axis=1) == digits.y_test))


def by_parts(net: Sequential, size: int, *, sorted_by_digit: bool = False) -> float:
    """Return the accuracy in evaluation mode when so many test images come at a time.

    Parameters
    ----------
    net : Sequential
    size : int
        Images at a time.
    sorted_by_digit : bool
        Whether they come by digit, or shuffled.

    Returns
    -------
    float
        From 0 to 1.
    """
    digits = load_digits()
    order = (
        np.argsort(digits.y_test, kind="stable")
        if sorted_by_digit
        else np.random.default_rng(0).permutation(len(digits.y_test))
    )
    parts = np.split(order, range(size, len(order), size))
    right = [
        net.forward(digits.x_test[k], training=False).argmax(axis=1) == digits.y_test[k]
        for k in parts
    ]
    return float(np.concatenate(right).mean())


BOTH = "Both in the same program, from the same weights, with the same batches."


def minus_epsilon_seen(version: Callable[..., Forward]) -> list[list[Any]]:
    """Return, for some deviations of the input, the variance of the output."""
    base = np.resize([-1.0, 1.0], (64, 1))  # mean 0, standard deviation 1
    one, zero = np.ones(1), np.zeros(1)
    rows = []
    for sd in (1.0, 0.01, 0.001):
        with np.errstate(invalid="ignore"):
            out, _ = version(sd * base, one, zero, 1e-5)
        rows.append([sd, float(batch_norm(sd * base, one, zero, 1e-5)[0].var()), float(out.var())])
    return rows


def one_pass_seen(version: Callable[..., Forward]) -> list[list[Any]]:
    """Return, for two means in float32, the variances found, in tens, and the share of NaN."""
    units = np.ones(200, np.float32)
    rows = []
    for mean in (0, 10_000):
        z = np.random.default_rng(0).normal(mean, 1.0, (64, 200)).astype(np.float32)
        with np.errstate(invalid="ignore"):
            out, found = version(z, units, 0 * units, np.float32(1e-5))
        true = z.astype(float).var(axis=0)
        low, high = (f"{v:.0f}" for v in (found.var.min().round(-1), found.var.max().round(-1)))
        share = float(np.isnan(out).any(axis=0).mean())
        rows.append(
            [f"{mean:,}", f"{true.min():.1f} to {true.max():.1f}"]
            + [
                f"{low} to {high}".replace("-", "\N{MINUS SIGN}"),
                "more than a third" if share > 1 / 3 else "none",
            ]
        )
    return rows


def last_one_seen(version: type[BatchNorm]) -> list[list[Any]]:
    """Return, for the batches of 193 examples, whether training and evaluation are finite."""
    x, layer = np.random.default_rng(0).normal(size=(193, 3)), version(3)
    rows = []
    for start in (0, 64, 128, 192, 0):
        with np.errstate(invalid="ignore"):
            out = layer.forward(x[start : start + 64], training=True)
        alone = layer.forward(x[:1], training=False)
        finite = ("finite" if np.isfinite(a).all() else "nan" for a in (out, alone))
        rows.append([start + 1, len(out), *finite])
    return rows


@measured(
    "Does the network learn with this backward pass?",
    BOTH,
    "Training mode: the mean loss of the last 24 batches.",
)
def stalls(version: Callable[..., Gradients]) -> Symptom:
    """Train with the right backward pass and with this one; say what Σ dz is, too."""
    rng = np.random.default_rng(0)
    _, found = batch_norm(rng.normal(size=(64, 3)), np.ones(3), np.zeros(3), 1e-5)
    dz_tilde = rng.normal(size=(64, 3))

    def of(name: str, seed: int) -> dict[str, float]:
        right = name == "right"
        backward = batch_norm_backward if right else version
        make = partial(network, with_backward(backward))
        _, loss = right_network(seed) if right else trained(make, seed)
        dz = backward(dz_tilde, found)[0]
        return {"training loss": loss, "largest |Σ dz|": float(np.abs(dz.sum(axis=0)).max())}

    return _collect((name, of(name, seed)) for name in ("right", "suspect") for seed in SEEDS)


@measured(
    "Can a classifier be sure whose logits are normalised?",
    BOTH,
    "The loss in training mode, over the last 24 batches; accuracy and logits in evaluation mode.",
)
def unsure(version: Callable[..., Sequential]) -> Symptom:
    """Train the book's network and the version's."""
    x = load_digits().x_test

    def of(name: str, seed: int) -> dict[str, float]:
        make = partial(version, SIZES)
        net, loss = right_network(seed) if name == "right" else trained(make, seed)
        sd = float(net.forward(x, training=False).std())
        return {"test accuracy": in_evaluation(net), "training loss": loss, "sd of the logits": sd}

    return _collect((name, of(name, seed)) for name in ("right", "suspect") for seed in SEEDS)


@measured(
    "How far do the scales γ move from 1, and does the rule matter?",
    "Both by plain gradient descent, and both by Adam, which divides by the gradient's size.",
    "Training mode: the mean loss of the last 24 batches.",
)
def hardly_move(version: Callable[..., Gradients]) -> Symptom:
    """Train with both backward passes, by gradient descent and by Adam."""

    def of(name: str, rule: str, seed: int) -> dict[str, float]:
        optimizer = Adam(0.001) if rule == "Adam" else GradientDescent(0.1)
        kind = BatchNorm if name == "right" else with_backward(version)
        if (name, rule) == ("right", "descent"):
            net, loss = right_network(seed)
        else:
            net, loss = trained(partial(network, kind), seed, optimizer=optimizer)
        gamma = np.concatenate([layer.params["gamma"] for layer in net.batch_norms])
        return {"γ moved by": float(np.sqrt(np.mean((gamma - 1) ** 2))), "training loss": loss}

    return _collect(
        (f"{rule}, {name}", of(name, rule, seed))
        for rule in ("descent", "Adam")
        for name in ("right", "suspect")
        for seed in SEEDS
    )


def gradient_check_seen(version: Callable[..., Gradients]) -> list[list[Any]]:
    """Return, for two γ, the relative error of the gradient, to a power of ten."""
    digits, rng = load_digits(), np.random.default_rng(0)
    net = Sequential([Dense(64, 6, rng=rng), with_backward(version)(6), Dense(6, 10, rng=rng)])
    rows = []
    for gamma in (1, 3):
        net.layers[1].params["gamma"][...] = gamma
        error = gradient_check(net, digits.x_train[:20], digits.y_train[:20])
        rows.append([gamma, "below 1e-6" if error < 1e-6 else f"{error:.1f}"])
    return rows


@measured(
    "Does the accuracy depend on how many test images come at a time?",
    "The same images all at once, and the right layer.",
    "Evaluation mode, as it is asked for; the test images shuffled.",
)
def alone_nonsense(version: type[BatchNorm]) -> Symptom:
    """Evaluate with many test images at a time, and with one."""

    def of(net: Sequential) -> dict[str, float]:
        return {f"{size} at a time": by_parts(net, size) for size in (360, 60, 1)}

    return _beside_right(version, of)


def _beside_right(
    version: type[BatchNorm], of: Callable[[Sequential], Mapping[str, float]]
) -> Symptom:
    rows = [("right", of(right_network(seed)[0])) for seed in SEEDS]
    nets = (trained(partial(network, version), seed)[0] for seed in SEEDS)
    return _collect(rows + [("suspect", of(net)) for net in nets])


@measured(
    "Does the accuracy depend on the company in which the test images come?",
    "The right layer, and one image at a time.",
    "Evaluation mode, as it is asked for.",
)
def company_changes(version: type[BatchNorm]) -> Symptom:
    """Evaluate alone, in shuffled batches and in sorted ones."""

    def of(net: Sequential) -> dict[str, float]:
        return {
            "one at a time": by_parts(net, 1),
            "36 at a time": by_parts(net, 36),
            "36, by digit": by_parts(net, 36, sorted_by_digit=True),
        }

    return _beside_right(version, of)


@measured(
    "Does asking change the answers?",
    "The right layer, asked the same.",
    "Evaluation mode, as it is asked for.",
)
def asked_twice(version: type[BatchNorm]) -> Symptom:
    """Ask about four images twice, and take the accuracy in two orders, one after the other."""
    x = load_digits().x_test[:4]

    def of(net: Sequential) -> dict[str, float]:
        first, again = (net.forward(x, training=False) for _ in range(2))
        return {
            "logits move by": float(np.abs(again - first).max()),
            "accuracy, shuffled": by_parts(net, 12),
            "then, by digit": by_parts(net, 12, sorted_by_digit=True),
        }

    return _beside_right(version, of)


@measured(
    "Does the network predict as well as it trains, at a decay of 0.99?",
    "The same with large batches, whose statistics differ little.",
    "The loss in training mode, over the last 24 batches; the accuracy in evaluation mode.",
)
def predicts_worse(version: type[BatchNorm]) -> Symptom:
    """Train with both layers on two sizes of batches."""

    def of(kind: type[BatchNorm], size: int, seed: int) -> dict[str, float]:
        net, loss = trained(partial(network, kind, decay=0.99), seed, batch_size=size)
        return {"training loss": loss, "test accuracy": in_evaluation(net)}

    kinds: dict[str, type[BatchNorm]] = {"right": BatchNorm, "suspect": version}
    return _collect(
        (f"batches of {size}: {name}", of(kind, size, seed))
        for size in (60, 8)
        for name, kind in kinds.items()
        for seed in SEEDS
    )


def debias_seen(version: Callable[[float], Any]) -> list[list[Any]]:
    """Return the averages of a constant 0.5 after some steps."""
    shown = (1, 5, 100, 300)
    rows = []
    for name, average in (("right", ExponentialMovingAverage(0.99)), ("suspect", version(0.99))):
        values = [float(average.update(0.5)) for _ in range(max(shown))]
        rows.append([name, *(values[t - 1] for t in shown)])
    return rows


def biased_seen(version: type[BatchNorm]) -> list[list[Any]]:
    """Return, for sizes of batches, what the copy's outputs are over the original's."""
    rows = []
    for m in (2, 8, 64):
        layers = [BatchNorm(1, decay=None), version(1, decay=None)]
        for z in np.random.default_rng(0).normal(size=(100, m, 1)):
            original, other = (layer.forward(z, training=True).std() for layer in layers)
        evaluated, copied = (layer.forward(z, training=False).std() for layer in layers)
        rows.append([m, m / (m - 1), float(other / original), float(copied / evaluated)])
    return rows


def fold_seen(version: Callable[[Dense, BatchNorm], Dense]) -> list[list[Any]]:
    """Return, for three units, the running variance and the errors of the folded layers."""
    rng = np.random.default_rng(0)
    dense, norm, x = Dense(4, 3, rng=rng), BatchNorm(3), 0.03 * rng.normal(size=(64, 4))
    dense.params["w"] *= np.array([[1.0], [0.6], [0.3]])
    z = dense.forward(x, training=False)
    norm.set_statistics(z.mean(axis=0), z.var(axis=0))
    expected = norm.forward(z, training=False)
    errors = [
        np.abs(fold(dense, norm).forward(x, training=False) - expected).max(axis=0)
        for fold in (fold_batch_norm, version)
    ]
    return [
        [k + 1, float(norm.running_var[k]), *(float(error[k]) for error in errors)]
        for k in range(3)
    ]


def means_seen(version: Callable[..., Forward]) -> list[list[Any]]:
    """Return the means of three units over a batch, after the right layer and this one."""
    z = np.random.default_rng(0).normal([1.0, -5.0, 100.0], [0.01, 1.0, 30.0], (64, 3))
    return [
        [
            name,
            *(
                float(mean)
                for mean in f(z, np.ones(3), np.zeros(3), 1e-5)[0].mean(axis=0).round(2) + 0
            ),
        ]
        for name, f in (("right", batch_norm), ("suspect", version))
    ]


def quiet_seen(version: Callable[..., Forward]) -> list[list[Any]]:
    """Return, for deviations of the input, those of the output, and their ratio."""
    rows = []
    for sd in (1.0, 1e-3, 1e-5):
        unit = sd * np.array([[-1.0], [1.0]])
        right, other = (
            float(f(unit, np.ones(1), np.zeros(1), 1e-5)[0].std()) for f in (batch_norm, version)
        )
        rows.append([sd, right, other, other / right])
    return rows


def small_batch_seen(version: Callable[..., Forward]) -> list[list[Any]]:
    """Return, for sizes of batches, the variance of the output."""
    rows = []
    for m in (2, 8, 64):
        z = np.random.default_rng(0).normal(size=(m, 1))
        variances = (
            float(f(z, np.ones(1), np.zeros(1), 0.0)[0].var()) for f in (batch_norm, version)
        )
        rows.append([m, *variances])
    return rows


class Unrefusing(BatchNorm):
    """Answer before any training batch, with means 0 and variances 1, as PyTorch and Keras do."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.batches_seen = 1


def _batches(
    rng: np.random.Generator, steps: int, of: Callable[[Floats], Floats] = lambda x: x
) -> Iterator[tuple[Floats, Integers]]:
    digits = load_digits()
    for _ in range(steps):
        k = rng.choice(len(digits.x_train), BATCH_SIZE, replace=False)
        yield of(digits.x_train[k]), digits.y_train[k]


def negative(x: Floats) -> Floats:
    """Return the images with dark and light exchanged."""
    return 1 - x


@measured(
    "Is a network as good as before on the images it was trained on, when a new output layer "
    "has been trained on others?",
    "The network before.",
    "Evaluation mode.",
)
def forgets(version: Callable[..., None]) -> Symptom:
    """Train a new output layer on negatives, then put the old one back."""
    digits = load_digits()

    def of(seed: int) -> Iterator[tuple[str, dict[str, float]]]:
        net = right_network(seed)[0]
        before, last = net.theta.copy(), net.layers[-1]
        size = sum(last.params[name].size for name in last.params)
        yield (
            "before",
            {
                "accuracy": in_evaluation(net),
                "on negatives": accuracy(net, negative(digits.x_test), digits.y_test),
                "hidden parameters moved by": 0.0,
            },
        )
        version(net, _batches(np.random.default_rng(seed), 100, negative), 0.1)
        moved = float(np.abs(net.theta - before)[:-size].max())
        on_negatives = accuracy(net, negative(digits.x_test), digits.y_test)
        net.theta[-size:] = before[-size:]
        yield (
            "after",
            {
                "accuracy": in_evaluation(net),
                "on negatives": on_negatives,
                "hidden parameters moved by": moved,
            },
        )

    return _collect(row for seed in SEEDS for row in of(seed))


def _validate_nothing(net: Sequential, training: bool) -> None:
    net.forward(load_digits().x_test, training=training)


@measured(
    "What becomes of a training run when its set is validated every 20 steps?",
    "The same run without validation.",
    "The accuracy in evaluation mode, after 150 steps.",
)
def after_validation(version: Callable[..., None]) -> Symptom:
    """Train at two rates, without validation and with it."""

    def of(rate: float, validated: bool, seed: int) -> dict[str, float]:
        _take_down(seed, learning_rate=rate, steps=150)
        weights, order = np.random.default_rng(seed).spawn(2)
        net, batches = network(BatchNorm, weights), _batches(order, 150)
        if validated:
            with np.errstate(over="ignore", invalid="ignore"):
                version(net, batches, rate, _validate_nothing)
        else:
            for x, y in batches:
                backpropagate(net, x, y)
                net.theta -= rate * net.dtheta
        logits = net.forward(load_digits().x_test, training=False)
        return {
            "batches averaged": float(net.batch_norms[0].batches_seen),
            "largest logit": float(np.abs(logits).max()),
            "test accuracy": float(np.mean(logits.argmax(axis=1) == load_digits().y_test)),
        }

    return _collect(
        (
            f"rate {rate:g}: {'validated' if validated else 'not validated'}",
            of(rate, validated, seed),
        )
        for rate in (0.1, 1.0)
        for validated in (False, True)
        for seed in SEEDS
    )


@measured(
    "Does a network answer as it did when it has been saved and loaded?",
    "The network before it was saved; and the loaded one with the statistics of the test batch.",
    "As the columns say: evaluation mode, and the statistics of the test batch.",
)
def after_loading(version: Callable[..., Sequential]) -> Symptom:
    """Save a trained network and load it into a fresh one."""

    def of(seed: int) -> Iterator[tuple[str, dict[str, float]]]:
        net = right_network(seed)[0]
        fresh = version(net, network(Unrefusing, np.random.default_rng(100 + seed)))
        for name, shown in (("before", net), ("loaded", fresh)):
            yield (
                name,
                {"evaluation mode": in_evaluation(shown), "batch statistics": _by_batch(shown)},
            )

    return _collect(row for seed in SEEDS for row in of(seed))


@measured(
    "Is the average of a network's parameters over the end of training as good as the last ones?",
    "The last parameters; and the average by the right function.",
    "Evaluation mode.",
)
def after_averaging(version: Callable[..., Sequential]) -> Symptom:
    """Average the parameters of every tenth of the last 150 steps in a copy made at the start."""
    x_train = load_digits().x_train

    def of(seed: int) -> Iterator[tuple[str, dict[str, float]]]:
        _take_down(seed, learning_rate=0.1)
        weights, order = np.random.default_rng(seed).spawn(2)
        net = network(Unrefusing, weights)
        shadow, thetas = copy.deepcopy(net), []
        for step, (x, y) in enumerate(_batches(order, STEPS), start=1):
            backpropagate(net, x, y)
            net.theta -= 0.1 * net.dtheta
            if step > STEPS // 2 and step % 10 == 0:
                thetas.append(net.theta.copy())
        right = copy.deepcopy(net)
        right.theta[...] = np.mean(thetas, axis=0)
        set_statistics(right, population_statistics(right, x_train))
        for name, shown in (
            ("last parameters", net),
            ("average, right", right),
            ("average, suspect, copy made at the start", version(shadow, thetas, x_train)),
            (
                "average, suspect, copy made at the end",
                version(copy.deepcopy(net), thetas, x_train),
            ),
        ):
            yield name, {"test accuracy": in_evaluation(shown)}

    return _collect(row for seed in SEEDS for row in of(seed))


@measured(
    "Is a batch of 60 that is computed in 15 parts of 4 the same as one of 60?",
    "The whole batch; and both without batch norm.",
    "The loss in training mode, over the last 24 of 75 steps; the accuracy in evaluation mode.",
)
def in_parts(version: Callable[..., Floats]) -> Symptom:
    """Train with whole batches and with accumulated gradients, with and without batch norm."""

    def of(batch_norm: bool, parts: int, seed: int) -> dict[str, float]:
        _take_down(seed, learning_rate=0.1, steps=75)
        weights, order = np.random.default_rng(seed).spawn(2)
        net = mlp(SIZES, ReLU, BatchNorm if batch_norm else None, rng=weights)
        losses, error = [], 0.0
        for step, (x, y) in enumerate(_batches(order, 75)):
            if step == 0:
                whole, found = accumulated(net, x, y, 1), version(net, x, y, parts)
                error = float(np.linalg.norm(found - whole) / np.linalg.norm(whole))
            net.theta -= 0.1 * version(net, x, y, parts)
            if step >= 51:
                logits = layer_outputs(net, x, statistics="batch")[-1]
                losses.append(SoftmaxCrossEntropy()(logits, y)[0])
        return {
            "first gradient, off by": error,
            "loss of the batch": float(np.mean(losses)),
            "test accuracy": in_evaluation(net),
        }

    return _collect(
        (f"{norm} batch norm, {parts} at a time", of(norm == "with", 60 // parts, seed))
        for norm in ("without", "with")
        for parts in (60, 4)
        for seed in SEEDS
    )


#: How the biases in front of batch norm may have started, by name.
STARTS: dict[str, Callable[[np.random.Generator, int, int], Floats]] = {
    "uniform, ±1/√n": lambda rng, n_in, n: rng.uniform(-(n_in**-0.5), n_in**-0.5, n),
    "all 0.2": lambda rng, n_in, n: np.full(n, 0.2),
    "normal, sd 1": lambda rng, n_in, n: rng.normal(size=n),
}


@measured(
    "Does a network without biases answer as it did when it is loaded into one that has them?",
    "The network before; and the loaded one with the statistics of the test batch.",
    "As the columns say: evaluation mode, and the statistics of the test batch.",
)
def with_biases(version: Callable[..., Sequential]) -> Symptom:
    """Load a trained network into one whose biases in front of batch norm started somewhere."""

    def of(seed: int) -> Iterator[tuple[str, dict[str, float]]]:
        saved = right_network(seed)[0]
        shown = {"before": saved}
        for name, start in STARTS.items():
            rng = np.random.default_rng(seed)
            net = mlp(SIZES, ReLU, BatchNorm, bias=True, rng=rng)
            for layer in net.layers[:-1]:
                if isinstance(layer, Dense):
                    n, n_in = layer.w.shape
                    layer.params["b"] = start(rng, n_in, n)
            shown[f"b {name}"] = version(net, saved)
        for name, net in shown.items():
            yield name, {"evaluation mode": in_evaluation(net), "batch statistics": _by_batch(net)}

    return _collect(row for seed in SEEDS for row in of(seed))

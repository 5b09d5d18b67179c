"""Every public function against a catalogue of wrong arguments.

`CATALOGUE` says, for each public function, constructor and method, how it is called rightly, and
which wrong values each of its parameters has (`hostile.py`). Each of them must end in a ValueError
or TypeError that names the parameter, what was expected and what came, and must leave everything
that was passed, the object itself and the generator included, as it was.
"""

from __future__ import annotations

import inspect
import pickle
import re
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import bncourse
from bncourse import (
    Adam,
    BatchNorm,
    BatchNormCache,
    CumulativeAverage,
    Dense,
    ExponentialMovingAverage,
    GradientDescent,
    History,
    LeakyReLU,
    MiniBatches,
    Momentum,
    ReLU,
    Residual,
    RMSprop,
    Run,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Statistics,
    SweepResult,
    Tanh,
    fold_batch_norm,
    mlp,
    population_statistics,
    set_statistics,
)

from . import hostile
from .hostile import Bad

M, N = 6, 4


def rng():
    return np.random.default_rng(0)


def batch(width=N):
    return np.random.default_rng(1).normal(size=(M, width))


def labels():
    return np.array([0, 1, 1, 0, 1, 0])


def vector(n=N):
    return np.random.default_rng(2).gamma(2.0, size=n)


def network():
    net = mlp((N, 3, 2), Sigmoid, rng=rng())
    net.forward(batch(), training=True)
    return net


def prepared(layer, width=N):
    layer.forward(batch(width), training=True)
    return layer


def dense():
    return prepared(Dense(N, 2, rng=rng()))


def residual():
    return prepared(Residual([Dense(N, N, rng=rng())]))


def cache():
    return bncourse.batch_norm(batch(), vector(), vector(), 1e-5)[1]


def averaged(average):
    average.update(np.ones(3))
    return average


def stepped(optimizer):
    optimizer.step(vector(), vector())
    return optimizer


def recorded():
    return History([1.0, 0.5], [1, 2], {"accuracy": [0.5, 0.75]})


def run_of_a_sweep(seed, **settings):
    return seed + sum(settings.values())


def constant_metric(net):
    return 1.0


def never(history):
    return False


class Subject(NamedTuple):
    """A public callable: the right arguments, the wrong ones, and what it is called on."""

    arguments: Callable[[], dict[str, Any]]
    bad: dict[str, Bad]
    #: Makes the object whose method is called; None for functions and constructors.
    on: Callable[[], Any] | None
    #: Parameters that are changed, as documented, and "self".
    changes: frozenset[str]


def subject(on: Any = None, changes: Any = (), **parameters: Any) -> Subject:
    """Each parameter is given as (its wrong values, a function that makes the right one)."""
    return Subject(
        lambda: {name: make() for name, (_, make) in parameters.items()},
        {name: bad for name, (bad, _) in parameters.items()},
        on,
        frozenset(changes),
    )


def always(value):
    return lambda: value


NET = (hostile.NETWORK, network)
X, ANY_X = (hostile.batches(N), batch), (hostile.batches(), batch)
Y = (hostile.LABELS, labels)
GRADIENT = (hostile.exactly(M, N), batch)
GENERATOR = (hostile.GENERATOR, rng)
FLAG = (hostile.FLAG, always(True))
DZ = {"dz": (hostile.exactly(M, 2), lambda: batch(2)), "need_input_gradient": FLAG}
OFF = (hostile.FLAG, always(False))
DTYPE = (hostile.DTYPE, always(np.float64))
SIZE = (hostile.counts(), always(2))
SHARE = (hostile.SHARE, always(0.5))
SHARE_OR_NONE = (hostile.or_none(hostile.SHARE), always(0.5))
POSITIVE = (hostile.ABOVE_ZERO, always(1e-3))
FROM_ZERO = (hostile.FROM_ZERO, always(0.5))
LOSS = (hostile.or_none(hostile.FUNCTION), SoftmaxCrossEntropy)
VECTOR = (hostile.exactly(N), vector)
WORDS = hostile.WORD
AVERAGED = {"x": (hostile.REAL, lambda: np.arange(3.0))}
EIGENVALUES = subject(eigenvalues=(hostile.EIGENVALUES, vector))
CHECK = subject(net=NET, x=X, y=Y, loss=LOSS, step=POSITIVE, training=FLAG)


def activation(make: Any) -> dict[str, Subject]:
    return {
        f"{make.__name__}.forward": subject(
            lambda: prepared(make()), ["self"], x=ANY_X, training=FLAG
        ),
        f"{make.__name__}.backward": subject(
            lambda: prepared(make()), ["self"], dz=GRADIENT, need_input_gradient=FLAG
        ),
    }


def optimizer(make: Any, **parameters: Any) -> dict[str, Subject]:
    vectors = {"theta": VECTOR, "dtheta": VECTOR}
    on = lambda: stepped(make(0.1))  # noqa: E731
    return {
        make.__name__: subject(learning_rate=POSITIVE, **parameters),
        f"{make.__name__}.step": subject(on, ["self", "theta"], **vectors),
        f"{make.__name__}.check_fit": subject(on, ["theta"], **vectors),
        f"{make.__name__}.belong_to": subject(lambda: make(0.1), ["self"], network=NET),
    }


CATALOGUE: dict[str, Subject] = {
    **optimizer(GradientDescent),
    **optimizer(Momentum, decay=SHARE),
    **optimizer(RMSprop, decay=SHARE, epsilon=POSITIVE),
    **optimizer(Adam, beta1=SHARE, beta2=SHARE, epsilon=POSITIVE),
    "Optimizer": subject(learning_rate=POSITIVE),
    **activation(ReLU),
    **activation(LeakyReLU),
    **activation(Sigmoid),
    **activation(Tanh),
    "LeakyReLU": subject(slope=(hostile.SLOPE, always(0.5))),
    "BatchNorm": subject(
        n=SIZE,
        epsilon=FROM_ZERO,
        decay=SHARE_OR_NONE,
        unbiased=FLAG,
        dtype=DTYPE,
        affine=FLAG,
    ),
    "BatchNorm.forward": subject(lambda: prepared(BatchNorm(N)), ["self"], x=X, training=FLAG),
    "BatchNorm.backward": subject(
        lambda: prepared(BatchNorm(N)), ["self"], dz=GRADIENT, need_input_gradient=FLAG
    ),
    "BatchNorm.set_statistics": subject(
        lambda: BatchNorm(N),
        ["self"],
        mean=(hostile.MEANS, vector),
        var=(hostile.VARIANCES, vector),
    ),
    "Dense": subject(
        n_in=SIZE,
        n_out=SIZE,
        bias=FLAG,
        init=(WORDS, always("he")),
        gain=FROM_ZERO,
        rng=(hostile.or_none(hostile.GENERATOR), rng),
        dtype=DTYPE,
    ),
    "Dense.forward": subject(dense, ["self"], x=X, training=FLAG),
    "Dense.backward": subject(dense, ["self"], **DZ),
    "Sequential": subject(
        None, ["layers"], layers=(hostile.LAYERS, lambda: [Dense(N, 2, rng=rng()), ReLU()])
    ),
    "Residual": subject(
        None,
        ["layers"],
        layers=(
            hostile.LAYERS | {"of two widths": (lambda: [Dense(N, 2)], ValueError)},
            lambda: [Dense(N, N, rng=rng()), ReLU()],
        ),
    ),
    "Residual.forward": subject(residual, ["self"], x=X, training=FLAG),
    "Residual.backward": subject(residual, ["self"], dz=GRADIENT, need_input_gradient=FLAG),
    "Sequential.forward": subject(network, ["self"], x=X, training=FLAG),
    "Sequential.backward": subject(network, ["self"], **DZ),
    "mlp": subject(
        sizes=(hostile.WIDTHS, always((N, 3, 2))),
        activation=(hostile.LAYER_TYPE, always(ReLU)),
        norm=(hostile.or_none(hostile.LAYER_TYPE), always(BatchNorm)),
        norm_position=(WORDS, always("a")),
        bias=(hostile.or_none(hostile.FLAG), always(True)),
        init=(WORDS, always("lecun")),
        gain=FROM_ZERO,
        rng=GENERATOR,
        dtype=DTYPE,
    ),
    "SoftmaxCrossEntropy.__call__": subject(SoftmaxCrossEntropy, z=ANY_X, y=Y),
    "batch_norm": subject(z=ANY_X, gamma=VECTOR, beta=VECTOR, epsilon=FROM_ZERO),
    "batch_norm_backward": subject(dz_tilde=GRADIENT, cache=(hostile.CACHE, cache)),
    "fold_batch_norm": subject(
        dense=(hostile.DENSE, lambda: Dense(N, 3, rng=rng())),
        norm=(hostile.BATCH_NORM, lambda: network().batch_norms[0]),
    ),
    "MiniBatches": subject(
        x=ANY_X,
        y=(hostile.UNLIMITED_LABELS, labels),
        batch_size=(hostile.counts(high=M), always(2)),
        rng=GENERATOR,
        shuffle=FLAG,
        drop_last=FLAG,
    ),
    "load_digits": subject(seed=(hostile.counts(0), always(0)), standardized=FLAG, dtype=DTYPE),
    "load_mnist1d": subject(standardized=FLAG),
    "standardize": subject(x_train=ANY_X),
    "whiten": subject(x_train=ANY_X),
    "two_features": subject(
        m=(hostile.counts(3), always(5)),
        scale=POSITIVE,
        correlation=(hostile.CORRELATION, always(0.5)),
        rng=GENERATOR,
    ),
    "initial_weights": subject(
        rng=GENERATOR, n_out=SIZE, n_in=SIZE, init=(WORDS, always("xavier"))
    ),
    "ExponentialMovingAverage": subject(decay=SHARE, bias_correction=FLAG),
    "ExponentialMovingAverage.update": subject(
        lambda: averaged(ExponentialMovingAverage(0.5)), ["self"], **AVERAGED
    ),
    "CumulativeAverage.update": subject(
        lambda: averaged(CumulativeAverage()), ["self"], **AVERAGED
    ),
    "layer_outputs": subject(net=NET, x=X, statistics=(WORDS, always("running"))),
    "population_statistics": subject(
        net=NET, x=X, batch_size=(hostile.or_none(hostile.counts(2, M)), always(3))
    ),
    "set_statistics": subject(
        None,
        ["net"],
        net=NET,
        statistics=(hostile.STATISTICS, lambda: population_statistics(network(), batch())),
    ),
    "preserve_statistics": subject(net=NET),
    "gradient_check": CHECK,
    "gradient_errors": CHECK,
    "loss_and_gradient": subject(net=NET, x=X, y=Y, loss=LOSS),
    "walk_along_gradient": subject(net=NET, x=X, y=Y, steps=(hostile.STEPS, vector), loss=LOSS),
    "gram_spectrum": subject(a=ANY_X, centred=FLAG),
    "max_over_median": EIGENVALUES,
    "condition_number": EIGENVALUES,
    "gauss_newton_spectrum": subject(net=NET, x=X),
    "accuracy": subject(net=NET, x=X, y=Y),
    "train": subject(
        None,
        ["net", "optimizer", "history"],
        net=NET,
        x=X,
        y=Y,
        loss=LOSS,
        optimizer=(hostile.OPTIMIZER, lambda: GradientDescent(0.1)),
        batch_size=(hostile.counts(2, M), always(3)),
        epochs=({"beside steps": (always(3), ValueError)}, always(None)),
        steps=(hostile.counts(0), always(3)),
        rng=GENERATOR,
        metrics=(hostile.METRICS, lambda: {"one": constant_metric}),
        every=(hostile.counts(), always(2)),
        stop=(hostile.or_none(hostile.FUNCTION), always(never)),
        after_backward=(hostile.or_none(hostile.FUNCTION), always(constant_metric)),
        after_step=(hostile.or_none(hostile.FUNCTION), always(never)),
        history=(hostile.HISTORY, History),
        shuffle=FLAG,
        drop_last=FLAG,
        progress=OFF,
    ),
    "History.first_step": subject(
        recorded,
        metric=({}, always("accuracy")),
        at_least=(hostile.ANY_NUMBER, always(0.6)),
    ),
    "sweep": subject(
        run=(hostile.FUNCTION, always(run_of_a_sweep)),
        grid=(hostile.GRID, lambda: {"a": [1, 2], "b": (3,)}),
        seeds=(hostile.SEEDS, lambda: [0, 1]),
        executor=(hostile.EXECUTOR, always(None)),
        progress=OFF,
    ),
}

#: Constructors that hold what they are given, as tuples and dataclasses do, or take nothing, and
#: methods whose arguments may be anything, with what they do then in a test of its own below.
UNCHECKED = {
    "BatchNormCache",
    "CumulativeAverage",
    "Digits",
    "GradientWalk",
    "History",
    "Layer",
    "Loss",
    "Loss.__call__",
    "Parameters",
    "ReLU",
    "Run",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Statistics",
    "SweepResult",
    "SweepResult.median",
    "SweepResult.select",
    "Tanh",
}


def callable_named(name: str) -> Any:
    owner, _, method = name.partition(".")
    found = getattr(bncourse, owner)
    return getattr(found, method) if method else found


def public_callables() -> set[str]:
    """Return all names in `bncourse.__all__`, and the public methods that their classes define."""
    names = set(bncourse.__all__)
    for owner in bncourse.__all__:
        kind = getattr(bncourse, owner)
        if not inspect.isclass(kind) or owner in ("Layer", "Parameters", "Optimizer"):
            continue
        methods = inspect.getmembers(kind, inspect.isfunction)
        names |= {
            f"{owner}.{name}"
            for name, method in methods
            if (name == "__call__" or not name.startswith("_"))
            and method.__module__.startswith("bncourse")
        }
    return names


def test_the_catalogue_is_complete():
    assert CATALOGUE.keys() | UNCHECKED == public_callables()
    assert not CATALOGUE.keys() & UNCHECKED


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_parameter_is_in_the_catalogue(name):
    parameters = inspect.signature(callable_named(name)).parameters.values()
    named = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.name != "self"}
    # *others of standardize and whiten has tests of its own.
    assert named - {"others"} <= CATALOGUE[name].bad.keys()
    passed_on = any(p.kind is p.VAR_KEYWORD for p in parameters)
    assert passed_on or named - {"others"} == CATALOGUE[name].bad.keys()


def the_global_generator() -> bytes:
    return pickle.dumps(np.random.get_state())  # noqa: NPY002


class Call:
    """A right call, of which one argument can be replaced by another value."""

    def __init__(self, name: str) -> None:
        self.subject = CATALOGUE[name]
        self.arguments = self.subject.arguments()
        method = name.partition(".")[2]
        self.owner = self.subject.on() if self.subject.on else None
        self.function = callable_named(name) if not method else getattr(self.owner, method)

    def __call__(self, **changed: Any) -> Any:
        result = self.function(**self.arguments | changed)
        if hasattr(result, "__enter__"):
            with result:
                return None
        return result

    def state(self, *left_out: str) -> dict[str, bytes]:
        everything = {"self": self.owner, **self.arguments}
        return {name: snapshot(v) for name, v in everything.items() if name not in left_out}


def snapshot(value: Any) -> bytes:
    """Return what decides later results, as bytes. Of a network, caches don't."""
    if isinstance(value, Sequential):
        kept = [value.theta, value.dtheta] + [
            v
            for la in value.batch_norms
            for v in (la.running_mean, la.running_var, la.batches_seen)
        ]
        return pickle.dumps([np.array(v) for v in kept])
    if isinstance(value, np.random.Generator):
        return pickle.dumps(value.bit_generator.state)
    return pickle.dumps(value)


CASES = [(name, parameter) for name, about in CATALOGUE.items() for parameter in about.bad]


@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_wrong_arguments_are_named_and_nothing_changes(name, parameter):
    # An argument that does not fit another one may be told by the other's name.
    names = "|".join([*CATALOGUE[name].bad, "theta"])
    call = Call(name)
    before, globally = call.state(), the_global_generator()
    for label, (make, error) in CATALOGUE[name].bad[parameter].items():
        bad = make()
        with pytest.raises(error) as caught:
            call(**{parameter: bad})
        message = str(caught.value)
        assert parameter in message or label == "of another size", (label, message)
        assert re.match(rf"(.*\b({names})\b.*: )?expected .* got ", message), (label, message)
        if isinstance(bad, (bool, int, float, str)) and len(str(bad)) < 40:
            assert str(bad) in message or type(bad).__name__ in message, (label, message)
        assert call.state() == before, label
    assert the_global_generator() == globally


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_is_not_a_parameter_is_refused(name):
    call = Call(name)
    before = call.state()
    with pytest.raises(TypeError):
        call(momentum=0.9)
    assert call.state() == before


def numbers(result: Any) -> list[Any]:
    """Return all numbers in a result, in order."""
    if isinstance(result, Sequential):
        return [result.theta, result.dtheta]
    if isinstance(result, bncourse.Layer):
        statistics = vars(result).get("running_mean", 0.0)
        return numbers([dict(result.params), dict(result.grads), statistics])
    if isinstance(result, (bool, int, float, np.ndarray, np.generic)):
        return [np.asarray(result)]
    if isinstance(result, dict):
        return numbers(list(result.values()))
    if isinstance(result, bncourse.MiniBatches):
        return numbers([list(result), len(result)])
    if isinstance(result, (list, tuple)):
        return [number for part in result for number in numbers(part)]
    if result is None or isinstance(result, (str, weakref.ref)):
        return []
    return numbers({k: v for k, v in vars(result).items() if k != "rng"})


def strided(a: Any) -> Any:
    wide = np.zeros(tuple(3 * n for n in a.shape), a.dtype)
    wide[tuple(slice(1, None, 3) for _ in a.shape)] = a
    return wide[tuple(slice(1, None, 3) for _ in a.shape)]


class Subclass(np.ndarray):
    """An array of a class that adds nothing."""


FORMS: dict[str, Callable[[Any, Any], Any]] = {
    "columns": lambda a, path: np.asfortranarray(a),
    "strided": lambda a, path: strided(a),
    "backwards": lambda a, path: np.flip(np.flip(a).copy()),
    "read-only": lambda a, path: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "memory-mapped": lambda a, path: mapped(a, path),
    "subclass": lambda a, path: a.view(Subclass),
}


def mapped(a: Any, path: Any) -> Any:
    a.tofile(path)
    return np.memmap(path, a.dtype, "r", shape=a.shape)


WITH_ARRAYS = [
    name
    for name, about in CATALOGUE.items()
    if any(isinstance(v, np.ndarray) for v in about.arguments().values())
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WITH_ARRAYS)
def test_the_form_of_an_array_does_not_matter_and_it_is_not_written_to(name, form, tmp_path):
    plain, other = Call(name), Call(name)
    other.arguments = {
        key: FORMS[form](v, tmp_path / key)
        if isinstance(v, np.ndarray) and key not in plain.subject.changes
        else v
        for key, v in other.arguments.items()
    }
    for v in other.arguments.values():
        if isinstance(v, np.ndarray) and v.flags.writeable:
            v.flags.writeable = other.arguments.get("theta") is v
    out = {*plain.subject.changes, "rng"}
    before = other.state(*out)
    right, ours = numbers(plain()), numbers(other())
    assert other.state(*out) == before
    assert len(right) == len(ours)
    for a, b in zip(right, ours, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
    for name_ in plain.subject.changes:
        changed, same = (
            c.owner if name_ == "self" else c.arguments[name_] for c in (plain, other)
        )
        for a, b in zip(numbers(changed), numbers(same), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CATALOGUE)
def test_right_calls_change_only_what_they_say(name):
    call = Call(name)
    out = {*call.subject.changes, "rng"}
    before, globally = call.state(*out), the_global_generator()
    call()
    assert call.state(*out) == before
    assert the_global_generator() == globally


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 1e-300, 0.0])
@pytest.mark.parametrize("name", WITH_ARRAYS)
def test_extreme_values_are_computed_with_or_refused(name, value):
    for parameter, right in CATALOGUE[name].arguments().items():
        if not isinstance(right, np.ndarray) or right.dtype != np.float64:
            continue
        call = Call(name)
        out = {parameter, "rng", *call.subject.changes}
        before = call.state(*out)
        spoiled = right.copy()
        spoiled.flat[1] = value
        kept = spoiled.copy()
        message = "expected, got"
        try:
            with np.errstate(all="ignore"):
                call(**{parameter: spoiled})
        except ValueError as error:
            message = str(error)
        assert "expected" in message
        assert "got" in message
        if parameter not in call.subject.changes:
            np.testing.assert_array_equal(spoiled, kept)
        assert call.state(*out) == before


@pytest.mark.parametrize("name", ["standardize", "whiten"])
@pytest.mark.parametrize(
    ("bad", "error"),
    [(make, error) for make, error in hostile.batches(N).values()],
    ids=hostile.batches(N).keys(),
)
def test_the_other_arrays_are_checked_too(name, bad, error):
    x = batch()
    kept = x.copy()
    with pytest.raises(error, match=r"x: expected .* got "):
        getattr(bncourse, name)(x, x, bad())
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("kind", [int, np.int8, np.int64, np.uint16])
def test_whole_numbers_of_any_kind_count(kind):
    assert Dense(kind(3), kind(2)).params["w"].shape == (2, 3)
    assert mlp(np.array([4, 3, 2], kind)).theta.size == mlp((4, 3, 2)).theta.size
    loss, _ = SoftmaxCrossEntropy()(batch(2), labels().astype(kind))
    assert loss == SoftmaxCrossEntropy()(batch(2), labels())[0]


def test_generators_will_do_where_a_sequence_is_gone_through_once():
    net = Sequential(layer for layer in (Dense(N, 3), BatchNorm(3)))
    assert len(net.layers) == 2
    assert mlp(n for n in (4, 3, 2)).theta.size == mlp((4, 3, 2)).theta.size
    statistics = population_statistics(net, batch())
    bncourse.set_statistics(net, (pair for pair in statistics))
    np.testing.assert_array_equal(net.batch_norms[0].running_mean, statistics[0].mean)
    grid = ({"a": a} for a in (1, 2))
    result = bncourse.sweep(run_of_a_sweep, grid, (s for s in (0, 1)))
    assert [r.result for r in result.runs] == [1, 2, 2, 3]


def test_records_hold_what_they_are_given():
    for kind in (BatchNormCache, Statistics, bncourse.Digits, bncourse.GradientWalk):
        record = kind(*range(len(kind._fields)))
        assert tuple(record) == tuple(range(len(kind._fields)))
        with pytest.raises(AttributeError):
            setattr(record, kind._fields[0], 5)
        with pytest.raises(TypeError):
            kind()
    with pytest.raises(AttributeError):
        Run({}, 0).seed = 1
    assert (History().loss, SweepResult().runs) == ([], [])
    with pytest.raises(TypeError, match=r"Layer: expected a method _forward\(self, x, training\)"):
        bncourse.Layer()


# Mistakes that are more than one wrong argument, with everything that is said about them.

X, ONE = np.ones((4, 2)), np.ones(2)


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


def mixed_dtypes():
    return Sequential([Dense(2, 3), BatchNorm(3, dtype=np.float32)])


def shared_layer():
    dense = Dense(2, 2)
    return Sequential([dense, dense])


def another_vector():
    optimizer = GradientDescent(0.1)
    optimizer.step(ONE.copy(), ONE)
    optimizer.step(np.ones(3), np.ones(3))


def growing_average():
    average = CumulativeAverage()
    average.update(1.0)
    average.update(ONE)


BEFORE_BACKWARD = "backward: expected a forward pass before it, got none"
#: A mistake, and everything that is said about it.
WHOLE = {
    "an activation that is none": (
        lambda: mlp((2, 3, 2), 5),
        "activation: expected a function that makes a layer, such as ReLU, got 5",
    ),
    "a normalisation that is none": (
        lambda: mlp((2, 3, 2), norm=5),
        "norm: expected a function of the width that makes a layer, such as BatchNorm, got 5",
    ),
    "backward first, activation": (lambda: ReLU().backward(X), BEFORE_BACKWARD),
    "backward first, dense": (lambda: Dense(2, 2).backward(X), BEFORE_BACKWARD),
    "backward first, batch norm": (lambda: BatchNorm(2).backward(X), BEFORE_BACKWARD),
    "a deleted parameter": (
        lambda: Dense(2, 2).params.__delitem__("w"),
        "Dense.params['w']: expected to be kept, got del",
    ),
    "a removed parameter": (
        lambda: Dense(2, 2).params.pop("w"),
        "Dense.params['w']: expected to be kept, got del",
    ),
    "a replaced parameter": (
        lambda: Dense(2, 2).params.__setitem__("w", X),
        "Dense.params['w']: expected real numbers of shape (2, 2), got an array of shape (4, 2) "
        "and dtype float64",
    ),
    "a replaced theta": (
        lambda: setattr(mlp((2, 3, 2)), "theta", ONE),
        "Sequential.params['theta']: expected real numbers of shape (20,), got an array of shape "
        "(2,) and dtype float64",
    ),
    "no layers": (lambda: Sequential([]), "layers: expected at least one layer, got none"),
    "no layer": (
        lambda: Sequential([5]),
        "layers[0] (int): expected a Layer, got 5",
    ),
    "a shared layer": (
        shared_layer,
        "layers[1] (Dense): expected each layer once, got one twice: write a copy",
    ),
    "a width": (
        lambda: Sequential([Dense(2, 3), Dense(4, 1)]),
        "layers[1] (Dense): expected an input width of 3, got 4",
    ),
    "two dtypes": (
        mixed_dtypes,
        "layers: expected parameters of one dtype, got float64 in layers[0] (Dense), "
        "float32 in layers[1] (BatchNorm)",
    ),
    "one size": (
        lambda: mlp((6,)),
        "sizes: expected at least an input and an output width, got (6,)",
    ),
    "one example": (
        lambda: BatchNorm(2).forward(X[:1], training=True),
        "z: expected a batch of at least 2 examples in training, got 1: "
        "over one example the variance is 0 and the output is beta",
    ),
    "evaluation first": (
        lambda: BatchNorm(2).forward(X, training=False),
        "forward: expected a training batch before evaluation, got none: "
        "the running statistics are still their initial values",
    ),
    "a negative variance": (
        lambda: BatchNorm(2).set_statistics(ONE, np.array([1.0, -2.0])),
        "var: expected no negative variance, got -2.0",
    ),
    "fold_batch_norm, kinds": (
        lambda: fold_batch_norm(ReLU(), Dense(2, 2)),
        "dense, norm: expected a Dense and a BatchNorm, got ReLU and Dense",
    ),
    "fold_batch_norm, widths": (
        lambda: fold_batch_norm(Dense(2, 3), BatchNorm(2)),
        "norm: expected 3 units of float64, as dense has, got 2 of float64",
    ),
    "fold_batch_norm, unseen": (
        lambda: fold_batch_norm(Dense(2, 2), BatchNorm(2)),
        "norm: expected a BatchNorm that has seen a training batch, got none",
    ),
    "a large batch": (
        lambda: MiniBatches(X, np.zeros(4, int), 5),
        "batch_size: expected at most the 4 examples, got 5",
    ),
    "a large batch for statistics": (
        lambda: population_statistics(mlp((2, 3, 2)), X, 5),
        "batch_size: expected at most the 4 examples, got 5",
    ),
    "a read-only theta": (
        lambda: GradientDescent(0.1).step(read_only(), ONE),
        "theta: expected an array that can be written, got a read-only one",
    ),
    "another theta": (
        another_vector,
        "theta: expected shape (2,) and dtype float64, as in the step before with this optimizer, "
        "got shape (3,) and dtype float64",
    ),
    "another gradient": (
        lambda: GradientDescent(0.1).step(ONE, np.ones(3, np.float32)),
        "dtheta: expected shape (2,) and dtype float64, as theta has, got shape (3,) and dtype "
        "float32",
    ),
    "too few statistics": (
        lambda: set_statistics(mlp((2, 3, 2)), []),
        "statistics: expected one for each of 1 batch-norm layers, got 0",
    ),
    "one moment": (
        lambda: set_statistics(mlp((2, 3, 2)), [(1.0,)]),
        "statistics: expected a mean and a variance, got (1.0,)",
    ),
    "no value yet": (
        lambda: ExponentialMovingAverage(0.5).value,
        "value: expected at least one update before it, got none",
    ),
    "text to average": (
        lambda: CumulativeAverage().update("a"),
        "x: expected real numbers, got str of dtype <U1",
    ),
    "another shape to average": (growing_average, "x: expected shape (), as before, got (2,)"),
}


@pytest.mark.parametrize(("call", "message"), WHOLE.values(), ids=WHOLE.keys())
def test_the_whole_message(call, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert str(caught.value) == message

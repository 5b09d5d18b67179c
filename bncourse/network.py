"""A network is a list of layers and one flat vector of parameters.

The vector is what lets an optimiser be a formula: all weights, scales and shifts are parts of
`Sequential.theta`, their gradients are parts of `Sequential.dtheta`, so one in-place update moves
everything.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import DTypeLike

from bncourse import _checks as check
from bncourse import _guards as guards
from bncourse.activations import ReLU
from bncourse.arrays import Floats
from bncourse.layers import Dense, Layer
from bncourse.normalization import BatchNorm


class Sequential(Layer):
    """Layers applied one after the other; itself a layer, with all their parameters in one.

    A free layer is moved in: its parameters become parts of `theta`, and the name it was made
    under stays the layer. One that lives in another network comes in as a copy, as it stands. So
    networks nest, and can be cut and joined: ``Sequential(net.layers[:2])``.

    Parameters
    ----------
    layers : sequence of Layer
        At least one, none of them twice. Their parameters must have one dtype.

    Attributes
    ----------
    layers : tuple of Layer
    theta : array, shape (number of parameters,)
        All parameters, in the order of the layers.
    dtheta : array, shape (number of parameters,)
        Their gradients after `backward`.

    Raises
    ------
    ValueError
        If there are no layers, one appears twice, the width of one does not fit the one before,
        or dtypes differ. Nothing has been changed then.
    TypeError
        If an element is not a layer, or holds a layer in an attribute.

    Examples
    --------
    >>> hidden = [Dense(64, 100, bias=False), BatchNorm(100), ReLU()]
    >>> net = Sequential([*hidden, Dense(100, 10)])
    >>> net.theta.shape
    (7610,)
    """

    layers: tuple[Layer, ...]
    theta: Floats

    def __init__(self, layers: Iterable[Layer]) -> None:
        layers = check.items(layers, "layers")
        n_in, n_out, dtype = _fit(layers)
        owned = tuple(copy.deepcopy(la) if la._is_owned() else la for la in layers)
        self._own(owned, n_in, n_out, dtype)

    def _own(
        self, layers: tuple[Layer, ...], n_in: int | None, n_out: int | None, dtype: Any
    ) -> None:
        """Move all parameters into one vector, of which each layer holds its part."""
        size = sum(layer._size() for layer in layers)
        theta = np.empty(size, dtype)
        self._declare(n_in, n_out, {"theta": theta})
        vars(self).update(layers=layers, dtype=dtype)
        start = 0
        for layer in layers:
            part = slice(start, start := start + layer._size())
            layer._move(self.theta[part], self.dtheta[part])
            vars(layer)["_owner"] = ref(self)

    def _move(self, theta: Floats, dtheta: Floats) -> None:
        start = 0
        for layer in self.layers:
            part = slice(start, start := start + layer._size())
            layer._move(theta[part], dtheta[part])
        self._rebind("theta", theta, dtheta)

    def __getstate__(self) -> dict[str, Any]:
        # The layers keep their own parameters: a vector beside them would hold everything twice.
        state = super().__getstate__()
        for name in ("params", "grads", "theta"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._own(state["layers"], state["n_in"], state["n_out"], state["dtype"])
        vars(self).update(state)

    @property
    def dtheta(self) -> Floats:
        """The gradient of the loss with respect to `theta`."""
        return self.grads["theta"]

    @dtheta.setter
    def dtheta(self, value: Floats) -> None:
        self.grads["theta"] = value

    @property
    def batch_norms(self) -> tuple[BatchNorm, ...]:
        """The batch-norm layers, in order, those of nested networks included."""
        return tuple(layer for layer in _each_layer(self) if isinstance(layer, BatchNorm))

    def _forward(self, x: Floats, training: bool) -> Floats:
        known = training in self._proved
        for layer in self.layers:
            # The first time through each layer's own door, then straight.
            x = layer._forward(x, training) if known else layer.forward(x, training=training)
            vars(layer)["_shape"] = x.shape
        return x

    def _backward(self, dz: Floats) -> Floats:
        known = "backward" in self._proved
        for layer in reversed(self.layers):
            dz = layer._backward(dz) if known else layer.backward(dz)
        return dz

    def _backward_parameters(self, dz: Floats) -> None:
        first, *others = self.layers
        for layer in reversed(others):
            dz = layer._backward(dz)
        first._backward_parameters(dz)


class Residual(Sequential):
    r"""A shortcut around some layers: the input plus what the layers make of it.

    .. math:: y = x + f(x), \qquad
        \frac{\partial J}{\partial x} = \frac{\partial J}{\partial y}
          + \left(\frac{\partial f}{\partial x}\right)^\top \frac{\partial J}{\partial y}

    Parameters
    ----------
    layers : sequence of Layer
        f, whose output is as wide as its input. As for `Sequential`.

    Raises
    ------
    ValueError, TypeError
        As `Sequential`, and if the widths of input and output differ.

    Notes
    -----
    Source: He et al. (2016), arXiv:1512.03385.

    Examples
    --------
    >>> Residual([ReLU()]).forward(np.array([[-1.0, 2.0]]), training=False)
    array([[-1.,  4.]])
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        layers = check.items(layers, "layers")
        n_in, n_out, _ = _fit(layers)
        if n_in != n_out:
            raise ValueError(
                f"layers: expected an output as wide as the input, {n_in}, got {n_out}"
            )
        super().__init__(layers)

    def _forward(self, x: Floats, training: bool) -> Floats:
        return x + super()._forward(x, training)

    def _backward(self, dz: Floats) -> Floats:
        return dz + super()._backward(dz)


def _fit(layers: tuple[Any, ...]) -> tuple[int | None, int | None, np.dtype[Any] | None]:
    """Return the widths of input and output and the dtype, if the layers fit together."""
    if not layers:
        raise ValueError("layers: expected at least one layer, got none")
    n_in: int | None = None
    width: int | None = None
    dtypes: dict[np.dtype[Any], str] = {}
    for i, layer in enumerate(layers):
        name = f"layers[{i}] ({type(layer).__name__})"
        if not isinstance(layer, Layer):
            raise TypeError(f"{name}: expected a Layer, got {layer!r}")
        if any(layer is other for other in layers[:i]):
            raise ValueError(f"{name}: expected each layer once, got one twice: write a copy")
        guards.check_attributes(layer)
        if width is not None and layer.n_in is not None and layer.n_in != width:
            raise ValueError(f"{name}: expected an input width of {width}, got {layer.n_in}")
        n_in = layer.n_in if width is None else n_in
        width = width if layer.n_out is None else layer.n_out
        if layer.dtype is not None:
            dtypes.setdefault(layer.dtype, name)
    if len(dtypes) > 1:
        found = ", ".join(f"{dtype} in {name}" for dtype, name in dtypes.items())
        raise ValueError(f"layers: expected parameters of one dtype, got {found}")
    return n_in, width, next(iter(dtypes), None)


def _each_layer(layer: Layer) -> Iterator[Layer]:
    """Yield a layer, and, if it is a network, all that is in it."""
    yield layer
    for inner in layer.layers if isinstance(layer, Sequential) else ():
        yield from _each_layer(inner)


@contextmanager
def undisturbed(net: Sequential) -> Iterator[None]:
    """Leave a network as it was, whatever passes are made inside.

    That is: parameters, gradients, running statistics, random generators, and what `backward`
    would use.
    """
    arrays = [net.theta, net.dtheta]
    before = []
    for layer in _each_layer(net):
        state = {k: v for k, v in vars(layer).items() if k not in layer._names}
        before.append((layer, state))
        # What only `backward` reads is replaced at each pass and never written to.
        kept = [v for k, v in state.items() if k not in layer._transient]
        arrays += [v for v in kept if isinstance(v, np.ndarray) and v.flags.writeable]
    values = [array.copy() for array in arrays]
    rngs = [v for _, s in before for v in s.values() if isinstance(v, np.random.Generator)]
    draws = [rng.bit_generator.state for rng in rngs]
    try:
        yield
    finally:
        for array, value in zip(arrays, values, strict=True):
            np.copyto(array, value, where=array != value)
        for rng, draw in zip(rngs, draws, strict=True):
            rng.bit_generator.state = draw
        for layer, state in before:
            for name in vars(layer).keys() - state.keys() - layer._names:
                del vars(layer)[name]
            vars(layer).update(state)


def mlp(
    sizes: Sequence[int],
    activation: Callable[[], Layer] = ReLU,
    norm: Callable[[int], Layer] | None = BatchNorm,
    *,
    norm_position: str = "z",
    bias: bool | None = None,
    init: str = "he",
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float64,
) -> Sequential:
    """Build the book's network: hidden layers with or without a normalisation, a plain output.

    Each hidden layer is Dense → norm → activation, and the output layer is a Dense with a bias.
    With the same `rng` seed the weights are the same with and without batch norm.

    Parameters
    ----------
    sizes : sequence of int
        Widths from input to output, such as ``(64, 100, 100, 100, 10)``.
    activation : callable
        Makes a layer: `ReLU`, `LeakyReLU`, `Sigmoid`, `Tanh`, or a function such as
        ``lambda: LeakyReLU(0.2)``.
    norm : callable, optional
        Makes a layer of a given width: `BatchNorm`, or a function such as
        ``lambda n: BatchNorm(n, epsilon=0.0)``. None for no normalisation.
    norm_position : {"z", "a"}
        Where: before the activation, or after it.
    bias : bool, optional
        Whether the hidden Dense layers have a b. By default all but those whose z a `BatchNorm`
        normalises.
    init, gain, rng, dtype
        As for `Dense`. `gain` applies to all layers.

    Returns
    -------
    Sequential

    Raises
    ------
    ValueError
        If there are fewer than two sizes, `norm_position` is another word, or an option is
        illegal.
    TypeError
        If `activation` or `norm` does not make layers.

    Examples
    --------
    >>> [type(layer).__name__ for layer in mlp((4, 3, 2)).layers]
    ['Dense', 'BatchNorm', 'ReLU', 'Dense']
    """
    sizes = tuple(check.count(size, "sizes") for size in check.items(sizes, "sizes"))
    if len(sizes) < 2:
        raise ValueError(f"sizes: expected at least an input and an output width, got {sizes}")
    check.choice(norm_position, ("z", "a"), "norm_position")
    rng = check.generator(rng)
    make_norm = partial(BatchNorm, dtype=dtype) if norm is BatchNorm else norm
    layers: list[Layer] = []
    for n_in, n_out in zip(sizes[:-2], sizes[1:-1], strict=True):
        after = [_made("activation", activation, "ReLU")]
        if make_norm is not None:
            after.insert(norm_position == "a", _made("norm", make_norm, "BatchNorm", n_out))
        needed = not isinstance(after[0], BatchNorm) if bias is None else bias
        # Made last, because it draws from `rng`, and the others may refuse their options.
        dense = Dense(n_in, n_out, needed, init=init, gain=gain, rng=rng, dtype=dtype)
        layers += [dense, *after]
    layers.append(Dense(sizes[-2], sizes[-1], init=init, gain=gain, rng=rng, dtype=dtype))
    return Sequential(layers)


def _made(name: str, make: Any, example: str, *width: int) -> Layer:
    """Return the layer that a factory makes."""
    expected = f"{name}: expected {'a function of the width' if width else 'a function'} that "
    expected += f"makes a layer, such as {example}"
    if not callable(make):
        raise TypeError(f"{expected}, got {make!r}")
    try:
        layer = make(*width)
    except TypeError as error:
        raise TypeError(f"{expected}, got {make!r}: {error}") from error
    if not isinstance(layer, Layer):
        raise TypeError(f"{expected}, got one that makes {layer!r}")
    return layer

"""A network is a list of layers and one flat vector of parameters.

The vector is what makes an optimiser three lines long: all weights, scales and shifts are views
into `theta`, their gradients are views into `dtheta`, so one in-place update moves everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bncourse import _checks as check
from bncourse.activations import ReLU
from bncourse.arrays import Floats
from bncourse.layers import Dense, Layer
from bncourse.normalization import BatchNorm


class Sequential:
    """Layers applied one after the other.

    Parameters
    ----------
    layers : sequence of Layer
        At least one. Their parameters must have one dtype, and must not belong to another
        network already.

    Attributes
    ----------
    layers : tuple of Layer
    theta : array, shape (number of parameters,)
        All parameters, in the order of the layers. The layers' own arrays are views into it.
    dtheta : array, shape (number of parameters,)
        Their gradients after `backward`.

    Raises
    ------
    ValueError
        If there are no layers, the width of one does not fit the one before, dtypes differ,
        or a layer belongs to another network already.
    TypeError
        If an element is not a layer.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self.layers = check.items(layers, "layers")
        self._check()
        self._bind()

    def _check(self) -> None:
        if not self.layers:
            raise ValueError("layers: expected at least one layer, got none")
        width: int | None = None
        dtypes = set()
        seen: set[int] = set()
        for i, layer in enumerate(self.layers):
            name = f"layers[{i}] ({type(layer).__name__})"
            if not isinstance(layer, Layer):
                raise TypeError(
                    f"{name}: expected a layer with forward, backward, params and grads, "
                    f"got {layer!r}"
                )
            if id(layer) in seen or any(p.base is not None for p in layer.params.values()):
                raise ValueError(
                    f"{name}: expected a layer of its own, "
                    "got one that already belongs to a network"
                )
            seen.add(id(layer))
            n_in = getattr(layer, "n_in", None)
            if width is not None and n_in is not None and n_in != width:
                raise ValueError(f"{name}: expected an input width of {width}, got {n_in}")
            width = getattr(layer, "n_out", width)
            dtypes |= {p.dtype for p in layer.params.values()}
        if len(dtypes) > 1:
            raise ValueError(
                "layers: expected parameters of one dtype, "
                f"got {', '.join(sorted(map(str, dtypes)))}"
            )
        self.dtype: np.dtype[Any] = dtypes.pop() if dtypes else np.dtype(np.float64)

    def _bind(self) -> None:
        """Move all parameters into one vector and give each layer views into it."""
        size = sum(p.size for layer in self.layers for p in layer.params.values())
        self.theta: Floats = np.empty(size, self.dtype)
        self.dtheta: Floats = np.zeros(size, self.dtype)
        start = 0
        for layer in self.layers:
            for name, p in layer.params.items():
                part = slice(start, start + p.size)
                self.theta[part] = p.ravel()
                # The dicts refuse rebinding by anyone else; here it is the point.
                dict.__setitem__(layer.params, name, self.theta[part].reshape(p.shape))
                dict.__setitem__(layer.grads, name, self.dtheta[part].reshape(p.shape))
                start += p.size

    def __setattr__(self, name: str, value: object) -> None:
        # `net.theta = v` would leave the layers with the old vector; `net.theta += v` is fine.
        if name in ("theta", "dtheta") and getattr(self, name, value) is not value:
            raise TypeError(f"{name} is changed in place: write net.{name}[...] = value")
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        # Copies and pickles of views are no longer views: keep the layers, bind again.
        return {"layers": self.layers, "dtype": self.dtype}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.layers, self.dtype = state["layers"], state["dtype"]
        self._bind()

    @property
    def batch_norms(self) -> tuple[BatchNorm, ...]:
        """The batch-norm layers, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, BatchNorm))

    def forward(self, x: Floats, training: bool) -> Floats:
        """Apply the layers in order.

        Parameters
        ----------
        x : array, shape (m, n_in)
            One example per row.
        training : bool
            True normalises by the batch, updates running statistics and keeps what `backward`
            needs; False normalises by the running statistics and keeps nothing.

        Returns
        -------
        array, shape (m, n_out)

        Raises
        ------
        ValueError, TypeError
            Whatever a layer finds wrong with its input.
        """
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dz: Floats) -> Floats:
        """Apply the layers' backward passes in reverse order, filling `dtheta`.

        Parameters
        ----------
        dz : array, shape (m, n_out)
            Gradient of the loss with respect to the output.

        Returns
        -------
        array, shape (m, n_in)
            Gradient of the loss with respect to the input.

        Raises
        ------
        ValueError, TypeError
            If no forward pass in training mode came before, or `dz` has the wrong shape.
        """
        for layer in reversed(self.layers):
            dz = layer.backward(dz)
        return dz

    def backward_parameters(self, dz: Floats) -> None:
        """Fill `dtheta` as `backward` does, without the gradient of the network's input.

        This is what training needs. When the first layer is a `Dense`, it saves one of the
        largest matrix products of the step.

        Parameters
        ----------
        dz : array, shape (m, n_out)
            Gradient of the loss with respect to the output.

        Raises
        ------
        ValueError, TypeError
            As `backward`.
        """
        first, *others = self.layers
        for layer in reversed(others):
            dz = layer.backward(dz)
        # A subclass of Dense may have a backward pass of its own, which must not be passed over.
        if type(first) is Dense:
            first.backward_parameters(dz)
        else:
            first.backward(dz)


def _makes_layers(activation: object) -> bool:
    try:
        return callable(activation) and isinstance(activation(), Layer)
    except TypeError:
        return False


def mlp(
    sizes: Sequence[int],
    activation: type[Layer] = ReLU,
    batch_norm: bool = True,
    *,
    normalize: str = "z",
    bias: bool | None = None,
    init: str = "he",
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float64,
    **norm_options: Any,
) -> Sequential:
    """Build the book's network: hidden layers with or without batch norm, then a plain output.

    Each hidden layer is Dense → BatchNorm → activation, and the output layer is a Dense with a
    bias. With the same `rng` seed the weights are the same with and without batch norm.

    Parameters
    ----------
    sizes : sequence of int
        Widths from input to output, such as ``(64, 100, 100, 100, 10)``.
    activation : type
        `ReLU`, `LeakyReLU`, `Sigmoid` or `Tanh`.
    batch_norm : bool
        Whether the hidden layers are normalised.
    normalize : {"z", "a"}
        Where: before the activation, or behind it.
    bias : bool, optional
        Whether the hidden Dense layers have a b. By default those that need one do: all without
        batch norm, and those whose activation comes before it.
    init, gain, rng, dtype
        As for `Dense`. `gain` applies to all layers.
    **norm_options
        Passed to `BatchNorm`: epsilon, decay, unbiased, affine.

    Returns
    -------
    Sequential

    Raises
    ------
    ValueError
        If there are fewer than two sizes, `normalize` is another word, or an option is illegal.
    """
    sizes = tuple(check.count(size, "sizes") for size in check.items(sizes, "sizes"))
    if len(sizes) < 2:
        raise ValueError(f"sizes: expected at least an input and an output width, got {sizes}")
    if not _makes_layers(activation):
        raise TypeError(f"activation: expected a layer's class, such as ReLU, got {activation!r}")
    check.flag(batch_norm, "batch_norm")
    check.choice(normalize, ("z", "a"), "normalize")
    rng = check.generator(rng)
    if bias is None:
        bias = not batch_norm or normalize == "a"
    layers: list[Layer] = []
    for n_in, n_out in zip(sizes[:-2], sizes[1:-1], strict=True):
        behind: list[Layer] = [activation()]
        if batch_norm:
            norm = BatchNorm(n_out, dtype=dtype, **norm_options)
            behind.insert(0 if normalize == "z" else 1, norm)
        # Made last, because it draws from `rng`, and the others may refuse their options.
        layers += [Dense(n_in, n_out, bias, init=init, gain=gain, rng=rng, dtype=dtype), *behind]
    layers.append(Dense(sizes[-2], sizes[-1], init=init, gain=gain, rng=rng, dtype=dtype))
    return Sequential(layers)

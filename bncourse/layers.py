"""The `Layer` protocol, its parameters, and the one layer with weights: `Dense`.

Everything that a network is made of does two things: it turns a batch into another batch
(`forward`), and it turns the gradient of the loss with respect to its output into the gradient
with respect to its input (`backward`), leaving the gradients of its own parameters in `grads`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike

from bncourse import _checks as check
from bncourse.arrays import Floats

Initializer = Callable[[np.random.Generator, int, int], Floats]


class Parameters(dict[str, Floats]):
    """A dict of arrays whose arrays are changed in place and never replaced.

    The network keeps all parameters in one flat vector, and each array here is a view into it.
    ``params["w"] = new`` would cut that tie without a word, so it raises;
    ``params["w"][...] = new`` and ``params["w"] += change`` do what is meant.

    Raises
    ------
    TypeError
        When a name is bound to another array, or added, or deleted.
    """

    def __setitem__(self, name: str, value: Floats) -> None:
        # `params["w"] += dw` ends in an assignment of the same array: that is in place.
        if self.get(name) is not value:
            raise TypeError(
                f"parameters are changed in place: write params[{name!r}][...] = value "
                f"instead of params[{name!r}] = value"
            )

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"parameter {name!r} can't be deleted")

    def _refuse(self, *args: object, **kwargs: object) -> None:
        raise TypeError("parameters are changed in place and can't be added, replaced or removed")

    def __reduce__(self) -> tuple[type[Parameters], tuple[dict[str, Floats]]]:
        # Copying and pickling a dict would fill it name by name, which is refused above.
        return Parameters, (dict(self),)

    update = setdefault = pop = popitem = clear = __ior__ = _refuse  # type: ignore[assignment]


@runtime_checkable
class Layer(Protocol):
    """What `Sequential` asks of a layer.

    Attributes
    ----------
    params : dict of str to array
        The parameters by name: ``"w"``, ``"b"``, ``"gamma"``, ``"beta"``.
    grads : dict of str to array
        After `backward`, the gradient of the loss with respect to each, of the same shape.
    """

    params: Parameters
    grads: Parameters

    def forward(self, x: Floats, training: bool) -> Floats:
        """Turn a batch of shape (m, n_in) into one of shape (m, n_out)."""
        ...

    def backward(self, dz: Floats) -> Floats:
        """Turn ∂J/∂output, shape (m, n_out), into ∂J/∂input, shape (m, n_in)."""
        ...


def he_normal(rng: np.random.Generator, n_out: int, n_in: int) -> Floats:
    r"""Draw weights with the variance that keeps ReLU activations at one scale.

    .. math:: w_{ji} \sim N\left(0, \frac{2}{n_\text{in}}\right)

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the draws.
    n_out, n_in : int
        Units of the layer, and of the layer before it.

    Returns
    -------
    array, shape (n_out, n_in)

    Notes
    -----
    Source: He et al. (2015), arXiv:1502.01852, equation 10.
    """
    n_out, n_in = check.count(n_out, "n_out"), check.count(n_in, "n_in")
    return check.generator(rng).normal(0.0, np.sqrt(2.0 / n_in), size=(n_out, n_in))


def xavier_normal(rng: np.random.Generator, n_out: int, n_in: int) -> Floats:
    r"""Draw weights with Glorot and Bengio's compromise between forward and backward scale.

    .. math:: w_{ji} \sim N\left(0, \frac{2}{n_\text{in} + n_\text{out}}\right)

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the draws.
    n_out, n_in : int
        Units of the layer, and of the layer before it.

    Returns
    -------
    array, shape (n_out, n_in)

    Notes
    -----
    Source: Glorot and Bengio (2010), equation 12 (as a normal distribution of that variance).
    The deeplearning.ai course gives the name *Xavier* to variance 1/n_in: that is `lecun_normal`.
    """
    n_out, n_in = check.count(n_out, "n_out"), check.count(n_in, "n_in")
    return check.generator(rng).normal(0.0, np.sqrt(2.0 / (n_in + n_out)), size=(n_out, n_in))


def lecun_normal(rng: np.random.Generator, n_out: int, n_in: int) -> Floats:
    r"""Draw weights with the variance that keeps linear (and tanh) units at one scale.

    .. math:: w_{ji} \sim N\left(0, \frac{1}{n_\text{in}}\right)

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the draws.
    n_out, n_in : int
        Units of the layer, and of the layer before it.

    Returns
    -------
    array, shape (n_out, n_in)

    Notes
    -----
    Source: LeCun et al. (1998), *Efficient BackProp*, equation 16.
    """
    n_out, n_in = check.count(n_out, "n_out"), check.count(n_in, "n_in")
    return check.generator(rng).normal(0.0, np.sqrt(1.0 / n_in), size=(n_out, n_in))


INITIALIZERS: dict[str, Initializer] = {
    "he": he_normal,
    "xavier": xavier_normal,
    "lecun": lecun_normal,
}


class Dense:
    r"""A fully connected layer: every output is a weighted sum of every input.

    For one example, as a column, :math:`z^{[l]} = w^{[l]} a^{[l-1]} + b^{[l]}`. With one example
    per row, as everywhere in this package, the same thing reads

    .. math:: Z = A\,w^\top + b.

    Parameters
    ----------
    n_in, n_out : int
        Width of the input and of the output.
    bias : bool
        Whether to add b. A layer that batch norm follows does not need it (chapter 3).
    init : {"he", "xavier", "lecun"}
        Distribution of the initial weights: `he_normal`, `xavier_normal` or `lecun_normal`.
        The initial b is zero.
    gain : float
        Factor on the initial weights, at least 0.
    rng : numpy.random.Generator, optional
        Source of the initial weights. Without it they differ from run to run.
    dtype : float32 or float64
        Type of the parameters.

    Attributes
    ----------
    params : Parameters
        ``"w"`` of shape (n_out, n_in) and, with `bias`, ``"b"`` of shape (n_out,).
    grads : Parameters
        The gradients, by the same names and of the same shapes.

    Raises
    ------
    ValueError
        For a width below 1, an unknown `init`, a negative `gain` or another dtype.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        bias: bool = True,
        *,
        init: str = "he",
        gain: float = 1.0,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.n_in = check.count(n_in, "n_in")
        self.n_out = check.count(n_out, "n_out")
        bias = check.flag(bias, "bias")
        gain = check.number(gain, "gain", low=0.0)
        dtype = check.float_dtype(dtype)
        if not isinstance(init, str) or init not in INITIALIZERS:
            raise ValueError(f"init: expected one of {sorted(INITIALIZERS)}, got {init!r}")
        w = gain * INITIALIZERS[init](check.generator(rng), self.n_out, self.n_in)
        params = {"w": w.astype(dtype)}
        if bias:
            params["b"] = np.zeros(self.n_out, dtype)
        self.params = Parameters(params)
        self.grads = Parameters({name: np.zeros_like(p) for name, p in params.items()})
        self._x: Floats | None = None

    def forward(self, x: Floats, training: bool) -> Floats:
        """Compute ``x @ w.T + b``.

        Parameters
        ----------
        x : array, shape (m, n_in)
            One example per row.
        training : bool
            Whether to keep `x` for `backward`.

        Returns
        -------
        array, shape (m, n_out), of the dtype of `x`

        Raises
        ------
        ValueError, TypeError
            If `x` is not a float array of that shape.
        """
        x = check.batch(x, self.n_in, "x")
        self._x = x if check.flag(training, "training") else None
        z = x @ self.params["w"].astype(x.dtype, copy=False).T
        if "b" in self.params:
            z += self.params["b"].astype(x.dtype, copy=False)
        return z

    def backward(self, dz: Floats) -> Floats:
        r"""Compute the gradients of the weights, the bias and the input.

        .. math::

            \frac{\partial J}{\partial w} = dZ^\top A, \qquad
            \frac{\partial J}{\partial b} = \sum_i dz_i, \qquad
            \frac{\partial J}{\partial A} = dZ\,w

        Parameters
        ----------
        dz : array, shape (m, n_out)
            Gradient of the loss with respect to the output of the last training forward pass.

        Returns
        -------
        array, shape (m, n_in)

        Raises
        ------
        ValueError
            If no forward pass in training mode came before, or if `dz` has another shape than
            that output, or another dtype than float32 or float64.
        TypeError
            If `dz` is not an array.
        """
        self.backward_parameters(dz)
        return dz @ self.params["w"].astype(dz.dtype, copy=False)

    def backward_parameters(self, dz: Floats) -> None:
        """Compute the gradients of the weights and the bias, and not that of the input.

        The first layer of a network needs no more: there is nothing before it that learns, and
        the product that is saved is one of the largest of a training step.

        Parameters
        ----------
        dz : array, shape (m, n_out)
            As for `backward`.

        Raises
        ------
        ValueError, TypeError
            As `backward`.
        """
        if self._x is None:
            raise ValueError("backward: expected a forward pass with training=True before it")
        x, w = self._x, self.params["w"]
        dz = check.gradient(dz, (x.shape[0], self.n_out), "dz")
        # `out` writes into the network's flat gradient, with no temporary, when dtypes agree.
        if dz.dtype == x.dtype == w.dtype:
            np.matmul(dz.T, x, out=self.grads["w"])
        else:
            self.grads["w"][...] = dz.T @ x
        if "b" in self.grads:
            self.grads["b"][...] = np.ones(len(dz), dz.dtype) @ dz

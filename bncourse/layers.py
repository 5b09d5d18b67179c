"""`Layer`, what everything in a network is, and `Dense`, the layer with weights.

A layer turns a batch into another batch (`forward`), and the gradient of the loss with respect to
its output into the gradient with respect to its input (`backward`), leaving the gradients of its
own parameters in `grads`. `Layer` guards both; a subclass writes the mathematics between.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload
from weakref import ref

import numpy as np
from numpy.typing import DTypeLike

from bncourse import _checks as check
from bncourse import _guards as guards
from bncourse.arrays import Floats

if TYPE_CHECKING:
    from typing import Self


class Parameters(MutableMapping[str, Floats]):
    """A layer's arrays by name: names and shapes are fixed, assignment copies into place.

    All parameters of a network live in one flat vector, of which each array here is a part. So
    ``params["w"] = new`` writes the numbers of `new` into that part, and so do
    ``params["w"][...] = new`` and ``params["w"] += change``.

    Raises
    ------
    TypeError
        When a name is added or deleted, or something that isn't an array of numbers is assigned.
    ValueError
        When an array of another shape, or of complex numbers or booleans, is assigned.

    Examples
    --------
    >>> layer = Dense(2, 1)
    >>> layer.params["w"] = np.array([[1.0, 2.0]])
    >>> layer.params["w"] *= 3
    >>> layer.w
    array([[3., 6.]])
    """

    def __init__(self, arrays: dict[str, Floats], label: str) -> None:
        self._arrays = arrays
        self._label = label

    def __getitem__(self, name: str) -> Floats:
        return self._arrays[name]

    def __setitem__(self, name: str, value: Floats) -> None:
        array = self._arrays.get(name)
        if array is None:
            raise TypeError(
                f"{self._label}[{name!r}]: expected one of {sorted(self._arrays)}, got another "
                f"name: a layer says what parameters it has in "
                f"super().__init__(n_in, n_out, {name}=…)"
            )
        # `params["w"] += dw` ends in an assignment of the same array.
        if value is not array:
            usual = type(value) is np.ndarray and value.dtype.kind == "f"
            if not usual or value.shape != array.shape:
                value = check.numbers(value, array.shape, f"{self._label}[{name!r}]")
            np.copyto(array, value)

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{self._label}[{name!r}]: expected to be kept, got del")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"{self._label}({self._arrays!r})"


class Layer:
    r"""A step of a network, to be written by what it computes.

    A subclass says in ``super().__init__`` how wide its input and its output are and what
    parameters it has, each with its initial value, and writes two methods:

    ``_forward(self, x, training)``
        returns the output for a batch `x` of shape (m, n_in), one example per row, and keeps in
        attributes what `_backward` needs, in either mode.
    ``_backward(self, dz)``
        takes ∂J/∂output, returns ∂J/∂input, and assigns ∂J/∂parameter for each parameter:
        ``self.grads["gamma"] = dgamma`` (with ``=``, not ``+=``, in the parameter's shape).

    ``self.gamma`` is the parameter's current value. Neither method changes its argument. One calls
    `forward` and `backward`, which check what comes in; the first time in each mode they also
    check what the layer makes of it.

    Parameters
    ----------
    n_in, n_out : int, optional
        Width of the input and of the output. Without `n_in` any width will do; without `n_out`
        the output is as wide as the input.
    **params : array of float32 or float64
        The parameters' initial values, which are copied.

    Attributes
    ----------
    params, grads : Parameters
        The parameters and the gradients of the loss with respect to them, by name.
    n_in, n_out : int or None
    dtype : dtype or None
        That of the parameters. A batch of another float dtype is converted, and the result
        converted back.

    Raises
    ------
    TypeError
        If a subclass overrides `forward` or `backward`, lacks `_forward` or `_backward`, or a
        parameter isn't an array.
    ValueError
        If a width is below 1, or a parameter has another dtype.

    Examples
    --------
    A layer that scales each unit:

    >>> class Scale(Layer):
    ...     def __init__(self, n):
    ...         super().__init__(n, n, gamma=np.ones(n))
    ...     def _forward(self, x, training):
    ...         self.x = x
    ...         return self.gamma * x
    ...     def _backward(self, dz):
    ...         self.grads["gamma"] = (dz * self.x).sum(axis=0)
    ...         return dz * self.gamma
    >>> Scale(2).forward(np.array([[1.0, 2.0]]), training=True)
    array([[1., 2.]])
    """

    params: Parameters
    grads: Parameters
    n_in: int | None
    n_out: int | None
    dtype: np.dtype[Any] | None

    #: Attributes that only `_backward` needs: copies and pickles leave them out.
    _transient: ClassVar[tuple[str, ...]] = ()
    _names: frozenset[str]
    #: Names of the arrays that the constructor put beside the parameters.
    _constants: set[str]
    _owner: ref[Layer] | None
    #: The arrays that were parameters or gradients before a network took their place.
    _left: tuple[ref[Floats], ...]
    #: What has been checked on the way out: True (training), False (evaluation), "backward".
    _proved: set[bool | str]
    #: Shape of the last output, None before the first.
    _shape: tuple[int, ...] | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A new backward pass must not be passed over for an old short cut.
        if "_backward" in vars(cls) and "_backward_parameters" not in vars(cls):
            cls._backward_parameters = Layer._backward_parameters  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse a subclass that isn't a layer; make one without parameters, of any width."""
        guards.check_class(cls, Layer)
        layer = super().__new__(cls)
        layer._declare(None, None, {})
        return layer

    def __init__(
        self, n_in: int | None = None, n_out: int | None = None, **params: Floats
    ) -> None:
        self._declare(n_in, n_out, params)

    def _declare(self, n_in: int | None, n_out: int | None, params: dict[str, Floats]) -> None:
        label, own = type(self).__name__, vars(self)
        n_in = None if n_in is None else check.count(n_in, f"{label}: n_in")
        n_out = n_in if n_out is None else check.count(n_out, f"{label}: n_out")
        for name, value in params.items():
            if hasattr(Layer, name) or name in Layer.__annotations__:
                raise ValueError(
                    f"{label}: expected another name for a parameter, got {name!r}: {guards.HOW}"
                )
            check.float_array(value, f"{label}: {name}")
        dtypes = {value.dtype for value in params.values()}
        if len(dtypes) > 1:
            raise ValueError(f"{label}: expected parameters of one dtype, got {_listed(dtypes)}")
        arrays = {name: np.array(value) for name, value in params.items()}
        for attribute, value in list(own.items()):
            for name, param in params.items():
                if value is param:
                    own[attribute] = arrays[name]
        own.update(
            n_in=n_in,
            n_out=n_out,
            params=Parameters(arrays, f"{label}.params"),
            grads=Parameters({k: np.zeros_like(p) for k, p in arrays.items()}, f"{label}.grads"),
            dtype=dtypes.pop() if dtypes else None,
            _names=frozenset(arrays),
            _constants=set(),
            _owner=None,
            _left=(),
            _proved=set(),
            _shape=None,
            **arrays,
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._names:
            self.params[name] = value
        elif name in _RESERVED:
            raise TypeError(
                f"{type(self).__name__}.{name}: expected to stay, got an assignment: "
                f"{_RESERVED[name]}"
            )
        else:
            object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        forgotten = dict.fromkeys((*self._transient, "_owner", "_shape"))
        return vars(self) | forgotten | {"_left": ()}

    def __copy__(self) -> Self:
        # A shallow copy would share its parameters: training one would train the other.
        return copy.deepcopy(self)

    def forward(self, x: Floats, *, training: bool) -> Floats:
        """Turn a batch into another.

        Parameters
        ----------
        x : array, shape (m, n_in)
            One example per row.
        training : bool
            Whether the layer is trained on this batch, or evaluated.

        Returns
        -------
        array, shape (m, n_out), of the dtype of `x`

        Raises
        ------
        ValueError, TypeError
            If `x` is not a float array of that shape, or `training` is not a bool; and the first
            time in each mode, if the layer's `_forward` breaks a rule of `Layer`.
        """
        x = check.batch(x, self.n_in, "x")
        if training is not True and training is not False:
            training = check.flag(training, "training")
        # Should the pass fail half-way, there is nothing to go back through.
        vars(self)["_shape"] = None
        ours = self._converted(x)
        known = training in self._proved
        z = self._forward(ours, training) if known else guards.first_forward(self, ours, training)
        vars(self)["_shape"] = z.shape
        return z.astype(x.dtype, copy=False)

    @overload
    def backward(self, dz: Floats) -> Floats: ...
    @overload
    def backward(self, dz: Floats, *, need_input_gradient: Literal[True]) -> Floats: ...
    @overload
    def backward(self, dz: Floats, *, need_input_gradient: bool) -> Floats | None: ...
    def backward(self, dz: Floats, *, need_input_gradient: bool = True) -> Floats | None:
        """Differentiate the last forward pass, whichever mode it was in.

        Parameters
        ----------
        dz : array, shape (m, n_out)
            ∂J/∂output: gradient of the loss with respect to the last output.
        need_input_gradient : bool
            False leaves out ∂J/∂input, which nothing before the first layer learns from.

        Returns
        -------
        array, shape (m, n_in), of the dtype of `dz`
            ∂J/∂input; None if it isn't needed. The parameters' gradients are in `grads`.

        Raises
        ------
        ValueError, TypeError
            If no forward pass came before, or `dz` is not a float array of the shape of its
            output; and the first time, if the layer's `_backward` breaks a rule of `Layer`.
        """
        if self._shape is None:
            raise ValueError("backward: expected a forward pass before it, got none")
        dz = check.gradient(dz, self._shape, "dz")
        if need_input_gradient is not True and need_input_gradient is not False:
            need_input_gradient = check.flag(need_input_gradient, "need_input_gradient")
        ours = self._converted(dz)
        if "backward" in self._proved and not need_input_gradient:
            self._backward_parameters(ours)
            return None
        known = "backward" in self._proved
        dx = self._backward(ours) if known else guards.first_backward(self, ours)
        return dx.astype(dz.dtype, copy=False) if need_input_gradient else None

    def _forward(self, x: Floats, training: bool) -> Floats:
        raise NotImplementedError

    def _backward(self, dz: Floats) -> Floats:
        raise NotImplementedError

    def _backward_parameters(self, dz: Floats) -> None:
        """Fill `grads` only. A subclass that can spare work overrides it."""
        self._backward(dz)

    def _converted(self, x: Floats) -> Floats:
        """Return `x` in the layer's dtype, and in a layout that BLAS takes."""
        x = x if self.dtype is None else x.astype(self.dtype, copy=False)
        return x if x.flags.forc else x.copy()

    def _is_owned(self) -> bool:
        return self._owner is not None and self._owner() is not None

    def _size(self) -> int:
        return sum(p.size for p in self.params.values())

    def _move(self, theta: Floats, dtheta: Floats) -> None:
        """Make the parameters and gradients parts of two vectors, with their present values."""
        start = 0
        for name, p in self.params.items():
            part = slice(start, start := start + p.size)
            theta[part], dtheta[part] = p.ravel(), self.grads[name].ravel()
            self._rebind(name, theta[part].reshape(p.shape), dtheta[part].reshape(p.shape))

    def _rebind(self, name: str, param: Floats, grad: Floats) -> None:
        """Put other arrays in the place of a parameter and of its gradient."""
        for arrays, new in ((self.params._arrays, param), (self.grads._arrays, grad)):
            old = arrays[name]
            arrays[name] = new
            for attribute, value in vars(self).items():
                if value is old:
                    vars(self)[attribute] = new
            # An alias that was kept elsewhere must not pass for the parameter.
            old.fill(np.nan)
            old.setflags(write=False)
            vars(self)["_left"] += (ref(old),)


#: Attributes that a subclass doesn't assign to, and what it does instead.
_RESERVED = {
    "params": guards.HOW,
    "grads": guards.HOW,
    "layers": guards.COMPOSE,
    "forward": "write a method _forward(self, x, training)",
    "backward": "write a method _backward(self, dz)",
} | dict.fromkeys(
    ("_names", "_constants", "_owner", "_left", "_proved", "_shape"),
    "the name is used by Layer, take another one",
)


def _listed(dtypes: set[np.dtype[Any]]) -> str:
    return ", ".join(sorted(map(str, dtypes)))


#: What the variance of the initial weights is, from the numbers of units before and in the layer.
VARIANCES = {
    "he": lambda n_in, n_out: 2.0 / n_in,
    "xavier": lambda n_in, n_out: 2.0 / (n_in + n_out),
    "lecun": lambda n_in, n_out: 1.0 / n_in,
}


def initial_weights(rng: np.random.Generator, n_out: int, n_in: int, init: str) -> Floats:
    r"""Draw weights from a normal distribution whose variance keeps signals at one scale.

    .. math::

        \begin{aligned}
        w_{ji} &\sim N(0, v), \\
        v_\text{he} &= \frac{2}{n_\text{in}}, \\
        v_\text{xavier} &= \frac{2}{n_\text{in} + n_\text{out}}, \\
        v_\text{lecun} &= \frac{1}{n_\text{in}}
        \end{aligned}

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the draws.
    n_out, n_in : int
        Units of the layer, and of the layer before it.
    init : {"he", "xavier", "lecun"}
        ``"he"`` suits ReLU, ``"lecun"`` linear units and tanh; ``"xavier"`` is a compromise
        between the scale of signals on the way forward and of gradients on the way back.

    Returns
    -------
    array, shape (n_out, n_in)

    Raises
    ------
    ValueError
        If a width is below 1, or `init` is another word.

    Notes
    -----
    Sources: He et al. (2015), arXiv:1502.01852, equation 10; Glorot and Bengio (2010),
    equation 12 (as a normal distribution of that variance); LeCun et al. (1998), *Efficient
    BackProp*, equation 16. The deeplearning.ai course gives the name *Xavier* to variance 1/n_in.
    """
    n_out, n_in = check.count(n_out, "n_out"), check.count(n_in, "n_in")
    variance = VARIANCES[check.choice(init, VARIANCES, "init")](n_in, n_out)
    return check.generator(rng).normal(0.0, np.sqrt(variance), size=(n_out, n_in))


class Dense(Layer):
    r"""A fully connected layer: every output is a weighted sum of every input.

    For one example, as a column, :math:`z^{[l]} = w^{[l]} a^{[l-1]} + b^{[l]}`. With one example
    per row, as everywhere in this package, the same thing reads

    .. math:: Z = A\,w^\top + b,

    and its gradients are

    .. math::

        \frac{\partial J}{\partial w} = dZ^\top A, \qquad
        \frac{\partial J}{\partial b} = \sum_i dz_i, \qquad
        \frac{\partial J}{\partial A} = dZ\,w

    Parameters
    ----------
    n_in, n_out : int
        Width of the input and of the output.
    bias : bool
        Whether to add b. A layer that batch norm follows does not need it (chapter 3).
    init : {"he", "xavier", "lecun"}
        Distribution of the initial weights (see `initial_weights`). The initial b is zero.
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

    Raises
    ------
    ValueError
        For a width below 1, an unknown `init`, a negative `gain` or another dtype.

    Examples
    --------
    >>> layer = Dense(3, 2, rng=np.random.default_rng(0))
    >>> layer.forward(np.zeros((1, 3)), training=False)
    array([[0., 0.]])
    """

    _transient = ("_x",)
    w: Floats
    b: Floats
    _x: Floats

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
        n_in, n_out = check.count(n_in, "n_in"), check.count(n_out, "n_out")
        self.bias = check.flag(bias, "bias")
        gain = check.number(gain, "gain", low=0.0)
        dtype = check.float_dtype(dtype)
        w = gain * initial_weights(check.generator(rng), n_out, n_in, init)
        b = {"b": np.zeros(n_out, dtype)} if bias else {}
        super().__init__(n_in, n_out, w=w.astype(dtype), **b)

    def _forward(self, x: Floats, training: bool) -> Floats:
        self._x = x
        z = x @ self.w.T
        if self.bias:
            z += self.b
        return z

    def _backward(self, dz: Floats) -> Floats:
        Dense._backward_parameters(self, dz)
        return dz @ self.w

    def _backward_parameters(self, dz: Floats) -> None:
        # Straight into the network's gradient: for large layers a copy would cost as much again.
        np.matmul(dz.T, self._x, out=self.grads["w"])
        if self.bias:
            # A sum down the batch; see `batch_norm`.
            self.grads["b"] = np.ones(len(dz), dz.dtype) @ dz

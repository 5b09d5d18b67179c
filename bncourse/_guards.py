"""What the first passes through a layer refuse: that it would be accepted and never learn.

A layer that breaks a rule of `Layer` would train the wrong thing, or nothing, without a word. So
the first pass in each mode, and the first one back, go through here. Each message names the class
and says what to write instead. Later passes go straight to ``_forward`` and ``_backward``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats

if TYPE_CHECKING:
    from bncourse.layers import Layer

HOW = (
    "a layer says what parameters it has in super().__init__(n_in, n_out, gamma=…), and assigns "
    'gradients by name, self.grads["gamma"] = …'
)
COMPOSE = "compose layers with Sequential or Residual"
ALIAS = (
    "expected parameters and gradients to be read where they are used, as self.gamma and "
    'self.grads["gamma"], got an array from before the layer was put into a network'
)


def check_class(cls: type[Layer], base: type[Layer]) -> None:
    """Refuse a subclass that says it is a layer in another way than `Layer` asks for."""
    for name in ("params", "grads"):
        if hasattr(cls, name):
            raise TypeError(
                f"{cls.__name__}.{name}: expected no attribute of the class, got one: {HOW}"
            )
    for name, example in (("forward", (None, True)), ("backward", (None,))):
        method = getattr(cls, f"_{name}")
        if getattr(cls, name) is not getattr(base, name):
            raise TypeError(
                f"{cls.__name__}.{name}: expected a method _{name}, got one called {name}: "
                f"Layer.{name} checks its argument and calls _{name}"
            )
        wanted = "(self, x, training)" if name == "forward" else "(self, dz)"
        if method is getattr(base, f"_{name}"):
            raise TypeError(f"{cls.__name__}: expected a method _{name}{wanted}, got none")
        try:
            inspect.signature(method).bind(None, *example)
        except TypeError as error:
            raise TypeError(
                f"{cls.__name__}._{name}: expected the parameters {wanted}, "
                f"got {inspect.signature(method)}"
            ) from error


def first_forward(layer: Layer, x: Floats, training: bool) -> Floats:
    """Run `_forward` and refuse what would go wrong without a word."""
    check_attributes(layer)
    if not layer._proved:
        arrays = {name for name, value in vars(layer).items() if _is_array(value)}
        layer._constants.update(arrays - layer._names)
    with _explained(layer, "_forward", "x"):
        z = layer._forward(_read_only(x), training)
    _check_result(layer, "_forward", z, (len(x), layer.n_out or x.shape[1]), x.dtype)
    if _has_alias(layer) and np.isnan(z).any() and np.isfinite(x).all():
        raise ValueError(f"{type(layer).__name__}._forward: {ALIAS}")
    layer._proved.add(training)
    # What is only passed through may be written to again.
    return z if z.flags.writeable else z.copy()


def first_backward(layer: Layer, dz: Floats) -> Floats:
    """Run `_backward` and refuse what would go wrong without a word."""
    params, grads = ({k: v.copy() for k, v in d.items()} for d in (layer.params, layer.grads))
    try:
        for grad in layer.grads.values():
            grad.fill(np.nan)
        with _explained(layer, "_backward", "dz"):
            dx = layer._backward(_read_only(dz))
        _check_result(layer, "_backward", dx, (len(dz), layer.n_in or dz.shape[1]), dz.dtype)
        check_attributes(layer)
        _check_unchanged(layer, params)
        # Where numbers have overflowed, NaN tells nothing, and the next pass is asked again.
        if np.isfinite(dz).all() and np.isfinite(dx).all():
            _check_written(layer)
            layer._proved.add("backward")
    except BaseException:
        layer.params.update(params)
        layer.grads.update(grads)
        raise
    return dx if dx.flags.writeable else dx.copy()


def _check_result(
    layer: Layer, method: str, value: object, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> None:
    name = f"{type(layer).__name__}.{method}"
    if value is None:
        raise TypeError(f"{name}: expected an array of shape {shape}, got None: return it")
    array = check.float_array(value, f"{name}: what it returns")
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"{name}: expected to return shape {shape} and dtype {dtype}, "
            f"got shape {array.shape} and dtype {array.dtype}"
        )


def _check_unchanged(layer: Layer, params: dict[str, Floats]) -> None:
    for name, before in params.items():
        if not np.array_equal(layer.params[name], before, equal_nan=True):
            raise ValueError(
                f"{type(layer).__name__}._backward: expected {name} to be left to the "
                f'optimizer, got a change of it: write self.grads["{name}"] = …'
            )


def _check_written(layer: Layer) -> None:
    label = type(layer).__name__
    for name, grad in layer.grads.items():
        if np.isnan(grad).any():
            raise ValueError(
                f"{label}._backward: expected the gradient of {name}, got none or a part: "
                f'write self.grads["{name}"] = … (with =, not +=)'
            )
    for gradient, value in vars(layer).items():
        name = re.sub(r"^(d|grad)_?|_?grad(ient)?$", "", gradient)
        # One that the constructor or the class holds, and not what `_forward` has kept.
        held = vars(layer)[name] if name in layer._constants else getattr(type(layer), name, None)
        forgotten = name != gradient and _is_array(held) and _is_array(value)
        if forgotten or getattr(value, "grad", None) is not None:
            raise ValueError(
                f"{label}.{name}: expected a parameter, because it has a gradient, got an "
                "attribute that nothing trains: write super().__init__(n_in, n_out, "
                f'{name}=…), and self.grads["{name}"] = … in _backward'
            )


def check_attributes(layer: Layer) -> None:
    """Refuse what would be left behind when parameters move into a network's vector."""
    from bncourse.layers import Layer  # which imports this module

    label = type(layer).__name__
    arrays = [*layer.params.items(), *layer.grads.items()]
    parts = vars(layer).get("layers", ())
    for name, value in vars(layer).items():
        for item in _held(value):
            if isinstance(item, Layer) and not any(item is part for part in parts):
                raise TypeError(
                    f"{label}.{name}: expected no layer inside a layer, which would not be "
                    f"trained, got one: {COMPOSE}"
                )
            if not isinstance(item, np.ndarray):
                continue
            # So is what `_rebind` leaves behind; a batch is given as a view.
            left = item.base is None and not item.flags.writeable
            if left and _is_array(item) and np.isnan(item).all():
                raise ValueError(
                    f"{label}.{name}: expected an array of its own, got one that was a "
                    "parameter before its layer was put into a network: compose layers, or "
                    "copy it"
                )
            for parameter, array in arrays:
                # An attribute that is the parameter moves with it; nothing else does.
                if np.may_share_memory(item, array) and not (item is array and item is value):
                    raise ValueError(
                        f"{label}.{name}: expected an array of its own, got a part of "
                        f"{parameter}, which would be left behind when the layer is put into "
                        f"a network: read self.{parameter} where it is needed"
                    )


def _has_alias(layer: Layer) -> bool:
    """Say whether somebody holds an array that was a parameter or a gradient of this layer."""
    return any(left() is not None for left in layer._left)


@contextmanager
def _explained(layer: Layer, method: str, name: str) -> Iterator[None]:
    label = f"{type(layer).__name__}.{method}"
    try:
        yield
    except AttributeError as error:
        if str(error) != "'numpy.ndarray' object has no attribute 'grad'":
            raise
        raise TypeError(
            f"{label}: expected gradients in self.grads, got an assignment to the grad of an "
            'array: write self.grads["gamma"] = …'
        ) from error
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(
            f"{label}: expected {name} and what was kept of it to be left as they are, got a "
            f"change in place: write {name} = {name} - … instead of {name} -= …"
            + (f"; or {ALIAS}" if _has_alias(layer) else "")
        ) from error


def _held(value: Any) -> Iterator[Any]:
    """Yield a value, and what is in it if it is a container."""
    yield value
    inside = value.values() if isinstance(value, dict) else value
    for item in inside if isinstance(value, (dict, list, tuple, set)) else ():
        yield from _held(item)


def _is_array(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _read_only(array: Floats) -> Floats:
    view = array.view()
    view.setflags(write=False)
    return view

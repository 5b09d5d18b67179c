"""Call a reader's function so that it can neither change nor stop anything."""

from __future__ import annotations

import contextlib
import inspect
import io
import linecache
import os
import random
import sys
import types
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bncourse.check.pieces import Function, Inputs

_HERE = os.path.dirname(os.path.abspath(__file__))
_NOT_THE_READERS = (
    os.path.dirname(_HERE),
    os.path.dirname(os.path.abspath(np.__file__)),
    os.path.dirname(os.path.abspath(os.__file__)),
)


@dataclass(frozen=True)
class Raised:
    """The function raised: type, text, and where, in frames of the reader's own."""

    kind: str
    text: str
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else self.kind

    @property
    def told(self) -> str:
        """The error and the reader's lines that led to it."""
        return f"{self} ({'; '.join(self.where)})" if self.where else str(self)


@dataclass(frozen=True)
class NotUsable:
    """The function returned something that can't be read as numbers."""

    words: str
    none: bool = False
    endless: bool = False


Values = tuple[np.ndarray[Any, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """What came of one call.

    Attributes
    ----------
    value : tuple of arrays, Raised or NotUsable
    listed : tuple of bool
        Which outputs came as lists or numbers, and so have no dtype.
    wrote : tuple of str
        Names of the arguments that were changed.
    """

    value: Values | Raised | NotUsable
    listed: tuple[bool, ...] = ()
    wrote: tuple[str, ...] = ()


@contextlib.contextmanager
def sealed() -> Iterator[None]:
    """Keep random states, floating-point errors, warnings and output as they are."""
    legacy, python = np.random.get_state(), random.getstate()  # noqa: NPY002
    with contextlib.ExitStack() as stack:
        stack.enter_context(np.errstate(all="ignore"))
        stack.enter_context(np.printoptions())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        try:
            yield
        finally:
            np.random.set_state(legacy)  # noqa: NPY002
            random.setstate(python)


def copied(value: Any) -> Any:
    """Return a copy of an input; of an array, with its strides."""
    if isinstance(value, np.ndarray):
        if value.flags.c_contiguous or any(s < 0 for s in value.strides):
            return value.copy()
        reach = sum((k - 1) * s for k, s in zip(value.shape, value.strides, strict=True))
        buffer = np.zeros(reach + value.itemsize, np.uint8)
        copy = np.ndarray(value.shape, value.dtype, buffer, strides=value.strides)
        copy[...] = value
        return copy
    if isinstance(value, np.random.Generator):
        twin = np.random.default_rng(0)
        twin.bit_generator.state = value.bit_generator.state
        return twin
    if isinstance(value, bool | int | float):
        return value
    return value.copy() if hasattr(value, "copy") else value


def same(a: Any, b: Any) -> bool:
    """Say whether an input is still what it was."""
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    return True


def frames(trace: types.TracebackType | None) -> tuple[str, ...]:
    """Return the lines of the reader's own on the way to an exception, the outermost first."""
    lines = []
    while trace is not None:
        code = trace.tb_frame.f_code
        file = os.path.abspath(code.co_filename)
        if not file.startswith(_NOT_THE_READERS) and code.co_filename != "<bncourse.check>":
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            lines.append(f"line {trace.tb_lineno}, in {code.co_name}: {text}".rstrip(": "))
        trace = trace.tb_next
    return tuple(lines[-3:])


def attempt(action: Callable[[], Any]) -> Any:
    """Return what the action returns, or `Raised`. An interrupt by the user goes through."""
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        try:
            text = str(error).strip()
        except Exception:
            text = ""
        return Raised(type(error).__name__, text, frames(error.__traceback__))


def call(f: Function, inputs: Inputs) -> tuple[Any, tuple[str, ...]]:
    """Return what the function returns for copies of the inputs, and the names it wrote into."""
    given = {name: copied(value) for name, value in inputs.items()}
    result = attempt(lambda: f(*given.values()))
    wrote = tuple(name for name, value in given.items() if not same(inputs[name], value))
    return result, wrote


def _as_array(value: Any) -> np.ndarray[Any, Any] | None:
    """Return a copy of a result as an array of numbers, or None."""
    try:
        array = np.array(value)
    except Exception:
        return None
    return array if array.dtype.kind in "fiubc" else None


_ARRAYS = (np.ndarray, list, tuple, float, int, np.generic)


def _is_array(value: Any) -> bool:
    return isinstance(value, _ARRAYS) or hasattr(value, "__array__")


def describe_kind(value: Any) -> str:
    """Say in words what a thing is, without showing it."""
    if isinstance(value, Generator) or inspect.isgenerator(value):
        return "a generator"
    if isinstance(value, tuple | list):
        word = "tuple" if isinstance(value, tuple) else "list"
        return f"a {word} of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype}"
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def read(result: Any, outputs: tuple[str, ...], first_counts: bool = False) -> Outcome:
    """Read a result as one array for each output."""
    if isinstance(result, Raised):
        return Outcome(result)
    if result is None:
        return Outcome(NotUsable("None", none=True))
    if inspect.isgenerator(result):
        result.close()
        return Outcome(NotUsable("a generator"))
    count = len(outputs)
    if count == 1:
        if first_counts and isinstance(result, tuple) and result:
            result = result[0]
        items: list[Any] = [result]
    elif isinstance(result, tuple | list) or (
        isinstance(result, np.ndarray) and result.ndim > 0 and len(result) == count
    ):
        items = list(result)
    else:
        return Outcome(NotUsable(describe_kind(result)))
    if len(items) != count:
        return Outcome(NotUsable(describe_kind(result)))
    arrays, listed = [], []
    for symbol, item in zip(outputs, items, strict=True):
        if item is None:
            words = "None" if count == 1 else f"None for {symbol}"
            return Outcome(NotUsable(words, none=True))
        array = _as_array(item) if _is_array(item) else None
        if array is None:
            place = "" if count == 1 else f" for {symbol}"
            return Outcome(NotUsable(describe_kind(item) + place))
        arrays.append(array)
        listed.append(not isinstance(item, np.ndarray | np.generic))
    return Outcome(tuple(arrays), tuple(listed))


def final_locals(f: Function, inputs: Inputs) -> dict[str, Any]:
    """Return the local variables with which the reader's function ended."""
    found: dict[str, Any] = {}
    code = getattr(f, "__code__", None)

    def watch(frame: types.FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is code:
            found.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        call(f, inputs)
    finally:
        sys.setprofile(before)
    return {name: copied(v) for name, v in found.items() if isinstance(v, np.ndarray | float)}


def refuses_arguments(f: Function, count: int) -> bool:
    """Say whether the function can't take so many arguments."""
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):
        return False
    try:
        signature.bind(*range(count))
    except TypeError:
        return True
    return False

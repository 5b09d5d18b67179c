"""Load a script of tools/ or an extension of _ext/, which are no packages."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def load(name, folder="tools"):
    """Return the module, executed once in a process."""
    # A name of its own: `metadata` or `notebooks` may be something else's.
    full = f"{folder}_{name}".replace("/", "_")
    spec = importlib.util.spec_from_file_location(full, ROOT / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    if str(ROOT / folder) not in sys.path:
        sys.path.append(str(ROOT / folder))  # as for a script: its neighbours are imported by name
    sys.modules[full] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module

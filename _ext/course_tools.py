"""Import a script of ``tools/``, which is no package, as the tools import each other."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

FOLDER = str(Path(__file__).resolve().parents[1] / "tools")


def tool(name: str) -> ModuleType:
    """Return the module ``tools/<name>.py``."""
    if FOLDER not in sys.path:
        sys.path.append(FOLDER)
    return importlib.import_module(name)

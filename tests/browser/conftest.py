"""A browser and a server for all tests of this folder."""

from __future__ import annotations

import importlib.util
import sys
import threading

import pytest

from .visits import HTML, ROOT, start, stop


def tool(name):
    """Return a module of tools/, which is no package."""
    path = ROOT / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def load_tool():
    return tool


@pytest.fixture(scope="session")
def server():
    """The book as a public server sends it: compressed, with its own 404 page."""
    if not (HTML / "index.html").is_file():
        pytest.fail("expected the built book in _build/html: run `make book` first")
    with tool("gzip_server").serve(HTML) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture(scope="session")
def browser():
    yield start()[1]
    stop()

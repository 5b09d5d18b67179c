"""A browser and a server for all tests of this folder."""

from __future__ import annotations

import threading

import pytest

from .server import serve
from .visits import HTML, start, stop


@pytest.fixture(scope="session")
def server():
    """The book as a public server sends it: compressed, with its own 404 page."""
    if not (HTML / "index.html").is_file():
        pytest.fail("expected the built book in _build/html: run `make book` first")
    with serve(HTML) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture(scope="session")
def browser():
    yield start()[1]
    stop()

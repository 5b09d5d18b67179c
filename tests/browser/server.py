"""Serve the built book as a public server would: compressed, and cacheable.

    python tests/browser/server.py [PORT] [FOLDER]

For the tests of this folder, and for measuring what a page weighs and how fast it opens. Python's
own `http.server` sends files as they are, which no public server does. An address without a page
gets the book's 404 page.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.server
import sys
from http import HTTPStatus
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPRESSED = {".html", ".css", ".js", ".svg", ".json", ".ttf", ".ipynb", ".txt"}


@functools.cache
def compress(path: Path, changed: float) -> bytes:
    """Return the file's content, compressed; once for each state of the file."""
    return gzip.compress(path.read_bytes(), compresslevel=6)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of one folder, compressed where that helps."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Answer; a browser that goes away in the middle is no fault."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def send_head(self) -> BytesIO | None:
        """Send the headers, and return what follows them."""
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path = path / "index.html"
        status = HTTPStatus.OK
        if not path.is_file():
            status, path = HTTPStatus.NOT_FOUND, Path(self.directory) / "404.html"
        accepted = "gzip" in self.headers.get("Accept-Encoding", "")
        packed = accepted and path.suffix in COMPRESSED
        body = compress(path, path.stat().st_mtime) if packed else path.read_bytes()
        self.send_response(status)
        kind = self.guess_type(str(path))
        self.send_header("Content-Type", kind + "; charset=utf-8" * kind.startswith("text/"))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        return BytesIO(body)


def serve(folder: Path, port: int = 0) -> http.server.ThreadingHTTPServer:
    """Return a server of the folder on this machine; port 0 takes a free one."""
    handler = functools.partial(Handler, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


def main() -> None:
    """Serve until interrupted."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "_build" / "html"
    with serve(folder, port) as server:
        print(f"http://localhost:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()

"""An S3 server on a free loopback port, and one that ignores conditional writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest


class OneAtATime:
    """A WSGI app whose requests wait for each other: moto looks and writes in two steps, S3 in one."""

    def __init__(self, app: Any) -> None:
        self.app, self.lock = app, threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        with self.lock:
            return self.app(environ, start_response)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a running moto server; the credentials it wants are in the environment."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    server._server.app = OneAtATime(server._server.app)
    host, port = server.get_host_and_port()
    with _credentials():
        yield f"http://{host}:{port}"
    server.stop()
    server._server.server_close()


@pytest.fixture
def careless_s3_endpoint() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The address of a server that accepts If-None-Match and overwrites all the same, and the objects it holds."""
    objects: dict[str, bytes] = {}

    class Careless(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200)

        def do_DELETE(self) -> None:
            objects.pop(self.path, None)
            self._answer(204)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with _credentials():
        yield f"http://127.0.0.1:{server.server_port}", objects
    server.shutdown()
    server.server_close()


def new_bucket(endpoint: str) -> str:
    """The name of a bucket that was just made there."""
    name = f"client-{uuid4().hex[:12]}"
    with urlopen(Request(f"{endpoint}/{name}", method="PUT")):
        return name


@contextmanager
def _credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield

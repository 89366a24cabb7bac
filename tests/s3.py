"""An S3 server on a free loopback port, one that ignores conditional writes, and one that breaks off."""

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

    with _serving(Careless) as endpoint:
        yield endpoint, objects


@pytest.fixture
def breaking_s3_endpoint() -> Iterator[str]:
    """The address of a server that says how long an object is and breaks off before its end."""

    class Breaking(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._announce()

        def do_GET(self) -> None:
            self._announce()
            self.wfile.write(b"PAR1")

        def log_message(self, *args: object) -> None:
            """Say nothing."""

        def _announce(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.send_header("ETag", '"a"')
            self.end_headers()

    with _serving(Breaking) as endpoint:
        yield endpoint


def new_bucket(endpoint: str) -> str:
    """The name of a bucket that was just made there."""
    name = f"client-{uuid4().hex[:12]}"
    with urlopen(Request(f"{endpoint}/{name}", method="PUT")):
        return name


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with _credentials():
        yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def _credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield

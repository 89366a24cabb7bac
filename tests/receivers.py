"""A real mail server and a real webhook receiver on loopback, which keep what they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from aiosmtpd.controller import Controller

from deployments.servers import free_port


class Mailbox:
    """Takes every mail."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[str, Mailbox]]:
    """An apprise URL that mails to a server here, and what it got."""
    box = Mailbox()
    port = free_port(0)
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"mailto://127.0.0.1:{port}?from=upkeep@example.com&to=ops@example.com", box
    finally:
        controller.stop()


@contextmanager
def webhook(port: int = 0) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """An apprise URL of a JSON webhook here, and the bodies it got."""
    got: list[dict[str, object]] = []

    def take(_: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        got.append(json.loads(body))
        return 200, {}

    with receiver(take, port=port) as address:
        yield f"json://{address}/alerts?token=secret", got


@contextmanager
def receiver(take: Callable[[dict[str, str], bytes], tuple[int, dict[str, str]]], port: int = 0) -> Iterator[str]:
    """The address of a server that hands each POST, headers in small letters, to `take` and answers as that says."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            code, headers = take({key.lower(): value for key, value in self.headers.items()}, body)
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(b"ok")  # Slack's own answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

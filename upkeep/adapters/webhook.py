"""How is a client's application told that another model is in service? By a signed POST, as Standard Webhooks has it.

https://www.standardwebhooks.com: the headers webhook-id, webhook-timestamp and webhook-signature, the last an
HMAC-SHA256 of `id.timestamp.body` with the shared secret; the receiver knows a repeated message by its id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from upkeep.errors import DeliveryError

PREFIX = "whsec_"
SECONDS = 10


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A redirect would carry the message to where nobody agreed it should go."""


def sign(secret: str, *, message: str, timestamp: int, body: bytes) -> str:
    """The signature of a message: `v1,` and the HMAC in base64. Raises DeliveryError where the secret is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise DeliveryError(f"webhook secret: not base64, expected {PREFIX} and 24 to 64 bytes in base64") from exc
    signed = f"{message}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def post(url: str, secret: str, *, channel: str, message: str, at: datetime, body: bytes) -> None:
    """Deliver a JSON message. Raises DeliveryError, which names the channel and neither URL nor secret."""
    if not url.startswith(("https://", "http://")):
        raise DeliveryError(f"channel {channel}: its URL is none that a webhook has, expected https://...")
    timestamp = int(at.timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message=message, timestamp=timestamp, body=body),
    }
    try:
        with build_opener(_NoRedirect).open(Request(url, data=body, headers=headers), timeout=SECONDS):
            pass
    except HTTPError as exc:
        raise DeliveryError(f"channel {channel}: answered {exc.code}, expected 2xx") from exc
    except (OSError, HTTPException, ValueError) as exc:
        quiet = f"channel {channel}: {message} was not delivered ({type(exc).__name__})"
        raise DeliveryError(quiet) from (exc if isinstance(exc, OSError) else None)  # what is malformed is quoted

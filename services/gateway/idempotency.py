"""The `Idempotency-Key` of refunds and captures (IETF draft "The Idempotency-Key HTTP Header Field").

Payments stores and judges it; here it is only read: who asks, under which key, and a hash of what.
"""

import re
from hashlib import sha256
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State

from services.gateway.access import Server
from services.gateway.fields import END
from shared.errors import Malformed
from shared.messages.base import Command, IdempotencyKey

HEADER = "idempotency-key"
# The draft's key is a structured string, in quotes; most clients send the bare text, and mean the same.
_CHARACTERS = r"[A-Za-z0-9_.:+/=~-]{16,255}"
PATTERN = rf'^({_CHARACTERS}|"{_CHARACTERS}"){END}'
_KEY = re.compile(PATTERN)
_json = msgspec.json.Encoder(order="deterministic")


AskedByServer = Request[Any, Server, State]


def read_key(request: AskedByServer, command: type[Command], body: msgspec.Struct) -> IdempotencyKey:
    """The caller's key. Two bodies with equal fields have the same hash, whatever their spaces.

    Raises Malformed `idempotency-key-missing`, or `-malformed` for one that is short, long, or sent twice.
    """
    given = request.headers.getall(HEADER, [])
    if not given:
        raise Malformed("idempotency-key-missing", "send Idempotency-Key: a fresh UUID for each new request")
    if len(given) != 1 or not _KEY.match(given[0]):
        raise Malformed("idempotency-key-malformed", "send one key of 16 to 255 letters, digits or _.:+/=~-")
    asked = sha256(command.TYPE.encode() + _json.encode(body)).digest()
    return IdempotencyKey(principal=request.auth.name, key=given[0].strip('"'), fingerprint=asked)

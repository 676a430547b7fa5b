"""OAuth tokens: asked for with the app's id and secret, forgotten at a restart as on revocation."""

import base64
import binascii
import hmac
import secrets

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.gate import Answer, ApiCall
from devstack.simulator.ledger import Entry
from devstack.simulator.paypal.account import Account


class Tokens:
    """/v1/oauth2/token."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._until: dict[str, float] = {}

    def issue(self, call: ApiCall, _entry: Entry) -> Answer:
        if not self._is_ours(call.headers.get("authorization", "")):
            return _error(401, "invalid_client", "Client Authentication failed")
        if call.body != b"grant_type=client_credentials":
            return _error(400, "unsupported_grant_type", "Grant Type is NULL")
        text = "A21AA" + secrets.token_urlsafe(60)
        lives_s = self._clock.real(self._account.token_lifetime_s)
        self._until[text] = self._clock.now() + lives_s
        view = {
            "scope": "https://uri.paypal.com/services/payments/payment",
            "access_token": text,
            "token_type": "Bearer",
            "app_id": "APP-80W284485P519543T",
            "expires_in": max(1, int(lives_s)),
            "nonce": secrets.token_hex(12),
        }
        return Answer(status=200, body=msgspec.json.encode(view))

    def refusal(self, authorization: str) -> Answer | None:
        """The answer to a call without a token that lives, None with one."""
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() == "bearer" and self._until.get(text, 0.0) > self._clock.now():
            return None
        return _error(401, "invalid_token", "The token passed in was not found in the system")

    def revoke(self) -> int:
        """Forgets all tokens; how many there were."""
        count = len(self._until)
        self._until.clear()
        return count

    def _is_ours(self, authorization: str) -> bool:
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        expected = f"{self._account.client_id}:{self._account.client_secret}".encode()
        return scheme.lower() == "basic" and hmac.compare_digest(given, expected)


def _error(status: int, error: str, description: str) -> Answer:
    return Answer(status=status, body=msgspec.json.encode({"error": error, "error_description": description}))

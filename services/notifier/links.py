"""Links to documents: signed, expiring, and useless for any other document."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from shared.errors import NotFound

AUDIENCE = "paystream-document"
TOKEN_LENGTH_MAX = 1000


class LinkExpired(NotFound):
    """The link was ours, and is too old or its document was erased."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads links. `keys`: the first signs, all of them verify, so that they can be rotated."""

    base_url: str
    keys: Sequence[str]
    valid_for: timedelta

    def url(self, document_id: str, issued_at: datetime) -> str:
        """The same link for the same document each time; it lives `valid_for` from the day of issue."""
        claims = {"sub": document_id, "aud": AUDIENCE, "exp": int((issued_at + self.valid_for).timestamp())}
        token = jwt.encode(claims, self.keys[0], algorithm="HS256")
        return f"{self.base_url.rstrip('/')}/api/documents/{token}"

    def document_in(self, token: str) -> str:
        """The document that a token opens; LinkExpired when it is too old, NotFound when it is not ours."""
        if len(token) > TOKEN_LENGTH_MAX:
            raise NotFound("not-found", "there is no document under this link")
        for key in self.keys:
            try:
                claims = jwt.decode(
                    token, key, algorithms=["HS256"], audience=AUDIENCE,
                    options={"require": ["sub", "aud", "exp"]},
                )  # fmt: skip
            except jwt.ExpiredSignatureError:
                raise LinkExpired(
                    "link-expired", "this link is too old; ask the shop for a new one"
                ) from None
            except jwt.InvalidTokenError:
                continue
            return str(claims["sub"])
        raise NotFound("not-found", "there is no document under this link")

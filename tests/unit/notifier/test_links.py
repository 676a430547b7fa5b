from datetime import UTC, datetime, timedelta

import jwt
import pytest

from services.notifier.links import AUDIENCE, LinkExpired, Links
from shared.errors import NotFound

KEY, OLD_KEY = "k" * 64, "o" * 64
NOW = datetime.now(UTC)
LINKS = Links("https://pay.test/", [KEY, OLD_KEY], timedelta(days=1))


def token(links: Links = LINKS, issued_at: datetime = NOW) -> str:
    return links.url("doc-1", issued_at).rpartition("/")[2]


def forged(key: str | None = KEY, algorithm: str = "HS256", **claims: object) -> str:
    whole = {"sub": "doc-1", "aud": AUDIENCE, "exp": NOW + timedelta(hours=1)} | claims
    return jwt.encode({k: v for k, v in whole.items() if v is not None}, key or "", algorithm=algorithm)


def test_a_link_opens_its_document_and_is_the_same_each_time() -> None:
    assert LINKS.url("doc-1", NOW).startswith("https://pay.test/api/documents/")
    assert LINKS.url("doc-1", NOW) == LINKS.url("doc-1", NOW)
    assert LINKS.document_in(token()) == "doc-1"


def test_a_link_signed_with_the_older_key_still_opens() -> None:
    assert LINKS.document_in(token(Links("https://pay.test", [OLD_KEY], timedelta(days=1)))) == "doc-1"


def test_an_old_link_says_that_it_is_old() -> None:
    with pytest.raises(LinkExpired):
        LINKS.document_in(token(issued_at=NOW - timedelta(days=2)))


@pytest.mark.parametrize(
    "bad",
    [
        "", "a.b.c", token() + "x", "x" * 5000, forged(key="s" * 64), forged(aud="paystream-checkout"),
        forged(aud=None), forged(exp=None), forged(sub=None), forged(algorithm="HS512"),
        forged(key=None, algorithm="none"),
    ],
)  # fmt: skip
def test_any_other_token_opens_nothing(bad: str) -> None:
    with pytest.raises(NotFound) as failure:
        LINKS.document_in(bad)
    assert failure.value.code == "not-found"

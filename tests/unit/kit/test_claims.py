"""What is said to a command whose idempotency key is known already."""

from shared.answers import Claim
from shared.decision import Answer
from shared.messages.base import IdempotencyKey

ASKED = IdempotencyKey(principal="shop", key="k", fingerprint=b"body")


def claim(*, mine: bool = False, code: str | None = None) -> Claim:
    return Claim(mine, "order-1", b"body", code, "as before", b'{"a":1}' if code else None)


def test_the_first_one_is_decided() -> None:
    assert claim(mine=True).judge("c", "order-1", ASKED) is None


def test_a_repetition_gets_the_stored_answer_under_its_own_correlation() -> None:
    assert claim(code="ok").judge("c2", "order-1", ASKED) == Answer("c2", "ok", b'{"a":1}', "as before")


def test_a_repetition_of_what_still_runs_is_told_so() -> None:
    answer = claim().judge("c", "order-1", ASKED)
    assert answer is not None
    assert answer.code == "in-progress"


def test_another_body_or_another_order_under_the_key_is_refused_even_when_answered() -> None:
    other_body = IdempotencyKey(principal="shop", key="k", fingerprint=b"other")
    for subject, asked in (("order-1", other_body), ("order-2", ASKED)):
        answer = claim(code="ok").judge("c", subject, asked)
        assert answer is not None
        assert answer.code == "idempotency-key-reused"

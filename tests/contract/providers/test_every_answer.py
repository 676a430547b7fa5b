"""The contract: every raw answer to every kind of call is the right one of our four errors."""

import pytest

from shared.errors import OutcomeUnknown, Unavailable
from tests.contract.providers.contract.answers import (
    Case,
    Error,
    Wording,
    cases,
    check,
    error_of,
    reads,
    writes,
)
from tests.contract.providers.drivers.wordings import PayPalWording, RazorpayWording, StripeWording
from tests.contract.providers.raw_answers import Answers, raw

WORDINGS: tuple[Wording, ...] = (RazorpayWording(), StripeWording(), PayPalWording())
CASES = [
    pytest.param(wording, case, id=f"{wording.name}-{case.name}")
    for wording in WORDINGS
    for case in cases(wording)
]
EACH = pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.name)
NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(("wording", "case"), CASES)
async def test_each_answer_is_the_right_error(wording: Wording, case: Case, answers: Answers) -> None:
    await check(wording, case, answers)


@EACH
async def test_a_refusal_has_the_code_of_what_was_asked(wording: Wording, answers: Answers) -> None:
    answers.say = cases(wording)[0].say
    codes = {
        name: (await error_of(wording, call, answers.url)).code
        for name, call in writes(wording.currency).items()
    }
    assert codes == {
        "open_order": "provider-rejected",
        "capture": "capture-refused",
        "refund": "refund-refused",
    }


@EACH
async def test_the_published_answer_is_read(wording: Wording, answers: Answers) -> None:
    answers.say = raw(200, wording.order)
    adapter = wording.adapter(answers.url)
    opened = await adapter.read_order("5O190127TN364715T")
    await adapter.close()
    assert opened.reference == "attempt-0000000001"
    assert not opened.paid


@EACH
@pytest.mark.parametrize(("kind", "expected"), [("write", OutcomeUnknown), ("read", Unavailable)])
async def test_no_answer_in_time(wording: Wording, answers: Answers, kind: str, expected: Error) -> None:
    answers.holding = True
    calls = writes(wording.currency) if kind == "write" else reads(wording.currency)
    for name, call in calls.items():
        error = await error_of(wording, call, answers.url, timeout_s=0.3)
        assert type(error) is expected, f"{name}: {error!r}"


@EACH
async def test_no_connection_is_unavailable_because_nothing_was_sent(wording: Wording) -> None:
    for call in (*writes(wording.currency).values(), *reads(wording.currency).values()):
        assert type(await error_of(wording, call, NOBODY)) is Unavailable

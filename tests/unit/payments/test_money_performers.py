"""The calls that move money, as sentences: looked up before anything is done twice."""

import asyncio

import msgspec
import pytest

from services.payments.task_requests import CancelTask, CaptureTask, OpenRequest, RefundTask
from services.payments.tasks import Performers
from shared.errors import NotFound, OutcomeUnknown, Rejected, Unavailable
from shared.messages.facts import (
    AttemptUnanswered,
    CancelEnded,
    CaptureEnded,
    CaptureUnanswered,
    ChargeFact,
    ProviderOrderFact,
    RefundEnded,
    RefundFact,
    RefundUnanswered,
    Seen,
)
from shared.providers.base import CaptureRequest, OrderRequest, RefundRequest
from shared.providers.razorpay.adapter import RazorpayAdapter
from shared.settings import RazorpaySettings
from shared.tasks import Answered, ClaimedTask, Later
from tests.unit.payments.examples import AMOUNT, NOW, charge


class Provider(RazorpayAdapter):
    """Keeps its own books in memory; `fails` is raised after it acted, `refuses` before."""

    def __init__(self) -> None:
        super().__init__(RazorpaySettings(key_id="rzp_test_x", key_secret="k" * 20, account="acc_1"))
        self.refunds: dict[str, RefundFact] = {}
        self.charges: tuple[ChargeFact, ...] = ()
        self.captures: list[CaptureRequest] = []
        self.fails: Exception | None = None
        self.refuses: Rejected | None = None
        self.hides: Rejected | None = None

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        if self.hides:
            raise self.hides
        return self.refunds.get(request.key)

    async def refund(self, request: RefundRequest) -> RefundFact:
        self._refuse()
        assert request.key not in self.refunds, "done twice"
        self.refunds[request.key] = RefundFact(
            refund_id=f"rfnd_{len(self.refunds)}", charge_id=request.charge_id, state="succeeded",
            amount=request.amount, currency=request.currency, reference=request.key,
        )  # fmt: skip
        self._fail()
        return self.refunds[request.key]

    async def read(self, provider_order_id: str) -> Seen:  # noqa: ARG002 - it has only one
        return Seen(charges=self.charges)

    async def capture(self, request: CaptureRequest) -> ChargeFact:
        self._refuse()
        self.captures.append(request)
        self.charges = (charge("captured", "CAP-1"),)
        self._fail()
        return self.charges[0]

    async def cancel(self, provider_order_id: str, key: str) -> Seen:  # noqa: ARG002 - it has only one
        self._refuse()
        return Seen(cancelled=True)

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:  # noqa: ARG002 - none
        return None

    def _fail(self) -> None:
        if self.fails:
            raise self.fails

    def _refuse(self) -> None:
        if self.refuses:
            raise self.refuses


LOST = OutcomeUnknown("provider-outcome-unknown", "no answer")
REFUND = RefundTask("order-1", "rf-0000000001", "razorpay", "order_P1", "pay_1", AMOUNT, "INR")
APPROVAL = CaptureTask(
    "order-1", "razorpay", "attempt-1", "order_P1", "", AMOUNT, "INR", AMOUNT, "attempt-1-c1", number=1
)


@pytest.fixture
def provider() -> Provider:
    return Provider()


def perform(provider: Provider, kind: str, request: object, claims: int = 1) -> object:
    """The result of one claim of such a task."""

    async def nobody(_provider: str, _account: str, _reference: str) -> None:
        return None

    performer = Performers({"razorpay": provider}, nobody).table()[kind]
    result = asyncio.run(
        performer(ClaimedTask(1, kind, "key", "order-1", msgspec.json.encode(request), claims))
    )
    return result.message if isinstance(result, Answered) else result


def test_a_refund_is_done_under_our_own_id(provider: Provider) -> None:
    result = perform(provider, "refund", REFUND)
    assert isinstance(result, RefundEnded)
    assert list(provider.refunds) == ["rf-0000000001"]


def test_a_refund_that_a_process_did_before_it_died_is_found_and_not_done_again(provider: Provider) -> None:
    perform(provider, "refund", REFUND)  # its result was never recorded
    result = perform(provider, "refund", REFUND, claims=2)
    assert isinstance(result, RefundEnded)
    assert result.fact is not None


def test_a_refund_without_an_answer_is_unknown(provider: Provider) -> None:
    provider.fails = LOST
    assert isinstance(perform(provider, "refund", REFUND), RefundUnanswered)


@pytest.mark.parametrize("claims", [1, 2])
def test_a_refund_that_cannot_be_looked_up_is_unknown_and_not_refused(
    provider: Provider, claims: int
) -> None:
    """Refused, its amount would be free again, though it may have gone back already."""
    provider.hides = NotFound("not-found", "no such order")
    request = msgspec.structs.replace(REFUND, tries=2 - claims)
    result = perform(provider, "refund", request, claims=claims)
    assert isinstance(result, RefundUnanswered)
    assert not provider.refunds


def test_every_try_of_a_refund_has_the_same_key(provider: Provider) -> None:
    provider.refuses = Rejected("refund-refused", "no")
    perform(provider, "refund", REFUND)
    provider.refuses = None
    perform(provider, "refund", msgspec.structs.replace(REFUND, tries=3))
    assert list(provider.refunds) == ["rf-0000000001"]


def test_a_refused_refund_is_told_with_the_providers_words(provider: Provider) -> None:
    provider.refuses = Rejected("refund-refused", "insufficient balance")
    result = perform(provider, "refund", REFUND)
    assert isinstance(result, RefundEnded)
    assert (result.fact, result.refused) == (None, "insufficient balance")


def test_a_provider_that_did_nothing_is_asked_again_later(provider: Provider) -> None:
    provider.refuses = None
    provider.fails = Unavailable("provider-unavailable", "away")
    assert isinstance(perform(provider, "refund", REFUND), Later)


def test_an_approval_that_was_captured_is_read_and_not_captured_again(provider: Provider) -> None:
    provider.fails = LOST
    assert isinstance(perform(provider, "capture", APPROVAL), CaptureUnanswered)
    result = perform(provider, "capture", APPROVAL, claims=2)
    assert isinstance(result, CaptureEnded)
    assert result.charge is not None
    assert (result.charge.state, len(provider.captures)) == ("captured", 1)


def test_a_declined_instrument_is_a_decline_of_that_approval(provider: Provider) -> None:
    provider.refuses = Rejected("instrument-declined", "choose another card")
    result = perform(provider, "capture", APPROVAL)
    assert isinstance(result, CaptureEnded)
    assert result.charge is not None
    assert (result.charge.charge_id, result.charge.state) == ("order_P1-1", "failed")


def test_a_cancel_that_came_too_late_tells_what_the_order_became(provider: Provider) -> None:
    provider.refuses = Rejected("cancel-refused", "already captured")
    provider.charges = (charge("captured"),)
    result = perform(provider, "cancel", CancelTask("order-1", "razorpay", "attempt-1", "order_P1"))
    assert isinstance(result, CancelEnded)
    assert (result.refused, result.seen.charges[0].state) == ("already captured", "captured")


def test_an_abandoned_order_is_only_looked_for(provider: Provider) -> None:
    request = OpenRequest(
        "order-1", "attempt-1", "razorpay", AMOUNT, "INR", NOW, capture_automatically=True,
        lookup_first=True, tries=2, only_look=True,
    )  # fmt: skip
    assert isinstance(perform(provider, "open_order", request), AttemptUnanswered)

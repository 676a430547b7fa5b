"""The calls to a provider, as sentences: looked up before anything is done twice."""

import asyncio

import msgspec
import pytest

from services.payments.task_requests import CaptureTask, LookRequest, OpenRequest
from services.payments.tasks import Performers
from shared.errors import NotFound, OutcomeUnknown, Rejected
from shared.messages.facts import (
    AttemptOpened,
    AttemptUnanswered,
    CaptureEnded,
    ChargeFact,
    Looked,
    ProviderOrderFact,
    Seen,
)
from shared.providers.base import CaptureRequest, OrderRequest
from shared.providers.razorpay.adapter import RazorpayAdapter
from shared.settings import RazorpaySettings
from shared.tasks import Answered, ClaimedTask
from tests.unit.payments.examples import AMOUNT, NOW, charge


class Provider(RazorpayAdapter):
    """Keeps its own books in memory; `loses_answers`: it acts, and the answer does not arrive."""

    def __init__(self) -> None:
        super().__init__(RazorpaySettings(key_id="rzp_test_x", key_secret="k" * 20, account="acc_1"))
        self.orders: list[OrderRequest] = []
        self.charge = charge("authorized")
        self.captures = 0
        self.loses_answers = False
        self.refuses = False

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        self.orders.append(request)
        self._lose_answer()
        return _fact(request, len(self.orders))

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:
        found = [(n, o) for n, o in enumerate(self.orders, start=1) if o.reference == request.reference]
        return _fact(found[0][1], found[0][0]) if found else None

    async def read(self, provider_order_id: str) -> Seen:
        raise NotFound("not-found", f"{provider_order_id} does not exist")

    async def read_charge(self, charge_id: str) -> ChargeFact:
        assert charge_id == self.charge.charge_id
        return self.charge

    async def capture(self, request: CaptureRequest) -> ChargeFact:  # noqa: ARG002 - the signature
        if self.refuses:
            raise Rejected("provider-rejected", "no")
        self.captures += 1
        self.charge = charge("captured")
        self._lose_answer()
        return self.charge

    def _lose_answer(self) -> None:
        if self.loses_answers:
            raise OutcomeUnknown("provider-outcome-unknown", "no answer")


def _fact(request: OrderRequest, number: int) -> ProviderOrderFact:
    return ProviderOrderFact(
        provider_order_id=f"order_P{number}", reference=request.reference, amount=AMOUNT, currency="INR"
    )


@pytest.fixture
def provider() -> Provider:
    return Provider()


def perform(provider: Provider, kind: str, request: object, claims: int = 1) -> object:
    """The result of one claim of such a task."""

    async def nobody(_provider: str, _account: str, _reference: str) -> None:
        return None

    performer = Performers({"razorpay": provider}, nobody).table()[kind]
    task = ClaimedTask(1, kind, "key", "order-1", msgspec.json.encode(request), claims)
    result = asyncio.run(performer(task))
    return result.message if isinstance(result, Answered) else result


def opening(*, lookup_first: bool = False, tries: int = 0) -> OpenRequest:
    return OpenRequest(
        "order-1",
        "reference-1",
        "razorpay",
        AMOUNT,
        "INR",
        NOW,
        capture_automatically=True,
        lookup_first=lookup_first,
        tries=tries,
    )


CAPTURING = CaptureTask(
    "order-1", "razorpay", "attempt-1", "order_P1", "pay_1", AMOUNT, "INR", AMOUNT, "capture-pay_1"
)


def test_the_first_claim_creates_the_order_under_our_own_reference(provider: Provider) -> None:
    result = perform(provider, "open_order", opening())
    assert isinstance(result, AttemptOpened)
    assert [(o.reference, o.amount, o.currency) for o in provider.orders] == [("reference-1", AMOUNT, "INR")]


def test_what_a_process_that_died_had_created_is_found_and_not_created_again(provider: Provider) -> None:
    perform(provider, "open_order", opening())  # its result was never recorded
    result = perform(provider, "open_order", opening(), claims=2)
    assert isinstance(result, AttemptOpened)
    assert result.fact.provider_order_id == "order_P1"
    assert len(provider.orders) == 1


def test_a_create_without_an_answer_is_unknown_and_then_found(provider: Provider) -> None:
    provider.loses_answers = True
    unanswered = perform(provider, "open_order", opening())
    assert isinstance(unanswered, AttemptUnanswered)
    assert isinstance(perform(provider, "open_order", opening(lookup_first=True, tries=1)), AttemptOpened)
    assert len(provider.orders) == 1


def test_an_order_that_was_never_made_is_made_after_the_look(provider: Provider) -> None:
    assert isinstance(perform(provider, "open_order", opening(), claims=2), AttemptOpened)
    assert len(provider.orders) == 1


def test_a_capture_that_was_done_is_read_and_not_done_again(provider: Provider) -> None:
    provider.loses_answers = True
    perform(provider, "capture", CAPTURING)
    result = perform(provider, "capture", CAPTURING, claims=2)
    assert isinstance(result, CaptureEnded)
    assert result.charge is not None
    assert (result.charge.state, provider.captures) == ("captured", 1)


def test_a_refused_capture_tells_what_the_provider_says_of_the_charge(provider: Provider) -> None:
    provider.refuses = True
    result = perform(provider, "capture", CAPTURING)
    assert isinstance(result, CaptureEnded)
    assert result.charge is not None
    assert (result.charge.state, result.refused) == ("authorized", "no")


def test_an_order_that_its_provider_does_not_know_is_seen_to_show_nothing(provider: Provider) -> None:
    """So it expires and closes like any that nobody paid, and is not read again for ever."""
    request = LookRequest("order-1", "attempt-1", "razorpay", "order_P1", "schedule", round=1)
    result = perform(provider, "look", request)
    assert isinstance(result, Looked)
    assert (result.seen, result.round) == (Seen(), 1)

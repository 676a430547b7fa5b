"""A worker that was frozen between its look and its call leaves the call to whoever took over."""

import asyncio
import time

import pytest

from services.payments.breaker import Breakers
from services.payments.guarded import Guarded
from shared.messages.facts import ChargeFact
from shared.providers.base import CaptureRequest
from shared.providers.razorpay.adapter import RazorpayAdapter
from shared.settings import RazorpaySettings
from tests.unit.payments.examples import AMOUNT, charge

CALL = CaptureRequest("capture-pay_1", "order_1", "pay_1", AMOUNT, "INR", AMOUNT)


class Freezing(RazorpayAdapter):
    """The whole process stands still while it reads, as under SIGSTOP."""

    def __init__(self) -> None:
        super().__init__(RazorpaySettings(key_id="rzp_test_x", key_secret="k" * 20, account="acc_1"))
        self.frozen_s = 0.0
        self.captured: list[CaptureRequest] = []

    async def read_charge(self, charge_id: str) -> ChargeFact:
        time.sleep(self.frozen_s)  # noqa: ASYNC251 - nothing else of this process runs meanwhile
        return charge("authorized", charge_id)

    async def capture(self, request: CaptureRequest) -> ChargeFact:
        self.captured.append(request)
        return charge("captured", request.charge_id)


async def look_and_capture(adapter: Freezing, time_s: float) -> None:
    guarded = Guarded(adapter, Breakers().circuit("razorpay", "capture"))
    async with asyncio.timeout(time_s):
        await guarded.read_charge("pay_1")
        await guarded.capture(CALL)


def test_a_worker_whose_time_went_by_while_it_was_frozen_makes_no_call() -> None:
    adapter = Freezing()
    adapter.frozen_s = 0.05
    with pytest.raises(TimeoutError):
        asyncio.run(look_and_capture(adapter, 0.01))
    assert adapter.captured == []


def test_a_worker_in_time_makes_its_call_once() -> None:
    adapter = Freezing()
    asyncio.run(look_and_capture(adapter, 5.0))
    assert adapter.captured == [CALL]

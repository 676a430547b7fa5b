"""Webhooks as they come: good ones, the same one again, other people's, broken and forged ones."""

from datetime import UTC, datetime

import pytest

from shared.errors import Malformed, Rejected
from shared.providers.base import Adapter
from tests.contract.providers.contract.driver import Delivery, Driver, Odd, scenario, until
from tests.contract.providers.contract.payment_scenarios import paid


async def _heard(driver: Driver, *ids: str) -> list[Delivery]:
    """What was sent about these objects, when something was."""

    async def look() -> list[Delivery]:
        return [delivery for each in ids for delivery in driver.heard(each)]

    return await until(look, "a webhook arrives")


@scenario()
async def every_webhook_of_a_payment_is_verified_and_names_its_order(
    adapter: Adapter, driver: Driver
) -> None:
    opened, charge = await paid(adapter, driver)
    about: list[str] = []

    async def told() -> bool:
        about[:] = [
            adapter.read_webhook(each.body).event_type
            for each in driver.heard(opened.provider_order_id)
            if _says(adapter, each, charge.charge_id)
        ]
        return bool(about)

    await until(told, "a webhook tells of the payment")
    for delivery in await _heard(driver, opened.provider_order_id):
        assert adapter.recognises(delivery.headers)
        await adapter.verify_webhook(delivery.headers, delivery.body, datetime.now(UTC))
        content = adapter.read_webhook(delivery.body)
        assert content.account == adapter.account
        assert content.live in (None, adapter.live)
        if content.known:
            named = (content.provider_order_id, content.charge_id)
            assert opened.provider_order_id in named or charge.charge_id in named


def _says(adapter: Adapter, delivery: Delivery, charge_id: str) -> bool:
    """Whether it says, or hints, that money was taken."""
    content = adapter.read_webhook(delivery.body)
    states = {(each.charge_id, each.state) for each in content.seen.charges}
    return (charge_id, "captured") in states or (content.hint and content.charge_id == charge_id)


@scenario()
async def the_same_webhook_again_is_the_same_and_two_are_two(adapter: Adapter, driver: Driver) -> None:
    (one, *_), (other, *_) = [
        await _heard(driver, (await paid(adapter, driver))[0].provider_order_id) for _ in range(2)
    ]
    again = {**one.headers, "x-request-id": "another", "date": "another"}
    assert adapter.webhook_identity(one.headers, one.body) == adapter.webhook_identity(again, one.body)
    first, second = (adapter.webhook_identity(each.headers, each.body) for each in (one, other))
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert all(0 < len(key) <= 100 for _, key in (first, second))


@scenario()
async def a_changed_body_or_a_borrowed_signature_is_refused(adapter: Adapter, driver: Driver) -> None:
    (one, *_), (other, *_) = [
        await _heard(driver, (await paid(adapter, driver))[0].provider_order_id) for _ in range(2)
    ]
    middle = len(one.body) // 2
    flipped = one.body[:middle] + bytes([one.body[middle] ^ 1]) + one.body[middle + 1 :]
    bare = {name: value for name, value in one.headers.items() if adapter.name not in name}
    forged = [
        (one.headers, flipped),
        (one.headers, one.body[:-1]),
        (one.headers, one.body + b" "),
        (one.headers, b""),
        (other.headers, one.body),
        (bare, one.body),
        *((_damaged(one.headers, name), one.body) for name in one.headers if _signs(adapter, one, name)),
    ]
    assert len(forged) > 6, "at least one header is what signs"
    for headers, body in forged:
        with pytest.raises(Rejected, match="bad-signature"):
            await adapter.verify_webhook(headers, body, datetime.now(UTC))


def _signs(adapter: Adapter, delivery: Delivery, name: str) -> bool:
    """Whether this header is how the provider's webhooks are recognised."""
    return adapter.recognises({name: delivery.headers[name]})


def _damaged(headers: dict[str, str], name: str) -> dict[str, str]:
    """All of it, since a header may hold more than the signature that counts."""
    return {**headers, name: headers[name][::-1]}


async def _odd(driver: Driver, kind: Odd) -> Delivery:
    driver.send_odd(kind)
    return (await _heard(driver, f"odd-{kind}"))[-1]


@scenario(lambda _, its: "unknown" in its.has_odd_webhooks)
async def a_type_that_nobody_knows_is_kept_and_says_nothing(adapter: Adapter, driver: Driver) -> None:
    delivery = await _odd(driver, "unknown")
    await adapter.verify_webhook(delivery.headers, delivery.body, datetime.now(UTC))
    identity, key = adapter.webhook_identity(delivery.headers, delivery.body)
    assert identity
    assert key
    content = adapter.read_webhook(delivery.body)
    assert not content.known
    assert (content.seen.charges, content.seen.refunds, content.seen.disputes) == ((), (), ())


@scenario(lambda _, its: "foreign" in its.has_odd_webhooks)
async def somebody_elses_event_names_their_account(adapter: Adapter, driver: Driver) -> None:
    delivery = await _odd(driver, "foreign")
    await adapter.verify_webhook(delivery.headers, delivery.body, datetime.now(UTC))
    assert adapter.read_webhook(delivery.body).account != adapter.account


@scenario(lambda _, its: "live" in its.has_odd_webhooks)
async def an_event_of_the_other_mode_says_so(adapter: Adapter, driver: Driver) -> None:
    delivery = await _odd(driver, "live")
    await adapter.verify_webhook(delivery.headers, delivery.body, datetime.now(UTC))
    assert adapter.read_webhook(delivery.body).live is True
    assert adapter.live is False


@scenario()
async def what_is_no_event_is_malformed(adapter: Adapter, driver: Driver) -> None:
    (one, *_) = await _heard(driver, (await paid(adapter, driver))[0].provider_order_id)
    for body in (b"", b"{", b"[]", b"null", b'{"event":5}', b"\xff\xfe", b"[" * 5000, one.body[:-40]):
        with pytest.raises(Malformed):
            adapter.webhook_identity(one.headers, body)
        with pytest.raises(Malformed):
            adapter.read_webhook(body)

"""The signed text byte by byte, and what each kind of event hints at, in the published shapes."""

import base64
import json
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Malformed, Rejected
from shared.providers.paypal import events, signatures
from tests.contract.providers.paypal.chains import SIGNING_KEY

WEBHOOK = "8PT597110X687430L"
HEADERS = {
    "paypal-transmission-id": "69cd13f0-d67a-11e5-baa3-778b53f4ae55",
    "paypal-transmission-time": "2016-02-18T20:01:35Z",
    "paypal-auth-algo": "SHA256withRSA",
    "paypal-cert-url": "https://api.paypal.com/v1/notifications/certs/CERT-360caa42",
}
# The published check value of CRC-32/IEEE is 0xCBF43926 for these nine digits.
NINE = b"123456789"
SIGNED = b"69cd13f0-d67a-11e5-baa3-778b53f4ae55|2016-02-18T20:01:35Z|8PT597110X687430L|3421780262"


def signed(text: bytes) -> dict[str, str]:
    signature = base64.b64encode(SIGNING_KEY.sign(text, PKCS1v15(), SHA256())).decode()
    return {**HEADERS, signatures.SIGNATURE_HEADER: signature}


def judge(headers: dict[str, str], body: bytes, webhook_id: str = WEBHOOK) -> None:
    signatures.check(SIGNING_KEY.public_key(), signatures.transmission(headers), webhook_id, body)


def test_the_documented_text_is_what_is_verified() -> None:
    judge(signed(SIGNED), NINE)


@pytest.mark.parametrize(
    ("headers", "body", "webhook_id"),
    [
        (signed(SIGNED), NINE + b" ", WEBHOOK),
        (signed(SIGNED), NINE, "another webhook's id"),
        (signed(SIGNED.replace(b"3421780262", b"-873187034")), NINE, WEBHOOK),
        (signed(SIGNED.replace(b"3421780262", b"cbf43926")), NINE, WEBHOOK),
        ({**signed(SIGNED), "paypal-transmission-time": "2016-02-18T20:01:36Z"}, NINE, WEBHOOK),
        ({**signed(SIGNED), "paypal-auth-algo": "SHA1withRSA"}, NINE, WEBHOOK),
        ({**signed(SIGNED), "paypal-auth-algo": ""}, NINE, WEBHOOK),
        ({**signed(SIGNED), "paypal-transmission-sig": "not base64!"}, NINE, WEBHOOK),
        ({**signed(SIGNED), "paypal-transmission-sig": "AAAA" * 300}, NINE, WEBHOOK),
        ({**signed(SIGNED), "paypal-transmission-id": "a|b"}, NINE, WEBHOOK),
        ({**signed(SIGNED), "paypal-transmission-id": ""}, NINE, WEBHOOK),
        (HEADERS, NINE, WEBHOOK),
        ({}, NINE, WEBHOOK),
    ],
)
def test_anything_else_is_refused(headers: dict[str, str], body: bytes, webhook_id: str) -> None:
    with pytest.raises(Rejected, match="bad-signature") as caught:
        judge(headers, body, webhook_id)
    assert caught.value.detail.isalpha(), "the reason is a word for the metric"


def test_another_body_with_the_same_checksum_passes_and_is_only_a_hint() -> None:
    """Why nothing in a body is believed: four bytes are enough to make any body's checksum the same."""
    genuine, forged = event("PAYMENT.CAPTURE.COMPLETED", {"id": "5VK4"}), b'{"id":"WH-2","pad":"'
    forged_body = _with_checksum(forged, zlib.crc32(genuine))
    text = b"|".join([*SIGNED.split(b"|")[:3], str(zlib.crc32(genuine)).encode()])
    judge(signed(text), genuine)
    judge(signed(text), forged_body)
    assert genuine != forged_body


def _with_checksum(start: bytes, wanted: int) -> bytes:
    """CRC-32 run backwards: the four bytes after `start` that end at `wanted`."""
    table = [_entry(n) for n in range(256)]
    state, steps = wanted ^ 0xFFFFFFFF, []
    for _ in range(4):
        index = next(n for n in range(256) if table[n] >> 24 == state >> 24)
        steps.append(index)
        state = ((state ^ table[index]) << 8) & 0xFFFFFFFF
    now, added = zlib.crc32(start) ^ 0xFFFFFFFF, b""
    for index in reversed(steps):
        added += bytes([(now ^ index) & 0xFF])
        now = (now >> 8) ^ table[index]
    assert zlib.crc32(start + added) == wanted
    return start + added


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
    return value


def event(kind: str, resource: dict[str, object]) -> bytes:
    return json.dumps({"id": "WH-1", "event_type": kind, "resource": resource}).encode()


UP_ORDER = [{"rel": "up", "href": "https://api.paypal.com/v2/checkout/orders/4K51"}]
UP_CAPTURE = [{"rel": "up", "href": "https://api.paypal.com/v2/payments/captures/5VK4"}]
RELATED = {"related_ids": {"order_id": "4K51"}}


@pytest.mark.parametrize(
    ("kind", "resource", "order_id", "charge_id"),
    [
        ("CHECKOUT.ORDER.APPROVED", {"id": "4K51", "status": "APPROVED"}, "4K51", None),
        ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {"order_id": "4K51"}, "4K51", None),
        ("PAYMENT.CAPTURE.COMPLETED", {"id": "5VK4", "supplementary_data": RELATED}, "4K51", "5VK4"),
        ("PAYMENT.CAPTURE.PENDING", {"id": "5VK4", "links": UP_ORDER}, "4K51", "5VK4"),
        ("PAYMENT.CAPTURE.DENIED", {"id": "5VK4"}, None, "5VK4"),
        ("PAYMENT.CAPTURE.DECLINED", {"id": "5VK4"}, None, "5VK4"),
        ("PAYMENT.CAPTURE.REFUNDED", {"id": "1JU0", "links": UP_CAPTURE}, None, "5VK4"),
        ("PAYMENT.CAPTURE.REVERSED", {"id": "1JU0", "links": UP_CAPTURE}, None, "5VK4"),
        ("PAYMENT.REFUND.FAILED", {"id": "1JU0", "links": UP_CAPTURE}, None, "5VK4"),
        (
            "CUSTOMER.DISPUTE.CREATED",
            {"dispute_id": "PP-1", "disputed_transactions": [{"seller_transaction_id": "5VK4"}]},
            None,
            "5VK4",
        ),
    ],
)
def test_an_event_says_where_to_look(
    kind: str, resource: dict[str, object], order_id: str | None, charge_id: str | None
) -> None:
    content = events.webhook(event(kind, resource), "MERCHANT")
    assert (content.provider_order_id, content.charge_id) == (order_id, charge_id)
    assert (content.known, content.hint, content.account) == (True, True, "MERCHANT")
    assert content.approval == (kind == "CHECKOUT.ORDER.APPROVED")
    assert events.identity(event(kind, resource)) == ("WH-1", order_id or charge_id)


def test_an_event_of_another_merchant_says_so() -> None:
    body = event("PAYMENT.CAPTURE.COMPLETED", {"id": "5VK4", "payee": {"merchant_id": "OTHER"}})
    assert events.webhook(body, "MERCHANT").account == "OTHER"


def test_an_event_that_is_nothing_to_us_is_kept_and_not_known() -> None:
    content = events.webhook(event("BILLING.SUBSCRIPTION.CREATED", {"id": "I-BW4"}), "MERCHANT")
    assert not content.known
    assert events.identity(event("BILLING.SUBSCRIPTION.CREATED", {"id": 5}))[0] == "WH-1"


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_what_is_no_event_is_malformed(body: bytes) -> None:
    for read in (events.identity, lambda b: events.webhook(b, "MERCHANT")):
        with pytest.raises(Malformed):
            read(body)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"null", b'{"id":"","event_type":"x"}', b'{"id":"a"}', b"{" * 5000]
)
def test_bodies_without_an_id_or_a_type_are_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        events.identity(body)

"""Single values: properties that no list of examples covers."""

import string

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.fields import ORDER_ID, check_email, check_text
from services.gateway.inputs import read_json
from services.gateway.orders import OrderInput, checked
from shared.errors import Malformed, PaystreamError, Rejected

_order = msgspec.json.Decoder(OrderInput)
SAFE = string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~.-@"


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=60))
def test_taken_order_id_is_plain_ascii(value: str) -> None:
    plain = 1 <= len(value) <= 40 and set(value) <= set(string.ascii_letters + string.digits + "_-")
    assert bool(ORDER_ID.match(value)) is plain


@settings(deadline=None)  # the machine may be busy
@given(
    st.text(alphabet=st.sampled_from([*SAFE, "\r", "\n", ",", ";", " ", "<", '"', "ä", "\0"]), max_size=40)
)
def test_taken_address_cannot_add_a_header_or_a_recipient(value: str) -> None:
    try:
        check_email(value, "$")
    except Rejected:
        return
    assert set(value) <= set(SAFE)
    assert value.count("@") == 1
    assert "." in value.partition("@")[2]


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=40))
def test_taken_text_prints_as_it_reads(value: str) -> None:
    try:
        check_text(value, "$")
    except Rejected:
        return
    assert all(c.isprintable() or c in "\u200c\u200d" or c.isspace() for c in value)
    assert not any(c in value for c in "\0\r\n\t\u202e\u200b\u2066\ufeff")


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_published_code(raw: bytes) -> None:
    with pytest.raises((Malformed, Rejected)):
        read_json(raw, _order)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["orderId", "amount", "currency", "customer", "lines", "locale", "billing", "capture", "x"]
)


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(FIELDS, JSON, max_size=9))
def test_any_json_becomes_a_checked_order_or_a_refusal(body: dict[str, object]) -> None:
    raw = msgspec.json.encode(body)
    try:
        order = checked(read_json(raw, _order))
    except PaystreamError as error:
        assert isinstance(error, Malformed | Rejected)  # noqa: PT017 - which one depends on the input
    else:
        assert order.amount == sum(line.quantity * line.unit_amount for line in order.lines)


@pytest.mark.parametrize(
    "evil", [b'{"evil<script>":1}', b'{"capture":"evil<script>"}', b'{"customer":{"evil<script>":1}}']
)
def test_refusal_never_repeats_the_input(evil: bytes) -> None:
    with pytest.raises(PaystreamError) as refused:
        read_json(evil, _order)
    assert "evil" not in refused.value.detail

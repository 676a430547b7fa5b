"""Which address a limit counts, and where a buyer is sent back to."""

from datetime import datetime
from ipaddress import ip_network

import pytest

from services.gateway.access import client_network
from services.gateway.catchup import read_cursor, read_time, write_cursor
from services.gateway.offer import with_order
from services.gateway.reading import Cursor
from shared.envelope import now_utc
from shared.errors import Rejected

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "counted"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["not an address"], "unknown"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", [], "2001:db8:1:2::/64"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::/64"),
        ("", [], "unknown"),
    ],
)
def test_counted_address_is_the_last_one_that_nobody_can_forge(
    peer: str, forwarded: list[str], counted: str
) -> None:
    assert client_network(peer, forwarded, PROXIES) == counted


@pytest.mark.parametrize(
    ("return_url", "address"),
    [
        ("https://shop.example/thanks", "https://shop.example/thanks?orderId=o-1"),
        ("https://shop.example/?lang=en&a=", "https://shop.example/?lang=en&a=&orderId=o-1"),
    ],
)
def test_buyer_comes_back_to_the_configured_address(return_url: str, address: str) -> None:
    assert with_order(return_url, "o-1") == address


@pytest.mark.parametrize(
    "since", [now_utc().replace(microsecond=0), read_time(None), read_time("8999-12-31T23:59:59Z")]
)
def test_cursor_survives_its_text(since: datetime) -> None:
    cursor = Cursor(123_456_789_012, "order-1_A", since)
    assert read_cursor(write_cursor(cursor)) == cursor


@pytest.mark.parametrize("since", ["999999999999", "9999999999999", ""])
def test_cursor_of_no_time_that_we_gave_is_refused(since: str) -> None:
    with pytest.raises(Rejected, match="cursor-invalid"):
        read_cursor(f"1.{since}.order-1")

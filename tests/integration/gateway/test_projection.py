"""What buyers and servers read: the newest snapshot, whatever order the events came in."""

import threading
from typing import Any

import httpx
import pytest

from tests.integration.gateway.events import created, failed, flagged, paid, pending
from tests.integration.gateway.eventually import eventually
from tests.integration.gateway.orders import new_order_id, token
from tests.integration.gateway.process import server
from tests.integration.gateway.system import System


def read(http: httpx.Client, order_id: str, as_server: str = "") -> dict[str, Any]:
    headers = server(as_server) if as_server else token(order_id)
    answer = http.get(f"/api/payments/{order_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_buyer_sees_status_money_and_history_and_nothing_else(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    system.publish(order_id, *(e(order_id) for e in (created, pending, failed, paid, flagged)))
    seen = eventually(lambda: (r := read(http, order_id))["version"] == 5 and r)
    assert isinstance(seen, dict)
    assert set(seen) == {
        "orderId", "status", "detail", "version", "amount", "currency", "amounts", "provider",
        "canRetry", "failure", "closesAt", "paidAt", "updatedAt", "refunds", "history",
    }  # fmt: skip
    assert [(h["version"], h["status"]) for h in seen["history"]] == [
        (1, "created"), (2, "pending_payment"), (3, "failed"), (4, "paid"),
    ]  # fmt: skip


def test_server_sees_charges_and_flags(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    system.publish(order_id, created(order_id), paid(order_id, 2), flagged(order_id, 3))
    eventually(lambda: read(http, order_id)["version"] == 3)
    seen = read(http, order_id, "reader")
    assert seen["needsAttention"] == ["amount_differs"]
    assert seen["history"][-1]["event"] == "PaymentFlagged"
    system.publish(order_id, paid(order_id, 4))
    eventually(lambda: read(http, order_id)["version"] == 4)
    (charge,) = read(http, order_id, "reader")["charges"]
    assert (charge["chargeId"], charge["amount"]) == ("pay_29QQoUBi66xm2f", 49900)


def test_older_and_repeated_events_change_nothing_but_fill_the_history(
    system: System, http: httpx.Client
) -> None:
    order_id = new_order_id()
    system.publish(order_id, paid(order_id, 4), created(order_id), paid(order_id, 4), failed(order_id, 3),
        pending(order_id, 2), pending(order_id, 2),
    )  # fmt: skip
    eventually(lambda: len(read(http, order_id)["history"]) == 4)
    seen = read(http, order_id)
    assert (seen["status"], seen["version"]) == ("paid", 4)
    assert [h["version"] for h in seen["history"]] == [1, 2, 3, 4]


def test_valid_token_ahead_of_its_order_sees_created(http: httpx.Client) -> None:
    order_id = new_order_id()
    seen = read(http, order_id)
    assert (seen["orderId"], seen["status"], seen["version"]) == (order_id, "created", 0)


def test_server_waits_a_moment_for_an_order_and_then_gets_a_404(system: System, http: httpx.Client) -> None:
    answer = http.get(f"/api/payments/{new_order_id()}", headers=server("reader"))
    assert (answer.status_code, answer.json()["code"]) == (404, "order-not-found")
    order_id = new_order_id()
    threading.Timer(0.15, lambda: system.publish(order_id, created(order_id))).start()
    assert read(http, order_id, "reader")["status"] == "created"


@pytest.mark.parametrize(
    ("currency", "capture", "offered"),
    [
        ("INR", "automatic", ["razorpay", "stripe"]),
        ("CHF", "automatic", ["razorpay", "stripe", "paypal"]),
        ("CHF", "manual", ["razorpay", "stripe"]),  # PayPal holds no money for a capture by hand
        ("EUR", "automatic", ["paypal", "stripe", "razorpay"]),  # as the settings prefer for euros
        ("VUV", "automatic", ["stripe"]),
        ("LYD", "automatic", []),
    ],
)
def test_options_are_the_providers_that_can_take_the_order(
    system: System, http: httpx.Client, currency: str, capture: str, offered: list[str]
) -> None:
    order_id = new_order_id()
    system.publish(order_id, created(order_id, currency=currency, capture=capture))
    eventually(lambda: read(http, order_id)["version"] == 1)
    options = http.get(f"/api/payments/{order_id}/options", headers=token(order_id)).json()
    assert [o["provider"] for o in options] == offered
    keys = {
        "razorpay": "rzp_test_1DP5mmOlF5G5ag",
        "stripe": "pk_test_TYooMQauvdEDq54NiTphI7jx",
        "paypal": "AZxExampleClient",
    }
    assert all(
        o == {"provider": p, "keyId": keys[p], "currency": currency} for o in options for p in [o["provider"]]
    )


def test_options_of_an_order_that_is_on_its_way_are_to_be_asked_again(
    system: System, http: httpx.Client
) -> None:
    order_id = new_order_id()
    path = f"/api/payments/{order_id}/options"
    early = http.get(path, headers=token(order_id))
    assert (early.status_code, early.json()["code"]) == (503, "order-on-its-way")
    threading.Timer(0.1, lambda: system.publish(order_id, created(order_id))).start()
    assert eventually(lambda: http.get(path, headers=token(order_id)).status_code == 200)


# --- catching up ------------------------------------------------------------------------------------------


# Transactions of other tests on the same server hold the list back; theirs end within 30 s.
OTHERS_S = 60.0


def changes(http: httpx.Client, query: str) -> dict[str, Any]:
    answer = http.get(f"/api/payments?{query}", headers=server("reader"))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def all_since(http: httpx.Client, cursor: str, limit: int = 100) -> tuple[list[str], str]:
    ids: list[str] = []
    while True:
        page = changes(http, f"cursor={cursor}&limit={limit}")
        ids += [p["orderId"] for p in page["payments"]]
        cursor = page["cursor"]
        if not page["more"]:
            return ids, cursor


def test_every_change_is_listed_once_page_by_page(system: System, http: httpx.Client) -> None:
    _, cursor = all_since(http, changes(http, "limit=1000")["cursor"], 1000)
    ids = [new_order_id() for _ in range(25)]
    for order_id in ids:
        system.publish(order_id, created(order_id))
    eventually(lambda: set(ids) <= set(all_since(http, cursor)[0]), OTHERS_S)
    listed, after = all_since(http, cursor, limit=7)
    assert sorted(i for i in listed if i in ids) == sorted(ids)
    assert not set(all_since(http, after)[0]) & set(ids)
    system.publish(ids[3], paid(ids[3], 2))
    eventually(lambda: ids[3] in all_since(http, after)[0], OTHERS_S)
    assert set(all_since(http, after)[0]) & set(ids) == {ids[3]}


def test_cursor_stops_before_an_open_transaction_and_misses_nothing(
    system: System, http: httpx.Client
) -> None:
    """A transaction that began first and commits last must still be read."""
    slow, quick = new_order_id(), new_order_id()
    system.query("BEGIN")
    system.query(
        """INSERT INTO payments (order_id, version, snapshot, updated_at)
           SELECT $1, 1, replace(snapshot::text, order_id, $1)::json, now() FROM payments LIMIT 1""",
        slow,
    )
    try:
        system.publish(quick, created(quick))
        eventually(lambda: read(http, quick)["version"] == 1)
        listed, cursor = all_since(http, changes(http, "limit=1000")["cursor"], 1000)
        assert quick not in listed
    finally:
        system.query("COMMIT")
    eventually(lambda: {slow, quick} <= set(all_since(http, cursor)[0]), OTHERS_S)


def test_updated_since_leaves_out_what_is_older(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    system.publish(order_id, created(order_id))  # updated 2026-03-01T09:01:00Z
    eventually(lambda: read(http, order_id)["version"] == 1)

    def listed(since: str) -> bool:
        found = changes(http, f"updatedSince={since}&limit=1000")
        ids = [p["orderId"] for p in found["payments"]]
        return order_id in ids or (found["more"] and order_id in all_since(http, found["cursor"], 1000)[0])

    eventually(lambda: listed("2026-03-01T09:01:00Z"), OTHERS_S)
    assert not listed("2026-03-01T09:01:01Z")


def test_rows_of_a_restored_dump_are_listed(system: System, http: httpx.Client) -> None:
    """Transactions of another server may be far ahead of this one's: at start they become changes of now."""
    order_id = new_order_id()
    system.publish(order_id, created(order_id))
    eventually(lambda: read(http, order_id)["version"] == 1)
    _, cursor = all_since(http, changes(http, "limit=1000")["cursor"], 1000)
    system.query("UPDATE payments SET changed_by = '99999999999' WHERE order_id = $1", order_id)
    assert order_id not in all_since(http, cursor)[0]
    restarted = system.another("restored")
    restarted.start()
    restarted.stop()
    eventually(lambda: order_id in all_since(http, cursor)[0], OTHERS_S)


def test_message_that_is_no_event_is_parked_and_the_next_one_read(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    system.payments.raw(order_id, b"not an envelope")
    system.publish(order_id, created(order_id))
    eventually(lambda: read(http, order_id)["version"] == 1)
    parked = system.query(
        "SELECT 1 FROM inbox WHERE outcome = 'parked' AND record_key = $1", order_id.encode()
    )
    assert len(parked) == 1

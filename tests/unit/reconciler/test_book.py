"""The same events, in any order and repeated, give the same book."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.reconciler.domain.book import Checkpoint, OrderBook, on_ledger_checkpoint, on_payment_event
from shared.messages.facts import ChargeState
from shared.messages.payments import Amounts, ChargeView, LedgerCheckpoint, PaymentSnapshot

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
STATES: tuple[ChargeState, ...] = ("pending", "failed", "authorized", "lapsed", "captured")


def snapshot(version: int, *charges: ChargeView, provider_order_id: str = "order_1") -> PaymentSnapshot:
    return PaymentSnapshot(
        order_id="o-1",
        payment_id="p-1",
        version=version,
        status="processing",
        detail="",
        amount=500,
        currency="INR",
        amounts=Amounts(),
        revision=1,
        created_at=T0,
        updated_at=T0 + timedelta(seconds=version),
        provider="razorpay",
        account="acc_1",
        provider_order_id=provider_order_id,
        charges=charges,
    )


def charge(charge_id: str, state: ChargeState, provider_order_id: str = "order_1") -> ChargeView:
    return ChargeView(
        charge_id=charge_id,
        provider="razorpay",
        account="acc_1",
        provider_order_id=provider_order_id,
        state=state,
        amount=500,
        currency="INR",
    )


def applied(events: list[PaymentSnapshot]) -> OrderBook:
    book = OrderBook("o-1")
    for event in events:
        book = on_payment_event(book, event).state
    return book


@st.composite
def histories(draw: st.DrawFn) -> list[PaymentSnapshot]:
    """An order's snapshots: charges only appear and rise, attempts follow each other."""
    ranks: dict[str, int] = {}
    history = []
    for version in range(1, draw(st.integers(1, 8)) + 1):
        charge_id = draw(st.sampled_from(["pay_1", "pay_2", "pay_3"]))
        ranks[charge_id] = max(ranks.get(charge_id, 0), draw(st.integers(0, 4)))
        views = [charge(c, STATES[r], f"order_{c}") for c, r in sorted(ranks.items())]
        history.append(
            snapshot(version, *views, provider_order_id=draw(st.sampled_from(["order_x", "order_y"])))
        )
    return history


@given(st.data())
def test_any_order_and_any_repetition_give_the_same_book(data: st.DataObject) -> None:
    history = data.draw(histories())
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=8))
    shuffled = data.draw(st.permutations(repeated))
    assert applied(shuffled) == applied(history)


def test_an_older_snapshot_still_names_its_provider_order() -> None:
    newer = on_payment_event(OrderBook("o-1"), snapshot(2, provider_order_id="order_new")).state
    both = on_payment_event(newer, snapshot(1, provider_order_id="order_old"))
    assert {p.provider_order_id for p in both.state.opened} == {"order_new", "order_old"}
    assert both.state.version == 2
    assert both.outcome == "ignored"


def test_a_charge_without_a_time_counts_for_the_day_of_its_order() -> None:
    book = applied([snapshot(1, charge("pay_1", "captured"))])
    assert book.charges[0].at == T0


@given(st.lists(st.integers(0, 100), min_size=1))
def test_a_checkpoint_only_moves_forward(minutes: list[int]) -> None:
    checkpoint = Checkpoint(0)
    for minute in minutes:
        event = LedgerCheckpoint(until=T0 + timedelta(minutes=minute))
        checkpoint = on_ledger_checkpoint(checkpoint, event).state
    assert checkpoint.until == T0 + timedelta(minutes=max(minutes))

"""A day of N provider transactions that is made as it is read: the provider's ledger takes no memory.

Number n is a charge, a refund (every 12th) or a dispute (every 97th) of the charge of that number. Each has
its line in a settlement. One in a thousand differs, in turn in one of four ways.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import md5

from shared.errors import NotFound
from shared.messages.facts import ChargeFact, DisputeFact, RefundFact, Seen, SettlementLine

DAY = datetime(2026, 1, 31, tzinfo=UTC)
UNTIL = DAY + timedelta(days=1)
ACCOUNT = "acc_bench"
DAMAGED_EVERY = 1_000
DAMAGES = ("missing_local", "missing_provider", "amount", "status")


def object_of(n: int) -> str:
    return "dispute" if n % 97 == 0 else "refund" if n % 12 == 0 else "charge"


def damage_of(n: int) -> str:
    return DAMAGES[n // DAMAGED_EVERY % len(DAMAGES)] if n % DAMAGED_EVERY == 7 else ""


def kind_of(n: int) -> str:
    """What is to be found about a damaged one."""
    object_ = object_of(n)
    return damage_of(n) if object_ == "charge" else object_


def id_of(n: int) -> str:
    """In no order that a list or an index would like."""
    return f"{object_of(n)}_{md5(str(n).encode(), usedforsecurity=False).hexdigest()[:14]}"


class Ledger:
    """The provider's side, with the calls that a run makes."""

    name = "razorpay"
    account = ACCOUNT

    def __init__(self, count: int) -> None:
        self._count = count
        self._damaged = {id_of(n): n for n in range(count) if damage_of(n)}

    def _between(self, since: datetime, until: datetime) -> range:
        """The numbers of a time: they are spread evenly over the day."""
        first, last = (
            max(0, min(self._count, -int(-(at - DAY).total_seconds() * self._count // 86_400)))
            for at in (since, until)
        )
        return range(first, last)

    def _at(self, n: int) -> datetime:
        return DAY + timedelta(seconds=n * 86_400 / self._count)

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        for n in reversed(self._between(since, until)):  # newest first
            if object_of(n) == "charge" and damage_of(n) != "missing_provider":
                yield self._charge(n)

    def _charge(self, n: int) -> ChargeFact:
        return ChargeFact(
            charge_id=id_of(n),
            provider_order_id=f"order_{n}",
            state="captured",
            amount=1_000 + n,
            currency="INR",
            at=self._at(n),
            fee=20,
        )

    async def list_refunds(self, since: datetime, until: datetime) -> AsyncIterator[RefundFact]:
        for n in reversed(self._between(since, until)):
            if object_of(n) == "refund" and damage_of(n) != "missing_provider":
                yield self._refund(n)

    def _refund(self, n: int) -> RefundFact:
        return RefundFact(
            refund_id=id_of(n),
            charge_id=f"of_{n}",
            state="succeeded",
            amount=1_000 + n,
            currency="INR",
            at=self._at(n),
        )

    async def list_disputes(self, since: datetime, until: datetime) -> AsyncIterator[DisputeFact]:
        for n in reversed(self._between(since, until)):
            if object_of(n) == "dispute" and damage_of(n) != "missing_provider":
                yield self._dispute(n)

    def _dispute(self, n: int) -> DisputeFact:
        return DisputeFact(
            dispute_id=id_of(n),
            charge_id=f"of_{n}",
            kind="chargeback",
            state="lost",
            money="withdrawn",
            amount=1_000 + n,
            currency="INR",
            at=self._at(n),
        )

    async def list_settlement_lines(self, since: datetime, until: datetime) -> AsyncIterator[SettlementLine]:
        for n in self._between(since, until):
            if damage_of(n) != "missing_provider":
                yield self._line(n)

    def _line(self, n: int) -> SettlementLine:
        object_, id_ = object_of(n), id_of(n)
        charge = object_ == "charge"
        amount = 1_000 + n if charge else -1_000 - n
        fee = 20 if charge else 0
        return SettlementLine(
            line_id=f"line_{n}",
            kind="payment" if charge else "refund" if object_ == "refund" else "dispute",
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency="INR",
            at=self._at(n),
            charge_id=id_ if charge else f"of_{n}",
            refund_id=id_ if object_ == "refund" else "",
            dispute_id=id_ if object_ == "dispute" else "",
            settlement_id="setl_1",
        )

    async def read_charge(self, charge_id: str) -> ChargeFact:
        n = self._damaged[charge_id]
        if damage_of(n) == "missing_provider":
            raise NotFound("not-found", "no such payment")
        return self._charge(n)

    async def read_dispute(self, dispute_id: str) -> DisputeFact:
        n = self._damaged[dispute_id]
        if damage_of(n) == "missing_provider":
            raise NotFound("not-found", "no such dispute")
        return self._dispute(n)

    async def read(self, provider_order_id: str) -> Seen:
        n = int(provider_order_id.removeprefix("order_"))
        if damage_of(n) == "missing_provider":
            return Seen()
        return Seen(refunds=(self._refund(n),) if object_of(n) == "refund" else ())


def expected(count: int) -> set[tuple[str, str]]:
    """Every difference that is in the day."""
    return {(kind_of(n), id_of(n)) for n in range(count) if damage_of(n)}


# The same numbers as our own records; `:count` and `:table` are put in.
_NUMBERS = """
    SELECT n, CASE WHEN n % 97 = 0 THEN 'dispute' WHEN n % 12 = 0 THEN 'refund' ELSE 'charge' END AS object,
           CASE WHEN n % 1000 = 7
                THEN (ARRAY['missing_local', 'missing_provider', 'amount', 'status'])[n / 1000 % 4 + 1]
                ELSE '' END AS damage,
           substr(md5(n::text), 1, 14) AS hash, timestamptz '2026-01-31T00:00:00Z'
               + make_interval(secs => n * 86400.0 / {count}) AS at,
           1000 + n AS amount
    FROM generate_series(0, {count} - 1) n"""
FILL = (
    """INSERT INTO orders (order_id, version, amount, currency, paid, closed)
       SELECT 'o-' || n, 1, amount, 'INR', true, false FROM ({numbers}) all_of_them""",
    """INSERT INTO provider_orders (provider, account, provider_order_id, order_id)
       SELECT 'razorpay', '{account}', 'order_' || n, 'o-' || n FROM ({numbers}) all_of_them""",
    """INSERT INTO charges (provider, account, charge_id, order_id, provider_order_id, state, amount,
                            currency, surplus, at)
       SELECT 'razorpay', '{account}', 'charge_' || hash, 'o-' || n, 'order_' || n,
              CASE damage WHEN 'status' THEN 'authorized' ELSE 'captured' END,
              amount + CASE damage WHEN 'amount' THEN 1 ELSE 0 END, 'INR', false, at
       FROM ({numbers}) all_of_them WHERE object = 'charge' AND damage <> 'missing_local'""",
    """INSERT INTO refunds (provider, account, refund_id, subject, order_id, charge_id, provider_order_id,
                            state, amount, currency, at)
       SELECT 'razorpay', '{account}', 'rf-' || n, 'refund_' || hash, 'o-' || n, 'of_' || n, 'order_' || n,
              CASE damage WHEN 'status' THEN 'pending' ELSE 'succeeded' END,
              amount + CASE damage WHEN 'amount' THEN 1 ELSE 0 END, 'INR', at
       FROM ({numbers}) all_of_them WHERE object = 'refund' AND damage <> 'missing_local'""",
    """INSERT INTO disputes (provider, account, dispute_id, order_id, charge_id, provider_order_id, state,
                             money, amount, currency, at)
       SELECT 'razorpay', '{account}', 'dispute_' || hash, 'o-' || n, 'of_' || n, 'order_' || n,
              CASE damage WHEN 'status' THEN 'open' ELSE 'lost' END, 'withdrawn',
              amount + CASE damage WHEN 'amount' THEN 1 ELSE 0 END, 'INR', at
       FROM ({numbers}) all_of_them WHERE object = 'dispute' AND damage <> 'missing_local'""",
    """INSERT INTO checkpoints (partition, until)
       SELECT n, timestamptz '2026-02-01T00:00:00Z' FROM generate_series(0, {partitions} - 1) n""",
    "ANALYZE",
)


def fill(count: int, partitions: int) -> list[str]:
    """The statements that write our side of the day."""
    numbers = _NUMBERS.format(count=count)
    return [s.format(numbers=numbers, account=ACCOUNT, partitions=partitions) for s in FILL]

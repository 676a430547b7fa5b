"""Lines of PayPal's transaction report, read into facts.

Facts (PayPal docs, Transaction Search, Transaction event codes): the amount is signed, the fee is negative
when we pay it, and what changes our balance is their sum. Codes go by group: T00 payments, T01 fees, T04
withdrawals to a bank, T11 reversals and refunds, T12 adjustments such as chargebacks. T1106 is money that
PayPal took back: a dispute may tell of it, or its order list it among the refunds.
"""

from typing import Literal

from shared.messages.facts import ChargeFact, ChargeState, RefundFact, RefundState, SettlementLine
from shared.providers.paypal.amounts import minor_units
from shared.providers.paypal.entities import TransactionInfo
from shared.providers.paypal.reading import refund_reference

PAYMENTS = "T00"
REFUND = "T1107"
REVERSAL = "T1106"
FEE_REFUNDS = frozenset({"T1108", "T1109"})
DISPUTES = frozenset({REVERSAL, "T1110", "T1111", "T1115", "T1201", "T1202", "T1207", "T1208"})

Kind = Literal["payment", "refund", "dispute", "fee", "payout", "adjustment"]

# S succeeded, P pending, D denied, V succeeded and reversed since (PayPal docs, Transaction status).
_CHARGES: dict[str, ChargeState] = {"S": "captured", "V": "captured", "P": "pending", "D": "failed"}
_REFUNDS: dict[str, RefundState] = {"S": "succeeded", "P": "pending", "D": "failed", "V": "failed"}


def is_charge(line: TransactionInfo) -> bool:
    """A payment that came in; T00 has those that went out too."""
    return line.transaction_event_code.startswith(PAYMENTS) and _amount(line) > 0


def is_refund(line: TransactionInfo) -> bool:
    return line.transaction_event_code == REFUND


def charge(line: TransactionInfo) -> ChargeFact:
    """The fact a payment's line states; it knows the order only when it refers to one."""
    fee = _fee(line)
    return ChargeFact(
        charge_id=line.transaction_id,
        provider_order_id=line.paypal_reference_id if line.paypal_reference_id_type == "ODR" else "",
        state=_CHARGES.get(line.transaction_status, "pending"),
        amount=_amount(line),
        currency=_currency(line),
        at=line.transaction_initiation_date,
        fee=fee or None,
    )


def refund(line: TransactionInfo) -> RefundFact:
    """The fact a refund's line states."""
    return RefundFact(
        refund_id=line.transaction_id,
        charge_id=line.paypal_reference_id,
        state=_REFUNDS.get(line.transaction_status, "pending"),
        amount=abs(_amount(line)),
        currency=_currency(line),
        reference=refund_reference(line.invoice_id, line.custom_field),
        at=line.transaction_initiation_date,
    )


def settlement_line(line: TransactionInfo) -> SettlementLine:
    """One line of the account. One id may stand for two lines, told apart by their codes."""
    kind = _kind(line)
    amount, fee = _amount(line), _fee(line)
    parent = line.paypal_reference_id if line.paypal_reference_id_type == "TXN" else ""
    return SettlementLine(
        line_id=f"{line.transaction_event_code}:{line.transaction_id}",
        kind=kind,
        amount=amount,
        fee=fee,
        net=amount - fee,
        currency=_currency(line),
        at=line.transaction_updated_date or line.transaction_initiation_date,
        charge_id=line.transaction_id if kind == "payment" else parent,
        refund_id=line.transaction_id if line.transaction_event_code in (REFUND, REVERSAL) else "",
        settlement_id=line.transaction_id if kind == "payout" else "",
    )


def _kind(line: TransactionInfo) -> Kind:
    code = line.transaction_event_code
    if is_charge(line):
        return "payment"
    if code == REFUND:
        return "refund"
    if code in DISPUTES:
        return "dispute"
    if code.startswith("T01") or code in FEE_REFUNDS:
        return "fee"
    return "payout" if code.startswith("T04") else "adjustment"


def _amount(line: TransactionInfo) -> int:
    return minor_units(line.transaction_amount.value, _currency(line))


def _fee(line: TransactionInfo) -> int:
    """What we pay is above zero with us, below with PayPal."""
    return 0 if line.fee_amount is None else -minor_units(line.fee_amount.value, _currency(line))


def _currency(line: TransactionInfo) -> str:
    return line.transaction_amount.currency_code.upper()

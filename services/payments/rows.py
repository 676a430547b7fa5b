"""Rows of the tables of payments as the structs of the domain."""

from typing import Any

import msgspec

from services.payments.domain.state import Attempt, Charge, Dispute, Flag, Payment, Refund, Waiter

Row = Any

_flags = msgspec.json.Decoder(tuple[Flag, ...])
_waiting = msgspec.json.Decoder(tuple[Waiter, ...])
_opened = msgspec.json.Decoder(dict[str, str])


def payment_of(row: Row) -> Payment:
    return Payment(
        order_id=row.order_id,
        id=row.id,
        version=row.version,
        status=row.status,
        detail=row.detail,
        amount=row.amount,
        currency=row.currency,
        capture=row.capture,
        revision=row.revision,
        content=row.content,
        fingerprint=row.fingerprint,
        erased=row.erased,
        created_at=row.created_at,
        updated_at=row.updated_at,
        closes_at=row.closes_at,
        closed=row.closed,
        closed_at=row.closed_at,
        paid_at=row.paid_at,
        flags=_flags.decode(row.flags),
        waiting=_waiting.decode(row.waiting),
    )


def attempt_of(row: Row) -> Attempt:
    return Attempt(
        id=row.idempotency_key,
        number=row.number,
        provider=row.provider,
        account=row.account,
        state=row.status,
        amount=row.amount,
        currency=row.currency,
        created_at=row.created_at,
        expires_at=row.expires_at,
        provider_order_id=row.provider_order_id,
        opened=_opened.decode(row.opened),
        refusal=row.refusal,
        verify_asked=row.verify_asked,
        verify_answered=row.verify_answered,
        why=row.why,
        approved=row.approved,
        captures_asked=row.captures_asked,
        captures_declined=row.captures_declined,
        captured_for=row.captured_for,
        cancel_asked=row.cancel_asked,
        cancelled=row.cancelled,
    )


def charge_of(row: Row) -> Charge:
    return Charge(
        charge_id=row.charge_id,
        provider=row.provider,
        account=row.account,
        provider_order_id=row.provider_order_id,
        state=row.state,
        amount=row.amount,
        currency=row.currency,
        at=row.at,
        failure=row.failure,
        failure_text=row.failure_text,
        stands=row.stands,
        capture_asked=row.capture_asked,
        capture_amount=row.capture_amount,
        capture_before=row.capture_before,
        by=row.marked_by,
    )


def refund_of(row: Row) -> Refund:
    return Refund(
        id=row.id,
        provider=row.provider,
        charge_id=row.charge_id,
        provider_order_id=row.provider_order_id,
        state=row.state,
        amount=row.amount,
        currency=row.currency,
        origin=row.origin,
        created_at=row.created_at,
        provider_refund_id=row.provider_refund_id,
        reason=row.reason,
        by=row.asked_by,
        failure=row.failure,
        succeeded=row.succeeded,
        unknown=row.unknown,
    )


def dispute_of(row: Row) -> Dispute:
    return Dispute(
        dispute_id=row.dispute_id,
        provider=row.provider,
        charge_id=row.charge_id,
        kind=row.kind,
        state=row.state,
        money=row.money,
        amount=row.amount,
        currency=row.currency,
        reason=row.reason,
        respond_by=row.respond_by,
        at=row.at,
    )

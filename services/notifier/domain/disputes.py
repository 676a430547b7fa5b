"""A dispute reaches the merchant when it is opened, and again before its deadline unless it is over."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from services.notifier.domain.issuing import Rules, make_what_is_due, send_once
from services.notifier.domain.mailing import DueMail
from services.notifier.domain.results import ReminderDue
from services.notifier.domain.state import Dispute, Order, Outcome
from shared.decision import Decision, Task
from shared.messages.payments import DisputeEvent, DisputeOpened, DisputeView

REMINDED_BEFORE = timedelta(hours=48)

_OUTCOMES: Mapping[str, Outcome] = {"closed": "closed", "won": "won", "lost": "lost"}
_RANK: tuple[Outcome, ...] = ("", "closed", "won", "lost")


def on_dispute(order: Order, event: DisputeEvent, rules: Rules, now: datetime) -> Decision[Order]:
    """Remembers what was said; the mail goes once, when the opening is told, in whatever order."""
    view = event.dispute
    known = order.disputes.get(f"{view.provider}/{view.dispute_id}")
    dispute = _merged(known, view, event.payment.payment_id, opened=isinstance(event, DisputeOpened))
    if dispute == known:
        return Decision(order, outcome="ignored")
    order = replace(order, disputes={**order.disputes, dispute.subject: dispute})
    decision = make_what_is_due(order, rules, now)
    if dispute.outcome:
        dropped = (_reminder(order, dispute, 0.0).key,)
        return decision.then(Decision(decision.state, dropped=dropped))
    at = remind_at(dispute, rules)
    if at is None or (at <= now and not _told_without(known, dispute)):  # the first mail is the reminder
        return decision
    task = _reminder(order, dispute, max(0.0, (at - now).total_seconds()))
    return decision.then(Decision(decision.state, tasks=(task,)))


def on_reminder_due(order: Order, result: ReminderDue, rules: Rules, now: datetime) -> Decision[Order]:
    """The reminder, unless the dispute is over, its deadline has moved, or has passed."""
    dispute = order.disputes[result.dispute]
    at = remind_at(dispute, rules)
    if at is None or dispute.respond_by is None or now >= dispute.respond_by:
        return Decision(order, outcome="ignored")
    if now < at:
        return Decision(order, tasks=(_reminder(order, dispute, (at - now).total_seconds()),))
    due = DueMail(dispute.payment_id, "dispute_reminder", dispute.subject, rules.merchant_email)
    return send_once(order, due, rules, now)


def remind_at(dispute: Dispute, rules: Rules) -> datetime | None:
    """When the merchant is reminded; None when there is nobody, nothing, or no date to remind of."""
    if not (dispute.opened and rules.merchant_email) or dispute.outcome or dispute.respond_by is None:
        return None
    return dispute.respond_by - REMINDED_BEFORE / rules.time_scale


def _told_without(known: Dispute | None, dispute: Dispute) -> bool:
    """Whether the merchant was told before this deadline was known."""
    return known is not None and known.opened and known.respond_by != dispute.respond_by


def _merged(known: Dispute | None, view: DisputeView, payment_id: str, *, opened: bool) -> Dispute:
    """What is known after one more saying; in any order and number they come to the same."""
    new = Dispute(
        provider=view.provider,
        dispute_id=view.dispute_id,
        payment_id=payment_id,
        kind=view.kind,
        amount=view.amount,
        currency=view.currency,
        reason=view.reason,
        respond_by=view.respond_by,
        opened=opened,
        outcome=_OUTCOMES.get(view.state, ""),
    )
    if known is None:
        return new
    return replace(
        known,
        # An inquiry may grow into a chargeback, and the amount with it; neither shrinks.
        kind="chargeback" if "chargeback" in (known.kind, new.kind) else "inquiry",
        amount=max(known.amount, new.amount),
        reason=max(known.reason, new.reason),
        respond_by=max(filter(None, (known.respond_by, new.respond_by)), default=None),
        opened=known.opened or new.opened,
        outcome=max(known.outcome, new.outcome, key=_RANK.index),
    )


def _reminder(order: Order, dispute: Dispute, delay_s: float) -> Task:
    subject = dispute.subject
    return Task("remind", f"remind:{subject}", order.order_id, subject.encode(), delay_s=delay_s, priority=50)

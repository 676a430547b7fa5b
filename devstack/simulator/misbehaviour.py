"""Decides for each call and each webhook what goes wrong, and keeps the proof of it."""

from collections import Counter
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.faults import (
    ApiEffect,
    ApiFault,
    FaultSpec,
    LateAuthorization,
    WebhookEffect,
    draw,
    seconds,
)
from devstack.simulator.ledger import Entry, Ledger, Row

COMMON = "simulator"
Secret = Literal["current", "old", "wrong"]
_API_ERRORS: tuple[ApiEffect, ...] = (
    "act_then_drop",
    "drop_before",
    "status_500_html",
    "status_502",
    "status_500",
    "status_429",
    "truncate",
    "drip",
)


class Faults(Row, frozen=True, kw_only=True):
    """The faults in force; `next` lists shrink as they are used up."""

    spec: FaultSpec
    set_at: float


class Bite(Row, frozen=True, kw_only=True):
    """One fault that struck."""

    at: float
    target: Literal["api", "webhook", "payment"]
    what: str
    identity: str
    subject: str
    drawn: float | None


class CallPlan(msgspec.Struct):
    """What happens to one API call."""

    error: ApiEffect | None = None
    before: bool = False
    delay_s: float = 0.0
    drip_s: float = 0.0
    pay: dict[str, object] | None = None
    alter: dict[str, object] | None = None
    retry_after_s: int | None = None


class WebhookPlan(msgspec.Struct):
    """What happens to one webhook's delivery."""

    drop: bool = False
    delay_s: float = 0.0
    overtaken: bool = False
    copies: int = 1
    secret: Secret = "current"
    corrupt: bool = False


class Misbehaviour:
    """The one place that draws faults; every strike is a `bite` in the ledger."""

    def __init__(self, ledger: Ledger, clock: Clock, seed: int) -> None:
        self._ledger = ledger
        self._clock = clock
        self._seed = seed
        self._faults = ledger.table(COMMON, "faults", Faults)
        self.bites = ledger.table(COMMON, "bite", Bite)
        self._seen: Counter[str] = Counter()

    @property
    def spec(self) -> FaultSpec:
        faults = self._faults.get("faults")
        return FaultSpec(seed=self._seed) if faults is None else faults.spec

    def set(self, spec: FaultSpec) -> None:
        """Replaces all faults; counting of repeated requests starts anew."""
        self._seen.clear()
        with self._ledger.entry("set faults") as entry:
            entry.put(self._faults, Faults(id="faults", spec=spec, set_at=self._clock.now()))

    def clear(self) -> None:
        """Back to the best day, with the seed of the command line."""
        self.set(FaultSpec(seed=self._seed))

    @property
    def set_at(self) -> float:
        faults = self._faults.get("faults")
        return 0.0 if faults is None else faults.set_at

    def remember(self, what: str, identity: str) -> None:
        """After a restart: something that was drawn for before it."""
        self._drawn_for(what, identity)

    def for_call(self, method: str, path: str, *, route: str, identity: str) -> CallPlan:
        """The plan for an arriving call; written before the call acts."""
        call = f"{method} {path}"
        rules = [(n, rule) for n, rule in enumerate(self.spec.api) if rule.matches(call)]
        plan = CallPlan()
        drawn_for = self._drawn_for(f"api {method} {route}", identity)
        with self._ledger.entry("fault") as entry:
            for number, rule in rules:
                if not self._use_next(entry, rule, plan, drawn_for, path):
                    self._draw_call(entry, number, rule, plan, drawn_for, path)
        return plan

    def for_webhook(self, entry: Entry, event: str, identity: str, subject: str) -> WebhookPlan:
        """The plan for a new webhook, written with whatever caused the webhook."""
        faults = self.spec.webhooks
        plan = WebhookPlan()
        drawn_for = self._drawn_for(f"webhook {event}", identity)
        for upcoming in faults.next:
            if upcoming.times > 0 and fnmatchcase(event, upcoming.event):
                upcoming.times -= 1
                self._keep_spec(entry)
                delay_s = seconds(upcoming.delay_s, self._draw(drawn_for, "delay_s"))
                _strike(plan, upcoming.do, delay_s, upcoming.copies)
                self._bite(entry, "webhook", upcoming.do, drawn_for, subject, None)
                return plan
        if not fnmatchcase(event, faults.events):
            return plan
        delay_s = seconds(faults.delay_s, self._draw(drawn_for, "delay_s"))
        chances: list[tuple[WebhookEffect, float, float]] = [
            ("drop", faults.drop, 0.0),
            ("duplicate", faults.duplicate, 0.0),
            ("reorder", faults.reorder, faults.reorder_hold_s),
            ("delay", faults.delay if delay_s > 0 else 0.0, delay_s),
            ("old_secret", faults.old_secret, 0.0),
            ("bad_signature", faults.bad_signature, 0.0),
            ("corrupt", faults.corrupt, 0.0),
        ]
        for effect, probability, extra_s in chances:
            drawn = self._draw(drawn_for, effect)
            if drawn < probability:
                _strike(plan, effect, extra_s, faults.copies)
                self._bite(entry, "webhook", effect, drawn_for, subject, drawn)
        return plan

    def late_authorization_s(self, entry: Entry, identity: str, subject: str) -> float | None:
        """The provider's seconds until a payment that fails now is authorised after all."""
        late = self.spec.late_authorization
        if late is None:
            return None
        if not isinstance(late, LateAuthorization):
            late = LateAuthorization(probability=late)
        drawn_for = self._drawn_for("payment", identity)
        drawn = self._draw(drawn_for, "late")
        if drawn >= late.probability:
            return None
        self._bite(entry, "payment", "late_authorization", drawn_for, subject, drawn)
        return seconds(late.after_s, self._draw(drawn_for, "late_s"))

    def _drawn_for(self, what: str, identity: str) -> str:
        """Identity plus how often it was seen, so that a retry is a new draw."""
        key = what if self.spec.draw_by == "order" else f"{what} {identity}"
        self._seen[key] += 1
        return f"{key} #{self._seen[key]}"

    def _draw(self, drawn_for: str, effect: str) -> float:
        return draw(self.spec.seed, drawn_for, effect)

    def _use_next(self, entry: Entry, rule: ApiFault, plan: CallPlan, drawn_for: str, subject: str) -> bool:
        for upcoming in rule.next:
            if upcoming.times <= 0:
                continue
            upcoming.times -= 1
            self._keep_spec(entry)
            if upcoming.do not in ("delay", "hold"):
                plan.error = upcoming.do
            plan.before = upcoming.before or upcoming.do == "drop_before"
            span_s = seconds(upcoming.delay_s, self._draw(drawn_for, "delay_s"))
            if upcoming.do == "drip":
                plan.drip_s = span_s
            else:
                plan.delay_s += span_s
            plan.pay = upcoming.pay
            plan.alter = upcoming.alter
            plan.retry_after_s = upcoming.retry_after_s
            self._bite(entry, "api", upcoming.do, drawn_for, subject, None)
            return True
        return False

    def _draw_call(
        self,
        entry: Entry,
        number: int,
        rule: ApiFault,
        plan: CallPlan,
        drawn_for: str,
        subject: str,
    ) -> None:
        for effect in _API_ERRORS:
            drawn = self._draw(drawn_for, f"{number} {effect}")
            if plan.error is None and drawn < getattr(rule, effect):
                plan.error = effect
                before = self._draw(drawn_for, f"{number} before") < rule.before
                plan.before = before or effect == "drop_before"
                plan.retry_after_s, plan.drip_s = rule.retry_after_s, rule.drip_s
                self._bite(entry, "api", effect, drawn_for, subject, drawn)
        delay_s = seconds(rule.delay_s, self._draw(drawn_for, f"{number} delay_s"))
        drawn = self._draw(drawn_for, f"{number} delay")
        if delay_s > 0 and drawn < rule.delay:
            plan.delay_s += delay_s
            self._bite(entry, "api", "delay", drawn_for, subject, drawn)
        drawn = self._draw(drawn_for, f"{number} alter")
        if rule.alter is not None and drawn < rule.alter_p:
            plan.alter = rule.alter
            self._bite(entry, "api", "alter", drawn_for, subject, drawn)

    def _keep_spec(self, entry: Entry) -> None:
        entry.put(self._faults, self._faults["faults"])

    def _bite(
        self,
        entry: Entry,
        target: Literal["api", "webhook", "payment"],
        what: str,
        identity: str,
        subject: str,
        drawn: float | None,
    ) -> None:
        bite = Bite(
            id=f"bite_{len(self.bites) + 1:06d}",
            at=self._clock.now(),
            target=target,
            what=what,
            identity=identity,
            subject=subject,
            drawn=drawn,
        )
        entry.put(self.bites, bite)


def _strike(plan: WebhookPlan, effect: WebhookEffect, delay_s: float, copies: int) -> None:
    plan.delay_s += delay_s
    if effect == "drop":
        plan.drop = True
    elif effect == "duplicate":
        plan.copies = copies
    elif effect == "reorder":
        plan.overtaken = True
        plan.delay_s = plan.delay_s or 0.5
    elif effect == "old_secret":
        plan.secret = "old"
    elif effect == "bad_signature":
        plan.secret = "wrong"
    elif effect == "corrupt":
        plan.corrupt = True

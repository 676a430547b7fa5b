"""Histories in which money that goes back went wrong: name → (invariant, kind of violation, evidence)."""

from dataclasses import replace

from tests.chaos.checker.clean_refund import (
    ASKED,
    CAPTURE,
    FIRST,
    GIVEN_BACK,
    LOOK,
    NOTICE,
    REFUND,
    SAID,
    SECOND,
    at_the_provider,
    refunded_run,
    with_us,
)
from tests.chaos.checker.clean_run import PRICE
from tests.chaos.checker.evidence import Evidence, Operation

RUN = refunded_run()
CALLS, INTENTS = RUN.ledger.calls, RUN.books.intents
WITHOUT_LOOK = tuple(call for call in CALLS if call is not LOOK)
TWICE = (GIVEN_BACK, replace(GIVEN_BACK, id="rfnd_2"))
WHOLE = replace(GIVEN_BACK, amount=PRICE)

BAD_REFUNDS: dict[str, tuple[str, str, Evidence]] = {
    "one refund, done twice": ("S5", "doubled", at_the_provider(given_back=TWICE)),
    "more went back than was taken": (
        "S5",
        "doubled",
        at_the_provider(given_back=(GIVEN_BACK, replace(WHOLE, id="rfnd_2", reference="rf-2"))),
    ),
    "money of nobody's capture went back": (
        "S5",
        "doubled",
        at_the_provider(given_back=(replace(GIVEN_BACK, charge_id="pay_9"),)),
    ),
    "a refund in our books alone": ("S5", "wrong", at_the_provider(given_back=())),
    "a refund that failed there and not with us": (
        "S5",
        "wrong",
        at_the_provider(given_back=(replace(GIVEN_BACK, state="failed"),)),
    ),
    "a refund at the provider alone": ("S5", "lost", with_us(refunds=())),
    "a refund that nobody finishes": (
        "S5",
        "lost",
        with_us(refunds=(replace(REFUND, state="requested", provider_refund_id=None),)),
    ),
    "a refund taken for failed that was done": (
        "S5",
        "lost",
        with_us(refunds=(replace(REFUND, state="failed"),)),
    ),
    "a refund of another amount": ("S5", "wrong", with_us(refunds=(replace(REFUND, amount=999),))),
    "a refund of another charge": ("S5", "wrong", with_us(refunds=(replace(REFUND, charge_id="pay_2"),))),
    "a refund under another's id": (
        "S5",
        "wrong",
        with_us(refunds=(replace(REFUND, provider_refund_id="rfnd_7"),)),
    ),
    "a refund announced twice": (
        "S5",
        "doubled",
        replace(RUN, topics=(*RUN.topics, replace(SAID[1], message={**SAID[1].message, "id": "again"}))),
    ),
    "a refund whose end was never said": (
        "S5",
        "lost",
        replace(RUN, topics=tuple(r for r in RUN.topics if r is not SAID[1])),
    ),
    "two ends of one refund by one cause": (
        "S9",
        "doubled",
        replace(RUN, topics=(*RUN.topics, replace(SAID[1], message={**SAID[1].message, "id": "again"}))),
    ),
    "a refund that was promised and is gone": ("S10", "lost", with_us(refunds=())),
    "one key, two refunds": (
        "S11",
        "wrong",
        replace(RUN, history=(*RUN.history, replace(ASKED, answer={"refundId": "rf-2"}))),
    ),
    "one key, two answers to a capture": (
        "S11",
        "wrong",
        replace(
            RUN,
            history=(
                *RUN.history,
                *(Operation("capture", "o-1", "ok", {"key": "k-2"}, 200, {"version": n}) for n in (3, 4)),
            ),
        ),
    ),
    "a refund that its buyer was not told of": ("S13", "lost", with_us(notices=())),
    "two notices of one refund": (
        "S13",
        "doubled",
        with_us(notices=(NOTICE, replace(NOTICE, kind="surplus_refund", number=""))),
    ),
    "a notice that never arrived": ("S13", "lost", replace(RUN, mails=RUN.mails[:1])),
    "a refund made again under a second key": (
        "S24",
        "wrong",
        at_the_provider(calls=(*CALLS, replace(SECOND, at=24.0, operation="refund:rf-1-2"))),
    ),
    "a refund made again without a look": ("S24", "wrong", at_the_provider(calls=WITHOUT_LOOK)),
    "a refund made again after a look that was not answered": (
        "S24",
        "wrong",
        at_the_provider(calls=(*WITHOUT_LOOK[:-1], replace(LOOK, answered=False), SECOND)),
    ),
    "one refund, two objects": (
        "S24",
        "doubled",
        at_the_provider(calls=(*CALLS[:-1], replace(SECOND, result="rfnd_2"))),
    ),
    "one refund, two amounts asked for": (
        "S24",
        "wrong",
        at_the_provider(calls=(*CALLS[:-1], replace(SECOND, body_sha256="00"))),
    ),
    "a refund before it was decided": (
        "S24",
        "wrong",
        with_us(intents=tuple(replace(i, created_at=FIRST.at + 0.1) for i in INTENTS)),
    ),
    "a capture that nobody decided": (
        "S24",
        "wrong",
        with_us(intents=tuple(i for i in INTENTS if i.kind != "capture")),
    ),
    "a capture made again without a look": (
        "S24",
        "wrong",
        at_the_provider(calls=(*CALLS, replace(CAPTURE, at=13.5))),
    ),
}

"""All invariants of docs/invariants.md that this release can break, by their numbers."""

from tests.chaos.checker import clients, effects, money, plumbing, receipts, refunds, story
from tests.chaos.checker.evidence import Evidence
from tests.chaos.checker.verdict import Check, Finding, Verdict

INVARIANTS: dict[str, Check] = {
    "S1": money.no_double_charge,
    "S2": money.no_phantom_paid,
    "S3": money.no_lost_money,
    "S4": money.amounts_agree,
    "S5": refunds.refunds_are_bounded_and_equal,
    "S6": story.states_move_as_published,
    "S7": story.outbox_is_the_topic,
    "S8": story.keys_stay_in_order,
    "S9": effects.effects_happen_once,
    "S10": clients.acknowledged_is_durable,
    "S11": clients.repeating_changes_nothing,
    "S12": effects.webhooks_are_accounted_for,
    "S13": receipts.receipts_match_payments,
    "S16": plumbing.no_offset_is_skipped,
    "S23": plumbing.all_is_quiet,
    "S24": plumbing.provider_is_called_with_care,
}


def check(evidence: Evidence) -> Verdict:
    """Every invariant against everything that was found."""
    return Verdict(
        [
            Finding(number, holds.__name__.replace("_", " "), list(holds(evidence)))
            for number, holds in INVARIANTS.items()
        ]
    )

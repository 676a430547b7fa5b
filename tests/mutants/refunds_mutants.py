"""Seeded bugs of money that goes back, of captures by hand and of approvals."""

from tests.mutants.mutant import Mutant

DOMAIN = "services/payments/domain"
MONEY = "services/payments/money_tasks.py"
REFUNDS = "tests/unit/payments/test_refunds.py"
CAPTURES = "tests/unit/payments/test_captures.py"
DISPUTES = "tests/unit/payments/test_disputes.py"
SWITCHING = "tests/unit/payments/test_switching.py"
CALLS = "tests/unit/payments/test_money_performers.py"

MUTANTS = (
    Mutant(
        "a refund that is under way is not reserved",
        f"{DOMAIN}/amounts.py",
        'r.state != "failed"',
        'r.state == "succeeded"',
        (f"{REFUNDS}::test_two_refunds_at_once_cannot_exceed_the_capture",),
    ),
    Mutant(
        "money that a dispute holds can be refunded",
        f"{DOMAIN}/amounts.py",
        "return max(0, charge.amount - given - taken)",
        "return max(0, charge.amount - given)",
        (f"{DISPUTES}::test_money_in_a_dispute_is_not_ours_to_give_back",),
    ),
    Mutant(
        "a refund that failed later still counts as given back",
        f"{DOMAIN}/refunds.py",
        "higher = REFUND_RANK[fact.state] > REFUND_RANK[known.state]",
        'higher = fact.state != "failed"',
        (f"{REFUNDS}::test_a_refund_that_fails_after_it_succeeded_makes_the_order_paid_again",),
    ),
    Mutant(
        "a refund made in the dashboard is not in our books",
        f"{DOMAIN}/refunds.py",
        "payment = replace(payment, refunds=(*payment.refunds, made))",
        "payment = replace(payment, refunds=payment.refunds if made else ())",
        (f"{REFUNDS}::test_a_refund_made_in_the_providers_dashboard_is_in_our_books",),
    ),
    Mutant(
        "an authorisation that was let go counts as money given back",
        f"{DOMAIN}/amounts.py",
        "refunds = [r for r in payment.refunds_of_captures if",
        "refunds = [r for r in payment.refunds if",
        (f"{REFUNDS}::test_an_authorisation_that_lapsed_and_went_back_is_no_refund",),
    ),
    Mutant(
        "a declined approval is captured again by the webhook of the same one",
        f"{DOMAIN}/captures.py",
        "captured_for=attempt.verify_asked,\n        approved=False,",
        "captured_for=attempt.verify_asked,",
        (f"{CAPTURES}::test_the_late_webhook_of_an_approval_that_was_declined_captures_nothing",),
    ),
    Mutant(
        "what comes back to a surplus stays with us",
        f"{DOMAIN}/follow_up.py",
        'refund_id = new_refund_id(payment, f"{name}/{len(sent)}" if sent else name)',
        "refund_id = new_refund_id(payment, name)\n            if sent:\n                continue",
        (f"{REFUNDS}::test_what_comes_back_to_a_surplus_goes_back_too",),
    ),
    Mutant(
        "a surplus that could not go back is forgotten",
        f"{DOMAIN}/follow_up.py",
        'payment = flag(payment, "refund_refused", charge.charge_id, failed.failure, now)',
        "continue",
        (f"{REFUNDS}::test_a_surplus_that_the_provider_will_not_give_back_waits_for_a_person",),
    ),
    Mutant(
        "an unknown refund does not block the next one",
        f"{DOMAIN}/refunds.py",
        "if any(r.unknown for r in payment.refunds):",
        "if any(r.unknown and r.succeeded for r in payment.refunds):",
        (f"{REFUNDS}::test_an_unanswered_refund_is_looked_up_and_blocks_others_until_it_is_known",),
    ),
    Mutant(
        "a refund is done again without a look after a crash",
        MONEY,
        "if request.tries or not task.first:",
        "if request.tries:",
        (f"{CALLS}::test_a_refund_that_a_process_did_before_it_died_is_found_and_not_done_again",),
    ),
    Mutant(
        "each try of a refund has a key of its own",
        MONEY,
        "key=request.refund_id,",
        'key=f"{request.refund_id}-{request.tries}",',
        (f"{CALLS}::test_every_try_of_a_refund_has_the_same_key",),
    ),
    Mutant(
        "a refund without an answer failed",
        MONEY,
        "return Answered(RefundUnanswered(order_id=order_id, refund_id=refund_id, tries=request.tries))",
        "return Answered(RefundEnded(order_id=order_id, provider='', refund_id=refund_id, refused='?'))",
        (f"{CALLS}::test_a_refund_without_an_answer_is_unknown",),
    ),
    Mutant(
        "a declined approval is captured again without the buyer",
        f"{DOMAIN}/follow_up.py",
        "if attempt.captures_asked and attempt.verify_asked <= attempt.captured_for:",
        "if attempt.captures_asked and attempt.verify_asked < attempt.captured_for:",
        (f"{CAPTURES}::test_a_declined_instrument_is_tried_again_only_when_the_buyer_came_back",),
    ),
    Mutant(
        "an approval is captured each time that it is seen",
        f"{DOMAIN}/state.py",
        "return self.captures_asked > self.captures_declined",
        "return self.captures_asked < self.captures_declined",
        (f"{CAPTURES}::test_an_approval_is_captured_once_however_often_it_is_seen",),
    ),
    Mutant(
        "more than was authorised is captured",
        f"{DOMAIN}/captures.py",
        "if amount > charge.amount:",
        "if amount > 2 * charge.amount:",
        (f"{CAPTURES}::test_more_than_authorised_is_refused",),
    ),
    Mutant(
        "another provider is asked while money is in flight",
        f"{DOMAIN}/switching.py",
        "if moving or payment.standing is not None:",
        "if payment.standing is not None:",
        (f"{SWITCHING}::test_money_in_flight_keeps_the_open_attempt",),
    ),
    Mutant(
        "an abandoned order is made after all",
        "services/payments/tasks.py",
        "if fact is None and request.only_look:",
        "if fact is None and request.only_look and request.tries > 99:",
        (f"{CALLS}::test_an_abandoned_order_is_only_looked_for",),
    ),
    Mutant(
        "an unknown capture is repeated after the order was cancelled",
        f"{DOMAIN}/captures.py",
        "    if not payable(payment):\n",
        "    if payment.standing is not None:\n",
        (f"{CAPTURES}::test_an_unknown_capture_is_read_and_not_repeated_once_the_order_is_cancelled",),
    ),
    Mutant(
        "what an unknown capture did is not read after the order's end",
        f"{DOMAIN}/settle.py",
        "tasks=tasks + following + looks,",
        "tasks=tasks + following,",
        (f"{CAPTURES}::test_an_unknown_capture_is_read_and_not_repeated_once_the_order_is_cancelled",),
    ),
    Mutant(
        "a held capture that is declined blocks the order for ever",
        f"{DOMAIN}/facts.py",
        "    after = pending_captures_declined(before, after)\n",
        "",
        (f"{CAPTURES}::test_a_pending_capture_that_is_declined_in_the_end_lets_the_buyer_approve_again",),
    ),
    Mutant(
        "a refund that cannot be looked up is taken for refused",
        MONEY,
        "raise OutcomeUnknown(refused.code,",
        "raise Rejected(refused.code,",
        (f"{CALLS}::test_a_refund_that_cannot_be_looked_up_is_unknown_and_not_refused",),
    ),
    Mutant(
        "a refund that the provider made twice is booked once",
        f"{DOMAIN}/refunds.py",
        'waiting = (r for r in ours if r.provider_refund_id is None and r.state != "failed")',
        "waiting = iter(ours)",
        (f"{REFUNDS}::test_a_refund_that_the_provider_made_twice_is_counted_twice_and_told",),
    ),
)

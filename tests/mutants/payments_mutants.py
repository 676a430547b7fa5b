"""Seeded bugs of payments: money taken twice, lost, believed or announced wrongly."""

from tests.mutants.mutant import Mutant

ATTEMPTS = "tests/unit/payments/test_attempts.py"
CHARGES = "tests/unit/payments/test_charges.py"
ENDINGS = "tests/unit/payments/test_endings.py"
ORDERS = "tests/unit/payments/test_orders.py"
ORDER_OF_FACTS = "tests/unit/payments/test_order_of_facts.py"
CALLS = "tests/unit/payments/test_performers.py"
DOMAIN = "services/payments/domain"

_CREATES = (
    Mutant(
        "a create without an answer is done again blindly",
        f"{DOMAIN}/opening.py",
        '"lookup_first": tries > 0,',
        '"lookup_first": False,',
        (f"{ATTEMPTS}::test_an_unanswered_create_is_unknown_and_looked_up_never_created_again_blindly",),
    ),
    Mutant(
        "a create is not looked up after a crash",
        "services/payments/tasks.py",
        "if request.lookup_first or request.only_look or not task.first:",
        "if request.lookup_first or request.only_look:",
        (f"{CALLS}::test_what_a_process_that_died_had_created_is_found_and_not_created_again",),
    ),
    Mutant(
        "the provider's reference is new on each try",
        "services/payments/tasks.py",
        "reference=request.attempt_id,",
        'reference=f"{request.attempt_id}-{task.claims}",',
        (f"{CALLS}::test_what_a_process_that_died_had_created_is_found_and_not_created_again",),
    ),
    Mutant(
        "an order is replaced after a payment was tried",
        f"{DOMAIN}/orders.py",
        "if payment.registered and (payment.attempts or payment.closed or payment.standing):",
        "if payment.registered and (payment.closed or payment.standing):",
        (f"{ORDERS}::test_new_content_after_an_attempt_is_refused",),
    ),
    Mutant(
        "a second buyer's tab opens a second attempt",
        f"{DOMAIN}/attempts.py",
        'newest.state in ("opening", "unanswered", "open"):',
        'newest.state in ("unanswered", "open"):',
        (f"{ATTEMPTS}::test_everyone_who_asks_while_it_is_opened_gets_the_same_answer",),
    ),
    Mutant(
        "a refusal after silence breaks on the transition table",
        f"{DOMAIN}/status.py",
        'Transition("processing", "created", "the provider',
        'Transition("processing", "failed", "the provider',
        (f"{ATTEMPTS}::test_an_unanswered_create_that_is_refused_in_the_end_lets_the_buyer_try_again",),
    ),
)

_FACTS = (
    Mutant(
        "a second capture is not flagged",
        f"{DOMAIN}/follow_up.py",
        'payment = flag(payment, "duplicate_capture", charge.charge_id, note, now)',
        "payment = replace(payment, updated_at=now) if note else payment",
        (f"{CHARGES}::test_a_surplus_above_the_cap_waits_for_a_person",),
    ),
    Mutant(
        "PaymentPaid is said for each capture",
        f"{DOMAIN}/settle.py",
        "if after.standing is not None and before.standing is None:\n        yield PaymentPaid",
        "if after.standing is not None and after.charges != before.charges:\n        yield PaymentPaid",
        (f"{ORDER_OF_FACTS}::test_all_permutations_of_an_every_day_set_of_facts_end_the_same",),
    ),
    Mutant(
        "a browser is believed",
        f"{DOMAIN}/facts.py",
        "    after = with_attempt(payment, asked)\n    if asker",
        """    after = with_attempt(payment, asked)
    believed = ChargeFact(
        charge_id=command.charge_id or "pay_1",
        provider_order_id=command.provider_order_id,
        state="captured",
        amount=payment.amount,
        currency=payment.currency,
    )
    after = _learned(after, command.provider, (believed,), now)
    if asker""",
        (f"{CHARGES}::test_a_browser_alone_never_pays",),
    ),
    Mutant(
        "another amount or currency pays the order",
        f"{DOMAIN}/state.py",
        "return charge.amount == self.amount\n",
        "return charge.amount > 0\n",
        (f"{CHARGES}::test_another_amount_or_currency_changes_no_status_and_waits_for_a_person",),
    ),
    Mutant(
        "the fact that comes last wins",
        f"{DOMAIN}/charges.py",
        "    if height(new) <= height(known):\n",
        "    if height(new) == height(known):\n",
        (f"{ORDER_OF_FACTS}::test_all_permutations_of_an_every_day_set_of_facts_end_the_same",),
    ),
    Mutant(
        "a state changes without a word",
        f"{DOMAIN}/settle.py",
        "created=created)) or tuple(_ended(before, after))",
        "created=created))",
        (f"{ENDINGS}::test_a_silent_attempt_is_looked_at_on_schedule_until_it_expires",),
    ),
    Mutant(
        "an attempt of another order is taken for this one's",
        f"{DOMAIN}/facts.py",
        "if attempt is None or attempt.provider != command.provider:",
        "attempt = attempt or payment.newest\n    if attempt is None:",
        (f"{CHARGES}::test_ids_of_another_order_are_a_mismatch",),
    ),
)

_CAPTURES_AND_ENDS = (
    Mutant(
        "two authorisations of one order are both captured",
        f"{DOMAIN}/follow_up.py",
        'payment.capture != "automatic" or taking(payment)',
        'payment.capture != "automatic"',
        (f"{CHARGES}::test_a_later_authorisation_waits_while_another_is_being_captured",),
    ),
    Mutant(
        "a closed order's late authorisation is captured",
        f"{DOMAIN}/follow_up.py",
        "return payment.standing is None and payment.closed is None",
        "return payment.standing is None",
        (f"{ENDINGS}::test_a_late_authorisation_of_a_closed_order_is_left_to_lapse",),
    ),
    Mutant(
        "a capture is done again without a read",
        "services/payments/money_tasks.py",
        'if charge is None or charge.state == "authorized":',
        'if charge is None or charge.state in ("authorized", "captured"):',
        (f"{CALLS}::test_a_capture_that_was_done_is_read_and_not_done_again",),
    ),
    Mutant(
        "money after the end is not flagged",
        f"{DOMAIN}/follow_up.py",
        'payment = flag(payment, "late_success", first.charge_id, note, now)',
        "payment = replace(payment, paid_at=now) if note else payment",
        (f"{ENDINGS}::test_money_after_the_end_is_late_success_announced_and_flagged",),
    ),
    Mutant(
        "an order is closed without a last look at what is open",
        f"{DOMAIN}/facts.py",
        "or under_way or open_ones or payment.closed",
        "or under_way or payment.closed",
        (f"{ENDINGS}::test_an_order_whose_time_is_over_is_closed_after_a_last_look",),
    ),
)

MUTANTS = (*_CREATES, *_FACTS, *_CAPTURES_AND_ENDS)

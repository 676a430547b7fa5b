"""Seeded bugs of what operators rely on: circuits, shares, what is at risk, forensics, their commands."""

from tests.mutants.mutant import Mutant

BREAKER = "tests/unit/payments/test_breaker.py"
SHARES = "tests/unit/payments/test_shares.py"
RISK = "tests/unit/payments/test_risk.py"
DESK = "tests/unit/kit/test_desk.py"
PAYMENT = "tests/integration/payments/test_operator_payment.py"
WEBHOOK = "tests/integration/payments/test_operator_webhook.py"

_HEALTH = (
    Mutant(
        "failures between answers open a circuit",
        "services/payments/breaker.py",
        "self._failures, self._open_until = 0, None",
        "self._open_until = None",
        (f"{BREAKER}::test_failures_between_answers_do_not_open_it",),
    ),
    Mutant(
        "a refusal counts as no answer",
        "services/payments/breaker.py",
        "except (Unavailable, OutcomeUnknown, TimeoutError, asyncio.CancelledError) as error:",
        "except (Unavailable, OutcomeUnknown, Rejected, TimeoutError, asyncio.CancelledError) as error:",
        (f"{BREAKER}::test_a_refusal_is_an_answer",),
    ),
    Mutant(
        "an old call that ends lets a second one try",
        "services/payments/breaker.py",
        "            if tries:\n                self._trying = False",
        "            self._trying = False",
        (f"{BREAKER}::test_only_one_call_tries_even_when_an_old_one_ends_meanwhile",),
    ),
    Mutant(
        "the rules do not hear of a provider that does not answer",
        "services/payments/handlers.py",
        "return replace(self.policy, unhealthy=unhealthy) if unhealthy else self.policy",
        "return self.policy",
        (f"{BREAKER}::test_the_rules_hear_of_it_at_their_next_decision",),
    ),
    Mutant(
        "a provider that fails refunds gets no buyers",
        "services/payments/breaker.py",
        'BUYERS = ("open_order", "look")',
        'BUYERS = ("open_order", "look", "refund")',
        (f"{BREAKER}::test_buyers_are_sent_elsewhere_only_while_it_is_open",),
    ),
    Mutant(
        "one slow provider holds every slot",
        "services/payments/shares.py",
        "SHARE = 0.75",
        "SHARE = 1.0",
        (f"{SHARES}::test_one_of_several_providers_never_holds_every_slot_of_a_kind",),
    ),
    Mutant(
        "a task that was put back counts as tried",
        "services/payments/shares.py",
        ", unbegun=True)",
        ")",
        (f"{SHARES}::test_one_of_several_providers_never_holds_every_slot_of_a_kind",),
    ),
    Mutant(
        "a slot is lost with each call that fails",
        "services/payments/shares.py",
        "            finally:\n                self._busy[key] -= 1",
        "            finally:\n                pass",
        (f"{SHARES}::test_a_slot_is_free_again_after_a_call_that_failed",),
    ),
    Mutant(
        "captures wait for threads that slow looks hold",
        "shared/providers/razorpay/calls.py",
        "WORKERS = 32",
        "WORKERS = 8",
        (f"{SHARES}::test_a_capture_finds_a_thread_while_every_other_slot_waits_for_a_slow_provider",),
    ),
)

_RISK = (
    Mutant(
        "what is no longer at risk stays in the metric",
        "services/payments/risk.py",
        "    AMOUNT.clear()\n",
        "",
        (f"{RISK}::test_the_gauges_forget_what_is_no_longer_at_risk",),
    ),
    Mutant(
        "typed amounts have two decimals in every currency",
        "services/payments/operate/money.py",
        "digits = exponent(currency)",
        "digits = 2",
        (f"{RISK}::test_a_typed_amount_has_the_currencys_decimals",),
    ),
    Mutant(
        "a provider's words steer the terminal",
        "shared/desk.py",
        'c if c.isprintable() or c in "\\n\\t" else',
        "c if c else",
        (f"{DESK}::test_no_word_from_outside_steers_a_terminal",),
    ),
)

_FORENSICS = (
    Mutant(
        "a record that Kafka repeats counts as one that the provider repeats",
        "services/payments/webhooks.py",
        "count(DISTINCT received)",
        "count(*)",
        (f"{WEBHOOK}::test_deliveries_are_told_apart_by_when_they_came_however_batches_fall",),
    ),
    Mutant(
        "a dry run writes",
        "services/payments/operate/deliveries.py",
        "        await connection.rollback()\n",
        "        await applier.within(connection, [incoming])\n        await connection.commit()\n",
        (f"{WEBHOOK}::test_a_dry_run_says_how_todays_code_differs_and_a_replay_does_it_once",),
    ),
    Mutant(
        "bytes are erased before their time",
        "services/payments/erasure.py",
        "AND received_at < now() - make_interval(days => :days)",
        "AND received_at < now() + make_interval(days => :days)",
        (f"{WEBHOOK}::test_bytes_past_their_time_leave_their_hash_and_the_facts",),
    ),
)

_COMMANDS = (
    Mutant(
        "a nonce is not part of the command",
        "services/payments/operate/carry_out.py",
        "key=self.nonce,",
        "key=new_nonce(),",
        (f"{PAYMENT}::test_a_refund_asked_for_twice_with_one_nonce_happens_once",),
    ),
    Mutant(
        "a refusal leaves no record",
        "services/payments/operate/carry_out.py",
        "    applier.after_commit([])\n    if answer",
        '        if answer.code != "ok":\n            raise Rejected(answer.code, answer.detail)\n'
        "    applier.after_commit([])\n    if answer",
        (f"{PAYMENT}::test_a_refund_above_the_rest_is_refused_with_what_is_left",),
    ),
)

MUTANTS = (*_HEALTH, *_RISK, *_FORENSICS, *_COMMANDS)

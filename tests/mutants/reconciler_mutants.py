"""Seeded bugs of the reconciler: what it compares, believes, asks for, repairs and says."""

from tests.mutants.mutant import Mutant

MATCHING = "tests/unit/reconciler/test_matching.py"
MISMATCHES = "tests/unit/reconciler/test_mismatches.py"
REPORT = "tests/unit/reconciler/test_report.py"
RULES = "tests/unit/payments/test_endings.py"
SCHEDULE = "tests/integration/reconciler/test_schedule.py"
RUNS = "tests/integration/reconciler/test_runs_on_postgresql.py"
BOTH = "tests/integration/subscribers/test_survival.py"
DAYS = "tests/integration/reconciler/test_provider_days.py"
PAYOUTS = "tests/contract/providers/test_stripe_contract.py"

_COMPARED = (
    Mutant(
        "a slow provider is asked for everything in one turn",
        "services/reconciler/comparing.py",
        " and not (answers and time.monotonic() >= ends_at)",
        "",
        (f"{SCHEDULE}::test_many_differences_at_a_slow_provider_are_asked_for_in_several_turns",),
    ),
    Mutant(
        "what waits for a late payout is never compared again",
        "services/reconciler/daily.py",
        "open AND day BETWEEN again AND :last",
        "open AND day BETWEEN begin AND :last",
        (SCHEDULE,),
    ),
    Mutant(
        "what was accepted comes back with its settlement",
        "services/reconciler/domain/mismatches.py",
        'for x in self.legs if x.side != "settlement")',
        "for x in self.legs)",
        (MISMATCHES,),
    ),
    Mutant(
        "a settlement line that is listed twice counts twice",
        "services/reconciler/domain/merging.py",
        "list({line.line_id: line for line in lines}.values())",
        "lines",
        (f"{MATCHING}::test_a_clean_day_has_no_difference",),
    ),
    Mutant(
        "what was captured today is late today",
        "services/reconciler/domain/settling.py",
        "return at + timedelta(seconds=self.due_s) <= self.settled_until",
        "return at <= self.settled_until",
        (f"{RUNS}::test_what_no_settlement_paid_out_is_found_a_week_later",),
    ),
    Mutant(
        "what a dispute gave back today is missing today",
        "services/reconciler/domain/matching.py",
        "moved_at = theirs.moved_at or record.at",
        "moved_at = record.at",
        (f"{MATCHING}::test_money_that_a_dispute_gave_back_lately_may_be_in_no_line_yet",),
    ),
    Mutant(
        "a payout says nothing of older lines",
        "shared/providers/stripe/adapter.py",
        "of = wanted if payout.created >= until.timestamp() else",
        "of = wanted if payout.created else",
        (f"{PAYOUTS}::test_the_day_of_a_payout_has_the_older_lines_that_it_paid_out",),
    ),
    Mutant(
        "a window is compared before our own book covers it",
        "services/reconciler/windows.py",
        "if complete_until is None or complete_until < window.until:",
        "if complete_until is None:",
        (f"{RUNS}::test_a_window_waits_until_our_own_book_covers_it",),
    ),
    Mutant(
        "a list is believed without asking for the thing itself",
        "services/reconciler/comparing.py",
        "return any(d.kind not in OWN_WORD for d in differences)",
        "return False",
        (f"{RUNS}::test_what_the_list_of_a_day_does_not_show_is_asked_for_before_it_is_missing",),
    ),
    Mutant(
        "what plainly agrees may have another fee",
        "services/reconciler/store/plain.py",
        "AND l.fee = coalesce(r.fee, l.fee) AND l.net = l.amount - l.fee",
        "AND l.net = l.amount - l.fee",
        (f"{RUNS}::test_a_fee_that_adds_up_and_is_not_what_was_said_is_found",),
    ),
    Mutant(
        "what the provider no longer lists still stands",
        "services/reconciler/store/legs.py",
        "WHERE s.listed OR r.at IS NULL OR r.at < :since",
        "WHERE s.listed OR NOT s.listed OR r.at < :since",
        (f"{RUNS}::test_what_agrees_again_is_resolved_and_what_comes_back_is_the_next_occurrence",),
    ),
    Mutant(
        "what was taken back is always a dispute's",
        "services/reconciler/store/unnamed.py",
        "ON r.subject = unnamed.refund_id AND",
        "ON r.subject = unnamed.charge_id AND",
        (f"{DAYS}::test_what_paypal_takes_back_without_a_dispute",),
    ),
    Mutant(
        "a page's sums leave a day out",
        "services/reconciler/domain/money.py",
        "sums = {name: sum(getattr(row, name) for row in rows) for name in _SUMMED}",
        "sums = {name: sum(getattr(row, name) for row in rows[1:] or rows) for name in _SUMMED}",
        (f"{REPORT}::test_days_add_up_for_each_provider_and_for_each_currency",),
    ),
    Mutant(
        "the fee of a dispute that was won is nowhere",
        "services/reconciler/store/figures.py",
        "AND money <> 'none'",
        "AND money = 'withdrawn'",
        (f"{DAYS}::test_a_day_at_stripe",),
    ),
)

_DONE = (
    Mutant(
        "a look is sent with every run",
        "services/reconciler/domain/mismatches.py",
        "now < known.looked_at + PAUSES[known.looks - 1]",
        "now < known.looked_at",
        (f"{MISMATCHES}::test_looks_by_itself_come_at_growing_pauses_and_end_with_a_person",),
    ),
    Mutant(
        "a second click gives money back again",
        "services/reconciler/domain/mismatches.py",
        'if known.approved_at is not None and proposal.command == "refund_payment":',
        'if known.approved_at is not None and proposal.command == "":',
        (f"{MISMATCHES}::test_what_moves_money_waits_for_a_person_and_says_what_will_happen",),
    ),
    Mutant(
        "what a person accepted is opened again the next day",
        "services/reconciler/domain/mismatches.py",
        'if known.how == "accepted" and known.evidence == seen.evidence:',
        'if known.how == "accepted" and known.evidence != seen.evidence:',
        (f"{MISMATCHES}::test_an_accepted_difference_stays_accepted_until_its_evidence_changes",),
    ),
    Mutant(
        "a cell of the table is a formula",
        "services/reconciler/report.py",
        'return f"\'{cell}" if cell.startswith(_FORMULA) else cell',
        "return cell",
        (f"{REPORT}::test_a_text_that_looks_like_a_formula_is_a_text",),
    ),
    Mutant(
        "a rebuild ends at what the consumer parked",
        "services/reconciler/rebuild.py",
        "        if not caused_by_message(error):\n",
        "        if caused_by_message(error):\n",
        (f"{BOTH}::test_all_is_read_again_without_a_mail_a_call_or_an_event",),
    ),
    Mutant(
        "each request begins a run of its own",
        "services/reconciler/domain/runs.py",
        "if known.open or known.since > now:",
        "if known.since > now:",
        (f"{BOTH}::test_bad_messages_are_parked_whole_and_the_rest_has_its_effect_once",),
    ),
    Mutant(
        "an authorisation that lapses after its order was closed is told to nobody",
        "services/payments/domain/settle.py",
        "(before.status, before.detail, _held(before)) != (after.status, after.detail, _held(after))",
        "(before.status, before.detail) != (after.status, after.detail)",
        (f"{RULES}::test_money_held_for_a_closed_order_is_told_when_it_comes_and_when_it_goes",),
    ),
)

MUTANTS = _COMPARED + _DONE

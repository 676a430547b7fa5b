"""Seeded bugs of the notifier: receipts lost, doubled, misnumbered, or about another purchase."""

from tests.mutants.mutant import Mutant

ISSUING = "tests/unit/notifier/test_issuing.py"
MAILING = "tests/unit/notifier/test_mailing.py"
MAIL = "tests/unit/notifier/test_mail.py"
DISPUTES = "tests/unit/notifier/test_disputes.py"
ASKING = "tests/unit/notifier/test_asking.py"
FAULTS = "tests/integration/notifier/test_faults.py"
DOMAIN = "services/notifier/domain"

MUTANTS = (
    Mutant(
        "each announcement makes a document",
        f"{DOMAIN}/issuing.py",
        "if natural_id(paid.payment_id, due.kind, due.subject) not in made:",
        "if due not in made:",
        (f"{ISSUING}::test_any_order_and_repetition_ends_in_at_most_one_document",),
    ),
    Mutant(
        "content of another amount is printed",
        f"{DOMAIN}/issuing.py",
        "if found is None or (found.amount, found.currency) != (paid.amount, paid.currency):",
        "if found is None:",
        (f"{ISSUING}::test_content_of_another_amount_is_never_printed",),
    ),
    Mutant(
        "the newest content is printed instead of the one that was paid",
        f"{DOMAIN}/issuing.py",
        "found = order.contents.get(paid.revision)",
        "found = order.contents.get(max(order.contents, default=0))",
        (f"{ISSUING}::test_the_revision_that_the_payment_names_is_printed_not_the_newest",),
    ),
    Mutant(
        "a mail counts as sent before it is",
        f"{DOMAIN}/mailing.py",
        "        asked_at=now,\n    )\n    return mail if",
        '        asked_at=now,\n        state="sent",\n    )\n    return mail if',
        (f"{MAILING}::test_a_mail_that_was_taken_twice_is_announced_once_under_one_message_id",),
    ),
    Mutant(
        "a late answer takes back that a mail was sent",
        f"{DOMAIN}/mailing.py",
        'mail.state in SETTLED:\n        return Decision(order, outcome="ignored")\n    if now',
        'mail.state == "parked":\n        return Decision(order, outcome="ignored")\n    if now',
        (f"{MAILING}::test_sent_stays_sent_whatever_a_late_worker_says",),
    ),
    Mutant(
        "each try writes a Message-ID of its own",
        "services/notifier/mail/compose.py",
        'message["Message-ID"] = mail.message_id',
        'message["Message-ID"] = f"<{id(message)}.{mail.attempts}@shop.test>"',
        (f"{MAIL}::test_the_same_document_gives_the_same_message_id_and_date",),
    ),
    Mutant(
        "a number is taken outside the transaction that claims it",
        "services/notifier/saving.py",
        "    numbers = await _take_numbers(connection, [d.series for _, d in new])\n",
        """    async with connection.engine.begin() as own:
        numbers = await _take_numbers(own, [d.series for _, d in new])
""",
        (f"{FAULTS}::test_killed_around_the_claim_leaves_no_gap_and_no_second_number",),
    ),
    Mutant(
        "a refund that never succeeded is credited",
        f"{DOMAIN}/issuing.py",
        "        if refund.stood and refund.succeeded_at:\n",
        "        if refund.stood and (refund.succeeded_at or refund.failed_at):\n",
        (f"{ISSUING}::test_a_refund_that_never_succeeded_is_no_document",),
    ),
    Mutant(
        "money that was never invoiced is credited",
        f"{DOMAIN}/issuing.py",
        "stood=(told.provider, told.charge_id) == (payment.provider, payment.charge_id),",
        "stood=True,",
        (f"{ISSUING}::test_a_capture_that_never_stood_is_not_credited_but_its_buyer_is_told",),
    ),
    Mutant(
        "the invoice is about what was ordered instead of what was captured",
        f"{DOMAIN}/issuing.py",
        "return payment.amount if found is None else found",
        "return payment.amount",
        (f"{ISSUING}::test_the_invoice_is_about_what_was_captured",),
    ),
    Mutant(
        "a dispute that is over is reminded of",
        f"{DOMAIN}/disputes.py",
        "or dispute.outcome or dispute.respond_by is None:",
        "or dispute.respond_by is None:",
        (f"{DISPUTES}::test_a_dispute_that_is_over_is_not_reminded_of",),
    ),
    Mutant(
        "a nonce counts each time",
        f"{DOMAIN}/asking.py",
        "if mail is not None and any(resend.nonce == command.nonce for resend in mail.resends):",
        "if False:",
        (f"{ASKING}::test_a_nonce_counts_once",),
    ),
    Mutant(
        "the answer to the first mail settles the one that was asked for since",
        f"{DOMAIN}/mailing.py",
        "return mail if mail.message_id == result.message_id else None",
        "return mail",
        (f"{ASKING}::test_an_answer_to_the_mail_before_does_not_settle_the_one_asked_for",),
    ),
    Mutant(
        "a long name with commas is several recipients",
        "services/notifier/mail/compose.py",
        "<= _QUOTABLE_MAX:",
        "<= 1_000:",
        (f"{MAIL}::test_no_name_can_add_a_header_or_a_recipient",),
    ),
    Mutant(
        "a document that could not be made is a dead end",
        f"{DOMAIN}/asking.py",
        'if document is not None and document.state == "failed":',
        "if False:",
        (ASKING,),
    ),
    Mutant(
        "a mail is given up because the database was away",
        "services/notifier/performers.py",
        "unbegun=True",
        "unbegun=False",
        ("tests/unit/notifier/test_performers.py",),
    ),
    Mutant(
        "a deadline that is told late is reminded of by nobody",
        f"{DOMAIN}/disputes.py",
        "known is not None and known.opened and known.respond_by != dispute.respond_by",
        "False",
        (DISPUTES,),
    ),
)

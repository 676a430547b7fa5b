"""Seeded bugs of erasing a customer: something is left, comes back, or is said to be gone and is not."""

from tests.mutants.mutant import Mutant

ERASURES = "tests/unit/privacy/test_erasures.py"
LOGS = "tests/unit/privacy/test_logs.py"
WHOLE = "tests/e2e/test_privacy.py::test_nothing_of_an_erased_customer_is_left_or_comes_back"

MUTANTS = (
    Mutant(
        "a blanked order keeps the texts of its lines",
        "shared/privacy/customers.py",
        'tuple(replace(line, name=f"#{n}") for n, line in enumerate(order.lines, 1))',
        "order.lines",
        (f"{ERASURES}::test_a_blanked_order_keeps_its_money_and_the_country_of_its_tax",),
    ),
    Mutant(
        "an address in another spelling is another customer",
        "shared/privacy/customers.py",
        "return email.strip().lower()",
        "return email.strip()",
        (f"{ERASURES}::test_one_customer_has_one_name_that_nobody_can_read_or_try",),
    ),
    Mutant(
        "a service with another key says that it erased",
        "shared/privacy/erasures.py",
        "if asked.key_check != own_key_check:",
        "if not asked.key_check:",
        (f"{ERASURES}::test_a_service_with_another_key_refuses_rather_than_forget_somebody",),
    ),
    Mutant(
        "a PDF that was being set during the erasure is kept",
        "services/notifier/domain/mailing.py",
        "if order.erased and not result.erased:",
        "if order.erased and result.erased:",
        ("tests/unit/notifier/test_erased.py",),
    ),
    Mutant(
        "an error's text brings an address into the log",
        "shared/observability.py",
        "return _MAIL_ADDRESS.sub(_HIDDEN, value) if isinstance(value, str) else value",
        "return value",
        (f"{LOGS}::test_no_address_gets_into_a_log_line",),
    ),
    Mutant(
        "webhooks after the erasure are kept raw",
        "services/payments/webhooks.py",
        "if fate.after is not None and fate.after.erased:",
        "if fate.after is None:",
        (WHOLE,),
    ),
    Mutant(
        "an order told before the erasure and heard after it comes in whole",
        "shared/privacy/screen.py",
        "incoming.envelope.time <= erased_at",
        "incoming.envelope.time > erased_at",
        (WHOLE,),
    ),
    Mutant(
        "a request redelivered is carried out and answered again",
        "shared/privacy/erasures.py",
        "if erasure.asked is not None:",
        "if erasure.places is not None:",
        (f"{ERASURES}::test_a_request_is_carried_out_once_and_answered_once",),
    ),
    Mutant(
        "parked messages are looked for when nobody knows the address any more",
        "shared/privacy/eraser.py",
        '(Place("inbox", "parked messages", _parked), *self.places)',
        '(*self.places, Place("inbox", "parked messages", _parked))',
        ("tests/integration/notifier/test_erasing.py",),
    ),
    Mutant(
        "a mail that is due while its customer is blanked keeps the address",
        "services/notifier/domain/issuing.py",
        'return "" if order.erased else placed.customer.email',
        "return placed.customer.email",
        ("tests/unit/notifier/test_erased.py",),
    ),
    Mutant(
        "what a bounce says keeps addresses in other spellings",
        "services/notifier/domain/asking.py",
        "without_addresses(command.reason)[:500]",
        'command.reason[:500].replace(mail.recipient, "<address>")',
        ("tests/unit/notifier/test_asking.py",),
    ),
)

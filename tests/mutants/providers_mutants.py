"""Seeded bugs of the providers' adapters: what an answer means, and what an amount is."""

from tests.mutants.mutant import Mutant

ANSWERS = "tests/contract/providers/test_every_answer.py::test_each_answer_is_the_right_error"
CURRENCIES = "tests/contract/providers/test_currencies.py"

MUTANTS = (
    Mutant(
        "a refund that is still in progress counts as refused",
        "shared/providers/razorpay/calls.py",
        "said = isinstance(error, BadRequestError) and status != 409",
        "said = isinstance(error, BadRequestError)",
        (f"{ANSWERS}[razorpay-under-way]",),
    ),
    Mutant(
        "a proxy's word is taken for a refusal",
        "shared/providers/razorpay/calls.py",
        "said = isinstance(error, BadRequestError) and status != 409",
        "said = not isinstance(error, requests.JSONDecodeError) and status != 409",
        (f"{ANSWERS}[razorpay-400-of-a-proxy]",),
    ),
    Mutant(
        "a key that had another request is a refusal",
        "shared/providers/stripe/calls.py",
        'said.type in ("invalid_request_error", "card_error")',
        'said.type in ("invalid_request_error", "card_error", "idempotency_error")',
        (f"{ANSWERS}[stripe-key-reused]",),
    ),
    Mutant(
        "a report without its lines is an empty one",
        "shared/providers/paypal/entities.py",
        "    transaction_details: list[TransactionDetail]  #",
        "    transaction_details: list[TransactionDetail] = []  #",
        (f"{ANSWERS}[paypal-200-other]",),
    ),
    Mutant(
        "how long a 429 wants us to wait is not heard",
        "shared/providers/razorpay/calls.py",
        "self.retry_after_s = min(float(given), RETRY_AFTER_MAX_S)",
        "pass",
        (f"{ANSWERS}[razorpay-429-after-9]",),
    ),
    Mutant(
        "a fee in parts of a unit hides its charge",
        "shared/providers/stripe/reading.py",
        "    except Malformed:\n        return None\n\n\ndef _charge_state",
        "    except Malformed:\n        raise\n\n\ndef _charge_state",
        (f"{CURRENCIES}::test_a_fee_in_parts_of_a_unit_does_not_hide_its_charge",),
    ),
    Mutant(
        "every currency of two decimals is one of Razorpay's",
        "shared/providers/razorpay/amounts.py",
        "    if currency in TWO_DECIMAL:",
        "    if exponent(currency) == 2:",
        (f"{CURRENCIES}::test_what_a_provider_cannot_take_is_refused_up_front",),
    ),
)

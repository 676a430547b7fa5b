"""Seeded bugs of the gateway: whose key it is, whose proof, and who may see what."""

from tests.mutants.mutant import Mutant

GATEWAY = "services/gateway"
REFUNDS = "tests/integration/gateway/test_refunds.py"
PROJECTION = "tests/integration/gateway/test_projection.py"
CHECKOUT = "tests/contract/http/test_bad_checkout.py"
WEBHOOKS = "tests/contract/http/test_webhook_proofs.py"
BAD_REFUNDS = "tests/contract/http/test_bad_refunds.py"

MUTANTS = (
    Mutant(
        "an idempotency key is good for another amount",
        f"{GATEWAY}/idempotency.py",
        "sha256(command.TYPE.encode() + _json.encode(body))",
        "sha256(command.TYPE.encode())",
        (f"{REFUNDS}::test_same_request_under_one_key_has_one_fingerprint",),
    ),
    Mutant(
        "an idempotency key is good for another call",
        f"{GATEWAY}/idempotency.py",
        "sha256(command.TYPE.encode() + _json.encode(body))",
        'sha256(b"")',  # the type alone would not do it: the two bodies have other fields
        (f"{REFUNDS}::test_keys_are_each_callers_own_and_each_calls",),
    ),
    Mutant(
        "one caller's idempotency key answers another caller",
        f"{GATEWAY}/idempotency.py",
        "principal=request.auth.name",
        'principal="server"',
        (f"{REFUNDS}::test_keys_are_each_callers_own_and_each_calls",),
    ),
    Mutant(
        "of two idempotency keys the first is taken",
        f"{GATEWAY}/idempotency.py",
        "if len(given) != 1 or not",
        "if not",
        (f"{BAD_REFUNDS}::test_bad_key",),
    ),
    Mutant(
        "buyers are told what is disputed",
        f"{GATEWAY}/views.py",
        "amounts=_amounts_for_buyer(view), ",
        "",
        (f"{REFUNDS}::test_disputes_are_for_servers_only",),
    ),
    Mutant(
        "a proof of two providers at once is taken",
        f"{GATEWAY}/offer.py",
        "if set(fields) == set(proof)",
        "if set(fields) <= set(proof)",
        (f"{CHECKOUT}::test_proof_is_one_providers_and_whole",),
    ),
    Mutant(
        "a provider that cannot hold money is offered for a capture by hand",
        f"{GATEWAY}/offer.py",
        'if capture == "manual" and not adapter.capabilities.manual_capture:',
        'if capture == "manual" and not adapter.name:',
        (f"{PROJECTION}::test_options_are_the_providers_that_can_take_the_order",),
    ),
    Mutant(
        "a webhook whose certificate cannot be had is refused for good",
        f"{GATEWAY}/problems.py",
        '"webhook-unverifiable": ProblemType(503,',
        '"webhook-unverifiable": ProblemType(400,',
        (f"{WEBHOOKS}::test_certificate_that_cannot_be_had_is_a_503_and_good_once_it_can",),
    ),
)

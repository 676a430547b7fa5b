"""Idempotency keys exactly as Stripe keeps them, and rate limits (Stripe docs, Idempotent requests)."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from tests.contract.simulator.running import eventually
from tests.contract.simulator.stripe_running import SECRET_KEY, StripeSimulator

CREATE = "POST /stripe/v1/payment_intents"


def create(sdk: stripe.StripeClient, key: str, amount: int = 1099) -> stripe.PaymentIntent:
    return sdk.v1.payment_intents.create({"amount": amount, "currency": "usd"}, {"idempotency_key": key})


def test_a_repeated_key_answers_what_it_answered_first(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    first = create(stripe_sdk, "repeated")
    stripe_sdk.v1.payment_intents.cancel(first.id)
    again = create(stripe_sdk, "repeated")
    assert (again.id, again.status) == (first.id, "requires_payment_method")
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert first.last_response is not None
    assert "Idempotent-Replayed" not in first.last_response.headers
    rows = [row for row in stripe_simulator.ledger()["stripe"]["payment_intents"] if row["id"] == first.id]
    assert len(rows) == 1


def test_a_key_with_other_parameters_is_refused(stripe_sdk: stripe.StripeClient) -> None:
    intent = create(stripe_sdk, "other-parameters")
    with pytest.raises(stripe.IdempotencyError, match="other than 'other-parameters'"):
        create(stripe_sdk, "other-parameters", 2000)
    with pytest.raises(stripe.IdempotencyError):
        stripe_sdk.v1.payment_intents.cancel(intent.id, {}, {"idempotency_key": "other-parameters"})


def test_a_stored_500_is_replayed_and_its_work_was_done(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    stripe_simulator.faults(api=[{"path": CREATE, "next": [{"do": "status_500"}]}])
    before = len(stripe_simulator.ledger()["stripe"]["payment_intents"])
    for _ in range(3):
        with pytest.raises(stripe.APIError) as caught:
            create(stripe_sdk, "stored-500")
        assert caught.value.http_status == 500
    assert len(stripe_simulator.ledger()["stripe"]["payment_intents"]) == before + 1


def test_a_stored_500_may_stand_for_work_that_was_never_done(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    stripe_simulator.faults(api=[{"path": CREATE, "next": [{"do": "status_500", "before": True}]}])
    before = len(stripe_simulator.ledger()["stripe"]["payment_intents"])
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            create(stripe_sdk, "stored-500-undone")
    assert len(stripe_simulator.ledger()["stripe"]["payment_intents"]) == before
    assert create(stripe_sdk, "stored-500-undone-2").status == "requires_payment_method"


def test_a_500_that_hides_a_replay_does_not_replace_it(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    first = create(stripe_sdk, "hidden-replay")
    stripe_simulator.faults(api=[{"path": CREATE, "next": [{"do": "status_500"}]}])
    with pytest.raises(stripe.APIError):
        create(stripe_sdk, "hidden-replay")
    assert create(stripe_sdk, "hidden-replay").id == first.id


@pytest.mark.parametrize("fault", ["status_502", "status_500_html", "act_then_drop"])
def test_what_a_proxy_or_the_network_did_is_not_stored(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator, fault: str
) -> None:
    stripe_simulator.faults(api=[{"path": CREATE, "next": [{"do": fault}]}])
    with pytest.raises((stripe.APIError, stripe.APIConnectionError)):
        create(stripe_sdk, f"lost-{fault}")
    found = create(stripe_sdk, f"lost-{fault}")
    assert found.last_response is not None
    assert found.last_response.headers["Idempotent-Replayed"] == "true"


def test_bad_parameters_are_not_stored_but_a_decline_is(stripe_sdk: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(stripe_sdk, "bad-parameters", 1)
    assert create(stripe_sdk, "bad-parameters", 1099).amount == 1099
    intent = stripe_sdk.v1.payment_intents.create(
        {"amount": 1099, "currency": "usd", "allowed_payment_method_types": ["card"]}
    )
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            stripe_sdk.v1.payment_intents.confirm(
                intent.id,
                {"payment_method": "pm_card_visa_chargeDeclined"},
                {"idempotency_key": "declined-once"},
            )
    assert len(stripe_sdk.v1.charges.list({"payment_intent": intent.id}).data) == 1


def test_a_key_in_use_is_a_conflict(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    stripe_simulator.faults(api=[{"path": CREATE, "next": [{"do": "hold", "delay_s": 1.0}]}])
    before = len(stripe_simulator.ledger()["stripe"]["payment_intents"])
    with ThreadPoolExecutor(1) as pool:
        other = stripe.StripeClient(
            SECRET_KEY, base_addresses={"api": stripe_simulator.api}, max_network_retries=0
        )
        first = pool.submit(create, other, "in-use")
        eventually(lambda: len(stripe_simulator.ledger()["stripe"]["payment_intents"]) > before)
        with pytest.raises(stripe.APIError) as caught:
            create(stripe_sdk, "in-use")
        answered = first.result()
    assert caught.value.http_status == 409
    assert caught.value.error is not None
    assert caught.value.error.code == "idempotency_key_in_use"
    assert create(stripe_sdk, "in-use").id == answered.id


@pytest.mark.parametrize("retry_after_s", [None, 3])
def test_a_rate_limit_is_before_the_keys(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator, retry_after_s: int | None
) -> None:
    limit = {"do": "status_429", "before": True, "retry_after_s": retry_after_s}
    stripe_simulator.faults(api=[{"path": CREATE, "next": [limit]}])
    with pytest.raises(stripe.RateLimitError) as caught:
        create(stripe_sdk, f"limited-{retry_after_s}")
    headers = caught.value.headers or {}
    assert headers.get("Retry-After") == (None if retry_after_s is None else str(retry_after_s))
    again = create(stripe_sdk, f"limited-{retry_after_s}")
    assert again.last_response is not None
    assert "Idempotent-Replayed" not in again.last_response.headers


def test_the_sdks_own_retry_gets_the_same_object(stripe_simulator: StripeSimulator) -> None:
    """Its retries reuse the key it invented, and a dropped answer costs nothing."""
    stripe_simulator.faults(api=[{"path": CREATE, "next": [{"do": "act_then_drop"}]}])
    before = len(stripe_simulator.ledger()["stripe"]["payment_intents"])
    client = stripe.StripeClient(
        SECRET_KEY, base_addresses={"api": stripe_simulator.api}, max_network_retries=2
    )
    client.v1.payment_intents.create({"amount": 1099, "currency": "usd"})
    assert len(stripe_simulator.ledger()["stripe"]["payment_intents"]) == before + 1

"""PaymentIntents through the unmodified official SDK: shapes, states, cards, refusals."""

import re

import pytest
import stripe

from tests.contract.simulator.stripe_running import PUBLISHABLE_KEY, StripeSimulator

Wanted = dict[str, object]
USD: Wanted = {"amount": 1099, "currency": "usd", "automatic_payment_methods": {"enabled": True}}
CARD: Wanted = {"amount": 1099, "currency": "usd", "allowed_payment_method_types": ["card"]}


def make(sdk: stripe.StripeClient, wanted: Wanted = USD, **more: object) -> stripe.PaymentIntent:
    return sdk.v1.payment_intents.create({**wanted, **more})  # type: ignore[typeddict-item]


def test_a_new_intent_has_the_published_shape(stripe_sdk: stripe.StripeClient) -> None:
    intent = make(stripe_sdk, metadata={"order_id": "o-1"}).to_dict()
    assert re.fullmatch(r"pi_[A-Za-z0-9]{24}", intent["id"])
    assert re.fullmatch(rf"{intent['id']}_secret_[A-Za-z0-9]{{25}}", intent["client_secret"])
    expected = {
        "object": "payment_intent",
        "amount": 1099,
        "amount_capturable": 0,
        "amount_received": 0,
        "capture_method": "automatic_async",
        "currency": "usd",
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {"order_id": "o-1"},
        "next_action": None,
        "status": "requires_payment_method",
    }
    assert {name: intent[name] for name in expected} == expected


def test_confirming_with_a_card_takes_the_money(stripe_sdk: stripe.StripeClient) -> None:
    intent = make(stripe_sdk, CARD, confirm=True, payment_method="pm_card_visa", expand=["latest_charge"])
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (intent.status, intent.amount_received) == ("succeeded", 1099)
    assert (charge.status, charge.captured, charge.amount_captured) == ("succeeded", True, 1099)
    assert charge.payment_intent == intent.id
    line = stripe_sdk.v1.balance_transactions.retrieve(str(charge.balance_transaction))
    assert (line.amount, line.fee, line.net, line.type) == (1099, 62, 1037, "charge")
    assert line.source == charge.id


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_a_declined_card_puts_the_intent_back_to_the_start(
    stripe_sdk: stripe.StripeClient, method: str, code: str, decline_code: str
) -> None:
    intent = make(stripe_sdk, CARD)
    with pytest.raises(stripe.CardError) as caught:
        stripe_sdk.v1.payment_intents.confirm(intent.id, {"payment_method": method})
    assert (caught.value.http_status, caught.value.code) == (402, code)
    said = caught.value.error
    assert said is not None
    assert said.decline_code == decline_code
    assert said.payment_intent is not None
    assert said.payment_intent.id == intent.id
    again = stripe_sdk.v1.payment_intents.retrieve(intent.id)
    assert again.status == "requires_payment_method"
    assert again.last_payment_error is not None
    (charge,) = stripe_sdk.v1.charges.list({"payment_intent": intent.id}).data
    assert (charge.id, charge.status) == (again.last_payment_error.charge, "failed")
    paid = stripe_sdk.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


def test_3d_secure_waits_for_the_buyer_and_can_fail(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    intent = make(stripe_sdk, CARD, confirm=True, payment_method="pm_card_threeDSecure2Required")
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.type == "use_stripe_sdk"
    failed = stripe_simulator.act(f"payment_intents/{intent.id}/authenticate", passed=False)
    assert failed["error"]["code"] == "payment_intent_authentication_failure"
    assert failed["charge"] is None
    stripe_simulator.pay_intent(intent.id, outcome="requires_action")
    passed = stripe_simulator.act(f"payment_intents/{intent.id}/authenticate", passed=True)
    assert passed["status"] == "succeeded"


def test_manual_capture_takes_a_part_and_releases_the_rest(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    intent = make(stripe_sdk, capture_method="manual")
    stripe_simulator.pay_intent(intent.id)
    held = stripe_sdk.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (held.status, held.amount_capturable) == ("requires_capture", 1099)
    assert isinstance(held.latest_charge, stripe.Charge)
    assert held.latest_charge.payment_method_details is not None
    assert held.latest_charge.payment_method_details["card"]["capture_before"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stripe_sdk.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1100})
    assert caught.value.code == "amount_too_large"
    done = stripe_sdk.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1000})
    assert (done.status, done.amount_received, done.amount_capturable) == ("succeeded", 1000, 0)
    charge = stripe_sdk.v1.charges.retrieve(str(done.latest_charge))
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (1000, 99, False)


def test_an_authorisation_lapses_in_its_days(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    intent = make(stripe_sdk, capture_method="manual")
    stripe_simulator.pay_intent(intent.id)
    stripe_simulator.act(f"payment_intents/{intent.id}/expire")
    over = stripe_sdk.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (over.status, over.cancellation_reason) == ("canceled", "automatic")
    assert isinstance(over.latest_charge, stripe.Charge)
    assert (over.latest_charge.captured, over.latest_charge.refunded) == (False, True)


def test_a_cancelled_intent_can_be_paid_no_more(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    intent = make(stripe_sdk)
    cancelled = stripe_sdk.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")
    answer = stripe_simulator.http.post(
        f"{stripe_simulator.base}/_sim/stripe/payment_intents/{intent.id}/pay", timeout=5
    )
    assert answer.json()["error"]["code"] == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled") as caught:
        stripe_sdk.v1.payment_intents.cancel(intent.id)
    assert caught.value.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"amount": 49}, "amount", "amount_too_small"),
        ({"amount": 100_000_000}, "amount", "amount_too_large"),
        ({"amount": "10.5"}, "amount", "parameter_invalid_integer"),
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"amount": 12_345, "currency": "kwd"}, "amount", "parameter_invalid_integer"),
        ({"amount": 5050, "currency": "isk"}, "amount", "parameter_invalid_integer"),
        ({"currency": "zzz"}, "currency", None),
        ({"currency": ""}, "currency", "parameter_missing"),
        ({"capture_method": "sometimes"}, "capture_method", None),
        ({"colour": "red"}, "colour", "parameter_unknown"),
        ({"metadata": {"k" * 41: "v"}}, "metadata", None),
    ],
)
def test_what_stripe_refuses_is_refused(
    stripe_sdk: stripe.StripeClient, changes: Wanted, param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        make(stripe_sdk, {**USD, **changes})
    assert (caught.value.http_status, caught.value.param, caught.value.code) == (400, param, code)


def test_unknown_ids_addresses_and_keys(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent: 'pi_x'") as caught:
        stripe_sdk.v1.payment_intents.retrieve("pi_x")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        stripe_sdk.raw_request("get", "/v1/somewhere")
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
        stripe_simulator.sdk("sk_test_of_somebody_else").v1.payment_intents.list()
    with pytest.raises(stripe.PermissionError):
        stripe_simulator.sdk(PUBLISHABLE_KEY).v1.payment_intents.list()
    answer = stripe_simulator.http.get(f"{stripe_simulator.api}/v1/payment_intents", timeout=5)
    assert answer.status_code == 401
    assert answer.headers["request-id"].startswith("req_")
    answer = stripe_simulator.http.get(
        f"{stripe_simulator.api}/v1/account", auth=(stripe_sdk_key(), ""), timeout=5
    )
    assert answer.json()["object"] == "account"


def stripe_sdk_key() -> str:
    return "sk_test_contractContractContract"


def test_a_browser_confirms_with_the_public_key_and_the_secret(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    intent = make(stripe_sdk, metadata={"order_id": "o-1"})
    address = f"{stripe_simulator.api}/v1/payment_intents/{intent.id}"
    form = {
        "key": PUBLISHABLE_KEY,
        "client_secret": intent.client_secret,
        "return_url": "https://shop.example/return",
        "payment_method_data[type]": "card",
        "payment_method_data[card][number]": "4242424242424242",
    }
    stranger = stripe_simulator.http.post(
        f"{address}/confirm", data={**form, "client_secret": "pi_1_secret_2"}, timeout=5
    )
    assert stranger.status_code == 400
    nowhere = {name: value for name, value in form.items() if name != "return_url"}
    assert stripe_simulator.http.post(f"{address}/confirm", data=nowhere, timeout=5).status_code == 400
    paid = stripe_simulator.http.post(f"{address}/confirm", data=form, timeout=5).json()
    assert paid["status"] == "succeeded"
    assert "metadata" not in paid
    query = {"key": PUBLISHABLE_KEY, "client_secret": intent.client_secret}
    seen = stripe_simulator.http.get(address, params=query, timeout=5).json()
    assert seen["status"] == "succeeded"
    assert stripe_simulator.http.get(address, params={"key": PUBLISHABLE_KEY}, timeout=5).status_code == 400


def test_a_debit_settles_in_its_days(
    stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    for succeeded, status in ((True, "succeeded"), (False, "requires_payment_method")):
        intent = make(stripe_sdk)
        stripe_simulator.pay_intent(intent.id, outcome="processing")
        assert stripe_sdk.v1.payment_intents.retrieve(intent.id).status == "processing"
        stripe_simulator.act(f"payment_intents/{intent.id}/settle", succeeded=succeeded)
        assert stripe_sdk.v1.payment_intents.retrieve(intent.id).status == status


def test_lists_page_by_cursor_and_filter_by_time(stripe_sdk: stripe.StripeClient) -> None:
    made = [make(stripe_sdk).id for _ in range(5)]
    listed = [intent.id for intent in stripe_sdk.v1.payment_intents.list({"limit": 2}).auto_paging_iter()]
    assert listed[:5] == made[::-1]
    assert len(listed) == len(set(listed))
    page = stripe_sdk.v1.payment_intents.list({"limit": 3, "starting_after": made[4]})
    assert ([intent.id for intent in page.data], page.has_more) == (made[3:0:-1], True)
    back = stripe_sdk.v1.payment_intents.list({"limit": 2, "ending_before": made[1]})
    assert [intent.id for intent in back.data] == [made[3], made[2]]
    at = stripe_sdk.v1.payment_intents.retrieve(made[0]).created
    assert stripe_sdk.v1.payment_intents.list({"created": {"lt": at - 3600}}).data == []
    assert stripe_sdk.v1.payment_intents.list({"created": {"gte": at}}).data
    with pytest.raises(stripe.InvalidRequestError):
        stripe_sdk.v1.payment_intents.list({"limit": 101})
    with pytest.raises(stripe.InvalidRequestError):
        stripe_sdk.v1.payment_intents.list({"starting_after": "pi_x"})


def test_amounts_are_kept_in_stripes_units(stripe_sdk: stripe.StripeClient) -> None:
    for amount, currency in ((500, "jpy"), (99_990, "kwd"), (50_000, "isk"), (17_550, "huf")):
        intent = make(stripe_sdk, amount=amount, currency=currency)
        assert (intent.amount, intent.currency) == (amount, currency)

"""Signature vectors worked out apart from this code (providers' documents, their algorithms)."""

from devstack.simulator.razorpay.events import checkout_signature, webhook_signature


def test_checkout_signature_is_the_published_hmac() -> None:
    signature = checkout_signature("demo_key_secret", "order_DEMO0000000001", "pay_DEMO0000000001")
    assert signature == "aa4c84c87e8c9ba8f98cc54c22e0c4683a45bd263c1872cf243f69b3ec944652"


def test_webhook_signature_is_the_published_hmac_of_the_raw_body() -> None:
    body = b'{"entity":"event","event":"payment.captured"}'
    signature = webhook_signature("demo_webhook_secret", body)
    assert signature == "d4a7e3e33bf62c07b3b1a917cf24da69d886bf8f0d7d03e9561c6f1022a38980"

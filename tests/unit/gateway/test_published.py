"""What is published of the gateway is what the code does."""

import json

import pytest

from services.gateway.app import ROUTES
from services.gateway.fields import RESERVED_IDS
from services.gateway.openapi import codes, document
from services.gateway.problems import TABLE, problem
from services.gateway.webhooks import PATH as WEBHOOKS
from shared import http_server
from shared.errors import PaystreamError, Unavailable
from shared.providers.registry import PROOFS
from tests.unit.gateway.pages import PAGE, rendered


def test_page_has_every_route_and_every_problem() -> None:
    page = PAGE.read_text()
    assert rendered(page) == page, "run `python -m tests.unit.gateway.pages`"


def test_every_code_that_a_route_may_refuse_with_is_published() -> None:
    for route in ROUTES:
        assert set(codes(route)) <= set(TABLE)


def test_every_route_says_who_may_call_it() -> None:
    known = {"buyer", "anyone", "orders:write", "payments:read", "payments:refund", "payments:capture"}
    for route in ROUTES:
        assert set(route.opt["access"].split()) <= known


def test_no_order_has_the_name_of_another_address() -> None:
    paths = [path.split("/") for route in ROUTES for path in route.paths] + [WEBHOOKS.split("/")]
    words = {parts[3] for parts in paths if parts[:3] == ["", "api", "payments"] and len(parts) > 3}
    assert {word for word in words if not word.startswith("{")} == RESERVED_IDS


def test_no_field_is_part_of_two_providers_proofs() -> None:
    fields = [name for proof in PROOFS.values() for name in proof]
    assert len(fields) == len(set(fields))


def test_document_is_whole() -> None:
    text = json.dumps(document(ROUTES))
    schemas = json.loads(text)["components"]["schemas"]
    wanted = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert wanted == set(schemas)
    assert schemas["OrderInput"]["additionalProperties"] is False
    assert "retryAfterS" in schemas["Problem"]["properties"]


@pytest.mark.parametrize("status", [400, 408, 414, 431])
def test_refusals_of_the_server_itself_are_of_the_same_table(status: int) -> None:
    body = json.loads(http_server._refusal(status).partition(b"\r\n\r\n")[2])
    kind = TABLE[body["code"]]
    assert (kind.status, kind.title, kind.retryable) == (status, body["title"], body["retryable"])


def test_code_that_nobody_published_says_nothing() -> None:
    answer = problem(PaystreamError("oops-internal", "SELECT secret FROM table"))
    assert (answer.code, answer.status, answer.detail) == ("internal", 500, "")


def test_problem_that_may_be_repeated_says_when() -> None:
    assert problem(Unavailable("kafka-unavailable", retry_after_s=3)).retry_after_s == 3
    assert problem(PaystreamError("order-closed")).retry_after_s is None

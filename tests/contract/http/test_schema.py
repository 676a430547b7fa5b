"""Requests generated from our own OpenAPI document: the answers are those that it documents."""

import json
import os
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from services.gateway.app import ROUTES
from services.gateway.openapi import document
from tests.integration.gateway.orders import token
from tests.integration.gateway.process import server
from tests.integration.gateway.system import System

ORDER_ID = "order-1"
SERVERS = {
    "/api/orders": "shop",
    "/api/orders/{orderId}/cancel": "shop",
    "/api/payments": "shop",
    "/api/payments/refund": "till",
    "/api/payments/capture": "till",
    "/api/payments/refunds/{refundId}": "reader",
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
EXAMPLES = 300 if os.environ.get("SOAK") else 6
# schemathesis draws from `random` in its own strategies; newer Hypothesis warns of that.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")


DOCUMENT = document(ROUTES)
schema = schemathesis.openapi.from_dict(
    # A stream has no end that a test could wait for.
    {**DOCUMENT, "paths": {k: v for k, v in DOCUMENT["paths"].items() if not k.endswith("/events")}}
)


def test_document_is_served_as_it_is(http: httpx.Client) -> None:
    for path in ("/schema", "/schema/openapi.json"):
        answer = http.get(path)
        assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
        assert answer.json() == json.loads(msgspec.json.encode(DOCUMENT))


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answer_is_one_that_is_documented(case: schemathesis.Case[Any], running: System) -> None:
    before = running.stored()
    given = server(SERVERS[case.operation.path]) if case.operation.path in SERVERS else token(ORDER_ID)
    response = case.call(base_url=running.gateway.url, headers=given, timeout=15)
    case.validate_response(response, checks=CHECKS)
    if response.status_code >= 400:
        assert running.stored() == before

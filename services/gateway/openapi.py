"""The OpenAPI document: routes, bodies and answers from the code, refusals from the published table."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from types import UnionType
from typing import Any, get_args, get_type_hints

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from services.gateway.access import ANYONE, BUYER
from services.gateway.fields import ORDER_ID, REFUND_ID
from services.gateway.idempotency import PATTERN as KEY_PATTERN
from services.gateway.problems import TABLE, Problem
from services.gateway.strict import StrictBody
from services.gateway.views import Repeat, View
from services.gateway.webhooks import PATH as WEBHOOK_PATH
from shared.providers.registry import PROOFS

JSON = "application/json"
SIGNATURE_HEADERS = ("X-Razorpay-Signature", "Stripe-Signature", "PayPal-Transmission-Sig")
EVENT_STREAM = "text/event-stream"
REF = "#/components/schemas/{name}"

EVERYWHERE = "bad-host malformed-http misdirected internal request-timeout uri-too-long headers-too-large"
WITH_CREDENTIAL = "unauthorized scope-missing rate-limited"
WITH_BODY = (
    "empty-body not-json not-utf-8 duplicate-key unknown-field not-an-object body-too-slow body-too-large "
    "unsupported-media-type encoded-body wrong-value"
)
WITH_COMMAND = "kafka-unavailable overloaded expired"
WITH_KEY = "idempotency-key-missing idempotency-key-malformed idempotency-key-reused in-progress"
WEBHOOK = (
    "bad-signature not-an-event body-too-slow body-too-large kafka-unavailable webhook-unverifiable not-found"
)

_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A fresh UUID for each new request; the same one when repeating it",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}


def document(routes: Sequence[HTTPRouteHandler]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    types: list[Any] = [Problem, Repeat]
    for route in routes:
        types += [t for t in (_body(route), *_members(_answer(route))) if t is not None]
    _, schemas = msgspec.json.schema_components(types, ref_template=REF)
    for name in {t.__name__ for t in _structs(types) if issubclass(t, View)} & set(schemas):
        schemas[name]["required"] = list(schemas[name]["properties"])  # every field is always written
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for path in route.paths:
            (method,) = route.http_methods
            paths.setdefault(published(path), {})[method.lower()] = _operation(route, path)
    paths[WEBHOOK_PATH] = {"post": _webhook("webhook")}
    paths[WEBHOOK_PATH + "/{provider}"] = {"post": _webhook("providerWebhook")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Paystream",
            "version": "1",
            "description": "Payments for a shop. Amounts are integers in ISO 4217 minor units.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "checkoutToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def codes(route: HTTPRouteHandler) -> list[str]:
    """Every code of the table with which this route may refuse."""
    parts = [EVERYWHERE, route.opt.get("refuses", "")]
    parts += [WITH_CREDENTIAL if route.opt["access"] != ANYONE else "rate-limited"]
    parts += [WITH_BODY] if _body(route) else []
    parts += [WITH_COMMAND] if route.opt.get("command") else []
    parts += [WITH_KEY] if route.opt.get("keyed") else []
    return sorted(set(" ".join(parts).split()))


def published(path: str) -> str:
    """The path as documentation writes it."""
    return path.replace("{order_id:str}", "{orderId}").replace("{refund_id:str}", "{refundId}")


def _operation(route: HTTPRouteHandler, path: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.fn.__name__,
        "summary": route.summary,
        "description": route.description or "",
        "security": _security(route.opt["access"]),
        "parameters": [
            *_path_parameters(path),
            *_query_parameters(route.opt.get("query", {})),
            *([_KEY_PARAMETER] if route.opt.get("keyed") else []),
        ],
        "responses": {**_success(route), **_refusals(codes(route))},
    }
    if (body := _body(route)) is not None:
        required = any(f.required for f in msgspec.structs.fields(body))
        operation["requestBody"] = {"required": required, "content": {JSON: _ref(body)}}
    if fields := route.opt.get("form"):
        properties = {name: {"type": "string"} for name in fields}
        content = {"application/x-www-form-urlencoded": {"schema": {"properties": properties}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _webhook(name: str) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": header, "in": "header", "required": False, "schema": {"type": "string"}}
        for header in SIGNATURE_HEADERS
    ]
    if name == "providerWebhook":
        providers = {"enum": sorted(PROOFS)}
        parameters += [{"name": "provider", "in": "path", "required": True, "schema": providers}]
    accepted = {"type": "object", "properties": {"status": {"const": "accepted"}}, "required": ["status"]}
    return {
        "operationId": name,
        "summary": "What a provider tells us, signed",
        "description": "200 once it is durable. The signature is checked on the raw bytes first.",
        "security": [],
        "parameters": parameters,
        "requestBody": {"required": True, "content": {JSON: {"schema": {}}}},
        "responses": {
            "200": {"description": "Kept", "content": {JSON: {"schema": accepted}}},
            **_refusals([*EVERYWHERE.split(), *WEBHOOK.split()]),
        },
    }


def _success(route: HTTPRouteHandler) -> dict[str, Any]:
    answer = _answer(route)
    content: dict[str, Any] = {}
    if answer is not None:
        content = {"content": {JSON: _ref(answer)}}
    elif route.media_type == EVENT_STREAM:
        content = {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}
    status = HTTPStatus(route.status_code)
    answers = {str(status.value): {"description": status.phrase, **content}}
    if status is HTTPStatus.CREATED and not route.opt.get("keyed"):
        answers["200"] = {"description": "It was held already", **content}
    if route.opt.get("command"):
        answers["202"] = {"description": "Not done yet: repeat the call", "content": {JSON: _ref(Repeat)}}
    return answers


def _refusals(refused: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in refused:
        by_status.setdefault(TABLE[code].status, []).append(code)
    content = {"application/problem+json": _ref(Problem)}
    return {
        str(status): {"description": ", ".join(sorted(set(found))), "content": content}
        for status, found in sorted(by_status.items())
    }


def _body(route: HTTPRouteHandler) -> type[msgspec.Struct] | None:
    dto = route.dto
    return dto.body if isinstance(dto, type) and issubclass(dto, StrictBody) else None


def _answer(route: HTTPRouteHandler) -> Any:
    """The type of the whole answer, without Litestar's Response around it; None for none or a stream."""
    hint = get_type_hints(route.fn, include_extras=True)["return"]
    if getattr(hint, "__origin__", None) is Response:
        (hint,) = get_args(hint)
    return None if hint in (type(None), Stream) else hint


def _structs(types: Iterable[Any]) -> set[type[msgspec.Struct]]:
    """All structs inside these types, at any depth."""
    found: set[type[msgspec.Struct]] = set()
    waiting = list(types)
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            if kind not in found:
                found.add(kind)
                waiting += get_type_hints(kind, include_extras=True).values()
        else:
            waiting += get_args(kind)
    return found


def _ref(kind: Any) -> dict[str, Any]:
    schemas, _ = msgspec.json.schema_components(_members(kind), ref_template=REF)
    return {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}}


def _members(kind: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _security(access: str) -> list[dict[str, list[str]]]:
    if access == ANYONE:
        return []
    ways = access.split()
    found: list[dict[str, list[str]]] = [{"checkoutToken": []}] if BUYER in ways else []
    return found + ([{"apiKey": []}] if set(ways) - {BUYER} else [])


def _path_parameters(path: str) -> list[dict[str, Any]]:
    known = {"{order_id:str}": ("orderId", ORDER_ID), "{refund_id:str}": ("refundId", REFUND_ID)}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": pattern.pattern},
        }
        for part, (name, pattern) in known.items()
        if part in path
    ]


def _query_parameters(query: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in query.items()
    ]


def schema_route(routes: Sequence[HTTPRouteHandler]) -> HTTPRouteHandler:
    """The route that serves the document."""
    encoded = msgspec.json.encode(document(routes))

    @get(["/schema", "/schema/openapi.json"], access=ANYONE, sync_to_thread=False)
    def schema() -> Response[bytes]:
        return Response(encoded, media_type="application/vnd.oai.openapi+json")

    return schema

"""The public HTTP application: `GET /api/documents/{token}` and nothing else."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notifier.documents.sheet import number_of
from services.notifier.links import LinkExpired, Links
from services.notifier.reads import read_document
from shared.database import AWAY
from shared.errors import NotFound
from shared.http_server import Message, Receive

log = structlog.get_logger()

Send = Callable[[Message], Awaitable[None]]

_PATH = re.compile(r"/api/documents/([A-Za-z0-9_.-]+)")
_ALWAYS = {
    "cache-control": "private, no-store",
    "content-security-policy": "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class DocumentsApp:
    """Serves a document to whoever holds its link. Every error is an RFC 9457 problem."""

    engine: AsyncEngine
    links: Links

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,  # noqa: ARG002 - part of ASGI; a body is never read
        send: Send,
    ) -> None:
        response = await self._answer(scope["method"], scope["path"])
        headers = {**_ALWAYS, **response.headers, "content-length": str(len(response.body))}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": encoded})
        body = b"" if scope["method"] == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, method: str, path: str) -> Response:
        match = _PATH.fullmatch(path)
        if match is None:
            return problem(404, "not-found", "there is nothing here")
        if method not in ("GET", "HEAD"):
            return problem(405, "method-not-allowed", "a document can only be read", {"allow": "GET, HEAD"})
        try:
            return await self._document(self.links.document_in(match[1]))
        except LinkExpired as error:
            return problem(410, error.code, error.detail)
        except NotFound as error:
            return problem(404, error.code, error.detail)
        except AWAY as error:
            log.warning("a document could not be read", error=repr(error)[:200])
            return problem(503, "unavailable", "try again in a moment", {"retry-after": "2"})

    async def _document(self, document_id: str) -> Response:
        async with self.engine.connect() as connection:
            issued = await read_document(connection, document_id)
        if issued is not None and issued.document.state == "erased":
            raise LinkExpired("document-erased", "this document was erased at its customer's wish")
        if issued is None or issued.pdf is None or issued.document.number is None:
            raise NotFound("not-found", "there is no document under this link")
        document = issued.document
        name = f"{document.kind}-{number_of(document)}.pdf"
        disposition = f'inline; filename="{name}"'
        headers = {
            "content-type": "application/pdf",
            "content-disposition": disposition,
            "etag": f'"{document.sha256}"',
        }
        return Response(200, issued.pdf, headers)


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An RFC 9457 problem; `code` is stable for clients."""
    body = {
        "type": f"urn:paystream:problem:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
        "retryable": status == 503,
    }
    return Response(
        status,
        msgspec.json.encode(body),
        {"content-type": "application/problem+json", **(headers or {})},
    )

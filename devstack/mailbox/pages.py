"""The web side: a list, one message, its parts; the same as JSON; and the control call."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, select_autoescape

from devstack.mailbox.behaviour import Behaviour, Conduct
from devstack.mailbox.messages import Entry, Mailbox, content_of, part_of, text_of

_PAGE_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'"
# A mail's own HTML may style itself and show pictures it brought; it runs and loads nothing.
_MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
_SHOWN_INLINE = {"application/pdf", "image/png", "image/jpeg", "image/gif", "text/plain"}
_ASSETS = {"mailbox.css": "text/css", "mailbox.js": "text/javascript"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """Every route of the mailbox's web server."""

    def __init__(self, mailbox: Mailbox, conduct: Conduct) -> None:
        self._mailbox = mailbox
        self._conduct = conduct
        self._folder = Path(__file__).with_name("templates")
        self._templates = Environment(
            loader=FileSystemLoader(self._folder), autoescape=select_autoescape(), trim_blocks=True
        )
        self._templates.filters["size"] = size_text
        self._templates.filters["when"] = when_text

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.list_page),
            web.get("/messages/{id:\\d+}", self.message_page),
            web.get("/messages/{id:\\d+}/html", self.html_part),
            web.get("/messages/{id:\\d+}/raw", self.raw),
            web.get("/messages/{id:\\d+}/parts/{part:\\d+}", self.part),
            web.get("/assets/{name}", self.asset),
            web.get("/health", self.health),
            web.get("/api/messages", self.list_json),
            web.get("/api/messages/{id:\\d+}", self.message_json),
            web.delete("/api/messages", self.empty),
            web.get("/api/behaviour", self.behaviour),
            web.put("/api/behaviour", self.set_behaviour),
        ]

    async def list_page(self, _request: web.Request) -> web.Response:
        return self._page("list.html", entries=self._mailbox.entries())

    async def message_page(self, request: web.Request) -> web.Response:
        entry = self._entry(request)
        message = self._mailbox.message(entry.id)
        return self._page(
            "message.html",
            entry=entry,
            headers=[(name, str(value)) for name, value in message.items()],
            text=text_of(message, "plain"),
            has_html=text_of(message, "html") is not None,
        )

    async def html_part(self, request: web.Request) -> web.Response:
        entry = self._entry(request)
        message = self._mailbox.message(entry.id)
        html = text_of(message, "html")
        if html is None:
            raise web.HTTPNotFound
        places = {
            (part.get("Content-ID") or "").strip("<>"): place for place, part in enumerate(message.walk())
        }

        def picture(found: re.Match[str]) -> str:
            place = places.get(found.group(1))
            return found.group(0) if place is None else f"/messages/{entry.id}/parts/{place}"

        html = re.sub(r"cid:([^\"'\s)>]+)", picture, html)
        return web.Response(
            text=html, content_type="text/html", headers={"Content-Security-Policy": _MAIL_POLICY}
        )

    async def raw(self, request: web.Request) -> web.Response:
        return web.Response(body=self._mailbox.raw(self._entry(request).id), content_type="text/plain")

    async def part(self, request: web.Request) -> web.Response:
        entry = self._entry(request)
        part = part_of(self._mailbox.message(entry.id), int(request.match_info["part"]))
        if part is None:
            raise web.HTTPNotFound
        content_type = part.get_content_type()
        disposition = "inline" if content_type in _SHOWN_INLINE else "attachment"
        name = re.sub(r"[^\w.-]", "_", part.get_filename() or "part", flags=re.ASCII)
        return web.Response(
            body=content_of(part),
            content_type=content_type,
            headers={
                "Content-Disposition": f'{disposition}; filename="{name}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _ASSETS:
            raise web.HTTPNotFound
        return web.Response(text=(self._folder / name).read_text(), content_type=_ASSETS[name])

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def list_json(self, request: web.Request) -> web.Response:
        """Newest first; ``?to=`` keeps one recipient's."""
        wanted = request.query.get("to")
        entries = self._mailbox.entries()
        return _json([e for e in entries if wanted is None or wanted in e.recipients])

    async def message_json(self, request: web.Request) -> web.Response:
        entry = self._entry(request)
        message = self._mailbox.message(entry.id)
        more = {
            "headers": [[name, str(value)] for name, value in message.items()],
            "text": text_of(message, "plain"),
            "html": text_of(message, "html"),
        }
        return _json(msgspec.to_builtins(entry) | more)

    async def empty(self, _request: web.Request) -> web.Response:
        self._mailbox.empty()
        return web.Response(status=204)

    async def behaviour(self, _request: web.Request) -> web.Response:
        return _json({"behaviour": self._conduct.behaviour, "shown": self._conduct.shown})

    async def set_behaviour(self, request: web.Request) -> web.Response:
        try:
            behaviour = msgspec.json.decode(await request.read(), type=Behaviour)
        except msgspec.DecodeError as error:
            return web.json_response({"error": str(error)}, status=400)
        self._conduct.become(behaviour)
        return await self.behaviour(request)

    def _entry(self, request: web.Request) -> Entry:
        entry = self._mailbox.entry(int(request.match_info["id"]))
        if entry is None:
            raise web.HTTPNotFound
        return entry

    def _page(self, template: str, **values: object) -> web.Response:
        return web.Response(
            text=self._templates.get_template(template).render(**values),
            content_type="text/html",
            headers={"Content-Security-Policy": _PAGE_POLICY},
        )


def size_text(size: int) -> str:
    return f"{size} B" if size < 1000 else f"{size / 1000:.1f} kB"


def when_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%d %b %Y, %H:%M:%S UTC")


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")

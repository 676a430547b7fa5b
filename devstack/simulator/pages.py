"""Files that browsers load, each with a policy that allows nothing but this origin's own."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

OWN_FILES_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src * data:"
)
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


def page(path: Path, *, framed_by: str = "'none'") -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler for one file, read anew each time."""

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(
            text=path.read_text(),
            content_type=_TYPES[path.suffix],
            headers={
                "Content-Security-Policy": f"{OWN_FILES_ONLY}; frame-ancestors {framed_by}",
                "Cache-Control": "no-cache",
            },
        )

    return serve

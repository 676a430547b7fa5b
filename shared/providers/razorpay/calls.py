"""Calls through the official SDK, each in a worker thread, every failure classified.

Facts (SDK `razorpay` 2.0.1, read and measured): it has no default time-out; its exceptions carry only a
description, so the HTTP status is taken from the session; its own retry repeats POSTs and stays off; a
client is not safe to share between threads; `payment.capture` mutates a default argument, so a fresh dict
is always passed.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import razorpay
import requests
from razorpay.errors import BadRequestError, GatewayError, ServerError
from urllib3.exceptions import NewConnectionError

from shared.errors import NotFound, OutcomeUnknown, PaystreamError, Rejected, Unavailable

T = TypeVar("T")

# As many as one process ever asks for at once (the slots of payments): a capture must find a thread free
# however many slow looks there are. Threads are made when they are needed.
WORKERS = 32
RETRY_AFTER_S = 2.0  # when a 429 does not say; Razorpay's documents promise no such header
RETRY_AFTER_MAX_S = 60.0  # whatever it says: the caller has its own schedule


# TypeError: the SDK looks into an error body that is no object, such as a proxy's.
_FAILURES = (BadRequestError, GatewayError, ServerError, requests.RequestException, ValueError, TypeError)


class _Session(requests.Session):
    """Remembers the last answer's head, and never follows a redirect with our credentials."""

    status: int | None = None
    retry_after_s: float = RETRY_AFTER_S

    def request(self, *args: Any, **options: Any) -> requests.Response:
        self.status, self.retry_after_s = None, RETRY_AFTER_S
        options["allow_redirects"] = False
        response = super().request(*args, **options)
        self.status = response.status_code
        given = response.headers.get("Retry-After", "")
        if given.isascii() and given.isdigit():
            self.retry_after_s = min(float(given), RETRY_AFTER_MAX_S)
        return response


class Calls:
    """Runs SDK calls with a time-out. `writes`: an unclear end is OutcomeUnknown, else Unavailable."""

    def __init__(self, key_id: str, key_secret: str, base_url: str, timeout_s: float) -> None:
        self._auth = (key_id, key_secret)
        self._base_url = base_url
        self._timeout = (1.0, timeout_s)  # connect, read
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="razorpay")
        self._local = threading.local()

    async def run(self, call: Callable[[Any, dict[str, Any]], T], *, writes: bool) -> T:
        """`call(client, options)` in a thread; raises only the errors of `shared.errors`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._call, call, writes)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _call(self, call: Callable[[Any, dict[str, Any]], T], writes: bool) -> T:
        client = self._client()
        try:
            return call(client, {"timeout": self._timeout})
        except _FAILURES as error:
            session = client.session
            raise classified(error, session.status, session.retry_after_s, writes=writes) from error

    def _client(self) -> Any:
        if not hasattr(self._local, "client"):
            self._local.client = razorpay.Client(session=_Session(), auth=self._auth, base_url=self._base_url)
        return self._local.client


def classified(  # noqa: PLR0911 - one line per row of the table
    error: Exception, status: int | None, retry_after_s: float = RETRY_AFTER_S, *, writes: bool
) -> PaystreamError:
    """The one of our errors that an SDK failure is (Razorpay docs, Errors)."""
    text = str(error)[:300]
    if status is None and _never_sent(error):
        return Unavailable("provider-unavailable", f"no connection to Razorpay: {text}")
    if status == 429:
        return Unavailable("provider-rate-limited", "Razorpay asks us to slow down", retry_after_s)
    if status in (401, 403):
        return Unavailable("provider-misconfigured", f"Razorpay refuses our key: {text}", retry_after_s=30.0)
    # 409: the key's first request is still running, or was another one: this is not what came of it. And only
    # Razorpay itself says BAD_REQUEST_ERROR; anything else is a proxy, or a bank behind Razorpay, in trouble.
    said = isinstance(error, BadRequestError) and status != 409
    if said and status is not None and 400 <= status < 500:
        if status == 404 or "does not exist" in text:
            return NotFound("not-found", text)
        return Rejected("provider-rejected", text or f"Razorpay answered {status}")
    if writes:
        return OutcomeUnknown("provider-outcome-unknown", f"Razorpay answered {status}: {text}")
    return Unavailable("provider-unavailable", f"Razorpay answered {status}: {text}")


def _never_sent(error: Exception) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectionError) and isinstance(reason, NewConnectionError)

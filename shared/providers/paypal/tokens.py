"""The OAuth token that each call carries: kept while it lives, renewed by one caller at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

MARGIN_S = 60.0  # renewed that long before its end: a call takes time, and clocks differ


class TokenAnswer(msgspec.Struct, frozen=True):
    """PayPal's answer to client credentials (PayPal docs, Get an access token)."""

    access_token: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    good_until: float  # monotonic


class Tokens:
    """Asks for a token only when there is none that lives: minting one for each call meets a rate limit."""

    def __init__(self, ask: Callable[[float], Awaitable[TokenAnswer]]) -> None:
        self._ask = ask
        self._token: Token | None = None
        self._renewing = asyncio.Lock()

    async def current(self, deadline: float) -> str:
        """A token that lives; whoever comes while one is asked for waits for that one."""
        async with self._renewing:
            if self._token is None or time.monotonic() >= self._token.good_until:
                asked_at = time.monotonic()
                answer = await self._ask(deadline)
                lives_s = max(answer.expires_in - MARGIN_S, answer.expires_in / 2)
                self._token = Token(answer.access_token, asked_at + lives_s)
            return self._token.text

    def drop(self, text: str) -> None:
        """PayPal refused this token. One that was renewed meanwhile stays."""
        if self._token is not None and self._token.text == text:
            self._token = None

"""What the shop knows of its visitors. In memory: a demo forgets when it stops, the payments do not."""

import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from aiohttp import web

from devstack.shop.basket import Line
from devstack.shop.catalogue import INDIA, Market

VISITORS_MAX = 10_000
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_ID_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is misread on the telephone


@dataclass(frozen=True)
class Customer:
    """Who gets the receipt."""

    name: str
    email: str

    def complaints(self) -> dict[str, str]:
        """What is wrong, by field; empty when all is well."""
        wrong = {}
        if not 1 <= len(self.name) <= 80 or not self.name.isprintable():
            wrong["name"] = "Please tell us your name."
        if len(self.email) > 200 or not _EMAIL.fullmatch(self.email):
            wrong["email"] = "Please give an e-mail address, so that the receipt reaches you."
        return wrong


@dataclass(frozen=True)
class Order:
    """An order as it was placed; it never changes, so the gateway may be told of it any number of times."""

    order_id: str
    lines: tuple[Line, ...]
    customer: Customer
    market: Market = INDIA

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)


def new_order_id() -> str:
    """Unguessable, and short enough to be read aloud."""
    return "MT-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(10))


@dataclass
class Visitor:
    """One browser: its basket, its orders, and the order that is being placed just now."""

    market: Market = INDIA
    quantities: dict[str, int] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    placing: Order | None = None
    last_order_id: str | None = None
    cookie: str = ""


class Visitors:
    """Visitors by their cookie; the longest unseen are forgotten first."""

    def __init__(self, cookie_name: str) -> None:
        self._cookie_name = cookie_name
        self._by_cookie: OrderedDict[str, Visitor] = OrderedDict()

    def of(self, request: web.Request) -> Visitor:
        """Who is asking; a stranger is a visitor with nothing, and is not remembered for looking."""
        cookie = request.cookies.get(self._cookie_name, "")
        visitor = self._by_cookie.get(cookie)
        if visitor is None:
            return Visitor()
        self._by_cookie.move_to_end(cookie)
        return visitor

    def remember(self, visitor: Visitor, response: web.Response) -> None:
        """Gives a visitor who now has something a cookie to come back with."""
        if visitor.cookie:
            return
        visitor.cookie = secrets.token_urlsafe(24)
        self._by_cookie[visitor.cookie] = visitor
        while len(self._by_cookie) > VISITORS_MAX:
            self._by_cookie.popitem(last=False)
        response.set_cookie(self._cookie_name, visitor.cookie, httponly=True, samesite="Lax", path="/")

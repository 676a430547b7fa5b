"""Totals, computed on the server from the catalogue: a browser sends product names and quantities only."""

from collections.abc import Mapping
from dataclasses import dataclass

from devstack.shop.catalogue import INDIA, PRODUCTS, QUANTITY_MAX, Market, Product


@dataclass(frozen=True)
class Line:
    """One position of a basket or an order; amounts in minor units of its market's currency."""

    name: str
    quantity: int
    unit_amount: int
    tax_rate: int
    product: Product | None = None

    @property
    def amount(self) -> int:
        return self.quantity * self.unit_amount

    @property
    def image(self) -> str:
        return self.product.image if self.product else "/static/art/delivery.svg"


@dataclass(frozen=True)
class Basket:
    """What is in it, and what it costs with delivery."""

    goods: tuple[Line, ...]
    market: Market = INDIA

    @property
    def count(self) -> int:
        return sum(line.quantity for line in self.goods)

    @property
    def goods_amount(self) -> int:
        return sum(line.amount for line in self.goods)

    @property
    def delivery_amount(self) -> int:
        return 0 if self.goods_amount >= self.market.delivery_free_from else self.market.delivery_price

    @property
    def lines(self) -> tuple[Line, ...]:
        """All that is charged, delivery included."""
        if not self.delivery_amount:
            return self.goods
        tax_rate = 18 if self.market.taxed else 0
        return (*self.goods, Line("Delivery", 1, self.delivery_amount, tax_rate))

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def missing_for_free_delivery(self) -> int:
        return max(0, self.market.delivery_free_from - self.goods_amount)


def basket_of(quantities: Mapping[str, int], market: Market = INDIA) -> Basket:
    """Prices a visitor's choice; unknown products and impossible quantities count for nothing."""
    goods = []
    for slug, quantity in quantities.items():
        product = PRODUCTS.get(slug)
        if product is not None and quantity > 0:
            tax_rate = product.tax_rate if market.taxed else 0
            amount = product.price_in(market)
            goods.append(Line(product.name, min(quantity, QUANTITY_MAX), amount, tax_rate, product))
    return Basket(tuple(goods), market)


def money(amount: int, market: Market) -> str:
    """As it is written there; no cents where there are none."""
    if market is INDIA:
        return rupees(amount)
    whole, cents = divmod(amount, 100)
    return f"€{whole:,}" + (f".{cents:02d}" if cents else "")


def rupees(amount: int) -> str:
    """`₹1,23,456.50`: Indian grouping; no paise where there are none."""
    whole, paise = divmod(amount, 100)
    head, tail = str(whole)[:-3], str(whole)[-3:]
    groups: list[str] = []
    while head:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return "₹" + ",".join([*groups, tail]) + (f".{paise:02d}" if paise else "")

"""Totals, computed on the server from the catalogue: a browser sends product names and quantities only."""

from collections.abc import Mapping
from dataclasses import dataclass

from devstack.shop.catalogue import DELIVERY_FREE_FROM, DELIVERY_PRICE, PRODUCTS, QUANTITY_MAX, Product


@dataclass(frozen=True)
class Line:
    """One position of a basket or an order; amounts in paise."""

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

    @property
    def count(self) -> int:
        return sum(line.quantity for line in self.goods)

    @property
    def goods_amount(self) -> int:
        return sum(line.amount for line in self.goods)

    @property
    def delivery_amount(self) -> int:
        return 0 if self.goods_amount >= DELIVERY_FREE_FROM else DELIVERY_PRICE

    @property
    def lines(self) -> tuple[Line, ...]:
        """All that is charged, delivery included."""
        if not self.delivery_amount:
            return self.goods
        return (*self.goods, Line("Delivery", 1, self.delivery_amount, tax_rate=18))

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def missing_for_free_delivery(self) -> int:
        return max(0, DELIVERY_FREE_FROM - self.goods_amount)


def basket_of(quantities: Mapping[str, int]) -> Basket:
    """Prices a visitor's choice; unknown products and impossible quantities count for nothing."""
    goods = []
    for slug, quantity in quantities.items():
        product = PRODUCTS.get(slug)
        if product is not None and quantity > 0:
            goods.append(
                Line(product.name, min(quantity, QUANTITY_MAX), product.price, product.tax_rate, product)
            )
    return Basket(tuple(goods))


def rupees(amount: int) -> str:
    """`₹1,23,456.50`: Indian grouping; no paise where there are none."""
    whole, paise = divmod(amount, 100)
    head, tail = str(whole)[:-3], str(whole)[-3:]
    groups: list[str] = []
    while head:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return "₹" + ",".join([*groups, tail]) + (f".{paise:02d}" if paise else "")

"""Prices come from the shop's own shelf, whatever a browser sends."""

import pytest

from devstack.shop.basket import basket_of, money, rupees
from devstack.shop.catalogue import EUROPE, INDIA, MARKETS, PRODUCTS, QUANTITY_MAX, Market
from devstack.shop.payments import content_of
from devstack.shop.sessions import Customer, Order, new_order_id

ASHA = Customer("Asha Rao", "asha@example.com")


def test_lines_add_up_to_the_amount() -> None:
    basket = basket_of({"teapot": 2, "tea": 3})
    assert basket.amount == 2 * 2_450_00 + 3 * 540_00
    assert [line.name for line in basket.lines] == ["Kulhad teapot", "Nilgiri frost tea"]


def test_small_baskets_pay_for_delivery() -> None:
    basket = basket_of({"tea": 1})
    assert basket.amount == 540_00 + INDIA.delivery_price
    assert basket.lines[-1].name == "Delivery"


@pytest.mark.parametrize("choice", [{"yacht": 1}, {"tea": 0}, {"tea": -3}])
def test_what_is_not_on_the_shelf_costs_nothing_and_comes_not(choice: dict[str, int]) -> None:
    assert basket_of(choice).goods == ()


def test_quantities_are_bounded() -> None:
    assert basket_of({"tea": 10_000}).count == QUANTITY_MAX


@pytest.mark.parametrize(
    ("paise", "text"),
    [
        (0, "₹0"),
        (99, "₹0.99"),
        (540_00, "₹540"),
        (1_23_456_50, "₹1,23,456.50"),
        (1_00_00_000_00, "₹1,00,00,000"),
    ],
)
def test_rupees_are_grouped_as_in_india(paise: int, text: str) -> None:
    assert rupees(paise) == text


@pytest.mark.parametrize(
    ("cents", "text"), [(0, "€0"), (9, "€0.09"), (11_50, "€11.50"), (1_234_00, "€1,234")]
)
def test_euros_are_written_as_in_europe(cents: int, text: str) -> None:
    assert money(cents, EUROPE) == text


def test_abroad_prices_are_of_their_own_and_hold_no_tax() -> None:
    basket = basket_of({"tea": 2}, EUROPE)
    assert basket.amount == 2 * 11_50 + EUROPE.delivery_price
    assert {line.tax_rate for line in basket.lines} == {0}
    content = content_of(Order(new_order_id(), basket.lines, ASHA, EUROPE))
    assert (content["currency"], content["amount"]) == ("EUR", basket.amount)


@pytest.mark.parametrize("market", MARKETS.values(), ids=list(MARKETS))
@pytest.mark.parametrize("slug", PRODUCTS)
def test_the_tax_told_is_the_part_of_the_price_that_is_tax(slug: str, market: Market) -> None:
    order = Order(new_order_id(), basket_of({slug: 3}, market).lines, ASHA, market)
    content = content_of(order)
    lines = content["lines"]
    assert isinstance(lines, list)
    assert sum(line["quantity"] * line["unitAmount"] for line in lines) == content["amount"]
    for line in lines:
        gross = line["quantity"] * line["unitAmount"]
        net = gross - line["taxAmount"]
        assert abs(net * int(line["taxRate"]) / 100 - line["taxAmount"]) <= 1


@pytest.mark.parametrize(
    ("name", "email", "wrong"),
    [
        ("", "asha@example.com", {"name"}),
        ("Asha\nBcc: x", "asha@example.com", {"name"}),
        ("Asha", "asha", {"email"}),
        ("Asha", "a@b.example,c@d.example", {"email"}),
        ("Asha", "asha@example.com\r\nBcc: x@y.example", {"email"}),
        ("Asha", "asha@example.com", set()),
    ],
)
def test_a_customer_is_complained_of_by_field(name: str, email: str, wrong: set[str]) -> None:
    assert set(Customer(name, email).complaints()) == wrong

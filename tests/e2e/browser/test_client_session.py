"""What a tab remembers of an order, and what it takes out of the address bar."""

import pytest
from playwright.async_api import Page

from tests.e2e.browser.modules import files, page, run

__all__ = ["files", "page"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_the_token_leaves_the_address_and_stays_in_the_tab(page: Page, files: str) -> None:
    opened = await run(
        page,
        "session.js",
        """({ openSession }) => {
          history.replaceState(null, "", "/basket?token=from-a-query#order=A-1&token=secret");
          return [openSession(), location.href, openSession()];
        }""",
    )
    session, address, again = opened
    assert session == again == {"orderId": "A-1", "token": "secret", "cancelled": False}
    assert address == f"{files}/basket?token=from-a-query#order=A-1"


async def test_a_return_address_names_the_order_but_no_token(page: Page) -> None:
    session = await run(
        page,
        "session.js",
        """({ openSession }) => {
          history.replaceState(null, "", "/basket?orderId=A-2&token=from-a-query");
          return openSession();
        }""",
    )
    assert session == {"orderId": "A-2", "token": None, "cancelled": False}


@pytest.mark.parametrize(
    ("address", "proof", "cancelled", "left"),
    [
        ("#order=A-3&payment_intent=pi_1", {"payment_intent": "pi_1"}, False, "#order=A-3"),
        (
            "?orderId=A-3&payment_intent=pi_1&payment_intent_client_secret=s&redirect_status=failed",
            {"payment_intent": "pi_1"},
            False,
            "?orderId=A-3#",
        ),
        ("#order=A-3&paypal_order_id=5O1", {"paypal_order_id": "5O1"}, False, "#order=A-3"),
        ("?order=A-3&token=5O1&PayerID=Q", {"paypal_order_id": "5O1"}, False, "?order=A-3#"),
        ("?order=A-3&token=5O1", None, False, "?order=A-3&token=5O1"),
        ("?order=A-3&token=5O1&cancelled=1", None, True, "?order=A-3#"),
        ("#order=A-3&cancelled=1", None, True, "#order=A-3"),
        # A provider's word in the address of a buyer who gave up is nothing to ask about.
        ("#order=A-3&cancelled=1&payment_intent=pi_1", None, True, "#order=A-3"),
    ],
)
async def test_what_a_provider_added_is_remembered_and_leaves_the_address(
    page: Page, files: str, address: str, proof: dict[str, str] | None, cancelled: bool, left: str
) -> None:
    found = await run(
        page,
        "session.js",
        """({ openSession, rememberedProof, rememberProof }, address) => {
          rememberProof("A-3", null);
          history.replaceState(null, "", "/basket" + address);
          return [openSession(), rememberedProof("A-3"), location.href];
        }""",
        address,
    )
    assert found == [
        {"orderId": "A-3", "token": None, "cancelled": cancelled}, proof, f"{files}/basket{left}",
    ]  # fmt: skip

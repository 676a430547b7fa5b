"""Objects as PayPal's API and webhooks show them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from devstack.simulator.paypal.amounts import money
from devstack.simulator.paypal.entities import Capture, Dispute, Order, Refund, Transaction

Json = dict[str, object]
PAYEE_EMAIL = "seller@shop.example"
PAYER_EMAIL = "buyer@example.com"


def stamp(at: float) -> str:
    """Whole seconds, as orders and payments have them."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_ms(at: float) -> str:
    """With milliseconds, as events and disputes have them."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Views:
    """Views that need to know the account and where it lives."""

    def __init__(self, base: str, merchant_id: str) -> None:
        self.base = base
        self._merchant_id = merchant_id

    def order(self, order: Order, captures: Iterable[Capture], refunds: Iterable[Refund]) -> Json:
        """The whole order."""
        view: Json = {
            **self.brief(order),
            "intent": "CAPTURE",
            "purchase_units": [self.unit(order, captures, refunds)],
            "create_time": stamp(order.created_at),
        }
        if order.status in ("APPROVED", "COMPLETED"):
            view["payer"] = _payer(order)
            view["update_time"] = stamp(order.updated_at)
        return view

    def brief(self, order: Order) -> Json:
        """What is answered without `Prefer: return=representation`."""
        view: Json = {"id": order.id, "status": order.status, "links": self._order_links(order)}
        if order.wallet:
            wallet: Json = {}
            if order.status in ("APPROVED", "COMPLETED"):
                wallet = {"email_address": PAYER_EMAIL, "account_id": order.payer_id}
            view["payment_source"] = {"paypal": wallet}
        return view

    def unit(self, order: Order, captures: Iterable[Capture], refunds: Iterable[Refund]) -> Json:
        unit: Json = {
            "reference_id": order.reference_id,
            "amount": money(order.amount, order.currency),
            "payee": self._payee(),
        }
        for name in ("custom_id", "invoice_id", "description"):
            if (value := getattr(order, name)) is not None:
                unit[name] = value
        taken, given = [self.capture(each) for each in captures], [self.refund(each) for each in refunds]
        if taken:
            unit["payments"] = {"captures": taken} | ({"refunds": given} if given else {})
        return unit

    def capture(self, capture: Capture) -> Json:
        net = capture.amount - capture.fee
        view: Json = {
            "id": capture.id,
            "status": capture.status,
            "amount": money(capture.amount, capture.currency),
            "final_capture": True,
            "seller_protection": {"status": "NOT_ELIGIBLE"},
            "payee": self._payee(),
            "supplementary_data": {"related_ids": {"order_id": capture.order_id}},
            "create_time": stamp(capture.created_at),
            "update_time": stamp(capture.updated_at),
            "links": [
                self._link("self", f"/v2/payments/captures/{capture.id}"),
                self._link("refund", f"/v2/payments/captures/{capture.id}/refund", "POST"),
                self._link("up", f"/v2/checkout/orders/{capture.order_id}"),
            ],
        }
        if capture.reason is not None:
            view["status_details"] = {"reason": capture.reason}
        if capture.status in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"):
            view["seller_receivable_breakdown"] = {
                "gross_amount": money(capture.amount, capture.currency),
                "paypal_fee": money(capture.fee, capture.currency),
                "net_amount": money(net, capture.currency),
            }
        return _with_ids(view, capture.custom_id, capture.invoice_id)

    def refund(self, refund: Refund, refunded_in_all: int | None = None) -> Json:
        amount = money(refund.amount, refund.currency)
        breakdown: Json = {
            "gross_amount": amount,
            "paypal_fee": money(0, refund.currency),
            "net_amount": amount,
        }
        if refunded_in_all is not None:
            breakdown["total_refunded_amount"] = money(refunded_in_all, refund.currency)
        view: Json = {
            "id": refund.id,
            "status": refund.status,
            "amount": amount,
            "seller_payable_breakdown": breakdown,
            "create_time": stamp(refund.created_at),
            "update_time": stamp(refund.updated_at),
            "links": [
                self._link("self", f"/v2/payments/refunds/{refund.id}"),
                self._link("up", f"/v2/payments/captures/{refund.capture_id}"),
            ],
        }
        if refund.note is not None:
            view["note_to_payer"] = refund.note
        if refund.status == "PENDING":
            view["status_details"] = {"reason": "ECHECK"}
        return _with_ids(view, refund.custom_id, refund.invoice_id)

    def dispute_item(self, dispute: Dispute) -> Json:
        """What a list says of one."""
        return {
            "dispute_id": dispute.id,
            "create_time": stamp_ms(dispute.created_at),
            "update_time": stamp_ms(dispute.updated_at),
            "reason": dispute.reason,
            "status": dispute.status,
            "dispute_amount": money(dispute.amount, dispute.currency),
            "dispute_life_cycle_stage": dispute.stage,
            "dispute_channel": "INTERNAL",
            "links": [self._link("self", f"/v1/customer/disputes/{dispute.id}")],
        }

    def dispute(self, dispute: Dispute, capture: Capture) -> Json:
        view: Json = {
            **self.dispute_item(dispute),
            "disputed_transactions": [
                {
                    "seller_transaction_id": capture.id,
                    "create_time": stamp_ms(capture.created_at),
                    "transaction_status": "COMPLETED",
                    "gross_amount": money(capture.amount, capture.currency),
                    "invoice_number": capture.invoice_id or "",
                    "custom": capture.custom_id or "",
                    "seller": {"merchant_id": self._merchant_id, "email": PAYEE_EMAIL},
                }
            ],
            "seller_response_due_date": stamp_ms(dispute.respond_by),
        }
        if dispute.movements:
            view["fund_movements"] = [
                {
                    "party": "RECEIVER",
                    "type": each.type,
                    "amount": money(each.amount, dispute.currency),
                    "initiated_time": stamp_ms(each.at),
                }
                for each in dispute.movements
            ]
        if dispute.outcome is not None:
            view["dispute_outcome"] = {"outcome_code": dispute.outcome}
        return view

    def _payee(self) -> Json:
        return {"email_address": PAYEE_EMAIL, "merchant_id": self._merchant_id}

    def _order_links(self, order: Order) -> list[Json]:
        path = f"/v2/checkout/orders/{order.id}"
        links = [self._link("self", path)]
        if order.status in ("CREATED", "PAYER_ACTION_REQUIRED"):
            rel = "payer-action" if order.wallet else "approve"
            links.append(self._link(rel, f"/checkoutnow?token={order.id}"))
        if order.status in ("CREATED", "APPROVED"):
            links.append(self._link("update", path, "PATCH"))
            links.append(self._link("capture", f"{path}/capture", "POST"))
        return links

    def _link(self, rel: str, path: str, method: str = "GET") -> Json:
        return {"href": f"{self.base}{path}", "rel": rel, "method": method}


def transaction(line: Transaction) -> Json:
    """A line of the report. Its stamps have no colon in the zone."""
    info: Json = {
        "transaction_id": line.id,
        "transaction_event_code": line.code,
        "transaction_initiation_date": stamp(line.at)[:-1] + "+0000",
        "transaction_updated_date": stamp(line.updated_at)[:-1] + "+0000",
        "transaction_amount": money(line.amount, line.currency),
        "transaction_status": line.status,
        "protection_eligibility": "02",
    }
    if line.fee:
        info["fee_amount"] = money(line.fee, line.currency)
    if line.reference:
        info["paypal_reference_id"] = line.reference
        info["paypal_reference_id_type"] = line.reference_type
    if line.invoice_id is not None:
        info["invoice_id"] = line.invoice_id
    if line.custom_id is not None:
        info["custom_field"] = line.custom_id
    return {"transaction_info": info}


def _payer(order: Order) -> Json:
    return {
        "payer_id": order.payer_id,
        "email_address": PAYER_EMAIL,
        "name": {"given_name": "Asha", "surname": "Rao"},
        "address": {"country_code": "GB"},
    }


def _with_ids(view: Json, custom_id: str | None, invoice_id: str | None) -> Json:
    given = {"custom_id": custom_id, "invoice_id": invoice_id}
    return view | {name: value for name, value in given.items() if value is not None}

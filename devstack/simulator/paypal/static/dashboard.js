/* PayPal's part of the operator's page: an order, its capture, refunds and disputes. */

export function paypalOrders({ paypal }, kit) {
  if (!paypal) return [];
  const { action, clock, element, money, status } = kit;
  return paypal.orders.toReversed().map((order) => {
    const captures = paypal.captures.filter((capture) => capture.order_id === order.id);
    const base = `/paypal/orders/${order.id}`;
    const payable = ["CREATED", "PAYER_ACTION_REQUIRED"].includes(order.status);
    const open = payable || order.status === "APPROVED";
    const head = element("div", "row",
      element("span", "amount", money(order.amount, order.currency)),
      status(order.status.toLowerCase()),
      element("div", "grow",
        element("div", "id", order.id),
        element("div", "note", `PayPal · invoice ${order.invoice_id ?? "none"}${open && order.outcome !== "success" ? ` · ${order.outcome}` : ""}`)),
      element("span", "time", clock(order.created_at)),
      element("div", "actions",
        payable ? action("Approve", `${base}/approve`, {}) : null,
        payable ? action("Approve, decline", `${base}/approve`, { outcome: "declined" }) : null,
        payable ? action("Approve, pending", `${base}/approve`, { outcome: "pending" }) : null,
        open ? action("Expire", `${base}/expire`) : null));
    const card = element("article", "card", head, ...captures.flatMap((each) => paypalCapture(each, paypal, kit)));
    card.dataset.id = order.id;
    card.dataset.at = order.created_at;
    return card;
  });
}

function paypalCapture(capture, paypal, kit) {
  const { action, clock, element, money, status } = kit;
  const base = `/paypal/captures/${capture.id}`;
  const pending = capture.status === "PENDING";
  const left = pending || capture.status === "DECLINED" ? 0 : capture.amount - capture.refunded;
  const told = [capture.reason, `fee ${money(capture.fee, capture.currency)}`].filter(Boolean).join(" · ");
  const row = element("div", "row inner",
    element("span", "amount", money(capture.amount, capture.currency)),
    status(capture.status.toLowerCase()),
    element("div", "grow", element("div", "id", capture.id), element("div", "note", told)),
    element("span", "time", clock(capture.created_at)),
    element("div", "actions",
      pending ? action("Complete", `${base}/complete`) : null,
      pending ? action("Deny", `${base}/deny`) : null,
      left > 0 ? action("Refund", `${base}/refund`) : null,
      left > 0 ? action("Reverse", `${base}/reverse`) : null,
      left > 0 ? action("Dispute", `${base}/dispute`) : null));
  row.dataset.id = capture.id;
  const refunds = paypal.refunds.filter((refund) => refund.capture_id === capture.id);
  const disputes = paypal.disputes.filter((dispute) => dispute.capture_id === capture.id);
  return [row, ...refunds.map((each) => paypalRefund(each, kit)), ...disputes.map((each) => paypalDispute(each, kit))];
}

function paypalRefund(refund, { action, clock, element, money, status }) {
  const base = `/paypal/refunds/${refund.id}`;
  return element("div", "row inner",
    element("span", "amount", `−${money(refund.amount, refund.currency)}`),
    status(refund.status.toLowerCase()),
    element("div", "grow", element("div", "id", refund.id),
      element("div", "note", refund.reversal ? "taken back by the bank" : "refund")),
    element("span", "time", clock(refund.created_at)),
    element("div", "actions",
      refund.status === "PENDING" ? action("Complete", `${base}/complete`) : null,
      refund.status !== "FAILED" && !refund.reversal ? action("Fail", `${base}/fail`) : null));
}

function paypalDispute(dispute, { action, clock, element, money, status }) {
  const base = `/paypal/disputes/${dispute.id}`;
  const open = dispute.status !== "RESOLVED";
  return element("div", "row inner",
    element("span", "amount", money(dispute.amount, dispute.currency)),
    status((dispute.outcome ?? dispute.status).toLowerCase()),
    element("div", "grow", element("div", "id", dispute.id),
      element("div", "note", `dispute · ${dispute.stage.toLowerCase()}`)),
    element("span", "time", clock(dispute.created_at)),
    element("div", "actions",
      open && dispute.stage === "INQUIRY" ? action("Escalate", `${base}/escalate`) : null,
      open ? action("Seller wins", `${base}/resolve`, { outcome: "RESOLVED_SELLER_FAVOUR" }) : null,
      open ? action("Buyer wins", `${base}/resolve`, { outcome: "RESOLVED_BUYER_FAVOUR" }) : null));
}

/** The order page: shows the payment's state live, with the same module as the checkout. */
import { Checkout, formatMoney, formatTime, viewOf } from "/paystream/checkout.js";

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const THANKS = {
  paid: { title: "Thank you! We are packing.", text: "Your payment has arrived, and the receipt is on its way by e-mail." },
};
const STORY = {
  created: "Order placed",
  pending_payment: "Payment started",
  processing: "Payment with the bank",
  paid: "Paid",
  partially_refunded: "Partly refunded",
  refunded: "Refunded",
  failed: "Payment not successful",
  "failed/expired": "Closed without a payment",
  "failed/cancelled": "Cancelled",
};

const REFUNDS = { pending: "on its way", succeeded: "sent", failed: "could not be sent: we will write to you" };

const orderId = at("order").dataset["order"] ?? "";
const config = await (await fetch("/paystream/pages/Checkout/config.json")).json();
const checkout = new Checkout({
  gatewayUrl: config.gatewayUrl,
  orderId,
  renewToken: async () => {
    const response = await fetch(`/orders/${encodeURIComponent(orderId)}/checkout`, { method: "POST" });
    return response.ok ? (await response.json()).checkoutToken : null;
  },
});

checkout.subscribe((state) => {
  const view = viewOf(state);
  const thanks = view.screen in THANKS && !state.payment?.refunds?.some(({ status }) => status === "pending");
  const words = thanks ? THANKS[view.screen] : view.notice ?? view;
  at("order").dataset["tone"] = view.notice ? "bad" : view.tone;
  at("order").dataset["screen"] = view.screen;
  say("title", view.screen === "pay" && !view.notice ? "Your order waits for its payment" : words.title);
  say("text", view.screen === "pay" && !view.notice ? "Everything is set aside for you." : words.text);
  at("pay").hidden = !view.canPay;
  tell(state.payment?.history ?? []);
  tellRefunds(state.payment?.refunds ?? []);
});
void checkout.start();

/** @param {Array<{status: string, detail?: string, at?: string}>} history */
function tell(history) {
  const steps = history.filter(({ status }, index) => status !== history[index - 1]?.status);
  const items = steps.map(({ status, detail, at: when }) => {
    const item = document.createElement("li");
    const time = Object.assign(document.createElement("time"), { textContent: when ? formatTime(when) : "" });
    if (when) time.dateTime = when;
    item.append(STORY[`${status}/${detail}`] ?? STORY[status] ?? status, time);
    return item;
  });
  at("story").replaceChildren(...items);
  at("story").hidden = items.length === 0;
}

/** @param {import("/paystream/gateway.js").Payment["refunds"]} refunds */
function tellRefunds(refunds) {
  const lines = refunds.map(({ status, amount, currency, createdAt }) => {
    const line = document.createElement("div");
    line.dataset["status"] = status;
    const what = Object.assign(document.createElement("dt"), { textContent: formatTime(createdAt) });
    const sum = Object.assign(document.createElement("dd"), { textContent: formatMoney(amount, currency) });
    what.append(Object.assign(document.createElement("small"), { textContent: REFUNDS[status] ?? status }));
    line.append(what, sum);
    return line;
  });
  at("refund-list").replaceChildren(...lines);
  at("refunds").hidden = lines.length === 0;
}

/** @param {string} id @param {string} text */
function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

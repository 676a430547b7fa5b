/* The operator's page: reads the ledger, shows it, and plays bank, buyer and person in the dashboard. */

import { stripePayments } from "./dashboard-stripe.js";
import { paypalOrders } from "/static/paypal.js";

const REFRESH_MS = 1500;
const SHOWN = 150;

const by = (id) => document.getElementById(id);
let view = null;
let tab = "orders";
let shownSeq = -1;

const decimals = { 0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(" "),
  3: "BHD IQD JOD KWD OMR TND".split(" ") };

function money(amount, currency) {
  const places = decimals[0].includes(currency) ? 0 : decimals[3].includes(currency) ? 3 : 2;
  return new Intl.NumberFormat(currency === "INR" ? "en-IN" : navigator.language, {
    style: "currency", currency, minimumFractionDigits: places, maximumFractionDigits: places,
  }).format(amount / 10 ** places);
}

const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour12: false });

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const TONES = {
  paid: "good", captured: "good", processed: "good", delivered: "good", won: "good",
  failed: "bad", given_up: "bad", dropped: "bad", endpoint_disabled: "bad", lost: "bad",
  completed: "good", refunded: "good", resolved_seller_favour: "good",
  declined: "bad", expired: "bad", resolved_buyer_favour: "bad",
  approved: "busy", payer_action_required: "busy", waiting_for_seller_response: "busy",
  authorized: "busy", pending: "busy", attempted: "busy", open: "busy", under_review: "busy",
  succeeded: "good", canceled: "bad", requires_action: "busy", requires_capture: "busy", processing: "busy",
  needs_response: "busy", warning_needs_response: "busy", warning_under_review: "busy",
};

const status = (word) => element("span", `status ${TONES[word] ?? ""}`, word.replaceAll("_", " "));

function action(label, path, body) {
  const button = element("button", "act", label);
  button.type = "button";
  button.addEventListener("click", () => act(path, body));
  return button;
}

async function act(path, body, method = "POST") {
  const answer = await fetch(`/_sim${path}`, { method, body: body ? JSON.stringify(body) : undefined });
  if (!answer.ok) {
    const { error } = await answer.json();
    say(error?.description ?? error?.message ?? error ?? "That did not work.");
  }
  await refresh();
}

let toastTimer = 0;
function say(text) {
  by("toast").textContent = text;
  by("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { by("toast").hidden = true; }, 5000);
}

/* Razorpay: an order, its payments, their refunds and disputes. */
function razorpayOrders({ razorpay }) {
  return razorpay.orders.toReversed().map((order) => {
    const payments = razorpay.payments.filter((payment) => payment.order_id === order.id);
    const paid = order.status === "paid";
    const payable = !paid && !payments.some((payment) => payment.status === "authorized");
    const pay = `/razorpay/orders/${order.id}/pay`;
    const head = element("div", "row",
      element("span", "amount", money(order.amount, order.currency)),
      status(order.status),
      element("div", "grow",
        element("div", "id", order.id),
        element("div", "note", `receipt ${order.receipt ?? "none"} · ${order.capture.mode} capture`)),
      element("span", "time", clock(order.created_at)),
      element("div", "actions",
        payable ? action("Pay", pay, {}) : null,
        paid ? action("Pay again", pay, { force: true }) : null,
        payable ? action("Decline", pay, { outcome: "declined", reason: "card_declined" }) : null));
    head.title = paid ? "Pay again forces a second capture on this order" : "";
    const card = element("article", "card", head, ...payments.map((p) => razorpayPayment(p, razorpay)).flat());
    card.dataset.id = order.id;
    card.dataset.at = order.created_at;
    return card;
  });
}

function razorpayPayment(payment, razorpay) {
  const base = `/razorpay/payments/${payment.id}`;
  const left = payment.amount - payment.amount_refunded;
  const how = payment.card ? `${payment.card.network} …${payment.card.last4}` : payment.vpa ?? payment.method;
  const told = [how, payment.late ? "authorised late" : null, payment.error?.reason,
    payment.due === "authorize" ? `late authorisation at ${clock(payment.due_at)}` : null,
    payment.fee ? `fee ${money(payment.fee, payment.currency)}` : null].filter(Boolean).join(" · ");
  const row = element("div", "row inner",
    element("span", "amount", money(payment.amount, payment.currency)),
    status(payment.status),
    element("div", "grow", element("div", "id", payment.id), element("div", "note", told)),
    element("span", "time", clock(payment.created_at)),
    element("div", "actions",
      payment.status === "authorized" ? action("Capture", `${base}/capture`) : null,
      payment.captured && left > 0 ? action("Refund", `${base}/refund`) : null,
      payment.captured && left > 0 ? action("Dispute", `${base}/dispute`) : null,
      ["failed", "created"].includes(payment.status) ? action("Mark late", `${base}/late`, { after_s: 1 }) : null));
  row.dataset.id = payment.id;
  const refunds = razorpay.refunds.filter((refund) => refund.payment_id === payment.id);
  const disputes = razorpay.disputes.filter((dispute) => dispute.payment_id === payment.id);
  return [row, ...refunds.map(razorpayRefund), ...disputes.map(razorpayDispute)];
}

function razorpayRefund(refund) {
  const base = `/razorpay/refunds/${refund.id}`;
  return element("div", "row inner",
    element("span", "amount", `−${money(refund.amount, refund.currency)}`),
    status(refund.status),
    element("div", "grow", element("div", "id", refund.id),
      element("div", "note", refund.automatic ? "given back, never captured" : "refund")),
    element("span", "time", clock(refund.created_at)),
    element("div", "actions",
      refund.status === "pending" ? action("Process", `${base}/process`) : null,
      refund.status !== "failed" && !refund.automatic ? action("Fail", `${base}/fail`) : null));
}

function razorpayDispute(dispute) {
  const base = `/razorpay/disputes/${dispute.id}`;
  const decided = !["open", "under_review"].includes(dispute.status);
  return element("div", "row inner",
    element("span", "amount", money(dispute.amount, dispute.currency)),
    status(dispute.status),
    element("div", "grow", element("div", "id", dispute.id), element("div", "note", `dispute · ${dispute.phase}`)),
    element("span", "time", clock(dispute.created_at)),
    element("div", "actions",
      decided ? null : action("Won", `${base}/won`),
      decided ? null : action("Lost", `${base}/lost`)));
}

function webhookRows({ webhooks }) {
  const rows = webhooks.toReversed().map((webhook) => {
    const tries = webhook.tries.map((each) => {
      const badge = element("span", `try ${each.status >= 200 && each.status < 300 ? "good" : ""}`,
        String(each.status ?? "no answer"));
      badge.title = `${clock(each.at)}, ${each.took_ms} ms${each.error ? `, ${each.error}` : ""}`;
      return badge;
    });
    const next = webhook.state === "pending" && webhook.due_at ? `next at ${clock(webhook.due_at)}` : "";
    const row = element("div", "row",
      status(webhook.state),
      element("div", "grow", element("b", "", webhook.event), element("div", "id", `${webhook.id} · ${webhook.subject}`)),
      element("span", "tries", ...tries),
      element("span", "time", next || clock(webhook.created_at)),
      element("div", "actions", action("Send again", `/webhooks/${webhook.id}/resend`)));
    row.dataset.id = webhook.id;
    return row;
  });
  return rows.length ? [element("article", "card", ...rows)] : [];
}

function callRows({ calls }) {
  const rows = calls.toReversed().map((call) => element("div", "row",
    element("span", `status ${call.answer === "dropped" || call.status >= 400 ? "bad" : "good"}`,
      call.answer === "dropped" ? "no answer" : String(call.status)),
    element("div", "grow", element("b", "", `${call.method} ${call.path}`),
      element("div", "note", [call.result, call.idempotency_key ? `key ${call.idempotency_key}` : null,
        call.fault ? `fault: ${call.fault}${call.acted ? ", after acting" : ", before acting"}` : null]
        .filter(Boolean).join(" · "))),
    element("span", "time", clock(call.at))));
  return rows.length ? [element("article", "card", ...rows)] : [];
}

const kit = { action, clock, element, money, status };

/* The cards of all providers, newest first. */
function allOrders(shown) {
  const cards = [
    ...razorpayOrders(shown), ...stripePayments(shown, { element, status, action, clock }), ...paypalOrders(shown, kit),
  ];
  return cards.sort((one, other) => Number(other.dataset.at) - Number(one.dataset.at));
}

const PANELS = {
  orders: [allOrders, "No orders yet", "They appear as soon as the shop creates one through the API."],
  webhooks: [webhookRows, "No webhooks yet", "Each event is listed here with every try and what was answered."],
  calls: [callRows, "No API calls yet", "Every call is listed here, also those that were never answered."],
};

function tile(value, label) {
  return element("div", "tile", element("b", "", value), element("span", "", label));
}

function showTiles() {
  const { webhooks, ...providers } = view.totals;
  const captured = {};
  let captures = 0;
  let refunds = 0;
  for (const each of Object.values(providers)) {
    captures += each.captures;
    refunds += each.refunds;
    for (const [currency, amount] of Object.entries(each.captured)) {
      captured[currency] = (captured[currency] ?? 0) + amount;
    }
  }
  const sums = Object.entries(captured).map(([currency, amount]) => money(amount, currency));
  by("tiles").replaceChildren(
    tile(sums.join(" + ") || "–", "captured"),
    tile(String(captures), "captures"),
    tile(String(refunds), "refunds"),
    tile(String(webhooks.delivered ?? 0), "webhooks taken"),
    tile(String(webhooks.pending ?? 0), "webhooks on their way"));
}

function show() {
  for (const name of Object.keys(PANELS)) {
    const lists = name === "orders" ? [view.razorpay.orders, view.stripe?.payment_intents ?? [], view.paypal?.orders ?? []] : [view[name]];
    const rows = lists.flat();
    const more = lists.some((list) => list.length === SHOWN);
    by(`count-${name}`).textContent = more ? `newest ${SHOWN}` : rows.length || "";
  }
  const [rows, title, text] = PANELS[tab];
  const cards = rows(view);
  const nothing = element("div", "empty", element("b", "", title), text);
  by("panel").replaceChildren(...(cards.length ? cards : [nothing]));
  showTiles();
  const disabled = view.endpoints.find((endpoint) => endpoint.disabled_at);
  by("disabled").hidden = !disabled;
  by("enable").onclick = () => act(`/endpoints/${disabled.id}/enable`);
}

async function showFaults() {
  const spec = await (await fetch("/_sim/faults")).json();
  const asked = spec.api.length || spec.late_authorization
    || Object.entries(spec.webhooks).some(([name, value]) => ["drop", "duplicate", "reorder", "old_secret", "bad_signature"].includes(name) && value > 0)
    || spec.webhooks.next.length || spec.webhooks.delay_s > 0;
  by("faults").hidden = !asked;
  by("faults-text").textContent = `Misbehaviour was asked for (seed ${spec.seed}); ${view.faults.length} faults struck so far.`;
}

async function refresh() {
  try {
    view = await (await fetch(`/_sim/ledger?limit=${SHOWN}`)).json();
    by("live-dot").className = "dot on";
    by("live-text").textContent = `live · ${view.seq} entries`;
    if (view.seq !== shownSeq) {
      shownSeq = view.seq;
      show();
      await showFaults();
    }
  } catch {
    by("live-dot").className = "dot off";
    by("live-text").textContent = "the simulator does not answer";
  }
}

for (const button of document.querySelectorAll("[data-tab]")) {
  button.addEventListener("click", () => {
    tab = button.dataset.tab;
    for (const each of document.querySelectorAll("[data-tab]")) {
      each.setAttribute("aria-selected", String(each === button));
    }
    if (view) show();
  });
}
by("clear-faults").addEventListener("click", () => act("/faults", undefined, "DELETE"));
await refresh();
setInterval(refresh, REFRESH_MS);

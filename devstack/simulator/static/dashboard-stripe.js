/* Stripe on the operator's page: an intent, its charges, their refunds and disputes, and the balance. */

const ZERO_DECIMALS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split(" ");
const THREE_DECIMALS = "bhd jod kwd omr tnd".split(" ");
const OPEN = ["requires_payment_method", "requires_confirmation", "requires_action"];
const UNDECIDED = ["needs_response", "under_review"];
const INQUIRY = ["warning_needs_response", "warning_under_review"];

/* Stripe's own units: some currencies have other decimals there than anywhere else. */
function money(amount, currency) {
  const places = ZERO_DECIMALS.includes(currency) ? 0 : THREE_DECIMALS.includes(currency) ? 3 : 2;
  return new Intl.NumberFormat(currency === "inr" ? "en-IN" : navigator.language, {
    style: "currency", currency, minimumFractionDigits: places, maximumFractionDigits: places,
  }).format(amount / 10 ** places);
}

/** The cards of all intents, and one for the balance while there is something to pay out. */
export function stripePayments({ stripe }, tools) {
  if (!stripe) return [];
  const cards = stripe.payment_intents.map((intent) => intentCard(intent, stripe, tools));
  const balance = balanceCard(stripe, tools);
  return balance ? [balance, ...cards] : cards;
}

function line(parts, { element, status, clock }) {
  const row = element("div", parts.inner ? "row inner" : "row",
    element("span", "amount", parts.amount),
    status(parts.status),
    element("div", "grow", element("div", "id", parts.id), element("div", "note", parts.note)),
    element("span", "time", clock(parts.at)),
    element("div", "actions", ...parts.actions));
  row.dataset.id = parts.id;
  return row;
}

function intentCard(intent, stripe, tools) {
  const { element, action } = tools;
  const base = `/stripe/payment_intents/${intent.id}`;
  const open = OPEN.includes(intent.status);
  const held = intent.status === "requires_capture";
  const debit = intent.status === "processing";
  const waits = intent.status === "requires_action";
  const head = line({
    amount: money(intent.amount, intent.currency),
    status: intent.status,
    id: intent.id,
    note: [`key ${intent.name}`, intent.capture_method === "manual" ? "manual capture" : "automatic capture",
      intent.last_error?.decline_code ?? intent.last_error?.code].filter(Boolean).join(" · "),
    at: intent.created,
    actions: [
      open && !waits ? action("Pay", `${base}/pay`, {}) : null,
      open && !waits ? action("Decline", `${base}/pay`, { outcome: "declined" }) : null,
      open && !waits ? action("Bank debit", `${base}/pay`, { outcome: "processing" }) : null,
      waits ? action("Pass 3-D Secure", `${base}/authenticate`, { passed: true }) : null,
      waits ? action("Fail 3-D Secure", `${base}/authenticate`, { passed: false }) : null,
      debit ? action("Settle", `${base}/settle`, { succeeded: true }) : null,
      debit ? action("Bounce", `${base}/settle`, { succeeded: false }) : null,
      held ? action("Capture", `${base}/capture`, {}) : null,
      held ? action("Expire", `${base}/expire`) : null,
      open || held ? action("Cancel", `${base}/cancel`) : null,
    ],
  }, tools);
  delete head.dataset.id;
  const charges = stripe.charges.filter((charge) => charge.intent_id === intent.id);
  const card = element("article", "card", head, ...charges.flatMap((charge) => chargeRows(charge, stripe, tools)));
  card.dataset.id = intent.id;
  card.dataset.at = intent.created;
  return card;
}

function chargeRows(charge, stripe, tools) {
  const base = `/stripe/charges/${charge.id}`;
  const refundable = charge.captured && charge.amount > charge.amount_refunded;
  const given = charge.refunded && !charge.captured ? "given back, never captured" : null;
  const { action } = tools;
  const row = line({
    inner: true,
    amount: money(charge.captured ? charge.amount_captured : charge.amount, charge.currency),
    status: charge.captured ? "captured" : charge.status === "succeeded" ? "authorized" : charge.status,
    id: charge.id,
    note: [charge.method.brand || charge.method.type, charge.method.last4 ? `…${charge.method.last4}` : null,
      charge.decline_code ?? charge.failure_code, given].filter(Boolean).join(" · "),
    at: charge.created,
    actions: [
      refundable ? action("Refund", `${base}/refund`, {}) : null,
      charge.captured && !charge.disputed ? action("Dispute", `${base}/dispute`, {}) : null,
      charge.captured && !charge.disputed ? action("Inquiry", `${base}/dispute`, { inquiry: true }) : null,
    ],
  }, tools);
  const refunds = stripe.refunds.filter((refund) => refund.charge_id === charge.id);
  const disputes = stripe.disputes.filter((dispute) => dispute.charge_id === charge.id);
  return [row, ...refunds.map((refund) => refundRow(refund, tools)),
    ...disputes.map((dispute) => disputeRow(dispute, tools))];
}

function refundRow(refund, tools) {
  const base = `/stripe/refunds/${refund.id}`;
  return line({
    inner: true,
    amount: `−${money(refund.amount, refund.currency)}`,
    status: refund.status,
    id: refund.id,
    note: ["refund", refund.failure_reason].filter(Boolean).join(" · "),
    at: refund.created,
    actions: [
      refund.status === "pending" ? tools.action("Succeed", `${base}/succeed`) : null,
      refund.status !== "failed" ? tools.action("Fail", `${base}/fail`) : null,
    ],
  }, tools);
}

function disputeRow(dispute, tools) {
  const { action } = tools;
  const base = `/stripe/disputes/${dispute.id}`;
  const open = UNDECIDED.includes(dispute.status);
  const inquiry = INQUIRY.includes(dispute.status);
  return line({
    inner: true,
    amount: money(dispute.amount, dispute.currency),
    status: dispute.status,
    id: dispute.id,
    note: `dispute · ${dispute.reason}`,
    at: dispute.created,
    actions: [
      open ? action("Won", `${base}/won`) : null,
      open ? action("Lost", `${base}/lost`) : null,
      inquiry ? action("Close", `${base}/closed`) : null,
      inquiry ? action("Escalate", `${base}/escalate`) : null,
    ],
  }, tools);
}

function balanceCard(stripe, { element, action }) {
  const open = {};
  let newest = 0;
  for (const entry of stripe.balance_transactions) {
    if (entry.payout !== null) continue;
    open[entry.currency] = (open[entry.currency] ?? 0) + entry.net;
    newest = Math.max(newest, entry.created);
  }
  const due = Object.entries(open).filter(([, net]) => net > 0);
  if (!due.length) return null;
  const rows = due.map(([currency, net]) => element("div", "row",
    element("span", "amount", money(net, currency)),
    element("div", "grow", element("div", "note", "Stripe's balance, not paid out yet")),
    element("div", "actions", action("Pay out", "/stripe/payout", { currency }))));
  const card = element("article", "card", ...rows);
  card.dataset.id = "stripe-balance";
  card.dataset.at = newest + 1;
  return card;
}

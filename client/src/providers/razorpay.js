/**
 * Razorpay's Standard Checkout: a popup in the page.
 * Source of options and callbacks: Razorpay docs, Web Integration, Standard Checkout.
 */
import { provided } from "./script.js";
import { pendingOutcome } from "./window.js";

const PROOF_FIELDS = ["razorpay_payment_id", "razorpay_order_id", "razorpay_signature"];

/**
 * Opens the popup. With `redirect` the browser leaves for Razorpay's page instead and comes back through
 * the gateway's return address; the outcome then never settles in this page.
 * @param {import("./window.js").ProviderOrder} order
 * @param {import("./window.js").Look} look
 * @returns {Promise<import("./window.js").PaymentWindow>}
 */
export async function openRazorpay(order, { redirect = false, accent }) {
  const Razorpay = await provided(order.checkout.script, "Razorpay");
  /** @type {{reason: string} | null} */
  let declined = null;
  const { outcome, end } = pendingOutcome();
  const dismiss = () => end({ kind: "dismissed", declined });
  const back = redirect
    ? { callback_url: order.checkout.callbackUrl, redirect: true }
    : { handler: (/** @type {any} */ answer) => end({ kind: "returned", proof: proofIn(answer) }) };
  const popup = new Razorpay({
    ...options(order, accent),
    ...back,
    modal: { escape: true, backdropclose: false, ondismiss: dismiss },
  });
  popup.on("payment.failed", (/** @type {any} */ answer) => {
    declined = { reason: String(answer?.error?.reason ?? "") };
  });
  popup.open();
  return { place: redirect ? "page" : "popup", outcome, close: () => (popup.close?.(), dismiss()) };
}

/** @param {import("./window.js").ProviderOrder} order @param {string | undefined} accent */
function options({ keyId, providerOrderId, amount, currency, checkout }, accent) {
  return {
    key: keyId,
    order_id: providerOrderId,
    amount,
    currency,
    name: checkout.name ?? "",
    description: checkout.description ?? "",
    prefill: checkout.prefill ?? {},
    retry: { enabled: true },
    ...(accent && { theme: { color: accent } }),
  };
}

/**
 * Exactly the three documented fields, as text; nothing else is passed on.
 * @param {any} answer
 * @returns {Record<string, string>}
 */
function proofIn(answer) {
  return Object.fromEntries(PROOF_FIELDS.map((field) => [field, String(answer?.[field] ?? "")]));
}

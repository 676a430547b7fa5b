/**
 * Razorpay's Standard Checkout in the page. The script comes from the address that the gateway's answer
 * names; what it hands back is a reason to look, never a proof of payment by itself.
 * Source of options and callbacks: Razorpay docs, Web Integration, Standard Checkout.
 */
import { Problem } from "../problem.js";

/** @typedef {import("../gateway.js").ProviderOrder} ProviderOrder */

/**
 * How a payment window ended. `declined` tells of the last refusal shown in it, if any.
 * @typedef {{kind: "returned", proof: Record<string, string>}
 *         | {kind: "dismissed", declined: {reason: string} | null}} Outcome
 */
/** @typedef {{outcome: Promise<Outcome>, close: () => void}} PaymentWindow */

const SCRIPT_WITHIN_MS = 20_000;
const PROOF_FIELDS = ["razorpay_payment_id", "razorpay_order_id", "razorpay_signature"];

/** @type {Map<string, Promise<void>>} */
const scripts = new Map();

/**
 * Opens the popup. With `redirect` the browser leaves for Razorpay's page instead and comes back through
 * the gateway's return address; the outcome then never settles in this page.
 * @param {ProviderOrder} order
 * @param {{redirect?: boolean, accent?: string | undefined}} look
 * @returns {Promise<PaymentWindow>}
 */
export async function openRazorpay(order, { redirect = false, accent }) {
  await load(order.checkout.script);
  const Razorpay = /** @type {any} */ (window).Razorpay;
  if (typeof Razorpay !== "function") throw new Problem({ code: "script-blocked" });
  /** @type {{reason: string} | null} */
  let declined = null;
  /** @type {(outcome: Outcome) => void} */
  let end = () => undefined;
  /** @type {Promise<Outcome>} */
  const outcome = new Promise((resolve) => (end = resolve));
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
  return { outcome, close: () => (popup.close?.(), dismiss()) };
}

/** @param {ProviderOrder} order @param {string | undefined} accent */
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

/**
 * Loads the script once per page; after a failure the next call tries again.
 * @param {string} address
 */
function load(address) {
  const known = scripts.get(address);
  if (known) return known;
  const loading = new Promise((/** @type {(value: void) => void} */ resolve, reject) => {
    const script = document.createElement("script");
    const fail = () => {
      clearTimeout(timer);
      scripts.delete(address);
      script.remove();
      reject(new Problem({ code: "script-blocked" }));
    };
    const timer = setTimeout(fail, SCRIPT_WITHIN_MS);
    script.src = address;
    script.async = true;
    script.onerror = fail;
    script.onload = () => {
      clearTimeout(timer);
      resolve();
    };
    document.head.append(script);
  });
  scripts.set(address, loading);
  return loading;
}

/**
 * PayPal's own page: the buyer approves there and comes back to the return address of the shop, which leads
 * on to the checkout (`session.js` finds PayPal's parameters). Approving moves no money; the gateway's look
 * does. Source: PayPal docs, Orders v2, `payer-action` link and return_url.
 */
import { Problem } from "../problem.js";
import { LEFT } from "./window.js";

/**
 * @param {import("./window.js").ProviderOrder} order
 * @returns {Promise<import("./window.js").PaymentWindow>}
 */
export async function openPaypal({ checkout }) {
  const address = checkout.approveUrl ?? "";
  if (!/^https?:\/\//.test(address)) throw new Problem({ code: "provider-unknown-here" });
  location.assign(address);
  return LEFT;
}

/**
 * What PayPal's return address says: its order, once the buyer approved it.
 * @param {URLSearchParams} given
 * @returns {Record<string, string> | null}
 */
export function returnedFromPaypal(given) {
  const order = given.get("paypal_order_id") ?? (given.has("PayerID") ? given.get("token") : null);
  return order ? { paypal_order_id: order } : null;
}

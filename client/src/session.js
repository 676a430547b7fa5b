/**
 * What a page must remember across a reload or a trip to the bank: the order, its checkout token, and a
 * confirmation that the gateway has not answered yet. All of it ends with the browser tab.
 */

import { returnedFromPaypal } from "./providers/paypal.js";
import { returnedFromStripe } from "./providers/stripe.js";

const PREFIX = "paystream.";
/** What providers add to a return address. */
const RETURN_FIELDS = [
  "payment_intent", "payment_intent_client_secret", "redirect_status", "paypal_order_id", "PayerID", "cancelled",
];

/**
 * The order and token that this page was opened for, taken from the address's fragment
 * (`#order=…&token=…`), from a return address (`?orderId=…` or `?order=…`), or from this tab's memory. What
 * a provider added to the return address is remembered until the gateway has answered for it; `cancelled`:
 * the buyer gave up there. All of it is removed from the address bar at once. The token is never read from
 * a query string.
 * @returns {{orderId: string | null, token: string | null, cancelled: boolean}}
 */
export function openSession() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  const orderId = fragment.get("order") ?? query.get("orderId") ?? query.get("order") ?? read("order");
  if (orderId === null) return { orderId: null, token: null, cancelled: false };
  write("order", orderId);
  const token = fragment.get("token");
  if (token) rememberToken(orderId, token);
  const cancelled = fragment.has("cancelled") || query.has("cancelled");
  const proof = proofIn(fragment) ?? proofIn(query);
  if (proof && !cancelled) rememberProof(orderId, proof);
  tidyAddress(fragment, query, token !== null || proof !== null || cancelled);
  return { orderId, token: token || read(`token.${orderId}`), cancelled };
}

/** @param {URLSearchParams} given */
function proofIn(given) {
  return returnedFromStripe(given) ?? returnedFromPaypal(given);
}

/** @param {URLSearchParams} fragment @param {URLSearchParams} query @param {boolean} needed */
function tidyAddress(fragment, query, needed) {
  if (!needed) return;
  fragment.delete("token");
  if (query.has("PayerID") || query.has("cancelled")) query.delete("token"); // PayPal's name for its order
  for (const field of RETURN_FIELDS) {
    fragment.delete(field);
    query.delete(field);
  }
  const search = query.size ? `?${query}` : "";
  history.replaceState(history.state, "", `${location.pathname}${search}#${fragment}`);
}

/** @param {string} orderId @param {string} token */
export function rememberToken(orderId, token) {
  write(`token.${orderId}`, token);
}

/** @param {string} orderId */
export function rememberedToken(orderId) {
  return read(`token.${orderId}`);
}

/**
 * Kept from before the call to verify until its answer: a reload in between repeats the call.
 * @param {string} orderId @param {Record<string, string> | null} proof  null forgets it
 */
export function rememberProof(orderId, proof) {
  if (proof) write(`proof.${orderId}`, JSON.stringify(proof));
  else sessionStorage.removeItem(`${PREFIX}proof.${orderId}`);
}

/** @param {string} orderId @returns {Record<string, string> | null} */
export function rememberedProof(orderId) {
  try {
    return JSON.parse(read(`proof.${orderId}`) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} name */
function read(name) {
  return sessionStorage.getItem(PREFIX + name);
}

/** @param {string} name @param {string} value */
function write(name, value) {
  sessionStorage.setItem(PREFIX + name, value);
}

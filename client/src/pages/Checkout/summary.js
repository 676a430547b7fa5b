/**
 * The order as the shop tells it, for the buyer's eyes. What is charged comes from the gateway alone.
 */
import { formatMoney } from "../../money.js";

/**
 * What the shop answers to `GET orderUrl` in the buyer's own session.
 * @typedef {object} ShopOrder
 * @property {string} currency
 * @property {Array<{name: string, quantity: number, unitAmount: number, image?: string}>} lines
 * @property {{name?: string, email?: string}} [customer]
 */

/**
 * @param {string | undefined} orderUrl  with `{orderId}`; without one there is no summary
 * @param {string} orderId
 * @returns {Promise<ShopOrder | null>} null when the shop does not give it to this visitor
 */
export async function fetchOrder(orderUrl, orderId) {
  if (!orderUrl) return null;
  const response = await fetch(addressOf(orderUrl, orderId), { credentials: "same-origin", cache: "no-store" });
  return response.ok ? response.json() : null;
}

/**
 * Asks the shop for a fresh checkout token (`POST orderUrl`): it tells the gateway of the same order again.
 * @param {string | undefined} orderUrl @param {string} orderId
 * @returns {Promise<string | null>}
 */
export async function renewToken(orderUrl, orderId) {
  if (!orderUrl) return null;
  const response = await fetch(addressOf(orderUrl, orderId), { method: "POST", credentials: "same-origin" });
  return response.ok ? (await response.json()).checkoutToken : null;
}

/** @param {string} template @param {string} orderId */
export function addressOf(template, orderId) {
  return template.replace("{orderId}", encodeURIComponent(orderId));
}

/** @param {ShopOrder | null} order */
export function showOrder(order) {
  const list = document.getElementById("lines");
  const customer = document.getElementById("customer");
  if (!order || !list || !customer) return;
  list.replaceChildren(...order.lines.map((line) => lineOf(line, order.currency)));
  list.hidden = false;
  customer.textContent = order.customer?.email ? `Receipt to ${order.customer.email}` : "";
  customer.hidden = !order.customer?.email;
}

/** @param {ShopOrder["lines"][number]} line @param {string} currency */
function lineOf({ name, quantity, unitAmount, image }, currency) {
  const item = document.createElement("li");
  const text = document.createElement("span");
  text.append(name, Object.assign(document.createElement("small"), { textContent: `Quantity ${quantity}` }));
  const amount = document.createElement("b");
  amount.textContent = formatMoney(unitAmount * quantity, currency);
  item.append(picture(image), text, amount);
  return item;
}

/** @param {string | undefined} image */
function picture(image) {
  if (image) return Object.assign(document.createElement("img"), { src: image, alt: "" });
  const blank = document.createElement("span");
  blank.className = "blank";
  blank.setAttribute("aria-hidden", "true");
  return blank;
}

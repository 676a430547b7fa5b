/**
 * Stripe's Payment Element: the provider's own fields in a frame inside the page, with its checks of the
 * buyer (3-D Secure) over it. A decline leaves the fields open for another try with the same order; methods
 * that need a page of their own (banks, wallets) leave, and come back to the return address.
 * Source: Stripe docs, JavaScript reference, Elements and confirmPayment.
 */
import { formatMoney } from "../money.js";
import { Problem } from "../problem.js";
import * as wording from "../wording.js";
import { provided } from "./script.js";
import { pendingOutcome } from "./window.js";

/** Nothing was taken, and the same order may be confirmed again. */
const OPEN_STATUSES = ["requires_payment_method", "requires_confirmation", "requires_action"];

/**
 * Shows the fields in `form`, with a button that pays and one that goes back to the choice.
 * @param {import("./window.js").ProviderOrder} order
 * @param {import("./window.js").Look} look
 * @returns {Promise<import("./window.js").PaymentWindow>}
 */
export async function openStripe(order, { form: place, accent }) {
  if (!place) throw new Problem({ code: "provider-unknown-here" });
  const Stripe = await provided(order.checkout.script, "Stripe");
  const stripe = Stripe(order.keyId);
  const elements = stripe.elements({
    clientSecret: order.checkout.clientSecret,
    appearance: appearance(accent),
    locale: "auto",
  });
  const proof = { payment_intent: order.providerOrderId };
  const { outcome, end } = pendingOutcome();
  /** @type {{reason: string} | null} */
  let declined = null;
  const fields = showFields(place, order);
  const element = elements.create("payment");
  element.on?.("ready", () => fields.busy(false));
  element.on?.("loaderror", () => fields.complain(wording.problemWords({ code: "script-blocked", status: 0 }).text));
  element.mount(fields.mount);

  fields.onPay(async () => {
    fields.busy(true);
    const answer = await confirm(stripe, elements, order.checkout.returnUrl).catch(() => ({ kind: "unsure" }));
    if (answer.kind === "incomplete") fields.complain(answer.text);
    else if (answer.kind === "declined") {
      declined = { reason: answer.reason };
      const { title, text } = wording.declined(answer.reason);
      fields.complain(`${title}. ${text}`);
    } else end({ kind: "returned", proof }); // done, under way, or not known: the gateway looks
    fields.busy(false);
  });
  const leave = () => end({ kind: "dismissed", declined });
  fields.onLeave(leave);
  void outcome.then(() => {
    element.destroy?.();
    fields.remove();
  });
  return { place: "form", outcome, close: leave };
}

/**
 * What Stripe's return address says: which order the buyer was sent away for. Its own word on the result
 * (`redirect_status`) is not looked at.
 * @param {URLSearchParams} given
 * @returns {Record<string, string> | null}
 */
export function returnedFromStripe(given) {
  const intent = given.get("payment_intent");
  return intent ? { payment_intent: intent } : null;
}

/**
 * One press of the button.
 * @param {any} stripe @param {any} elements @param {string | undefined} returnUrl
 * @returns {Promise<{kind: "done"} | {kind: "incomplete", text: string} | {kind: "declined", reason: string}>}
 */
async function confirm(stripe, elements, returnUrl) {
  const checked = await elements.submit();
  if (checked?.error) return { kind: "incomplete", text: String(checked.error.message ?? wording.incomplete) };
  const { error } = await stripe.confirmPayment({
    elements,
    confirmParams: { return_url: returnUrl },
    redirect: "if_required",
  });
  if (!error) return { kind: "done" };
  if (error.type === "validation_error") return { kind: "incomplete", text: String(error.message ?? wording.incomplete) };
  const status = error.payment_intent?.status;
  if (status && !OPEN_STATUSES.includes(status)) return { kind: "done" };
  return { kind: "declined", reason: String(error.decline_code ?? error.code ?? "") };
}

/** @param {string | undefined} accent */
function appearance(accent) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return { theme: dark ? "night" : "stripe", ...(accent && { variables: { colorPrimary: accent, borderRadius: "12px" } }) };
}

/**
 * The form around the provider's fields; what it looks like is the page's own affair (docs/storefront.md).
 * @param {HTMLElement} place @param {import("./window.js").ProviderOrder} order
 */
function showFields(place, { amount, currency }) {
  const form = part("form", "provider-form");
  const mount = part("div", "provider-fields");
  const complaint = part("p", "provider-complaint");
  const pay = Object.assign(part("button", "primary"), { type: "submit", id: "confirm" });
  const leave = Object.assign(part("button", "quiet"), { type: "button", id: "leave", textContent: wording.otherWay });
  pay.textContent = `Pay ${formatMoney(amount, currency)}`;
  complaint.setAttribute("role", "alert");
  form.setAttribute("aria-labelledby", "title");
  form.append(mount, complaint, pay, leave);
  place.replaceChildren(form);
  place.hidden = false; // a frame that opens unseen does not learn how high it has to be
  return {
    mount,
    /** @param {boolean} now */
    busy(now) {
      pay.disabled = now;
      leave.disabled = now; // money may be moving
      form.setAttribute("aria-busy", String(now));
      if (now) complaint.textContent = "";
    },
    /** @param {string} text */
    complain(text) {
      complaint.textContent = text;
    },
    /** @param {() => void} act */
    onPay(act) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (!pay.disabled) act();
      });
    },
    /** @param {() => void} act */
    onLeave: (act) => leave.addEventListener("click", act),
    remove: () => form.remove(),
  };
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} className
 */
function part(tag, className) {
  return Object.assign(document.createElement(tag), { className });
}

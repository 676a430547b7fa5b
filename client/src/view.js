/**
 * What a page shows for a state of the checkout: a pure function, so that a shop with a design of its
 * own shows the same truth. *Paid* comes from the gateway's status alone.
 */
import { closedForGood, mark, moneyTaken } from "./payment.js";
import * as wording from "./wording.js";

/** @typedef {import("./checkout.js").CheckoutState} CheckoutState */

/**
 * @typedef {object} View
 * @property {string} screen   `loading pay resume opening open form leaving confirming processing paid
 *                             partially_refunded refunded closed stopped`
 * @property {"calm"|"busy"|"good"|"bad"} tone
 * @property {string} title
 * @property {string} text
 * @property {{tone: "info"|"warning", title: string, text: string} | null} notice  what happened before
 * @property {boolean} canPay       show the pay button
 * @property {boolean} canRecheck   show a button that starts over (`Checkout.start`)
 * @property {string} patience      said while a call repeats itself, else empty
 */

/**
 * @param {CheckoutState} state
 * @returns {View}
 */
export function viewOf(state) {
  const { payment, step } = state;
  if (payment && moneyTaken(payment)) return taken(payment);
  if (step === "stopped") return stopped(state);
  if (payment && closedForGood(payment)) return closed(payment);
  if (step === "loading" || step === "opening") return busy(step, state);
  if (step === "open" && state.place === "form") return screen("form", "calm");
  if (step === "open") return screen(state.place === "page" ? "leaving" : "open", "busy");
  if (payment?.status === "processing") return processing(payment, state);
  if (step === "confirming") return busy("confirming", state);
  if (step === "following" && mark(payment) === state.markBefore) return following(state);
  return payable(state);
}

/** @param {import("./gateway.js").Payment} payment @returns {View} */
function taken(payment) {
  const view = screen(payment.status, "good");
  return { ...view, text: wording.refundText(payment) ?? view.text };
}

/** @param {CheckoutState} state @returns {View} */
function payable(state) {
  const started = state.payment?.status === "pending_payment" && state.hint === null;
  return { ...screen(started ? "resume" : "pay", "calm"), canPay: true, notice: noticeOf(state) };
}

/** @param {CheckoutState} state @returns {View["notice"]} */
function noticeOf({ hint, payment, markBefore }) {
  if (hint?.kind === "declined") return { tone: "warning", ...wording.declined(hint.reason) };
  if (hint?.kind === "problem") return { tone: "warning", ...wording.problemWords(hint.problem) };
  const newsOfDecline = payment?.status === "failed" && !(hint && mark(payment) === markBefore);
  if (newsOfDecline) return { tone: "warning", ...wording.declined(payment.failure) };
  if (hint?.kind === "dismissed") return { tone: "info", ...wording.dismissed };
  return null;
}

/** @param {CheckoutState} state @returns {View} */
function following({ hint }) {
  const words = hint?.kind === "problem" ? wording.problemWords(hint.problem) : {};
  return { ...screen("processing", "busy"), ...words };
}

/** @param {import("./gateway.js").Payment} payment @param {CheckoutState} state @returns {View} */
function processing(payment, state) {
  const named = payment.detail === "authorized" || payment.detail === "unknown" ? payment.detail : "processing";
  return { ...busy(named, state), screen: "processing" };
}

/** @param {import("./gateway.js").Payment} payment @returns {View} */
function closed(payment) {
  const named = payment.detail === "expired" || payment.detail === "cancelled" ? payment.detail : "closed";
  return { ...screen(named, "bad"), screen: "closed" };
}

/** @param {CheckoutState} state @returns {View} */
function stopped({ hint }) {
  const words = wording.problemWords(hint?.kind === "problem" ? hint.problem : { code: "network", status: 0 });
  return { ...screen("loading", "bad"), screen: "stopped", ...words, canRecheck: true };
}

/** @param {string} name @param {CheckoutState} state @returns {View} */
function busy(name, state) {
  return { ...screen(name, "busy"), patience: state.waiting ? wording.waiting : "" };
}

/** @param {string} name @param {View["tone"]} tone @returns {View} */
function screen(name, tone) {
  const words = wording.SCREENS[name] ?? wording.SCREENS["processing"];
  return {
    screen: name, tone, title: words?.title ?? "", text: words?.text ?? "",
    notice: null, canPay: false, canRecheck: false, patience: "",
  };
}

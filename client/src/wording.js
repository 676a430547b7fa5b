/**
 * Every sentence a buyer may read. Kind, exact about money, and without a word that is not known to be
 * true: the gateway's status decides what may be said.
 */

import { formatMoney } from "./money.js";

/** @typedef {{title: string, text: string}} Words */

/** @type {Record<string, string>} by the provider's reason, in lower case */
const DECLINES = {
  authentication_failed: "The bank could not confirm that it was you. Please try again and complete its check.",
  bank_technical_error: "Your bank had a technical problem. Trying again, or paying another way, usually works.",
  card_declined: "Your bank did not approve this card. It does not say why to us; another card or UPI may work.",
  card_disabled_for_online_payments: "This card is not enabled for online payments. Your bank's app can switch that on.",
  card_expired: "This card has expired. Please use another one.",
  card_not_supported: "This card does not support this kind of purchase. Another card may work.",
  card_number_invalid: "The card number was not accepted. Please check it and try again.",
  do_not_honor: "Your bank did not approve this card. It does not say why to us; another card may work.",
  fraudulent: "Your bank did not approve this card. It does not say why to us; another card may work.",
  gateway_technical_error: "The payment network had a technical problem. Please try again in a moment.",
  incorrect_cvv: "The security code did not match. Please check the card and try again.",
  incorrect_otp: "The one-time password was not right. Please try again with a new one.",
  insufficient_fund: "There was not enough money in the account. Another card or account may work.",
  payment_cancelled: "The payment was cancelled at the bank's page.",
  payment_timed_out: "The bank's page was open for too long. Please try again.",
};
/** Other providers' names for the same. @type {Record<string, string>} */
const SAME = {
  authentication_required: "authentication_failed",
  expired_card: "card_expired",
  generic_decline: "card_declined",
  incorrect_cvc: "incorrect_cvv",
  incorrect_number: "card_number_invalid",
  insufficient_balance: "insufficient_fund",
  insufficient_funds: "insufficient_fund",
  invalid_cvc: "incorrect_cvv",
  invalid_number: "card_number_invalid",
  payment_intent_authentication_failure: "authentication_failed",
  processing_error: "gateway_technical_error",
};
const DECLINED = "The bank did not approve this payment. You can try again, or pay another way.";
/** A bank's late change of mind is rare but real: this says what is known, and no more. */
const NOT_TAKEN = "As far as your bank has told us, no money was taken.";

/**
 * @param {string | undefined} reason  the provider's key, or its own sentence for the buyer
 * @returns {Words}
 */
export function declined(reason) {
  const text = (reason ?? "").trim();
  const slug = text.toLowerCase();
  const key = SAME[slug] ?? slug;
  const sentence = /\s/.test(text) ? text.replace(/[^.!?]$/, "$&.") : undefined;
  return {
    title: "That payment did not go through",
    text: `${DECLINES[key] ?? sentence ?? DECLINED} ${NOT_TAKEN}`,
  };
}

/** @type {Words} */
export const dismissed = {
  title: "The payment window was closed",
  text: "Your order is still here. If you had already approved the payment with your bank, wait a moment: this page updates by itself.",
};

/** @type {Record<string, Words>} by the code of the problem */
const PROBLEMS = {
  "amount-out-of-range": {
    title: "This way to pay does not take this amount",
    text: "Please choose another way to pay, or contact the shop. Nothing has been charged.",
  },
  "attempt-in-flight": {
    title: "An earlier try is still being decided",
    text: "To be sure that you are not charged twice, we wait for its result. This page updates by itself.",
  },
  "instrument-declined": {
    title: "That card or account was declined",
    text: "Please try again and choose another one there, or pay another way. Nothing has been charged.",
  },
  "outcome-unknown": {
    title: "An earlier try is still being decided",
    text: "To be sure that you are not charged twice, we wait for its result. This page updates by itself.",
  },
  network: {
    title: "We cannot reach the payment service",
    text: "Nothing is lost: your order and anything you paid are safe. Check your connection and try again.",
  },
  "provider-rejected": {
    title: "The payment provider did not take this order",
    text: "Nothing has been charged. Please choose another way to pay, or contact the shop.",
  },
  "provider-unavailable": {
    title: "The payment provider is not answering",
    text: "Nothing has been charged. Please try again in a few minutes.",
  },
  "provider-unknown-here": {
    title: "This way to pay is not available here",
    text: "Please choose another one. Nothing has been charged.",
  },
  "script-blocked": {
    title: "The payment window could not be loaded",
    text: "Nothing has been charged. A content blocker or a weak connection can cause this; please try again.",
  },
  "token-missing": {
    title: "This page has lost its link to your order",
    text: "Please open the checkout again from the shop. Nothing is lost, and paying twice is not possible this way.",
  },
  "verify-refused": {
    title: "We are checking this payment ourselves",
    text: "Your browser's confirmation could not be used. If the bank took the money, this page will show it by itself; please do not pay again before it says so.",
  },
};
const AWAY = {
  title: "The payment service is busy",
  text: "Nothing is lost: your order and anything you paid are safe. Please try again in a moment.",
};

/** @type {Record<number, Words>} by HTTP status, for codes that are not named above */
const STATUSES = {
  401: {
    title: "This page was open for too long",
    text: "For your safety its access has ended. Please open the checkout again from the shop; nothing is lost.",
  },
  403: {
    title: "This page may not see the order",
    text: "Please open the checkout again from the shop.",
  },
  404: {
    title: "We cannot find this order",
    text: "Please open the checkout again from the shop. If you have paid, your receipt comes by e-mail.",
  },
  409: {
    title: "The order has changed meanwhile",
    text: "This page shows its latest state. Please look again before you continue.",
  },
  422: {
    title: "This order cannot be paid here",
    text: "Nothing has been charged. Please contact the shop, or choose another way to pay.",
  },
};

/**
 * @param {{code: string, status: number}} problem
 * @returns {Words}
 */
export function problemWords({ code, status }) {
  return PROBLEMS[code] ?? STATUSES[status] ?? AWAY;
}

/** For a form that is not filled in, when the provider has no better words. */
export const incomplete = "Please check the details above.";
export const otherWay = "Choose another way to pay";

/**
 * What to say of money that is on its way back or was sent back, or null when none is.
 * @param {import("./gateway.js").Payment} payment
 * @returns {string | null}
 */
export function refundText({ amounts, currency }) {
  if (!currency) return null;
  const back = amounts?.refunded ?? 0;
  const onItsWay = amounts?.refundPending ?? 0;
  const sent = back > 0 ? `${formatMoney(back, currency)} was sent back to you.` : "";
  const coming = onItsWay > 0 ? `A refund of ${formatMoney(onItsWay, currency)} is on its way.` : "";
  const text = [sent, coming].filter(Boolean).join(" ");
  return text ? `${text} Banks take a few days to show it.` : null;
}

/** Said while a call repeats itself, so that nobody pays again out of doubt. */
export const waiting =
  "The connection is slow just now. We keep trying by ourselves: nothing is lost, and you will not be charged twice.";

/** @type {Record<string, Words>} by screen */
export const SCREENS = {
  loading: { title: "Preparing your payment", text: "One moment, please." },
  pay: { title: "Pay for your order", text: "You pay with the provider directly. The shop never sees your card or bank details." },
  resume: { title: "Finish your payment", text: "You started to pay for this order. You can go on where you left off." },
  opening: { title: "Opening the secure payment window", text: "One moment, please." },
  open: { title: "Pay in the window", text: "The secure payment window is open. When you have finished there, this page goes on by itself." },
  form: { title: "Pay here", text: "Your details go straight to the payment provider. The shop never sees them." },
  leaving: { title: "Taking you to the payment provider", text: "You come back to this page when you have finished there." },
  confirming: { title: "Confirming your payment", text: "We are asking the bank. Please keep this page open." },
  processing: { title: "Your payment is being processed", text: "We are waiting for the bank's final word. This page updates by itself; please do not pay again." },
  authorized: { title: "Your bank has approved the payment", text: "The shop will collect it shortly. There is nothing more for you to do." },
  unknown: { title: "We are checking with the bank", text: "Its answer has not reached us yet. We keep asking; please do not pay again." },
  paid: { title: "Payment received", text: "Thank you! Your receipt is on its way by e-mail." },
  partially_refunded: { title: "Paid, and partly refunded", text: "A part of your payment was sent back to you." },
  refunded: { title: "Refunded", text: "Your payment was sent back. Banks take a few days to show it." },
  expired: { title: "The time to pay has passed", text: "This order was closed without a payment. You are welcome to order again." },
  cancelled: { title: "This order was cancelled", text: "It can no longer be paid. If you had paid already, the shop will come back to you." },
  closed: { title: "This order can no longer be paid", text: "You are welcome to order again. If money left your account, the shop will come back to you." },
};

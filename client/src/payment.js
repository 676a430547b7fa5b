/** Which of two statuses of one order is to be shown, and what a status means for the buyer. */

/** @typedef {import("./gateway.js").Payment} Payment */

const MONEY_TAKEN = new Set(["paid", "partially_refunded", "refunded"]);

/** @param {Payment | null} payment */
export function moneyTaken(payment) {
  return payment !== null && MONEY_TAKEN.has(payment.status);
}

/**
 * Whether no payment is expected any more: expired, cancelled, or lapsed.
 * @param {Payment | null} payment
 */
export function closedForGood(payment) {
  return payment?.status === "failed" && payment.canRetry === false;
}

/**
 * The later of two statuses, though answers overtake one another: a lower version never replaces a
 * higher one, and no order that was paid goes back to unpaid.
 * @param {Payment | null} current
 * @param {Payment} incoming
 * @returns {Payment}
 */
export function later(current, incoming) {
  if (current === null) return incoming;
  if (moneyTaken(current) && !moneyTaken(incoming)) return current;
  if (incoming.version !== undefined && current.version !== undefined && incoming.version < current.version) {
    return current;
  }
  if (incoming.amount != null) return incoming;
  // The answer to verify has only a few fields; whether another status may be tried again it does not say.
  const { canRetry, ...known } = current;
  return { ...known, ...(incoming.status === current.status && { canRetry }), ...incoming };
}

/**
 * Equal for two reads of the order between which nothing happened.
 * @param {Payment | null} payment
 */
export function mark(payment) {
  if (payment === null) return "";
  return `${payment.version ?? payment.history?.length ?? ""}/${payment.status}/${payment.detail ?? ""}`;
}

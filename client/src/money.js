/** Amounts for people: integers in ISO 4217 minor units, written as the reader's language does. */

/**
 * @param {number} amount  minor units
 * @param {string} currency
 * @param {string} [locale]  of the page by default
 */
export function formatMoney(amount, currency, locale = document.documentElement.lang || undefined) {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency });
  const decimals = format.resolvedOptions().maximumFractionDigits ?? 2;
  // As decimal text, not as a quotient: a float cannot hold every amount.
  const digits = String(Math.abs(amount)).padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const text = `${amount < 0 ? "-" : ""}${whole}${decimals ? "." : ""}${digits.slice(digits.length - decimals)}`;
  return format.format(/** @type {any} */ (text));
}

/**
 * @param {string} instant  ISO 8601
 * @param {string} [locale]
 */
export function formatTime(instant, locale = document.documentElement.lang || undefined) {
  const at = new Date(instant);
  const today = at.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(locale, { timeStyle: "short", ...(!today && { dateStyle: "medium" }) }).format(at);
}

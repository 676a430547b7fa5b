/** Amounts for people: integers in ISO 4217 minor units, written as the reader's language does. */

/**
 * The decimals of ISO 4217, the unit of our integers, where browsers may have others: they know those in
 * daily use (Unicode CLDR), often none.
 * @type {Record<string, number>}
 */
const ISO_DECIMALS = {
  AFN: 2, ALL: 2, COP: 2, CRC: 2, CZK: 2, DKK: 2, HUF: 2, IDR: 2, IQD: 3, IRR: 2, KPW: 2, LAK: 2, LBP: 2, MGA: 2,
  MMK: 2, MUR: 2, NOK: 2, PKR: 2, RSD: 2, SEK: 2, SLE: 2, SLL: 2, SOS: 2, SYP: 2, TWD: 2, TZS: 2, UZS: 2, YER: 2,
};

/**
 * @param {number} amount  minor units
 * @param {string} currency
 * @param {string} [locale]  of the page by default
 */
export function formatMoney(amount, currency, locale = document.documentElement.lang || undefined) {
  const iso = ISO_DECIMALS[currency];
  const fixed = iso === undefined ? {} : { minimumFractionDigits: iso, maximumFractionDigits: iso };
  const format = new Intl.NumberFormat(locale, { style: "currency", currency, ...fixed });
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

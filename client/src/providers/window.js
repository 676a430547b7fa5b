/**
 * What every provider's way to pay looks like to the checkout: it is opened for an order, and it ends.
 * What it hands back is a reason to look, never a proof of payment by itself.
 */

/** @typedef {import("../gateway.js").ProviderOrder} ProviderOrder */

/**
 * How it ended. `declined` tells of the last refusal shown in it, if any.
 * @typedef {{kind: "returned", proof: Record<string, string>}
 *         | {kind: "dismissed", declined: {reason: string} | null}} Outcome
 */

/**
 * `place`: a window over this page, fields inside of it, or a page of the provider's own: then the browser
 * leaves, and the outcome never settles here.
 * @typedef {{place: "popup" | "form" | "page", outcome: Promise<Outcome>, close: () => void}} PaymentWindow
 */

/**
 * @typedef {object} Look
 * @property {boolean} [redirect]  leave the page instead of opening a popup
 * @property {string | undefined} [accent]  a CSS colour
 * @property {HTMLElement | undefined} [form]  the place for a provider's own fields
 */

/** For a provider's own page: the browser is on its way out. */
export const LEFT = Object.freeze({
  place: /** @type {const} */ ("page"),
  outcome: /** @type {Promise<Outcome>} */ (new Promise(() => undefined)),
  close: () => undefined,
});

/** An outcome, and the function that decides it; only the first decision counts. */
export function pendingOutcome() {
  /** @type {(outcome: Outcome) => void} */
  let end = () => undefined;
  /** @type {Promise<Outcome>} */
  const outcome = new Promise((resolve) => (end = resolve));
  return { outcome, end };
}

/**
 * One order's calls to the Paystream gateway. Every call carries the checkout token in the
 * `Authorization` header; the token never stands in an address.
 */
import { Problem, secondsToWait } from "./problem.js";
import { backoffMs, pause } from "./pause.js";

/**
 * What the gateway says about an order; the only thing that may be shown as the truth.
 * @typedef {object} Payment
 * @property {string} orderId
 * @property {"created"|"pending_payment"|"processing"|"paid"|"partially_refunded"|"refunded"|"failed"} status
 * @property {string} [detail]
 * @property {number} [version]   grows with every change of the order
 * @property {number | null} [amount]  minor units; null while the gateway has not heard of the order yet
 * @property {string | null} [currency]
 * @property {{refunded?: number, refundPending?: number, captured?: number}} [amounts]
 * @property {string | null} [closesAt]
 * @property {boolean} [canRetry]
 * @property {string | null} [provider]  of the newest try, or of the one that paid
 * @property {string} [failure]   the provider's words about the last decline
 * @property {Array<{refundId: string, status: "pending"|"succeeded"|"failed", amount: number, currency: string,
 *            createdAt: string}>} [refunds]
 * @property {Array<{status: string, detail?: string, at?: string}>} [history]  oldest first
 */

/** @typedef {{provider: string, keyId: string, currency: string}} ProviderOption */

/**
 * What a provider's browser SDK needs.
 * @typedef {object} ProviderOrder
 * @property {string} provider
 * @property {string} keyId
 * @property {string} providerOrderId
 * @property {number} amount
 * @property {string} currency
 * @property {{script?: string, name?: string, description?: string, callbackUrl?: string, clientSecret?: string,
 *             returnUrl?: string, approveUrl?: string, prefill?: {name?: string, email?: string}}} checkout
 */

/** @typedef {{attempt: number, delayMs: number, problem: Problem | null}} Wait */

/**
 * How long a call may go on: until the signal aborts. `onWait` hears of each repetition, and null at the end.
 * @typedef {{signal: AbortSignal, onWait?: (wait: Wait | null) => void}} Patience
 */

/**
 * Where tokens come from. `renew` gives a fresh one, or null when the shop gives none.
 * @typedef {{current: () => string | null, renew: () => Promise<string | null>}} Tokens
 */

/** The gateway answers within 10 s by design (then 202); past this, the connection is what is broken. */
const CALL_TIMEOUT_MS = 15_000;
/** How long one step is repeated by itself before the buyer is asked. */
const GIVE_UP_AFTER_MS = 120_000;

export class Gateway {
  #baseUrl;
  #orderId;
  #tokens;

  /** @param {{baseUrl: string, orderId: string, tokens: Tokens}} config */
  constructor({ baseUrl, orderId, tokens }) {
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
    this.#orderId = orderId;
    this.#tokens = tokens;
  }

  /**
   * The status, repeated until it is known.
   * @param {Patience} patience
   * @returns {Promise<Payment>}
   */
  status(patience) {
    return this.#untilAnswered("GET", this.#path(""), undefined, patience);
  }

  /**
   * The status, asked once.
   * @param {AbortSignal} signal
   * @returns {Promise<Payment>}
   */
  async look(signal) {
    return (await this.#exchange("GET", this.#path(""), undefined, signal)).body;
  }

  /**
   * The providers that can take this order.
   * @param {Patience} patience
   * @returns {Promise<ProviderOption[]>}
   */
  options(patience) {
    return this.#untilAnswered("GET", this.#path("/options"), undefined, patience);
  }

  /**
   * Opens an attempt; while one is open the same attempt is given again, so repeating is harmless.
   * @param {string | undefined} provider
   * @param {Patience} patience
   * @returns {Promise<ProviderOrder>}
   */
  createOrder(provider, patience) {
    const body = { orderId: this.#orderId, ...(provider && { provider }) };
    return this.#untilAnswered("POST", "/api/payments/create-order", body, patience);
  }

  /**
   * Asks the gateway to look at the provider now.
   * @param {Record<string, string>} proof  what the provider's SDK handed over
   * @param {Patience} patience
   * @returns {Promise<Payment>}
   */
  verify(proof, patience) {
    return this.#untilAnswered("POST", "/api/payments/verify", { orderId: this.#orderId, ...proof }, patience);
  }

  /**
   * Opens the stream of live statuses (Server-Sent Events).
   * @param {AbortSignal} signal
   * @returns {Promise<ReadableStream<Uint8Array>>}
   */
  async events(signal) {
    const response = await this.#authorized("GET", this.#path("/events"), undefined, signal, "text/event-stream");
    const type = response.headers.get("Content-Type") ?? "";
    if (!response.body || !type.startsWith("text/event-stream")) {
      throw new Problem({ status: response.status, code: "no-stream" });
    }
    return response.body;
  }

  /** @param {string} tail */
  #path(tail) {
    return `/api/payments/${encodeURIComponent(this.#orderId)}${tail}`;
  }

  /**
   * Repeats one call, unchanged, until it is answered: as told after a 202, with backoff after trouble
   * that passes. What cannot pass is thrown at once; what does not pass in time, in the end.
   * @param {string} method @param {string} path @param {object | undefined} body
   * @param {Patience} patience
   * @returns {Promise<any>}
   */
  async #untilAnswered(method, path, body, { signal, onWait }) {
    const giveUpAt = performance.now() + GIVE_UP_AFTER_MS;
    for (let attempt = 1; ; attempt += 1) {
      const { answer, problem, retryAfterS } = await this.#attempt(method, path, body, signal);
      if (answer !== undefined) {
        onWait?.(null);
        return answer;
      }
      const delayMs = retryAfterS !== null ? retryAfterS * 1000 : backoffMs(attempt);
      if (performance.now() + delayMs > giveUpAt) {
        onWait?.(null);
        throw problem ?? new Problem({ code: "timeout" });
      }
      onWait?.({ attempt, delayMs, problem });
      await pause(delayMs, signal);
    }
  }

  /**
   * @param {string} method @param {string} path @param {object | undefined} body @param {AbortSignal} signal
   * @returns {Promise<{answer?: any, problem: Problem | null, retryAfterS: number | null}>}
   */
  async #attempt(method, path, body, signal) {
    try {
      const { response, body: answer } = await this.#exchange(method, path, body, signal);
      if (response.status !== 202) return { answer, problem: null, retryAfterS: null };
      return { problem: null, retryAfterS: secondsToWait(response, answer?.retryAfterS) };
    } catch (error) {
      if (!(error instanceof Problem) || !error.passes) throw error;
      return { problem: error, retryAfterS: error.retryAfterS };
    }
  }

  /**
   * @param {string} method @param {string} path @param {object | undefined} body @param {AbortSignal} signal
   * @returns {Promise<{response: Response, body: any}>}
   */
  async #exchange(method, path, body, signal) {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
    const response = await this.#authorized(method, path, body, limited);
    try {
      return { response, body: await response.json() };
    } catch (error) {
      throw troubleOf(error, signal);
    }
  }

  /**
   * Sends the call, with a renewed token when there is none or after 401. Anything but 2xx is thrown
   * as a Problem.
   * @param {string} method @param {string} path @param {object | undefined} body
   * @param {AbortSignal} signal @param {string} [accept]
   * @returns {Promise<Response>}
   */
  async #authorized(method, path, body, signal, accept = "application/json") {
    const known = this.#tokens.current() ?? (await this.#tokens.renew());
    if (!known) throw new Problem({ status: 401, code: "token-missing" });
    let response = await this.#send(method, path, body, signal, accept, known);
    if (response.status === 401) {
      const token = await this.#tokens.renew();
      if (token) response = await this.#send(method, path, body, signal, accept, token);
    }
    if (!response.ok) throw await Problem.from(response);
    return response;
  }

  /**
   * @param {string} method @param {string} path @param {object | undefined} body
   * @param {AbortSignal} signal @param {string} accept @param {string} token
   * @returns {Promise<Response>}
   */
  async #send(method, path, body, signal, accept, token) {
    /** @type {Record<string, string>} */
    const headers = { Accept: accept, Authorization: `Bearer ${token}` };
    if (body) headers["Content-Type"] = "application/json";
    try {
      return await fetch(this.#baseUrl + path, {
        method,
        headers,
        signal,
        body: body && JSON.stringify(body),
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
      });
    } catch (error) {
      throw troubleOf(error, signal);
    }
  }
}

/**
 * A fetch that ended without an answer: the caller's own abort stays what it is, all else is trouble
 * that may pass.
 * @param {unknown} error @param {AbortSignal} signal
 */
function troubleOf(error, signal) {
  if (error instanceof DOMException && error.name === "TimeoutError") return new Problem({ code: "timeout" });
  if (signal.aborted) return signal.reason;
  return new Problem({ code: "network" });
}

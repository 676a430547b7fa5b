/**
 * The checkout of one order, without a user interface: a state that a page shows (`viewOf`), and three
 * things a page may ask for (`start`, `pay`, `stop`). It never believes itself or the payment window:
 * an order is paid when the gateway's status says so.
 *
 *     const checkout = new Checkout({ gatewayUrl, orderId, token });
 *     checkout.subscribe((state) => render(viewOf(state)));
 *     await checkout.start();
 *     payButton.onclick = () => checkout.pay();
 */
import { Gateway } from "./gateway.js";
import { follow } from "./live.js";
import { closedForGood, later, mark, moneyTaken } from "./payment.js";
import { Problem } from "./problem.js";
import { openPaypal } from "./providers/paypal.js";
import { openRazorpay } from "./providers/razorpay.js";
import { openStripe } from "./providers/stripe.js";
import { rememberProof, rememberToken, rememberedProof, rememberedToken } from "./session.js";

export { openSession } from "./session.js";
export { formatMoney, formatTime } from "./money.js";
export { viewOf } from "./view.js";
export { Problem };

/** @typedef {import("./gateway.js").Payment} Payment */
/** @typedef {{kind: "declined", reason: string} | {kind: "dismissed"} | {kind: "problem", problem: Problem}} Hint */

/**
 * @typedef {object} CheckoutState
 * @property {"loading"|"idle"|"opening"|"open"|"confirming"|"following"|"stopped"} step  what this page does
 * @property {Payment | null} payment    what the gateway last said: the truth
 * @property {import("./gateway.js").ProviderOption[]} options
 * @property {"popup"|"form"|"page"|null} place  where the provider asks, while the step is *open*
 * @property {Hint | null} hint          what the page learned by itself: only ever a remark
 * @property {import("./gateway.js").Wait | null} waiting  a call that repeats itself
 * @property {string} markBefore         the order's `mark` when the buyer set out, or came back
 * @property {"live"|"asking"|"lost"} connection
 */

/**
 * @typedef {object} CheckoutConfig
 * @property {string} gatewayUrl
 * @property {string} orderId
 * @property {string | null} [token]   the checkout token; else the one this tab remembers
 * @property {() => Promise<string | null>} [renewToken]  asks the shop for a fresh token
 * @property {boolean} [redirect]      leave the page instead of opening a popup; by default only in the
 *                                     browsers inside other apps, where popups to banks are blocked
 * @property {string} [accent]         colour for the provider's window
 * @property {HTMLElement} [form]      the place for a provider's own fields; without one, those that need
 *                                     it (Stripe) are not offered
 * @property {boolean} [cancelled]     the buyer comes back from a provider's page where they gave up
 */

/** @typedef {import("./providers/window.js").PaymentWindow} PaymentWindow */
/**
 * @type {Record<string, (order: import("./gateway.js").ProviderOrder,
 *                        look: import("./providers/window.js").Look) => Promise<PaymentWindow>>}
 */
const PROVIDERS = { razorpay: openRazorpay, stripe: openStripe, paypal: openPaypal };
const IN_A_FORM = ["stripe"];
/** A window that just took the payment shows its own success for about a second. */
const WINDOW_GRACE_MS = 3_000;
const IN_APP_BROWSER = /FBAN|FBAV|Instagram|Line\/|; wv\)/;

export class Checkout {
  #config;
  #gateway;
  /** @type {CheckoutState} */
  #state = {
    step: "loading", payment: null, options: [], place: null, hint: null, waiting: null, markBefore: "",
    connection: "asking",
  };
  /** @type {Set<(state: CheckoutState) => void>} */
  #listeners = new Set();
  #stop = new AbortController();
  /** @type {PaymentWindow | null} */
  #window = null;

  /** @param {CheckoutConfig} config */
  constructor(config) {
    this.#config = { redirect: IN_APP_BROWSER.test(navigator.userAgent), ...config };
    if (config.token) rememberToken(config.orderId, config.token);
    this.#gateway = new Gateway({
      baseUrl: config.gatewayUrl,
      orderId: config.orderId,
      tokens: { current: () => rememberedToken(config.orderId), renew: () => this.#renewToken() },
    });
  }

  get state() {
    return this.#state;
  }

  /**
   * @param {(state: CheckoutState) => void} listener  called at once and after every change
   * @returns {() => void} unsubscribes
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  /** Loads the order, follows it live, and finishes what a reload interrupted. May be called again. */
  async start() {
    this.stop();
    this.#window?.close();
    this.#window = null;
    this.#stop = new AbortController();
    this.#set({ step: "loading", hint: null });
    await this.#guarded(async () => {
      const payment = await this.#gateway.status(this.#patience());
      this.#hear(payment);
      void this.#follow();
      const proof = rememberedProof(this.#config.orderId);
      if (proof && !moneyTaken(payment)) await this.#confirm(proof);
      if (!moneyTaken(this.#state.payment) && !closedForGood(this.#state.payment)) await this.#loadOptions();
      if (this.#state.step !== "loading") return;
      this.#set({ step: "idle", hint: this.#config.cancelled ? { kind: "dismissed" } : null });
      this.#config.cancelled = false;
    });
  }

  /**
   * Opens the provider's window and sees the payment through. Does nothing while a try is under way, so
   * a double click is one click.
   * @param {string} [provider]  the gateway chooses by default
   */
  async pay(provider) {
    if (this.#state.step !== "idle" && this.#state.step !== "following") return;
    const { signal } = this.#stop;
    this.#set({ step: "opening", hint: null, markBefore: mark(this.#state.payment) });
    await this.#guarded(async () => {
      const order = await this.#gateway.createOrder(provider, this.#patience());
      const open = PROVIDERS[order.provider];
      if (!open) throw new Problem({ code: "provider-unknown-here" });
      const { redirect = false, accent, form } = this.#config;
      const opened = await open(order, { redirect, accent, form });
      this.#window = opened;
      this.#set({ step: "open", place: opened.place });
      const outcome = await opened.outcome;
      if (signal.aborted) return;
      this.#window = null;
      if (outcome.kind === "returned") return this.#confirm(outcome.proof);
      this.#set({ step: "idle", hint: hintOf(outcome.declined, opened.place) });
    });
  }

  /** Ends every connection. The order and its payment stay as they are. */
  stop() {
    this.#stop.abort(new DOMException("stopped", "AbortError"));
  }

  /** Without options the gateway's own choice of provider is as good: a page may pay all the same. */
  async #loadOptions() {
    try {
      const options = await this.#gateway.options(this.#patience());
      const { form } = this.#config;
      this.#set({ options: options.filter(({ provider }) => provider in PROVIDERS && (form || !IN_A_FORM.includes(provider))) });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 404) throw error;
    }
  }

  /** @param {Record<string, string>} proof */
  async #confirm(proof) {
    if (moneyTaken(this.#state.payment)) return this.#set({ step: "idle" }); // the webhook was first
    const { orderId } = this.#config;
    rememberProof(orderId, proof);
    this.#set({ step: "confirming", hint: null, markBefore: mark(this.#state.payment) });
    try {
      const answer = await this.#gateway.verify(proof, this.#patience());
      rememberProof(orderId, null);
      this.#hear(answer);
      this.#set({ step: answer.status === "processing" ? "following" : "idle" });
    } catch (error) {
      if (!(error instanceof Problem) || error.passes || error.status === 401) throw error;
      rememberProof(orderId, null);
      const problem = error.code === "instrument-declined" ? error : new Problem({ code: "verify-refused" });
      this.#set({ step: "idle", hint: { kind: "problem", problem } });
    }
  }

  /** Follows the status until stopped. A refusal for good shows as *stopped*. */
  async #follow() {
    const { signal } = this.#stop;
    try {
      await follow(this.#gateway, {
        signal,
        onPayment: (payment) => this.#hear(payment),
        onConnection: (connection) => this.#set({ connection }),
      });
    } catch (error) {
      // In the middle of a try the try's own calls find out, and know better what to say.
      if (!signal.aborted && ["idle", "following"].includes(this.#state.step)) this.#halt(error);
    }
  }

  /** @param {Payment} incoming */
  #hear(incoming) {
    const payment = later(this.#state.payment, incoming);
    this.#set({ payment });
    const open = this.#window;
    if (open && closedForGood(payment)) open.close();
    // Paid already: by this very window, which is about to say so, or elsewhere, and then it must go.
    if (open && moneyTaken(payment)) setTimeout(() => open.close(), WINDOW_GRACE_MS);
  }

  /**
   * Runs one step: a refusal is a remark on the payable order, trouble that did not pass is *stopped*.
   * @param {() => Promise<void>} step
   */
  async #guarded(step) {
    const { signal } = this.#stop;
    try {
      await step();
    } catch (error) {
      if (signal.aborted) return;
      this.#window = null;
      const refusal = error instanceof Problem && this.#state.step === "opening" && error.status !== 401;
      if (refusal) await this.#remark(error);
      else this.#halt(error);
    }
  }

  /** @param {Problem} problem */
  async #remark(problem) {
    const inFlight = problem.code === "attempt-in-flight";
    this.#set({
      step: inFlight ? "following" : "idle",
      markBefore: mark(this.#state.payment),
      hint: { kind: "problem", problem },
    });
    // 409: the order is not what this page thought; see what it is.
    if (problem.status === 409) {
      const look = this.#gateway.look(this.#stop.signal);
      await look.then((payment) => this.#hear(payment)).catch(() => undefined);
    }
  }

  /** @param {unknown} error */
  #halt(error) {
    const problem = error instanceof Problem ? error : new Problem({ code: "page-error" });
    if (!(error instanceof Problem)) console.error(error);
    this.stop();
    this.#set({ step: "stopped", hint: { kind: "problem", problem }, waiting: null });
  }

  async #renewToken() {
    const token = (await this.#config.renewToken?.().catch(() => null)) ?? null;
    if (token) rememberToken(this.#config.orderId, token);
    return token;
  }

  /** @returns {import("./gateway.js").Patience} */
  #patience() {
    return { signal: this.#stop.signal, onWait: (waiting) => this.#set({ waiting }) };
  }

  /** @param {Partial<CheckoutState>} change */
  #set(change) {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(this.#state);
  }
}

/**
 * Whoever went back from fields in the page knows that they did; a window may have closed by itself.
 * @param {{reason: string} | null} declined @param {"popup"|"form"|"page"} place
 * @returns {Hint | null}
 */
function hintOf(declined, place) {
  if (declined) return { kind: "declined", ...declined };
  return place === "form" ? null : { kind: "dismissed" };
}

/*
 * The JavaScript interface of Stripe.js, as far as a checkout with the Payment Element uses it, in
 * front of the simulator's own form. Shops load it in place of https://js.stripe.com/v3/ and change
 * nothing else. No style element and no inline script: a strict content security policy needs only
 * this origin in script-src and frame-src.
 */
(() => {
  "use strict";

  const origin = new URL(document.currentScript.src).origin;
  const BASE = `${origin}/stripe/v3/`;

  const integration = (text) => Object.assign(new Error(text), { name: "IntegrationError" });

  /* The form's own page: shown where the shop mounts it, or hidden where only a question is asked. */
  class Frame {
    #frame = document.createElement("iframe");
    #ready;
    #waiting = new Map();
    #number = 0;
    #onMessage = (event) => this.#receive(event);
    tell = () => {};

    constructor(place, settings, hidden) {
      const page = new URL(`${BASE}element`);
      page.searchParams.set("opener", window.location.origin);
      this.#frame.src = page.href;
      this.#frame.className = hidden ? "sim-stripe-controller-frame" : "sim-stripe-element-frame";
      this.#frame.title = "Secure payment input frame (test mode)";
      this.#frame.allow = "payment";
      this.#frame.hidden = hidden;
      Object.assign(this.#frame.style, {
        display: hidden ? "none" : "block", width: "100%", height: "320px", border: "0",
        background: "transparent", colorScheme: "light",
      });
      this.#ready = new Promise((resolve) => this.#waiting.set("loaded", resolve))
        .then(() => this.#post({ type: "open", settings, hidden }));
      window.addEventListener("message", this.#onMessage);
      place.append(this.#frame);
    }

    async ask(what, given) {
      await this.#ready;
      this.#number += 1;
      const number = this.#number;
      return new Promise((resolve) => {
        this.#waiting.set(number, resolve);
        this.#post({ type: "ask", number, what, given });
      });
    }

    remove() {
      window.removeEventListener("message", this.#onMessage);
      this.#frame.remove();
    }

    #post(message) {
      this.#frame.contentWindow?.postMessage(message, origin);
    }

    #receive(event) {
      if (event.origin !== origin || event.source !== this.#frame.contentWindow) return;
      const { type, number, answer, height } = event.data ?? {};
      if (type === "height") this.#frame.style.height = `${height}px`;
      else if (type === "loaded") this.#waiting.get("loaded")?.();
      else if (type === "answer") {
        this.#waiting.get(number)?.(answer);
        this.#waiting.delete(number);
      } else this.tell(event.data);
    }
  }

  /* One element of the shop's page. */
  class PaymentElement {
    #settings;
    #frame = null;
    #listeners = new Map();

    constructor(settings) {
      this.#settings = settings;
    }

    mount(target) {
      const place = typeof target === "string" ? document.querySelector(target) : target;
      if (!place) throw integration(`The selector you specified (${target}) applies to no DOM elements.`);
      if (this.#frame) return;
      this.#frame = new Frame(place, this.#settings, false);
      this.#frame.tell = ({ type, ...value }) => this.#emit(type, value);
    }

    unmount() {
      this.#frame?.remove();
      this.#frame = null;
    }

    destroy() {
      this.unmount();
    }

    update() {}

    on(event, listener) {
      this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
      return this;
    }

    off(event, listener) {
      const listeners = this.#listeners.get(event) ?? [];
      this.#listeners.set(event, listener ? listeners.filter((each) => each !== listener) : []);
      return this;
    }

    async ask(what, given) {
      if (!this.#frame) throw integration("The Payment Element is not mounted.");
      return this.#frame.ask(what, given);
    }

    #emit(event, value) {
      const told = { elementType: "payment", ...value };
      for (const listener of this.#listeners.get(event) ?? []) listener(told);
    }
  }

  class Elements {
    #settings;
    #payment = null;

    constructor(settings) {
      this.#settings = settings;
    }

    create(type) {
      if (type !== "payment") throw integration(`The simulator has only the payment element, not ${type}.`);
      if (this.#payment) throw integration("Can only create one Element of type payment.");
      this.#payment = new PaymentElement(this.#settings);
      return this.#payment;
    }

    getElement(type) {
      return type === "payment" ? this.#payment : null;
    }

    update(options) {
      Object.assign(this.#settings, options);
    }

    async fetchUpdates() {
      return {};
    }

    async submit() {
      return this.ask("submit", {});
    }

    get clientSecret() {
      return this.#settings.clientSecret;
    }

    async ask(what, given) {
      if (!this.#payment) throw integration("Create and mount a Payment Element first.");
      return this.#payment.ask(what, given);
    }
  }

  /* The bank's question in front of everything: over when the buyer has answered it. */
  function threeDSecure(clientSecret) {
    const page = new URL(`${BASE}three-d-secure`);
    page.searchParams.set("opener", window.location.origin);
    page.hash = clientSecret;
    const frame = document.createElement("iframe");
    frame.src = page.href;
    frame.className = "sim-stripe-3ds-frame";
    frame.title = "3-D Secure (test mode)";
    Object.assign(frame.style, {
      position: "fixed", inset: "0", width: "100%", height: "100%", border: "0",
      zIndex: "2147483647", background: "transparent", colorScheme: "light",
    });
    return new Promise((resolve) => {
      const receive = (event) => {
        if (event.origin !== origin || event.source !== frame.contentWindow) return;
        if (event.data?.type !== "done") return;
        window.removeEventListener("message", receive);
        frame.remove();
        resolve();
      };
      window.addEventListener("message", receive);
      document.body.append(frame);
    });
  }

  class StripeClient {
    #key;

    constructor(key) {
      this.#key = key;
    }

    elements(options = {}) {
      if (!options.clientSecret) throw integration("Please pass a clientSecret to stripe.elements().");
      return new Elements({ key: this.#key, clientSecret: options.clientSecret, locale: options.locale,
        appearance: JSON.parse(JSON.stringify(options.appearance ?? {})) });
    }

    async retrievePaymentIntent(clientSecret) {
      const frame = new Frame(document.body, { key: this.#key, clientSecret }, true);
      try {
        return await frame.ask("retrieve", {});
      } finally {
        frame.remove();
      }
    }

    async handleNextAction({ clientSecret }) {
      const { paymentIntent, error } = await this.retrievePaymentIntent(clientSecret);
      return error ? { error } : this.#finish(clientSecret, paymentIntent);
    }

    async confirmPayment({ elements, clientSecret, confirmParams = {}, redirect = "always" }) {
      if (!elements) throw integration("confirmPayment() needs the elements with the buyer's input here.");
      const secret = clientSecret ?? elements.clientSecret;
      const returnUrl = confirmParams.return_url;
      if (!returnUrl) throw integration("You must provide confirmParams.return_url.");
      const asked = await elements.ask("confirm", { clientSecret: secret, returnUrl });
      const ended = asked.error ? asked : await this.#finish(secret, asked.paymentIntent);
      if (ended.error || redirect === "if_required") return ended;
      return this.#leave(returned(returnUrl, ended.paymentIntent));
    }

    /* What the bank still wants, and then how it stands. */
    async #finish(clientSecret, paymentIntent) {
      if (paymentIntent.status !== "requires_action") return { paymentIntent };
      if (paymentIntent.next_action.type === "redirect_to_url") {
        return this.#leave(new URL(paymentIntent.next_action.redirect_to_url.url, origin).href);
      }
      await threeDSecure(clientSecret);
      const now = await this.retrievePaymentIntent(clientSecret);
      const failed = now.paymentIntent?.last_payment_error;
      if (now.paymentIntent?.status === "requires_payment_method" && failed) {
        return { error: { ...failed, payment_intent: now.paymentIntent } };
      }
      return now;
    }

    #leave(url) {
      window.location.assign(url);
      return new Promise(() => {});
    }
  }

  function returned(url, intent) {
    const page = new URL(url);
    page.searchParams.set("payment_intent", intent.id);
    page.searchParams.set("payment_intent_client_secret", intent.client_secret);
    page.searchParams.set("redirect_status", intent.status === "processing" ? "pending" : "succeeded");
    return page.href;
  }

  window.Stripe = (key) => {
    if (!key || !key.startsWith("pk_")) {
      throw integration("Please call Stripe() with your publishable key. You used an empty or secret one.");
    }
    return new StripeClient(key);
  };
  window.Stripe.version = 3;
})();

/*
 * The JavaScript interface of Razorpay's Checkout.js, in front of the simulator's own popup.
 * Shops load it in place of https://checkout.razorpay.com/v1/checkout.js and change nothing else.
 * No style element and no inline script: a strict content security policy needs only this origin
 * in script-src and frame-src (and connect-src stays the popup's own).
 */
(() => {
  "use strict";

  const origin = new URL(document.currentScript.src).origin;
  // What the popup may know; functions stay on this side.
  const SENT = [
    "key", "amount", "currency", "name", "description", "image", "order_id", "prefill", "notes",
    "theme", "readonly", "hidden", "retry", "timeout", "config", "callback_url", "redirect",
  ];

  class Razorpay {
    #options;
    #listeners = new Map();
    #frame = null;
    #timer = 0;
    #bodyOverflow = "";
    #onMessage = (event) => this.#receive(event);
    #onKey = (event) => {
      if (event.key === "Escape" && this.#modal.escape) this.#send({ type: "escape" });
    };

    constructor(options) {
      if (!options || !options.key) throw new Error("No key passed");
      this.#options = options;
    }

    static open(options) {
      const checkout = new Razorpay(options);
      checkout.open();
      return checkout;
    }

    on(event, listener) {
      const listeners = this.#listeners.get(event) ?? [];
      this.#listeners.set(event, [...listeners, listener]);
      return this;
    }

    once(event, listener) {
      const first = (value) => {
        this.off(event, first);
        listener(value);
      };
      return this.on(event, first);
    }

    off(event, listener) {
      const listeners = this.#listeners.get(event) ?? [];
      this.#listeners.set(event, listener ? listeners.filter((each) => each !== listener) : []);
      return this;
    }

    open() {
      if (this.#frame) return this;
      const page = new URL("/v1/checkout/popup", origin);
      page.searchParams.set("opener", window.location.origin);
      this.#frame = document.createElement("iframe");
      this.#frame.src = page.href;
      this.#frame.className = "razorpay-checkout-frame";
      this.#frame.title = "Razorpay checkout (test mode)";
      this.#frame.allow = "payment";
      Object.assign(this.#frame.style, {
        position: "fixed", inset: "0", width: "100%", height: "100%", border: "0",
        zIndex: "2147483647", background: "transparent", colorScheme: "light",
      });
      this.#bodyOverflow = document.body.style.overflow;
      document.body.style.overflow = "hidden";
      window.addEventListener("message", this.#onMessage);
      window.addEventListener("keydown", this.#onKey);
      document.body.append(this.#frame);
      const timeoutS = Number(this.#options.timeout);
      if (timeoutS > 0) this.#timer = setTimeout(() => this.#dismiss("timeout"), timeoutS * 1000);
      return this;
    }

    close() {
      if (this.#frame) this.#dismiss("closed");
    }

    get #modal() {
      const modal = this.#options.modal ?? {};
      return {
        escape: modal.escape !== false,
        backdropclose: modal.backdropclose === true,
        confirm_close: modal.confirm_close === true,
      };
    }

    get #redirects() {
      const { callback_url: url, redirect, handler } = this.#options;
      return Boolean(url) && (redirect === true || typeof handler !== "function");
    }

    #send(message) {
      this.#frame?.contentWindow?.postMessage(message, origin);
    }

    #receive(event) {
      if (event.origin !== origin || event.source !== this.#frame?.contentWindow) return;
      const { type } = event.data ?? {};
      if (type === "ready") this.#configure();
      else if (type === "success") this.#succeed(event.data.response);
      else if (type === "failed") this.#emit("payment.failed", { error: event.data.error });
      else if (type === "give_up") this.#giveUp(event.data.error);
      else if (type === "dismiss") this.#dismiss("closed");
    }

    #configure() {
      const options = {};
      for (const name of SENT) {
        if (this.#options[name] !== undefined) options[name] = this.#options[name];
      }
      options.modal = this.#modal;
      options.redirects = this.#redirects;
      this.#send({ type: "open", options: JSON.parse(JSON.stringify(options)) });
    }

    #succeed(response) {
      this.#remove();
      if (this.#redirects) this.#post(response);
      else if (typeof this.#options.handler === "function") this.#options.handler(response);
    }

    /* No further try: with a callback URL the error is posted there, else the popup closes. */
    #giveUp(error) {
      if (!this.#redirects) {
        this.#dismiss("failed");
        return;
      }
      this.#remove();
      const { metadata, ...plain } = error;
      const fields = { "error[metadata]": JSON.stringify(metadata) };
      for (const [name, value] of Object.entries(plain)) fields[`error[${name}]`] = value;
      this.#post(fields);
    }

    #post(fields) {
      const form = document.createElement("form");
      form.method = "post";
      form.action = this.#options.callback_url;
      for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement("input");
        Object.assign(input, { type: "hidden", name, value });
        form.append(input);
      }
      document.body.append(form);
      form.submit();
    }

    #dismiss(reason) {
      this.#remove();
      const { ondismiss } = this.#options.modal ?? {};
      if (typeof ondismiss === "function") ondismiss(reason);
    }

    #remove() {
      clearTimeout(this.#timer);
      window.removeEventListener("message", this.#onMessage);
      window.removeEventListener("keydown", this.#onKey);
      this.#frame?.remove();
      this.#frame = null;
      document.body.style.overflow = this.#bodyOverflow;
    }

    #emit(event, value) {
      for (const listener of this.#listeners.get(event) ?? []) listener(value);
    }
  }

  window.Razorpay = Razorpay;
})();

/* The form's own page: keeps what the buyer types, asks the API, and answers the page that opened it. */
(() => {
  "use strict";

  // Published test cards (Stripe docs, Testing).
  const CARDS = [
    ["4242424242424242", "Visa, pays"],
    ["5555555555554444", "Mastercard, pays"],
    ["4000002760003184", "asks for 3-D Secure"],
    ["4000008400001629", "3-D Secure, then declined"],
    ["4000000000000002", "declined"],
    ["4000000000009995", "insufficient_funds"],
    ["4000000000000069", "expired_card"],
    ["4000000000000127", "incorrect_cvc"],
    ["4000000000000119", "processing_error"],
    ["4000000000007726", "refunds are pending first"],
    ["4000000000005126", "refunds fail later"],
    ["4000000000000259", "is disputed at once"],
    ["4000000000001976", "brings an inquiry"],
  ];

  const by = (id) => document.getElementById(id);
  const opener = new URLSearchParams(window.location.search).get("opener") ?? "";
  const panels = { card: "card", sepa_debit: "debit", ideal: "bank" };
  let settings = null;
  let method = "card";

  const tell = (message) => window.parent.postMessage(message, opener);

  function formatted({ amount, currency, decimals }) {
    return new Intl.NumberFormat(settings.locale && settings.locale !== "auto" ? settings.locale : navigator.language, {
      style: "currency", currency, minimumFractionDigits: decimals, maximumFractionDigits: decimals,
    }).format(amount / 10 ** decimals);
  }

  async function open(given, hidden) {
    settings = given;
    if (hidden) return;
    const color = settings.appearance?.variables?.colorPrimary;
    if (/^#[0-9a-f]{6}$/i.test(color ?? "")) document.documentElement.style.setProperty("--brand", color);
    const answer = await fetch("/stripe/v3/session", {
      method: "POST", body: JSON.stringify({ client_secret: settings.clientSecret }),
    });
    const session = await answer.json();
    if (!answer.ok) {
      explain(session.error);
      tell({ type: "loaderror", error: session.error });
      return;
    }
    by("sim-stripe-amount").textContent = formatted(session);
    for (const [type, panel] of Object.entries(panels)) {
      by(`sim-stripe-method-${panel}`).hidden = !session.method_types.includes(type);
    }
    tell({ type: "ready" });
    told();
  }

  const digits = () => by("sim-stripe-card-number").value.replace(/\D/g, "");

  function problem() {
    if (method !== "card") return null;
    const number = digits();
    if (number.length < 12) return wrong("sim-stripe-card-number", "incomplete_number", "Your card number is incomplete.");
    if (!luhn(number)) return wrong("sim-stripe-card-number", "invalid_number", "Your card number is invalid.");
    if (!/^\d{2}\s*\/\s*\d{2}$/.test(by("sim-stripe-card-expiry").value.trim())) {
      return wrong("sim-stripe-card-expiry", "incomplete_expiry", "Your card's expiration date is incomplete.");
    }
    if (!/^\d{3,4}$/.test(by("sim-stripe-card-cvc").value.trim())) {
      return wrong("sim-stripe-card-cvc", "incomplete_cvc", "Your card's security code is incomplete.");
    }
    return null;
  }

  const wrong = (field, code, message) => ({ field, error: { type: "validation_error", code, message } });

  function luhn(number) {
    let total = 0;
    for (const [place, digit] of [...number].reverse().entries()) {
      const value = Number(digit) * (place % 2 ? 2 : 1);
      total += value > 9 ? value - 9 : value;
    }
    return total % 10 === 0;
  }

  function explain(error, field) {
    for (const input of document.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    if (field) by(field).setAttribute("aria-invalid", "true");
    by("sim-stripe-error").hidden = !error;
    by("sim-stripe-error").textContent = error?.message ?? "";
  }

  function submit() {
    const found = problem();
    explain(found?.error, found?.field);
    return found ? { error: found.error } : {};
  }

  async function confirm({ clientSecret, returnUrl }) {
    const checked = submit();
    if (checked.error) return checked;
    const form = new URLSearchParams({ client_secret: clientSecret, return_url: returnUrl });
    form.set("payment_method_data[type]", method);
    if (method === "card") form.set("payment_method_data[card][number]", digits());
    const { paymentIntent, error } = await call("POST", `${idOf(clientSecret)}/confirm`, form);
    explain(error);
    return error ? { error } : { paymentIntent };
  }

  const retrieve = () => call("GET", `${idOf(settings.clientSecret)}?client_secret=${encodeURIComponent(settings.clientSecret)}`);
  const idOf = (clientSecret) => String(clientSecret).split("_secret_")[0];

  async function call(verb, path, body) {
    try {
      const answer = await fetch(`/stripe/v1/payment_intents/${path}`, {
        method: verb, body, headers: { Authorization: `Bearer ${settings.key}` },
      });
      const view = await answer.json();
      return answer.ok ? { paymentIntent: view } : { error: view.error };
    } catch {
      const message = "We are experiencing issues connecting to our payments provider. Please try again.";
      return { error: { type: "api_connection_error", message } };
    }
  }

  function choose(wanted) {
    method = wanted;
    for (const [type, panel] of Object.entries(panels)) {
      by(`sim-stripe-method-${panel}`).setAttribute("aria-selected", String(type === wanted));
      by(`sim-stripe-${panel}-panel`).hidden = type !== wanted;
    }
    explain(null);
    told();
  }

  function told() {
    const complete = problem() === null;
    tell({ type: "change", complete, empty: method === "card" && digits() === "", value: { type: method } });
  }

  const spaced = (number) => number.replace(/(\d{4})(?=\d)/g, "$1 ");
  for (const [number, what] of CARDS) {
    by("sim-stripe-card-choice").add(new Option(`…${number.slice(-4)} ${what}`, number));
  }
  by("sim-stripe-card-number").value = spaced(CARDS[0][0]);
  by("sim-stripe-card-choice").addEventListener("change", (event) => {
    by("sim-stripe-card-number").value = spaced(event.target.value);
    explain(null);
    told();
  });
  for (const button of document.querySelectorAll("[data-method]")) {
    button.addEventListener("click", () => choose(button.dataset.method));
  }
  by("sim-stripe-form").addEventListener("input", told);
  by("sim-stripe-form").addEventListener("submit", (event) => event.preventDefault());
  const answers = { submit: async () => submit(), confirm, retrieve };
  window.addEventListener("message", async (event) => {
    if (event.source !== window.parent || event.origin !== opener) return;
    const { type, number, what, given } = event.data ?? {};
    if (type === "open" && settings === null) await open(event.data.settings, event.data.hidden);
    else if (type === "ask" && settings !== null && Object.hasOwn(answers, what)) {
      tell({ type: "answer", number, answer: await answers[what](given) });
    }
  });
  new ResizeObserver(() => tell({ type: "height", height: Math.ceil(document.body.getBoundingClientRect().height) }))
    .observe(document.body);
  tell({ type: "loaded" });
})();

/* The popup's own page: shows one order, sends the form, and reports to the page that opened it. */
(() => {
  "use strict";

  const SUCCESS_SHOWN_MS = 700;
  // Published test cards (Razorpay docs, Test card details).
  const CARDS = [
    ["4100280000001007", "Visa, pays"],
    ["5500670000001002", "Mastercard, pays"],
    ["6527658900001005", "RuPay, pays"],
    ["4100280000060003", "Visa, card_declined"],
    ["4100280000080001", "Visa, insufficient_fund"],
    ["4100280000090000", "Visa, payment_timed_out"],
    ["4100280000070002", "Visa, payment_cancelled"],
    ["4100280000030006", "Visa, card_disabled_for_online_payments"],
    ["4100280000010008", "Visa, card_number_invalid"],
    ["4100280000020007", "Visa, gateway_technical_error"],
    ["4100280000000009", "Visa, authentication_failed"],
  ];

  const by = (id) => document.getElementById(id);
  const opener = new URLSearchParams(window.location.search).get("opener") ?? "";
  const popup = by("sim-popup");
  let options = null;
  let method = "card";
  let lastError = null;

  const tell = (message) => window.parent.postMessage(message, opener);
  const show = (state) => {
    popup.dataset.state = state;
    by("sim-close").disabled = state === "working" || state === "success";
  };

  function formatted(amount, currency, decimals) {
    const format = new Intl.NumberFormat(currency === "INR" ? "en-IN" : navigator.language, {
      style: "currency", currency, minimumFractionDigits: decimals, maximumFractionDigits: decimals,
    });
    return format.format(amount / 10 ** decimals);
  }

  async function post(path, body) {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const view = await response.json();
    if (!response.ok) throw Object.assign(new Error(view.error.description), { error: view.error });
    return view;
  }

  async function open(given) {
    options = given;
    describe();
    try {
      const { key, order_id, amount, currency } = options;
      const order = await post("/v1/checkout/session", { key, order_id, amount, currency });
      const text = formatted(order.amount, order.currency, order.decimals);
      by("sim-amount").textContent = text;
      by("sim-pay").textContent = `Pay ${text}`;
      show("form");
      by("sim-pay").focus();
    } catch (problem) {
      refuse(problem);
    }
  }

  function describe() {
    const name = options.name || "Your shop";
    by("sim-shop-name").textContent = name;
    by("sim-description").textContent = options.description ?? "";
    by("sim-logo").textContent = name.trim().charAt(0).toUpperCase();
    if (options.image) {
      const image = new Image();
      image.alt = "";
      image.onload = () => by("sim-logo").replaceChildren(image);
      image.src = options.image;
    }
    const color = options.theme?.color;
    if (/^#[0-9a-f]{6}$/i.test(color ?? "")) {
      document.documentElement.style.setProperty("--brand", color);
      document.documentElement.style.setProperty("--on-brand", dark(color) ? "#fff" : "#17213b");
      document.documentElement.style.setProperty("--logo", dark(color) ? color : "#17213b");
    }
    const { email, contact } = options.prefill ?? {};
    by("sim-buyer").textContent = [email, contact].filter(Boolean).join(" · ");
    if (options.prefill?.method === "upi") choose("upi");
  }

  /* Whether white text is readable on a colour (relative luminance, WCAG). */
  function dark(color) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.36;
  }

  function choose(wanted) {
    method = wanted;
    for (const each of ["card", "upi"]) {
      by(`sim-method-${each}`).setAttribute("aria-selected", String(each === wanted));
      by(`sim-${each}-panel`).hidden = each !== wanted;
    }
  }

  async function pay(outcome, reason) {
    show("working");
    const notes = Object.entries(options.notes ?? {}).map(([name, value]) => [name, String(value)]);
    const form = { method, outcome, reason, email: options.prefill?.email,
      contact: options.prefill?.contact, description: options.description,
      notes: Object.fromEntries(notes) };
    if (method === "card") form.card = by("sim-card-number").value.replace(/\D/g, "");
    else form.vpa = by("sim-vpa").value.trim();
    try {
      const { key, order_id } = options;
      const result = await post("/v1/checkout/payments", { key, order_id, form });
      if (result.razorpay_signature) succeed(result);
      else if (result.error) fail(result.error);
      else waitForBank();
    } catch (problem) {
      refuse(problem);
    }
  }

  function succeed(result) {
    show("success");
    const { razorpay_payment_id, razorpay_order_id, razorpay_signature } = result;
    const response = { razorpay_payment_id, razorpay_order_id, razorpay_signature };
    setTimeout(() => tell({ type: "success", response }), SUCCESS_SHOWN_MS);
  }

  function fail(error) {
    const mayRetry = options.retry !== false && options.retry?.enabled !== false;
    lastError = error;
    tell({ type: "failed", error });
    if (!mayRetry) {
      tell({ type: "give_up", error });
      return;
    }
    explain("bad", "Payment failed", error.description, error.reason);
  }

  /* The bank says nothing: as with the real checkout, the buyer can only leave or pay again. */
  function waitForBank() {
    const text = "The bank has not answered. The payment times out after ten minutes.";
    explain("wait", "Still waiting", text, "");
  }

  /* The order takes no payment at all: paid already, unknown, or another amount. */
  function refuse(problem) {
    lastError = problem.error ?? { description: problem.message };
    explain("bad", "This order cannot be paid", lastError.description, "", false);
  }

  function explain(tone, title, description, reason, mayRetry = true) {
    by("sim-failed").dataset.tone = tone;
    by("sim-failed-title").textContent = title;
    by("sim-error").textContent = description;
    by("sim-reason").textContent = reason && reason !== "NA" ? reason : "";
    by("sim-retry").hidden = !mayRetry;
    show("failed");
    (mayRetry ? by("sim-retry") : by("sim-give-up")).focus();
  }

  function dismiss() {
    if (by("sim-close").disabled) return;
    const ask = options?.modal?.confirm_close && popup.dataset.state === "form";
    if (ask && !window.confirm("Do you really want to leave without paying?")) return;
    tell({ type: "dismiss" });
  }

  function giveUp() {
    if (options.redirects && lastError?.metadata) tell({ type: "give_up", error: lastError });
    else tell({ type: "dismiss" });
  }

  const spaced = (number) => number.replace(/(\d{4})(?=\d)/g, "$1 ");
  for (const [number, what] of CARDS) {
    by("sim-card-choice").add(new Option(`${what} (…${number.slice(-4)})`, number));
  }
  by("sim-card-number").value = spaced(CARDS[0][0]);
  by("sim-card-choice").addEventListener("change", (event) => {
    by("sim-card-number").value = spaced(event.target.value);
  });
  by("sim-method-card").addEventListener("click", () => choose("card"));
  by("sim-method-upi").addEventListener("click", () => choose("upi"));
  for (const chip of document.querySelectorAll("[data-vpa]")) {
    chip.addEventListener("click", () => { by("sim-vpa").value = chip.dataset.vpa; });
  }
  by("sim-form").addEventListener("submit", (event) => {
    event.preventDefault();
    pay();
  });
  by("sim-decline").addEventListener("click", () => pay("declined", method === "card" ? "card_declined" : "payment_failed"));
  by("sim-late").addEventListener("click", () => pay("late"));
  by("sim-pending").addEventListener("click", () => pay("pending"));
  by("sim-retry").addEventListener("click", () => show("form"));
  by("sim-give-up").addEventListener("click", giveUp);
  by("sim-close").addEventListener("click", dismiss);
  by("sim-backdrop").addEventListener("click", (event) => {
    if (event.target === event.currentTarget && options?.modal?.backdropclose) dismiss();
  });
  window.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && options?.modal?.escape) dismiss();
  });
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== opener) return;
    if (event.data?.type === "open" && options === null) open(event.data.options);
    else if (event.data?.type === "escape" && options?.modal?.escape) dismiss();
  });
  tell({ type: "ready" });
})();

/**
 * The checkout page: shows a `Checkout` and passes on what the buyer presses. Its settings are in
 * `config.json` beside it (docs/storefront.md); the order comes in the address's fragment.
 */
import { Checkout, formatMoney, formatTime, openSession, viewOf } from "../../checkout.js";
import { addressOf, fetchOrder, renewToken, showOrder } from "./summary.js";

/** @typedef {import("../../checkout.js").CheckoutState} CheckoutState */

/**
 * @typedef {object} PageConfig
 * @property {string} gatewayUrl
 * @property {string} shopName
 * @property {string} [accent]    a CSS colour for buttons and the provider's window
 * @property {string} [locale]    how amounts and times are written, e.g. `en-IN`
 * @property {string} [backUrl]   the shop
 * @property {string} [doneUrl]   the shop's order page, with `{orderId}`
 * @property {string} [orderUrl]  the shop's own answer about an order, with `{orderId}` (see summary.js)
 */

/** What each way to pay offers, by provider. */
/** @type {Record<string, {name: string, text: string}>} */
const WAYS = {
  razorpay: { name: "Razorpay", text: "Cards, UPI, net banking and wallets" },
  stripe: { name: "Card", text: "Credit and debit cards and more, with Stripe" },
  paypal: { name: "PayPal", text: "Your PayPal balance, bank or cards" },
};
const STEP_OF = { pay: 0, resume: 0, opening: 0, open: 0, form: 0, leaving: 0, loading: 0, confirming: 1, processing: 1 };
const DONE_SCREENS = ["paid", "partially_refunded", "refunded"];
/** After this in *processing* a buyer wonders; say that leaving is safe. */
const LONG_PROCESSING_MS = 20_000;

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const link = (id) => /** @type {HTMLAnchorElement} */ (at(id));

/** @type {PageConfig} */
let config = { gatewayUrl: "", shopName: "" };
begin().catch(() => showStopped("The checkout could not be loaded", "Please reload the page. Nothing has been charged."));

async function begin() {
  config = await (await fetch("./config.json", { cache: "no-cache" })).json();
  if (config.locale) document.documentElement.lang = config.locale;
  if (config.accent) document.documentElement.style.setProperty("--accent", config.accent);
  at("shop").textContent = config.shopName;
  link("back").href = config.backUrl ?? "/";
  link("return").href = config.backUrl ?? "/";
  const { orderId, token, cancelled } = openSession();
  if (orderId) run(orderId, token, cancelled);
  else showStopped("There is no order to pay here", "Please open the checkout from the shop's basket.");
}

/** @param {string} orderId @param {string | null} token @param {boolean} cancelled */
function run(orderId, token, cancelled) {
  at("order").textContent = orderId;
  const checkout = new Checkout({
    gatewayUrl: config.gatewayUrl,
    orderId,
    token,
    cancelled,
    accent: config.accent ?? "",
    form: at("fields"),
    renewToken: () => renewToken(config.orderUrl, orderId),
  });
  link("done").href = addressOf(config.doneUrl ?? "", orderId);
  fetchOrder(config.orderUrl, orderId).then(showOrder, () => undefined);

  checkout.subscribe(show);
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    void checkout.pay(chosenProvider());
  });
  at("recheck").addEventListener("click", () => void checkout.start());
  // Coming back with the browser's own Back button: the page may be a picture of the past.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) void checkout.start();
  });
  void checkout.start();
}

let shown = "";
let processingTimer = 0;

/** @param {CheckoutState} state */
function show(state) {
  const view = viewOf(state);
  const panel = at("panel");
  panel.dataset["screen"] = view.screen;
  panel.dataset["tone"] = view.tone;
  panel.setAttribute("aria-busy", String(view.tone === "busy"));
  say("title", view.title);
  say("text", view.text);
  say("patience", view.patience);
  showNotice(view.notice);
  showSteps(view.screen);
  showMoney(state, view);
  at("form").hidden = !view.canPay;
  at("fields").hidden = view.screen !== "form";
  at("recheck").hidden = !view.canRecheck;
  at("done").hidden = !(DONE_SCREENS.includes(view.screen) && config.doneUrl);
  at("return").hidden = !["closed", "stopped"].includes(view.screen);
  const now = `${view.screen}/${view.notice?.title ?? ""}`;
  if (now !== shown) arrive(view, shown === "");
  shown = now;
}

/**
 * A new screen: its name in the tab, and the keyboard's place at its heading when the buyer has to act.
 * @param {import("../../view.js").View} view @param {boolean} first
 */
function arrive(view, first) {
  document.title = `${view.notice?.title ?? view.title} · ${config.shopName}`;
  const settled = view.tone === "good" || view.tone === "bad" || view.notice !== null || view.screen === "form";
  if (settled && !first) at("title").focus({ preventScroll: true });
  clearTimeout(processingTimer);
  at("more").hidden = true;
  if (view.screen === "processing") {
    processingTimer = window.setTimeout(() => {
      say("more", "Some banks take a few minutes. You may close this page: we send your receipt by e-mail as soon as the payment is confirmed.");
    }, LONG_PROCESSING_MS);
  }
}

/** @param {import("../../view.js").View["notice"]} notice */
function showNotice(notice) {
  const box = at("notice");
  box.hidden = notice === null;
  box.dataset["tone"] = notice?.tone ?? "info";
  say("notice-title", notice?.title ?? "");
  say("notice-text", notice?.text ?? "");
}

/** @param {string} screen */
function showSteps(screen) {
  const done = DONE_SCREENS.includes(screen);
  const step = done ? 3 : (/** @type {Record<string, number>} */ (STEP_OF)[screen] ?? 0);
  ["step-pay", "step-confirm", "step-done"].forEach((id, index) => {
    at(id).className = index < step ? "done" : index === step ? "now" : "";
    at(id).ariaCurrent = index === step ? "step" : null;
  });
}

/** @param {CheckoutState} state @param {import("../../view.js").View} view */
function showMoney({ payment, options }, view) {
  showWays(options, payment?.provider);
  if (payment?.amount == null || !payment.currency) return;
  const amount = formatMoney(payment.amount, payment.currency);
  say("total", amount);
  at("total").classList.remove("placeholder");
  say("pay", view.screen === "resume" ? `Continue to pay ${amount}` : view.notice ? `Try again: pay ${amount}` : `Pay ${amount}`);
  say("fine", payment.closesAt ? `We hold this order for you until ${formatTime(payment.closesAt)}.` : "");
  at("test").hidden = !options.some(({ keyId }) => /^(rzp|pk)_test_/.test(keyId));
}

/**
 * The choice, in the gateway's order; the provider of an earlier try is still the chosen one.
 * @param {CheckoutState["options"]} options @param {string | null | undefined} before
 */
function showWays(options, before) {
  const box = at("providers");
  const names = options.map((option) => option.provider).join();
  if (box.dataset["names"] === names) return;
  box.dataset["names"] = names;
  box.hidden = options.length === 0;
  box.className = options.length === 1 ? "only" : "";
  box.querySelectorAll(".way").forEach((way) => way.remove());
  const known = options.some(({ provider }) => provider === before);
  const chosen = known ? before : options[0]?.provider;
  options.forEach(({ provider }) => box.append(wayToPay(provider, provider === chosen)));
}

/** @param {string} provider @param {boolean} checked */
function wayToPay(provider, checked) {
  const words = WAYS[provider] ?? { name: provider, text: "" };
  const label = document.createElement("label");
  label.className = "way";
  label.dataset["provider"] = provider;
  const input = Object.assign(document.createElement("input"), {
    type: "radio", name: "provider", value: provider, checked,
  });
  const text = document.createElement("span");
  const name = Object.assign(document.createElement("strong"), { textContent: words.name });
  const about = Object.assign(document.createElement("small"), { textContent: words.text });
  text.append(name, about);
  label.append(input, text);
  return label;
}

function chosenProvider() {
  const chosen = document.querySelector("input[name=provider]:checked");
  return chosen instanceof HTMLInputElement ? chosen.value : undefined;
}

/** @param {string} title @param {string} text */
function showStopped(title, text) {
  at("panel").dataset["tone"] = "bad";
  at("panel").dataset["screen"] = "stopped";
  say("title", title);
  say("text", text);
  at("return").hidden = false;
  document.querySelector("aside")?.setAttribute("hidden", "");
}

/**
 * Sets a text only when it changes, so that screen readers speak once. An empty one is hidden.
 * @param {string} id @param {string} text
 */
function say(id, text) {
  const element = at(id);
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === "";
}

/* The approve page: shows the order that the address names, sends the choice, and goes where it is told. */

const by = (id) => document.getElementById(`sim-paypal-${id}`);
const token = new URLSearchParams(location.search).get("token") ?? "";

async function call(path, body) {
  const answer = await fetch(`/checkoutnow/${path}`, { method: "POST", body: JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error.description);
  return told;
}

function fail(text) {
  by("error").textContent = text;
  by("error").hidden = false;
}

function busy(is) {
  for (const button of document.querySelectorAll("button")) button.disabled = is;
}

function money({ value, currency }) {
  const places = value.includes(".") ? 2 : 0;
  return new Intl.NumberFormat(navigator.language, {
    style: "currency", currency, minimumFractionDigits: places, maximumFractionDigits: places,
  }).format(Number(value));
}

async function leave(path, body) {
  busy(true);
  by("error").hidden = true;
  try {
    const { redirect } = await call(path, body);
    if (redirect) {
      location.assign(redirect);
      return;
    }
    by("order").hidden = true;
    by("wait").textContent = "Done. The shop named no address to return to: you may close this page.";
    by("wait").hidden = false;
  } catch (error) {
    fail(error.message);
    busy(false);
  }
}

by("approve").addEventListener("click", () => {
  const outcome = document.querySelector("input[name=outcome]:checked").value;
  leave("approve", { token, outcome });
});
by("cancel").addEventListener("click", () => leave("cancel", { token }));

/* A page that the browser kept and shows again may be used again. */
addEventListener("pageshow", () => busy(false));

try {
  const order = await call("order", { token });
  by("shop").textContent = order.shop;
  by("amount").textContent = money(order);
  by("note").textContent = [order.description, order.invoice_id].filter(Boolean).join(" · ");
  by("order").hidden = false;
} catch (error) {
  fail(error.message || "This payment cannot be found.");
} finally {
  by("wait").hidden = true;
}

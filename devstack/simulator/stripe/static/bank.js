/* The bank's question, in a frame over the shop's page (3-D Secure) or as a page of its own. */
(() => {
  "use strict";

  const by = (id) => document.getElementById(id);
  const query = new URLSearchParams(window.location.search);
  const framed = document.body.dataset.page === "frame";
  // In a frame the secret stands behind the #, which no server and no log sees.
  const clientSecret = framed ? decodeURIComponent(window.location.hash.slice(1)) : query.get("client_secret");

  async function post(path, body) {
    const answer = await fetch(`/stripe/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
    const view = await answer.json();
    if (!answer.ok) throw new Error(view.error.message);
    return view;
  }

  function explain(problem) {
    by("sim-stripe-error").hidden = false;
    by("sim-stripe-error").textContent = problem.message;
  }

  async function show() {
    const { amount, currency, decimals } = await post("session", { client_secret: clientSecret });
    by("sim-stripe-bank-amount").textContent = new Intl.NumberFormat(navigator.language, {
      style: "currency", currency, minimumFractionDigits: decimals, maximumFractionDigits: decimals,
    }).format(amount / 10 ** decimals);
  }

  async function end(passed) {
    for (const button of document.querySelectorAll("button")) button.disabled = true;
    try {
      const { return_to: returnTo } = await post("authenticate", { client_secret: clientSecret, passed });
      if (framed) window.parent.postMessage({ type: "done" }, query.get("opener") ?? "");
      else if (returnTo) window.location.assign(returnTo);
    } catch (problem) {
      explain(problem);
    }
  }

  for (const button of document.querySelectorAll("[data-passed]")) {
    button.addEventListener("click", () => end(button.dataset.passed === "true"));
  }
  show().catch(explain);
})();

// The list refreshes itself; a message's tabs switch its views.
const POLL_MS = 2000;

async function refreshList() {
  const shown = document.getElementById("messages");
  try {
    const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
    const fresh = page.getElementById("messages");
    if (fresh.dataset.count !== shown.dataset.count) {
      shown.replaceWith(fresh);
      document.title = page.title;
    }
  } catch {
    // The mailbox is being restarted: the next poll finds it.
  }
  setTimeout(refreshList, POLL_MS);
}

function showTab(chosen) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    document.getElementById(tab.dataset.shows).hidden = tab !== chosen;
  }
}

if (document.body.dataset.page === "list") setTimeout(refreshList, POLL_MS);
for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => showTab(tab));
}

/** Waiting: capped backoff with jitter, and pauses that end early when it makes sense. */

/**
 * The pause before the n-th repetition (n from 1): doubles up to `maxMs`, less up to a third, so that
 * many browsers do not come back in the same second.
 * @param {number} n
 * @param {{firstMs?: number, maxMs?: number}} [limits]
 * @returns {number} milliseconds
 */
export function backoffMs(n, { firstMs = 800, maxMs = 12_000 } = {}) {
  const full = Math.min(maxMs, firstMs * 2 ** (n - 1));
  return full * (1 - Math.random() / 3);
}

/**
 * Ends after `ms`, or at once when the browser is back online or the page is looked at again.
 * @param {number} ms
 * @param {AbortSignal} signal  rejects with its reason when aborted
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(finish, ms);
    /** @param {() => void} settle */
    const leave = (settle) => {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      document.removeEventListener("visibilitychange", seen);
      signal.removeEventListener("abort", aborted);
      settle();
    };
    function finish() {
      leave(resolve);
    }
    function seen() {
      if (document.visibilityState === "visible") finish();
    }
    function aborted() {
      leave(() => reject(signal.reason));
    }
    window.addEventListener("online", finish);
    document.addEventListener("visibilitychange", seen);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted);
  });
}

/**
 * Follows an order's status live: by the gateway's event stream, and by asking again whenever the
 * stream is silent or broken. Whatever the network does, the last status shown is soon the true one.
 */
import { Problem } from "./problem.js";
import { backoffMs, pause } from "./pause.js";
import { readEvents } from "./sse.js";

/** @typedef {import("./gateway.js").Payment} Payment */

/** A proxy that buffers the stream shows nothing at all: after this we ask instead. */
const FIRST_BYTE_WITHIN_MS = 8_000;
/** Longer than the gateway's heartbeat by far: after this the connection is dead. */
const QUIET_MAX_MS = 45_000;
/** Answers that repeating cannot change: the token or the order is not good. */
const FINAL_STATUSES = new Set([401, 403, 404]);

/**
 * Calls `onPayment` with every status heard, until the signal aborts (then it returns) or the gateway
 * refuses for good (then it throws the Problem).
 * @param {import("./gateway.js").Gateway} gateway
 * @param {{signal: AbortSignal, onPayment: (payment: Payment) => void,
 *          onConnection?: (state: "live" | "asking" | "lost") => void}} listeners
 * @returns {Promise<void>}
 */
export async function follow(gateway, { signal, onPayment, onConnection }) {
  let silent = 0;
  while (!signal.aborted) {
    const heard = await endsQuietly(
      listen(gateway, signal, (payment) => {
        onConnection?.("live");
        onPayment(payment);
      }),
      signal,
    );
    if (signal.aborted) return;
    silent = heard ? 1 : silent + 1;
    const asked = await endsQuietly(ask(gateway, signal, onPayment), signal);
    if (signal.aborted) return;
    onConnection?.(asked ? "asking" : "lost");
    await pause(backoffMs(silent), signal).catch(() => undefined);
  }
}

/**
 * True when the work got something; trouble that passes counts as nothing got.
 * @param {Promise<boolean>} work @param {AbortSignal} signal
 */
async function endsQuietly(work, signal) {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Problem && FINAL_STATUSES.has(error.status) && !signal.aborted) throw error;
    return false;
  }
}

/**
 * Reads one stream to its end. True when it delivered at least one status.
 * @param {import("./gateway.js").Gateway} gateway @param {AbortSignal} signal
 * @param {(payment: Payment) => void} onPayment
 */
async function listen(gateway, signal, onPayment) {
  const silence = new AbortController();
  const tooQuiet = () => silence.abort(new Problem({ code: "stream-silent" }));
  let timer = setTimeout(tooQuiet, FIRST_BYTE_WITHIN_MS);
  let heard = false;
  try {
    const body = await gateway.events(AbortSignal.any([signal, silence.signal]));
    const onBytes = () => {
      clearTimeout(timer);
      timer = setTimeout(tooQuiet, QUIET_MAX_MS);
    };
    for await (const { data } of readEvents(body, onBytes)) {
      const payment = paymentIn(data);
      if (!payment) continue;
      heard = true;
      onPayment(payment);
    }
  } catch (error) {
    if (!heard) throw error;
  } finally {
    clearTimeout(timer);
  }
  return heard;
}

/**
 * @param {import("./gateway.js").Gateway} gateway @param {AbortSignal} signal
 * @param {(payment: Payment) => void} onPayment
 */
async function ask(gateway, signal, onPayment) {
  onPayment(await gateway.look(signal));
  return true;
}

/**
 * @param {string} data
 * @returns {Payment | null} null for an event that is not a status
 */
function paymentIn(data) {
  try {
    const value = JSON.parse(data);
    return typeof value?.status === "string" && typeof value.orderId === "string" ? value : null;
  } catch {
    return null;
  }
}

/**
 * What a page must remember across a reload or a trip to the bank: the order, its checkout token, and a
 * confirmation that the gateway has not answered yet. All of it ends with the browser tab.
 */

const PREFIX = "paystream.";

/**
 * The order and token that this page was opened for, taken from the address's fragment
 * (`#order=…&token=…`), from a return address (`?orderId=…`), or from this tab's memory. The token is
 * removed from the address bar at once, and is never read from a query string.
 * @returns {{orderId: string | null, token: string | null}}
 */
export function openSession() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  const orderId = fragment.get("order") ?? query.get("orderId") ?? read("order");
  if (orderId === null) return { orderId: null, token: null };
  write("order", orderId);
  const token = fragment.get("token");
  if (token) {
    rememberToken(orderId, token);
    fragment.delete("token");
    history.replaceState(history.state, "", `${location.pathname}${location.search}#${fragment}`);
  }
  return { orderId, token: token || read(`token.${orderId}`) };
}

/** @param {string} orderId @param {string} token */
export function rememberToken(orderId, token) {
  write(`token.${orderId}`, token);
}

/** @param {string} orderId */
export function rememberedToken(orderId) {
  return read(`token.${orderId}`);
}

/**
 * Kept from before the call to verify until its answer: a reload in between repeats the call.
 * @param {string} orderId @param {Record<string, string> | null} proof  null forgets it
 */
export function rememberProof(orderId, proof) {
  if (proof) write(`proof.${orderId}`, JSON.stringify(proof));
  else sessionStorage.removeItem(`${PREFIX}proof.${orderId}`);
}

/** @param {string} orderId @returns {Record<string, string> | null} */
export function rememberedProof(orderId) {
  try {
    return JSON.parse(read(`proof.${orderId}`) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} name */
function read(name) {
  return sessionStorage.getItem(PREFIX + name);
}

/** @param {string} name @param {string} value */
function write(name, value) {
  sessionStorage.setItem(PREFIX + name, value);
}

/** Providers' own scripts, from the address that the gateway's answer names. */
import { Problem } from "../problem.js";

const SCRIPT_WITHIN_MS = 20_000;

/** @type {Map<string, Promise<void>>} */
const scripts = new Map();

/**
 * What the script puts into `window` under this name. It is loaded once per page; after a failure the
 * next call tries again.
 * @param {string | undefined} address @param {string} name
 * @returns {Promise<any>}
 */
export async function provided(address, name) {
  await load(address ?? "");
  const found = /** @type {any} */ (window)[name];
  if (typeof found !== "function") throw new Problem({ code: "script-blocked" });
  return found;
}

/** @param {string} address */
function load(address) {
  const known = scripts.get(address);
  if (known) return known;
  const loading = new Promise((/** @type {(value: void) => void} */ resolve, reject) => {
    const script = document.createElement("script");
    const fail = () => {
      clearTimeout(timer);
      scripts.delete(address);
      script.remove();
      reject(new Problem({ code: "script-blocked" }));
    };
    const timer = setTimeout(fail, SCRIPT_WITHIN_MS);
    script.src = address;
    script.async = true;
    script.onerror = fail;
    script.onload = () => {
      clearTimeout(timer);
      resolve();
    };
    document.head.append(script);
  });
  scripts.set(address, loading);
  return loading;
}

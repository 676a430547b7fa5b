/**
 * What a call to the gateway says when it says no: RFC 9457 problem details, and the two troubles
 * that have no answer at all (`network`, `timeout`).
 */

/** Statuses after which nothing is known or nothing happened: the same call may be repeated. */
const PASSING_STATUSES = new Set([0, 408, 425, 429, 502, 503, 504]);

export class Problem extends Error {
  /**
   * @param {{status?: number, code: string, title?: string, detail?: string, retryAfterS?: number | null}} fields
   */
  constructor({ status = 0, code, title = "", detail = "", retryAfterS = null }) {
    super(detail || title || code);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.retryAfterS = retryAfterS;
  }

  /** Whether repeating the very same call by ourselves is right. */
  get passes() {
    return PASSING_STATUSES.has(this.status) || this.code === "in-progress";
  }

  /**
   * Reads the problem out of an answer; never throws, whatever the body is.
   * @param {Response} response
   * @returns {Promise<Problem>}
   */
  static async from(response) {
    const fields = await response.json().catch(() => null);
    const known = fields !== null && typeof fields === "object" ? fields : {};
    return new Problem({
      status: response.status,
      code: typeof known.code === "string" ? known.code : `http-${response.status}`,
      title: typeof known.title === "string" ? known.title : "",
      detail: typeof known.detail === "string" ? known.detail : "",
      retryAfterS: secondsToWait(response, known.retryAfterS),
    });
  }
}

/**
 * How long an answer asks to wait: the body's word, else the `Retry-After` header when CORS shows it.
 * @param {Response} response
 * @param {unknown} fromBody
 * @returns {number | null}
 */
export function secondsToWait(response, fromBody) {
  const told = typeof fromBody === "number" ? fromBody : Number(response.headers.get("Retry-After") ?? NaN);
  return Number.isFinite(told) && told >= 0 ? Math.min(told, 60) : null;
}

/** Server-Sent Events read from a `fetch` body, by the WHATWG HTML standard's parsing rules. */

/** @typedef {{event: string, data: string}} ServerEvent */

/**
 * Yields each event as it completes; an unfinished one at the end of the stream is dropped.
 * `onBytes` hears of every chunk, heartbeats included.
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} [onBytes]
 * @returns {AsyncGenerator<ServerEvent>}
 */
export async function* readEvents(body, onBytes) {
  let event = "";
  /** @type {string[]} */
  let data = [];
  for await (const line of lines(body, onBytes)) {
    if (line === "") {
      if (data.length > 0) yield { event: event || "message", data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const [field, value] = split(line);
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
}

/**
 * @param {string} line
 * @returns {[string, string]} a comment line has an empty field name
 */
function split(line) {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
}

/**
 * Lines end with LF, CR or CRLF, wherever the chunks are cut.
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} [onBytes]
 */
async function* lines(body, onBytes) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let afterReturn = false; // the last chunk ended with CR: an LF that follows belongs to it
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes?.();
      let text = decoder.decode(value, { stream: true });
      if (text === "") continue;
      if (afterReturn && text.startsWith("\n")) text = text.slice(1);
      afterReturn = text.endsWith("\r");
      const parts = (rest + text).split(/\r\n|\r|\n/);
      rest = parts.pop() ?? "";
      yield* parts;
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

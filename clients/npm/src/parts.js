/** @file Joins messages that were split because they are larger than the bus takes at once. */

/** Bounds what one subscription keeps: of a message and of all unfinished ones, in bytes and in number. */
const MOST_BYTES = 64 * 1024 * 1024;
const MOST_PARTIAL = 16;
/** No message has more parts: the smallest sensible limit of the bus leads to it. */
const MOST_PARTS = MOST_BYTES / 4096;
/** After this time without another part the beginning of a message is forgotten, in ms. */
const LIFE_MS = 5000;

/**
 * @typedef {object} Partial
 * @property {number} count
 * @property {Uint8Array[]} parts
 * @property {number} bytes
 * @property {string} type
 * @property {number} grownMs
 */

/** Joins the parts of one subscription. Pure: the time is passed in. */
export class Joiner {
  /** Messages that will not become whole. */
  lost = 0;

  /** @type {Map<string, Partial>} By id; the one that grew last is last. */
  #partials = new Map();

  /**
   * @param {string} mark The header `Waldo-Part` of the part: its message's id, its number, how many there are.
   * @param {string} type The type of the message, which the first part has.
   * @param {Uint8Array} data
   * @param {number} nowMs
   * @returns {{type: string, data: Uint8Array}|null} The message, if this part completes it.
   */
  join(mark, type, data, nowMs) {
    const part = parseMark(mark);
    if (!part || data.length === 0) return null;
    this.#forget(nowMs);
    const { id, index, count } = part;
    const known = this.#partials.get(id);
    this.#partials.delete(id);
    const partial = index === 0 ? { count, parts: [], bytes: 0, type, grownMs: nowMs } : known;
    if (!partial || partial.parts.length !== index || partial.count !== count
      || partial.bytes + data.length > MOST_BYTES) {
      // Counted once for a message, however many of its parts come in vain.
      if (index === count - 1) this.lost += 1;
      return null;
    }
    partial.parts.push(data);
    partial.bytes += data.length;
    partial.grownMs = nowMs;
    if (index === count - 1) return { type: partial.type, data: Buffer.concat(partial.parts) };
    this.#partials.set(id, partial);
    this.#bound();
    return null;
  }

  /** What has not grown for longest goes first. */
  #bound() {
    const held = () => [...this.#partials.values()].reduce((sum, p) => sum + p.bytes, 0);
    while (this.#partials.size > MOST_PARTIAL || held() > 2 * MOST_BYTES) this.#drop();
  }

  /** @param {number} nowMs */
  #forget(nowMs) {
    for (const { grownMs } of this.#partials.values()) {
      if (nowMs - grownMs < LIFE_MS) return;
      this.#drop();
    }
  }

  #drop() {
    const [oldest] = this.#partials.keys();
    this.#partials.delete(oldest);
    this.lost += 1;
  }
}

/** @param {string} mark @returns {{id: string, index: number, count: number}|null} */
export function parseMark(mark) {
  const m = /^([^ ]{1,64}) (\d{1,6}) (\d{1,6})$/.exec(mark);
  if (!m) return null;
  const [index, count] = [Number(m[2]), Number(m[3])];
  return index < count && count <= MOST_PARTS ? { id: m[1], index, count } : null;
}

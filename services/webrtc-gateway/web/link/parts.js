/**
 * @file Messages of any size over a data channel, whose frames are bounded, as pkg/parts does it.
 *
 * A message that fits is one frame. A larger one is cut into parts: their first character, which is not part of the
 * message, is `+` if another part follows, and `.` in the last.
 */

/** The largest frame, in UTF-16 units: each takes at most 3 of the 64 KiB. */
const MOST_UNITS = Math.floor((64 * 1024 - 1) / 3);
/** The longest message that is accepted, in UTF-16 units. */
const LONGEST = 32 * 1024 * 1024;

/** @param {string} message @param {number} [most] @returns {Generator<string>} Its frames. */
export function* split(message, most = MOST_UNITS) {
  let at = 0;
  while (message.length - at > most) {
    let end = at + most;
    // The halves of a surrogate pair are not text on their own.
    if (/[\uD800-\uDBFF]/.test(message[end - 1])) end -= 1;
    yield `+${message.slice(at, end)}`;
    at = end;
  }
  yield at === 0 ? message : `.${message.slice(at)}`;
}

/** Puts the parts of messages together. */
export class Joiner {
  #joined = '';
  #joining = false;

  /**
   * @param {string} frame
   * @returns {string|null} The message that it completes; null if more parts have to come.
   * @throws {RangeError} If the channel is of no more use.
   */
  add(frame) {
    const [sign] = frame;
    const part = sign === '+' || sign === '.';
    if (!part && this.#joining) throw new RangeError('a message begins before the last part of another');
    if (!part) return frame;
    this.#joined += frame.slice(1);
    this.#joining = sign === '+';
    if (this.#joined.length > LONGEST) throw new RangeError(`a message has more than ${LONGEST} characters`);
    if (this.#joining) return null;
    const message = this.#joined;
    this.#joined = '';
    return message;
  }
}

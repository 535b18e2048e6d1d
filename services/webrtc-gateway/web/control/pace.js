/** @file How soon a change may be sent, when commands are sent regularly besides. Pure. */

/** Changes are not sent faster than this on average, in ms; regular commands do not count. */
const FASTEST_MS = 8;
/** How far a burst of changes may be ahead of that, in ms. Timers can be late by more than a change can wait. */
const BURST_MS = 24;

/** The pace of the changes of one driver. Times come in as numbers (ms, any monotonic clock). */
export class Pace {
  /** When the next change would be due, were there no bursts. */
  #next = -Infinity;

  /**
   * Asks to send a change now, which counts if it may.
   * @param {number} nowMs
   * @returns {number} How many ms to wait before asking again; 0 if it may be sent now.
   */
  take(nowMs) {
    const wait = Math.ceil(this.#next - BURST_MS - nowMs); // a timer for a part of a millisecond comes early
    if (wait > 0) return wait;
    this.#next = Math.max(this.#next, nowMs) + FASTEST_MS;
    return 0;
  }
}

/** @file How soon a change may be sent, in addition to the regular commands. Pure. */

/** The least average interval between changes, in ms; regular commands do not count. */
const FASTEST_MS = 8;
/** How far a burst of changes may run ahead of that, in ms. Timers can be later than a change can wait. */
const BURST_MS = 24;

/** The pace of the changes of one driver. Times are passed as numbers (ms, any monotonic clock). */
export class Pace {
  /** When the next change would be due without bursts. */
  #next = -Infinity;

  /**
   * Asks to send a change now, and counts it if it may be sent.
   * @param {number} nowMs
   * @returns {number} How many ms to wait before asking again; 0 if it may be sent now.
   */
  take(nowMs) {
    const wait = Math.ceil(this.#next - BURST_MS - nowMs); // a timer for a fraction of a millisecond fires early
    if (wait > 0) return wait;
    this.#next = Math.max(this.#next, nowMs) + FASTEST_MS;
    return 0;
  }
}

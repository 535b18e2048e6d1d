/**
 * @file Whether the driver can still mean what they hold: a page that was hidden, left, or frozen must not keep
 * driving.
 */

/** How often a page checks that it is running, in ms. */
const BEAT_MS = 50;
/** A page that missed its checks for this long was frozen, in ms. Events from that time are stale. */
export const STILL_MS = 200;

/** @typedef {import('../base/env.js').Lapse} Lapse */

/** Watches one page. */
export class Attention {
  #env;
  #onLapse;
  #beat;
  #undo;

  /**
   * @param {import('../base/env.js').Env} env
   * @param {(why: Lapse) => void} onLapse Called whenever the attention lapses.
   */
  constructor(env, onLapse) {
    this.#env = env;
    this.#onLapse = onLapse;
    this.#beat = env.now();
    this.#undo = [env.every(() => this.check(), BEAT_MS), env.onAway(onLapse)];
  }

  /** Checks whether the page was frozen. Call it before trusting any input, because timers may fire late. */
  check() {
    const now = this.#env.now();
    const still = now - this.#beat > STILL_MS;
    this.#beat = now;
    if (still) this.#onLapse('frozen');
  }

  /**
   * Whether an event waited too long to be acted on.
   * @param {Event} event
   */
  stale(event) {
    return this.#env.now() - event.timeStamp > STILL_MS;
  }

  /** Stops watching. */
  close() {
    for (const undo of this.#undo.splice(0)) undo();
  }
}

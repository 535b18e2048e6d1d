/**
 * @file Whether anybody can be meant to hold a key now: a page that is hidden, left, or stood still must not go on driving.
 */

/** How often a page shows that it runs, in ms. */
const BEAT_MS = 50;
/** A page that did not for so long stood still, in ms. What happened meanwhile is old. */
export const STILL_MS = 200;

/** @typedef {import('../base/env.js').Lapse} Lapse */

/** Watches over one page. */
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

  /** Looks whether the page stood still. To be called before anything is believed: timers may come late. */
  check() {
    const now = this.#env.now();
    const still = now - this.#beat > STILL_MS;
    this.#beat = now;
    if (still) this.#onLapse('frozen');
  }

  /**
   * Whether an event has waited too long to be acted on.
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

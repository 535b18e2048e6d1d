/**
 * @file One stick axis, trigger, or button of a gamepad: how far a hand moves it, as far as the report can be trusted.
 *
 * What a gamepad reports is not always what a hand does: a worn stick rests off its center, a trigger may report the
 * center until it is first touched and its end from then on, and a hat rests outside all of its positions. So a
 * control counts only once it was seen at rest.
 * Pure: times come in as numbers (ms, any monotonic clock).
 */

/** A control that moves less than this is still: more than the noise of a worn stick. */
const STILL_RANGE = 0.05;
/** A control that stays still for this long, in ms, is in nobody's hand if it is also … */
const STILL_MS = 1000;
/** … this near to its nominal rest. */
const MOST_REST = 0.25;
/** A control that was this far from its rest was moved. */
const FAR = 0.5;
/** Sticks and triggers never report more than this; a hat at rest does. */
const MOST_VALUE = 1.05;

/**
 * @typedef {'missing'|'held'|'unproven'|'no-rest'} Doubt Why a control does not count. Missing: the pad does not
 *   report it. Held: it has not been seen at rest since it last had to be released. Unproven: it has not yet been
 *   moved and released. No-rest: it reports a value that sticks and triggers never report.
 */

/** Judges one control. */
export class PadControl {
  /** How far it is off its rest, -1 to 1; 0 while it does not count. */
  value = 0;

  #deadZone;
  /** Whether it must be moved and released before it counts. */
  #unproven;
  #moved = false;
  #live = false;
  /** @type {Doubt|''} */
  #fault = '';
  /** What counts as rest: widens to include every value at which the control is seen to rest. */
  #low;
  #high;
  /** How long it has been still, and where. */
  #still = { since: 0, low: NaN, high: NaN };

  /**
   * @param {object} options
   * @param {number} options.deadZone How far it may be off its rest and still count as at rest.
   * @param {boolean} options.proof Whether it must be moved and released to show where it rests.
   */
  constructor({ deadZone, proof }) {
    this.#deadZone = deadZone;
    this.#unproven = proof;
    this.#low = -deadZone;
    this.#high = deadZone;
  }

  /** Why it does not count; empty if it does. @returns {Doubt|''} */
  get doubt() {
    if (this.#fault !== '' || this.#live) return this.#fault;
    return this.#unproven ? 'unproven' : 'held';
  }

  /**
   * Takes a value that the pad reports.
   * @param {number} raw -1 to 1, rest is 0; NaN if the pad does not report it.
   * @param {number} nowMs
   */
  look(raw, nowMs) {
    this.value = 0;
    if (!Number.isFinite(raw)) {
      this.#lose('missing');
      return;
    }
    if (this.#fault === 'missing') this.#fault = '';
    if (this.#unproven && Math.abs(raw) > MOST_VALUE) this.#lose('no-rest');
    if (this.#fault !== '') return;
    const v = Math.max(-1, Math.min(raw, 1));
    const still = this.#watch(v, nowMs);
    const atRest = v >= this.#low && v <= this.#high;
    if (Math.abs(v) > FAR) this.#moved = true;
    // A trigger that has not been touched may report the center, so staying there proves nothing.
    if (atRest && this.#moved && still) this.#unproven = false;
    if (atRest && !this.#unproven) this.#live = true;
    if (this.#live && !atRest) this.value = this.#rescale(v);
  }

  /** Treats it as released. It counts again after it was seen at rest. */
  rest() {
    this.#live = false;
    this.value = 0;
  }

  /** @param {Doubt} fault */
  #lose(fault) {
    this.#fault = fault;
    this.#still.low = NaN;
    this.rest();
  }

  /** Records its position; true if it has been still for long enough. @param {number} v @param {number} nowMs */
  #watch(v, nowMs) {
    const still = this.#still;
    const [low, high] = [Math.min(v, still.low), Math.max(v, still.high)];
    if (!(high - low <= STILL_RANGE)) {
      this.#still = { since: nowMs, low: v, high: v };
      return false;
    }
    [still.low, still.high] = [low, high];
    if (nowMs - still.since < STILL_MS) return false;
    // Nobody holds a stick this still this close to its center: a worn stick rests here.
    if (low >= -MOST_REST && high <= MOST_REST) {
      this.#low = Math.min(this.#low, low - this.#deadZone);
      this.#high = Math.max(this.#high, high + this.#deadZone);
    }
    return true;
  }

  /** @param {number} v @returns {number} The way from the edge of the rest to the end, scaled to 0 to 1. */
  #rescale(v) {
    return v > 0 ? (v - this.#high) / (1 - this.#high) : (v - this.#low) / (1 + this.#low);
  }
}

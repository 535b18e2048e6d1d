/**
 * @file The quality of the link to the actuator, from the commands of the last seconds.
 */

import { median } from '../base/median.js';

/** Commands are remembered for this long, in ms. */
const MEMORY_MS = 5000;
/** The window of the numbers, in ms. */
const WINDOW_MS = 1000;
/** A command without an answer counts as lost after this, in ms. */
const LOST_MS = 500;

/**
 * @typedef {object} LinkQuality Null means not known (yet).
 * @property {number|null} rttMs Round trip of commands, median.
 * @property {number|null} lostPercent Commands without an answer.
 * @property {number} perSecond Commands sent.
 * @property {number|null} ageMs Age of commands as the actuator measured it, median: an upper bound.
 * @property {Record<string, number>} refusals Commands refused since the lease was granted, by verdict.
 */

/** @typedef {{sequence: number, atMs: number, rttMs: number|null, ageMs: number|null}} Sent */

/** Counts the commands of one lease. Pure: times are passed as numbers (ms, any monotonic clock). */
export class Quality {
  /** @type {Sent[]} */
  #sent = [];
  /** @type {Record<string, number>} */
  #refusals = {};
  /** What the round trip is taken to be before there is one, in ms. */
  #supposedMs = 0;

  /** Supposes a round trip until a command is answered. @param {number} ms */
  suppose(ms) {
    this.#supposedMs = ms;
  }

  /** @param {number} sequence @param {number} nowMs */
  sent(sequence, nowMs) {
    while (this.#sent.length > 0 && nowMs - this.#sent[0].atMs > MEMORY_MS) this.#sent.shift();
    this.#sent.push({ sequence, atMs: nowMs, rttMs: null, ageMs: null });
  }

  /** @param {import('../proto/actuator.js').Report} report @param {number} nowMs When it arrived. */
  reported({ sequence, verdict, ageMs }, nowMs) {
    if (verdict !== 'ACCEPTED') this.#refusals[verdict] = (this.#refusals[verdict] ?? 0) + 1;
    const sent = this.#sent.find((s) => s.sequence === sequence);
    if (sent) Object.assign(sent, { rttMs: nowMs - sent.atMs, ageMs });
  }

  /** The shortest recent round trip, in ms; the supposed one if there is none. */
  get shortestMs() {
    const trips = this.#sent.flatMap((s) => (s.rttMs === null ? [] : [s.rttMs]));
    return trips.length === 0 ? this.#supposedMs : Math.min(...trips);
  }

  /** @param {number} nowMs @returns {LinkQuality} */
  summary(nowMs) {
    const last = this.#sent.filter((s) => nowMs - s.atMs < WINDOW_MS);
    const due = this.#sent.filter((s) => nowMs - s.atMs >= LOST_MS && nowMs - s.atMs < LOST_MS + WINDOW_MS);
    const answered = last.filter((s) => s.rttMs !== null);
    return {
      rttMs: median(answered.map((s) => s.rttMs ?? 0)),
      lostPercent: due.length === 0 ? null : (100 * due.filter((s) => s.rttMs === null).length) / due.length,
      perSecond: last.length,
      ageMs: median(answered.flatMap((s) => (s.ageMs === null ? [] : [s.ageMs]))),
      refusals: { ...this.#refusals },
    };
  }
}

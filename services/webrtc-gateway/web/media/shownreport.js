/**
 * @file What was shown of one video, for the gateway, which makes metrics of it. Pure.
 */

import { findInbound } from './videostats.js';

/** The gateway takes this many ages of a video at once, none beyond this, in ms, and no larger counts. */
const [MOST_AGES, MOST_MS, MOST_COUNT] = [120, 60_000, 10_000];

/** @typedef {import('../proto/gen/waldo/signaling/v1/signaling_pb.js').ShownVideoJson} ShownVideo */

/** Gathers what was shown until it is taken. */
export class ShownReport {
  /** @type {number[]} */
  #agesMs = [];
  #count = 0;
  /** @type {{trackId: string, count: number, ms: number}} The freezes of the track so far. */
  #frozen = { trackId: '', count: 0, ms: 0 };

  /**
   * @param {number|null} ageMs Capture to screen; null if it is not known.
   * @param {number} count Frames shown since the last call.
   */
  frame(ageMs, count) {
    this.#count += count;
    if (ageMs !== null && this.#agesMs.length < MOST_AGES) this.#agesMs.push(Math.min(Math.max(ageMs, 0), MOST_MS));
  }

  /**
   * @param {string} device
   * @param {any[]} report All entries of an RTCStatsReport.
   * @param {string} trackId
   * @returns {ShownVideo|null} Null if nothing was shown, and nothing froze.
   */
  take(device, report, trackId) {
    const [agesMs, count] = [this.#agesMs, this.#count];
    this.#agesMs = [];
    this.#count = 0;
    const { freezes, frozenMs } = this.#freezes(report, trackId);
    if (count === 0 && freezes === 0) return null;
    const rounded = agesMs.map((ms) => Math.round(ms * 100) / 100);
    return { device, agesMs: rounded, count: Math.min(count, MOST_COUNT), freezes: Math.min(freezes, MOST_COUNT), frozenMs };
  }

  /** Those since the last call. @param {any[]} report @param {string} trackId */
  #freezes(report, trackId) {
    const s = findInbound(report, trackId);
    if (!s) return { freezes: 0, frozenMs: 0 };
    const was = this.#frozen.trackId === trackId ? this.#frozen : { count: 0, ms: 0 };
    const now = { trackId, count: s.freezeCount ?? 0, ms: 1000 * (s.totalFreezesDuration ?? 0) };
    this.#frozen = now;
    return { freezes: Math.max(0, now.count - was.count), frozenMs: Math.min(Math.max(0, now.ms - was.ms), MOST_MS) };
  }
}

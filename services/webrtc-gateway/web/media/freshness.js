/**
 * @file Is what is on the screen still true?
 *
 * A frozen picture looks exactly like a robot that stands still, so the age of the last frame is judged many times a
 * second. When a frame is late depends on the camera: the interval between frames is learned as the median of the last
 * few, which one gap (a camera that crashed and restarted) does not move, and a lasting change of rate does.
 */

/** A picture is never stale sooner than this after its last frame, in ms. */
const SHORTEST_MS = 200;
/** A frame may be late by this many intervals. */
const INTERVALS = 2.5;
/** The limit until the interval is known, in ms. */
const UNLEARNED_MS = 1000;
/** Intervals remembered; more than half of them decide. */
const MEMORY = 9;
/** Intervals needed before the median means anything. */
const ENOUGH = 3;

/** Judges the age of one video's last frame. Pure: times come in as numbers (ms, any monotonic clock). */
export class Freshness {
  /** @type {number[]} */
  #intervals = [];
  /** @type {number|null} */
  #last = null;

  /**
   * Records that frames were shown.
   * @param {number} nowMs
   * @param {number} [count] How many since the last call: a busy page misses some, and they share the interval.
   */
  frame(nowMs, count = 1) {
    if (this.#last !== null && nowMs > this.#last) {
      this.#intervals.push((nowMs - this.#last) / Math.max(1, count));
      if (this.#intervals.length > MEMORY) this.#intervals.shift();
    }
    this.#last = Math.max(nowMs, this.#last ?? nowMs);
  }

  /**
   * Records that a frame arrived at some time, without learning from it: it was decoded, but where the browser does
   * not report each frame (a hidden page, a picture off the screen) the time says nothing about the interval.
   * @param {number} atMs
   */
  touch(atMs) {
    this.#last = Math.max(atMs, this.#last ?? atMs);
  }

  /** The camera's frame interval in ms; null until it is learned. */
  get intervalMs() {
    if (this.#intervals.length < ENOUGH) return null;
    const sorted = [...this.#intervals].sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }

  /** Age in ms from which the picture is stale. */
  get thresholdMs() {
    const interval = this.intervalMs;
    return interval === null ? UNLEARNED_MS : Math.max(SHORTEST_MS, INTERVALS * interval);
  }

  /**
   * Time since the last frame in ms; null before the first.
   * @param {number} nowMs
   */
  sinceMs(nowMs) {
    return this.#last === null ? null : Math.max(0, nowMs - this.#last);
  }

  /**
   * @param {number} nowMs
   * @returns {'waiting'|'live'|'stale'} Waiting: no frame yet.
   */
  judge(nowMs) {
    const since = this.sinceMs(nowMs);
    if (since === null) return 'waiting';
    return since < this.thresholdMs ? 'live' : 'stale';
  }
}

/**
 * @file Whether anything comes through a connection.
 *
 * Browsers take seconds to say that a path is dead. The count of the bytes that have come tells it sooner, but costs
 * something to ask for: it is looked at only while there is a reason to doubt.
 */

/** Something that came this lately comes still, in ms. */
const LATELY_MS = 300;

/** Judges a count that is looked at now and then. Pure: given numbers at times in ms. */
export class Flow {
  /** @type {number|null} When something came last; null while there is no doubt. */
  #came = null;
  /** @type {number|null} */
  #bytes = null;
  #looks = 0;
  /** When the count was seen to rise. */
  #rose = -Infinity;

  /** There is a reason to doubt. @param {number} sinceMs When something was known to come last. */
  doubt(sinceMs) {
    if (this.#came !== null) return;
    this.#came = sinceMs;
    this.#bytes = null;
    this.#looks = 0;
    this.#rose = -Infinity;
  }

  /** There is none any more. */
  trust() {
    this.#came = null;
  }

  /**
   * Takes the count.
   * @param {number|null} bytes Null if the browser does not tell.
   * @param {number} nowMs
   */
  count(bytes, nowMs) {
    if (this.#came === null || bytes === null) return;
    if (this.#bytes !== null && bytes !== this.#bytes) this.#came = this.#rose = nowMs;
    this.#bytes = bytes;
    this.#looks += 1;
  }

  /**
   * Whether something was seen to come.
   * @param {number} nowMs
   */
  flows(nowMs) {
    return nowMs - this.#rose < LATELY_MS;
  }

  /**
   * For how long nothing has come, in ms; 0 while that is not known.
   * @param {number} nowMs
   */
  silentMs(nowMs) {
    return this.#came === null || this.#looks < 2 ? 0 : nowMs - this.#came;
  }
}

/** @param {RTCStatsReport} report @returns {number|null} The bytes that have come through a connection. */
export function bytesReceived(report) {
  const all = listed(report);
  for (const type of ['transport', 'candidate-pair']) {
    const counts = all.filter((s) => s.type === type && typeof s.bytesReceived === 'number');
    if (counts.length > 0) return counts.reduce((sum, s) => sum + s.bytesReceived, 0);
  }
  return null;
}

/** @param {RTCStatsReport} report @returns {boolean} Whether a connection goes through a relay, on either side. */
export function isRelayed(report) {
  const all = listed(report);
  const chosen = all.find((s) => s.type === 'transport')?.selectedCandidatePairId;
  const pair = all.find((s) => s.type === 'candidate-pair' && (s.id === chosen || s.selected === true));
  const ends = all.filter((s) => [pair?.localCandidateId, pair?.remoteCandidateId].includes(s.id));
  return ends.some((s) => s.candidateType === 'relay');
}

/** @param {RTCStatsReport} report @returns {any[]} */
function listed(report) {
  /** @type {any[]} */
  const all = [];
  report.forEach((s) => all.push(s));
  return all;
}

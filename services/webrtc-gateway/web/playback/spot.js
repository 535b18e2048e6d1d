/** @file The part of the page's address after `#`, which names a place in a recording. Pure. */

/**
 * @typedef {object} Spot
 * @property {string} recorder Device that has the recording; empty if any may.
 * @property {string} name Of the recording; empty: the list of them.
 * @property {number|null} place In s from its start; null if it is not said.
 * @property {number|null} atMs A time, Unix time in ms: the recording that was made then; null if it is not said.
 */

/** @param {string} hash With or without the `#`. @returns {Spot} */
export function readSpot(hash) {
  const of = new URLSearchParams(hash.replace(/^#/, ''));
  const t = of.get('t') ?? '';
  const at = Date.parse(of.get('at') ?? '');
  return {
    recorder: of.get('recorder') ?? '',
    name: of.get('name') ?? '',
    place: /^\d{1,8}(\.\d{1,9})?$/.test(t) ? Number(t) : null,
    atMs: Number.isNaN(at) ? null : at,
  };
}

/**
 * @param {{recorder?: string, name: string, place?: number|null}} spot
 * @returns {string} With the `#`.
 */
export function writeSpot({ recorder = '', name, place = null }) {
  const of = new URLSearchParams();
  if (recorder !== '') of.set('recorder', recorder);
  if (name !== '') of.set('name', name);
  if (place !== null) of.set('t', String(Math.round(place * 1000) / 1000));
  return `#${of}`;
}

/**
 * The recording that was made at a time, and the place in it.
 * @param {readonly import('../proto/recorder.js').Recording[]} recordings
 * @param {number} atMs Unix time in ms.
 * @returns {{name: string, place: number}|null}
 */
export function findTime(recordings, atMs) {
  for (const { name, startMs, durationMs } of recordings) {
    if (startMs !== null && startMs <= atMs && atMs <= startMs + durationMs) return { name, place: (atMs - startMs) / 1000 };
  }
  return null;
}

/**
 * What was recorded nearest to a time at which nothing was.
 * @param {readonly (import('../proto/recorder.js').Recording & {recorder?: string})[]} recordings
 * @param {number} atMs Unix time in ms.
 * @returns {{recorder: string, name: string, place: number, atMs: number}|null} The end of the recording before, or the beginning of the
 *   one after.
 */
export function nearestTime(recordings, atMs) {
  let nearest = null;
  for (const { recorder = '', name, startMs, durationMs } of recordings) {
    if (startMs === null) continue;
    const place = atMs < startMs ? 0 : durationMs / 1000;
    const there = startMs + place * 1000;
    if (nearest === null || Math.abs(there - atMs) < Math.abs(nearest.atMs - atMs)) nearest = { recorder, name, place, atMs: there };
  }
  return nearest;
}

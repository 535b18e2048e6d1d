/** @file Which part of a recording a timeline shows. Pure. */

/** The least that is shown, in s. */
const LEAST_S = 1;
/** Where the place is after a turn to the next part: at this share of it. */
const AHEAD = 0.1;

/** @typedef {{from: number, to: number}} Span A part of a recording, in s. */

/**
 * The span of a length that is nearest to one that may reach beyond the recording.
 * @param {number} from @param {number} length @param {number} duration In s.
 * @returns {Span}
 */
function within(from, length, duration) {
  const size = Math.min(duration, Math.max(LEAST_S, length));
  const begin = Math.min(Math.max(0, from), duration - size);
  return { from: begin, to: begin + size };
}

/**
 * More or less of the recording, with a place staying where it is.
 * @param {Span} span @param {number} factor Above 1 shows less. @param {number} place @param {number} duration In s.
 * @returns {Span}
 */
export function zoomed({ from, to }, factor, place, duration) {
  const length = Math.min(duration, Math.max(Math.min(LEAST_S, duration), (to - from) / factor));
  const share = to > from ? Math.min(1, Math.max(0, (place - from) / (to - from))) : 0;
  return within(from + share * (to - from) - share * length, length, duration);
}

/**
 * An earlier or later part of the same length.
 * @param {Span} span @param {number} by @param {number} duration In s.
 * @returns {Span}
 */
export function panned({ from, to }, by, duration) {
  return within(from + by, to - from, duration);
}

/**
 * The part that has the place after it has moved. Who looks elsewhere while it plays on is left in peace.
 * @param {Span} span @param {number} before @param {number} place @param {number} duration In s.
 * @returns {Span} The same one if it need not change.
 */
export function followed(span, before, place, duration) {
  const { from, to } = span;
  const inside = (/** @type {number} */ p) => from <= p && p <= to;
  const jumped = Math.abs(place - before) > 1;
  if (place === before || inside(place) || !inside(before) && !jumped) return span;
  return within(place - AHEAD * (to - from), to - from, duration);
}

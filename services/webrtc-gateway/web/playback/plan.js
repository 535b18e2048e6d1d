/**
 * @file What a player of one stream has, asks for next, and lets go, so that its memory is bounded and the place where
 * it plays is always covered first. Pure.
 */

/** How much is fetched ahead of the place at speed 1, and kept behind it, in s. */
const AHEAD_S = 12;
const BEHIND_S = 12;
/** At most this is fetched ahead at higher speeds, in s. */
const MOST_AHEAD_S = 60;
/** What lies further from the place than it would be fetched is kept for a while: people go back and forth. In s. */
const SLACK_S = 8;
/** How much a stream may hold, in bytes. */
export const MOST_BYTES = 48 << 20;
/** To go on after it has run dry, this much has to be there at speed 1, in s. */
const ENOUGH_S = 1.5;

/**
 * A piece of a stream that was fetched: nothing else of the stream is in its time.
 * @typedef {object} Held
 * @property {number} start From where on it is known what there is, in s. @property {number} from Where it begins.
 * @property {number} end Where the next begins; Infinity after the last.
 * @property {number} bytes
 * @property {boolean} [last] Whether nothing came after it.
 *
 * @typedef {object} Facts
 * @property {readonly Held[]} held In order of time, none over another.
 * @property {number} place In s.
 * @property {number} speed
 * @property {number} duration Of the recording, in s.
 * @property {number} [most] How much may be held, in bytes.
 */

/**
 * How far ahead of the place is fetched, in s: at a higher speed it is used up sooner.
 * @param {number} speed
 */
export function aheadOf(speed) {
  return Math.min(MOST_AHEAD_S, AHEAD_S * Math.max(1, speed));
}

/**
 * How much must be there to go on after it has run dry, in s.
 * @param {number} speed
 */
export function enoughAt(speed) {
  return ENOUGH_S * Math.max(1, speed);
}

/**
 * Until when everything from the place on is held.
 * @param {readonly Held[]} held @param {number} place
 * @returns {number} The place itself if nothing is.
 */
export function coveredUntil(held, place) {
  let until = place;
  for (const { start, end } of held) if (start <= until && end > until) until = end;
  return until;
}

/**
 * What to fetch next.
 * @param {Facts} facts
 * @returns {number|null} A place, in s; null: nothing is wanted, or nothing fits.
 */
export function toAsk({ held, place, speed, duration, most = MOST_BYTES }) {
  const next = coveredUntil(held, place);
  if (next > place + aheadOf(speed) || next >= duration) return null;
  // What is needed now is asked for, whatever is held; it will be let go.
  return next - place > enoughAt(speed) && bytesOf(held) >= most ? null : next;
}

/**
 * What to let go next: first what is far away, then, while too much is held, what is furthest from where the place is
 * going. The piece at the place stays.
 * @param {Facts} facts
 * @returns {Held|null}
 */
export function toDrop({ held, place, speed, most = MOST_BYTES }) {
  const others = held.filter(({ start, end }) => place < start || place >= end);
  const far = others.find(({ start, end }) => end < place - BEHIND_S || start > place + aheadOf(speed) + SLACK_S);
  if (far) return far;
  if (bytesOf(held) <= most || others.length === 0) return null;
  const behind = others.find(({ end }) => end <= place);
  return behind ?? others[others.length - 1];
}

/**
 * The list with one more piece, which replaces what was held in its time.
 * @param {readonly Held[]} held @param {Held} piece
 * @returns {Held[]}
 */
export function withPiece(held, piece) {
  const others = held.flatMap((h) => {
    if (h.end <= piece.start || h.start >= piece.end) return [h];
    // What comes before the piece can still be decoded; what comes after it needs what has been replaced.
    return h.start < piece.start ? [{ ...h, end: piece.start }] : [];
  });
  return [...others, piece].sort((a, b) => a.start - b.start);
}

/** @param {readonly Held[]} held */
export function bytesOf(held) {
  return held.reduce((sum, { bytes }) => sum + bytes, 0);
}

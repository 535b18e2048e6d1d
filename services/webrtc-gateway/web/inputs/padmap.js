/**
 * @file Which stick, trigger or button of a gamepad a number means. Pure.
 *
 * Numbers are those of the W3C's standard gamepad: axes 0 and 1 are the left stick, 2 and 3 the right one, buttons 6
 * and 7 the triggers. A pad that the browser has no mapping for numbers its controls in its own way, often with
 * triggers where the standard has a stick; its numbers mean nothing until a {@link PadMap} says what they stand for.
 */

/** How many axes the standard defines. */
const STANDARD_AXES = 4;

/**
 * @typedef {import('../proto/signaling.js').PadMap} PadMap
 *
 * @typedef {object} Place Where a control is found.
 * @property {'axis'|'button'} kind
 * @property {number} index
 * @property {number} sign
 * @property {boolean} trigger Whether it is an axis that rests at its end.
 * @property {boolean} proof Whether its rest is unknown until it was moved and released.
 */

/**
 * Finds a control of a pad.
 * @param {string} control `axis0`, `button7` …
 * @param {{id: string, mapping: string}} pad
 * @param {PadMap[]} maps
 * @returns {Place|null} Null if the number means nothing on this pad.
 */
export function placeOf(control, pad, maps) {
  if (pad.mapping === 'standard') {
    const place = read(control);
    // The standard does not define the axes beyond.
    return place && { ...place, proof: place.kind === 'axis' && place.index >= STANDARD_AXES };
  }
  const own = Object.entries(mapFor(pad, maps)?.controls ?? {}).find(([name]) => name === control)?.[1];
  const place = own === undefined ? null : read(own);
  if (!place || place.kind === 'button') return place;
  return { ...place, trigger: control.startsWith('button'), proof: true };
}

/**
 * @param {{id: string, mapping: string}} pad
 * @param {PadMap[]} maps
 * @returns {boolean} Whether the meaning of the pad's numbers is known.
 */
export function mapped(pad, maps) {
  return pad.mapping === 'standard' || mapFor(pad, maps) !== undefined;
}

/**
 * All known controls of a pad.
 * @param {{id: string, mapping: string, axes: readonly unknown[], buttons: readonly unknown[]}} pad
 * @param {PadMap[]} maps
 * @returns {string[]}
 */
export function controlsOf(pad, maps) {
  if (pad.mapping !== 'standard') return Object.keys(mapFor(pad, maps)?.controls ?? {});
  return [...pad.axes.map((_, i) => `axis${i}`), ...pad.buttons.map((_, i) => `button${i}`)];
}

/**
 * What a pad reports for a control.
 * @param {{axes: readonly unknown[], buttons: readonly unknown[]}} pad
 * @param {Place} place
 * @returns {number} -1 to 1, rest is 0; NaN if it reports nothing.
 */
export function rawValue(pad, { kind, index, sign, trigger }) {
  const found = kind === 'axis' ? pad.axes[index] : pad.buttons[index];
  // Old browsers report buttons as numbers.
  const raw = typeof found === 'number' ? found : /** @type {any} */ (found)?.value;
  if (typeof raw !== 'number') return NaN;
  return trigger ? (sign * raw + 1) / 2 : sign * raw;
}

/** @param {{id: string}} pad @param {PadMap[]} maps */
function mapFor({ id }, maps) {
  return maps.find((m) => m.id !== '' && id.toLowerCase().includes(m.id.toLowerCase()));
}

/** @param {string} control @returns {Place|null} */
function read(control) {
  const [, minus, kind, index] = /^(-?)(axis|button)(\d{1,2})$/.exec(control) ?? [];
  if (kind !== 'axis' && kind !== 'button') return null;
  return { kind, index: Number(index), sign: minus ? -1 : 1, trigger: false, proof: false };
}

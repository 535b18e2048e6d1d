/**
 * @file Reads values of the protobuf JSON mapping out of what came from outside.
 *
 * None of these throws: what is not of the type wanted becomes the zero value of that type, as an absent field does.
 */

/** @typedef {Record<string, unknown>} Json */

/** @param {unknown} v @returns {v is Json} */
export function isObject(v) {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

/** @param {unknown} v @returns {Json} */
export function object(v) {
  return isObject(v) ? v : {};
}

/** @param {unknown} v @returns {string} */
export function text(v) {
  return typeof v === 'string' ? v : '';
}

/** @param {unknown} v @returns {number} */
export function number(v) {
  return typeof v === 'number' && Number.isFinite(v) ? v : 0;
}

/** @param {unknown} v @returns {any[]} */
export function list(v) {
  return Array.isArray(v) ? v : [];
}

/** @param {unknown} v @returns {string[]} */
export function texts(v) {
  return list(v).filter((s) => typeof s === 'string');
}

/** @param {unknown} v @returns {string} Decimal digits; `0` if it is no integer. */
export function integer64(v) {
  if (typeof v === 'number' && Number.isInteger(v)) return String(v);
  return typeof v === 'string' && /^-?\d{1,20}$/.test(v) ? v : '0';
}

/** @param {unknown} v @returns {Record<string, string>} */
export function strings(v) {
  return Object.fromEntries(Object.entries(object(v)).flatMap(([k, s]) => (typeof s === 'string' ? [[k, s]] : [])));
}

/**
 * Reads an RFC 3339 time, down to the nanoseconds Go sends, as Unix time in ms with fractions.
 * @param {unknown} v
 * @returns {number|null} Null if it is none.
 */
export function timestamp(v) {
  const m = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.exec(text(v));
  if (!m) return null;
  // Date.parse would cut to whole milliseconds, and the clock wants better.
  const ms = Date.parse(m[1] + m[3]);
  return Number.isNaN(ms) ? null : ms + Number(`0${m[2] ?? ''}`) * 1000;
}

/**
 * Reads a Duration such as `12.345678s` to the nanosecond: a double would round what has to be compared exactly.
 * @param {unknown} v
 * @returns {bigint|null} Nanoseconds; null if it is none.
 */
export function nanoseconds(v) {
  const m = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text(v));
  if (!m) return null;
  const ns = BigInt(m[2]) * 1_000_000_000n + BigInt((m[3] ?? '').padEnd(9, '0'));
  return m[1] === '-' ? -ns : ns;
}

/**
 * Reads JSON.
 * @param {string} s
 * @returns {unknown} Undefined if it is none.
 */
export function parseJson(s) {
  try {
    return JSON.parse(s);
  } catch {
    return undefined;
  }
}

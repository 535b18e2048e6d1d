/**
 * @file Reads values in the protobuf JSON mapping from outside input.
 *
 * These functions never throw: a value of the wrong type becomes the zero value of the right one, as an absent field
 * does.
 */

/** @typedef {Record<string, unknown>} Json */
/**
 * @template T
 * @typedef {import('./types.js').Claim<T>} Claim
 */

/** @param {unknown} v @returns {v is Json} */
export function isObject(v) {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

/** @param {unknown} v @returns {Json} */
export function object(v) {
  return isObject(v) ? v : {};
}

/**
 * @template T
 * @param {Claim<T>} v
 * @returns {import('./types.js').Fields<T>} The fields of a message, unchecked; empty if it is not an object.
 */
export function fields(v) {
  return /** @type {any} */ (object(v));
}

/**
 * @template T
 * @template R
 * @param {Claim<T>} v
 * @param {(v: Claim<T>) => R} read
 * @returns {R|null} Null for an absent message.
 */
export function maybe(v, read) {
  return isObject(v) ? read(v) : null;
}

/** @param {Claim<string>} v @returns {string} */
export function text(v) {
  return typeof v === 'string' ? v : '';
}

/** @param {Claim<import('./types.js').NumberJson>} v @returns {number} */
export function number(v) {
  return typeof v === 'number' && Number.isFinite(v) ? v : 0;
}

/** @param {Claim<boolean>} v @returns {boolean} */
export function flag(v) {
  return /** @type {unknown} */ (v) === true;
}

/**
 * @template T
 * @param {Claim<T[]>} v
 * @returns {Claim<T>[]}
 */
export function list(v) {
  return Array.isArray(v) ? v : [];
}

/**
 * @template T
 * @param {Claim<T[]>} v
 * @returns {Claim<T>[]} Those that are objects.
 */
export function messages(v) {
  return list(v).filter(isObject);
}

/**
 * @template {string} E
 * @template {string} W
 * @param {Claim<E>} v The name of an enum's value.
 * @param {{readonly [K in E]?: W}} words
 * @returns {W|'unknown'} The word for it.
 */
export function word(v, words) {
  const name = /** @type {E} */ (text(v));
  return (Object.hasOwn(words, name) ? words[name] : undefined) ?? 'unknown';
}

/** @param {Claim<string[]>} v @returns {string[]} */
export function texts(v) {
  return /** @type {unknown[]} */ (list(v)).filter((s) => typeof s === 'string');
}

/** @param {Claim<string>} v Base64, in either alphabet. @returns {Uint8Array<ArrayBuffer>} Empty if it is not. */
export function bytes(v) {
  try {
    return Uint8Array.from(atob(text(v).replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

/** @param {Claim<string>} v @returns {string} Decimal digits; `0` if it is not an integer. */
export function integer64(v) {
  if (typeof v === 'number' && Number.isInteger(v)) return String(v);
  return typeof v === 'string' && /^-?\d{1,20}$/.test(v) ? v : '0';
}

/** @param {Claim<{[key: string]: string}>} v @returns {Record<string, string>} */
export function strings(v) {
  return Object.fromEntries(Object.entries(object(v)).flatMap(([k, s]) => (typeof s === 'string' ? [[k, s]] : [])));
}

/**
 * Reads an RFC 3339 time, down to the nanoseconds Go sends, as Unix time in ms with fractions.
 * @param {Claim<string>} v
 * @returns {number|null} Null if it is not a time.
 */
export function timestamp(v) {
  const m = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.exec(text(v));
  if (!m) return null;
  // Date.parse truncates to whole milliseconds, and the clock needs more.
  const ms = Date.parse(m[1] + m[3]);
  return Number.isNaN(ms) ? null : ms + Number(`0${m[2] ?? ''}`) * 1000;
}

/**
 * Writes a time as RFC 3339, to the microsecond.
 * @param {number} ms Unix time in ms.
 */
export function timestampText(ms) {
  const us = Math.round(ms * 1000);
  const seconds = Math.floor(us / 1e6);
  const fraction = String(us - seconds * 1e6).padStart(6, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/**
 * Reads a Duration such as `12.345678s` to the nanosecond: a double would round values that are compared exactly.
 * @param {Claim<string>} v
 * @returns {bigint|null} Nanoseconds; null if it is not a duration.
 */
export function nanoseconds(v) {
  const m = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text(v));
  if (!m) return null;
  const ns = BigInt(m[2]) * 1_000_000_000n + BigInt((m[3] ?? '').padEnd(9, '0'));
  return m[1] === '-' ? -ns : ns;
}

/**
 * Reads a Duration as ms.
 * @param {Claim<string>} v
 * @returns {number|null} Null if it is not a duration.
 */
export function milliseconds(v) {
  const ns = nanoseconds(v);
  return ns === null ? null : Number(ns) / 1e6;
}

/**
 * Reads JSON.
 * @param {string} s
 * @returns {unknown} Undefined if it is not valid.
 */
export function parseJson(s) {
  try {
    return JSON.parse(s);
  } catch {
    return undefined;
  }
}

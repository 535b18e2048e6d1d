/** @file The messages of boards, split up for people. Pure. */

import { fields, isObject, object, parseJson, text } from '../proto/json.js';

/** @typedef {import('../proto/types.js').Claim<import('../proto/gen/waldo/serial/v1/serial_pb.js').SerialMessageJson>} SerialMessage Not checked. */

/** A board that invents names must not fill the page. */
const MOST_KEYS = 40;
/** The longest text shown for one value. */
const LONGEST = 60;

/**
 * The name of the stream on which a device publishes its board's messages.
 * @param {import('../proto/signaling.js').Device} d
 * @returns {string} Empty if it has none.
 */
export function serialStream(d) {
  return d.streams.find((s) => s.direction === 'out' && s.messageType === 'waldo.serial.v1.SerialMessage')?.name ?? '';
}

/**
 * The values of one message, by name.
 * @param {SerialMessage} message
 * @returns {[key: string, value: unknown][]} None if it has no values, only bytes.
 */
export function readValues(message) {
  if ('raw' in message) return [];
  let value = parseJson(text(fields(message).json));
  // Many boards send lines of JSON.
  if (typeof value === 'string') value = plain(value);
  if (Array.isArray(value)) return value.slice(0, MOST_KEYS).map((v, i) => [String(i), v]);
  const entries = Object.entries(object(value)).slice(0, MOST_KEYS);
  if (!('sentence' in message)) return entries;
  const prefix = prefixOf(message);
  return entries.filter(([key]) => key !== 'type').map(([key, v]) => [prefix + key, v]);
}

/**
 * The values that are no longer available: a sentence omits what it does not know, such as the position without a fix.
 * @param {SerialMessage} message
 * @param {Iterable<string>} known The names of the values that are shown.
 * @returns {string[]} Their names.
 */
export function missingKeys(message, known) {
  const prefix = prefixOf(message);
  if (prefix === '') return [];
  const given = new Set(readValues(message).map(([key]) => key));
  return [...known].filter((key) => key.startsWith(prefix) && !given.has(key));
}

/** @param {SerialMessage} message The prefix of its values' names; empty unless it is a sentence. */
function prefixOf(message) {
  return 'sentence' in message ? `${text(/** @type {any} */ (object(parseJson(text(fields(message).json))).type))}.` : '';
}

/** @param {string} line */
function plain(line) {
  const value = parseJson(line);
  return isObject(value) || Array.isArray(value) ? value : { line };
}

/**
 * A value as people read it.
 * @param {unknown} value
 * @param {boolean} fraction Whether the number sometimes has a fraction: then it always shows its digits, so that nothing jumps.
 */
export function showValue(value, fraction) {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return fraction ? value.toFixed(3) : String(value);
  const words = typeof value === 'string' ? value : JSON.stringify(value);
  return words.length > LONGEST ? `${words.slice(0, LONGEST)}…` : words;
}

/**
 * One message as a line of text.
 * @param {SerialMessage} message
 */
export function showMessage(message) {
  const { line, raw, sentence, json } = fields(message);
  if (typeof line === 'string') return line;
  if (typeof raw === 'string') return hex(raw);
  return text(fields(sentence).raw) || text(json);
}

/** @param {string} base64 */
function hex(base64) {
  try {
    return Array.from(atob(base64), (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join(' ');
  } catch {
    return base64;
  }
}

/**
 * Turns a typed line into a message to write.
 * @param {string} line
 * @param {string} form The format that the port writes: `line`, `raw`, or a struct format.
 * @returns {{line: string}|{raw: string}|{json: string}}
 */
export function messageOf(line, form) {
  if (form === 'line') return { line };
  if (form === 'raw') return { raw: btoa(String.fromCharCode(...new TextEncoder().encode(line))) };
  return { json: line };
}

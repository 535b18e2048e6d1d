/** @file Splits a message of any type into named values. Pure. */

import { isObject } from '../proto/json.js';

/** How many levels of a message are split. */
const DEEPEST = 8;
/** Integers of 64 bits are text in the protobuf JSON mapping. */
const INTEGER = /^-?\d{1,20}$/;

/**
 * The values of a message by their path: `pose.x`, `motors[0].current`.
 * @param {unknown} message In the protobuf JSON mapping.
 * @param {string} name The name of the message itself if it is a single value.
 * @param {number} most The most values to return.
 * @returns {{values: [key: string, value: unknown][], more: boolean}} More: there are further values.
 */
export function flatten(message, name, most) {
  /** @type {[string, unknown][]} */
  const values = [];
  let more = false;
  /** @param {string} key @param {unknown} value @param {number} depth @returns {void} */
  const walk = (key, value, depth) => {
    if (values.length >= most) {
      more = true;
      return;
    }
    const compound = isObject(value) || Array.isArray(value);
    if (!compound || depth === DEEPEST) {
      values.push([key || name, value]);
      return;
    }
    const entries = Object.entries(value);
    for (const [i, [part, inner]] of entries.entries()) {
      if (values.length >= most && i < entries.length) {
        more = true;
        return;
      }
      walk(Array.isArray(value) ? `${key || name}[${part}]` : key ? `${key}.${part}` : part, inner, depth + 1);
    }
  };
  walk('', message, 0);
  return { values, more };
}

/**
 * The plotted number of a value.
 * @param {unknown} value
 * @returns {number|null} Null if it is not a number; not finite for NaN and the infinities, which are text in the mapping.
 */
export function plotted(value) {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return null;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  return INTEGER.test(value) ? Number(value) : null;
}

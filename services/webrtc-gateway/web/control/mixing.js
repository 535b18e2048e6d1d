/**
 * @file From what a driver moves to the message for the actuator. Pure.
 */

import { object, parseJson } from '../proto/json.js';

/** Numbers without a format of their own are rounded to so many parts, which hides what doubles do to decimals. */
const PARTS = 1e6;

/**
 * @typedef {import('../proto/signaling.js').DriveConfig} DriveConfig
 * @typedef {import('../proto/signaling.js').DriveAxis} DriveAxis
 * @typedef {import('../proto/serial.js').FieldInfo} FieldInfo
 */

/**
 * Something that a driver moves axes with. Keyboard, Gamepad and TouchStick are; so is whatever has these.
 * @typedef {object} Input
 * @property {(axis: DriveAxis) => number} axis How far it moves an axis, -1 to 1.
 * @property {boolean} atRest Whether nothing that could move an axis is held.
 * @property {() => void} rest Forgets what is held: it counts again when it was let go and taken anew.
 * @property {(axes: DriveAxis[], pads: import('../inputs/padmap.js').PadMap[]) => void} [bind] Says which axes there are to move, and what is
 *   known of gamepads without a mapping.
 * @property {(type: 'change', run: () => void) => void} [addEventListener]
 * @property {(type: 'change', run: () => void) => void} [removeEventListener]
 */

/**
 * Where all inputs together move each axis. What pulls in opposite directions cancels out.
 * @param {DriveAxis[]} axes
 * @param {Iterable<Input>} inputs
 * @returns {Record<string, number>} By name, -1 to 1.
 */
export function axisValues(axes, inputs) {
  const all = [...inputs];
  return Object.fromEntries(axes.map((axis) => {
    const sum = all.reduce((total, input) => total + finite(input.axis(axis)), 0);
    return [axis.name, clamp(sum, -1, 1)];
  }));
}

/**
 * The values of the message, within what the port can take.
 * @param {DriveConfig} config
 * @param {Record<string, number>} axes
 * @param {Map<string, FieldInfo>} fields
 * @returns {Record<string, number>} By key.
 */
export function driveValues(config, axes, fields) {
  return Object.fromEntries(config.values.map(({ key, terms, offset }) => {
    const sum = terms.reduce((total, { axis, gain }) => total + gain * (axes[axis] ?? 0), offset);
    return [key, fit(finite(sum), fields.get(key))];
  }));
}

/**
 * The message that moves as the axes say. At rest it is the safe message to the letter, for only that is neutral for sure.
 * What is not driven stays as it is there.
 * @param {DriveConfig} config
 * @param {Record<string, number>} axes
 * @param {Map<string, FieldInfo>} fields
 * @param {string} safeJson
 * @returns {string}
 */
export function commandJson(config, axes, fields, safeJson) {
  if (Object.values(axes).every((v) => v === 0)) return safeJson;
  return JSON.stringify({ ...object(parseJson(safeJson)), ...driveValues(config, axes, fields) });
}

/** @param {number} value @param {FieldInfo|undefined} field */
function fit(value, field) {
  // A format whose limits are not told has none that are known here; the actuator refuses what it cannot take.
  const within = field && field.minimum < field.maximum ? clamp(value, field.minimum, field.maximum) : value;
  // Adding 0 turns -0, which some formats know, into 0.
  return (field?.whole ? Math.round(within) : Math.round(within * PARTS) / PARTS) + 0;
}

/** @param {number} v */
function finite(v) {
  return Number.isFinite(v) ? v : 0;
}

/** @param {number} v @param {number} least @param {number} most */
function clamp(v, least, most) {
  return Math.max(least, Math.min(most, v)) + 0;
}

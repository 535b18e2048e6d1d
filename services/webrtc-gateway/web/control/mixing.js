/**
 * @file Turns a driver's input into the message for the actuator. Pure.
 */

import { object, parseJson } from '../proto/json.js';

/** Numbers without a format are rounded to this many parts, which hides the rounding errors of doubles. */
const PARTS = 1e6;

/**
 * @typedef {import('../proto/signaling.js').DriveConfig} DriveConfig
 * @typedef {import('../proto/signaling.js').DriveAxis} DriveAxis
 * @typedef {import('../proto/serial.js').FieldInfo} FieldInfo
 */

/**
 * A device that moves axes: Keyboard, Gamepad, TouchStick, or any object with these properties.
 * @typedef {object} Input
 * @property {(axis: DriveAxis) => number} axis The position of an axis, -1 to 1.
 * @property {boolean} atRest Whether nothing is held that could move an axis.
 * @property {() => void} rest Ignores what is held until it is released and pressed again.
 * @property {(axes: DriveAxis[], pads: import('../inputs/padmap.js').PadMap[]) => void} [bind] Sets the axes to move,
 * and the
 *
 *   known maps of gamepads without a mapping.
 * @property {(type: 'change', run: () => void) => void} [addEventListener]
 * @property {(type: 'change', run: () => void) => void} [removeEventListener]
 */

/**
 * The position of each axis from all inputs together. Opposite directions cancel out.
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
 * The values of the message, within the limits of the port.
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
 * The message for these axis positions. At rest it is exactly the safe message, because only that is certainly neutral.
 * Values that are not driven stay as they are there.
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
  // A format without stated limits is not limited here; the actuator refuses invalid values.
  const within = field && field.minimum < field.maximum ? clamp(value, field.minimum, field.maximum) : value;
  // Adding 0 turns -0, which some formats distinguish, into 0.
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

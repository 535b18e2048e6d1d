/** @file Decodes the messages of serial ports, waldo.serial.v1. The fields are documented in api/proto. */

import { fields, flag, messages, number, text } from './json.js';

/** @import { FieldInfoJson, PortJson } from './gen/waldo/serial/v1/serial_pb.js' */
/** @import { Claim } from './types.js' */

/** @typedef {ReturnType<typeof field>} FieldInfo What the format of a value can hold. */

/**
 * Reads the values that a port accepts.
 * @param {Claim<PortJson>} port
 * @returns {Map<string, FieldInfo>} By key; empty if it accepts any.
 */
export function writeFields(port) {
  return new Map(messages(fields(port).writeFields).map(field).map((f) => [f.key, f]));
}

/** @param {Claim<FieldInfoJson>} v */
function field(v) {
  const { key, whole, minimum, maximum } = fields(v);
  return { key: text(key), whole: flag(whole), minimum: number(minimum), maximum: number(maximum) };
}

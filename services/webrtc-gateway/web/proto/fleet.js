/**
 * @file Decodes the list of robots that a gateway of a fleet sends, waldo.fleet.v1 in the protobuf JSON mapping. Like
 * {@link import('./signaling.js')}, it never throws.
 */

import { fields, flag, messages, parseJson, text, timestamp, word } from './json.js';

/** @import { RobotDeviceJson, RobotListJson, RobotStatusJson } from './gen/waldo/fleet/v1/robot_pb.js' */
/** @import { Claim } from './types.js' */

/**
 * @typedef {ReturnType<typeof robot>} FleetRobot A robot, as the gateway sees it.
 * @typedef {ReturnType<typeof device>} FleetDevice A device of a robot, in short.
 */

/** What names of robots and devices may be. They become part of addresses. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads a list of robots.
 * @param {string} data
 * @returns {FleetRobot[]|null} Null if it is none.
 */
export function parseRobots(data) {
  const list = /** @type {Claim<RobotListJson>} */ (parseJson(data));
  if (typeof list !== 'object' || list === null) return null;
  return messages(fields(list).robots).map(robot).filter((r) => NAME.test(r.name));
}

/** @param {Claim<RobotStatusJson>} v */
function robot(v) {
  const { state, away, reason, since } = fields(v);
  const { robot: name, version, devices } = fields(state);
  return {
    name: text(name),
    version: text(version),
    away: flag(away),
    /** Why it cannot be reached, or another problem; empty when all is well. */
    reason: text(reason),
    /** Since when it is there, or away; null if unknown. */
    sinceMs: timestamp(since),
    devices: messages(devices).map(device).filter((d) => NAME.test(d.name)),
  };
}

/** @param {Claim<RobotDeviceJson>} v */
function device(v) {
  const { name, kind, state, stateReason, gone } = fields(v);
  return {
    name: text(name),
    kind: text(kind),
    state: word(state, STATES),
    reason: text(stateReason),
    /** Its process is dead, or has never run. */
    gone: flag(gone),
  };
}

/** @type {{readonly [K in NonNullable<RobotDeviceJson['state']>]?: 'starting'|'ready'|'away'|'stopping'}} */
const STATES = {
  DEVICE_STATE_STARTING: 'starting',
  DEVICE_STATE_READY: 'ready',
  DEVICE_STATE_AWAY: 'away',
  DEVICE_STATE_STOPPING: 'stopping',
};

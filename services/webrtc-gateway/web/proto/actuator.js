/**
 * @file Decodes the messages of an actuator, waldo.control.v1: who commands it and whether it may move. The fields are
 * documented in api/proto.
 */

import {
  fields, flag, integer64, maybe, milliseconds, nanoseconds, number, text, timestamp, word,
} from './json.js';

/**
 * @import { CommandReportJson, ControlStateJson, EStopJson, LeaseJson } from './gen/waldo/control/v1/control_pb.js'
 * @import { SightJson } from './gen/waldo/control/v1/control_pb.js'
 */
/** @import { Claim } from './types.js' */

/**
 * @typedef {NonNullable<ReturnType<typeof controlState>>} ControlState Who commands an actuator, and whether it may
 *   move.
 * @typedef {ControlState['phase']} ControlPhase
 * @typedef {ReturnType<typeof latched>} LatchedEStop A pressed e-stop.
 * @typedef {NonNullable<ReturnType<typeof report>>} Report What became of a command.
 * @typedef {NonNullable<ReturnType<typeof leaseGrant>>} LeaseGrant The right to command an actuator.
 * @typedef {ReturnType<typeof sight>} Sight What the driver sees, to the actuator's knowledge.
 * @typedef {ReturnType<typeof clock>} Clock A moment on the actuator's own clock: as received, and in comparable form.
 */

const phases = /** @type {const} */ ({
  CONTROL_PHASE_FREE: 'free',
  CONTROL_PHASE_SAFE: 'safe',
  CONTROL_PHASE_DRIVING: 'driving',
  CONTROL_PHASE_E_STOPPED: 'e-stopped',
});

/** @param {Claim<ControlStateJson>} v @returns Null if it is not a ControlState. */
export function controlState(v) {
  const s = fields(v);
  const epoch = integer64(s.epoch);
  if (epoch === '0') return null;
  return {
    /** This life of the actuator process. */
    epoch,
    clock: clock(s.clock),
    phase: word(s.phase, phases),
    /** Why the hardware was last stopped, for example `DEADMAN`. */
    cause: text(s.cause).replace('SAFE_CAUSE_', ''),
    /** Who holds the lease; empty if nobody does. */
    holder: text(s.holder),
    /** Unix time in ms by the clock of the actuator's machine. */
    holderSinceMs: timestamp(s.holderSince),
    eStop: maybe(s.eStop, latched),
    /** The message that means standing still. */
    safeJson: text(s.safeJson),
    /** What the driver sees; null if the actuator does not watch that. */
    sight: maybe(s.sight, sight),
  };
}

/** No age is negative, whatever was computed from clocks. @param {number|null} ms */
const atLeast0 = (ms) => (ms === null ? null : Math.max(ms, 0));

/** @param {Claim<SightJson>} v */
function sight(v) {
  const { camera, age, speed, slow, stop } = fields(v);
  return {
    /** Name of the camera that the driver must see. */
    camera: text(camera),
    /** How old the picture was that the sender of the last command had seen; null if none, or one not known. */
    ageMs: atLeast0(milliseconds(age)),
    /** The greatest speed allowed, as a share of full speed, 0 to 1. */
    speed: number(speed),
    /** Age from which the speed is reduced. */
    slowMs: milliseconds(slow),
    /** Age from which the hardware stands still. */
    stopMs: milliseconds(stop),
  };
}

/** @param {Claim<EStopJson>} v */
function latched(v) {
  const { by, reason, pressTime, persisted, id } = fields(v);
  return {
    /** Who pressed it, under the name they gave. */
    by: text(by),
    reason: text(reason),
    /** Unix time in ms by the clock of the actuator's machine. */
    pressMs: timestamp(pressTime),
    /** Whether it survives a restart of the actuator. */
    persisted: flag(persisted),
    /** Clearing the e-stop names it. */
    id: integer64(id),
  };
}

/** @param {Claim<LeaseJson>} v @returns Null if it is not a Lease. */
export function leaseGrant(v) {
  const { epoch, ttl, life, maxLife } = fields(v);
  const ttlMs = milliseconds(ttl) ?? 0;
  if (integer64(epoch) === '0' || ttlMs <= 0) return null;
  // Actuators of earlier versions do not report the last two; they choose the life of commands themselves.
  return { epoch: integer64(epoch), ttlMs, lifeMs: milliseconds(life) ?? 0, maxLifeMs: milliseconds(maxLife) ?? 0 };
}

/** @param {Claim<CommandReportJson>} v @returns Null if it is not a CommandReport. */
export function report(v) {
  const r = fields(v);
  const verdict = text(r.verdict).replace('COMMAND_VERDICT_', '');
  if (verdict === '') return null;
  return {
    sequence: Number(integer64(r.sequence)),
    /** For example `ACCEPTED`. */
    verdict,
    clock: clock(r.clock),
    /** An upper bound of the command's age, as the actuator measured it. */
    ageMs: atLeast0(milliseconds(r.age)),
    /** What the driver had seen; null if the actuator does not watch that. */
    sight: maybe(r.sight, sight),
  };
}

/** @param {Claim<string>} v The beginning of the actuator's life if it is not a Duration. */
function clock(v) {
  const ns = nanoseconds(v);
  return ns === null ? { text: '0s', ns: 0n } : { text: text(v), ns };
}

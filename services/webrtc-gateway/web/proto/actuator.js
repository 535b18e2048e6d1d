/**
 * @file The words of waldo.control.v1, made plain: who commands an actuator, and whether it may move.
 */

import { integer64, isObject, nanoseconds, object, text, timestamp } from './json.js';

/**
 * @typedef {object} LatchedEStop
 * @property {string} by Who pressed it, as it calls itself.
 * @property {string} reason For people; may be empty.
 * @property {number|null} pressMs When, Unix time in ms by the clock of the actuator's machine.
 * @property {boolean} persisted Whether it will outlast a restart of the actuator.
 * @property {string} id Names it; who clears it has to.
 *
 * @typedef {'free'|'safe'|'driving'|'e-stopped'|'unknown'} ControlPhase
 *
 * @typedef {object} ControlState
 * @property {string} epoch This life of the actuator process.
 * @property {Clock} clock
 * @property {ControlPhase} phase
 * @property {string} cause Why the hardware was last made to stand still, for example `DEADMAN`.
 * @property {string} holder Who has the lease; empty if nobody has.
 * @property {number|null} holderSinceMs Unix time in ms by the clock of the actuator's machine.
 * @property {LatchedEStop|null} eStop
 * @property {string} safeJson The message that means standing still.
 *
 * @typedef {{text: string, ns: bigint}} Clock A moment on the actuator's own clock: as it came, and to compare.
 *
 * @typedef {object} Report What became of a command.
 * @property {number} sequence
 * @property {string} verdict For example `ACCEPTED`.
 * @property {Clock} clock
 * @property {number|null} ageMs An upper bound of the command's age, as the actuator measured it.
 */

/** @type {Record<string, ControlPhase>} */
const phases = {
  CONTROL_PHASE_FREE: 'free',
  CONTROL_PHASE_SAFE: 'safe',
  CONTROL_PHASE_DRIVING: 'driving',
  CONTROL_PHASE_E_STOPPED: 'e-stopped',
};

/**
 * @param {unknown} v A waldo.control.v1.ControlState in the protobuf JSON mapping.
 * @returns {ControlState|null} Null if it is none.
 */
export function controlState(v) {
  const s = object(v);
  const epoch = integer64(s.epoch);
  if (epoch === '0') return null;
  return {
    epoch,
    clock: clock(s.clock),
    phase: phases[text(s.phase)] ?? 'unknown',
    cause: text(s.cause).replace('SAFE_CAUSE_', ''),
    holder: text(s.holder),
    holderSinceMs: timestamp(s.holderSince),
    eStop: isObject(s.eStop) ? eStop(s.eStop) : null,
    safeJson: text(s.safeJson),
  };
}

/** @param {import('./json.js').Json} e @returns {LatchedEStop} */
function eStop(e) {
  return {
    by: text(e.by),
    reason: text(e.reason),
    pressMs: timestamp(e.pressTime),
    persisted: e.persisted === true,
    id: integer64(e.id),
  };
}

/**
 * @param {unknown} v A waldo.control.v1.CommandReport in the protobuf JSON mapping.
 * @returns {Report|null} Null if it is none.
 */
export function report(v) {
  const r = object(v);
  const verdict = text(r.verdict).replace('COMMAND_VERDICT_', '');
  if (verdict === '') return null;
  const age = nanoseconds(r.age);
  return { sequence: Number(integer64(r.sequence)), verdict, clock: clock(r.clock), ageMs: age === null ? null : Number(age) / 1e6 };
}

/** @param {unknown} v @returns {Clock} The beginning of the actuator's life if it is none. */
function clock(v) {
  const ns = nanoseconds(v);
  return ns === null ? { text: '0s', ns: 0n } : { text: text(v), ns };
}

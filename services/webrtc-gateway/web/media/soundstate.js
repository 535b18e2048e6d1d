/** @file The state of one direction of a device's sound. */

/**
 * @typedef {Omit<import('./liveness.js').Facts, 'freshness'|'refused'|'paused'|'noun'>} Surroundings What the robot
 *   knows.
 *
 * @typedef {object} SoundState
 * @property {'off'|'waiting'|'live'|'stale'} state Off: not wanted. Waiting: not connected yet. Live: sound gets
 *   through. Stale: it did before, and does not now.
 * @property {import('./liveness.js').Reason|'off'} reason
 * @property {string} text Why it is not live, for people; empty when it is, and when it is off.
 */

/** @type {SoundState} */
export const OFF = { state: 'off', reason: 'off', text: '' };
/** @type {SoundState} */
export const LIVE = { state: 'live', reason: 'ok', text: '' };

/** @param {SoundState} a @param {SoundState} b */
export function same(a, b) {
  return a.state === b.state && a.reason === b.reason && a.text === b.text;
}

/** @file What to say about driving. Pure. */

import { uptime } from './format.js';

/**
 * @typedef {object} DriveFacts
 * @property {Pick<import('../control/drive.js').Drive, 'state'|'why'|'reason'>} drive
 * @property {import('../proto/signaling.js').Device|null} device The actuator; null if it is not listed.
 * @property {import('../proto/actuator.js').ControlState|null} state What it said of its control; null if nothing yet.
 * @property {string} other Who else drives; empty if nobody does.
 * @property {boolean} atRest Whether all inputs are at rest.
 * @property {number} nowMs Gateway's time, Unix time in ms.
 * @property {import('./motorwords.js').MotorsState} [motors] What is known of the motors.
 * @property {string} [warning] Which pictures are away; empty if none is.
 */

/**
 * @param {DriveFacts} facts
 * @returns {{text: string, why: string, pill: string}} The state; why, or what to do; and the state in a word or two, for where
 *   there is little room, empty if it is not worth it.
 */
export function driveStatus({ drive, device, state, other, atRest, nowMs, motors, warning }) {
  switch (drive.state) {
    case 'acquiring':
      return { text: 'Getting the lease', why: '', pill: 'Starting' };
    case 'arming':
      return atRest
        ? { text: 'Starting', why: 'A first command is on its way', pill: 'Starting' }
        : { text: 'Release the controls to start', why: '', pill: 'Release controls' };
    case 'driving':
      if (motors === 'unknown') return { text: 'Not known whether you drive', why: 'The motors are not heard of', pill: 'Motors not known' };
      if (motors === 'stopped') return { text: 'You drive, the motors are stopped', why: '', pill: 'Motors stopped' };
      return { text: 'You drive', why: '', pill: warning ? 'Picture away' : 'You drive' };
    case 'estopped':
      return { text: 'E-stop is latched', why: 'Nothing moves until it is cleared', pill: '' };
    case 'away':
      return { text: `${device?.name ?? 'The device'} is away`, why: device?.reason ?? '', pill: 'Away' };
    case 'lost':
      return { text: 'Connection lost', why: 'Goes on if it is back in a few seconds', pill: 'Connection lost' };
    default:
      return { text: idle(device, state, other, nowMs, motors), why: drive.why, pill: '' };
  }
}

/**
 * @param {import('../proto/signaling.js').Device|null} device
 * @param {import('../proto/actuator.js').ControlState|null} state
 * @param {string} other
 * @param {number} nowMs
 * @param {import('./motorwords.js').MotorsState} [motors]
 */
function idle(device, state, other, nowMs, motors) {
  if (device === null || device.gone) return 'Not heard of';
  if (device.state === 'away') return `Away: ${device.reason}`;
  if (state === null) return 'Connecting';
  if (motors === 'unknown') return 'Not known who drives';
  if (other === '') return 'Nobody drives';
  return `${other} drives${state.holderSinceMs === null ? '' : `, since ${uptime(nowMs - state.holderSinceMs)}`}`;
}

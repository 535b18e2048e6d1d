/** @file The texts about driving. Pure. */

import { uptime } from './format.js';
import { pace } from './motorwords.js';
import { replayedFrom } from './recorderwords.js';

/**
 * @typedef {object} DriveFacts
 * @property {string} name Of the actuator.
 * @property {Pick<import('../control/drive.js').Drive, 'state'|'why'|'reason'>} drive
 * @property {import('../proto/signaling.js').Device|null} device The actuator; null if it is not listed.
 * @property {import('../proto/actuator.js').ControlState|null} state Its last reported state; null if there is none yet.
 * @property {string} other The other driver; empty if there is none.
 * @property {boolean} atRest Whether all inputs are at rest.
 * @property {number} nowMs Gateway's time, Unix time in ms.
 * @property {import('./motorwords.js').MotorsState} [motors] The state of the motors.
 * @property {string} [warning] Which pictures are not live; empty if all are.
 * @property {number} [speed] The greatest speed allowed for what the driver sees, as a share of full speed; default 1.
 */

/**
 * @param {DriveFacts} facts
 * @returns {{text: string, why: string, pill: string}} The state; why, or what to do; and the state in a word or two
 * for narrow places,
 *
 *   empty if it is not worth showing.
 */
export function driveStatus({ name, drive, device, state, other, atRest, nowMs, motors, warning, speed = 1 }) {
  switch (drive.state) {
    case 'acquiring':
      return { text: 'Acquiring the lease', why: '', pill: 'Starting' };
    case 'arming':
      return atRest
        ? { text: 'Starting', why: 'Sending the first command', pill: 'Starting' }
        : { text: 'Release the controls to start', why: '', pill: 'Release controls' };
    case 'driving':
      if (motors === 'unknown') return { text: 'Unknown whether you drive', why: `${name} is silent`, pill: `${name} unknown` };
      if (speed === 0) return { text: `You drive, ${pace(speed)}`, why: '', pill: 'Standing still' };
      if (motors === 'stopped') return { text: `You drive, ${name} is stopped`, why: '', pill: `${name} stopped` };
      if (speed < 1) return { text: `You drive, ${pace(speed)}`, why: '', pill: 'Slowed' };
      return { text: 'You drive', why: '', pill: warning ? 'Picture away' : 'You drive' };
    case 'estopped':
      return { text: 'E-stop is latched', why: 'Nothing moves until it is cleared', pill: '' };
    case 'away':
      return { text: `${name} is away`, why: device?.reason ?? '', pill: 'Away' };
    case 'lost':
      return { text: 'Connection lost', why: 'Driving resumes if it is back within a few seconds', pill: 'Connection lost' };
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
  if (device === null || device.gone) return 'Silent';
  if (device.state === 'away') return `Away: ${device.reason}`;
  if (replayedFrom(device) !== '') return 'A replay: it cannot be driven';
  if (state === null) return 'Connecting';
  if (motors === 'unknown') return 'Unknown who drives';
  if (other === '') return 'Nobody drives';
  return `${other} drives${state.holderSinceMs === null ? '' : `, since ${uptime(nowMs - state.holderSinceMs)}`}`;
}

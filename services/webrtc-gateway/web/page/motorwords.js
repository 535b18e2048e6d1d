/** @file The texts about what is driven, and about pictures that a driver might still believe. Pure. */

import { isOwn } from '../base/holder.js';
import { firstSentence, since } from './format.js';
import { replayedFrom } from './recorderwords.js';

/**
 * @typedef {'unknown'|'away'|'estopped'|'stopped'|'driven'} MotorsState Unknown: the actuator has been silent, so its last state may no longer be true.
 *
 * @typedef {object} MotorFacts
 * @property {string} name Of the actuator.
 * @property {import('../link/link.js').LinkState} link
 * @property {import('../proto/signaling.js').Device|null} device The actuator; null if it is not listed.
 * @property {import('../proto/actuator.js').ControlState|null} state What it last reported.
 * @property {boolean} known Whether that is recent enough to be true.
 * @property {number} ageMs How old it is.
 * @property {string} holder The name of this page.
 * @property {string} refusal Why our newest command was refused; empty if it was accepted.
 */

/** @type {Record<string, string>} Why commands are refused. */
const REFUSALS = {
  EXPIRED: 'they arrive too late',
  OUT_OF_ORDER: 'they arrive out of order',
  UNKNOWN_CLOCK: 'the device was restarted',
  BEFORE_STOP: 'they were sent before the last stop',
  NOT_NEUTRAL: 'release the controls first',
  E_STOPPED: 'the e-stop is latched',
  AWAY: 'the hardware is away',
  NO_LEASE: 'the lease is gone',
  BLIND: 'the picture is too old',
};

/** @type {Record<string, string>} Why the hardware was last stopped. */
const CAUSES = {
  START: 'the device has just started',
  DEADMAN: 'no command came in time',
  LEASE_LAPSED: 'the driver is gone',
  LEASE_RELEASED: 'the last driver has stopped',
  LEASE_TAKEN: 'somebody has taken over',
  E_STOP: 'there was an e-stop',
  AWAY: 'the hardware was away',
  BLIND: 'the driver saw no new picture',
};

/**
 * @param {MotorFacts} facts
 * @returns {{state: MotorsState, text: string}}
 */
export function motorsStatus({ name, link, device, state, known, ageMs, holder, refusal }) {
  if (link !== 'live') return { state: 'unknown', text: link === 'connecting' ? `${name}: connecting` : `${name}: unknown, the gateway is lost` };
  if (replayedFrom(device) !== '') return { state: 'stopped', text: `${name}: replayed, it cannot be driven` };
  if (state === null) return { state: 'unknown', text: `${name}: no report yet` };
  if (!known) return { state: 'unknown', text: `${name}: unknown, last report ${since(ageMs)} ago` };
  if (state.phase === 'e-stopped') return { state: 'estopped', text: `${name}: stopped by the e-stop` };
  if (device?.state === 'away') return { state: 'away', text: `${name}: away${device.reason && `, ${firstSentence(device.reason)}`}` };
  const own = isOwn(state.holder, holder);
  const why = own && refusal ? `commands are refused, ${REFUSALS[refusal] ?? refusal}` : '';
  if (state.phase === 'driving') {
    return { state: 'driven', text: `${name}: driven by ${own ? 'you' : state.holder || 'somebody'}${why && `; some ${why}`}` };
  }
  if (state.phase === 'unknown') return { state: 'unknown', text: `${name}: unknown, this page is older than the robot` };
  const cause = state.phase === 'free' && !CAUSES[state.cause] ? 'nobody drives' : CAUSES[state.cause] ?? state.cause;
  return { state: 'stopped', text: `${name}: stopped, ${why || cause || 'nobody drives'}` };
}

/**
 * Why the robot is slowed down or stands still: the picture that its driver sees is too old.
 * @param {import('../proto/actuator.js').ControlState|null} state What the actuator last reported.
 * @param {number|null} seenMs Capture time that this page reports to the actuator; null if it shows no picture.
 * @returns {string} Empty if it may move at full speed.
 */
export function sightWarning(state, seenMs) {
  const sight = state?.sight ?? null;
  if (sight === null || sight.speed >= 1) return '';
  const { camera, ageMs, speed } = sight;
  if (seenMs === null) return `This page shows no picture of ${camera}: standing still`;
  if (ageMs === null) return `The robot cannot tell how old the picture of ${camera} is: standing still`;
  return `The picture of ${camera} is ${since(ageMs)} old: ${pace(speed)}`;
}

/**
 * A speed that is allowed.
 * @param {number} share Of full speed, less than 1.
 */
export function pace(share) {
  return share > 0 ? `slowed to ${Math.max(1, Math.round(100 * share))} %` : 'standing still';
}

/**
 * @typedef {object} Shown A picture on the page.
 * @property {string} device
 * @property {import('../media/liveness.js').Picture} picture
 * @property {number|null} sinceMs Time since the last frame; null before the first.
 * @property {boolean} vacant Whether it is a slot for a picture that nobody sends.
 */

/**
 * What a driver must know about the pictures: those that were live and no longer show the present, and the one that the
 * robot demands. The full reason is on the tile.
 * @param {Shown[]} pictures
 * @param {string} [camera] The one that the driver must see; empty if there is none.
 * @returns {string} Empty if there is nothing to know.
 */
export function pictureWarning(pictures, camera = '') {
  /** @param {Shown} shown */
  const lost = ({ device, picture, sinceMs, vacant }) =>
    picture.state !== 'live' && (device === camera || (sinceMs !== null && !vacant));
  return pictures.filter(lost).map(({ device, picture, sinceMs }) => {
    const what = sinceMs === null ? `There is no picture of ${device}` : `The picture of ${device} is ${since(sinceMs)} old`;
    return picture.text ? `${what}: ${firstSentence(picture.text)}` : what;
  }).join('. ');
}

/** @file The state of a device in words. Pure. */

/** @typedef {import('../proto/signaling.js').Device} Device */

/** @type {Record<Device['state'], string>} */
const STATES = { ready: 'Ready', starting: 'Starting', away: 'Away', stopping: 'Stopping', unknown: 'Unknown' };

/**
 * The name of a device's state, and its reason.
 * @param {Device} d
 * @returns {{state: string, text: string, why: string}} `state` is for styles.
 */
export function describeState(d) {
  if (d.gone) return { state: 'gone', text: 'Gone', why: 'silent: its process or the bus is down' };
  return { state: d.state, text: STATES[d.state], why: d.reason };
}

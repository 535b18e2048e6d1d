/** @file Why nothing arrives: the cause that hides all others. Pure. */

/**
 * @typedef {'ok'|'closed'|'connecting'|'bus-lost'|'device-lost'|'device-unknown'|'device-gone'|'device-away'
 *   |'device-starting'|'device-stopping'|'refused'|'no-frames'} Reason
 *
 * @typedef {object} Surroundings
 * @property {import('./robot.js').State} link
 * @property {string} why Why the link is not live.
 * @property {import('#web/proto/signaling.js').Device|undefined} device Undefined if it has not been heard of.
 * @property {boolean} settling Whether devices may not have been heard of yet.
 */

/**
 * @param {Surroundings & {lost: string, noun?: string}} facts Lost is why the stream has broken.
 * @returns {[Reason, string]}
 */
export function blame({ link, why, device, settling, lost, noun = 'frames' }) {
  if (link === 'closed') return ['closed', 'The connection was closed'];
  if (link === 'connecting') return ['connecting', why || 'Connecting'];
  // The bus only tells where the device is: with the device known, its loss explains nothing.
  if (link !== 'live' && (!device || device.gone)) return [link, why];
  if (settling && (!device || device.gone)) return ['connecting', 'Connecting'];
  if (!device) return ['device-unknown', 'No such device'];
  if (device.gone) return ['device-gone', 'Silent: its process or the bus is down'];
  if (device.state === 'away') return ['device-away', device.reason || 'Hardware is missing'];
  if (device.state === 'starting') return ['device-starting', 'Opening the hardware'];
  if (device.state === 'stopping') return ['device-stopping', 'Stopping'];
  if (lost !== '') return ['device-lost', lost];
  return ['no-frames', `No ${noun} arrive`];
}

/**
 * @file The state of a picture: whether it is live and, if not, why.
 *
 * Frames are the only proof of life: as long as they arrive, the picture is live whatever else is reported. When they
 * stop, the cause nearest to the viewer is named, because it hides all others: a dead gateway before a camera that is
 * away.
 */

/**
 * @typedef {'live'|'stale'|'waiting'} PictureState Stale: the last picture is frozen. Waiting: none has arrived yet.
 * @typedef {'ok'|'closed'|'connecting'|'gateway-lost'|'media-path'|'refused'|'device-unknown'|'device-gone'
 *   |'device-away'|'device-starting'|'device-stopping'|'paused'|'no-frames'} Reason
 * @typedef {{state: PictureState, reason: Reason, text: string}} Picture `text` is for people; empty when live.
 */

/**
 * @typedef {object} Facts
 * @property {PictureState} freshness The state according to the frames.
 * @property {'connecting'|'live'|'gateway-lost'|'closed'} link
 * @property {'ok'|'connecting'|'broken'} media Whether packets can get through.
 * @property {import('../proto/signaling.js').Device|null} device Null if the gateway does not list it.
 * @property {string} refused Why the gateway refuses it; empty if it does not.
 * @property {boolean} settling True while the gateway is so new that it may not know all devices yet.
 * @property {boolean} paused Whether the browser prevents the video element from playing.
 * @property {'video'|'sound'} [noun] What the text is about; video by default.
 */

/**
 * @param {Facts} facts
 * @returns {Picture}
 */
export function explain(facts) {
  const { freshness, paused } = facts;
  // Nobody sees the frames of an element that does not play, and none arrive after the end.
  const open = facts.link !== 'closed';
  if (freshness === 'live' && !paused && open) return { state: 'live', reason: 'ok', text: '' };
  const [reason, text] = freshness === 'live' && open ? PAUSED : blame(facts);
  return { state: freshness === 'waiting' ? 'waiting' : 'stale', reason, text };
}

/** @type {[Reason, string]} */
const PAUSED = ['paused', 'Paused by the browser'];

/**
 * Returns why nothing arrives, or why nothing can be sent.
 * @param {Omit<Facts, 'freshness'>} facts
 * @returns {[Reason, string]}
 */
export function blame({ link, media, device, refused, settling, paused, noun = 'video' }) {
  if (link === 'closed') return ['closed', 'Connection closed'];
  if (link === 'connecting') return ['connecting', 'Connecting to the gateway'];
  if (link === 'gateway-lost') return ['gateway-lost', 'Gateway lost, reconnecting'];
  if (settling && (device === null || device.gone || refused !== '')) return ['connecting', `Connecting ${noun}`];
  if (device === null) return ['device-unknown', 'No such device'];
  if (device.gone) return ['device-gone', 'Silent: its process or the bus is down'];
  if (device.state === 'away') return ['device-away', device.reason || 'Hardware is missing'];
  if (device.state === 'starting') return ['device-starting', 'Opening the hardware'];
  if (device.state === 'stopping') return ['device-stopping', 'Stopping'];
  if (refused !== '') return ['refused', refused];
  if (media === 'broken') return ['media-path', `No path for ${noun} to the gateway, retrying`];
  if (media === 'connecting') return ['connecting', `Connecting ${noun}`];
  if (paused) return PAUSED;
  return ['no-frames', noun === 'video' ? 'No frames arrive' : 'No sound arrives'];
}

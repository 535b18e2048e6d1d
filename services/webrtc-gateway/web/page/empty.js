/** @file The texts for a page without a picture. */

import { byId, setText } from './dom.js';

/** Devices take a moment to appear; instructions are not shown before this, in ms. */
const PATIENCE_MS = 1200;

/**
 * Shows or hides the empty state.
 * @param {import('../robot/robot.js').Robot} robot
 * @param {number} cameras The number of tiles.
 * @param {number} waitedMs The time since the page or the link was opened.
 */
export function showEmpty(robot, cameras, waitedMs) {
  const empty = byId('empty', HTMLElement);
  const hidden = cameras > 0 || waitedMs < PATIENCE_MS;
  if (empty.hidden !== hidden) empty.hidden = hidden;
  if (hidden) return;
  const live = robot.state === 'live';
  setText(byId('empty-title', HTMLElement), live ? 'No camera yet' : robot.refusal ? 'No connection' : 'Looking for the gateway');
  setText(byId('empty-text', HTMLElement), live ? others(robot.devices.length) : robot.refusal ? 'The reason is shown at the top. This page keeps trying.' : LOOKING);
  byId('empty-steps', HTMLElement).hidden = !live;
}

const LOOKING = 'It does not answer. This page connects as soon as it does; start it with “waldo up”.';

/** @param {number} devices */
function others(devices) {
  if (devices === 0) return 'The gateway is up, but no device has appeared on its bus.';
  return devices === 1 ? 'One device is up; it has no video.' : `${devices} devices are up; none of them has video.`;
}

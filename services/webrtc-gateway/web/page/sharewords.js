/** @file The texts about sharing one's camera. Pure. */

import { isOwn } from '../base/holder.js';

/**
 * @typedef {object} ShareFacts
 * @property {boolean} asking Whether the browser is being asked for the camera.
 * @property {boolean} sharing Whether this page shares.
 * @property {import('../media/soundstate.js').SoundState} state
 * @property {string} publisher Who sends to the device; empty if nobody does.
 * @property {string} own The name of this page.
 */

/**
 * @param {ShareFacts} facts
 * @returns {{state: 'off'|'asking'|'waiting'|'live'|'stale', button: string, question: string, text: string}} What the
 *   button says, what it asks before it is obeyed, and what stands beside it.
 */
export function shareStatus({ asking, sharing, state, publisher, own }) {
  const stop = { button: 'Stop sharing', question: '' };
  if (asking) return { state: 'asking', button: 'Cancel', question: '', text: 'Allow the camera in the browser' };
  if (sharing && state.state === 'live') return { state: 'live', ...stop, text: 'The robot has your camera' };
  if (sharing && state.state !== 'off') return { state: state.state, ...stop, text: state.text };
  const other = publisher !== '' && !isOwn(publisher, own) ? publisher : '';
  if (other === '') return { state: 'off', button: 'Share camera', question: '', text: state.text || 'Nobody sends' };
  return { state: 'off', button: 'Take over', question: 'Really take over?', text: state.text || `${other} sends` };
}

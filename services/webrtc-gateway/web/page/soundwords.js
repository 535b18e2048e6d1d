/** @file The texts about sound, and about what browsers ask people for. Pure. */

import { isOwn } from '../base/holder.js';

/**
 * Why a microphone or camera is not available, and what to do about it.
 * @param {'microphone'|'camera'} noun
 * @param {string} name The name of the DOMException.
 * @param {boolean} secure Whether the page is a secure context.
 * @param {{protocol: string, host: string, hostname: string, port: string}} where The page's address.
 */
export function captureProblem(noun, name, secure, { host, hostname, port }) {
  if (!secure) {
    const at = port || '80';
    return `Browsers give the ${noun} only to pages from https:// or localhost, and this one is http://${host}. ` +
      `Run "ssh -L ${at}:localhost:${at} ${hostname}" and open http://localhost:${at}, or put the gateway behind https.`;
  }
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return `The browser blocks the ${noun} for this page: allow it with the icon beside the address, then try again.`;
    case 'NotFoundError':
    case 'OverconstrainedError':
      return `This machine has no ${noun}: plug one in, then try again.`;
    case 'NotReadableError':
    case 'AbortError':
      return `The ${noun} does not start: close other programs that use it, then try again.`;
    default:
      return `The ${noun} is not available (${name || 'unknown reason'}).`;
  }
}

/**
 * @typedef {object} TalkFacts
 * @property {boolean} held Whether the button or the key is held.
 * @property {boolean} asking Whether the browser is being asked for the microphone.
 * @property {boolean} open Whether the microphone is open.
 * @property {import('../media/soundstate.js').SoundState} talking
 * @property {boolean} key Whether the key T talks.
 */

/**
 * @param {TalkFacts} facts
 * @returns {{state: 'off'|'asking'|'waiting'|'live'|'stale', text: string}}
 */
export function talkStatus({ held, asking, open, talking, key }) {
  if (asking) return { state: 'asking', text: 'Allow the microphone in the browser' };
  if (held && talking.state === 'live') return { state: 'live', text: 'You are heard' };
  if (held && talking.state !== 'off') return { state: talking.state, text: `Not heard: ${talking.text}` };
  if (open) return { state: 'off', text: 'Microphone open: hold to talk' };
  return { state: 'off', text: key ? 'Hold the button, or the key T' : 'Hold the button' };
}

/**
 * Who is talking, for people.
 * @param {string[]} names
 * @param {string} own The name of this page.
 */
export function whoTalks(names, own) {
  const known = names.map((name) => (isOwn(name, own) ? 'You' : name));
  if (known.length === 0) return 'Nobody talks';
  if (known.length === 1) return known[0] === 'You' ? 'You talk' : `${known[0]} talks`;
  const shown = known.slice(0, 3);
  const more = known.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''} talk`;
}

/** @file What to say when the browser goes around WebRTC. Pure. */

/** @type {Record<import('../media/detour.js').DetourReason, [why: string, remedy: string]>} */
const REASONS = {
  'no-webrtc': [
    'This browser has no WebRTC, or it is switched off.',
    'Switch it on in the settings of the browser or of the add-on that blocks it, or use another browser.',
  ],
  'no-interface': [
    'This browser has no network interface, and without one WebRTC does not work, not even on the robot itself.',
    'Connect the machine to any network, with or without internet; if this stays, restart the browser.',
  ],
  'no-path': [
    'WebRTC finds no way to the gateway.',
    'Let UDP or TCP to its port gateway.ice through the firewall, or set gateway.publicIps or gateway.iceServers.',
  ],
};

/**
 * @param {{reason: import('../media/detour.js').DetourReason, picture: boolean}|null} detour
 * @param {boolean} secure Whether the page is one that the browser trusts.
 * @returns {string} Empty if there is nothing to say.
 */
export function detourWords(detour, secure) {
  if (!detour) return '';
  const [why, remedy] = REASONS[detour.reason];
  if (detour.picture) return `${why} Picture and driving go over the WebSocket meanwhile; there is no sound, and there are no readings. ${remedy}`;
  const decode = secure ? 'this browser cannot decode it without WebRTC: use a newer one' : 'browsers decode it only on https or localhost';
  return `${why} Driving goes over the WebSocket meanwhile, but there is no picture: ${decode}. ${remedy}`;
}

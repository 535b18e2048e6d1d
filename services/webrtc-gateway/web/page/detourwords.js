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

/** What to say instead where the gateway is on the machine of the browser: Firefox sends nothing of WebRTC to a loopback address. */
const OWN_MACHINE = [
  'WebRTC finds no way to the gateway, which is on this machine. Firefox does not use WebRTC over the loopback interface.',
  'Use Chromium, or run the robot with a token and --http :8080 and open the page by an address of this machine.',
];

/**
 * @param {{reason: import('../media/detour.js').DetourReason, picture: boolean}|null} detour
 * @param {boolean} secure Whether the page is one that the browser trusts.
 * @param {string} host Where the page is from, without the port.
 * @returns {string} Empty if there is nothing to say.
 */
export function detourWords(detour, secure, host) {
  if (!detour) return '';
  const own = detour.reason === 'no-path' && /^(localhost|127\..*|\[::1\])$/.test(host);
  const [why, remedy] = own ? OWN_MACHINE : REASONS[detour.reason];
  if (detour.picture) return `${why} Picture and driving go over the WebSocket meanwhile; there is no sound, and there are no readings. ${remedy}`;
  const decode = secure ? 'this browser cannot decode it without WebRTC: use a newer one' : 'browsers decode it only on https or localhost';
  return `${why} Driving goes over the WebSocket meanwhile, but there is no picture: ${decode}. ${remedy}`;
}

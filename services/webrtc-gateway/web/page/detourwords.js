/** @file The texts for a browser that bypasses WebRTC. Pure. */

/** @type {Record<import('../media/detour.js').DetourReason, [why: string, remedy: string]>} */
const REASONS = {
  'no-webrtc': [
    'This browser lacks WebRTC, or it is switched off.',
    'Switch it on in the settings of the browser or of the add-on that blocks it, or use another browser.',
  ],
  'no-interface': [
    'This browser has no network interface, and WebRTC needs one, even on the robot itself.',
    'Connect the machine to any network, with or without internet; if this stays, restart the browser.',
  ],
  'no-path': [
    'WebRTC cannot reach the gateway.',
    'Let UDP or TCP to its port gateway.ice through the firewall, or set gateway.publicIps or gateway.iceServers.',
  ],
};

/** The text for a gateway on the browser's own machine: Firefox does not send WebRTC to a loopback address. */
const OWN_MACHINE = [
  'WebRTC cannot reach the gateway, which is on this machine. Firefox does not use WebRTC over the loopback interface.',
  'Use Chromium, or run the robot with a token and --http :8080 and open the page by an address of this machine.',
];

/**
 * @param {{reason: import('../media/detour.js').DetourReason, picture: boolean}|null} detour
 * @param {boolean} secure Whether the page is a secure context.
 * @param {string} host The host of the page, without the port.
 * @returns {string} Empty without a detour.
 */
export function detourWords(detour, secure, host) {
  if (!detour) return '';
  const own = detour.reason === 'no-path' && /^(localhost|127\..*|\[::1\])$/.test(host);
  const [why, remedy] = own ? OWN_MACHINE : REASONS[detour.reason];
  if (detour.picture) return `${why} Until then, video and driving use WebSockets, without audio and readings. ${remedy}`;
  const decode = secure ? 'this browser cannot decode it without WebRTC: use a newer one' : 'browsers decode it only on https or localhost';
  return `${why} Until then, driving uses the WebSocket, but there is no video: ${decode}. ${remedy}`;
}

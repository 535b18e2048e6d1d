/** @file Numbers as people read them. Pure. */

/** Shown for unknown values. */
const UNKNOWN = '–';
/** The longest reason in a narrow place, in characters. */
const LONGEST = 140;

/**
 * How many there are of something: `1 message was`, `2 messages were`.
 * @param {number} n @param {string} one @param {string} many
 */
export function counted(n, one, many) { return `${n} ${n === 1 ? one : many}`; }

/**
 * Time since something, short: `0.4 s`, `12 s`, `3 min`, `2 h`.
 * @param {number} ms
 */
export function since(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.floor(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return `${Math.floor(s / 3600)} h`;
}

/**
 * How long something has been up: `12 s`, `3 m 04 s`, `2 h 05 m`, `4 d 03 h`.
 * @param {number} ms
 */
export function uptime(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} m`;
  return `${Math.floor(s / 86_400)} d ${two(Math.floor(s / 3600) % 24)} h`;
}

/**
 * A reason in a line or two. The text after the first sentence, or after a semicolon, is the remedy.
 * @param {string} text
 */
export function firstSentence(text) {
  const first = [...text.trim().split(/[;\n]|[.!?](?:\s|$)/)[0]];
  return first.length <= LONGEST ? first.join('') : `${first.slice(0, LONGEST - 1).join('')}…`;
}

/** @param {number|null} bps Bits per second. */
export function bitrate(bps) {
  if (bps === null) return UNKNOWN;
  return bps < 1e6 ? `${Math.round(bps / 1000)} kbit/s` : `${(bps / 1e6).toFixed(1)} Mbit/s`;
}

/** @param {number|null} ms */
export function milliseconds(ms) {
  if (ms === null) return UNKNOWN;
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** @param {number|null} n @param {number} [digits] */
export function count(n, digits = 0) {
  return n === null ? UNKNOWN : n.toFixed(digits);
}

/** @param {number|null} widthPx @param {number|null} heightPx */
export function size(widthPx, heightPx) {
  return widthPx === null || heightPx === null ? UNKNOWN : `${widthPx}×${heightPx}`;
}

/** @param {number|null} least @param {number|null} most The least and the greatest delay in ms. */
function playout(least, most) {
  if (least === null || most === null) return UNKNOWN;
  return least === most ? `${least} ms` : `${least}–${most} ms`;
}

/**
 * The line of numbers about a video, each with its name and what it means.
 * @param {import('../media/videostats.js').VideoStats} s
 * @param {string} [encoding] What the device makes of its pictures, in its words; empty if it does not say.
 * @param {string} [preprocess] What its command does with them before; empty if it has none.
 * @returns {[name: string, value: string, meaning: string][]}
 */
export function statsRows(s, encoding, preprocess) {
  const lost =
    s.packetsLost === null ? UNKNOWN : `${s.packetsLost}${s.lossPercent ? ` (${s.lossPercent.toFixed(1)} %)` : ''}`;
  /** @type {[name: string, value: string, meaning: string][]} */
  const rows = [
    ['fps', count(s.fps), 'Frames shown per second'],
    ['size', size(s.widthPx, s.heightPx), 'Width and height of the picture in pixels'],
    ['rate', bitrate(s.bitrateBps), 'Bits received per second'],
    ['age', milliseconds(s.ageMs), 'Time from capture to screen'],
    ['rtt', s.rttMs === 0 ? '< 1 ms' : milliseconds(s.rttMs ?? s.pathRttMs), 'Round trip to the gateway'],
    ['path', bitrate(s.availableBps), 'Bits per second that the path to this page carries, as the gateway estimates'],
    ['queue', milliseconds(s.queueMs), 'How long packets wait in queues on the path'],
    ['stream', s.stream || UNKNOWN, 'Which of the camera\'s streams is sent: a smaller one if the path cannot carry more'],
    ['playout', playout(s.minPlayoutMs, s.maxPlayoutMs), 'Delay before frames are shown, as the gateway requests it'],
    ['lost', lost, 'Packets lost (and the share lost in the last second)'],
    ['resent', s.repairedPercent === null ? UNKNOWN : `${count(s.repairedPercent, 1)} %`,
      'Share of packets sent again because they were lost, in the last seconds'],
    ['dropped', count(s.framesDropped), 'Frames decoded too late to be shown'],
    ['freezes', count(s.freezeCount), 'Times the picture froze'],
    ['decode', milliseconds(s.decodeMs), 'Mean time to decode a frame'],
    ['codec', s.codec || UNKNOWN, 'How the video is compressed'],
    ['source', encoding || UNKNOWN,
      'What the device does with the pictures of its camera, for all viewers together, and what it costs'],
  ];
  if (preprocess) {
    rows.push(['change', preprocess, 'What the command of preprocess does with the pictures of the camera']);
  }
  return rows;
}

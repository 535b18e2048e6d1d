/**
 * @file Numbers about one video, from two reports of the browser's statistics.
 */

/** A path on which nothing has arrived for this long has no known round trip, in ms. */
const OUTDATED_MS = 1500;

/**
 * @typedef {object} Sample What is kept of one report.
 * @property {number} atMs
 * @property {number} bytes
 * @property {number} packets
 * @property {number} lost
 * @property {number} decoded
 * @property {number} shown
 */

/**
 * @typedef {object} VideoStats Rates are between the last two reports; null means unknown (yet).
 * @property {number|null} fps Frames shown per second; frames decoded if no element of the page shows the video.
 * @property {number|null} widthPx
 * @property {number|null} heightPx
 * @property {number|null} bitrateBps Bits per second received, with RTP headers.
 * @property {number|null} ageMs Capture to screen, median of the last frames.
 * @property {number|null} rttMs Round trip to the gateway on the path the media takes; null if nothing arrives on it.
 * @property {number|null} lossPercent Packets lost between the last two reports.
 * @property {number|null} packetsLost All packets lost on this connection.
 * @property {number|null} framesDropped Decoded, but too late to be shown.
 * @property {number|null} freezeCount
 * @property {number|null} bufferMs Mean time a frame of this connection waited to be decoded.
 * @property {number|null} decodeMs Mean time to decode a frame.
 * @property {number|null} keyFrames Key frames decoded.
 * @property {string} codec For example `H264`.
 * @property {number|null} pathRttMs Round trip of the media path as the gateway measures it.
 * @property {number|null} availableBps What the gateway estimates that the path to this page carries.
 * @property {number|null} queueMs How long packets wait in queues on the path, as the gateway estimates it.
 * @property {string} stream Name of the device's stream that is sent: `video`, or one of the same content that the path
 *   carries. Empty if unknown.
 * @property {number|null} minPlayoutMs The least delay from arrival to screen that the gateway asks for.
 * @property {number|null} maxPlayoutMs The greatest.
 * @property {number|null} repairedPercent Packets that were sent again, of those in the last seconds.
 */

/** @typedef {import('../proto/signaling.js').Path} Path */

/**
 * Finds the incoming RTP stream of one media section.
 * @param {Iterable<any>} report All entries of an RTCStatsReport.
 * @param {string} trackId
 * @returns {any} Undefined before the first packet.
 */
export function findInbound(report, trackId) {
  for (const s of report) if (s.type === 'inbound-rtp' && s.kind === 'video' && s.trackIdentifier === trackId) return s;
  return undefined;
}

/**
 * Computes the numbers of one video.
 * @param {any[]} report All entries of an RTCStatsReport.
 * @param {string} trackId
 * @param {number} atMs When the report was made.
 * @param {{shown: number|null, ageMs: number|null}} page The page's own numbers: frames shown so far, and their age.
 * @param {Sample|null} before The sample of the previous report.
 * @param {PathStats} [path] What the gateway says.
 * @returns {{stats: VideoStats, sample: Sample|null}}
 */
export function videoStats(report, trackId, atMs, page, before, path = pathStats(null, '')) {
  const s = findInbound(report, trackId);
  if (!s) return { stats: { ...empty, ...path, ageMs: page.ageMs, rttMs: rtt(report) }, sample: null };
  /** @type {Sample} */
  const sample = {
    atMs,
    bytes: (s.bytesReceived ?? 0) + (s.headerBytesReceived ?? 0),
    packets: s.packetsReceived ?? 0,
    lost: s.packetsLost ?? 0,
    decoded: s.framesDecoded ?? 0,
    shown: page.shown ?? s.framesDecoded ?? 0,
  };
  const rates = since(before, sample);
  const stats = {
    ...rates,
    ...path,
    widthPx: s.frameWidth ?? null,
    heightPx: s.frameHeight ?? null,
    ageMs: page.ageMs,
    rttMs: rtt(report),
    packetsLost: s.packetsLost ?? null,
    framesDropped: s.framesDropped ?? null,
    freezeCount: s.freezeCount ?? null,
    bufferMs: mean(s.jitterBufferDelay, s.jitterBufferEmittedCount),
    decodeMs: mean(s.totalDecodeTime, s.framesDecoded),
    keyFrames: s.keyFramesDecoded ?? null,
    codec: codec(report, s.codecId),
  };
  return { stats, sample };
}

/**
 * What the gateway says of the path to a video.
 * @param {Path|null} path Null if it has said nothing lately.
 * @param {string} device
 */
export function pathStats(path, device) {
  const video = path?.videos.find((v) => v.device === device);
  return {
    pathRttMs: path?.rttMs ?? null,
    availableBps: path?.availableBps ?? null,
    queueMs: path?.queueMs ?? null,
    stream: video?.stream ?? '',
    minPlayoutMs: video?.minPlayoutMs ?? null,
    maxPlayoutMs: video?.maxPlayoutMs ?? null,
    repairedPercent: video ? 100 * video.repaired : null,
  };
}

/** @typedef {ReturnType<typeof pathStats>} PathStats */

/** @type {Omit<VideoStats, keyof PathStats>} */
const empty = {
  fps: null, widthPx: null, heightPx: null, bitrateBps: null, ageMs: null, rttMs: null, lossPercent: null,
  packetsLost: null, framesDropped: null, freezeCount: null, bufferMs: null, decodeMs: null, keyFrames: null, codec: '',
};

/**
 * @param {Sample|null} a
 * @param {Sample} b
 */
function since(a, b) {
  // Counters that decreased belong to another connection.
  if (a === null || b.atMs <= a.atMs || b.bytes < a.bytes || b.shown < a.shown) {
    return { fps: null, bitrateBps: null, lossPercent: null };
  }
  const s = (b.atMs - a.atMs) / 1000;
  const lost = Math.max(0, b.lost - a.lost);
  const all = lost + Math.max(0, b.packets - a.packets);
  return {
    fps: (b.shown - a.shown) / s,
    bitrateBps: ((b.bytes - a.bytes) * 8) / s,
    lossPercent: all === 0 ? 0 : (100 * lost) / all,
  };
}

/** @param {number|undefined} seconds @param {number|undefined} count @returns {number|null} ms each */
function mean(seconds, count) {
  return seconds !== undefined && count ? (1000 * seconds) / count : null;
}

/** @param {any[]} report @param {string|undefined} id @returns {string} */
function codec(report, id) {
  const mime = report.find((s) => s.type === 'codec' && s.id === id)?.mimeType ?? '';
  return String(mime).replace(/^video\//i, '');
}

/** @param {any[]} report @returns {number|null} Of the candidate pair in use. */
function rtt(report) {
  const transport = report.find((s) => s.type === 'transport');
  const pair = report.find((s) => s.type === 'candidate-pair' && s.id === transport?.selectedCandidatePairId);
  if (pair?.timestamp - pair?.lastPacketReceivedTimestamp > OUTDATED_MS) return null;
  return typeof pair?.currentRoundTripTime === 'number' ? pair.currentRoundTripTime * 1000 : null;
}

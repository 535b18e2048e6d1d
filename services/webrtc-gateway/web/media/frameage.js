/**
 * @file How old a frame was when it was shown.
 *
 * The gateway writes each frame's capture time into its packets (the abs-capture-time header extension), on its own
 * clock. Browsers expose it with the packet's RTP timestamp, and they report the RTP timestamp of each frame shown;
 * that yields the capture time of exactly that frame and, with the offset between the clocks, its age. Where a browser
 * has only its own estimate (`captureTime`), that is used; where it has neither, the age is unknown.
 */

/** Seconds from 1900 (NTP) to 1970 (Unix), in ms. */
export const NTP_TO_UNIX_MS = 2_208_988_800_000;
/** Ticks of the RTP clock of video in 1 ms. */
const TICKS_PER_MS = 90;
/** An age outside this range means a wrong clock or a timestamp of another epoch, in ms. */
const [LEAST_MS, MOST_MS] = [-50, 60_000];

/**
 * @typedef {object} Source What RTCRtpReceiver.getSynchronizationSources reports of the last packet's frame.
 * @property {number} [rtpTimestamp] Absent if the source belongs to the frame shown.
 * @property {number} [captureTimestamp] NTP time in ms on the gateway's clock.
 */

/**
 * Age of a frame at the moment it is shown, in ms, never negative; null if it is unknown.
 * @param {{expectedDisplayTime: number, captureTime?: number, rtpTimestamp?: number}} frame Of
 *   requestVideoFrameCallback.
 * @param {Source|undefined} source
 * @param {{originMs: number, offsetMs: number|null}} clock Unix time of the page's time 0, and gateway minus page.
 * @returns {number|null}
 */
export function frameAge(frame, source, { originMs, offsetMs }) {
  const captured = captureTime(frame, source);
  let age = null;
  if (captured !== null && offsetMs !== null) {
    age = originMs + frame.expectedDisplayTime + offsetMs - captured;
  } else if (frame.captureTime !== undefined) {
    age = frame.expectedDisplayTime - frame.captureTime;
  }
  // The clocks are compared to within a round trip: a frame shown at once can look as if it were to come.
  return age !== null && age >= LEAST_MS && age <= MOST_MS ? Math.max(age, 0) : null;
}

/**
 * When a frame was captured, Unix time in ms on the gateway's clock; null if the packets do not carry it.
 * @param {{rtpTimestamp?: number}} frame
 * @param {Source|undefined} source
 * @returns {number|null}
 */
export function captureTime(frame, source) {
  if (source?.captureTimestamp === undefined) return null;
  if (source.rtpTimestamp === undefined) return source.captureTimestamp - NTP_TO_UNIX_MS;
  if (frame.rtpTimestamp === undefined) return null;
  // RTP timestamps wrap at 32 bits; a signed 32-bit difference is right across the wrap.
  const ticks = (frame.rtpTimestamp - source.rtpTimestamp) | 0;
  return source.captureTimestamp - NTP_TO_UNIX_MS + ticks / TICKS_PER_MS;
}

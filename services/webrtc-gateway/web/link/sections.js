/**
 * @file The media sections of a connection: which stream uses which, and how the gateway answered.
 *
 * Each stream has its own section, found by its `mid`; a section that is no longer needed goes inactive and is reused
 * for the next stream of its kind, so the session description does not grow with use.
 */

const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';

/**
 * @typedef {'video'|'audio'|'speaker'|'camera'|'microphone'} MediaStreamName A camera's picture, a microphone's sound;
 *   sound for a speaker; the picture and the sound that the page sends to a device of the kind `peer`.
 *
 * @typedef {object} Want A stream of a device that should go over the connection.
 * @property {string} device
 * @property {MediaStreamName} stream
 * @property {object} owner Who wants it.
 * @property {boolean} [take] Whether to take the device from somebody else who sends to it.
 *
 * @typedef {object} SectionHandlers
 * @property {(want: Want, transceiver: RTCRtpTransceiver) => void} onTrack A stream has its section (no packet has
 *   arrived yet).
 * @property {(want: Want) => void} onFree A stream has lost its section.
 * @property {(want: Want, message: string) => void} onRefused The gateway refuses this stream.
 *
 * @typedef {object} Section
 * @property {RTCRtpTransceiver} transceiver
 * @property {MediaStreamName} stream The kind of stream it can carry; sections never change their kind.
 * @property {Want|null} want The stream it carries; null while it is free.
 */

/** @param {Want} want @returns {string} The same for the same stream. */
const keyOf = ({ device, stream }) => `${stream}/${device}`;
/** @param {MediaStreamName} stream Whether the page sends it. */
export const isSent = (stream) => stream !== 'video' && stream !== 'audio';
/** @param {MediaStreamName} stream @returns {RTCRtpTransceiverDirection} */
const directionOf = (stream) => (isSent(stream) ? 'sendonly' : 'recvonly');
/** @param {MediaStreamName} stream */
const kindOf = (stream) => (stream === 'video' || stream === 'camera' ? 'video' : 'audio');

/** The sections of one connection. */
export class Sections {
  #pc;
  #handlers;
  /** @type {Section[]} All sections ever made. */
  #sections = [];
  /** @type {Map<string, Want>} */
  #wanted = new Map();
  /** @type {Set<string>} Streams the gateway has accepted. */
  #accepted = new Set();
  /** @type {Map<string, Want>} Streams it has refused. */
  #refused = new Map();
  #oneByOne = false;

  /** @param {RTCPeerConnection} pc @param {SectionHandlers} handlers */
  constructor(pc, handlers) {
    this.#pc = pc;
    this.#handlers = handlers;
  }

  /** Sets the complete list of wanted streams. @param {Want[]} wants */
  want(wants) {
    this.#wanted = new Map(wants.map((want) => [keyOf(want), want]));
    for (const [key, want] of this.#wanted) {
      const section = this.#find(key);
      if (!section?.want) continue;
      const { owner } = section.want;
      section.want = want;
      if (owner === want.owner) continue;
      // One owner closed it, and another requested it before its section was freed.
      if (this.#accepted.has(key)) this.#handlers.onTrack(want, section.transceiver);
    }
  }

  /**
   * Lets refused streams of a device be requested again.
   * @param {string} device
   * @returns {boolean} Whether there were any.
   */
  forgive(device) {
    const before = this.#refused.size;
    for (const [key, want] of this.#refused) if (want.device === device) this.#refused.delete(key);
    return this.#refused.size < before;
  }

  /**
   * Brings the sections in line with the wanted streams. A section freed here is reused in a later offer, not in the
   * same one: the gateway has to see it inactive to know that it changes hands.
   * @returns {boolean} Whether an offer is needed.
   */
  arrange() {
    const have = new Set(this.#sections.flatMap(({ want }) => (want ? [keyOf(want)] : [])));
    const missing = [...this.#wanted].filter(([key]) => !have.has(key) && !this.#refused.has(key)).map(([, want]) => want);
    const claimed = this.#oneByOne ? missing.slice(0, 1) : missing;
    for (const want of claimed) this.#claim(want);
    const unwanted = [...have].filter((key) => !this.#wanted.has(key));
    for (const key of unwanted) this.#free(key);
    return claimed.length + unwanted.length > 0;
  }

  /** The sections in use, once they are part of an offer. */
  get active() {
    return this.#sections.flatMap(({ want, transceiver: { mid } }) => {
      return want && mid !== null ? [{ want, mid, fresh: !this.#accepted.has(keyOf(want)) }] : [];
    });
  }

  /** Checks whether the gateway's answer accepts a new stream. @param {Want} want */
  settle(want) {
    const key = keyOf(want);
    const section = this.#find(key);
    if (!section) return;
    if (section.transceiver.currentDirection === directionOf(want.stream)) {
      this.#accepted.add(key);
      this.#handlers.onTrack(want, section.transceiver);
    } else {
      this.#free(key);
      this.#refuse(want, `the gateway does not offer its ${want.stream}`);
    }
  }

  /**
   * The gateway has refused an offer. If it contained several new streams, they are requested again one at a time.
   * @param {Want[]} fresh The new streams in it.
   * @param {string} message
   */
  takeBack(fresh, message) {
    for (const want of fresh) this.#free(keyOf(want));
    if (fresh.length > 0) this.#oneByOne = true;
    if (fresh.length === 1) this.#refuse(fresh[0], message);
  }

  /** @param {MediaStreamTrack} track @returns {boolean} Whether one of these sections carries it. */
  brought(track) {
    return this.#sections.some((s) => s.transceiver.receiver.track === track);
  }

  /** Gives the stream a free section, or a new one. @param {Want} want */
  #claim(want) {
    const { stream } = want;
    const direction = directionOf(stream);
    const free = this.#sections.find((s) => s.want === null && s.stream === stream);
    if (free) {
      free.want = want;
      free.transceiver.direction = direction;
      return;
    }
    const transceiver = this.#pc.addTransceiver(kindOf(stream), { direction });
    if (stream === 'video') {
      // Show each frame as soon as it can be decoded; the gateway asks for the same with the playout-delay extension.
      // Sound keeps its buffer: late packets would be heard as a gap.
      if ('jitterBufferTarget' in transceiver.receiver) transceiver.receiver.jitterBufferTarget = 0;
      askCaptureTime(transceiver);
    }
    this.#sections.push({ transceiver, stream, want });
  }

  /** @param {string} key @returns {Section|undefined} The section of a stream. */
  #find(key) {
    return this.#sections.find(({ want }) => want && keyOf(want) === key);
  }

  /** @param {string} key */
  #free(key) {
    const section = this.#find(key);
    const want = section?.want;
    if (!section || !want) return;
    section.want = null;
    section.transceiver.direction = 'inactive';
    if (this.#accepted.delete(key)) this.#handlers.onFree(want);
  }

  /** @param {Want} want @param {string} message */
  #refuse(want, message) {
    this.#refused.set(keyOf(want), want);
    this.#handlers.onRefused(want, message);
  }
}

/**
 * Offers the header extension that carries each frame's capture time; Chromium knows it, but leaves it out unless
 * asked.
 * @param {any} transceiver An RTCRtpTransceiver; not all browsers let extensions be chosen.
 */
function askCaptureTime(transceiver) {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.();
  const captureTime = extensions?.find((/** @type {any} */ e) => e.uri === CAPTURE_TIME);
  // Once negotiated, further transceivers of the connection have it by themselves.
  if (captureTime?.direction !== 'stopped') return;
  captureTime.direction = 'sendrecv';
  try {
    transceiver.setHeaderExtensionsToNegotiate(extensions);
  } catch {
    // Chromium refuses the whole list if the gateway's last answer left out another extension that it holds mandatory.
    // Without the extension, only the age of the frames is unknown.
  }
}

/**
 * @file Which capture time belongs to a frame that is shown.
 *
 * A browser tells the capture time of the frame that was decoded last. The frame on the screen is that one or one
 * before it, so the last few are remembered, and the frame's own is found by its RTP timestamp. Browsers that do not read
 * capture times from packets (Firefox, Safari) have those that the gateway tells once a second, from which others follow.
 */

import { NTP_TO_UNIX_MS } from './frameage.js';

/** @typedef {import('./frameage.js').Source} Source */

/** Sources remembered: more than the frames between the decoder and the screen. */
const MEMORY = 16;

/** The sources of one receiver. */
export class Sources {
  /** @type {Source[]} The newest is the last. */
  #known = [];
  /** @type {Source|undefined} */
  #told;

  /** @param {Source|undefined} source What the receiver reports now. */
  note(source) {
    if (source === undefined || source.rtpTimestamp === this.#known.at(-1)?.rtpTimestamp) return;
    this.#known.push(source);
    if (this.#known.length > MEMORY) this.#known.shift();
  }

  /**
   * @param {{rtpTimestamp?: number}} frame
   * @returns {Source|undefined} That of the frame; the newest if its own is not known.
   */
  of({ rtpTimestamp }) {
    const own = rtpTimestamp === undefined ? -1 : this.#known.findLastIndex((s) => s.rtpTimestamp === rtpTimestamp);
    const known = this.#known.at(own);
    return known?.captureTimestamp === undefined ? this.#told ?? known : known;
  }

  /**
   * @param {number} captureMs When a picture was captured, Unix time in ms, as the gateway tells it.
   * @param {number} rtpTimestamp
   */
  tell(captureMs, rtpTimestamp) {
    this.#told = { rtpTimestamp, captureTimestamp: captureMs + NTP_TO_UNIX_MS };
  }

  /** Another receiver begins. */
  clear() {
    this.#known = [];
    this.#told = undefined;
  }
}

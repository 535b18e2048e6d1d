/**
 * @file Which capture time belongs to a frame that is shown.
 *
 * A browser tells the capture time of the frame that was decoded last. The frame on the screen is that one or one
 * before it, so the last few are remembered, and the frame's own is found by its RTP timestamp.
 */

/** @typedef {import('./frameage.js').Source} Source */

/** Sources remembered: more than the frames between the decoder and the screen. */
const MEMORY = 16;

/** The sources of one receiver. */
export class Sources {
  /** @type {Source[]} The newest is the last. */
  #known = [];

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
    return this.#known.at(own);
  }

  /** Another receiver begins. */
  clear() {
    this.#known = [];
  }
}

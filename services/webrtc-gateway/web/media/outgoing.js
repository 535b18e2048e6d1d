/** @file What the page sends in one section of the connection: a track, or nothing. */

/** One way out. It outlasts the sections that it gets. */
export class Outgoing {
  /** @type {RTCRtpSender|null} */
  #sender = null;
  /** What the sender sends; null for nothing. @type {MediaStreamTrack|null} */
  #sending = null;
  /** What it should send. @type {MediaStreamTrack|null} */
  #track = null;

  /** Whether it has what it needs to send the track that it was given. */
  get ready() {
    return this.#track !== null && this.#sending === this.#track;
  }

  /** @param {MediaStreamTrack|null} track What to send from now on; null for nothing. */
  send(track) {
    this.#track = track;
    this.#set();
  }

  /** It now has this sender. @param {RTCRtpSender} sender */
  use(sender) {
    this.#sender = sender;
    this.#sending = sender.track;
    this.#set();
  }

  /** It has lost its section, or the connection is gone. */
  free() {
    this.#sender = this.#sending = null;
  }

  #set() {
    const sender = this.#sender;
    if (!sender || this.#sending === this.#track) return;
    this.#sending = this.#track;
    // It fails only on a closed connection, and the next one brings another sender.
    sender.replaceTrack(this.#track).catch(() => {});
  }
}

/**
 * @file One video element that shows a stream, and the frames it reports.
 */

/**
 * Shows a stream in an element and watches it. The element gets the stream with {@link ElementWatch.show}, when media
 * arrives: a page does not finish loading while one of its elements has a stream without a picture.
 */
export class ElementWatch {
  #element;
  #stream;
  #env;
  #onFrame;
  #request = 0;
  #presented = 0;
  #onScreen = true;
  #unwatch;
  #closed = false;
  #shows = false;

  /**
   * @param {HTMLVideoElement} element
   * @param {MediaStream} stream
   * @param {import('../base/env.js').Env} env
   * @param {(frame: VideoFrameCallbackMetadata, count: number) => void} onFrame Called for frames that were shown;
   *   `count` is the number of frames since the last call.
   */
  constructor(element, stream, env, onFrame) {
    this.#element = element;
    this.#stream = stream;
    this.#env = env;
    this.#onFrame = onFrame;
    // Only a muted video may play without a click, and only an inline one stays in its tile on a phone.
    element.muted = true;
    element.autoplay = true;
    element.playsInline = true;
    this.#unwatch = env.watchSeen(element, (seen) => (this.#onScreen = seen));
    this.#next();
  }

  /** Gives the element its stream and asks the browser to play it. Further calls change nothing. */
  show() {
    if (this.#closed || this.#shows) return;
    this.#shows = true;
    this.#element.srcObject = this.#stream;
    this.play();
  }

  /** Whether the browser reports frames shown: the page and the element are on the screen, and the element plays. */
  get seen() {
    return this.#onScreen && !this.#env.hidden() && !this.#element.paused && this.#canReport;
  }

  /** Whether the browser refuses to play without a click; one that calls `play()` on the element helps. */
  get paused() {
    return this.#shows && this.#element.paused;
  }

  /** Asks the browser to play; a refusal shows as {@link ElementWatch.paused}. */
  play() {
    this.#element.play().catch(() => {});
  }

  /** Leaves the element empty. */
  close() {
    this.#closed = true;
    this.#unwatch();
    if (this.#canReport) this.#element.cancelVideoFrameCallback(this.#request);
    this.#element.srcObject = null;
  }

  get #canReport() {
    return 'requestVideoFrameCallback' in this.#element;
  }

  #next() {
    if (!this.#canReport || this.#closed) return;
    this.#request = this.#element.requestVideoFrameCallback((_, frame) => {
      // The counter starts over when the element gets another track.
      const count = frame.presentedFrames - this.#presented;
      this.#presented = frame.presentedFrames;
      this.#onFrame(frame, count > 0 ? count : 1);
      this.#next();
    });
  }
}

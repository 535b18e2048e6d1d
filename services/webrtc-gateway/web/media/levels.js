/**
 * @file The sound levels of a device, and who is talking there.
 */

import { readLevels } from '../proto/audio.js';

/** Levels older than this are out of date, in ms; a device reports them ten times a second. */
const STALE_MS = 500;

/** @typedef {import('../proto/audio.js').AudioLevels} AudioLevels */

/**
 * The levels of one device. Made by `robot.audio(name).levels`; the device captures and measures while one is open.
 *
 * Events: `levels` for each new measurement, ten times a second; its detail is the new value of {@link Levels.now}.
 */
export class Levels extends EventTarget {
  #stream;
  #env;
  #onClose;
  /** @type {AudioLevels|null} */
  #last = null;
  #atMs = -Infinity;

  /**
   * @param {import('../channels/stream.js').Stream} stream
   * @param {import('../base/env.js').Env} env
   * @param {() => void} onClose
   */
  constructor(stream, env, onClose) {
    super();
    this.#stream = stream;
    this.#env = env;
    this.#onClose = onClose;
    stream.addEventListener('message', this.#take);
  }

  /** The last levels; null while none arrive, because the device is away or the connection is lost. */
  get now() {
    return this.#env.now() - this.#atMs < STALE_MS ? this.#last : null;
  }

  /** Ends them: the device stops measuring for this page. */
  close() {
    this.#stream.removeEventListener('message', this.#take);
    this.#stream.close();
    this.#last = null;
    this.#onClose();
  }

  /** @param {Event} event */
  #take = (event) => {
    this.#last = readLevels(/** @type {CustomEvent} */ (event).detail.value);
    this.#atMs = this.#env.now();
    this.dispatchEvent(new CustomEvent('levels', { detail: this.#last }));
  };
}

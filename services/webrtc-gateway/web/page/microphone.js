/** @file This machine's own microphone: opened when somebody wants to talk, and closed after a while without talking. */

import { SILENCE_DB } from '../proto/audio.js';
import { captureProblem } from './soundwords.js';

/** A microphone is closed after this time without talking, in ms. Opening it again for every talk would miss the first word. */
const IDLE_MS = 30_000;
/** The number of samples per level: 43 ms at 48 kHz. */
const WINDOW = 2048;

/** The microphone. */
export class Microphone {
  /** Whether the browser removes echo and noise and levels the volume; applies the next time it is opened. */
  clean = true;
  /** Why it is not available, and what to do; empty if nothing is known to be wrong. */
  problem = '';

  /** @type {Promise<MediaStreamTrack|null>|null} */
  #opening = null;
  /** @type {MediaStreamTrack|null} */
  #track = null;
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {AnalyserNode|null} */
  #analyser = null;
  #samples = new Float32Array(WINDOW);
  #idle = 0;

  /** Whether it is open. */
  get on() {
    return this.#track !== null;
  }

  /** Whether the browser is being asked for it. */
  get asking() {
    return this.#opening !== null;
  }

  /**
   * Opens it if it is not open. Call it on a click or a key press, because browsers ask people only then.
   * @returns {Promise<MediaStreamTrack|null>} Null if it is not available; {@link Microphone.problem} says why.
   */
  open() {
    clearTimeout(this.#idle);
    if (this.#track) return Promise.resolve(this.#track);
    this.#opening ??= this.#open().finally(() => (this.#opening = null));
    return this.#opening;
  }

  /** Nobody talks now: closes it after a while. */
  rest() {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), IDLE_MS);
  }

  /** Closes it at once. */
  close() {
    clearTimeout(this.#idle);
    this.#track?.stop();
    this.#track = null;
    void this.#context?.close();
    this.#context = this.#analyser = null;
  }

  /** Its present level; null while it is closed. @returns {import('../proto/audio.js').Level|null} */
  get level() {
    if (!this.#analyser) return null;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let [sum, peak] = [0, 0];
    for (const s of this.#samples) {
      sum += s * s;
      peak = Math.max(peak, Math.abs(s));
    }
    // A sine at full scale is 0 dB, as at the robot.
    return { rmsDb: decibels(Math.sqrt((2 * sum) / WINDOW)), peakDb: decibels(peak) };
  }

  async #open() {
    const { clean } = this;
    const constraints = { echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean };
    try {
      if (!navigator.mediaDevices) throw new DOMException('', isSecureContext ? 'NotSupportedError' : 'SecurityError');
      const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
      this.#use(stream);
      this.problem = '';
    } catch (error) {
      const { name } = /** @type {DOMException} */ (error);
      this.problem = captureProblem('microphone', name, isSecureContext, location);
    }
    return this.#track;
  }

  /** @param {MediaStream} stream */
  #use(stream) {
    const track = stream.getAudioTracks()[0];
    track.addEventListener('ended', () => {
      if (this.#track !== track) return;
      this.close();
      this.problem = 'The microphone was unplugged, or its permission was withdrawn';
    });
    this.#track = track;
    this.#context = new AudioContext();
    void this.#context.resume();
    this.#analyser = new AnalyserNode(this.#context, { fftSize: WINDOW });
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
  }
}

/** @param {number} value 1 is full scale. */
function decibels(value) {
  return value > 0 ? Math.max(SILENCE_DB, 20 * Math.log10(value)) : SILENCE_DB;
}

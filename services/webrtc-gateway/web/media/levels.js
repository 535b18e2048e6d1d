/**
 * @file How loud it is at a device, and who is talking there.
 */

import { isObject, list, nanoseconds, number, object, text, timestamp } from '../proto/json.js';

/** What silence has, in dBFS. */
export const SILENCE_DB = -100;
/** Levels older than this say nothing of now, in ms; a device tells them ten times a second. */
const STALE_MS = 500;

/**
 * @typedef {object} Level How loud it was since the level before, in dBFS: 0 is full scale, -100 silence.
 * @property {number} rmsDb Of a sine at full scale: 0.
 * @property {number} peakDb Of the greatest sample.
 *
 * @typedef {object} Talker One whose sound is being played.
 * @property {string} name
 * @property {number|null} sinceMs When it began to talk, Unix time in ms on the device's clock.
 * @property {Level} level Before it is mixed.
 * @property {number} bufferedMs Sound that waits to be played.
 *
 * @typedef {object} AudioLevels
 * @property {Level|null} microphone Null if there is none.
 * @property {Level|null} speaker Null if there is none.
 * @property {Talker[]} talkers Who is talking now.
 */

/**
 * The levels of one device. Made by `robot.audio(name).levels`; the device measures, and captures, while there is one.
 *
 * Events: `levels` whenever there are new ones, ten times a second; its detail is what {@link Levels.now} says then.
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

  /** The last levels; null while there are none, because the device is away or the way to it is lost. */
  get now() {
    return this.#env.now() - this.#atMs < STALE_MS ? this.#last : null;
  }

  /** Ends them: nothing is measured for this page any more. */
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

/**
 * Reads a waldo.audio.v1.StreamLevelsResponse.
 * @param {unknown} v
 * @returns {AudioLevels}
 */
export function readLevels(v) {
  const m = object(v);
  return {
    microphone: isObject(m.microphone) ? level(m.microphone) : null,
    speaker: isObject(m.speaker) ? level(m.speaker) : null,
    talkers: list(m.talkers).filter(isObject).map((t) => ({
      name: text(t.name),
      sinceMs: timestamp(t.since),
      level: isObject(t.level) ? level(t.level) : { rmsDb: SILENCE_DB, peakDb: SILENCE_DB },
      bufferedMs: Number(nanoseconds(t.buffered) ?? 0n) / 1e6,
    })),
  };
}

/** @param {import('../proto/json.js').Json} l @returns {Level} */
function level({ rmsDbfs, peakDbfs }) {
  return { rmsDb: decibels(rmsDbfs), peakDb: decibels(peakDbfs) };
}

/** @param {unknown} v A field that is absent is 0 dB; a word such as `-Infinity` is silence. */
function decibels(v) {
  return typeof v === 'string' ? SILENCE_DB : Math.max(SILENCE_DB, number(v));
}

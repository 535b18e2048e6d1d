/** @file Listening to the microphone of one device. */

import { blame } from './liveness.js';
import { LIVE, OFF } from './soundstate.js';

/** @import { SoundState, Surroundings } from './soundstate.js' */

/**
 * Sound that has not arrived for this long has stopped, in ms. Even a microphone that suppresses silence sends packets
 * more often.
 */
const STALE_MS = 500;

/** A listener. Made by `sound.listen()`. */
export class Listening {
  /**
   * The live stream, for an `<audio>` element: this object always stays the same; only the track in it is replaced.
   */
  stream;

  #stop;

  /** @param {MediaStream} stream @param {() => void} stop */
  constructor(stream, stop) {
    this.stream = stream;
    this.#stop = stop;
  }

  /** The track that plays now; null without one. */
  get track() {
    return this.stream.getAudioTracks()[0] ?? null;
  }

  /** Ends listening. The gateway stops sending once nobody listens. It may be called more than once. */
  stop() {
    this.#stop();
  }
}

/** All listeners of one device, and the one stream they share. */
export class Listeners {
  #env;
  #onWant;
  #stream;
  /** @type {Set<Listening>} */
  #all = new Set();
  /** @type {RTCRtpReceiver|null} */
  #receiver = null;
  /** When sound last arrived, in ms; null if it has not since the first listener came. @type {number|null} */
  #heardAt = null;
  /** Why the gateway refuses it; empty if it does not. */
  #refused = '';

  /**
   * @param {import('../base/env.js').Env} env
   * @param {() => void} onWant Called when {@link Listeners.wanted} changes.
   */
  constructor(env, onWant) {
    this.#env = env;
    this.#onWant = onWant;
    this.#stream = env.newStream();
  }

  /** Whether anybody listens. */
  get wanted() {
    return this.#all.size > 0;
  }

  /** @returns {Listening} The caller stops it. */
  add() {
    const listening = new Listening(this.#stream, () => this.#remove(listening));
    this.#all.add(listening);
    if (this.#all.size === 1) {
      this.#heardAt = null;
      // After a short break the receiver may still be there.
      this.#fill();
      this.#onWant();
    }
    return listening;
  }

  /** Stops all of them. */
  close() {
    for (const listening of [...this.#all]) listening.stop();
  }

  /** Sound now arrives at this receiver. @param {RTCRtpReceiver} receiver */
  use(receiver) {
    this.#refused = '';
    this.#receiver = receiver;
    this.#fill();
  }

  /** The stream has lost its section. */
  free() {
    this.#receiver = null;
    this.#fill();
  }

  /** The connection is gone; the last track stays until there is another. */
  drop() {
    this.#receiver = null;
  }

  /** @param {string} why Why the gateway refuses it. */
  refuse(why) {
    this.#refused = why;
  }

  /** @param {Surroundings} around @returns {SoundState} */
  judge(around) {
    if (!this.wanted) return OFF;
    const now = this.#env.now();
    const source = this.#receiver?.getSynchronizationSources?.()[0];
    if (source) this.#heardAt = Math.max(this.#heardAt ?? -Infinity, Math.min(now, source.timestamp - this.#env.originMs));
    if (this.#heardAt !== null && now - this.#heardAt < STALE_MS && around.link !== 'closed') return LIVE;
    const [reason, text] = blame({ ...around, refused: this.#refused, paused: false, noun: 'sound' });
    return { state: this.#heardAt === null ? 'waiting' : 'stale', reason, text };
  }

  /** @param {Listening} listening */
  #remove(listening) {
    if (!this.#all.delete(listening) || this.#all.size > 0) return;
    this.#fill();
    this.#onWant();
  }

  /** Puts the current track into the stream, or none. */
  #fill() {
    const track = this.wanted ? this.#receiver?.track ?? null : null;
    for (const old of this.#stream.getTracks()) if (old !== track) this.#stream.removeTrack(old);
    if (track) this.#stream.addTrack(track);
  }
}

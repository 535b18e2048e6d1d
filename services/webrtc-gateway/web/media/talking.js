/** @file Talking by the speaker of one device. */

import { blame } from './liveness.js';
import { LIVE, OFF } from './soundstate.js';

/** @import { SoundState, Surroundings } from './soundstate.js' */

/** One who talks. Made by `sound.talk()`. */
export class Talk {
  /** What is said. */
  track;

  #stop;

  /** @param {MediaStreamTrack} track @param {() => void} stop */
  constructor(track, stop) {
    this.track = track;
    this.#stop = stop;
  }

  /** Ends talking; the track itself goes on. It may be called more than once, and does nothing when another talk has begun. */
  stop() {
    this.#stop();
  }
}

/** The voice of the page at one device. */
export class Voice {
  /** Whether it is to have a section of the connection: once wanted it is kept, so that the next word need not wait for one. */
  wanted = false;

  #onWant;
  /** @type {Talk|null} */
  #talk = null;
  /** @type {RTCRtpSender|null} */
  #sender = null;
  /** What the sender sends; null for nothing. @type {MediaStreamTrack|null} */
  #sending = null;
  /** Whether the robot could be talked to since this talk began. */
  #wasHeard = false;
  /** Why the gateway does not take it; empty if it does. */
  #refused = '';

  /** @param {() => void} onWant Called when {@link Voice.wanted} changes. */
  constructor(onWant) {
    this.#onWant = onWant;
  }

  /** @param {MediaStreamTrack} track @returns {Talk} The one that was under way ends. */
  begin(track) {
    if (track?.kind !== 'audio') throw new TypeError('talk: pass a MediaStreamTrack of kind audio, for example of a microphone');
    this.#talk?.stop();
    const ended = () => this.#end(talk);
    const talk = new Talk(track, ended);
    track.addEventListener('ended', ended, { once: true });
    this.#talk = talk;
    this.#wasHeard = false;
    if (!this.wanted) {
      this.wanted = true;
      this.#onWant();
    }
    this.#say();
    return talk;
  }

  /** Ends the talk, and gives the section back. */
  close() {
    this.#talk?.stop();
    this.wanted = false;
  }

  /** Words go this way now. @param {RTCRtpSender} sender */
  use(sender) {
    this.#refused = '';
    this.#sender = sender;
    this.#sending = sender.track;
    this.#say();
  }

  /** The stream has no section any more, or the connection is gone. */
  free() {
    this.#sender = this.#sending = null;
  }

  /** @param {string} why The gateway does not take it. */
  refuse(why) {
    this.#refused = why;
  }

  /** @param {Surroundings} around @returns {SoundState} */
  judge(around) {
    if (!this.#talk) return OFF;
    const { device, link, media } = around;
    const heard = this.#sending === this.#talk.track && link === 'live' && media === 'ok' && device?.state === 'ready' && !device.gone;
    if (heard) {
      this.#wasHeard = true;
      return LIVE;
    }
    const [reason, text] = blame({ ...around, refused: this.#refused, paused: false, noun: 'sound' });
    const words = reason === 'no-frames' ? 'Connecting sound' : text;
    return { state: this.#wasHeard ? 'stale' : 'waiting', reason, text: words };
  }

  /** @param {Talk} talk */
  #end(talk) {
    if (this.#talk !== talk) return;
    this.#talk = null;
    this.#say();
  }

  /** Makes the sender send what is said now, or nothing. */
  #say() {
    const sender = this.#sender;
    const track = this.#talk?.track ?? null;
    if (!sender || this.#sending === track) return;
    this.#sending = track;
    // It fails only for a connection that is over, and then there will be another sender.
    sender.replaceTrack(track).catch(() => {});
  }
}

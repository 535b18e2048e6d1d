/** @file Talking through the speaker of one device. */

import { blame } from './liveness.js';
import { Outgoing } from './outgoing.js';
import { LIVE, OFF } from './soundstate.js';

/** @import { SoundState, Surroundings } from './soundstate.js' */

/** One talk. Made by `sound.talk()`. */
export class Talk {
  /** The track that is sent. */
  track;

  #stop;

  /** @param {MediaStreamTrack} track @param {() => void} stop */
  constructor(track, stop) {
    this.track = track;
    this.#stop = stop;
  }

  /**
   * Ends the talk; the track itself continues. It may be called more than once, and does nothing once another talk has
   * begun.
   */
  stop() {
    this.#stop();
  }
}

/** The voice of the page at one device. */
export class Voice {
  /** Whether it needs a section of the connection. Once wanted it is kept, so that the next talk starts at once. */
  wanted = false;

  #onWant;
  /** @type {Talk|null} */
  #talk = null;
  #outgoing = new Outgoing();
  /** Whether sound has got through since this talk began. */
  #wasHeard = false;
  /** Why the gateway refuses it; empty if it does not. */
  #refused = '';

  /** @param {() => void} onWant Called when {@link Voice.wanted} changes. */
  constructor(onWant) {
    this.#onWant = onWant;
  }

  /** Begins a talk and ends the current one. @param {MediaStreamTrack} track @returns {Talk} */
  begin(track) {
    if (track?.kind !== 'audio') {
      throw new TypeError('talk: pass a MediaStreamTrack of kind audio, for example from a microphone');
    }
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
    this.#outgoing.send(track);
    return talk;
  }

  /** Ends the talk and frees the section. */
  close() {
    this.#talk?.stop();
    this.wanted = false;
  }

  /** Sound now goes to this sender. @param {RTCRtpSender} sender */
  use(sender) {
    this.#refused = '';
    this.#outgoing.use(sender);
  }

  /** The stream has lost its section, or the connection is gone. */
  free() {
    this.#outgoing.free();
  }

  /** @param {string} why Why the gateway refuses it. */
  refuse(why) {
    this.#refused = why;
  }

  /** @param {Surroundings} around @returns {SoundState} */
  judge(around) {
    if (!this.#talk) return OFF;
    const { device, link, media } = around;
    const reachable = link === 'live' && media === 'ok' && device?.state === 'ready' && !device.gone;
    // A device that cannot play for now, though it is ready, says why in this attribute.
    const problem = device?.attributes.speaker_problem ?? '';
    if (reachable && problem !== '') return { state: this.#wasHeard ? 'stale' : 'waiting', reason: 'refused', text: problem };
    if (reachable && this.#outgoing.ready) {
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
    this.#outgoing.send(null);
  }
}

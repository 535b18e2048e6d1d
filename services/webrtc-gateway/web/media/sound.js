/**
 * @file The sound of one device, both ways, for as long as the page wants it: through restarts of the device, of the gateway
 * and of the connection.
 *
 * Nothing is kept to be heard or said later. What is said while there is no way to the device is lost, and whoever talks is
 * told.
 */

import { Levels } from './levels.js';
import { blame } from './liveness.js';

/** Sound that did not come for so long has stopped, in ms. A microphone that sends no silence still says so more often. */
const STALE_MS = 500;

/**
 * @typedef {import('./liveness.js').Reason} Reason
 * @typedef {Omit<import('./liveness.js').Facts, 'freshness'|'refused'|'paused'|'noun'>} Surroundings What the robot knows.
 *
 * @typedef {object} SoundState
 * @property {'off'|'waiting'|'live'|'stale'} state Off: not wanted. Waiting: not there yet. Live: sound goes through. Stale: it
 *   did, and does not now.
 * @property {Reason|'off'} reason
 * @property {string} text Why it is not live, for people; empty when it is, and when it is off.
 */

/** @type {SoundState} */
const OFF = { state: 'off', reason: 'off', text: '' };

/** Somebody who listens. Made by {@link Sound.listen}. */
export class Listening {
  /** The live stream, for an `<audio>` element: this object stays the same, whatever happens; the track in it is exchanged. */
  stream;

  #stop;

  /** @param {MediaStream} stream @param {() => void} stop */
  constructor(stream, stop) {
    this.stream = stream;
    this.#stop = stop;
  }

  /** The track that is heard now; null while there is none. */
  get track() {
    return this.stream.getAudioTracks()[0] ?? null;
  }

  /** Ends listening. When nobody listens any more the robot is told. It may be called more than once. */
  stop() {
    this.#stop();
  }
}

/** Somebody who talks. Made by {@link Sound.talk}. */
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

/**
 * The sound of one device. Made by `robot.audio(name)`.
 *
 * Events: `state` when {@link Sound.hearing} or {@link Sound.talking} changes.
 */
export class Sound extends EventTarget {
  /** Name of the device. */
  device;

  #env;
  #channels;
  #onWant;
  #onClose;
  #stream;
  /** @type {Set<Listening>} */
  #listeners = new Set();
  /** @type {Talk|null} */
  #talk = null;
  /** Whether there is a way to talk by: once wanted it is kept, so that the next word need not wait for one. */
  #spoke = false;
  /** @type {RTCRtpReceiver|null} */
  #receiver = null;
  /** @type {RTCRtpSender|null} */
  #sender = null;
  /** What the sender sends; null for nothing. @type {MediaStreamTrack|null} */
  #sending = null;
  /** When sound came last, in ms; null if it never did since somebody listens. @type {number|null} */
  #heardAt = null;
  /** Whether the robot could be talked to since this talk began. */
  #wasHeard = false;
  /** @type {Record<'audio'|'speaker', string>} Why the gateway does not give it; empty if it does. */
  #refused = { audio: '', speaker: '' };
  #hearing = OFF;
  #talking = OFF;
  /** @type {Levels|null} */
  #levels = null;

  /**
   * @param {string} device
   * @param {import('../base/env.js').Env} env
   * @param {import('../channels/channelset.js').ChannelSet} channels
   * @param {{onWant: () => void, onClose: () => void}} handlers onWant is called when {@link Sound.wants} changes.
   */
  constructor(device, env, channels, { onWant, onClose }) {
    super();
    this.device = device;
    this.#env = env;
    this.#channels = channels;
    this.#onWant = onWant;
    this.#onClose = onClose;
    this.#stream = env.newStream();
  }

  /** How it is with listening now. */
  get hearing() {
    return this.#hearing;
  }

  /** How it is with talking now. */
  get talking() {
    return this.#talking;
  }

  /** How loud it is, and who talks; the device measures from the first time this is asked for until it is closed. */
  get levels() {
    this.#levels ??= new Levels(this.#channels.stream(this.device, 'levels'), this.#env, () => (this.#levels = null));
    return this.#levels;
  }

  /**
   * Listens to the device's microphone. Browsers let a page make sound only after a click on it.
   * @returns {Listening} To be stopped; each is one's own.
   */
  listen() {
    const listening = new Listening(this.#stream, () => this.#unlisten(listening));
    this.#listeners.add(listening);
    if (this.#listeners.size === 1) {
      this.#heardAt = null;
      // Who stops and begins again in a moment still has the way.
      this.#fill();
      this.#onWant();
    }
    return listening;
  }

  /**
   * Plays a track at the device's speaker, live. One page has one voice: a talk that is under way ends.
   * @param {MediaStreamTrack} track It ends the talk when it ends.
   * @returns {Talk} To be stopped.
   */
  talk(track) {
    if (track?.kind !== 'audio') throw new TypeError('talk: give a MediaStreamTrack of sound, for example that of a microphone');
    this.#talk?.stop();
    const ended = () => this.#untalk(talk);
    const talk = new Talk(track, ended);
    track.addEventListener('ended', ended, { once: true });
    this.#talk = talk;
    this.#wasHeard = false;
    if (!this.#spoke) {
      this.#spoke = true;
      this.#onWant();
    }
    this.#say();
    return talk;
  }

  /** No longer wants anything of it: all who listen or talk are stopped, and the gateway is told. */
  close() {
    for (const listening of [...this.#listeners]) listening.stop();
    this.#talk?.stop();
    this.#levels?.close();
    this.#spoke = false;
    this.#onClose();
  }

  /** For the robot: the streams that are to go over the connection. @returns {import('../link/sections.js').Want[]} */
  get wants() {
    const { device } = this;
    /** @type {import('../link/sections.js').Want[]} */
    const wants = [];
    if (this.#listeners.size > 0) wants.push({ device, stream: 'audio', owner: this });
    if (this.#spoke) wants.push({ device, stream: 'speaker', owner: this });
    return wants;
  }

  /**
   * For the robot: a stream goes this way now.
   * @param {import('../link/sections.js').MediaStreamName} stream
   * @param {RTCRtpTransceiver} transceiver
   */
  use(stream, { receiver, sender }) {
    if (stream === 'speaker') {
      this.#refused.speaker = '';
      this.#sender = sender;
      this.#sending = sender.track;
      this.#say();
    } else {
      this.#refused.audio = '';
      this.#receiver = receiver;
      this.#fill();
    }
  }

  /** For the robot: a stream has no way any more. @param {import('../link/sections.js').MediaStreamName} stream */
  free(stream) {
    if (stream === 'speaker') this.#sender = this.#sending = null;
    else this.#receiver = null;
    this.#fill();
  }

  /** For the robot: the connection is gone. */
  drop() {
    this.#receiver = null;
    this.#sender = null;
    this.#sending = null;
  }

  /**
   * For the robot: the gateway does not give a stream.
   * @param {'audio'|'speaker'} stream @param {string} why
   */
  refuse(stream, why) {
    this.#refused[stream] = why || 'refused by the gateway';
  }

  /** For the robot: judges how it is. Called every few dozen ms. @param {Surroundings} around */
  judge(around) {
    const hearing = this.#judgeHearing(around);
    const talking = this.#judgeTalking(around);
    if (same(hearing, this.#hearing) && same(talking, this.#talking)) return;
    this.#hearing = hearing;
    this.#talking = talking;
    this.dispatchEvent(new CustomEvent('state', { detail: { hearing, talking } }));
  }

  /** @param {Surroundings} around @returns {SoundState} */
  #judgeHearing(around) {
    if (this.#listeners.size === 0) return OFF;
    const now = this.#env.now();
    const source = this.#receiver?.getSynchronizationSources?.()[0];
    if (source) this.#heardAt = Math.max(this.#heardAt ?? -Infinity, Math.min(now, source.timestamp - this.#env.originMs));
    if (this.#heardAt !== null && now - this.#heardAt < STALE_MS && around.link !== 'closed') return LIVE;
    const [reason, text] = blame({ ...around, refused: this.#refused.audio, paused: false, noun: 'sound' });
    return { state: this.#heardAt === null ? 'waiting' : 'stale', reason, text };
  }

  /** @param {Surroundings} around @returns {SoundState} */
  #judgeTalking(around) {
    if (!this.#talk) return OFF;
    const { device, link, media } = around;
    const heard = this.#sending === this.#talk.track && link === 'live' && media === 'ok' && device?.state === 'ready' && !device.gone;
    if (heard) {
      this.#wasHeard = true;
      return LIVE;
    }
    const [reason, text] = blame({ ...around, refused: this.#refused.speaker, paused: false, noun: 'sound' });
    const words = reason === 'no-frames' ? 'Connecting sound' : text;
    return { state: this.#wasHeard ? 'stale' : 'waiting', reason, text: words };
  }

  /** @param {Listening} listening */
  #unlisten(listening) {
    if (!this.#listeners.delete(listening) || this.#listeners.size > 0) return;
    this.#fill();
    this.#onWant();
  }

  /** @param {Talk} talk */
  #untalk(talk) {
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

  /** Makes the stream hold what is heard now, or nothing. */
  #fill() {
    const track = this.#listeners.size > 0 ? this.#receiver?.track ?? null : null;
    for (const old of this.#stream.getTracks()) if (old !== track) this.#stream.removeTrack(old);
    if (track) this.#stream.addTrack(track);
  }
}

/** @type {SoundState} */
const LIVE = { state: 'live', reason: 'ok', text: '' };

/** @param {SoundState} a @param {SoundState} b */
function same(a, b) {
  return a.state === b.state && a.reason === b.reason && a.text === b.text;
}

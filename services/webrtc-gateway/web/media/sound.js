/**
 * @file The sound of one device, both ways, for as long as the page wants it: through restarts of the device, of the
 * gateway, and of the connection.
 *
 * Sound is never queued for later. Words are lost while the device is out of reach, and the talker's state shows it.
 */

import { Levels } from './levels.js';
import { Listeners } from './listening.js';
import { OFF, same } from './soundstate.js';
import { Voice } from './talking.js';

/** @import { MediaStreamName, Want } from '../link/sections.js' */

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
  #onClose;
  #listeners;
  #voice;
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
    this.#onClose = onClose;
    this.#listeners = new Listeners(env, onWant);
    this.#voice = new Voice(onWant);
  }

  /** The state of listening now. */
  get hearing() {
    return this.#hearing;
  }

  /** The state of talking now. */
  get talking() {
    return this.#talking;
  }

  /** The sound levels, and who talks; the device measures from the first access until they are closed. */
  get levels() {
    this.#levels ??= new Levels(this.#channels.stream(this.device, 'levels'), this.#env, () => (this.#levels = null));
    return this.#levels;
  }

  /**
   * Listens to the device's microphone. Browsers let a page play sound only after a click on it.
   * @returns The caller stops it; each caller has its own.
   */
  listen() {
    return this.#listeners.add();
  }

  /**
   * Plays a track on the device's speaker, live. A page has one voice: a new talk ends the current one.
   * @param {MediaStreamTrack} track The talk ends when it ends.
   * @returns The caller stops it.
   */
  talk(track) {
    return this.#voice.begin(track);
  }

  /** Ends all listening and talking, and tells the gateway. */
  close() {
    this.#listeners.close();
    this.#voice.close();
    this.#levels?.close();
    this.#onClose();
  }

  /** For the robot: the streams that should go over the connection. @returns {Want[]} */
  get wants() {
    const { device } = this;
    /** @type {Want[]} */
    const wants = [];
    if (this.#listeners.wanted) wants.push({ device, stream: 'audio', owner: this });
    if (this.#voice.wanted) wants.push({ device, stream: 'speaker', owner: this });
    return wants;
  }

  /**
   * For the robot: a stream now uses this transceiver.
   * @param {MediaStreamName} stream
   * @param {RTCRtpTransceiver} transceiver
   */
  use(stream, { receiver, sender }) {
    if (stream === 'speaker') this.#voice.use(sender);
    else this.#listeners.use(receiver);
  }

  /** For the robot: a stream has lost its section. @param {MediaStreamName} stream */
  free(stream) {
    if (stream === 'speaker') this.#voice.free();
    else this.#listeners.free();
  }

  /** For the robot: the connection is gone. */
  drop() {
    this.#listeners.drop();
    this.#voice.free();
  }

  /**
   * For the robot: the gateway refuses a stream.
   * @param {'audio'|'speaker'} stream @param {string} why
   */
  refuse(stream, why) {
    if (stream === 'speaker') this.#voice.refuse(why);
    else this.#listeners.refuse(why);
  }

  /**
   * For the robot: judges both directions. Called every few dozen ms.
   * @param {import('./soundstate.js').Surroundings} around
   */
  judge(around) {
    const hearing = this.#listeners.judge(around);
    const talking = this.#voice.judge(around);
    if (same(hearing, this.#hearing) && same(talking, this.#talking)) return;
    this.#hearing = hearing;
    this.#talking = talking;
    this.dispatchEvent(new CustomEvent('state', { detail: { hearing, talking } }));
  }
}

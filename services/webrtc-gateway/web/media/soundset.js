/**
 * @file All sounds that the page wants, independent of the connection.
 */

import { Sound } from './sound.js';

/** @typedef {import('../link/sections.js').Want} Want */

/** The sounds, by device. */
export class SoundSet {
  #env;
  #channels;
  #onWant;
  /** @type {Map<string, Sound>} */
  #sounds = new Map();

  /**
   * @param {import('../base/env.js').Env} env
   * @param {import('../channels/channelset.js').ChannelSet} channels
   * @param {() => void} onWant Called when the wanted streams change.
   */
  constructor(env, channels, onWant) {
    this.#env = env;
    this.#channels = channels;
    this.#onWant = onWant;
  }

  /** @returns {Want[]} */
  get wants() {
    return [...this.#sounds.values()].flatMap((sound) => sound.wants);
  }

  /**
   * @param {string} device
   * @returns {Sound} The same for the same device, until it is closed.
   */
  get(device) {
    const known = this.#sounds.get(device);
    if (known) return known;
    const sound = new Sound(device, this.#env, this.#channels, {
      onWant: this.#onWant,
      onClose: () => {
        this.#sounds.delete(device);
        this.#onWant();
      },
    });
    this.#sounds.set(device, sound);
    return sound;
  }

  /** @param {Want} want @param {RTCRtpTransceiver} transceiver The stream now uses it. */
  use({ device, stream }, transceiver) {
    const sound = this.#sounds.get(device);
    if (sound) sound.use(stream, transceiver);
    // A section that nobody wants must send nothing: its sound would be heard once another device gets the section.
    else if (stream === 'speaker') void transceiver.sender.replaceTrack(null).catch(() => {});
  }

  /** @param {Want} want The stream has lost its section. */
  free({ device, stream }) {
    if (stream !== 'video') this.#sounds.get(device)?.free(stream);
  }

  /** @param {Want} want @param {string} why Why the gateway refuses it. */
  refuse({ device, stream }, why) {
    if (stream !== 'video') this.#sounds.get(device)?.refuse(stream, why);
  }

  /** The connection is gone. */
  drop() {
    for (const sound of this.#sounds.values()) sound.drop();
  }

  /**
   * Judges all of them.
   * @param {Omit<import('./soundstate.js').Surroundings, 'device'>} around
   * @param {import('../proto/signaling.js').Device[]} devices
   */
  judge(around, devices) {
    const byName = new Map(devices.map((d) => [d.name, d]));
    for (const [name, sound] of this.#sounds) sound.judge({ ...around, device: byName.get(name) ?? null });
  }

  /** Closes all of them for good. */
  close() {
    for (const sound of [...this.#sounds.values()]) sound.close();
  }
}

/**
 * @file Media of one sort that the page wants of devices, independent of the connection.
 */

import { isSent } from '../link/sections.js';

/** @typedef {import('../link/sections.js').Want} Want */

/**
 * @typedef {object} Media What the page wants of one device.
 * @property {Want[]} wants The streams that should go over the connection.
 * @property {(stream: any, transceiver: RTCRtpTransceiver) => void} use A stream now uses this transceiver.
 * @property {(stream: any) => void} free A stream has lost its section.
 * @property {() => void} drop The connection is gone.
 * @property {(stream: any, why: string) => void} refuse The gateway refuses a stream.
 * @property {(around: import('./soundstate.js').Surroundings) => void} judge Looks at its state; called every few dozen
 *   ms.
 * @property {() => void} close Ends it for good.
 *
 * @typedef {object} MediaHandlers
 * @property {() => void} onWant The wanted streams have changed.
 * @property {() => void} onClose It was closed.
 */

/**
 * The media of one sort, by device.
 * @template {Media} M
 */
export class PerDevice {
  #make;
  #onWant;
  /** @type {Map<string, M>} */
  #all = new Map();

  /**
   * @param {(device: string, handlers: MediaHandlers) => M} make
   * @param {() => void} onWant Called when the wanted streams change.
   */
  constructor(make, onWant) {
    this.#make = make;
    this.#onWant = onWant;
  }

  /** @returns {Want[]} */
  get wants() {
    return [...this.#all.values()].flatMap((media) => media.wants);
  }

  /**
   * @param {string} device
   * @returns {M} The same for the same device, until it is closed.
   */
  get(device) {
    const known = this.#all.get(device);
    if (known) return known;
    const media = this.#make(device, {
      onWant: this.#onWant,
      onClose: () => {
        this.#all.delete(device);
        this.#onWant();
      },
    });
    this.#all.set(device, media);
    return media;
  }

  /** @param {Want} want @param {RTCRtpTransceiver} transceiver The stream now uses it. */
  use({ device, stream }, transceiver) {
    const media = this.#all.get(device);
    if (media) media.use(stream, transceiver);
    // A section that nobody wants must send nothing: another device may get the section.
    else if (isSent(stream)) void transceiver.sender.replaceTrack(null).catch(() => {});
  }

  /** @param {Want} want The stream has lost its section. */
  free({ device, stream }) {
    this.#all.get(device)?.free(stream);
  }

  /** @param {Want} want @param {string} why Why the gateway refuses it. */
  refuse({ device, stream }, why) {
    this.#all.get(device)?.refuse(stream, why || 'refused by the gateway');
  }

  /** The connection is gone. */
  drop() {
    for (const media of this.#all.values()) media.drop();
  }

  /**
   * Judges all of them.
   * @param {Omit<import('./soundstate.js').Surroundings, 'device'>} around
   * @param {import('../proto/signaling.js').Device[]} devices
   */
  judge(around, devices) {
    const byName = new Map(devices.map((d) => [d.name, d]));
    for (const [name, media] of this.#all) media.judge({ ...around, device: byName.get(name) ?? null });
  }

  /** Closes all of them for good. */
  close() {
    for (const media of [...this.#all.values()]) media.close();
  }
}

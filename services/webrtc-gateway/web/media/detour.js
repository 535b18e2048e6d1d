/**
 * @file The way around WebRTC: pictures over WebSockets of their own, while calls go over that of the session.
 *
 * A browser without any network interface gathers no ICE candidates, even on the robot itself, and a firewall may stop what WebRTC needs. The
 * rules stay the same: the actuator judges commands by their age, and nothing is kept to be sent later.
 */

import { PictureSocket } from './picturesocket.js';

/**
 * @typedef {'no-webrtc'|'no-interface'|'no-path'} DetourReason No-webrtc: the browser has none, or it is switched off. No-interface: it has no
 *   candidates. No-path: none of them works.
 */

/** The pictures that go around WebRTC. */
export class Detour {
  /** @type {DetourReason|''} Why the detour is taken; empty while it is not. */
  reason = '';

  #openOf;
  /** @type {string[]|null} Media types that this browser decodes; null before it has been asked, and while it thinks. */
  #types = null;
  #asked = false;
  #onReceiver;
  #env;
  /** @type {Map<string, PictureSocket>} By device. */
  #sockets = new Map();

  /**
   * @param {(device: string, types: string[]) => WebSocket} open Opens the socket of a device's pictures, of one of these media types.
   * @param {(device: string, receiver: import('./picturesocket.js').PictureReceiver) => void} onReceiver Called when there are pictures.
   * @param {import('../base/env.js').Env} env
   */
  constructor(open, onReceiver, env) {
    this.#openOf = open;
    this.#onReceiver = onReceiver;
    this.#env = env;
  }

  /** Whether this browser can show pictures without WebRTC. */
  get picture() {
    return this.#env.canDecode?.() ?? false;
  }

  /** Sees to it that these videos are shown. Called every few dozen ms. @param {string[]} devices */
  show(devices) {
    for (const [device, socket] of this.#sockets) {
      if (devices.includes(device)) continue;
      socket.close();
      this.#sockets.delete(device);
    }
    if (devices.length > 0 && this.picture) this.#ask();
    const types = this.#types ?? [];
    for (const device of types.length > 0 ? devices : []) {
      const known = this.#sockets.get(device);
      const socket = known ?? new PictureSocket(() => this.#openOf(device, types), (receiver) => this.#onReceiver(device, receiver), this.#env);
      if (!known) this.#sockets.set(device, socket);
      socket.tick();
    }
  }

  /** Asks the browser, once, what it decodes. */
  async #ask() {
    if (this.#asked) return;
    this.#asked = true;
    this.#types = await this.#env.decodable();
  }

  /** Hands out again what there is: a connection that ended took it away. */
  restore() {
    for (const [device, { receiver }] of this.#sockets) if (receiver) this.#onReceiver(device, receiver);
  }

  /** The detour is over. */
  end() {
    this.reason = '';
    this.show([]);
  }
}

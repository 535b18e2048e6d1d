/**
 * @file The way around WebRTC: each video over its own WebSocket, while calls go over the session's.
 *
 * A browser without a network interface gathers no ICE candidates, even on the robot itself, and a firewall may block
 * what WebRTC needs. The rules stay the same: the actuator judges commands by their age, and nothing is queued for
 * later.
 */

import { PictureSocket } from './picturesocket.js';

/**
 * @typedef {'no-webrtc'|'no-interface'|'no-path'} DetourReason No-webrtc: the browser lacks it, or it is switched off.
 *   No-interface: the browser has no candidates. No-path: none of them works.
 */

/** The videos that go around WebRTC. */
export class Detour {
  /** @type {DetourReason|''} Why the detour is taken; empty while it is not. */
  reason = '';

  #openOf;
  /** @type {string[]|null} Media types that this browser decodes; null until it has answered. */
  #types = null;
  #asked = false;
  #onReceiver;
  #env;
  /** @type {Map<string, PictureSocket>} By device. */
  #sockets = new Map();

  /**
   * @param {(device: string, types: string[]) => WebSocket} open Opens the socket of a device's pictures, in one of
   *   these media types.
   * @param {(device: string, receiver: import('./picturesocket.js').PictureReceiver) => void} onReceiver Called when
   *   pictures arrive.
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

  /** Keeps exactly these videos open. Called every few dozen ms. @param {string[]} devices */
  show(devices) {
    for (const [device, socket] of this.#sockets) {
      if (devices.includes(device)) continue;
      socket.close();
      this.#sockets.delete(device);
    }
    if (devices.length > 0 && this.picture) this.#ask();
    const types = this.#types ?? [];
    for (const device of types.length > 0 ? devices : []) {
      const socket = this.#sockets.get(device) ?? this.#newSocket(device, types);
      this.#sockets.set(device, socket);
      socket.tick();
    }
  }

  /** @param {string} device @param {string[]} types */
  #newSocket(device, types) {
    const open = () => this.#openOf(device, types);
    return new PictureSocket(open, (receiver) => this.#onReceiver(device, receiver), this.#env);
  }

  /** Asks the browser, once, what it decodes. */
  async #ask() {
    if (this.#asked) return;
    this.#asked = true;
    this.#types = await this.#env.decodable();
  }

  /** Hands the receivers out again: a connection that ended took them away. */
  restore() {
    for (const [device, { receiver }] of this.#sockets) if (receiver) this.#onReceiver(device, receiver);
  }

  /** The detour is over. */
  end() {
    this.reason = '';
    this.show([]);
  }
}

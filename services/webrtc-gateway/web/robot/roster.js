/** @file The actuators of a robot that the page knows of, and the control of each. */

import { Control } from '../control/control.js';
import { isActuator } from '../proto/signaling.js';

/** Without streams, actuators are asked for their state this often, in ms. */
const ASK_MS = 80;

/**
 * @typedef {object} RosterHandlers
 * @property {(device: string, stream: string) => import('../channels/stream.js').Stream} stream
 * @property {import('../channels/calls.js').Call} call
 * @property {() => void} onState One of the controls has changed.
 */

/** The actuators. They are kept while the gateway is lost: the e-stop has to reach them all. */
export class Roster {
  #handlers;
  #env;
  /** @type {Set<string>} */
  #names = new Set();
  /** @type {Map<string, Control>} */
  #controls = new Map();

  /** @param {RosterHandlers} handlers @param {import('../base/env.js').Env} env */
  constructor(handlers, env) {
    this.#handlers = handlers;
    this.#env = env;
  }

  /** Their names, sorted. */
  get names() {
    return [...this.#names].sort();
  }

  /**
   * Takes the devices that the gateway lists.
   * @param {import('../proto/signaling.js').Device[]} devices
   * @param {boolean} complete Whether the list is complete. Until it is, devices that an earlier gateway listed stay.
   */
  list(devices, complete) {
    if (complete) this.#names.clear();
    for (const { name } of devices.filter(isActuator)) {
      this.#names.add(name);
      this.control(name);
    }
  }

  /** @param {string} device @returns {Control} The same object for the same name. */
  control(device) {
    let control = this.#controls.get(device);
    if (!control) {
      control = new Control(device, this.#handlers.stream(device, 'control'), this.#handlers.call, this.#env);
      control.addEventListener('state', this.#handlers.onState);
      this.#controls.set(device, control);
    }
    return control;
  }

  /**
   * Asks silent actuators for their state. Called every few dozen ms during a session.
   * @param {boolean} streams Whether streams arrive.
   */
  tick(streams) {
    for (const control of this.#controls.values()) control.tick(streams ? undefined : ASK_MS);
  }
}

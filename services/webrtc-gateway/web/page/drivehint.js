/** @file What a robot without a section `drive:` is told: how to write it for the actuator that it has. */

import { byId, setText } from './dom.js';
import { driveRecipe } from './driverecipe.js';

/** @typedef {import('../robot/robot.js').Robot} Robot */

/** A device that could not be asked is asked again after this time, in ms. */
const AGAIN_MS = 2000;

/** The hint. */
export class DriveHint {
  #robot;
  #panel = byId('drive-hint', HTMLElement);
  #code = byId('drive-hint-code', HTMLElement);
  /** What was asked last: a run of a device. */
  #asked = '';
  #askedAt = -Infinity;

  /** @param {Robot} robot */
  constructor(robot) {
    this.#robot = robot;
  }

  /** Called several times a second. @param {string} name The actuator; empty to show nothing. */
  show(name) {
    const device = this.#robot.devices.find((d) => d.name === name);
    const life = device && !device.gone && this.#robot.state === 'live' ? `${name} ${device.epoch}` : '';
    const due = this.#code.textContent === '' && performance.now() - this.#askedAt > AGAIN_MS;
    if (name !== '' && life !== '' && (life !== this.#asked || due)) void this.#ask(name, life);
    this.#panel.hidden = name === '' || this.#code.textContent === '';
    setText(byId('drive-hint-device', HTMLElement), name);
  }

  /** @param {string} name @param {string} life */
  async #ask(name, life) {
    if (life.split(' ')[0] !== this.#asked.split(' ')[0]) setText(this.#code, '');
    this.#asked = life;
    this.#askedAt = performance.now();
    const text = await driveRecipe((device, method) => this.#robot.call(device, method), name);
    if (this.#asked === life) setText(this.#code, text || (this.#code.textContent ?? ''));
  }
}

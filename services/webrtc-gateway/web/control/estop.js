/**
 * @file The e-stop of all actuators of a robot.
 *
 * It is said on every way there is, ten times a second, until each actuator has answered: through losses, reconnects and
 * restarts. It is the one wish that is never too late.
 */

import { METHODS } from '../proto/methods.js';
import { fields, isObject } from '../proto/json.js';

/** Time between two attempts, in ms. */
const AGAIN_MS = 100;
/** How many calls on the WebSocket to one actuator may wait for their answer; beyond that they would crowd out others. */
const MOST_WAITING = 8;

/**
 * @typedef {object} EStopState
 * @property {'clear'|'pending'|'latched'} state Pending: pressed here, and not confirmed by all. Latched: by somebody.
 * @property {string[]} unconfirmed Names of actuators that have not answered yet.
 * @property {string} why Why they have not, as far as is known.
 * @property {(import('../proto/actuator.js').LatchedEStop & {device: string})|null} latched One that is latched, the latest.
 */

/**
 * @typedef {object} Actuators
 * @property {() => string[]} names Of all that are known, also by a gateway before this one.
 * @property {() => boolean} known Whether that is all there are: a gateway that has just started has not heard of all yet.
 * @property {(device: string) => import('./control.js').Control} control
 * @property {import('../channels/calls.js').Call} call
 * @property {() => string} holder What this page calls itself.
 * @property {() => void} onChange
 */

/** The e-stop of one robot. */
export class EStop {
  #actuators;
  #env;
  /** @type {Press|null} The last press, until all that there can be have confirmed it. */
  #press = null;
  /** Whether it was ever known what actuators there are. */
  #sure = false;

  /**
   * @param {Actuators} actuators
   * @param {import('../base/env.js').Env} env
   */
  constructor(actuators, env) {
    this.#actuators = actuators;
    this.#env = env;
  }

  /** @returns {EStopState} */
  get state() {
    const latched = this.#latched.sort((a, b) => (b.pressMs ?? 0) - (a.pressMs ?? 0))[0] ?? null;
    const unconfirmed = this.#unconfirmed;
    const pending = this.#press && (unconfirmed.length > 0 || !this.#sure);
    return { state: pending ? 'pending' : latched ? 'latched' : 'clear', unconfirmed, why: this.#press?.why ?? '', latched };
  }

  /**
   * Presses it.
   * @param {string} reason
   * @returns {Promise<void>} Resolves when all actuators have confirmed it, or it was taken back.
   */
  press(reason) {
    const before = this.#press;
    const press = new Press(reason);
    this.#press = press;
    this.tick();
    this.#actuators.onChange();
    // Who waits for an earlier press waits for this one.
    if (before) void press.done.then(before.finish);
    return press.done;
  }

  /**
   * Takes back what is not confirmed, and clears what is latched.
   * @param {string} key The override key, if one is configured.
   * @returns {Promise<void>} Rejects with the CallError of an actuator that refuses.
   */
  async clear(key) {
    this.#finish();
    await Promise.all(this.#latched.map(async ({ device, id }) => {
      const request = { by: this.#actuators.holder(), key, id };
      const response = await this.#actuators.call(device, METHODS.clearEStop, request);
      this.#actuators.control(device).observe(response.state);
    }));
  }

  /** Says it again when it is time to. Called every few dozen ms, whether there is a session or not. */
  tick() {
    const known = this.#actuators.known();
    this.#sure ||= known;
    const press = this.#press;
    if (!press) return;
    if (this.#env.now() - press.saidAt >= AGAIN_MS) {
      press.saidAt = this.#env.now();
      for (const name of this.#unconfirmed) this.#say(press, name);
    }
    // Until then an actuator may turn up that has not been told.
    if (known && this.#unconfirmed.length === 0) this.#finish();
  }

  get #latched() {
    return this.#actuators.names().flatMap((device) => {
      const eStop = this.#actuators.control(device).state?.eStop;
      return eStop ? [{ device, ...eStop }] : [];
    });
  }

  get #unconfirmed() {
    const press = this.#press;
    return press ? this.#actuators.names().filter((name) => !press.confirmed.has(name)) : [];
  }

  /** @param {Press} press @param {string} device */
  #say(press, device) {
    const request = { by: this.#actuators.holder(), reason: press.reason };
    void this.#ask(press, device, request, { lossy: true, timeoutMs: 1000 });
    const waiting = press.waiting.get(device) ?? 0;
    if (waiting >= MOST_WAITING) return;
    press.waiting.set(device, waiting + 1);
    void this.#ask(press, device, request, {}).then(() => press.waiting.set(device, (press.waiting.get(device) ?? 1) - 1));
  }

  /** @param {Press} press @param {string} device @param {import('../proto/types.js').RequestOf<typeof METHODS.eStop>} request @param {import('../channels/calls.js').CallOptions} options */
  async #ask(press, device, request, options) {
    try {
      const response = await this.#actuators.call(device, METHODS.eStop, request, options);
      this.#actuators.control(device).observe(response.state);
      // An answer that does not show an e-stop is no answer.
      if (!isObject(fields(response.state).eStop)) return;
      press.confirmed.add(device);
      if (this.#press === press) this.#actuators.onChange();
    } catch (error) {
      if (!options.lossy) press.why = String(/** @type {Error} */ (error).message);
    }
  }

  #finish() {
    const press = this.#press;
    if (!press) return;
    this.#press = null;
    press.finish();
    this.#actuators.onChange();
  }
}

/** One press of the e-stop. */
class Press {
  reason;
  /** @type {Set<string>} */
  confirmed = new Set();
  /** @type {Map<string, number>} Calls on the WebSocket that wait for their answer. */
  waiting = new Map();
  saidAt = -Infinity;
  why = '';
  /** Ends {@link Press.done}. */
  finish = () => {};
  /** @type {Promise<void>} */
  done = new Promise((resolve) => (this.finish = resolve));

  /** @param {string} reason */
  constructor(reason) {
    this.reason = reason;
  }
}

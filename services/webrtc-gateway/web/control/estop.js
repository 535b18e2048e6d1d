/**
 * @file The e-stop of all actuators of a robot.
 *
 * The press is sent on every path, ten times a second, until each actuator has answered: through losses, reconnects and
 * restarts. It is the one wish that is never too late.
 */

import { METHODS } from '../proto/methods.js';
import { fields, isObject } from '../proto/json.js';

/** The time between two attempts, in ms. */
const AGAIN_MS = 100;
/** How many calls to one actuator may await their answer on the WebSocket; more would crowd out other calls. */
const MOST_WAITING = 8;

/**
 * @typedef {object} EStopState
 * @property {'clear'|'pending'|'latched'} state Pending: pressed here, not yet confirmed by all. Latched: pressed by somebody.
 * @property {string[]} unconfirmed The actuators that have not answered yet.
 * @property {string} why Why they have not, if known.
 * @property {(import('../proto/actuator.js').LatchedEStop & {device: string})|null} latched The latest latched e-stop.
 */

/**
 * @typedef {object} Actuators
 * @property {() => string[]} names All known actuators, including those that an earlier gateway listed.
 * @property {() => boolean} known Whether the list is complete: a gateway that has just started does not know all devices yet.
 * @property {(device: string) => import('./control.js').Control} control
 * @property {import('../channels/calls.js').Call} call
 * @property {() => string} holder The name of this page.
 * @property {() => void} onChange
 */

/** The e-stop of one robot. */
export class EStop {
  #actuators;
  #env;
  /** @type {Press|null} The last press, until every possible actuator has confirmed it. */
  #press = null;
  /** Whether the list of actuators was ever complete. */
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
   * Presses the e-stop.
   * @param {string} reason
   * @returns {Promise<void>} Resolves when all actuators have confirmed it, or it was withdrawn.
   */
  press(reason) {
    const before = this.#press;
    const press = new Press(reason);
    this.#press = press;
    this.tick();
    this.#actuators.onChange();
    // Callers that wait for an earlier press wait for this one.
    if (before) void press.done.then(before.finish);
    return press.done;
  }

  /**
   * Withdraws an unconfirmed press, and clears what is latched.
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

  /** Sends the press again when it is due. Called every few dozen ms, with or without a session. */
  tick() {
    const known = this.#actuators.known();
    this.#sure ||= known;
    const press = this.#press;
    if (!press) return;
    if (this.#env.now() - press.saidAt >= AGAIN_MS) {
      press.saidAt = this.#env.now();
      for (const name of this.#unconfirmed) this.#say(press, name);
    }
    // Until then an actuator may turn up that has not received it.
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
      // An answer that does not show an e-stop does not count.
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
  /** @type {Map<string, number>} Calls on the WebSocket that await their answer. */
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

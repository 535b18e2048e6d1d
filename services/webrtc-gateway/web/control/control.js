/**
 * @file Who commands one actuator, and whether it may move, to the page's knowledge.
 */

import { controlState } from '../proto/actuator.js';
import { METHODS } from '../proto/methods.js';

/** An actuator reports its state at least once a second; after this silence the page asks for it, in ms. */
const ASK_MS = 1500;
/** A state older than this is unreliable, in ms. */
const STALE_MS = 2500;

/** The fastest delivery of a state is remembered for at least this long, in ms: clocks drift apart. */
const WAY_MS = 15_000;
/**
 * Actuators report ten times a second, and at once when something changes; a state older than this, in ms, may no
 * longer be true. With the time between two checks that makes 300.
 */
const KNOWN_MS = 250;

/** @typedef {import('../proto/actuator.js').ControlState} ControlState */

/**
 * The state of one actuator. Made by `robot.control(device)`.
 *
 * Events: `state` whenever a newer {@link Control.state} arrives, at least once a second; its detail is the state.
 */
export class Control extends EventTarget {
  device;
  /** @type {ControlState|null} The newest state received; null if there is none. */
  state = null;

  #call;
  #env;
  /** @type {Set<string>} The actuator's past lives. */
  #past = new Set();
  #heardAt = -Infinity;
  #asking = false;
  /** Our clock minus the actuator's at the fastest delivery of a state, in ms: in this span of time, and in the one before. */
  #way = { since: -Infinity, least: Infinity, before: Infinity };

  /**
   * @param {string} device
   * @param {import('../channels/stream.js').Stream} stream The stream of its states.
   * @param {import('../channels/calls.js').Call} call
   * @param {import('../base/env.js').Env} env
   */
  constructor(device, stream, call, env) {
    super();
    this.device = device;
    this.#call = call;
    this.#env = env;
    stream.addEventListener('message', (event) => this.observe(/** @type {CustomEvent} */ (event).detail.value));
  }

  /** Whether {@link Control.state} is what the actuator reported a moment ago. */
  get current() {
    return this.#env.now() - this.#heardAt < STALE_MS;
  }

  /**
   * How long ago {@link Control.state} was true, in ms, as far as can be known: a state that was long in transit is old
   * when it arrives. Infinity if none was received.
   */
  get ageMs() {
    if (!this.state) return Infinity;
    return Math.max(0, this.#env.now() - toMs(this.state.clock) - Math.min(this.#way.least, this.#way.before));
  }

  /** Whether {@link Control.state} is recent enough to be shown as true. */
  get known() {
    return this.ageMs <= KNOWN_MS;
  }

  /**
   * Asks the actuator for its state.
   * @param {number} [timeoutMs]
   * @returns {Promise<ControlState|null>} The newest state known then, whether it answered or not.
   */
  async refresh(timeoutMs = ASK_MS) {
    this.#asking = true;
    try {
      const response = await this.#call(this.device, METHODS.getControl, {}, { timeoutMs });
      this.observe(response.state);
    } catch {
      // The actuator may be away; the age of the state shows it.
    } finally {
      this.#asking = false;
    }
    return this.state;
  }

  /**
   * For the library: records a state from any source. States may overtake each other; older ones are ignored.
   * @param {import('../proto/types.js').Claim<import('../proto/gen/waldo/control/v1/control_pb.js').ControlStateJson>} json
   * @returns {ControlState|null} The given state, or null if it is invalid.
   */
  observe(json) {
    const next = controlState(json);
    if (!next || this.#past.has(next.epoch)) return next;
    const known = this.state;
    if (known && known.epoch === next.epoch && next.clock.ns < known.clock.ns) return next;
    if (known && known.epoch !== next.epoch) {
      this.#past.add(known.epoch);
      this.#way = { since: -Infinity, least: Infinity, before: Infinity };
    }
    this.state = next;
    this.#heardAt = this.#env.now();
    this.#measure(this.#heardAt - toMs(next.clock));
    this.dispatchEvent(new CustomEvent('state', { detail: next }));
    return next;
  }

  /** Records how far our clock is ahead of the actuator's, transit time included. @param {number} ahead */
  #measure(ahead) {
    const [now, way] = [this.#env.now(), this.#way];
    if (now - way.since < WAY_MS) way.least = Math.min(way.least, ahead);
    else this.#way = { since: now, least: ahead, before: way.least };
  }

  /**
   * For the robot: asks for the state after too long a silence. Called every few dozen ms while there is a session.
   * @param {number} [askMs] The silence in ms.
   */
  tick(askMs = ASK_MS) {
    if (!this.#asking && this.#env.now() - this.#heardAt >= askMs) void this.refresh();
  }
}

/** @param {import('../proto/actuator.js').Clock} clock @returns {number} */
function toMs({ ns }) {
  return Number(ns / 1000n) / 1000;
}

/**
 * @file Driving a robot from a page: the inputs, their effect, and whether they have one now.
 */

import { axisValues } from './mixing.js';
import { Stint } from './stint.js';

/**
 * @typedef {'off'|import('./stint.js').StintState} DriveState
 * @typedef {import('./stint.js').End} End
 * @typedef {import('./mixing.js').Input} Input
 * @typedef {import('../proto/signaling.js').DriveConfig} DriveConfig
 */

/** @type {Record<End, string>} The text for an end, if nothing more is known about it. */
const ENDS = {
  released: 'Stopped',
  taken: 'Somebody else has taken over',
  lapsed: 'Stopped: the lease expired',
  lost: 'Stopped: the connection was lost',
  'no-way': 'Commands cannot reach the robot',
  hidden: 'Stopped: this page was hidden',
  frozen: 'Stopped: this page froze',
  closed: 'Stopped: this page was closed',
  estop: 'Stopped by the e-stop',
  restarted: 'Stopped: the device was restarted',
  refused: 'The actuator refused',
  unconfigured: 'robot.yaml does not say how the robot is driven',
  reconfigured: 'Stopped: the drive configuration changed',
};

/**
 * Driving one robot. Made by `robot.drive()`.
 *
 * Driving ends when the page is hidden, closed or frozen, and begins again only with {@link Drive.start}.
 *
 * Events: `state` when {@link Drive.state} or {@link Drive.reason} changes, `config` when {@link Drive.config} does.
 */
export class Drive extends EventTarget {
  /** @type {DriveState} */
  state = 'off';
  /** @type {End|''} Why driving has ended; empty while it has not, and before the first time. */
  reason = '';
  /** The same, for people. */
  why = '';
  /** @type {DriveConfig|null} How the robot is driven; null until the gateway reports it, and if it is not configured. */
  config = null;

  #way;
  #env;
  /** @type {Map<Input, () => void>} The inputs, and how to stop listening to them. */
  #inputs = new Map();
  /** @type {Stint|null} */
  #stint = null;

  /**
   * @param {import('./stint.js').Way} way
   * @param {import('../base/env.js').Env} env
   */
  constructor(way, env) {
    super();
    this.#way = way;
    this.#env = env;
  }

  /** The name of this page when it drives. */
  get holder() {
    return this.#env.holder();
  }

  /** The control of the driven actuator; null without {@link Drive.config}. */
  get control() {
    return this.config && this.#way.control(this.config.device);
  }

  /** The inputs that move the robot while it is driven. */
  get inputs() {
    return [...this.#inputs.keys()];
  }

  /** The present position of each axis from the inputs, -1 to 1, by name; whether the page drives or not. */
  get axes() {
    return axisValues(this.config?.axes ?? [], this.#inputs.keys());
  }

  /** The values being sent, by key; null if none are. */
  get values() {
    return this.#stint?.values ?? null;
  }

  /** Why the actuator refused the newest command, for example `EXPIRED`; empty if it accepted it, or if nothing is sent. */
  get refusal() {
    return this.#stint?.refusal ?? '';
  }

  /**
   * When the picture that the driver sees was captured, as commands tell the actuator: Unix time in ms on the camera's
   * clock. Null if none is shown, nothing is driven, or the actuator does not watch what the driver sees.
   */
  get seenMs() {
    return this.#stint?.seenMs ?? null;
  }

  /** The quality of the link to the actuator; null without a lease. */
  get quality() {
    return this.#stint?.quality ?? null;
  }

  /**
   * Lets an input move the robot while it is driven.
   * @param {Input} input
   * @returns {() => void} Removes the input.
   */
  use(input) {
    const changed = () => this.#stint?.hurry();
    input.addEventListener?.('change', changed);
    this.#inputs.set(input, () => input.removeEventListener?.('change', changed));
    input.bind?.(this.config?.axes ?? [], this.config?.pads ?? []);
    return () => {
      this.#inputs.get(input)?.();
      this.#inputs.delete(input);
    };
  }

  /**
   * Starts driving: acquires the lease, waits for the inputs to be at rest, and continues until {@link Drive.stop} or
   * until something ends it. {@link Drive.state} shows the progress.
   * @param {object} [options]
   * @param {boolean} [options.take] Takes the lease from its holder.
   * @param {string} [options.key] The override key for that, if one is configured.
   */
  start({ take = false, key = '' } = {}) {
    if (this.state !== 'off') return;
    if (!this.config) {
      this.#ended('unconfigured', '');
      return;
    }
    this.#become('acquiring', '', '');
    this.#stint = new Stint({
      config: this.config,
      wish: { take, key },
      inputs: () => this.#inputs.keys(),
      way: this.#way,
      onState: (state) => this.#become(state, '', ''),
      onEnd: (reason, why) => this.#ended(reason, why),
    }, this.#env);
    // It may have ended already.
    if (this.state === 'off') this.#stint = null;
  }

  /** Ends driving: the robot stops, and the lease is released. */
  stop() {
    this.end('released');
  }

  /**
   * For the robot: ends driving for a reason of its own.
   * @param {End} reason
   */
  end(reason) {
    this.#stint?.end(reason);
  }

  /**
   * For the robot: how it is driven.
   * @param {DriveConfig|null} config
   */
  configure(config) {
    if (JSON.stringify(config) === JSON.stringify(this.config)) return;
    this.end('reconfigured');
    this.config = config;
    for (const input of this.#inputs.keys()) input.bind?.(config?.axes ?? [], config?.pads ?? []);
    this.dispatchEvent(new CustomEvent('config', { detail: config }));
  }

  /** @param {End} reason @param {string} why */
  #ended(reason, why) {
    this.#stint = null;
    this.#become('off', reason, why || ENDS[reason]);
  }

  /** @param {DriveState} state @param {End|''} reason @param {string} why */
  #become(state, reason, why) {
    this.state = state;
    this.reason = reason;
    this.why = why;
    this.dispatchEvent(new CustomEvent('state', { detail: { state, reason, why } }));
  }
}

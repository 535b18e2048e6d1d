/** @file Driving an actuator from a program: the page's own driving, with values in place of keys. */

import { Drive as Driving } from '#web/control/drive.js';
import { METHODS } from '#web/proto/methods.js';
import { object, parseJson } from '#web/proto/json.js';
import { writeFields } from '#web/proto/serial.js';
import { Hand } from './hand.js';
import { callError, failure } from './status.js';

/** How long values count that are not sent again, in ms. */
const HOLD_MS = 200;
/** How long the actuator may take to say what it is sent, in ms. */
const ANSWER_MS = 5000;

/**
 * @typedef {object} DriveOptions
 * @property {number} [rateHz] How often commands are sent while driving, 10 to 100 a second; default 30.
 * @property {string} [method] Full name of the method by which the actuator is commanded, such as
 *   `waldo.ptz.v1.PtzService/Move`; a board is sent messages.
 */

/**
 * Driving one actuator. Made by `robot.drive(device)`.
 *
 * {@link Drive.start} acquires the lease; then {@link Drive.send} says what the actuator should do, at least five times
 * a second. Driving goes on until {@link Drive.stop}, or until something ends it: somebody takes over, an e-stop is
 * pressed, the connection stays away. It never begins again by itself.
 *
 * Events: `state` when {@link Drive.state} or {@link Drive.reason} changes.
 */
export class Drive extends Driving {
  device;

  #way;
  #options;
  #hand = new Hand(HOLD_MS);

  /**
   * @param {string} device
   * @param {DriveOptions} options
   * @param {import('#web/control/stint.js').Way} way
   * @param {import('#web/base/env.js').Env} env
   */
  constructor(device, options, way, env) {
    super(way, env);
    const { rateHz = 30 } = options;
    if (typeof rateHz !== 'number' || !(rateHz >= 10 && rateHz <= 100)) {
      throw new RangeError(`rateHz ${rateHz}: must be 10 to 100`);
    }
    this.device = device;
    this.#way = way;
    this.#options = options;
    this.use(this.#hand);
    // Before all others listen: what a page says of itself is true of this program.
    this.addEventListener('state', () => (this.why = this.why.replace('this page', 'this program')));
  }

  /**
   * Starts driving: acquires the lease, and sends a neutral command.
   * @override
   * @param {object} [options]
   * @param {boolean} [options.take] Takes the lease from its holder.
   * @param {string} [options.key] The override key for that, if one is configured.
   * @returns {Promise<void>} Resolves when values count; rejects with the reason if driving ends before. An e-stop that
   *   is pressed ends it.
   */
  start(options = {}) {
    const started = this.#start(options);
    started.catch(() => {}); // a program that looks at the state only is not ended by it
    return started;
  }

  /**
   * Says what the actuator should do now: sent at once, and again until 200 ms have passed; what is not named is as in
   * the safe message. Without another `send` the actuator stops then.
   * @param {Record<string, number>} values By key, as the actuator's message has them.
   * @returns {boolean} False if it does not count now, and was not sent; {@link Drive.state} and {@link Drive.why} tell
   *   why. Throws a TypeError or a RangeError for what the message cannot hold.
   */
  send(values) {
    this.#hand.check(values);
    if (this.state !== 'driving') return false;
    this.#hand.hold(values);
    return true;
  }

  /** @param {{take?: boolean, key?: string}} options */
  async #start(options) {
    if (this.state === 'driving') return;
    if (!this.config) this.configure(await this.#describe());
    super.start(options);
    await this.#settled();
  }

  /** Asks the actuator what it is sent. @returns {Promise<import('#web/proto/signaling.js').DriveConfig>} */
  async #describe() {
    const { method, rateHz = 30 } = this.#options;
    const [port, response] = await Promise.all([
      method === undefined ? this.#way.call(this.device, METHODS.getPort, {}, { timeoutMs: ANSWER_MS }) : null,
      this.#way.call(this.device, METHODS.getControl, {}, { timeoutMs: ANSWER_MS }),
    ]).catch((error) => {
      const failed = callError(error, this.device);
      throw failed.code === 'UNIMPLEMENTED'
        ? failure('FAILED_PRECONDITION', `${this.device} cannot be driven: ${failed.message}`)
        : failed;
    });
    const state = this.#way.control(this.device).observe(response.state);
    const safe = object(parseJson(state?.safeJson ?? ''));
    this.#hand.learn(safe, port ? writeFields(port.port) : new Map());
    const keys = this.#hand.keys;
    if (keys.length === 0) {
      throw failure('FAILED_PRECONDITION',
        `${this.device} is not sent values by key: its safe message is ${state?.safeJson}`);
    }
    return {
      device: this.device, ...(method !== undefined && { method }), rateHz,
      axes: keys.map((name) => ({ name, plusKeys: [], minusKeys: [], gamepad: '', touch: '' })),
      values: keys.map((key) => ({
        key, terms: [{ axis: key, gain: this.#hand.scale(key) }], offset: this.#hand.safe(key),
      })),
    };
  }

  /** Resolves when values count. */
  #settled() {
    return new Promise((resolve, reject) => {
      const look = () => {
        const { state, why, reason } = this;
        if (!['driving', 'off', 'estopped'].includes(state)) return;
        this.removeEventListener('state', look);
        if (state === 'driving') resolve(undefined);
        if (state === 'off') reject(failure('FAILED_PRECONDITION', why || reason));
        if (state !== 'estopped') return;
        this.end('estop');
        const eStop = this.control?.state?.eStop;
        reject(
          failure('FAILED_PRECONDITION', `An e-stop is pressed${eStop ? `, by ${eStop.by}` : ''}: clear it first`));
      };
      this.addEventListener('state', look);
      look();
    });
  }
}

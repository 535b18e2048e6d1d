/**
 * @file The right to command one actuator, and the headers that make its commands valid.
 */

import { CallError } from '../channels/calls.js';
import { report } from '../proto/actuator.js';
import { object, parseJson, timestampText } from '../proto/json.js';
import { METHODS } from '../proto/methods.js';
import { Quality } from './quality.js';

/** @import { CommandReportJson, ControlStateJson } from '../proto/gen/waldo/control/v1/control_pb.js' */
/** @import { Claim } from '../proto/types.js' */

/**
 * How long to wait for an answer, in ms: longer than a lease lasts, because a late answer still shows that the actuator
 * is there.
 */
const TIMEOUT_MS = 2000;
/** The time between signs of life while no commands are accepted, as a fraction of the lease's lifetime. */
const SIGN_OF_LIFE = 0.3;
/** Verdicts on commands that do not count as signs of life, or that might not. */
const LIFELESS = ['EXPIRED', 'OUT_OF_ORDER', 'UNKNOWN_CLOCK', 'BEFORE_STOP', 'NO_LEASE'];

/** @type {CommandReportJson} The report for a lease that is not ours. */
const NO_LEASE = { verdict: 'COMMAND_VERDICT_NO_LEASE' };

/**
 * @typedef {object} LeaseHandlers
 * @property {import('../channels/calls.js').Call} call
 * @property {(report: import('../proto/actuator.js').Report) => void} onReport The verdict on a command.
 * @property {(why: string) => void} onUnusable The actuator cannot parse the commands.
 * @property {(state: Claim<ControlStateJson>) => void} onState The actuator has reported its state.
 * @property {() => number|null} seen When the picture was captured that the driver sees, Unix time in ms; null if they
 *   see none, or need none.
 */

/** One lease, from its grant to its end. Each grant makes a new one. */
export class Lease {
  device;
  /** The message that means stop. */
  safeJson;
  /** The lease's lifetime after the last sign of life, in ms. */
  ttlMs;
  /** The life of the actuator that granted it. */
  actuatorEpoch;
  quality = new Quality();
  /** When the last command or sign of life was sent, in ms. */
  sentAt;
  /** When the last message of the actuator arrived, in ms. */
  heardAt;
  /** When the last answer to a command arrived, in ms; -Infinity if that command did not extend the lease. */
  #extendedAt;
  /** When the last sign of life was sent that is not a command, in ms. */
  #keptAt = -Infinity;
  /** Sequence of the last command. */
  sequence = 0;

  #grant;
  #method;
  #heard;
  #handlers;
  #env;

  /**
   * @param {string} device
   * @param {import('../proto/actuator.js').LeaseGrant} grant
   * @param {import('../proto/actuator.js').ControlState} state The state reported with the grant.
   * @param {LeaseHandlers} handlers
   * @param {import('../base/env.js').Env} env
   * @param {string} [method] Takes the values of a command as its fields; a board is sent messages.
   */
  constructor(device, grant, state, handlers, env, method = '') {
    this.#method = method;
    this.device = device;
    this.safeJson = state.safeJson;
    this.actuatorEpoch = state.epoch;
    this.ttlMs = grant.ttlMs;
    this.#grant = grant;
    this.#heard = state.clock;
    this.#handlers = handlers;
    this.#env = env;
    this.sentAt = this.heardAt = this.#extendedAt = env.now();
  }

  /**
   * Records a clock value of the actuator: commands repeat the newest.
   * @param {import('../proto/actuator.js').Clock} clock
   */
  hear(clock) {
    if (clock.ns > this.#heard.ns) this.#heard = clock;
  }

  /**
   * Sends a command, now or never.
   * @param {string} json
   */
  command(json) {
    this.sequence += 1;
    this.sentAt = this.#env.now();
    this.quality.sent(this.sequence, this.sentAt);
    const { epoch, lifeMs, maxLifeMs } = this.#grant;
    // The lifetime includes the transit time, so the round trip is added to it. Without one in the header the default of
    // the actuator counts.
    const life = Math.min(lifeMs + this.quality.shortestMs, maxLifeMs) / 1000;
    const seenMs = this.#handlers.seen();
    const control = {
      leaseEpoch: epoch, sequence: String(this.sequence), heard: this.#heard.text,
      ...(life > 0 && { life: `${life.toFixed(3)}s` }), ...(seenMs !== null && { seen: timestampText(seenMs) }),
    };
    const options = { lossy: true, timeoutMs: TIMEOUT_MS };
    (this.#method === ''
      ? this.#handlers.call(this.device, METHODS.write, { json, control }, options)
      : this.#handlers.call(this.device, this.#method, { ...object(parseJson(json)), control }, options))
      .then((response) => this.#reported(response.report), (error) => this.#refused(error));
  }

  /** Whether it is time for a sign of life, since nothing has been sent. */
  get idle() {
    return this.#env.now() - this.sentAt >= SIGN_OF_LIFE * this.ttlMs;
  }

  /**
   * Whether it is time for a sign of life besides commands, because those come too late to extend the lease, or are not
   * answered.
   */
  get endangered() {
    const pause = SIGN_OF_LIFE * this.ttlMs;
    const now = this.#env.now();
    return now - this.#extendedAt >= pause && now - this.#keptAt >= pause;
  }

  /** Sends a sign of life, which may be lost and moves nothing. */
  keepAlive() {
    this.sentAt = this.#keptAt = this.#env.now();
    this.#handlers.call(this.device, METHODS.keepAlive, { leaseEpoch: this.#grant.epoch }, { lossy: true, timeoutMs: TIMEOUT_MS })
      .then(({ state }) => {
        this.heardAt = this.#env.now();
        this.#handlers.onState(state);
      }, (error) => {
        // Only a lease that is not ours fails this way; a lost sign of life is repeated soon.
        if (error.code === 'FAILED_PRECONDITION') this.#reported(/** @type {Claim<CommandReportJson>} */ (NO_LEASE));
      });
  }

  /**
   * Releases the lease. If that does not get through, the lease expires.
   * @param {number} [timeoutMs]
   * @returns {Promise<boolean>} Whether it got through.
   */
  async release(timeoutMs) {
    try {
      const { state } = await this.#handlers.call(this.device, METHODS.release, { leaseEpoch: this.#grant.epoch }, { timeoutMs });
      this.#handlers.onState(state);
      return true;
    } catch {
      return false;
    }
  }

  /** @param {CallError} error */
  #refused(error) {
    const detail = error.detail('waldo.control.v1.CommandReport');
    if (detail) this.#reported(detail);
    else if (error.code === 'INVALID_ARGUMENT') this.#handlers.onUnusable(error.message);
    // The rest are lost commands, or an actuator that is away: its silence is noticed.
  }

  /** @param {Claim<CommandReportJson>} json */
  #reported(json) {
    const r = report(json);
    if (!r) return;
    this.heardAt = this.#env.now();
    this.quality.reported(r, this.heardAt);
    this.#extendedAt = LIFELESS.includes(r.verdict) ? -Infinity : this.heardAt;
    // A clock value that the actuator never sent cannot be trusted either.
    if (r.verdict === 'UNKNOWN_CLOCK') this.#heard = r.clock;
    else if (r.verdict !== 'NO_LEASE') this.hear(r.clock);
    this.#handlers.onReport(r);
  }
}

/**
 * @file One stint: from the request to drive to its end, for whatever reason.
 *
 * The actuator decides whether a command is valid; this side takes care never to send one that should not be. Commands
 * contain what is held at the moment they are sent, or nothing; none is kept for later. A stint that has ended never
 * begins again.
 */

import { isOwn } from '../base/holder.js';
import { STILL_MS } from '../inputs/attention.js';
import { METHODS } from '../proto/methods.js';
import { leaseGrant } from '../proto/actuator.js';
import { writeFields } from '../proto/serial.js';
import { axisValues, commandJson, driveValues } from './mixing.js';
import { Lease } from './lease.js';
import { Pace } from './pace.js';

/** A page that freezes for this long before it has a lease does not acquire one, in ms. */
const FROZEN_MS = 1000;
/** How long to wait for a connection to the robot: at first, and since the last message of the actuator, in ms. */
const PATIENCE_MS = 5000;
/** The time between two attempts to acquire the lease again, in ms. */
const AGAIN_MS = 200;
/** The time limit for the answer to a lease request, in ms. */
const ANSWER_MS = 2000;
/** The time limit for finding out who has the lease instead, in ms. */
const WHO_MS = 500;
/** The limits of the command rate, and its default, in Hz. */
const [SLOWEST_HZ, USUAL_HZ, FASTEST_HZ] = [10, 30, 100];
/** How often the final neutral command is sent, in case one is lost. */
const FAREWELLS = 3;

/**
 * @typedef {'acquiring'|'arming'|'driving'|'estopped'|'away'|'lost'} StintState
 *   Arming: we have the lease, and wait for the inputs to be at rest. Estopped, away: we have it, but nothing can move. Lost: the
 *   connection is lost, and we wait for it.
 *
 * @typedef {'released'|'taken'|'lapsed'|'lost'|'no-way'|'hidden'|'frozen'|'closed'|'estop'|'restarted'|'refused'|'unconfigured'
 *   |'reconfigured'} End Why driving has ended.
 *
 * @typedef {object} Way What a stint needs from the robot.
 * @property {import('../channels/calls.js').Call} call
 * @property {(device: string) => import('./control.js').Control} control
 * @property {() => boolean} ready Whether commands and calls can be sent.
 * @property {(camera: string) => number|null} seen When the picture of a camera was captured that was shown last, Unix
 *   time in ms; null if none was.
 *
 * @typedef {object} StintOptions
 * @property {import('../proto/signaling.js').DriveConfig} config
 * @property {{take: boolean, key: string}} wish
 * @property {() => Iterable<import('./mixing.js').Input>} inputs
 * @property {Way} way
 * @property {(state: StintState) => void} onState
 * @property {(reason: End, why: string) => void} onEnd Called once, at the end; `why` is for people, and may be empty.
 */

/** One stint. */
export class Stint {
  /** @type {StintState} */
  state = 'acquiring';

  #options;
  #env;
  #control;
  /** @type {Lease|null} */
  #lease = null;
  /** @type {Map<string, import('../proto/serial.js').FieldInfo>} The fields of the message. */
  #fields = new Map();
  /** When the last message of the actuator arrived, or the stint began, in ms. */
  #heardAt;
  #ticked;
  #asking = false;
  #askedAt = -Infinity;
  #over = false;
  #sentJson = '';
  #pace = new Pace();
  /** Commands before this one belong to an earlier state. */
  #from = 0;
  /** Why the actuator refused the newest command that it answered; empty if it accepted it. */
  refusal = '';
  /** When the actuator last refused a command because of an e-stop, on its clock. */
  #stoppedNs = 0n;
  /** @type {(() => void)|null} Cancels the change that is about to be sent. */
  #later = null;
  /** @type {(() => void)[]} */
  #undo;

  /**
   * @param {StintOptions} options
   * @param {import('../base/env.js').Env} env
   */
  constructor(options, env) {
    this.#options = options;
    this.#env = env;
    this.#heardAt = this.#ticked = env.now();
    const control = (this.#control = options.way.control(options.config.device));
    const heard = () => this.#controlHeard();
    control.addEventListener('state', heard);
    this.#undo = [
      () => control.removeEventListener('state', heard),
      env.every(() => this.#tick(), 1000 / Math.max(SLOWEST_HZ, Math.min(options.config.rateHz || USUAL_HZ, FASTEST_HZ))),
      env.onAway((why) => why === 'blurred' || this.end(why)),
    ];
    this.#tick();
  }

  /** The values being sent, by key; null if none are. */
  get values() {
    if (!this.#lease || this.state === 'lost') return null;
    return driveValues(this.#options.config, this.state === 'driving' ? this.#axes : {}, this.#fields);
  }

  /** @returns {import('./quality.js').LinkQuality|null} Null while there is no lease. */
  get quality() {
    return this.#lease?.quality.summary(this.#env.now()) ?? null;
  }

  /**
   * When the picture was captured that the driver sees of the camera that the actuator names, Unix time in ms; null if
   * none was shown, or the actuator does not ask.
   */
  get seenMs() {
    const camera = this.#control.state?.sight?.camera ?? '';
    return camera === '' ? null : this.#options.way.seen(camera);
  }

  /** An input has moved: the change need not wait for the next tick. */
  hurry() {
    const lease = this.#lease;
    if (this.state !== 'driving' || this.#over || !lease || this.#later || this.#json(lease) === this.#sentJson) return;
    const now = this.#env.now();
    // A page that was frozen releases everything first, and sends then; the next tick notices a lost connection.
    if (now - this.#ticked > STILL_MS || !this.#options.way.ready()) return;
    const wait = this.#pace.take(now);
    if (wait === 0) this.#command(lease, this.#json(lease));
    else this.#later = this.#env.every(() => (this.#notLater(), this.hurry()), wait);
  }

  /**
   * Ends the stint: the robot stops, and the lease is released.
   * @param {End} reason
   * @param {string} [why]
   */
  end(reason, why = '') {
    if (this.#over) return;
    this.#finish();
    const lease = this.#lease;
    if (lease && this.#options.way.ready()) {
      for (let i = 0; i < FAREWELLS; i += 1) lease.command(lease.safeJson);
    }
    void lease?.release();
    this.#options.onEnd(reason, why);
  }

  #tick() {
    const now = this.#env.now();
    const gap = now - this.#ticked;
    this.#ticked = now;
    if (gap > STILL_MS) for (const input of this.#options.inputs()) input.rest();
    if (this.#env.hidden()) this.end('hidden');
    else if (gap > (this.#lease?.ttlMs ?? FROZEN_MS)) this.end('frozen');
    else if (this.state === 'acquiring' || this.state === 'lost') this.#seek(now);
    else if (!this.#lease || !this.#options.way.ready() || now - this.#lease.heardAt > this.#lease.ttlMs) this.#become('lost');
    else this.#speak(this.#lease);
  }

  /** Sends what the state requires. @param {Lease} lease */
  #speak(lease) {
    const { idle } = lease;
    if (this.state === 'driving') this.#command(lease, this.#json(lease));
    else if (this.state === 'arming') this.#command(lease, lease.safeJson);
    else if (this.state === 'estopped' && idle) lease.keepAlive();
    // A neutral command reveals whether the hardware is back.
    else if (this.state === 'away' && idle) this.#command(lease, lease.safeJson);
    // While the path is too slow for commands, the robot stands still, and the lease lives for when it is fast again.
    if (this.state !== 'estopped' && lease.endangered) lease.keepAlive();
  }

  /** Tries to acquire the lease, as soon as the connection allows it. @param {number} now */
  #seek(now) {
    const again = this.state === 'lost';
    if (this.#asking) return;
    if (now - this.#heardAt > PATIENCE_MS) this.end(again ? 'lost' : 'no-way');
    else if (this.#options.way.ready() && now - this.#askedAt >= AGAIN_MS) void this.#ask(again);
  }

  /** @param {boolean} again Whether we had the lease, and lost the connection. */
  async #ask(again) {
    this.#asking = true;
    this.#askedAt = this.#env.now();
    try {
      // The remains of the old lease would prevent a new one.
      if (again && !(await this.#lease?.release(this.#lease.ttlMs))) return;
      const granted = await this.#acquire(again);
      if (!granted) this.end('refused', 'The actuator sent an invalid answer');
    } catch (error) {
      const { code, message } = /** @type {import('../channels/calls.js').CallError} */ (error);
      if (!again) this.end('refused', message);
      else if (code === 'FAILED_PRECONDITION') void this.#deposed();
      // For any other error, there is time to try again.
    } finally {
      this.#asking = false;
    }
  }

  /** @param {boolean} again @returns {Promise<boolean>} Whether the answer is valid. */
  async #acquire(again) {
    const { config, wish, way } = this.#options;
    const board = config.method ? null : await way.call(config.device, METHODS.getPort, {}, { timeoutMs: ANSWER_MS });
    // Somebody else may drive by now: after a lost connection we ask for the lease, and do not take it.
    const take = wish.take && !again;
    const request = take ? { holder: this.#env.holder(), key: wish.key } : { holder: this.#env.holder() };
    if (this.#over) return true;
    const askedAt = this.#env.now();
    const response = await way.call(config.device, take ? METHODS.take : METHODS.acquire, request, { timeoutMs: ANSWER_MS });
    const state = this.#control.observe(response.state);
    const grant = leaseGrant(response.lease);
    if (!state || !grant) return false;
    /** @type {Lease} */
    const lease = new Lease(config.device, grant, state, {
      call: way.call,
      onReport: (r) => lease === this.#lease && this.#reported(lease, r),
      onUnusable: (why) => lease === this.#lease && this.end('refused', why),
      onState: (json) => this.#control.observe(json),
      seen: () => this.seenMs,
    }, this.#env, config.method);
    // Far away, commands that allowed for no way would all be late, and the lease would end before an answer said so.
    lease.quality.suppose(this.#env.now() - askedAt);
    if (this.#over) {
      void lease.release(); // the lease came too late
      return true;
    }
    this.#lease = lease;
    if (board) this.#fields = writeFields(board.port);
    this.#become('arming');
    this.#tick();
    return true;
  }

  /** Handles the verdict on a command. @param {Lease} lease @param {import('../proto/actuator.js').Report} r */
  #reported(lease, { verdict, sequence, clock }) {
    if (this.#over) return;
    this.#heardAt = this.#env.now();
    this.refusal = verdict === 'ACCEPTED' ? '' : verdict;
    if (this.state === 'lost') return; // whether somebody else drives by now, #ask finds out
    if (verdict === 'NO_LEASE') void this.#deposed();
    else if (sequence < this.#from) return;
    else if (verdict === 'E_STOPPED') {
      this.#stoppedNs = clock.ns;
      this.#become('estopped');
    } else if (verdict === 'AWAY') this.#become('away');
    // Hardware that is there again is what any other verdict means, also that a command, one of the few, came too late.
    else if (verdict === 'NOT_NEUTRAL' || this.state === 'away') this.#become('arming');
    else if (verdict === 'ACCEPTED' && this.state === 'arming' && this.#atRest) this.#become('driving');
    // Commands that were late, out of order or blind are only counted: the next one carries a newer clock, and what was
    // seen by then.
  }

  /** The actuator's state has arrived, on any path. */
  #controlHeard() {
    const [lease, state] = [this.#lease, this.#control.state];
    if (!lease || !state || this.#over || this.state === 'lost') return;
    if (state.epoch !== lease.actuatorEpoch) {
      this.end('restarted');
      return;
    }
    lease.hear(state.clock);
    if (!isOwn(state.holder, this.#env.holder())) void this.#deposed();
    else if (state.phase === 'e-stopped') this.#become('estopped');
    else if (this.state === 'estopped' && state.clock.ns > this.#stoppedNs) this.#become('arming');
  }

  /** The lease is no longer ours: nothing more is sent, and the driver learns who has it. */
  async #deposed() {
    if (this.#over) return;
    this.#finish();
    const other = () => {
      const holder = this.#control.state?.holder ?? '';
      return isOwn(holder, this.#env.holder()) ? '' : holder;
    };
    if (other() === '') await this.#control.refresh(WHO_MS);
    const restarted = this.#control.state?.epoch !== this.#lease?.actuatorEpoch;
    if (other() !== '') this.#options.onEnd('taken', `${other()} has taken over`);
    else this.#options.onEnd(restarted ? 'restarted' : 'lapsed', '');
  }

  #finish() {
    this.#over = true;
    this.#notLater();
    for (const undo of this.#undo.splice(0)) undo();
  }

  get #axes() {
    return axisValues(this.#options.config.axes, this.#options.inputs());
  }

  get #atRest() {
    return [...this.#options.inputs()].every((input) => input.atRest);
  }

  /** @param {Lease} lease */
  #json(lease) {
    return commandJson(this.#options.config, this.#axes, this.#fields, lease.safeJson);
  }

  /** @param {Lease} lease @param {string} json */
  #command(lease, json) {
    this.#sentJson = json;
    lease.command(json);
  }

  #notLater() {
    this.#later?.();
    this.#later = null;
  }

  /** @param {StintState} state */
  #become(state) {
    if (this.#over || this.state === state) return;
    this.state = state;
    this.#from = (this.#lease?.sequence ?? 0) + 1;
    this.#notLater();
    this.#options.onState(state);
  }
}

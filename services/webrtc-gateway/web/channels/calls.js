/**
 * @file Calls to devices: the methods of their gRPC services, over the WebSocket or the channel for lossy calls.
 */

/** The default time limit for the answer to a call, in ms. */
const TIMEOUT_MS = 5000;
/** Ids are int32 on the wire. */
const LAST_ID = 0x7fffffff;

/** @import { CallJson, PeerMessageJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */

/** Why a call failed: a gRPC status. */
export class CallError extends Error {
  name = 'CallError';
  /** For example `NOT_FOUND`. */
  code;
  /** Details, each with its type in `@type`; a refused command has its `waldo.control.v1.CommandReport`. */
  details;

  /** @param {import('../proto/signaling.js').RpcError} error */
  constructor({ code, message, details }) {
    super(message || code);
    this.code = code;
    this.details = details;
  }

  /**
   * @param {string} type Full name of the message, for example `waldo.control.v1.CommandReport`.
   * @returns {import('../proto/json.js').Json|null} The detail of that type.
   */
  detail(type) {
    return this.details.find((d) => typeof d['@type'] === 'string' && d['@type'].endsWith(`/${type}`)) ?? null;
  }
}

/**
 * @typedef {Calls['call']} Call Calls a method of a device.
 *
 * @typedef {object} CallOptions
 * @property {boolean} [lossy] Uses the channel without retransmission: the call is sent now or never, and the answer may be lost.
 * @property {number} [timeoutMs] How long the answer may take; 5 s.
 */

/**
 * @typedef {object} Ways Each function returns false if nothing was sent.
 * @property {(message: PeerMessageJson) => boolean} send Sends it on the WebSocket.
 * @property {(text: string) => boolean} sendLossy Sends a Call on the channel of calls.
 * @property {() => boolean} [detour] Whether lossy calls use the WebSocket now, and it has nothing left to send.
 */

/**
 * @typedef {object} Pending
 * @property {(response: any) => void} resolve
 * @property {(error: CallError) => void} reject
 * @property {number} dueMs
 */

/** The calls in progress. None is ever kept for later: a call that cannot be sent now fails now. */
export class Calls {
  #ways;
  #env;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #id = 0;
  /** The lossy call in progress over the WebSocket. The WebSocket loses nothing, so anything queued behind it would only grow stale. */
  #around = 0;

  /**
   * @param {Ways} ways
   * @param {import('../base/env.js').Env} env
   */
  constructor(ways, env) {
    this.#ways = ways;
    this.#env = env;
  }

  /**
   * @template {string} M
   * @param {string} device
   * @param {M} method Full name.
   * @param {import('../proto/types.js').RequestOf<M>} request In the protobuf JSON mapping.
   * @param {CallOptions} [options]
   * @returns {Promise<import('../proto/types.js').ResponseOf<M>>} The response, in the same mapping; rejects with a {@link CallError}.
   */
  call(device, method, request, { lossy = false, timeoutMs = TIMEOUT_MS } = {}) {
    this.#id = (this.#id % LAST_ID) + 1;
    const call = { id: this.#id, device, method, request: /** @type {CallJson['request']} */ (request) };
    return new Promise((resolve, reject) => {
      this.#pending.set(call.id, { resolve, reject, dueMs: this.#env.now() + timeoutMs });
      const sent = lossy ? this.#ways.sendLossy(JSON.stringify(call)) || this.#detour(call) : this.#ways.send({ call });
      if (!sent) this.#fail(call.id, 'UNAVAILABLE', 'no connection to the robot: nothing was sent');
    });
  }

  /** Sends a lossy call over the WebSocket, unless one is in progress there. @param {CallJson & {id: number}} call */
  #detour(call) {
    if (!this.#ways.detour?.() || this.#pending.has(this.#around) || !this.#ways.send({ call })) return false;
    this.#around = call.id;
    return true;
  }

  /**
   * Ends a call. An answer to an ended or unknown call is ignored.
   * @param {import('../proto/signaling.js').CallResult} result
   */
  settle({ id, response, error }) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (error) pending.reject(new CallError(error));
    else pending.resolve(response ?? {});
  }

  /** Fails calls that take too long. Called every few dozen ms. */
  tick() {
    const now = this.#env.now();
    for (const [id, { dueMs }] of this.#pending) {
      if (now >= dueMs) this.#fail(id, 'DEADLINE_EXCEEDED', 'no answer arrived in time');
    }
  }

  /**
   * The session has ended: no call will be answered.
   * @param {string} why
   */
  lose(why) {
    for (const id of [...this.#pending.keys()]) this.#fail(id, 'UNAVAILABLE', why);
  }

  /** @param {number} id @param {string} code @param {string} message */
  #fail(id, code, message) {
    this.settle({ kind: 'result', id, response: null, error: { code, message, details: [] } });
  }
}

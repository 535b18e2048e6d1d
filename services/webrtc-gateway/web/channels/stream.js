/** @file A stream of a device over a data channel. */

import { fields, integer64, isObject, parseJson } from '../proto/json.js';
import { rpcError } from '../proto/signaling.js';
import { DataChannel } from './datachannel.js';

/** @import { StreamFrameJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */

/**
 * @typedef {object} StreamOptions
 * @property {boolean} [gathered] Messages may arrive 100 ms late, several at once. This costs much less, for streams that only people read.
 */

/**
 * @param {string} device
 * @param {string} stream
 * @param {StreamOptions} [options]
 * @returns {string} The gateway's label for the channel of a stream.
 */
export const streamLabel = (device, stream, { gathered = false } = {}) =>
  `waldo.${gathered ? 'lines' : 'stream'}/${device}/${stream}`;

/**
 * What a device publishes on one of its streams, from now on. The device need not exist yet.
 *
 * Events: `message` with detail `{value, droppedCount}`: the message in the protobuf JSON mapping, including fields
 * that are 0. It is an object, except for a few types such as google.protobuf.DoubleValue. `open` and `close` as the
 * connection to the robot comes and goes.
 */
export class Stream extends DataChannel {
  device;
  stream;
  /** The number of messages lost because this page, or its connection, was too slow. */
  droppedCount = 0;
  /** Why no messages arrive, for people; empty while they do. */
  why = '';

  #droppedBefore = 0;

  /**
   * @param {string} device
   * @param {string} stream
   * @param {StreamOptions} options
   * @param {import('../base/env.js').Env} env
   * @param {() => void} onClose
   */
  constructor(device, stream, options, env, onClose) {
    super(streamLabel(device, stream, options), { ordered: true }, env, onClose);
    this.device = device;
    this.stream = stream;
    // The gateway starts counting from 0 on each channel.
    this.addEventListener('close', () => (this.#droppedBefore = this.droppedCount));
  }

  /** @override @param {string|ArrayBuffer} data Frames, a line of JSON each. */
  received(data) {
    if (typeof data === 'string') for (const line of data.split('\n')) this.#take(line);
  }

  /** @param {string} line */
  #take(line) {
    const claim = /** @type {import('../proto/types.js').Claim<StreamFrameJson>} */ (parseJson(line));
    const { message, value, error, droppedCount } = fields(claim);
    if (isObject(error)) this.why = rpcError(error).message || 'refused';
    if (value === undefined && !isObject(message)) return;
    this.why = '';
    this.droppedCount = this.#droppedBefore + Number(integer64(droppedCount));
    this.dispatchEvent(new CustomEvent('message', { detail: { value: value ?? message, droppedCount: this.droppedCount } }));
  }
}

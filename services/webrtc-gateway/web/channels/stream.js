/** @file A stream of a device over a data channel. */

import { fields, integer64, isObject, parseJson } from '../proto/json.js';
import { rpcError } from '../proto/signaling.js';
import { DataChannel } from './datachannel.js';

/** @import { StreamFrameJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */

/**
 * @typedef {object} StreamOptions
 * @property {boolean} [gathered] Messages may come 100 ms late, several at once. It costs much less for streams that only people read.
 */

/**
 * @param {string} device
 * @param {string} stream
 * @param {StreamOptions} [options]
 * @returns {string} What the gateway calls the channel of a stream.
 */
export const streamLabel = (device, stream, { gathered = false } = {}) =>
  `waldo.${gathered ? 'lines' : 'stream'}/${device}/${stream}`;

/**
 * What a device produces on one of its streams, from now on. A device that is not there yet is waited for.
 *
 * Events: `message` with detail `{value, droppedCount}`: the message in the protobuf JSON mapping, in which fields that are 0 are not
 * left out. It is an object, except for the messages of a few types, such as google.protobuf.DoubleValue. `open` and `close` as
 * the way to the robot comes and goes.
 */
export class Stream extends DataChannel {
  device;
  stream;
  /** How many messages were lost because this page, or the way to it, was too slow. */
  droppedCount = 0;
  /** Why nothing comes, for people; empty while messages come. */
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
    // The gateway counts anew for each channel.
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

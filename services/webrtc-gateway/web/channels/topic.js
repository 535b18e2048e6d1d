/**
 * @file A topic over a data channel, to which every page and program may send.
 */

import { parseJson } from '../proto/json.js';
import { DataChannel } from './datachannel.js';

/** How many bytes may wait to be sent on a topic before it accepts no more. */
const MOST_WAITING = 256 * 1024;
/** Names of topics, as the bus allows them. */
const TOPIC = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * @typedef {object} ChannelOptions
 * @property {boolean} [ordered] Messages arrive in the order in which they were sent; default true.
 * @property {boolean} [reliable] Messages are retransmitted until they arrive; default true.
 */

/**
 * A topic: what is sent here reaches all programs and pages that subscribe to it, and what they send arrives here.
 *
 * Events: `message` with detail `{value, text}` or `{value, data}`: the value is the parsed JSON, the text itself if it
 * is not JSON, or an ArrayBuffer. `open` and `close` as the connection to the robot comes and goes. `refused` with detail
 * `{why}` when the gateway takes nothing from this page, because its role is not enough: once in a connection.
 */
export class Channel extends DataChannel {
  /** Name of the topic. */
  topic;

  /**
   * @param {string} topic
   * @param {ChannelOptions} options
   * @param {import('../base/env.js').Env} env
   * @param {() => void} onClose
   */
  constructor(topic, { ordered = true, reliable = true }, env, onClose) {
    if (!TOPIC.test(topic)) throw new TypeError(`topic "${topic}": use 1 to 64 letters, digits, hyphens and underscores`);
    super(topic, reliable ? { ordered } : { ordered, maxRetransmits: 0 }, env, onClose);
    this.topic = topic;
  }

  /**
   * Sends text and bytes as they are, and anything else as JSON.
   * @param {unknown} value
   * @returns {boolean} False if nothing was sent: the channel is not open, the message is larger than 64 KiB, or too
   * much is waiting already. It is never sent later.
   */
  send(value) {
    const data = encode(value);
    return data !== undefined && this.write(data, MOST_WAITING);
  }

  /** @override @param {string|ArrayBuffer} data */
  received(data) {
    const value = typeof data === 'string' ? parseJson(data) : data;
    const why = refusal(value);
    if (why) {
      this.dispatchEvent(new CustomEvent('refused', { detail: { why } }));
      return;
    }
    const detail = typeof data === 'string' ? { value: value === undefined ? data : value, text: data } : { value, data };
    this.dispatchEvent(new CustomEvent('message', { detail }));
  }
}

/**
 * The reason in what the gateway itself says on a topic; empty for a message of somebody.
 * @param {any} value
 * @returns {string}
 */
function refusal(value) {
  const error = value?.error;
  return error?.code === 'PERMISSION_DENIED' && Object.keys(value).length === 1 ? String(error.message ?? '') : '';
}

/**
 * @param {any} value
 * @returns {string|ArrayBuffer|ArrayBufferView<ArrayBuffer>|undefined} Undefined if the value has no JSON form.
 */
function encode(value) {
  if (typeof value === 'string' || value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return /** @type {any} */ (value);
  return JSON.stringify(value);
}

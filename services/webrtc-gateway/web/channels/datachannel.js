/**
 * @file One data channel for as long as the page wants it: it is opened again on each new connection, and after it was closed.
 *
 * Nothing is ever kept to be sent later. A message that cannot be sent now is not sent, and the caller learns it.
 */

/** The largest message that fits a data channel, in bytes. */
export const LARGEST_BYTES = 64 * 1024;
/** A channel that the gateway closed is reopened after this time, and after twice as long the next time, in ms. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [500, 5000];
/** A channel that was open this long starts with the shortest wait again, in ms. */
const GOOD_MS = 5000;

/** @typedef {'connecting'|'open'|'closed'} ChannelState Connecting: not open now, but wanted. Closed: for good. */

/**
 * What all channels have in common.
 *
 * Events: `open` when {@link DataChannel.state} becomes `open`, and `close` when it no longer is; both may occur many times.
 */
export class DataChannel extends EventTarget {
  /** @type {ChannelState} */
  state = 'connecting';

  #label;
  #init;
  #env;
  #onClose;
  /** @type {RTCDataChannel|null} */
  #channel = null;
  /** @type {((label: string, init: RTCDataChannelInit) => RTCDataChannel|null)|null} */
  #make = null;
  #retryAt = Infinity;
  #patience = FIRST_RETRY_MS;
  #openedAt = 0;

  /**
   * @param {string} label
   * @param {RTCDataChannelInit} init
   * @param {import('../base/env.js').Env} env
   * @param {() => void} onClose Called by {@link DataChannel.close}.
   */
  constructor(label, init, env, onClose) {
    super();
    this.#label = label;
    this.#init = init;
    this.#env = env;
    this.#onClose = onClose;
  }

  /** Closes the channel for good. */
  close() {
    if (this.state === 'closed') return;
    this.drop();
    this.state = 'closed';
    this.#onClose();
  }

  /**
   * For the robot: a connection is available.
   * @param {(label: string, init: RTCDataChannelInit) => RTCDataChannel|null} make
   */
  use(make) {
    this.drop();
    this.#make = make;
    this.#patience = FIRST_RETRY_MS;
    this.#open();
  }

  /** For the robot: the connection has ended, with everything in transit. */
  drop() {
    this.#make = null;
    this.#leave();
  }

  /** For the robot: reopens a closed channel when it is due. */
  tick() {
    if (this.#env.now() >= this.#retryAt) this.#open();
  }

  /** For the robot: the reason for the channel's refusal may be gone. */
  hurry() {
    if (this.#retryAt !== Infinity) this.#retryAt = this.#env.now();
  }

  /**
   * Sends the message if it fits, or nothing.
   * @param {string|ArrayBuffer|ArrayBufferView<ArrayBuffer>} data
   * @param {number} mostWaiting The most bytes that may already be waiting.
   * @returns {boolean} Whether it was sent.
   */
  write(data, mostWaiting) {
    const channel = this.#channel;
    if (channel?.readyState !== 'open' || sizeOf(data) > LARGEST_BYTES || channel.bufferedAmount > mostWaiting) return false;
    try {
      channel.send(/** @type {any} */ (data));
      return true;
    } catch {
      return false; // the browser's buffer is full, or the channel is just closing
    }
  }

  /**
   * Receives a message; subclasses override it.
   * @param {string|ArrayBuffer} _data
   */
  received(_data) {}

  #open() {
    this.#retryAt = Infinity;
    const channel = this.#make?.(this.#label, this.#init);
    if (!channel) return;
    this.#channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.onopen = () => this.#opened();
    channel.onmessage = ({ data }) => this.received(data);
    channel.onclose = () => {
      if (this.#env.now() - this.#openedAt >= GOOD_MS) this.#patience = FIRST_RETRY_MS;
      this.#retryAt = this.#env.now() + this.#patience;
      this.#patience = Math.min(2 * this.#patience, LAST_RETRY_MS);
      this.#leave();
    };
  }

  #opened() {
    this.#openedAt = this.#env.now();
    this.state = 'open';
    this.dispatchEvent(new CustomEvent('open'));
  }

  #leave() {
    const channel = this.#channel;
    if (this.#make === null) this.#retryAt = Infinity;
    if (!channel) return;
    this.#channel = null;
    channel.onopen = channel.onmessage = channel.onclose = null;
    channel.close();
    if (this.state !== 'open') return;
    this.state = 'connecting';
    this.dispatchEvent(new CustomEvent('close'));
  }
}

/** @param {string|ArrayBuffer|ArrayBufferView} data @returns {number} Bytes on the channel. */
function sizeOf(data) {
  if (typeof data !== 'string') return data.byteLength;
  // Each unit of a JavaScript string takes one to three bytes; only lengths in between need counting.
  if (data.length > LARGEST_BYTES || data.length * 3 <= LARGEST_BYTES) return data.length;
  return new TextEncoder().encode(data).length;
}

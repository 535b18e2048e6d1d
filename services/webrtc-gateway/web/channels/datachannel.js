/**
 * @file One data channel for as long as the page wants it: made again on each new connection, and when it was closed.
 *
 * Nothing is ever kept to be sent later. What cannot leave now is not sent, and the caller is told.
 */

/** The largest message that fits a data channel, in bytes. */
export const LARGEST_BYTES = 64 * 1024;
/** A channel that was closed by the gateway is made again after this, and after twice as long the next time, in ms. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [500, 5000];
/** One that was open for this long begins with the shortest wait again, in ms. */
const GOOD_MS = 5000;

/** @typedef {'connecting'|'open'|'closed'} ChannelState Connecting: not open now, but wanted. Closed: for good. */

/**
 * What all channels have in common.
 *
 * Events: `open` and `close` when {@link DataChannel.state} becomes `open` and ceases to be; both may come many times.
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
   * For the robot: there is a connection to be on.
   * @param {(label: string, init: RTCDataChannelInit) => RTCDataChannel|null} make
   */
  use(make) {
    this.drop();
    this.#make = make;
    this.#patience = FIRST_RETRY_MS;
    this.#open();
  }

  /** For the robot: the connection is gone, with all that was under way. */
  drop() {
    this.#make = null;
    this.#leave();
  }

  /** For the robot: makes a channel that was closed again when it is time to. */
  tick() {
    if (this.#env.now() >= this.#retryAt) this.#open();
  }

  /** For the robot: what kept the channel from being had may have changed. */
  hurry() {
    if (this.#retryAt !== Infinity) this.#retryAt = this.#env.now();
  }

  /**
   * Sends what fits, or nothing.
   * @param {string|ArrayBuffer|ArrayBufferView<ArrayBuffer>} data
   * @param {number} mostWaiting How many bytes may wait to leave already.
   * @returns {boolean} Whether it was sent.
   */
  write(data, mostWaiting) {
    const channel = this.#channel;
    if (channel?.readyState !== 'open' || sizeOf(data) > LARGEST_BYTES || channel.bufferedAmount > mostWaiting) return false;
    try {
      channel.send(/** @type {any} */ (data));
      return true;
    } catch {
      return false; // the browser's buffer is full, or the channel closes this moment
    }
  }

  /**
   * Takes what arrives; for kinds of channels to override.
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
  // A character has one to three bytes for each unit of a JavaScript string; only what lies between has to be counted.
  if (data.length > LARGEST_BYTES || data.length * 3 <= LARGEST_BYTES) return data.length;
  return new TextEncoder().encode(data).length;
}

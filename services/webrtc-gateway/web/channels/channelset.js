/**
 * @file All data channels that the page wants, across connections.
 */

import { CallChannel, CALLS_LABEL } from './callchannel.js';
import { Stream, streamLabel } from './stream.js';
import { Channel } from './topic.js';

/** @typedef {import('./datachannel.js').DataChannel} DataChannel */

/** @typedef {{openChannel: (label: string, init: RTCDataChannelInit) => RTCDataChannel|null}} Carrier A connection. */

/** The channels, by label. */
export class ChannelSet {
  #env;
  #onResult;
  /** @type {Map<string, DataChannel>} */
  #channels = new Map();
  /** @type {Carrier|null} */
  #carrier = null;

  /**
   * @param {import('../base/env.js').Env} env
   * @param {(result: import('../proto/signaling.js').CallResult) => void} onResult Called with answers from the call channel.
   */
  constructor(env, onResult) {
    this.#env = env;
    this.#onResult = onResult;
  }

  /**
   * @param {string} topic
   * @param {import('./topic.js').ChannelOptions} options
   * @returns {Channel} The same for the same topic, until it is closed.
   */
  topic(topic, options) {
    return this.#get(topic, (onClose) => new Channel(topic, options, this.#env, onClose));
  }

  /**
   * @param {string} device
   * @param {string} stream
   * @param {import('./stream.js').StreamOptions} [options]
   * @returns {Stream} The same for the same stream and options, until it is closed.
   */
  stream(device, stream, options = {}) {
    return this.#get(streamLabel(device, stream, options), (onClose) => new Stream(device, stream, options, this.#env, onClose));
  }

  /** Whether lossy calls can be made, if they are wanted. */
  get callable() {
    const calls = this.#channels.get(CALLS_LABEL);
    return !calls || calls.state === 'open';
  }

  /** The call channel, created on first use. */
  get calls() {
    return this.#get(CALLS_LABEL, () => new CallChannel(this.#env, this.#onResult));
  }

  /** @param {string} call Text of a Call. @returns {boolean} Whether it was sent. */
  sendCall(call) {
    return this.calls.send(call);
  }

  /** @param {Carrier} carrier The connection to use from now on. */
  use(carrier) {
    this.#carrier = carrier;
    for (const channel of this.#channels.values()) this.#open(channel);
  }

  /** The connection has ended. */
  drop() {
    this.#carrier = null;
    for (const channel of this.#channels.values()) channel.drop();
  }

  /** Reopens channels that were closed. Called every few dozen ms. */
  tick() {
    for (const channel of this.#channels.values()) channel.tick();
  }

  /** Devices have changed: streams that were refused may be available now. */
  hurry() {
    for (const channel of this.#channels.values()) channel.hurry();
  }

  /** Closes all channels for good. */
  close() {
    for (const channel of [...this.#channels.values()]) channel.close();
    this.#channels.clear();
  }

  /**
   * @template {DataChannel} T
   * @param {string} label
   * @param {(onClose: () => void) => T} make
   * @returns {T}
   */
  #get(label, make) {
    const known = this.#channels.get(label);
    if (known) return /** @type {T} */ (known);
    const channel = make(() => this.#channels.delete(label));
    this.#channels.set(label, channel);
    this.#open(channel);
    return channel;
  }

  /** @param {DataChannel} channel */
  #open(channel) {
    const carrier = this.#carrier;
    if (carrier) channel.use((label, init) => carrier.openChannel(label, init));
  }
}

/**
 * @file All data channels that the page wants, whatever connection there is.
 */

import { Channel, Stream } from './channel.js';
import { isObject, parseJson } from './json.js';
import { callResult } from './protocol.js';
import { Wire } from './wire.js';

/**
 * How many bytes may wait to leave on the channel of calls: none but those of the moment. A command that waits is stale,
 * and the next one is on its way.
 */
const CALLS_WAITING = 1024;

/** The channel of calls that may be lost: neither ordered nor sent again. */
class CallWire extends Wire {
  #onResult;

  /**
   * @param {import('./env.js').Env} env
   * @param {(result: import('./protocol.js').CallResult) => void} onResult
   */
  constructor(env, onResult) {
    super('waldo.calls', { ordered: false, maxRetransmits: 0 }, env, () => {});
    this.#onResult = onResult;
  }

  /** @override @param {string|ArrayBuffer} data */
  received(data) {
    const value = typeof data === 'string' ? parseJson(data) : null;
    // A word that is no result says why there are none; the channel is closed after it, and that is seen.
    if (isObject(value) && typeof value.id === 'number') this.#onResult(callResult(value));
  }
}

/** @typedef {{openChannel: (label: string, init: RTCDataChannelInit) => RTCDataChannel|null}} Carrier A connection. */

/** The channels, by what they are for. */
export class Channels {
  #env;
  #onResult;
  /** @type {Map<string, Wire>} */
  #wires = new Map();
  /** @type {Carrier|null} */
  #carrier = null;

  /**
   * @param {import('./env.js').Env} env
   * @param {(result: import('./protocol.js').CallResult) => void} onResult Called with answers on the channel of calls.
   */
  constructor(env, onResult) {
    this.#env = env;
    this.#onResult = onResult;
  }

  /**
   * @param {string} topic
   * @param {import('./channel.js').ChannelOptions} options
   * @returns {Channel} The same for the same topic, until it is closed.
   */
  topic(topic, options) {
    return this.#get(topic, (onClose) => new Channel(topic, options, this.#env, onClose));
  }

  /**
   * @param {string} device
   * @param {string} stream
   * @returns {Stream} The same for the same stream, until it is closed.
   */
  stream(device, stream) {
    return this.#get(`waldo.stream/${device}/${stream}`, (onClose) => new Stream(device, stream, this.#env, onClose));
  }

  /** Whether calls that may be lost can be made, if they are wanted. */
  get callable() {
    const calls = this.#wires.get('waldo.calls');
    return !calls || calls.state === 'open';
  }

  /** The channel of calls; asking for it makes it. */
  get calls() {
    return this.#get('waldo.calls', () => new CallWire(this.#env, this.#onResult));
  }

  /** @param {string} call Text of a Call. @returns {boolean} Whether it was sent. */
  sendCall(call) {
    return this.calls.write(call, CALLS_WAITING);
  }

  /** @param {Carrier} carrier From now on the connection to be on. */
  use(carrier) {
    this.#carrier = carrier;
    for (const wire of this.#wires.values()) this.#open(wire);
  }

  /** The connection is gone. */
  drop() {
    this.#carrier = null;
    for (const wire of this.#wires.values()) wire.drop();
  }

  /** Makes channels that were closed again. Called every few dozen ms. */
  tick() {
    for (const wire of this.#wires.values()) wire.tick();
  }

  /** Devices have changed: streams that were refused may be there now. */
  hurry() {
    for (const wire of this.#wires.values()) wire.hurry();
  }

  /** Closes all of them for good. */
  close() {
    for (const wire of [...this.#wires.values()]) wire.close();
    this.#wires.clear();
  }

  /**
   * @template {Wire} T
   * @param {string} label
   * @param {(onClose: () => void) => T} make
   * @returns {T}
   */
  #get(label, make) {
    const known = this.#wires.get(label);
    if (known) return /** @type {T} */ (known);
    const wire = make(() => this.#wires.delete(label));
    this.#wires.set(label, wire);
    this.#open(wire);
    return wire;
  }

  /** @param {Wire} wire */
  #open(wire) {
    const carrier = this.#carrier;
    if (carrier) wire.use((label, init) => carrier.openChannel(label, init));
  }
}

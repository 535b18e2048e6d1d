/** @file A stream of a device: the messages that it publishes, as JSON. */

import { create, toJson } from '@bufbuild/protobuf';
import { AudioService } from '#gen/waldo/audio/v1/audio_pb.js';
import { ControlService } from '#gen/waldo/control/v1/control_service_pb.js';
import { SerialService } from '#gen/waldo/serial/v1/serial_service_pb.js';
import { Queue } from '#web/channels/queue.js';
import { Held } from './held.js';

/**
 * The streams that a method of the device sends too: by type of message, the method, the field with the message (empty
 * if it is the response itself), and how many may be on their way. Over gRPC a slow reader is told what it loses, and
 * the stream outlives the bus. The others come over the bus.
 * @type {Record<string, [import('@bufbuild/protobuf').DescMethod, string, number]>}
 */
const METHODS = {
  'waldo.serial.v1.SerialMessage': [SerialService.method.streamMessages, 'message', 32],
  'waldo.control.v1.ControlState': [ControlService.method.watchControl, 'state', 4],
  'waldo.audio.v1.StreamLevelsResponse': [AudioService.method.streamLevels, '', 4],
};

/**
 * What a device publishes on one of its streams, from now on. The device need not exist yet. Made by
 * `robot.stream(device, stream)`.
 *
 * Events: `message` with detail `{value, droppedCount}`: the message in the protobuf JSON mapping, including fields
 * that are 0. `open` when messages begin to arrive, and `close` when the stream breaks off; both may occur many times.
 *
 * With `for await` the values come one by one; up to 256 wait, then the oldest are lost and counted.
 */
export class Stream extends EventTarget {
  device;
  stream;
  /** @type {'connecting'|'open'|'closed'} */
  state = 'connecting';
  /** The number of messages lost because this program was too slow. */
  droppedCount = 0;
  /** Why no messages arrive, for people; empty while they do. */
  why = 'Connecting';

  #ways;
  #onClose;
  /** @type {{close: () => void}|null} Where messages come from. */
  #feed = null;
  /** The life of the device that the feed is for. */
  #epoch = '';
  #unfollow;
  /** @type {Set<Queue<any>>} */
  #queues = new Set();

  /**
   * @param {string} device @param {string} stream @param {import('./ways.js').Ways} ways
   * @param {() => void} onClose
   */
  constructor(device, stream, ways, onClose) {
    super();
    this.device = device;
    this.stream = stream;
    this.#ways = ways;
    this.#onClose = onClose;
    this.#unfollow = ways.follow(device, () => this.#find());
    this.#find();
  }

  /** Ends the stream. */
  close() {
    if (this.state === 'closed') return;
    this.#unfollow();
    this.#feed?.close();
    this.#become('closed', 'The stream was closed');
    for (const queue of this.#queues) queue.close();
    this.#onClose();
  }

  /** @returns {AsyncGenerator<any, void>} The values, until the stream is closed. */
  async *[Symbol.asyncIterator]() {
    const queue = new Queue();
    if (this.state === 'closed') queue.close();
    this.#queues.add(queue);
    try {
      for await (const value of queue) yield value;
    } finally {
      this.#queues.delete(queue);
      this.droppedCount += queue.dropped;
    }
  }

  /** Looks at how the device describes the stream, which another life may do differently. */
  #find() {
    const found = this.#ways.device(this.device);
    if (!found || this.state === 'closed' || (this.#feed && this.#epoch === found.epoch)) return;
    const stream = found.streams.find((s) => s.name === this.stream && s.direction === 'out');
    if (!stream) {
      const names = found.streams.filter((s) => s.direction === 'out').map((s) => s.name);
      this.why = `${this.device} has no stream "${this.stream}"; it has: ${names.join(', ') || 'none'}`;
      return;
    }
    const method = METHODS[stream.messageType];
    // A stream over gRPC goes on by itself; one on the bus is read with the definitions of one life.
    if (method && this.#feed) return;
    this.#feed?.close();
    this.#epoch = found.epoch;
    this.#feed = method ? this.#called(...method) : new Held(found, stream, this.#ways, {
      onMessage: (value) => this.#take(value, 0),
      onLost: (why) => this.#become('connecting', why),
    });
  }

  /** @param {import('@bufbuild/protobuf').DescMethod} method @param {string} field @param {number} window */
  #called(method, field, window) {
    const schema = field === '' ? method.output : /** @type {any} */ (method.output.field[field]).message;
    const pick = (/** @type {any} */ response) => ({
      value: field === '' ? response : response[field], dropped: Number(response.droppedCount ?? 0),
    });
    const reading = this.#ways.read(this.device, method, create(method.input), window, pick,
      { onLost: (why) => this.#become('connecting', why), onClose: () => {} });
    const pump = async () => {
      for (let step = await reading.next(); !step.done; step = await reading.next()) {
        this.#take(toJson(schema, step.value, { alwaysEmitImplicit: true }), reading.dropped);
      }
    };
    pump().catch((error) => this.#become('connecting', error.message));
    return reading;
  }

  /** @param {any} value @param {number} dropped */
  #take(value, dropped) {
    this.#become('open', '');
    this.droppedCount = Math.max(this.droppedCount, dropped);
    this.dispatchEvent(new CustomEvent('message', { detail: { value, droppedCount: this.droppedCount } }));
    for (const queue of this.#queues) queue.put(value);
  }

  /** @param {'connecting'|'open'|'closed'} state @param {string} why */
  #become(state, why) {
    const was = this.state;
    if (was === 'closed') return;
    this.state = state;
    this.why = why;
    if (state === 'open' && was !== 'open') this.dispatchEvent(new CustomEvent('open'));
    if (state !== 'open' && was === 'open') this.dispatchEvent(new CustomEvent('close'));
  }
}

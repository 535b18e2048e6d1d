/** @file A topic on the bus, to which every program and every page may send. */

import { create, toBinary } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { MessageSchema } from '#gen/waldo/message/v1/message_pb.js';
import { parseJson } from '#web/proto/json.js';
import { decoded } from './directory.js';

/** The largest message, in bytes. */
const LARGEST_BYTES = 64 * 1024;
/** Names of topics, as the bus allows them. */
const TOPIC = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * A topic: what is sent here reaches all programs and pages that subscribe to it, and what they send arrives here.
 * Made by `robot.channel(topic)`.
 *
 * Events: `message` with detail `{value, text, sender}` or `{value, data, sender}`: the value is the parsed JSON, the
 * text itself if it is not JSON, or an ArrayBuffer. `open` and `close` as the bus comes and goes.
 */
export class Channel extends EventTarget {
  /** Name of the topic. */
  topic;
  /** @type {'connecting'|'open'|'closed'} */
  state = 'connecting';

  #bus;
  #sender;
  #onClose;
  #subject = '';
  /** @type {() => void} */
  #unsubscribe = () => {};

  /** @param {string} topic @param {{bus: import('./bus.js').Bus|null, sender: string, onClose: () => void}} options */
  constructor(topic, { bus, sender, onClose }) {
    super();
    if (typeof topic !== 'string' || !TOPIC.test(topic)) {
      throw new TypeError(`topic "${topic}": use 1 to 64 letters, digits, hyphens and underscores`);
    }
    if (!bus) throw new TypeError("channel: topics are on the bus: connect('nats://…')");
    this.topic = topic;
    this.#bus = bus;
    this.#sender = sender;
    this.#onClose = onClose;
  }

  /**
   * Sends text and bytes as they are, and anything else as JSON.
   * @param {unknown} value
   * @returns {boolean} False if nothing was sent: the bus is not there, the message is larger than 64 KiB, or it has no
   *   JSON form. It is never sent later.
   */
  send(value) {
    const body = encode(value);
    if (!body || this.state !== 'open' || Buffer.byteLength(body.value) > LARGEST_BYTES) return false;
    const message = create(MessageSchema, {
      topic: this.topic, sender: this.#sender, publishTime: timestampNow(), body,
    });
    return this.#bus.publish(this.#subject, MessageSchema.typeName, toBinary(MessageSchema, message));
  }

  /** Closes the channel for good. */
  close() {
    if (this.state === 'closed') return;
    this.#unsubscribe();
    this.#become('closed');
    this.#onClose();
  }

  /** For the robot: whether the bus is there. @param {string} robot Empty while it is not known. */
  tick(robot) {
    if (this.#subject === '' && robot !== '') {
      this.#subject = `waldo.v1.${robot}.msg.${this.topic}`;
      this.#unsubscribe = this.#bus.subscribe(this.#subject,
        ({ type, data }) => type === MessageSchema.typeName && this.#take(data));
    }
    if (this.state !== 'closed') this.#become(this.#bus.connected && this.#subject !== '' ? 'open' : 'connecting');
  }

  /** @param {Uint8Array} data */
  #take(data) {
    const message = decoded(MessageSchema, data);
    if (!message || message.sender === this.#sender) return;
    const { body, sender } = message;
    const content = body.case === 'data' ? bytes(body.value) : text(body.value ?? '');
    this.dispatchEvent(new CustomEvent('message', { detail: { ...content, sender } }));
  }

  /** @param {'connecting'|'open'|'closed'} state */
  #become(state) {
    const was = this.state;
    if (was === state) return;
    this.state = state;
    if (state === 'open') this.dispatchEvent(new CustomEvent('open'));
    else if (was === 'open') this.dispatchEvent(new CustomEvent('close'));
  }
}

/**
 * @param {unknown} value
 * @returns {{case: 'text', value: string}|{case: 'data', value: Uint8Array<ArrayBuffer>}|null} Null if it has no JSON
 *   form.
 */
function encode(value) {
  if (typeof value === 'string') return { case: 'text', value };
  if (value instanceof ArrayBuffer) return { case: 'data', value: new Uint8Array(value) };
  if (ArrayBuffer.isView(value)) {
    return { case: 'data', value: Uint8Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) };
  }
  const json = JSON.stringify(value);
  return json === undefined ? null : { case: 'text', value: json };
}

/** @param {Uint8Array} received Part of a larger buffer. */
function bytes(received) {
  const { buffer: data } = Uint8Array.from(received);
  return { value: data, data };
}

/** @param {string} received */
function text(received) {
  const json = parseJson(received);
  return { value: json === undefined ? received : json, text: received };
}

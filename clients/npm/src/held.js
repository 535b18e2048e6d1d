/** @file A stream of a device on the bus, which the device publishes while somebody holds it. */

import { randomBytes } from 'node:crypto';
import { create, toJson } from '@bufbuild/protobuf';
import { DeviceService, HoldStreamRequestSchema } from '#gen/waldo/device/v1/device_service_pb.js';
import { decoded } from './directory.js';
import { every } from './env.js';

/** How long a promise to read lasts, and how often it is renewed, in ms. */
const [TTL_MS, AGAIN_MS] = [3000, 1000];
/** How long the device may take to accept it, in ms. */
const ANSWER_MS = 1000;

/**
 * @typedef {object} HeldHandlers
 * @property {(value: any) => void} onMessage In the protobuf JSON mapping, including fields that are 0.
 * @property {(why: string) => void} onLost
 */

/** One stream, for one life of its device. */
export class Held {
  #device;
  #stream;
  #ways;
  #handlers;
  #holder;
  #over = false;
  /** @type {(() => void)[]} */
  #undo = [];

  /**
   * @param {import('#web/proto/signaling.js').Device} device
   * @param {import('#web/proto/signaling.js').Stream} stream
   * @param {import('./ways.js').Ways} ways
   * @param {HeldHandlers} handlers
   */
  constructor(device, stream, ways, handlers) {
    this.#device = device;
    this.#stream = stream;
    this.#ways = ways;
    this.#handlers = handlers;
    // Nobody else can end a promise whose name they do not know.
    this.#holder = `${ways.env.holder().slice(0, 64)} ${randomBytes(8).toString('hex')}`;
    this.#begin().catch((error) => handlers.onLost(error.message));
  }

  /** Ends it; the device stops publishing if nobody else reads. */
  close() {
    if (this.#over) return;
    this.#over = true;
    for (const undo of this.#undo.splice(0)) undo();
    this.#hold(0).catch(() => {}); // it expires by itself
  }

  async #begin() {
    const { bus, definitions } = this.#ways;
    const { robot, name, epoch } = this.#device;
    if (!bus) throw new Error(`the stream ${this.#stream.name} of ${name} comes over the bus: connect('nats://…')`);
    const schema = await definitions.message(name, epoch, this.#stream.messageType);
    if (!schema) throw new Error(`${name} does not define ${this.#stream.messageType}`);
    if (this.#over) return;
    this.#undo.push(
      bus.subscribe(`waldo.v1.${robot}.${name}.out.${this.#stream.name}`, ({ type, data }) => {
        const message = type === schema.typeName ? decoded(schema, data) : null;
        if (message) this.#handlers.onMessage(toJson(schema, message, { alwaysEmitImplicit: true }));
      }),
      every(() => void this.#renew(), AGAIN_MS),
    );
    await this.#renew();
  }

  async #renew() {
    try {
      await this.#hold(TTL_MS);
    } catch (error) {
      if (!this.#over) this.#handlers.onLost(/** @type {Error} */ (error).message);
    }
  }

  /** @param {number} ttlMs */
  #hold(ttlMs) {
    const request = create(HoldStreamRequestSchema, {
      stream: this.#stream.name, holder: this.#holder, ttl: { seconds: BigInt(ttlMs / 1000), nanos: 0 },
    });
    return this.#ways.ask(this.#device.name, DeviceService.method.holdStream, request, ANSWER_MS);
  }
}

/** @file gRPC to the devices of a robot: one client for each address, with the token and the limits of all calls. */

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import { callError } from './status.js';

/**
 * @typedef {import('@bufbuild/protobuf').DescMethod} DescMethod
 * @typedef {import('@bufbuild/protobuf').Message} Message
 */

/** What a device may send at once: a raw 4K picture fits. */
const MOST_BYTES = 64 * 1024 * 1024;

const OPTIONS = {
  'grpc.max_receive_message_length': MOST_BYTES,
  'grpc.max_send_message_length': MOST_BYTES,
  // A device that restarts is back within half a second.
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  // A peer that has vanished without a word is noticed.
  'grpc.keepalive_time_ms': 5000,
  'grpc.keepalive_timeout_ms': 5000,
};

/** Calls that go out from one program. */
export class Wire {
  #token;
  #trust;
  /** @type {Map<string, Client>} By address. */
  #clients = new Map();

  /**
   * @param {string} token Empty for none.
   * @param {import('./options.js').Trust|null} trust How devices on other machines are called with TLS.
   */
  constructor(token, trust) {
    this.#token = token;
    this.#trust = trust;
  }

  /**
   * Calls a unary method.
   * @param {string} address
   * @param {DescMethod} method
   * @param {Message} request
   * @param {{deviceName: string, timeoutMs: number}} options
   * @returns {Promise<Message>} Rejects with a CallError.
   */
  call(address, method, request, { deviceName, timeoutMs }) {
    return new Promise((resolve, reject) => {
      this.#client(address).makeUnaryRequest(path(method), serializer(method), deserializer(method), request,
        this.metadata(), { deadline: Date.now() + timeoutMs }, (error, response) => {
          if (error) reject(callError(error, deviceName));
          else resolve(response ?? create(method.output));
        });
    });
  }

  /**
   * Calls a method that sends a stream.
   * @param {string} address
   * @param {DescMethod} method
   * @param {Message} request
   * @param {Metadata} metadata
   * @returns {import('@grpc/grpc-js').ClientReadableStream<Message>}
   */
  read(address, method, request, metadata) {
    return this.#client(address).makeServerStreamRequest(path(method), serializer(method), deserializer(method),
      request, metadata);
  }

  /**
   * Calls a method that takes a stream.
   * @param {string} address
   * @param {DescMethod} method
   * @param {(error: import('@grpc/grpc-js').ServiceError|null, response?: Message) => void} done
   * @returns {import('@grpc/grpc-js').ClientWritableStream<Message>}
   */
  write(address, method, done) {
    return this.#client(address).makeClientStreamRequest(path(method), serializer(method), deserializer(method),
      this.metadata(), done);
  }

  /**
   * What a call sends along whose answers have to be acknowledged.
   * @param {number} window How many messages may be on their way.
   */
  windowed(window) {
    const metadata = this.metadata();
    metadata.set('waldo-window', String(window));
    return metadata;
  }

  /** What every call sends along. */
  metadata() {
    const metadata = new Metadata();
    if (this.#token !== '') metadata.set('authorization', `Bearer ${this.#token}`);
    return metadata;
  }

  /** Forgets addresses that no device has any longer; calls to them go on. @param {Set<string>} inUse */
  keep(inUse) {
    for (const [address, client] of this.#clients) {
      if (inUse.has(address)) continue;
      client.close();
      this.#clients.delete(address);
    }
  }

  /** Ends all calls. */
  close() {
    this.keep(new Set());
  }

  /** @param {string} address On the same machine there is no TLS. */
  #credentials(address) {
    if (!this.#trust || isLoopback(address)) return credentials.createInsecure();
    return credentials.createSsl(this.#trust.ca ? Buffer.from(this.#trust.ca) : null);
  }

  /** @param {string} address */
  #client(address) {
    let client = this.#clients.get(address);
    if (!client) this.#clients.set(address, (client = new Client(address, this.#credentials(address), OPTIONS)));
    return client;
  }
}

/** @param {string} address host:port */
const isLoopback = (address) => /^(localhost|127(\.\d+){3}|\[::1\]):\d+$/.test(address);

/** @param {DescMethod} method */
const path = ({ parent, name }) => `/${parent.typeName}/${name}`;
/** @param {DescMethod} method @returns {(request: Message) => Buffer} */
const serializer = ({ input }) => (request) => Buffer.from(toBinary(input, request));
/** @param {DescMethod} method @returns {(bytes: Buffer) => Message} */
const deserializer = ({ output }) => (bytes) => fromBinary(output, bytes);

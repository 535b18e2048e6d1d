/**
 * @file Reading a stream of a device over gRPC: through restarts of the device, and never far behind.
 *
 * The device sends no more than the reader has room for (`waldo-window`): each message is acknowledged when the reader
 * asks for the next, so the device leaves out what the reader is too slow for, counts it, and nothing is old.
 */

import { callError, failure, isFinal } from './status.js';

/** The time between two attempts to open a stream, at first and at most, in ms. */
const [FIRST_MS, MOST_MS] = [20, 500];

/**
 * @typedef {import('@bufbuild/protobuf').Message} Message
 * @typedef {import('@grpc/grpc-js').ClientReadableStream<Message>} Call
 *
 * @typedef {object} ReadingHandlers
 * @property {(call: {window: number}) => Call} open Opens the stream; throws a CallError if the device is not known.
 * @property {(id: string, messages: number) => Promise<unknown>} acknowledge
 * @property {(device: string) => Promise<void>} known Resolves when the device is there; rejects if that is not to be.
 * @property {(why: string) => void} [onLost] The stream has broken, and is opened again.
 * @property {() => void} [onArrival] A message has arrived.
 * @property {() => void} onClose
 */

/**
 * One reader of one stream.
 * @template T
 */
export class Reading {
  /** How many messages the device left out because this reader was too slow. */
  dropped = 0;

  #device;
  #window;
  #pick;
  #handlers;
  /** @type {Call|null} */
  #call = null;
  /** @type {{message: Message, call: Call}[]} What has arrived and is not taken. */
  #box = [];
  #id = '';
  #taken = 0;
  #acknowledged = 0;
  #acknowledging = false;
  #droppedBefore = 0;
  #pauseMs = FIRST_MS;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #later;
  /** @type {import('#web/channels/calls.js').CallError|null} Why it has ended. */
  #error = null;
  #over = false;
  #begun = false;
  /** @type {{resolve: (value: IteratorResult<T>) => void, reject: (error: Error) => void}[]} */
  #waiting = [];

  /**
   * @param {string} device
   * @param {number} window How many messages may be on their way.
   * @param {(message: any) => {value: T|undefined, dropped: number}} pick What of a message is for the reader;
   *   undefined for nothing.
   * @param {ReadingHandlers} handlers
   */
  constructor(device, window, pick, handlers) {
    this.#device = device;
    this.#window = window;
    this.#pick = pick;
    this.#handlers = handlers;
  }

  /** Whether something waits to be taken. */
  get full() {
    return this.#box.length > 0;
  }

  /**
   * @returns {Promise<IteratorResult<T>>} The next message; it waits for one. Rejects with the CallError that ended it.
   */
  next() {
    if (!this.#begun && !this.#over) {
      this.#begun = true;
      void this.#open();
    }
    this.#acknowledge();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#serve();
    });
  }

  /** Ends it. */
  close() {
    this.#finish(null);
  }

  /** The device has begun a new life: there is no need to wait longer. */
  hurry() {
    if (this.#later === undefined) return;
    clearTimeout(this.#later);
    this.#pauseMs = FIRST_MS;
    void this.#open();
  }

  async #open() {
    this.#later = undefined;
    try {
      await this.#handlers.known(this.#device);
      if (this.#over) return;
      this.#attach(this.#handlers.open({ window: this.#window }));
    } catch (error) {
      this.#failed(callError(error, this.#device));
    }
  }

  /** @param {Call} call */
  #attach(call) {
    this.#call = call;
    this.#id = '';
    this.#taken = this.#acknowledged = 0;
    this.#droppedBefore = this.dropped;
    call.on('metadata', (metadata) => {
      this.#id = String(metadata.get('waldo-call')[0] ?? '');
      this.#acknowledge();
    });
    call.on('data', (message) => {
      this.#pauseMs = FIRST_MS;
      this.#box.push({ message, call });
      this.#handlers.onArrival?.();
      this.#serve();
      // A device that knows no windows is held back by the flow control of HTTP.
      if (this.#box.length >= this.#window) call.pause();
    });
    const ended = (/** @type {unknown} */ error) => {
      if (this.#call !== call) return;
      this.#call = null;
      this.#failed(
        error ? callError(error, this.#device) : failure('UNAVAILABLE', `${this.#device} has ended the stream`));
    };
    call.on('error', ended);
    call.on('end', () => ended(null));
  }

  /** @param {import('#web/channels/calls.js').CallError} error */
  #failed(error) {
    if (this.#over) return;
    if (isFinal(error)) {
      this.#finish(error);
      return;
    }
    this.#handlers.onLost?.(error.message);
    this.#later = setTimeout(() => void this.#open(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, MOST_MS);
  }

  #serve() {
    while (this.#waiting.length > 0 && this.#box.length > 0) {
      const { message, call } = /** @type {{message: Message, call: Call}} */ (this.#box.shift());
      if (call === this.#call) this.#taken += 1;
      call.resume();
      const { value, dropped } = this.#pick(message);
      this.dropped = this.#droppedBefore + dropped;
      if (value === undefined) {
        this.#acknowledge();
        continue;
      }
      this.#waiting.shift()?.resolve({ value, done: false });
    }
    if (!this.#over || this.#box.length > 0) return;
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#error) reject(this.#error);
      else resolve({ value: undefined, done: true });
    }
  }

  /** Tells the device how far this reader is: one call at a time, the newest number. */
  #acknowledge() {
    if (this.#acknowledging || !this.#call || this.#id === '' || this.#taken === this.#acknowledged) return;
    this.#acknowledging = true;
    this.#acknowledged = this.#taken;
    const call = this.#call;
    this.#handlers.acknowledge(this.#id, this.#taken).catch((error) => {
      if (this.#call !== call) return;
      // Without it the device would wait for ever: the stream begins anew.
      this.#call = null;
      call.cancel();
      this.#failed(failure('UNAVAILABLE', error.message));
    }).finally(() => {
      this.#acknowledging = false;
      this.#acknowledge();
    });
  }

  /** @param {import('#web/channels/calls.js').CallError|null} error */
  #finish(error) {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    clearTimeout(this.#later);
    const call = this.#call;
    this.#call = null;
    call?.cancel();
    if (!error) this.#box.length = 0;
    this.#serve();
    this.#handlers.onClose();
  }
}

/**
 * Makes readers of a stream: each `for await` has its own, which ends with the loop.
 * @template T
 * @param {() => Reading<T>} open
 * @returns {AsyncIterator<T, undefined> & AsyncIterable<T>}
 */
export function iterate(open) {
  const reading = open();
  return {
    next: () => reading.next(),
    return: () => {
      reading.close();
      return Promise.resolve({ value: undefined, done: true });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

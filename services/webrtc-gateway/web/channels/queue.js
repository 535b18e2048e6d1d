/**
 * @file A queue between a source of values and a consumer that takes them one by one.
 */

/**
 * @typedef {object} QueueOptions
 * @property {number} [limit] How many values may wait; default 256.
 * @property {'drop-oldest'|'drop-newest'} [policy] What is dropped when the queue is full; default the oldest.
 */

/**
 * A bounded queue.
 *
 * ```js
 * const queue = new Queue({ limit: 16 });
 * channel.addEventListener('message', (event) => queue.put(event.detail.value));
 * for await (const value of queue) await slowly(value);
 * ```
 * @template T
 */
export class Queue {
  /** The number of values dropped because nobody took them in time. */
  dropped = 0;

  #limit;
  #policy;
  /** @type {T[]} */
  #values = [];
  /** @type {{resolve: (value: T) => void, reject: (error: Error) => void}[]} The waiting consumers; none while there are values. */
  #waiting = [];
  #closed = false;

  /** @param {QueueOptions} [options] */
  constructor({ limit = 256, policy = 'drop-oldest' } = {}) {
    if (!(limit >= 1)) throw new RangeError(`limit ${limit}: must be at least 1`);
    this.#limit = limit;
    this.#policy = policy;
  }

  /** The number of waiting values. */
  get size() {
    return this.#values.length;
  }

  /**
   * Adds a value, or passes it to a waiting consumer.
   * @param {T} value
   * @returns {boolean} False if a value was dropped, this one or another, or the queue is closed.
   */
  put(value) {
    if (this.#closed) return false;
    const first = this.#waiting.shift();
    if (first) {
      first.resolve(value);
      return true;
    }
    const full = this.#values.length >= this.#limit;
    if (full) this.dropped += 1;
    if (full && this.#policy === 'drop-newest') return false;
    if (full) this.#values.shift();
    this.#values.push(value);
    return !full;
  }

  /**
   * Takes the oldest value, and waits for one if the queue is empty.
   * @returns {Promise<T>} Rejects when the queue is closed and empty.
   */
  get() {
    if (this.#values.length > 0) return Promise.resolve(/** @type {T} */ (this.#values.shift()));
    if (this.#closed) return Promise.reject(new Error('the queue is closed'));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Accepts no more values. Those that are waiting can still be taken. */
  close() {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the queue is closed'));
  }

  /** All values until the queue is closed and empty. */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      try {
        yield await this.get();
      } catch {
        return;
      }
    }
  }
}

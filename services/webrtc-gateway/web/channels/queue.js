/**
 * @file A queue between what arrives and whoever works on it one by one.
 */

/**
 * @typedef {object} QueueOptions
 * @property {number} [limit] How many values may wait; 256.
 * @property {'drop-oldest'|'drop-newest'} [policy] What is lost when one more comes; the oldest.
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
  /** How many values were lost because nobody took them in time. */
  dropped = 0;

  #limit;
  #policy;
  /** @type {T[]} */
  #values = [];
  /** @type {{resolve: (value: T) => void, reject: (error: Error) => void}[]} Who waits; nobody while there are values. */
  #waiting = [];
  #closed = false;

  /** @param {QueueOptions} [options] */
  constructor({ limit = 256, policy = 'drop-oldest' } = {}) {
    if (!(limit >= 1)) throw new RangeError(`limit ${limit}: at least one value must have room`);
    this.#limit = limit;
    this.#policy = policy;
  }

  /** How many values wait. */
  get size() {
    return this.#values.length;
  }

  /**
   * Adds a value, or hands it to who waits for one.
   * @param {T} value
   * @returns {boolean} False if a value was lost, this one or another, or the queue is closed.
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
   * Takes the oldest value, waiting for one if there is none.
   * @returns {Promise<T>} Rejects when the queue is closed and empty.
   */
  get() {
    if (this.#values.length > 0) return Promise.resolve(/** @type {T} */ (this.#values.shift()));
    if (this.#closed) return Promise.reject(new Error('the queue is closed'));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Takes no more values. Those that wait can still be had. */
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

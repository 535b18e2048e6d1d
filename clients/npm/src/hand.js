/** @file The values that a program sends, as an input of a drive: they count for a moment. */

/** @typedef {import('#web/proto/serial.js').FieldInfo} FieldInfo */

/**
 * The full scale of a value without limits. Scales are powers of two, so that dividing by them and multiplying again
 * changes no value.
 */
const UNLIMITED = 2 ** 60;

/** An input of a drive. */
export class Hand extends EventTarget {
  #holdMs;
  /** @type {Map<string, {safe: number, scale: number, field: FieldInfo|undefined}>} */
  #keys = new Map();
  /** @type {Map<string, number>} */
  #held = new Map();
  #untilMs = -Infinity;

  /** @param {number} holdMs How long values count. */
  constructor(holdMs) {
    super();
    this.#holdMs = holdMs;
  }

  /** The keys of the message. */
  get keys() {
    return [...this.#keys.keys()];
  }

  /**
   * For the drive: what the message holds.
   * @param {Record<string, unknown>} safe The safe message.
   * @param {Map<string, FieldInfo>} fields
   */
  learn(safe, fields) {
    const numbers = Object.entries(safe).filter(([, v]) => typeof v === 'number');
    for (const key of new Set([...numbers.map(([key]) => key), ...fields.keys()])) {
      const field = fields.get(key);
      const rest = Number(safe[key] ?? 0);
      // Twice as wide as the field: the safe value may be at its end.
      const bounded = field && field.minimum < field.maximum;
      const most = bounded ? 2 * Math.max(Math.abs(field.minimum), Math.abs(field.maximum)) : UNLIMITED;
      this.#keys.set(key, { safe: rest, scale: Math.min(2 ** Math.ceil(Math.log2(most)), UNLIMITED), field });
    }
  }

  /** @param {string} key */
  scale(key) {
    return this.#keys.get(key)?.scale ?? 1;
  }

  /** @param {string} key */
  safe(key) {
    return this.#keys.get(key)?.safe ?? 0;
  }

  /** Throws for values that the message cannot hold. @param {Record<string, number>} values */
  check(values) {
    if (typeof values !== 'object' || values === null) {
      throw new TypeError('send: pass values by key: {left: 100, right: 100}');
    }
    for (const [key, value] of Object.entries(values)) {
      if (typeof value !== 'number' || !Number.isFinite(value)) {
        throw new TypeError(`send: ${key} must be a number, not ${value}`);
      }
      if (this.#keys.size === 0) continue; // not known before the start
      const known = this.#keys.get(key);
      if (!known) throw new TypeError(`send: the message has no ${key}; it has ${this.keys.join(', ')}`);
      checkLimits(key, value, known.field);
    }
  }

  /** @param {Record<string, number>} values */
  hold(values) {
    this.#held = new Map(Object.entries(values));
    this.#untilMs = performance.now() + this.#holdMs;
    this.dispatchEvent(new CustomEvent('change'));
  }

  /** Whether nothing is held. */
  get atRest() {
    if (performance.now() >= this.#untilMs) this.#held.clear();
    return this.#held.size === 0;
  }

  /** @param {{name: string}} axis @returns {number} -1 to 1; 0 is the safe value. */
  axis({ name }) {
    const value = this.atRest ? undefined : this.#held.get(name);
    const known = this.#keys.get(name);
    return value === undefined || !known ? 0 : (value - known.safe) / known.scale;
  }

  /** Holds nothing any longer. */
  rest() {
    this.#held.clear();
  }
}

/** @param {string} key @param {number} value @param {FieldInfo|undefined} field */
function checkLimits(key, value, field) {
  if (Math.abs(value) > UNLIMITED / 2) throw new RangeError(`send: ${key} ${value} is out of range`);
  if (!field) return;
  const { whole, minimum, maximum } = field;
  if (whole && !Number.isInteger(value)) throw new TypeError(`send: ${key} ${value}: must be a whole number`);
  if (minimum < maximum && (value < minimum || value > maximum)) {
    throw new RangeError(`send: ${key} ${value}: must be ${minimum} to ${maximum}`);
  }
}

/** @file One changing value, with a line of its history. */

import { make, setText } from './dom.js';
import { showValue } from './serialwords.js';
import { drawSpark, Spark } from './spark.js';

/** One value: its name, its line, and what it is now. */
export class ValueRow {
  element;

  #spark;
  #canvas = make('canvas', { 'aria-hidden': 'true' });
  #output;
  /** @type {unknown} */
  #value = null;
  #fraction = false;

  /** @param {string} device @param {string} key @param {number} [spanMs] How much of its history is shown. */
  constructor(device, key, spanMs) {
    this.#spark = new Spark(spanMs);
    this.#output = make('dd', { 'data-device': device, 'data-key': key });
    this.element = make('div', {}, make('dt', { title: key }, key), this.#canvas, this.#output);
  }

  /**
   * @param {number} nowMs
   * @param {unknown} value What is shown; null while there is none.
   * @param {number|null} [number] What is plotted; null for nothing, which makes a gap.
   */
  take(nowMs, value, number = typeof value === 'number' ? value : null) {
    this.#value = value;
    if (value === null || typeof number === 'number' && !Number.isFinite(number)) this.#spark.gap();
    if (typeof number !== 'number') return;
    this.#fraction ||= typeof value === 'number' && !Number.isInteger(value);
    this.#spark.add(nowMs, number);
  }

  /** The line ends here, and begins again with the next value. */
  gap() {
    this.#spark.gap();
  }

  /** @param {number} nowMs @param {boolean} fresh Whether there is a new value. */
  draw(nowMs, fresh) {
    if (fresh) setText(this.#output, showValue(this.#value, this.#fraction));
    drawSpark(this.#canvas, this.#spark.line(nowMs));
  }
}

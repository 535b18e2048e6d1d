/**
 * @file Driving with the keyboard.
 */

import { Attention } from './attention.js';
import { browserEnv } from '../base/env.js';

/** @typedef {import('../proto/signaling.js').DriveAxis} DriveAxis */

/** After these the `keyup` may never arrive: a menu, a drag, or an input method has the keyboard. */
const TAKEN = ['contextmenu', 'dragstart', 'compositionstart'];

/**
 * @typedef {object} KeyboardOptions
 * @property {Iterable<string>} [keys] Keys to watch, as KeyboardEvent.code names them. A Drive sets them.
 * @property {EventTarget} [target] Receives the key events; the window by default.
 * @property {import('../base/env.js').Env} [env]
 */

/**
 * Which keys are held.
 *
 * Keys with Ctrl, Meta, or Alt belong to the browser, and keys typed into a field belong to the field. After the page
 * was hidden, left, or frozen, or a menu, a drag, or an input method took the keyboard, a key counts as held only once
 * it was released and pressed again.
 *
 * Events: `change` when a key goes down or up.
 */
export class Keyboard extends EventTarget {
  /** Whether the watched keys are kept from doing anything else, such as scrolling. */
  grab = false;

  #keys;
  /** @type {Set<string>} */
  #held = new Set();
  #target;
  #attention;

  /** @param {KeyboardOptions} [options] */
  constructor({ keys = [], target = window, env = browserEnv() } = {}) {
    super();
    this.#keys = new Set(keys);
    this.#target = target;
    this.#attention = new Attention(env, () => this.rest());
    target.addEventListener('keydown', this.#down, { capture: true });
    target.addEventListener('keyup', this.#up, { capture: true });
    for (const type of TAKEN) target.addEventListener(type, this.#taken, { capture: true });
  }

  /** Whether no key is held. */
  get atRest() {
    this.#attention.check();
    return this.#held.size === 0;
  }

  /**
   * @param {string} code
   * @returns {number} 1 while the key is held, else 0.
   */
  value(code) {
    this.#attention.check();
    return this.#held.has(code) ? 1 : 0;
  }

  /** @param {DriveAxis} axis @returns {number} -1, 0 or 1. */
  axis({ plusKeys, minusKeys }) {
    const held = (/** @type {string[]} */ codes) => Number(codes.some((code) => this.value(code) === 1));
    return held(plusKeys) - held(minusKeys);
  }

  /** @param {DriveAxis[]} axes Their keys are watched from now on, and no others. */
  bind(axes) {
    this.#keys = new Set(axes.flatMap((a) => [...a.plusKeys, ...a.minusKeys]));
    this.rest();
  }

  /** Treats all keys as released. A key that is still down counts once it is pressed again. */
  rest() {
    if (this.#held.size === 0) return;
    this.#held.clear();
    this.dispatchEvent(new CustomEvent('change'));
  }

  /** Stops watching. */
  close() {
    this.rest();
    this.#attention.close();
    this.#target.removeEventListener('keydown', this.#down, { capture: true });
    this.#target.removeEventListener('keyup', this.#up, { capture: true });
    for (const type of TAKEN) this.#target.removeEventListener(type, this.#taken, { capture: true });
  }

  #taken = () => this.rest();

  /** @param {any} event A KeyboardEvent. */
  #down = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      // Operating systems do not report the release of such keys, nor of keys held before them.
      this.rest();
      return;
    }
    if (!this.#keys.has(event.code) || event.isComposing || event.key === 'Process' || inField(event)) return;
    this.#swallow(event);
    if (event.repeat || this.#attention.stale(event) || this.#held.has(event.code)) return;
    this.#attention.check();
    this.#held.add(event.code);
    this.dispatchEvent(new CustomEvent('change'));
  };

  /** @param {any} event A KeyboardEvent. */
  #up = (event) => {
    if (!this.#keys.has(event.code)) return;
    if (!inField(event)) this.#swallow(event);
    if (this.#held.delete(event.code)) this.dispatchEvent(new CustomEvent('change'));
  };

  /** @param {Event} event */
  #swallow(event) {
    if (!this.grab) return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/**
 * Whether an event happens in a field that people type into.
 * @param {Event} event
 */
export function inField(event) {
  const target = /** @type {any} */ (event.composedPath()[0] ?? event.target);
  return Boolean(target?.closest?.('textarea, select, input:not([type=button], [type=checkbox]), [contenteditable]'));
}

/**
 * @file An on-screen stick, moved with a finger or the mouse.
 */

import { Attention } from './attention.js';
import { browserEnv } from '../base/env.js';

/** How far the stick moves, as a fraction of half the element. */
const REACH = 0.7;
/**
 * This near to its center the stick is at rest, so a finger can land without moving anything; a fraction of the reach.
 */
const DEAD_ZONE = 0.1;

/**
 * @typedef {object} TouchStickOptions
 * @property {import('../base/env.js').Env} [env]
 */

/**
 * A stick on an element. One finger holds it at a time; it springs back when the finger is lifted, when the system
 * takes the touch over, and when the page is hidden, left, or frozen.
 *
 * Events: `change` when {@link TouchStick.x} or {@link TouchStick.y} change. The page draws the stick.
 */
export class TouchStick extends EventTarget {
  /** -1 (left) to 1 (right). */
  x = 0;
  /** -1 (down) to 1 (up). */
  y = 0;

  #element;
  #attention;
  /** @type {{id: number, type: string, x: number, y: number, reach: number}|null} The finger on it, and its center. */
  #finger = null;
  /** @type {[string, (event: any) => void][]} */
  #listeners = [
    ['pointerdown', (event) => this.#down(event)],
    ['pointermove', (event) => this.#move(event)],
    ['pointerup', (event) => this.#lift(event)],
    ['pointercancel', (event) => this.#lift(event)],
    ['lostpointercapture', (event) => this.#lift(event)],
  ];

  /**
   * @param {HTMLElement} element
   * @param {TouchStickOptions} [options]
   */
  constructor(element, { env = browserEnv() } = {}) {
    super();
    this.#element = element;
    this.#attention = new Attention(env, () => this.rest());
    // Otherwise the browser uses the finger for scrolling.
    element.style.touchAction = 'none';
    for (const [type, run] of this.#listeners) element.addEventListener(type, run);
  }

  /** Whether the stick is free of fingers. */
  get atRest() {
    this.#attention.check();
    return this.#finger === null;
  }

  /**
   * @param {string} direction `x` or `y`; a leading `-` inverts it.
   * @returns {number} -1 to 1.
   */
  value(direction) {
    this.#attention.check();
    const v = direction.endsWith('x') ? this.x : direction.endsWith('y') ? this.y : 0;
    return direction.startsWith('-') ? 0 - v : v;
  }

  /** @param {import('../proto/signaling.js').DriveAxis} axis @returns {number} -1 to 1. */
  axis({ touch }) {
    return this.value(touch);
  }

  /** Springs back. A finger that is still down has to be lifted first. */
  rest() {
    this.#finger = null;
    this.#set(0, 0);
  }

  /** Releases the element. */
  close() {
    this.rest();
    this.#attention.close();
    for (const [type, run] of this.#listeners) this.#element.removeEventListener(type, run);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0 || this.#attention.stale(event)) return;
    // The first finger of a touch is alone, so the finger that held the stick left without an event.
    if (event.isPrimary && this.#finger?.type === event.pointerType) this.rest();
    if (this.#finger) return;
    event.preventDefault();
    this.#attention.check();
    const { left, top, width, height } = this.#element.getBoundingClientRect();
    const reach = (Math.min(width, height) / 2) * REACH;
    try {
      this.#element.setPointerCapture(event.pointerId);
    } catch {
      return; // it is lifted already, and no event would follow
    }
    this.#finger = { id: event.pointerId, type: event.pointerType, x: left + width / 2, y: top + height / 2, reach };
    this.#move(event);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (this.#finger?.id !== event.pointerId) return;
    // A mouse button that was released outside all windows is up when the mouse returns.
    if (this.#attention.stale(event) || (event.pointerType === 'mouse' && event.buttons === 0)) {
      this.rest();
      return;
    }
    const finger = this.#finger;
    const x = (event.clientX - finger.x) / finger.reach;
    const y = (finger.y - event.clientY) / finger.reach;
    const far = Math.hypot(x, y);
    const wanted = far > DEAD_ZONE ? Math.min((far - DEAD_ZONE) / (1 - DEAD_ZONE), 1) : 0;
    this.#set(far > 0 ? (x / far) * wanted : 0, far > 0 ? (y / far) * wanted : 0);
  }

  /** @param {PointerEvent} event */
  #lift(event) {
    if (this.#finger?.id === event.pointerId) this.rest();
  }

  /** @param {number} x @param {number} y */
  #set(x, y) {
    if (this.x === x && this.y === y) return;
    this.x = x;
    this.y = y;
    this.dispatchEvent(new CustomEvent('change'));
  }
}

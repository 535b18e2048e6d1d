/**
 * @file Gamepads, to drive with.
 */

import { Attention } from './attention.js';
import { browserEnv } from './env.js';

/** @typedef {import('./protocol.js').DriveAxis} DriveAxis */

/**
 * @typedef {object} GamepadOptions
 * @property {number} [deadZone] How far a stick or trigger may be off its middle and count as at rest; 0.12.
 * @property {number} [rateHz] How often pads are looked at; 60.
 * @property {Iterable<string>} [controls] Those to care for, `axis0` or `button7`; all. A Drive sets them by itself.
 * @property {import('./env.js').Env} [env]
 *
 * @typedef {object} Pad What is remembered of one pad.
 * @property {string} id
 * @property {boolean} live Whether it counts: it was at rest since it was plugged in.
 * @property {Map<string, number>} values By control, as far as they are not at rest.
 */

/**
 * The gamepad that was used last.
 *
 * One that is unplugged is at rest at once; one that is plugged in, or used again after the page was hidden, left or stood
 * still, counts only after it was at rest.
 *
 * Events: `change` when a control moves; `connect` and `disconnect` with the name of the pad as detail.
 */
export class Gamepad extends EventTarget {
  #env;
  #deadZone;
  /** @type {Set<string>|null} Null for all. */
  #controls;
  /** @type {Map<number, Pad>} By the browser's index. */
  #pads = new Map();
  /** @type {number|null} The pad used last. */
  #active = null;
  #attention;
  #stop;

  /** @param {GamepadOptions} [options] */
  constructor({ deadZone = 0.12, rateHz = 60, controls, env = browserEnv() } = {}) {
    super();
    this.#env = env;
    this.#deadZone = deadZone;
    this.#controls = controls ? new Set(controls) : null;
    // Also when another window has the keyboard: some browsers then go on telling the last they heard of the pad.
    this.#attention = new Attention(env, () => this.rest());
    this.#stop = env.every(() => this.#look(), 1000 / rateHz);
  }

  /** Name of the pad used last, of the first if none was used; empty if there is none. */
  get name() {
    return this.#pad?.id ?? '';
  }

  /** Whether no control is moved, on any pad that counts. */
  get atRest() {
    return [...this.#pads.values()].every((pad) => !pad.live || pad.values.size === 0);
  }

  /**
   * @param {string} control `axis0`, `button7` …; with a `-` in front turned around.
   * @returns {number} -1 to 1; what is pressed how far for buttons.
   */
  value(control) {
    this.#attention.check();
    const pad = this.#pad;
    if (!pad?.live || this.#env.hidden()) return 0;
    return control.startsWith('-') ? 0 - (pad.values.get(control.slice(1)) ?? 0) : pad.values.get(control) ?? 0;
  }

  /** @param {DriveAxis} axis @returns {number} -1 to 1. */
  axis({ gamepad }) {
    return gamepad === '' ? 0 : this.value(gamepad);
  }

  /** @param {DriveAxis[]} axes The controls of these are cared for from now on. */
  bind(axes) {
    this.#controls = new Set(axes.flatMap((a) => (a.gamepad === '' ? [] : [a.gamepad.replace('-', '')])));
    this.rest();
  }

  /** Lets everything go. A pad counts again after it was at rest. */
  rest() {
    const moved = this.#pad?.live && this.#pad.values.size > 0;
    for (const pad of this.#pads.values()) pad.live = false;
    if (moved) this.#tell('change');
  }

  /** Looks at no pad any more. */
  close() {
    this.rest();
    this.#stop();
    this.#attention.close();
  }

  get #pad() {
    return this.#pads.get(this.#active ?? this.#pads.keys().next().value ?? -1);
  }

  #look() {
    this.#attention.check();
    if (this.#env.hidden()) return;
    const found = new Map(this.#env.gamepads().flatMap((p) => (p?.connected ? [[p.index, p]] : [])));
    for (const index of [...this.#pads.keys()]) if (!found.has(index)) this.#unplugged(index);
    for (const [index, p] of found) this.#read(index, p);
  }

  /** @param {number} index */
  #unplugged(index) {
    const name = this.#pads.get(index)?.id;
    this.#pads.delete(index);
    if (this.#active === index) this.#active = null;
    this.#tell('change');
    this.#tell('disconnect', name);
  }

  /** @param {number} index @param {globalThis.Gamepad} p */
  #read(index, p) {
    let pad = this.#pads.get(index);
    if (!pad) {
      this.#pads.set(index, (pad = { id: p.id, live: false, values: new Map() }));
      this.#tell('connect', p.id);
    }
    const values = this.#valuesOf(p);
    const changed = !same(values, pad.values);
    pad.values = values;
    if (values.size === 0) pad.live = true;
    // The pad in use stays so until it is let go: two that are moved at once must not take turns.
    if (changed && values.size > 0 && pad.live && !this.#pad?.values.size) this.#active = index;
    if (changed && pad === this.#pad) {
      this.#active = index;
      this.#tell('change');
    }
  }

  /** @param {globalThis.Gamepad} p @returns {Map<string, number>} */
  #valuesOf(p) {
    const all = /** @type {[string, number][]} */ ([
      ...p.axes.map((v, i) => [`axis${i}`, this.#rescale(v)]),
      ...p.buttons.map((b, i) => [`button${i}`, this.#rescale(b.value)]),
    ]);
    return new Map(all.filter(([control, v]) => v !== 0 && (this.#controls === null || this.#controls.has(control))));
  }

  /** @param {number} v @returns {number} 0 within the dead zone, and from its edge to the end all of 0 to 1. */
  #rescale(v) {
    const size = Math.min(Math.abs(v), 1);
    return size > this.#deadZone ? (Math.sign(v) * (size - this.#deadZone)) / (1 - this.#deadZone) : 0;
  }

  /** @param {string} type @param {string} [detail] */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {Map<string, number>} a @param {Map<string, number>} b */
function same(a, b) {
  return a.size === b.size && [...a].every(([control, v]) => b.get(control) === v);
}

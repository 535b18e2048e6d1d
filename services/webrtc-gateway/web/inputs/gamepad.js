/**
 * @file Driving with a gamepad.
 */

import { Attention } from './attention.js';
import { browserEnv } from '../base/env.js';
import { PadControl } from './padcontrol.js';
import { controlsOf, mapped, placeOf, rawValue } from './padmap.js';

/** @typedef {import('../proto/signaling.js').DriveAxis} DriveAxis */
/** @typedef {import('./padmap.js').PadMap} PadMap */

/**
 * @typedef {object} GamepadOptions
 * @property {number} [deadZone] How far a stick or trigger may be off its center and still count as at rest; 0.12.
 * @property {number} [rateHz] How often pads are read; 60.
 * @property {Iterable<string>} [controls] Controls to watch, such as `axis0` or `button7`; all by default. A Drive
 *   sets them.
 * @property {PadMap[]} [pads] What the numbers of pads without a mapping stand for. A Drive adds those of robot.yaml.
 * @property {import('../base/env.js').Env} [env]
 *
 * @typedef {object} Pad The state of one pad.
 * @property {string} id
 * @property {string} mapping
 * @property {Map<string, {place: import('./padmap.js').Place, judge: PadControl}>} controls The watched controls, by
 *   standard number.
 *
 * @typedef {object} PadDoubt Something that does not count.
 * @property {string} pad Name of the pad.
 * @property {string} control `axis0`, `button7` …; empty for the whole pad.
 * @property {'no-mapping'|import('./padcontrol.js').Doubt} reason No-mapping: the browser does not know which number
 *   is which stick.
 */

/**
 * The gamepad that was used last.
 *
 * Controls have the numbers of the W3C's standard gamepad. A pad that the browser has no mapping for does not count,
 * because its numbers could mean anything, unless {@link GamepadOptions} or robot.yaml say what they stand for. Each
 * control counts only once it was seen at rest, and has to be seen at rest again after the pad was plugged in, after
 * another pad was unplugged, and after the page was hidden, left, or frozen. A control that does not count reads as at
 * rest, does not block the others, and is listed in {@link Gamepad.doubts}.
 *
 * Events: `change` when a control moves; `connect` and `disconnect` with the name of the pad as detail.
 */
export class Gamepad extends EventTarget {
  #env;
  #deadZone;
  /** @type {Set<string>|null} Null for all. */
  #controls;
  /** @type {PadMap[]} */
  #ownMaps;
  /** @type {PadMap[]} */
  #maps;
  /** @type {Map<number, Pad>} By the browser's index. */
  #pads = new Map();
  /** @type {number|null} The pad used last. */
  #active = null;
  #attention;
  #stop;

  /** @param {GamepadOptions} [options] */
  constructor({ deadZone = 0.12, rateHz = 60, controls, pads = [], env = browserEnv() } = {}) {
    super();
    this.#env = env;
    this.#deadZone = deadZone;
    this.#controls = controls ? new Set(controls) : null;
    this.#ownMaps = this.#maps = pads;
    // Also when another window has the keyboard: some browsers then keep reporting the pad's last state.
    this.#attention = new Attention(env, () => this.rest());
    this.#stop = env.every(() => this.#look(), 1000 / rateHz);
  }

  /** Name of the pad used last, or of the first that counts if none was used; empty without a pad. */
  get name() {
    const counting = [...this.#pads.values()].find((pad) => mapped(pad, this.#maps));
    return (this.#pad ?? counting)?.id ?? '';
  }

  /** Whether all controls that count are at rest, on every pad. */
  get atRest() {
    return [...this.#pads.values()].every((pad) => [...pad.controls.values()].every(({ judge }) => judge.value === 0));
  }

  /** What does not count now, and why. @returns {PadDoubt[]} */
  get doubts() {
    return [...this.#pads.values()].flatMap((pad) => this.#doubtsOf(pad));
  }

  /**
   * @param {string} control `axis0`, `button7` …; a leading `-` inverts it.
   * @returns {number} -1 to 1; for buttons, how far the button is pressed.
   */
  value(control) {
    this.#attention.check();
    if (this.#env.hidden()) return 0;
    const turned = control.startsWith('-');
    const value = this.#pad?.controls.get(turned ? control.slice(1) : control)?.judge.value ?? 0;
    return turned ? 0 - value : value;
  }

  /** @param {DriveAxis} axis @returns {number} -1 to 1. */
  axis({ gamepad }) {
    return gamepad === '' ? 0 : this.value(gamepad);
  }

  /**
   * @param {DriveAxis[]} axes Their controls are watched from now on, and no others.
   * @param {PadMap[]} [pads] What the numbers of pads without a mapping stand for, in addition to those of the
   *   options.
   */
  bind(axes, pads = []) {
    this.#controls = new Set(axes.flatMap((a) => (a.gamepad === '' ? [] : [a.gamepad.replace('-', '')])));
    this.#maps = [...this.#ownMaps, ...pads];
    this.rest();
    for (const pad of this.#pads.values()) pad.controls.clear();
  }

  /** Treats everything as released. A control counts again after it was at rest. */
  rest() {
    const moved = !this.atRest;
    for (const { controls } of this.#pads.values()) for (const { judge } of controls.values()) judge.rest();
    if (moved) this.#tell('change');
  }

  /** Stops reading pads. */
  close() {
    this.rest();
    this.#stop();
    this.#attention.close();
  }

  get #pad() {
    return this.#active === null ? undefined : this.#pads.get(this.#active);
  }

  #look() {
    this.#attention.check();
    if (this.#env.hidden()) return;
    const found = new Map(this.#env.gamepads().flatMap((p) => (p?.connected ? [[p.index, p]] : [])));
    for (const [index, pad] of [...this.#pads]) {
      const p = found.get(index);
      if (p?.id !== pad.id || p.mapping !== pad.mapping) this.#unplugged(index, pad);
    }
    for (const [index, p] of found) this.#read(index, p);
  }

  /** @param {number} index @param {Pad} pad */
  #unplugged(index, pad) {
    // A control held on another pad was not meant while this one drove.
    if (this.#active === index) {
      this.rest();
      this.#active = null;
    }
    this.#pads.delete(index);
    this.#tell('change');
    this.#tell('disconnect', pad.id);
  }

  /** @param {number} index @param {globalThis.Gamepad} p */
  #read(index, p) {
    let pad = this.#pads.get(index);
    if (!pad) {
      this.#pads.set(index, (pad = { id: p.id, mapping: p.mapping, controls: new Map() }));
      this.#tell('connect', p.id);
    }
    const before = valuesOf(pad);
    this.#judge(pad, p);
    const after = valuesOf(pad);
    if (same(before, after)) return;
    // The pad in use keeps that role until it is released: two pads moved at once must not take turns.
    const idle = !this.#pad || valuesOf(this.#pad).size === 0;
    if (after.size > 0 && idle) this.#active = index;
    if (this.#active === index) this.#tell('change');
  }

  /** @param {Pad} pad @param {globalThis.Gamepad} p Its controls as the browser reports them. */
  #judge(pad, p) {
    for (const control of this.#controls ?? controlsOf(p, this.#maps)) {
      let known = pad.controls.get(control);
      if (!known) {
        const place = placeOf(control, p, this.#maps);
        if (!place) continue;
        known = { place, judge: new PadControl({ deadZone: this.#deadZone, proof: place.proof }) };
        pad.controls.set(control, known);
      }
      known.judge.look(rawValue(p, known.place), this.#env.now());
    }
  }

  /** @param {Pad} pad @returns {PadDoubt[]} */
  #doubtsOf(pad) {
    if (!mapped(pad, this.#maps)) return [{ pad: pad.id, control: '', reason: 'no-mapping' }];
    const controls = [...(this.#controls ?? pad.controls.keys())];
    return controls.flatMap((control) => {
      const known = pad.controls.get(control);
      const reason = known ? known.judge.doubt : 'missing';
      return reason === '' ? [] : [{ pad: pad.id, control, reason }];
    });
  }

  /** @param {string} type @param {string} [detail] */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {Pad} pad @returns {Map<string, number>} Its controls that are off their rest. */
function valuesOf({ controls }) {
  return new Map([...controls].flatMap(([name, { judge }]) => (judge.value === 0 ? [] : [[name, judge.value]])));
}

/** @param {Map<string, number>} a @param {Map<string, number>} b */
function same(a, b) {
  return a.size === b.size && [...a].every(([control, v]) => b.get(control) === v);
}

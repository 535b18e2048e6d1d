/** @file The panels of recorders: record, mark, and what they are doing. */

import { RECORDER, recorderState } from '../proto/recorder.js';
import { byId, make, setData, setText } from './dom.js';
import { recorderStatus } from './recorderwords.js';

/** How often a recorder is asked what it does, in ms. */
const ASK_MS = 1000;
/** How long starting may take, with what was kept from before, and ending, in ms. */
const PATIENCE_MS = 15_000;
/** The longest text of a mark, in bytes. */
const MARK_BYTES = 256;

/** @typedef {import('../robot/robot.js').Robot} Robot */

/** The panels of all recorders. */
export class RecorderPanels {
  #robot;
  #announce;
  #section = byId('recorders', HTMLElement);
  /** @type {Map<string, RecorderPanel>} */
  #panels = new Map();

  /** @param {Robot} robot @param {(text: string) => void} announce */
  constructor(robot, announce) {
    this.#robot = robot;
    this.#announce = announce;
  }

  /** Shows new recorders; a panel stays once it exists. */
  describe() {
    for (const d of this.#robot.devices) {
      if (d.kind !== 'recorder' || this.#panels.has(d.name)) continue;
      const panel = new RecorderPanel(this.#robot, d.name, this.#announce);
      this.#panels.set(d.name, panel);
      this.#section.append(panel.element);
    }
    this.#section.hidden = this.#panels.size === 0;
  }

  /** Updates what changes with time. Called ten times a second; a hidden page need not. */
  tick() {
    for (const panel of this.#panels.values()) panel.tick();
  }
}

/** The panel of one recorder. It carries `data-device` and `data-recorder`, its phase, for styles and tests. */
class RecorderPanel {
  element;

  #robot;
  #device;
  #announce;
  #button = make('button', { class: 'button record', type: 'button' }, 'Record');
  #text = make('p', { class: 'record-text', role: 'status' });
  #problem = make('p', { class: 'problem', role: 'alert', hidden: '' });
  #field = make('input', { class: 'field', placeholder: 'What happens now', 'aria-label': 'Text of the mark', autocomplete: 'off' });
  #mark = make('button', { class: 'button', type: 'submit' }, 'Mark');
  #form = make('form', { class: 'tools' }, this.#field, this.#mark);
  #result = make('p', { class: 'hint', role: 'status' });
  /** @type {import('../proto/recorder.js').RecorderState|null} */
  #state = null;
  /** Why it could not be asked. */
  #silent = '';
  /** Why it did not do what was wanted. */
  #refused = '';
  #askedAt = -Infinity;
  #busy = false;

  /** @param {Robot} robot @param {string} device @param {(text: string) => void} announce */
  constructor(robot, device, announce) {
    this.#robot = robot;
    this.#device = device;
    this.#announce = announce;
    const link = make('a', { href: 'recordings', class: 'record-link' }, 'Recordings');
    this.element = make('section', { class: 'panel recorder', 'data-device': device, 'data-recorder': 'unknown', 'aria-label': `Recorder ${device}` },
      make('div', { class: 'sound-head' }, make('h2', {}, 'Record ', make('span', { class: 'count' }, device)), link),
      make('div', { class: 'record-row' }, this.#button, this.#text), this.#problem, this.#form, this.#result);
    this.#button.addEventListener('click', () => void this.#toggle());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#addMark();
    });
  }

  tick() {
    const device = this.#robot.devices.find((d) => d.name === this.#device) ?? null;
    if (performance.now() - this.#askedAt > ASK_MS && this.#robot.state === 'live' && device && !device.gone) void this.#ask();
    const { phase, text, problem } = recorderStatus(this.#state, device, this.#silent, this.#robot.gatewayNowMs);
    setData(this.element, { recorder: phase });
    setText(this.#text, text);
    setText(this.#problem, this.#refused || problem);
    this.#problem.hidden = this.#problem.textContent === '';
    const lacked = this.#robot.lacks('driver', 'Recording');
    setText(this.#button, phase === 'recording' ? 'Stop' : 'Record');
    this.#button.disabled = this.#busy || lacked !== '' || phase === 'unknown';
    this.#button.title = lacked;
    this.#form.hidden = phase !== 'recording';
    this.#mark.disabled = lacked !== '';
    if (phase !== 'recording') setText(this.#result, '');
  }

  async #ask() {
    this.#askedAt = performance.now();
    try {
      this.#take(await this.#robot.call(this.#device, RECORDER.state));
      this.#silent = '';
    } catch (error) {
      this.#silent = /** @type {Error} */ (error).message;
    }
  }

  /** @param {{state: Parameters<typeof recorderState>[0]}} answer */
  #take({ state }) {
    this.#state = recorderState(state);
  }

  async #toggle() {
    const recording = this.#state?.phase === 'recording';
    this.#busy = true;
    this.#refused = '';
    try {
      if (recording) await this.#robot.call(this.#device, RECORDER.stop, {}, { timeoutMs: PATIENCE_MS });
      else this.#take(await this.#robot.call(this.#device, RECORDER.start, { by: this.#robot.holder }, { timeoutMs: PATIENCE_MS }));
      this.#announce(recording ? 'Recording has stopped' : 'Recording');
    } catch (error) {
      this.#refused = /** @type {Error} */ (error).message;
    }
    this.#busy = false;
    await this.#ask();
    this.tick();
  }

  async #addMark() {
    const text = shortened(this.#field.value.trim() || 'mark', MARK_BYTES);
    try {
      await this.#robot.call(this.#device, RECORDER.mark, { text, by: this.#robot.holder });
      setText(this.#result, `Marked: ${text}`);
      this.#field.value = '';
    } catch (error) {
      setText(this.#result, `Not marked: ${/** @type {Error} */ (error).message}`);
    }
  }
}

/**
 * A text of a bounded length.
 * @param {string} text @param {number} most In bytes.
 */
export function shortened(text, most) {
  let out = '';
  let bytes = 0;
  for (const c of text) {
    bytes += new TextEncoder().encode(c).length;
    if (bytes > most) break;
    out += c;
  }
  return out;
}

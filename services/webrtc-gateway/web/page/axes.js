/** @file The axes of the drive panel: the keys of each, drawn as caps that light up, and its value. */

import { make, setData } from './dom.js';

/** @typedef {import('../proto/signaling.js').DriveAxis} DriveAxis */

/** Keys with a symbol or a short name. */
const SIGNS = new Map([
  ['ArrowUp', '↑'], ['ArrowDown', '↓'], ['ArrowLeft', '←'], ['ArrowRight', '→'], ['ShiftLeft', 'Shift'], ['ShiftRight', 'Shift'],
]);

/**
 * The label of a key.
 * @param {string} code KeyboardEvent.code.
 * @param {{get: (code: string) => string|undefined}|null} layout The layout of this machine's keyboard, if the browser
 *   reports it.
 */
export function keyLabel(code, layout) {
  const own = SIGNS.get(code) ?? layout?.get(code);
  return own ? own.toUpperCase() : code.replace(/^(Key|Digit|Numpad)(?=.)/, '').toUpperCase();
}

/** Rows of axes. */
export class AxisRows {
  element = make('div', { class: 'axes' });

  #keyboard;
  /** @type {{name: string, knob: HTMLElement}[]} */
  #rows = [];
  /** @type {{code: string, element: HTMLElement}[]} */
  #caps = [];

  /** @param {import('../inputs/keyboard.js').Keyboard} keyboard */
  constructor(keyboard) {
    this.#keyboard = keyboard;
    keyboard.addEventListener('change', () => this.#light());
  }

  /** @param {DriveAxis[]} axes */
  async describe(axes) {
    this.#draw(axes, null);
    try {
      const layout = await /** @type {any} */ (navigator).keyboard?.getLayoutMap();
      if (layout) this.#draw(axes, layout);
    } catch {
      // The names of the keys have to do.
    }
  }

  /** @param {Record<string, number>} values -1 to 1, by name. */
  show(values) {
    for (const { name, knob } of this.#rows) knob.style.setProperty('--value', (values[name] ?? 0).toFixed(2));
  }

  /** @param {DriveAxis[]} axes @param {{get: (code: string) => string|undefined}|null} layout */
  #draw(axes, layout) {
    this.#caps = [];
    this.#rows = axes.map(({ name }) => ({ name, knob: make('span', { class: 'axis-knob' }) }));
    this.element.replaceChildren(...axes.map((axis, i) => make('div', { class: 'axis' },
      make('span', { class: 'axis-name' }, axis.name),
      this.#keys(axis.minusKeys, layout),
      make('span', { class: 'axis-bar', 'aria-hidden': 'true' }, this.#rows[i].knob),
      this.#keys(axis.plusKeys, layout))));
    this.#light();
  }

  /** @param {string[]} codes @param {{get: (code: string) => string|undefined}|null} layout */
  #keys(codes, layout) {
    return make('span', { class: 'caps' }, ...codes.map((code) => {
      const element = make('kbd', { 'data-code': code }, keyLabel(code, layout));
      this.#caps.push({ code, element });
      return element;
    }));
  }

  #light() {
    for (const { code, element } of this.#caps) setData(element, { held: String(this.#keyboard.value(code) === 1) });
  }
}

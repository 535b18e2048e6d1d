/** @file The values that boards send, by name, each with its last half minute. */

import { byId, make, setData, setText } from './dom.js';
import { since } from './format.js';
import { replayedFrom } from './recorderwords.js';
import { missingKeys, readValues, serialStream } from './serialwords.js';
import { ValueRow } from './valuerow.js';

/** A board that has been silent for this long is marked, in ms. */
const STALE_MS = 2000;

/** @typedef {import('../robot/robot.js').Robot} Robot */

/** The readings of all devices that have any. */
export class Readings {
  #robot;
  #section = byId('readings', HTMLElement);
  /** @type {Map<string, Board>} */
  #boards = new Map();

  /** @param {Robot} robot */
  constructor(robot) {
    this.#robot = robot;
  }

  /** Shows new boards; a board stays once it is shown. */
  describe() {
    for (const d of this.#robot.devices) {
      const stream = serialStream(d);
      if (stream === '' || this.#boards.has(d.name)) continue;
      const board = new Board(this.#robot.stream(d.name, stream, { gathered: true }), d.name);
      this.#boards.set(d.name, board);
      this.#section.append(board.element);
    }
    this.#section.hidden = this.#boards.size === 0;
  }

  /** Updates the visible readings. Called ten times a second; a hidden page need not. */
  tick() {
    for (const [name, board] of this.#boards) {
      const replayed = replayedFrom(this.#robot.devices.find((d) => d.name === name)) !== '';
      board.tick(performance.now(), replayed);
    }
  }
}

/** The readings of one board. */
class Board {
  element;

  #device;
  #age = make('span', { class: 'count' });
  #rows = make('dl', { class: 'values' });
  /** @type {Map<string, ValueRow>} */
  #byKey = new Map();
  #heardAt = -Infinity;
  #fresh = false;

  /** @param {import('../channels/stream.js').Stream} stream @param {string} device */
  constructor(stream, device) {
    this.#device = device;
    this.element = make('section', { class: 'panel board', 'aria-label': `Readings of ${device}`, hidden: '' },
      make('h2', {}, device, ' ', this.#age), this.#rows);
    stream.addEventListener('message', (event) => this.#take(/** @type {CustomEvent} */ (event).detail.value));
  }

  /** @param {number} nowMs @param {boolean} replayed A replay may rest: its values are those of the place. */
  tick(nowMs, replayed) {
    const silent = nowMs - this.#heardAt;
    const stale = silent > STALE_MS && !replayed;
    setData(this.element, { stale: String(stale) });
    setText(this.#age, stale && silent < Infinity ? `silent for ${since(silent)}` : '');
    // The line moves on while the board is silent, so that the gap is visible.
    for (const row of this.#byKey.values()) row.draw(nowMs, this.#fresh);
    this.#fresh = false;
  }

  /** @param {import('../proto/json.js').Json} message */
  #take(message) {
    const values = readValues(message);
    if (values.length === 0) return;
    this.#heardAt = performance.now();
    this.#fresh = true;
    for (const [key, value] of values) this.#row(key).take(this.#heardAt, value);
    for (const key of missingKeys(message, this.#byKey.keys())) this.#row(key).take(this.#heardAt, null);
    if (this.element.hidden) this.element.hidden = false;
  }

  /** @param {string} key */
  #row(key) {
    let row = this.#byKey.get(key);
    if (!row) {
      this.#byKey.set(key, (row = new ValueRow(this.#device, key)));
      this.#rows.append(row.element);
    }
    return row;
  }
}

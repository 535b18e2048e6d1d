/** @file A bar that shows a sound level. */

import { SILENCE_DB } from '../proto/audio.js';
import { make, setData } from './dom.js';

/** The level at the left end of a bar, in dBFS; the right end is full scale. */
const LEAST_DB = -60;
/** Levels from here on are too loud, in dBFS. */
const LOUD_DB = -3;

/** @typedef {import('../proto/audio.js').Level} Level */

/** One bar, with its name above. Its level is in `data-db`, empty while it is unknown. */
export class Meter {
  element;

  #bar;

  /** @param {string} kind `microphone`, `speaker` or `own`. @param {string} label */
  constructor(kind, label) {
    this.#bar = make('div', { class: 'meter', role: 'meter', 'aria-label': label, 'aria-valuemin': String(LEAST_DB), 'aria-valuemax': '0', 'data-meter': kind },
      make('span', { class: 'meter-level' }), make('span', { class: 'meter-peak' }));
    this.element = make('div', { class: 'metered' }, make('span', { class: 'meter-name', 'aria-hidden': 'true' }, label), this.#bar);
  }

  /** @param {Level|null} level Null if it is unknown. */
  show(level) {
    const { rmsDb, peakDb } = level ?? { rmsDb: SILENCE_DB, peakDb: SILENCE_DB };
    setData(this.#bar, { db: level ? rmsDb.toFixed(1) : '', loud: String(peakDb > LOUD_DB) });
    this.#bar.setAttribute('aria-valuenow', String(Math.round(Math.max(LEAST_DB, Math.min(0, rmsDb)))));
    this.#bar.style.setProperty('--level', part(rmsDb).toFixed(3));
    this.#bar.style.setProperty('--peak', part(peakDb).toFixed(3));
  }
}

/** @param {number} db @returns {number} 0 to 1. */
export function part(db) {
  return Math.max(0, Math.min(1, 1 - db / LEAST_DB));
}

/** @file The address of the page of recordings. It leads to the place that is shown, without an entry in the history for each. */

import { readSpot, writeSpot } from '../playback/spot.js';

/** @typedef {import('../playback/spot.js').Spot} Spot */

/** What the address names, and will name. */
export class Address {
  #location;
  #history;
  /** @type {{recorder: string, name: string, place: number}|null} */
  #next = null;

  /** @param {Pick<Location, 'hash'>} location @param {Pick<History, 'replaceState'>} history */
  constructor(location, history) {
    this.#location = location;
    this.#history = history;
  }

  /** @returns {Spot} */
  get spot() {
    return readSpot(this.#location.hash);
  }

  /**
   * Notes the place that is shown: browsers take only a few changes a second.
   * @param {{recorder: string, name: string, place: number}} spot
   */
  note(spot) {
    this.#next = spot;
  }

  /** Puts the noted place into the address, if that still names the recording. Called a few times a second. */
  put() {
    const next = this.#next;
    this.#next = null;
    // Who leaves changes the address, and `hashchange` tells of it later: until then the view is still there, and must not
    // put its own address back.
    if (next !== null && this.spot.name === next.name) this.#history.replaceState(null, '', writeSpot(next));
  }

  /** Goes to the list. */
  leave() {
    this.#location.hash = '';
  }
}

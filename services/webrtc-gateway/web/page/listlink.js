/** @file The way to the gateway of a fleet, on which the list of robots comes and stays up to date. */

import { parseRobots } from '../proto/fleet.js';

/** How long to wait before the gateway is asked again, in ms. */
const AGAIN_MS = 2000;

/**
 * @typedef {import('../proto/fleet.js').FleetRobot} FleetRobot
 * @typedef {object} ListHandlers
 * @property {(robots: FleetRobot[], all: boolean) => void} robots Called with all robots first, then with those that
 *   have changed.
 * @property {(live: boolean, refusal: string) => void} state Called when the gateway is found or lost; refusal is why it
 *   refuses, if it does.
 */

/** Follows the list for as long as the page is open, and finds a lost gateway again. */
export class ListLink {
  #handlers;

  /** @param {ListHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#follow();
  }

  #follow() {
    const source = new EventSource('robots/changes');
    let first = true;
    source.onmessage = ({ data }) => {
      const robots = parseRobots(data);
      if (robots === null) return; // of a newer gateway
      if (first) this.#handlers.state(true, '');
      this.#handlers.robots(robots, first);
      first = false;
    };
    source.onerror = () => {
      // The browser's own attempts do not tell why the gateway refuses, and end for good at some refusals.
      source.close();
      void this.#ask();
    };
  }

  /** Asks why there are no events, and begins again. */
  async #ask() {
    let refusal = '';
    try {
      const answer = await fetch('robots', { cache: 'no-store' });
      if (!answer.ok) refusal = `HTTP ${answer.status}: ${(await answer.text()).slice(0, 300)}`;
    } catch {
      // It is lost.
    }
    this.#handlers.state(false, refusal);
    setTimeout(() => this.#follow(), AGAIN_MS);
  }
}

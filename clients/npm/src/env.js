/** @file What the modules that the page shares with Node need from the process. */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import path from 'node:path';

/** @typedef {import('#web/base/env.js').Env} Env */

/**
 * @param {string} holder The name of the program for people; empty for `rover.mjs on desk 3f2a`.
 * @returns {Env} Those modules use nothing of a browser but this.
 */
export function nodeEnv(holder) {
  const mark = randomBytes(2).toString('hex');
  const name = holder || `${path.basename(process.argv[1] ?? 'node')} on ${hostname()} ${mark}`.slice(0, 100);
  const env = {
    now: () => performance.now(),
    originMs: performance.timeOrigin,
    every,
    hidden: () => false,
    onAway: () => () => {},
    holder: () => name,
  };
  return /** @type {Env} */ (/** @type {unknown} */ (env));
}

/** @param {() => void} run @param {number} ms @returns {() => void} */
export function every(run, ms) {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}

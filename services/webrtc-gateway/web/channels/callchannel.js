/** @file The data channel of calls that may be lost. */

import { isObject, parseJson } from '../proto/json.js';
import { callResult } from '../proto/signaling.js';
import { DataChannel } from './datachannel.js';

/**
 * How many bytes may wait to leave on the channel of calls: none but those of the moment. A command that waits is stale,
 * and the next one is on its way.
 */
const MOST_WAITING = 1024;
/** What the gateway calls the channel. */
export const CALLS_LABEL = 'waldo.calls';

/** The channel of calls that may be lost: neither ordered nor sent again. */
export class CallChannel extends DataChannel {
  #onResult;

  /**
   * @param {import('../base/env.js').Env} env
   * @param {(result: import('../proto/signaling.js').CallResult) => void} onResult
   */
  constructor(env, onResult) {
    super(CALLS_LABEL, { ordered: false, maxRetransmits: 0 }, env, () => {});
    this.#onResult = onResult;
  }

  /** @param {string} call Text of a Call. @returns {boolean} Whether it was sent. */
  send(call) {
    return this.write(call, MOST_WAITING);
  }

  /** @override @param {string|ArrayBuffer} data */
  received(data) {
    const value = typeof data === 'string' ? parseJson(data) : null;
    // A word that is no result says why there are none; the channel is closed after it, and that is seen.
    if (isObject(value) && typeof value.id === 'number') this.#onResult(callResult(value));
  }
}

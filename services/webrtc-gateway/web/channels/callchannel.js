/** @file The data channel for lossy calls. */

import { isObject, parseJson } from '../proto/json.js';
import { callResult } from '../proto/signaling.js';
import { DataChannel } from './datachannel.js';

/**
 * How many bytes may wait to be sent on the call channel: only what is sent at this moment. A command that waits is
 * stale, and the next one is about to follow.
 */
const MOST_WAITING = 1024;
/** The gateway's label for the channel. */
export const CALLS_LABEL = 'waldo.calls';

/** The channel for lossy calls: unordered, without retransmission. */
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
    // A message that is not a result explains why there will be none; the gateway then closes the channel.
    if (isObject(value) && typeof value.id === 'number') this.#onResult(callResult(value));
  }
}

/** @file A data channel that a session uses like a WebSocket. */

import { Joiner, split } from './parts.js';

/** @typedef {import('./session.js').Socket} Socket */

/** The label of the channel for a session. */
export const SESSION_LABEL = 'waldo.session';

/** @implements {Socket} */
export class ChannelSocket {
  /** @type {Socket['onopen']} */
  onopen = null;
  /** @type {Socket['onmessage']} */
  onmessage = null;
  /** @type {Socket['onclose']} */
  onclose = null;

  #channel;
  #joiner = new Joiner();

  /** @param {RTCDataChannel} channel */
  constructor(channel) {
    this.#channel = channel;
    channel.onopen = () => this.onopen?.();
    channel.onclose = () => this.onclose?.({ code: 1006, reason: '' });
    channel.onmessage = ({ data }) => this.#receive(data);
  }

  get bufferedAmount() {
    return this.#channel.bufferedAmount;
  }

  /** @param {string} message */
  send(message) {
    for (const frame of split(message)) this.#channel.send(frame);
  }

  close() {
    const channel = this.#channel;
    channel.onopen = channel.onmessage = channel.onclose = null;
    channel.close();
  }

  /** @param {unknown} data A frame. Each counts as a sign of life, also those that complete nothing. */
  #receive(data) {
    try {
      this.onmessage?.({ data: typeof data === 'string' ? this.#joiner.add(data) : data });
    } catch {
      this.onclose?.({ code: 1007, reason: 'the robot sends garbage' });
    }
  }
}

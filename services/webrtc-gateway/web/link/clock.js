/**
 * @file The offset between the gateway's clock and ours.
 *
 * Each ping gives one estimate, wrong by at most half its round trip; the estimate with the shortest round trip of the
 * last half minute is used. Clocks are never adjusted: times are converted when they are compared.
 */

/** How long an estimate counts, in ms: long enough to include a quiet moment, short enough for drifting clocks. */
const WINDOW_MS = 30_000;

/** Estimates the offset between two clocks. Pure: times come in as numbers (Unix time, ms). */
export class Clock {
  /** @type {{at: number, rtt: number, offset: number}[]} */
  #samples = [];

  /**
   * Takes the answer to one ping.
   * @param {number} sentMs Our time when the ping left.
   * @param {number} gotMs Our time when the pong arrived.
   * @param {number} gatewayMs The gateway's time in it.
   */
  sample(sentMs, gotMs, gatewayMs) {
    const rtt = gotMs - sentMs;
    if (!(rtt >= 0) || !Number.isFinite(gatewayMs)) return;
    this.#samples = this.#samples.filter((s) => gotMs - s.at < WINDOW_MS);
    this.#samples.push({ at: gotMs, rtt, offset: gatewayMs - (sentMs + gotMs) / 2 });
  }

  /** Forgets everything: another gateway has another clock. */
  reset() {
    this.#samples = [];
  }

  /** @returns {{rtt: number, offset: number}|null} */
  get #best() {
    return this.#samples.length === 0 ? null : this.#samples.reduce((a, b) => (b.rtt < a.rtt ? b : a));
  }

  /** Gateway's time minus ours, in ms; null until the first pong. Wrong by at most half of `errorMs`. */
  get offsetMs() {
    return this.#best?.offset ?? null;
  }

  /** Round trip of the estimate in use, in ms; null until the first pong. */
  get errorMs() {
    return this.#best?.rtt ?? null;
  }

  /** Latest round trip to the gateway on the WebSocket, in ms; null until the first pong. */
  get rttMs() {
    return this.#samples.at(-1)?.rtt ?? null;
  }
}

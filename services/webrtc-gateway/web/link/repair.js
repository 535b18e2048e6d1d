/**
 * @file When to repair the path of the media, and when to replace the connection.
 *
 * Used while the gateway answers on the WebSocket: then a connection that is down, or by which nothing comes, has lost
 * its path (Wi-Fi to 4G, or a router that forgot its mapping). An ICE restart finds a new path and keeps the connection;
 * if that does not help in time, a new connection is made, with growing patience, because there may not be a path at
 * all. A change of the network alone is no reason: it may leave the path as it is.
 */

/** How long a first connection, or a restart, may take before the next step, in ms. */
const PATIENCE_MS = 4000;
/** Silence of a connection that says it is up, after which it has lost its path, in ms. Reports come once a second. */
const SILENT_MS = 1500;
/** The same when the network has just changed. */
const ALARMED_MS = 1000;
/** The most the patience grows to, in ms. */
const LONGEST_MS = 30_000;

/** Decides on repairs. Pure: given the state of the connection at intervals, it returns what to do. */
export class Repair {
  /** @type {number|null} Since when the connection has been down. */
  #downSince = null;
  /** @type {number|null} */
  #restartedAt = null;
  #rebuilds = 0;

  /** True while the connection is lost or fails to come up. */
  get broken() {
    return this.#restartedAt !== null || this.#rebuilds > 0;
  }

  /**
   * @param {RTCPeerConnectionState|'idle'} state
   * @param {number} nowMs
   * @param {number} [silentMs] For how long nothing has come.
   * @param {boolean} [alarmed] Whether the network has just changed.
   * @returns {'none'|'restart'|'rebuild'}
   */
  step(state, nowMs, silentMs = 0, alarmed = false) {
    const silent = silentMs >= (alarmed ? ALARMED_MS : SILENT_MS);
    // After a restart the connection is up again once something has come.
    const came = this.#restartedAt === null || silentMs < nowMs - this.#restartedAt;
    if (state === 'connected' && !silent && came) {
      this.reset();
      return 'none';
    }
    if (state === 'idle') return 'none';
    this.#downSince ??= nowMs;
    const patience = Math.min(PATIENCE_MS * 2 ** this.#rebuilds, LONGEST_MS);
    const lost = silent || state === 'disconnected' || state === 'failed';
    if (this.#restartedAt === null && (lost || nowMs - this.#downSince >= patience)) {
      this.#restartedAt = nowMs;
      return 'restart';
    }
    if (this.#restartedAt !== null && nowMs - this.#restartedAt >= patience) {
      this.#rebuilds += 1;
      this.#fresh();
      return 'rebuild';
    }
    return 'none';
  }

  /** A restart was made for another reason. @param {number} nowMs */
  restarted(nowMs) {
    this.#downSince = this.#restartedAt = nowMs;
  }

  /** Forgets all failures: the connection is up, or ended for another reason. */
  reset() {
    this.#rebuilds = 0;
    this.#fresh();
  }

  #fresh() {
    this.#downSince = null;
    this.#restartedAt = null;
  }
}

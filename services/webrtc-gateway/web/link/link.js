/**
 * @file Keeps the link to the gateway: notices that it is lost, and restores it.
 *
 * Browsers slow down pages whose WebSockets fail to open (Chromium by up to 5 s each), so a lost gateway is polled
 * with plain requests to `/healthz`, four times a second, and the socket is opened only once one was answered.
 */

import { Session } from './session.js';
import { headersFor, protocolsFor } from './token.js';

/** Time between two polls for a lost gateway, in ms. */
const POLL_MS = 250;
/** A poll without an answer is abandoned after this, in ms. */
const POLL_TIMEOUT_MS = 1000;
/** Longest time between polls when `/healthz` answers and the socket does not, in ms. */
const SLOWEST_MS = 4000;
/** After this many failed sessions in a row without a reason, something in between must be blocking WebSockets. */
const NO_WAY = 2;
/** A session shorter than this is not reopened at once, whatever the gateway says, in ms. */
const SHORTEST_MS = 1000;

/**
 * @typedef {'connecting'|'live'|'gateway-lost'|'closed'} LinkState
 *   Connecting: the first attempt. Live: the gateway answers. Gateway-lost: it does not, and is polled.
 */

/**
 * @typedef {object} LinkHandlers
 * @property {() => void} onOpening A new session is being opened: prepare.
 * @property {(message: import('../proto/signaling.js').GatewayMessage) => void} onMessage
 * @property {(sentMs: number, gotMs: number, gatewayMs: number) => void} onTime
 * @property {(state: LinkState, why: string) => void} onState
 */

/** The link to one gateway. */
export class Link {
  /** @type {LinkState} */
  state = 'connecting';
  /** Why the link is not live; for people. */
  why = '';
  /** Why a session is refused although something answers: no token, too many viewers, a proxy. Empty otherwise. */
  refusal = '';
  /** A new session continues the connection of the one before. */
  resumes = true;

  #base;
  #token;
  #ticket = '';
  #env;
  #handlers;
  /** @type {Session|null} */
  #session = null;
  #opened = -Infinity;
  #lastPoll = -Infinity;
  #polling = false;
  #refused = false;
  /** Sessions that failed in a row although `/healthz` answered. */
  #failures = 0;

  /**
   * @param {URL} base Where the gateway is.
   * @param {string} token The gateway's token; empty if it asks for none, or accepts a cookie.
   * @param {LinkHandlers} handlers
   * @param {import('../base/env.js').Env} env
   */
  constructor(base, token, handlers, env) {
    this.#base = base;
    this.#token = token;
    this.#handlers = handlers;
    this.#env = env;
  }

  /** The subprotocols with which a WebSocket to the gateway is let in. */
  get protocols() {
    return protocolsFor(this.#token, this.#ticket);
  }

  /** Where sessions are opened. */
  get #address() {
    const url = new URL('signal', this.#base);
    const playout = this.#base.searchParams.get('playout');
    if (playout !== null) url.searchParams.set('playout', playout);
    return url;
  }

  /** Opens a session at once; ends the current one. */
  open() {
    if (this.state === 'closed') return;
    this.#session?.close();
    this.#opened = this.#env.now();
    const url = this.#address;
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#handlers.onOpening();
    this.#session = new Session(this.#env.openSocket(url.href, this.protocols), {
      onMessage: (m) => this.#receive(m),
      onTime: this.#handlers.onTime,
      onLost: (why, again) => this.#lose(why, again),
    }, this.#env);
  }

  /**
   * @param {import('../proto/gen/waldo/signaling/v1/signaling_pb.js').PeerMessageJson} message A PeerMessage.
   * @returns {boolean} Whether it was sent; it is never queued.
   */
  send(message) {
    return this.#session?.send(message) ?? false;
  }

  /** Whether the send queue is empty. */
  get clear() {
    return this.#session?.clear ?? false;
  }

  /** Watches the session, or polls the gateway. Called every few dozen ms. */
  tick() {
    if (this.#session) this.#session.tick();
    else if (this.state !== 'closed' && !this.#refused && this.#env.now() - this.#lastPoll >= this.#pause) this.#poll();
  }

  /** Polls the gateway without waiting for the next turn: the page woke up, or the network is back. */
  hurry() {
    this.#lastPoll = -Infinity;
    this.tick();
  }

  /** The network may have changed: finds out whether the gateway is still reached. */
  probe() {
    if (this.#session) this.#session.probe();
    else this.hurry();
  }

  /** Ends the link for good. */
  close() {
    this.#session?.close();
    this.#session = null;
    this.#become('closed', '');
  }

  get #pause() {
    return Math.min(POLL_MS * 2 ** this.#failures, SLOWEST_MS);
  }

  /** @param {import('../proto/signaling.js').GatewayMessage} message */
  #receive(message) {
    if (message.kind === 'welcome' && message.remote) {
      this.#refuse('This robot is reached through a rendezvous server, which this page must not trust: open the link that ' +
        '`waldo link --token` prints. It has the fingerprint of the robot’s key.');
      return;
    }
    this.#handlers.onMessage(message);
    if (message.kind !== 'welcome') return;
    this.#failures = 0;
    this.refusal = '';
    this.#become('live', '');
  }

  /** Tries no more. @param {string} why */
  #refuse(why) {
    this.#session?.close();
    this.#session = null;
    this.#refused = true;
    this.refusal = why;
    this.#become('gateway-lost', why);
  }

  /** @param {string} why @param {boolean} again */
  #lose(why, again) {
    const now = this.#env.now();
    if (again && this.state === 'live' && now - this.#opened >= SHORTEST_MS) {
      this.open();
      return;
    }
    // A gateway that ends the session before its welcome does not want us now: do not hammer it.
    if (this.state !== 'live') this.#failures = Math.min(this.#failures + 1, 8);
    this.#session = null;
    this.#lastPoll = this.#failures <= 1 ? -Infinity : now;
    this.#become('gateway-lost', why);
    this.tick();
  }

  async #poll() {
    if (this.#polling) return;
    this.#polling = true;
    this.#lastPoll = this.#env.now();
    const found = await this.#ask();
    if (found && this.#failures > 0) this.refusal = await this.#askWhy();
    this.#polling = false;
    if (found && this.#session === null && this.state !== 'closed') this.open();
  }

  /** @returns {Promise<boolean>} Whether the gateway answers. */
  async #ask() {
    try {
      const answer = await this.#env.fetch(new URL('healthz', this.#base).href, {
        cache: 'no-store',
        // A page of another origin may not read the answer, but its arrival is enough.
        mode: 'no-cors',
        signal: AbortSignal.timeout(POLL_TIMEOUT_MS),
      });
      // An unhealthy gateway (503) is present; a proxy that answers 502 or 504 has lost it.
      return answer.type === 'opaque' || answer.status < 500 || answer.status === 503;
    } catch {
      return false;
    }
  }

  /**
   * Requests a session in a way that reveals why it is refused: a refused WebSocket gives no reason. A POST carries an
   * Origin as the WebSocket does, and is refused for the same reasons; otherwise the answer may hold a ticket that
   * lets the next WebSocket in.
   * @returns {Promise<string>}
   */
  async #askWhy() {
    const url = this.#address.href;
    const sure = this.#failures >= NO_WAY;
    try {
      const answer = await this.#env.fetch(url, {
        method: 'POST',
        cache: 'no-store',
        headers: headersFor(this.#token),
        signal: AbortSignal.timeout(POLL_TIMEOUT_MS),
      });
      this.#ticket = answer.headers.get('Waldo-Ticket') ?? '';
      const ours = answer.headers.get('Content-Type')?.startsWith('text/plain');
      const said = ours ? (await answer.text()).trim().slice(0, 500) : '';
      if ([400, 401, 403, 421, 429, 503].includes(answer.status) && said) return said;
      // Any other status is not about this page, and one of them may be chance.
      if (!sure) return '';
      if (answer.status === 426 && said) return said;
      return `A WebSocket to ${url} was refused, and so was a POST: HTTP ${answer.status}, by something between this ` +
        'page and the gateway.';
    } catch {
      const { origin } = this.#env;
      if (!sure || origin === this.#base.origin) return '';
      return `The gateway at ${this.#base.href} does not accept this page: add ${origin} to gateway.origins in its ` +
        'robot.yaml.';
    }
  }

  /** @param {LinkState} state @param {string} why */
  #become(state, why) {
    if (this.state === state) return;
    this.state = state;
    this.why = why;
    this.#handlers.onState(state, why);
  }
}

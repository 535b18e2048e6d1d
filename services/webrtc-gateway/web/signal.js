/**
 * @file One session with the gateway: a WebSocket, its pings, and whether anybody is at the other end.
 */

import { parse } from './protocol.js';

/** How often the gateway is asked for its time, in ms. */
const PING_MS = 500;
/** Silence after which the gateway counts as dead, in ms. */
const SILENCE_MS = 1500;
/** A socket that is not open after this is given up, in ms. */
const OPEN_MS = 3000;
/**
 * Looks at the clock that must have passed in the silence. A page that was frozen or throttled wakes up with old
 * clocks and unread messages; it may not blame the gateway before it had the chance to read them.
 */
const LOOKS = 3;

/**
 * @typedef {object} SignalHandlers
 * @property {(message: import('./protocol.js').GatewayMessage) => void} onMessage All messages but pongs.
 * @property {(sentMs: number, gotMs: number, gatewayMs: number) => void} onTime Answer to a ping; Unix times in ms.
 * @property {(why: string) => void} onLost The session is over; called at most once, never after {@link Signal.close}.
 */

/** One session. Call {@link Signal.tick} several times a second; it never reconnects by itself. */
export class Signal {
  #env;
  #handlers;
  #socket;
  #over = false;
  #open = false;
  #pingId = 0;
  /** @type {Map<number, number>} When each unanswered ping left. */
  #pings = new Map();
  #lastPing = -Infinity;
  #heard;
  #looks = 0;

  /**
   * @param {string} url
   * @param {SignalHandlers} handlers
   * @param {import('./env.js').Env} env
   */
  constructor(url, handlers, env) {
    this.#env = env;
    this.#handlers = handlers;
    this.#heard = env.now();
    this.#socket = env.openSocket(url);
    this.#socket.onopen = () => {
      this.#open = true;
      this.#hear();
      this.tick();
    };
    this.#socket.onmessage = (event) => this.#receive(event.data);
    this.#socket.onclose = (event) => this.#lose(event.reason || (this.#open ? 'connection closed' : 'no connection'));
  }

  /**
   * Sends one PeerMessage; silently nothing when the session is not open, because whoever speaks must start anew anyway.
   * @param {object} message
   */
  send(message) {
    if (this.#open && !this.#over) this.#socket.send(JSON.stringify(message));
  }

  /** Pings when it is time to, and gives the session up after too long a silence. */
  tick() {
    if (this.#over) return;
    const now = this.#env.now();
    this.#looks += 1;
    const silence = now - this.#heard;
    if (silence >= (this.#open ? SILENCE_MS : OPEN_MS) && this.#looks >= LOOKS) {
      this.#lose('gateway is silent');
      return;
    }
    if (this.#open && now - this.#lastPing >= PING_MS) this.#ping(now);
  }

  /** Ends the session without a word to the handlers. */
  close() {
    this.#over = true;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  /** @param {number} now */
  #ping(now) {
    this.#lastPing = now;
    // Ids are int32 on the wire and need to be distinct only among the few in flight.
    this.#pingId = (this.#pingId % 0x7fffffff) + 1;
    this.#pings.set(this.#pingId, now);
    this.send({ ping: { id: this.#pingId } });
  }

  #hear() {
    this.#heard = this.#env.now();
    this.#looks = 0;
  }

  /** @param {unknown} data */
  #receive(data) {
    if (this.#over) return;
    this.#hear();
    const message = parse(data);
    if (message.kind !== 'pong') {
      this.#handlers.onMessage(message);
      return;
    }
    const sent = this.#pings.get(message.id);
    if (sent === undefined || message.gatewayMs === null) return;
    for (const id of this.#pings.keys()) if (id <= message.id) this.#pings.delete(id);
    const { originMs } = this.#env;
    this.#handlers.onTime(originMs + sent, originMs + this.#heard, message.gatewayMs);
  }

  /** @param {string} why */
  #lose(why) {
    if (this.#over) return;
    this.close();
    this.#handlers.onLost(why);
  }
}

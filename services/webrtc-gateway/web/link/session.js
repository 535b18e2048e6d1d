/**
 * @file One session with the gateway: what carries it, its pings, and whether the gateway answers.
 */

import { parse } from '../proto/signaling.js';

/** How often the gateway is pinged, in ms. */
const PING_MS = 500;
/** Silence after which the gateway counts as dead, in ms. */
const SILENCE_MS = 1500;
/** A socket that is not open after this is abandoned, in ms. */
const OPEN_MS = 3000;
/** WebSocket close code of a gateway that ended the session because the media connection was lost. */
const TRY_AGAIN = 1013;
/** WebSocket close code of a page that gives a session up for another one, which continues its connection. */
const LOST = 4001;
/** When the network may have changed, the gateway gets this long to answer a ping, in ms. */
const PROBE_MS = 800;
/** A page that ran no timer for this long was asleep or busy, in ms. */
const ASLEEP_MS = 400;
/** Such a page has unread messages: the gateway gets this long before it counts as silent, in ms. */
const GRACE_MS = 500;

/**
 * @typedef {object} Socket A WebSocket, or what does the same.
 * @property {((event?: any) => void)|null} onopen
 * @property {((event: any) => void)|null} onmessage With `data`: a message, or null for a part of one.
 * @property {((event: any) => void)|null} onclose With `code` and `reason`.
 * @property {(message: string) => void} send
 * @property {number} bufferedAmount
 * @property {(code?: number) => void} close
 *
 * @typedef {object} SessionHandlers
 * @property {(message: import('../proto/signaling.js').GatewayMessage) => void} onMessage All messages but pongs.
 * @property {(sentMs: number, gotMs: number, gatewayMs: number) => void} onTime Answer to a ping; Unix times in ms.
 * @property {(why: string, again: boolean) => void} onLost The session is over; called at most once, never after
 *   {@link Session.close}. `again` if the gateway itself asked for a new session.
 */

/** One session. Call {@link Session.tick} several times a second; it never reconnects by itself. */
export class Session {
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
  #ticked;
  #patience;
  #probed = Infinity;

  /**
   * @param {Socket} socket One that is not open yet; the session closes it.
   * @param {SessionHandlers} handlers
   * @param {import('../base/env.js').Env} env
   * @param {{openMs: number, silenceMs: number}} [patience] How long it may take to open, and be silent.
   */
  constructor(socket, handlers, env, patience = { openMs: OPEN_MS, silenceMs: SILENCE_MS }) {
    this.#env = env;
    this.#handlers = handlers;
    this.#patience = patience;
    this.#heard = this.#ticked = env.now();
    this.#socket = socket;
    this.#socket.onopen = () => {
      this.#open = true;
      this.#heard = env.now();
      this.tick();
    };
    this.#socket.onmessage = (event) => this.#receive(event.data);
    this.#socket.onclose = ({ code, reason }) => {
      this.#lose(reason || (this.#open ? 'connection closed' : 'no connection'), code === TRY_AGAIN);
    };
  }

  /**
   * Sends one PeerMessage. Does nothing unless the session is open: the next session starts from scratch anyway.
   * @param {import('../proto/gen/waldo/signaling/v1/signaling_pb.js').PeerMessageJson} message
   * @returns {boolean} Whether it was sent.
   */
  send(message) {
    if (!this.#open || this.#over) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Whether messages can be sent. */
  get open() {
    return this.#open && !this.#over;
  }

  /** For how long nothing has come, in ms. */
  get silentMs() {
    return this.#env.now() - this.#heard;
  }

  /** Whether all that was sent has left the browser. */
  get clear() {
    return this.#open && !this.#over && !this.#socket.bufferedAmount;
  }

  /** Pings when it is time to, and abandons the session after too long a silence. */
  tick() {
    if (this.#over) return;
    const now = this.#env.now();
    const limit = this.#open ? this.#patience.silenceMs : this.#patience.openMs;
    if (now - this.#ticked > ASLEEP_MS) this.#heard = Math.max(this.#heard, now - limit + GRACE_MS);
    this.#ticked = now;
    const unanswered = this.#heard < this.#probed && now - this.#probed >= PROBE_MS;
    if (now - this.#heard >= limit || unanswered) {
      this.#lose('gateway is silent');
      return;
    }
    if (this.#open && now - this.#lastPing >= PING_MS) this.#ping(now);
  }

  /** Asks whether the gateway is still there: the network may have changed. */
  probe() {
    if (this.#over || !this.#open) return;
    this.#probed = this.#env.now();
    this.#ping(this.#probed);
  }

  /**
   * Ends the session without calling the handlers.
   * @param {number} [code]
   */
  close(code = 1000) {
    this.#over = true;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(code);
  }

  /** @param {number} now */
  #ping(now) {
    this.#lastPing = now;
    // Ids are int32 on the wire and need to be distinct only among the few in flight.
    this.#pingId = (this.#pingId % 0x7fffffff) + 1;
    this.#pings.set(this.#pingId, now);
    this.send({ ping: { id: this.#pingId } });
  }

  /** @param {unknown} data */
  #receive(data) {
    if (this.#over) return;
    this.#heard = this.#env.now();
    this.#probed = Infinity;
    if (data === null) return;
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

  /** @param {string} why @param {boolean} [again] */
  #lose(why, again = false) {
    if (this.#over) return;
    this.close(LOST);
    this.#handlers.onLost(why, again);
  }
}

/**
 * @file The bus: one connection to NATS that reconnects by itself, for ever. Nothing is kept for later: what cannot be
 * published now is not published.
 */

import { connect, headers, PermissionViolationError } from '@nats-io/transport-node';
import { Joiner } from './parts.js';

/** Carries the full name of a message's type. */
const TYPE = 'Waldo-Type';
/** Carries the mark of a part of a split message. */
const PART = 'Waldo-Part';
/** The time between two attempts to reach the server, in ms. */
const AGAIN_MS = 250;
/** What the server may take to answer, in ms. */
const ANSWER_MS = 2000;
/** How many subjects are reported as refused. */
const MOST_REFUSED = 100;

/**
 * @typedef {import('@nats-io/transport-node').NatsConnection} NatsConnection
 * @typedef {import('@nats-io/transport-node').Msg} Msg
 *
 * @typedef {object} Message
 * @property {string} subject
 * @property {string} type Full name of its type; empty if it does not say.
 * @property {Uint8Array} data
 *
 * @typedef {object} Listener
 * @property {string} subject
 * @property {(message: Message) => void} receive
 * @property {import('@nats-io/transport-node').Subscription|null} subscription
 */

/** A connection to the bus. */
export class Bus {
  /** Whether the server is there. */
  connected = false;
  /** Why it is not, for people. */
  why = 'The bus is not reached yet';

  #address;
  #token;
  #trust;
  #onChange;
  /** @type {NatsConnection|null} */
  #nats = null;
  /** @type {Set<Listener>} */
  #listeners = new Set();
  #closed = false;
  /** @type {Set<string>} What was reported as refused. */
  #refused = new Set();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #later;

  /**
   * @param {{address: string, token: string, trust: import('./options.js').Trust|null, name: string}} settings
   * @param {() => void} onChange
   */
  constructor({ address, token, trust, name }, onChange) {
    this.#address = address;
    this.#trust = address.startsWith('tls://') ? trust : null;
    this.#token = token;
    this.#onChange = onChange;
    this.name = name;
    void this.#dial();
  }

  /**
   * Receives messages, now and after every reconnection.
   * @param {string} subject May have wildcards.
   * @param {(message: Message) => void} receive
   * @returns {() => void} Ends it.
   */
  subscribe(subject, receive) {
    /** @type {Listener} */
    const listener = { subject, receive, subscription: null };
    this.#listeners.add(listener);
    this.#begin(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#nats && !this.#nats.isClosed()) listener.subscription?.unsubscribe();
    };
  }

  /**
   * @param {string} subject
   * @param {string} type Full name of the message's type.
   * @param {Uint8Array} data
   * @param {string} [reply] Where answers are wanted.
   * @returns {boolean} False if nothing was sent.
   */
  publish(subject, type, data, reply) {
    if (!this.#nats || !this.connected) return false;
    const named = headers();
    named.set(TYPE, type);
    try {
      this.#nats.publish(subject, data, { headers: named, reply });
      return true;
    } catch {
      return false; // the connection ends just now
    }
  }

  /** Where answers for the owner of the token come: nobody else can read them there. */
  get inbox() {
    return inboxOf(this.#token);
  }

  /** For good. */
  async close() {
    this.#closed = true;
    clearTimeout(this.#later);
    this.#listeners.clear();
    this.#become(false, 'The connection was closed');
    await this.#nats?.close();
  }

  async #dial() {
    try {
      const nats = await connect({
        servers: this.#address.split(',').map((s) => s.trim()),
        ...(this.#token !== '' && { token: this.#token }),
        tls: this.#trust && { ...(this.#trust.ca && { ca: this.#trust.ca }) }, // null: not even where it is offered
        name: this.name,
        inboxPrefix: this.inbox,
        timeout: ANSWER_MS,
        maxReconnectAttempts: -1,
        reconnectTimeWait: AGAIN_MS,
        reconnectJitter: 0,
        ignoreAuthErrorAbort: true, // the server may be given the right token later
        pingInterval: ANSWER_MS,
        maxPingOut: 2,
      });
      if (this.#closed) {
        await nats.close();
        return;
      }
      this.#nats = nats;
      guard(nats);
      void this.#watch(nats);
      for (const listener of this.#listeners) this.#begin(listener);
      this.#become(true, '');
    } catch (error) {
      this.#again(reason(error));
    }
  }

  /** @param {string} why */
  #again(why) {
    if (this.#closed) return;
    this.#become(false, why);
    this.#later = setTimeout(() => void this.#dial(), AGAIN_MS);
  }

  /** @param {NatsConnection} nats */
  async #watch(nats) {
    for await (const event of nats.status()) {
      if (event.type === 'disconnect') this.#become(false, 'The bus is lost, reconnecting');
      if (event.type === 'reconnect') {
        guard(nats);
        this.#become(true, '');
      }
      if (event.type === 'error' && event.error instanceof PermissionViolationError) this.#refuse(event.error);
      else if (event.type === 'error' && !this.connected) this.#become(false, reason(event.error));
    }
    const error = await nats.closed();
    if (this.#closed) return;
    this.#nats = null;
    for (const listener of this.#listeners) listener.subscription = null;
    this.#again(error ? reason(error) : 'The bus is lost, reconnecting');
  }

  /** Reports what the server does not allow, once. @param {PermissionViolationError} error */
  #refuse({ operation, subject }) {
    const what = `${operation === 'publish' ? 'publish' : 'subscribe'} ${subject}`;
    if (this.#refused.has(what) || this.#refused.size >= MOST_REFUSED) return;
    this.#refused.add(what);
    process.emitWarning(`The bus does not allow this program to ${what}: `
      + 'use a token with a role that may (waldo token create)', { code: 'WALDO_NOT_ALLOWED' });
  }

  /** @param {boolean} connected @param {string} why */
  #become(connected, why) {
    if (this.connected === connected && this.why === why) return;
    this.connected = connected;
    this.why = why;
    this.#onChange();
  }

  /** @param {Listener} listener */
  #begin(listener) {
    if (!this.#nats || this.#nats.isClosed() || listener.subscription) return;
    const joiner = new Joiner();
    listener.subscription = this.#nats.subscribe(listener.subject, {
      callback: (error, message) => {
        if (!error && this.#listeners.has(listener)) take(joiner, message, listener.receive);
      },
    });
  }
}

/**
 * Keeps an error of a socket that is being closed from ending the program. When the client closes a connection that the
 * server has just ended, it removes the listeners of its socket, and the error of the last write has none.
 * @param {NatsConnection} nats
 */
function guard(nats) {
  const socket = /** @type {any} */ (nats).protocol?.transport?.socket;
  if (!socket) return;
  const remove = socket.removeAllListeners.bind(socket);
  socket.removeAllListeners = (/** @type {any[]} */ ...events) => {
    remove(...events);
    return socket.on('error', () => {});
  };
}

/**
 * @param {string} token
 * @returns {string} The prefix of the subjects of answers. A token of the robot's store has an id; the single token of a
 *   robot has none.
 */
export function inboxOf(token) {
  const named = /^waldo_([a-z2-7]{1,64})_[A-Z2-7]+$/.exec(token);
  return named ? `_INBOX.${named[1]}` : '_INBOX';
}

/** @param {Joiner} joiner @param {Msg} message @param {(message: Message) => void} receive */
function take(joiner, { subject, data, headers: named }, receive) {
  const [type, part] = [named?.get(TYPE) ?? '', named?.get(PART) ?? ''];
  const whole = part === '' ? { type, data } : joiner.join(part, type, data, performance.now());
  if (whole) receive({ subject, ...whole });
}

/** @param {unknown} error @returns {string} What is wrong with the bus, for people; it repeats no address. */
export function reason(error) {
  /** @type {{name?: string, message?: string, cause?: {code?: string}}} */
  const { name = '', message = '', cause } = error ?? {};
  if (/authorization|authentication/i.test(`${name} ${message}`)) {
    return 'The bus refuses the token: connect(address, {token}), or set WALDO_TOKEN';
  }
  return `The bus is not reachable${cause?.code ? ` (${cause.code})` : ''}, trying again`;
}

/**
 * @file Keeps the link to a robot that is reached through a rendezvous server.
 *
 * The server is needed to find the robot, and to find it again when the path has changed (link/gate.js). The session is
 * on a data channel of the connection itself, out of the server's reach; while it lasts, the server may be gone.
 */

import { ChannelSocket } from './channelsocket.js';
import { Gate } from './gate.js';
import { Secrets } from './secrets.js';
import { Session } from './session.js';

/** @import { PeerMessageJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */
/** @import { GatewayMessage, Welcome } from '../proto/signaling.js' */
/** @import { LinkHandlers, LinkState } from './link.js' */

/** An attempt that has not led to a session after this is given up, in ms. */
const ATTEMPT_MS = 15_000;
/** The channel says nothing for so long while a new path is looked for; after it everything begins again, in ms. */
const SILENCE_MS = 10_000;
/** Time between two attempts, and the longest, in ms. */
const [PAUSE_MS, LONGEST_PAUSE_MS] = [500, 8000];
/** An offer to look for another path is brought to the robot again after this: the network may be away just now, in ms. */
const AGAIN_MS = 500;
/** A server that does not say within this whether the robot is there is not there itself, in ms. */
const POLL_TIMEOUT_MS = 3000;

/**
 * @typedef {object} OwnHandlers
 * @property {(iceServers: RTCIceServer[]) => RTCDataChannel|null} openSession Opens the channel of the session on the
 *   connection that {@link LinkHandlers.onOpening} has prepared, which makes an offer of it.
 *
 * @typedef {LinkHandlers & OwnHandlers} RemoteLinkHandlers
 */

/** The link to one robot, with what `Link` has. */
export class RemoteLink {
  /** @type {LinkState} */
  state = 'connecting';
  /** Why the link is not live; for people. */
  why = '';
  /** Why the robot is not reached although something answers, and what to do; empty otherwise. */
  refusal = '';
  /** There are no other WebSockets. @type {string[]} */
  protocols = [];
  /** A new session is on a new connection. */
  resumes = false;

  #base;
  #handlers;
  #env;
  /** @type {Secrets|null} */
  #secrets = null;
  /** @type {Gate|null} */
  #gate = null;
  /** @type {Session|null} */
  #session = null;
  /** @type {NonNullable<PeerMessageJson['offer']>|null} An offer to bring to the robot, until it is answered. */
  #waiting = null;
  /** @type {PeerMessageJson[]} The candidates that belong to it. */
  #found = [];
  #visited = -Infinity;
  /** The ICE session of the last offer: one with another one looks for a new path. */
  #generation = '';
  /** By it the robot recognizes the connection; empty until known. */
  #connection = '';
  #lost = -Infinity;
  #failures = 0;
  #asking = false;
  /** Whether another attempt would be of no use, or not be safe. */
  #ended = false;

  /**
   * @param {URL} base Where the robot is on the server.
   * @param {{key: string, token: string}} trust The fingerprint of the robot's key, and its token.
   * @param {RemoteLinkHandlers} handlers
   * @param {import('../base/env.js').Env} env
   */
  constructor(base, { key, token }, handlers, env) {
    this.#base = base;
    this.#handlers = handlers;
    this.#env = env;
    if (env.subtle && token !== '') this.#secrets = new Secrets(key, token, env.subtle);
    else if (env.subtle) this.refusal = 'The robot’s token is missing: open the link that `waldo link --token` prints.';
    else this.refusal = 'Browsers let a page check the robot’s key only if it is from https:// or localhost: open this one there.';
  }

  /** Starts over. */
  open() {
    if (this.state === 'closed' || this.#ended) return;
    this.#drop();
    if (!this.#secrets) {
      this.#end(this.refusal);
      return;
    }
    this.#connection = this.#generation = '';
    this.#handlers.onOpening();
    this.#visit(this.#secrets);
  }

  /**
   * @param {PeerMessageJson} message
   * @returns {boolean} Whether it was sent, or will be as soon as the robot can be asked. Only offers wait.
   */
  send(message) {
    if (message.offer) return this.#offer(message.offer);
    if (message.candidate && this.#waiting) this.#found.push(message);
    if (message.candidate && this.#gate) {
      this.#gate.candidate(message);
      return true;
    }
    return this.#session?.send(message) ?? false;
  }

  /** Whether the send queue is empty. */
  get clear() {
    return this.#session?.clear ?? false;
  }

  /** Watches the session, or looks for the robot. Called every few dozen ms. */
  tick() {
    this.#gate?.tick();
    this.#session?.tick();
    if (this.state === 'closed' || this.#ended) return;
    const now = this.#env.now();
    const trying = this.#gate !== null || this.#session !== null;
    if (this.#waiting && !this.#gate && this.#secrets && now - this.#visited >= AGAIN_MS) this.#visit(this.#secrets);
    else if (!trying && now - this.#lost >= Math.min(PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS)) void this.#look();
  }

  /** Looks for the robot without waiting: the page woke up, or the network is back. */
  hurry() {
    this.#lost = -Infinity;
    this.tick();
  }

  /** The network may have changed. What the channel does then is for the connection to find out. */
  probe() {
    if (!this.#session) this.hurry();
  }

  /** Ends the link for good. */
  close() {
    this.#drop();
    this.#become('closed', '');
  }

  /** @param {Secrets} secrets */
  #visit(secrets) {
    this.#gate?.close();
    this.#visited = this.#env.now();
    const url = new URL('signal', this.#base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.hash = '';
    this.#gate = new Gate(url.href, secrets, {
      onWelcome: (welcome) => this.#greeted(welcome),
      onMessage: (message) => this.#pass(message),
      onImpostor: (why) => this.#end(`${why} Nothing was sent to it that could be used. If the robot has a new key, ` +
        'ask its owner, delete what the browser stores for this site, and open the new link.'),
      onLost: (why) => {
        this.#gate = null;
        if (!this.#session?.open) this.#lose(why || 'the rendezvous server does not answer');
        // Without the server there is only the channel, which may be better than it looks.
        else if (this.#waiting) this.#session.send({ offer: this.#waiting });
      },
    }, this.#env);
  }

  /** @param {Welcome} welcome */
  #greeted(welcome) {
    if (this.#session === null) {
      const channel = this.#handlers.openSession(welcome.iceServers);
      if (channel) this.#begin(channel);
    }
    if (!this.#waiting || !this.#gate?.free) return;
    this.#gate.offer(this.#waiting);
    for (const message of this.#found) this.#gate.candidate(message);
  }

  /** @param {RTCDataChannel} channel */
  #begin(channel) {
    this.#session = new Session(new ChannelSocket(channel), {
      onMessage: (message) => this.#receive(message),
      onTime: this.#handlers.onTime,
      onLost: (why) => this.#lose(this.state === 'live' ? why : 'no path to the robot was found'),
    }, this.#env, { openMs: ATTEMPT_MS, silenceMs: SILENCE_MS });
  }

  /** @param {NonNullable<PeerMessageJson['offer']>} offer */
  #offer(offer) {
    const generation = /^a=ice-ufrag:.*$/m.exec(offer.sdp ?? '')?.[0] ?? '';
    const restarts = this.#generation !== '' && generation !== this.#generation;
    this.#generation = generation;
    if (this.#gate?.free) {
      this.#waiting = null;
      this.#gate.offer(offer);
    } else if (restarts && this.#secrets) {
      // The path is lost, and the channel with it: the robot is asked through the server to look for another.
      this.#waiting = { ...offer, connection: this.#connection };
      this.#found = [];
      this.#visit(this.#secrets);
    } else {
      return this.#session?.send({ offer }) ?? false;
    }
    return true;
  }

  /** @param {GatewayMessage} message What came through the server. */
  #pass(message) {
    if (message.kind === 'error' && message.code === 'PERMISSION_DENIED') {
      this.#end(`The robot does not accept this page’s token: open the link that \`waldo link --token\` prints now. (${message.message})`);
      return;
    }
    this.#hear(message);
  }

  /** @param {GatewayMessage} message */
  #hear(message) {
    if (message.kind === 'answer') this.#connection = message.connection;
    if ((message.kind === 'answer' || message.kind === 'error') && message.id === this.#waiting?.id) this.#waiting = null;
    this.#handlers.onMessage(message);
  }

  /** @param {GatewayMessage} message What came over the channel. */
  #receive(message) {
    this.#hear(message);
    if (message.kind !== 'welcome') return;
    this.#gate?.close();
    this.#gate = null;
    this.#failures = 0;
    this.refusal = '';
    this.#become('live', '');
  }

  /** @param {string} why */
  #lose(why) {
    this.#drop();
    this.#lost = this.#env.now();
    this.#failures = this.state === 'live' ? 0 : Math.min(this.#failures + 1, 8);
    this.#become('gateway-lost', why);
  }

  /** @param {string} why For people: the problem and the remedy. */
  #end(why) {
    this.#ended = true;
    this.#drop();
    this.refusal = why;
    this.#become('gateway-lost', why);
  }

  #drop() {
    this.#gate?.close();
    this.#session?.close();
    this.#gate = this.#session = this.#waiting = null;
  }

  /** Asks the server whether the robot is there. Browsers slow down pages whose WebSockets fail to open. */
  async #look() {
    if (this.#asking) return;
    this.#asking = true;
    let found = false;
    try {
      const answer = await this.#env.fetch(new URL('healthz', this.#base).href, {
        cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(POLL_TIMEOUT_MS),
      });
      found = answer.status === 200;
      const plain = answer.headers?.get('Content-Type')?.startsWith('text/plain');
      this.refusal = !found && plain ? (await answer.text()).trim().slice(0, 500) : '';
    } catch {
      this.refusal = '';
    }
    this.#asking = false;
    if (this.#gate || this.#session || this.state === 'closed') return;
    if (found) this.open();
    else this.#lose(this.why);
  }

  /** @param {LinkState} state @param {string} why */
  #become(state, why) {
    if (this.state === state) return;
    this.state = state;
    this.why = why;
    this.#handlers.onState(state, why);
  }
}

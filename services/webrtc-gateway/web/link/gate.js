/**
 * @file One visit at the rendezvous server: a WebSocket that carries one offer, the answer to it, and candidates.
 *
 * The server can read and change all of it. So the offer asks for nothing but data channels and has a proof, nothing
 * else is sent, and the answer counts only with the signature of the robot.
 */

import { parse } from '../proto/signaling.js';

/** A server that says nothing for this long is not there, in ms. */
const PATIENCE_MS = 5000;

/** @import { PeerMessageJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */
/** @import { GatewayMessage, Welcome } from '../proto/signaling.js' */
/** @import { RemoteRobot, Secrets } from './secrets.js' */

/**
 * @typedef {object} GateHandlers
 * @property {(welcome: Welcome) => void} onWelcome The robot with the right key is there, as far as can be told now.
 * @property {(message: GatewayMessage) => void} onMessage An answer that is the robot's, a refusal, or a candidate.
 * @property {(why: string) => void} onImpostor This is not the robot: do not go on. Called once, and nothing after it.
 * @property {(why: string) => void} onLost The visit is over; called once, and nothing after it.
 */

/** One visit. It ends by itself only if the far end does. */
export class Gate {
  #secrets;
  #handlers;
  #env;
  #socket;
  #heard;
  #over = false;
  /** @type {RemoteRobot|null} */
  #remote = null;
  #offer = '';
  /** Both ways, what came first is done first: some of it takes time. */
  #incoming = Promise.resolve();
  #outgoing = Promise.resolve();

  /**
   * @param {string} url
   * @param {Secrets} secrets
   * @param {GateHandlers} handlers
   * @param {import('../base/env.js').Env} env
   */
  constructor(url, secrets, handlers, env) {
    this.#secrets = secrets;
    this.#handlers = handlers;
    this.#env = env;
    this.#heard = env.now();
    this.#socket = env.openSocket(url, []);
    this.#socket.onmessage = ({ data }) => {
      this.#heard = env.now();
      const message = parse(data);
      this.#incoming = this.#incoming.then(() => this.#take(message));
    };
    this.#socket.onclose = ({ reason }) => this.#end(() => handlers.onLost(reason));
  }

  /** Whether an offer can be made. */
  get free() {
    return !this.#over && this.#remote !== null && this.#offer === '';
  }

  /**
   * Sends an offer, once.
   * @param {NonNullable<PeerMessageJson['offer']>} offer Its tracks are not sent.
   */
  offer({ id, sdp = '', connection }) {
    this.#offer = sdp;
    this.#queue(async (remote) => {
      const proof = await this.#secrets.proof(remote, sdp);
      this.#send({ offer: { id, sdp, proof, ...(connection && { connection }) } });
    });
  }

  /** @param {PeerMessageJson} message A candidate; sent after the offer. */
  candidate(message) {
    this.#queue(async () => this.#send(message));
  }

  /** Notices that nobody is there. Called every few dozen ms. */
  tick() {
    if (this.#remote === null && this.#env.now() - this.#heard >= PATIENCE_MS) this.#end(() => this.#handlers.onLost(''));
  }

  /** Ends the visit without calling a handler. */
  close() {
    this.#over = true;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  /** @param {(remote: RemoteRobot) => Promise<void>} work */
  #queue(work) {
    this.#outgoing = this.#outgoing.then(async () => {
      if (!this.#over && this.#remote) await work(this.#remote);
    }).catch((error) => this.#end(() => this.#handlers.onLost(`no offer can be made: ${error}`)));
  }

  /** @param {PeerMessageJson} message */
  #send(message) {
    if (!this.#over) this.#socket.send(JSON.stringify(message));
  }

  /** @param {GatewayMessage} message */
  async #take(message) {
    if (this.#over) return;
    if (this.#remote === null) {
      await this.#greet(message);
    } else if (message.kind === 'answer') {
      const signed = await this.#secrets.signed(this.#remote, this.#offer, message);
      if (signed) this.#pass(message);
      else this.#deny('The answer to this page does not have the robot’s signature: somebody in between has changed it.');
    } else if (message.kind === 'error' || message.kind === 'candidate') {
      this.#pass(message);
    }
    // Anything else is none of the server's business.
  }

  /** @param {GatewayMessage} message The first. */
  async #greet(message) {
    if (message.kind !== 'welcome') return;
    const { robot, remote } = message;
    if (!remote) {
      this.#deny('Something answers in place of the robot: it does not show the robot’s key.');
      return;
    }
    const other = await this.#secrets.otherKey({ robot, ...remote });
    if (this.#over) return;
    if (other !== '') {
      this.#deny(`This is not the robot that the link is for: its key has the fingerprint ${other}.`);
      return;
    }
    this.#remote = { robot, ...remote };
    this.#handlers.onWelcome(message);
  }

  /** @param {GatewayMessage} message */
  #pass(message) {
    if (!this.#over) this.#handlers.onMessage(message);
  }

  /** @param {string} why */
  #deny(why) {
    this.#end(() => this.#handlers.onImpostor(why));
  }

  /** @param {() => void} tell */
  #end(tell) {
    if (this.#over) return;
    this.close();
    tell();
  }
}

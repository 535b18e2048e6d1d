/**
 * @file One RTCPeerConnection with the gateway, for the streams of any number of devices and any number of data
 * channels.
 *
 * The page makes the offers, the gateway answers. One offer is in flight at a time; requests made meanwhile go into
 * the next. All data channels share one section of the session description, which is offered with the first of them.
 *
 * If the gateway refuses an offer, everything new in it is rolled back and requested again one stream at a time, so
 * that a stream that is not available does not block the others.
 */

import { Candidates } from './candidates.js';
import { isSent, Sections } from './sections.js';

/** @import { PeerMessageJson, TrackJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */
/** @import { SectionHandlers, Want } from './sections.js' */

/**
 * Host candidates arrive at once; a browser without a network interface gathers forever and finds none. How long to
 * wait before concluding that, in ms.
 */
const BARREN_MS = 2000;

/**
 * @typedef {object} OwnHandlers
 * @property {(message: PeerMessageJson) => void} send
 * @property {(why: string) => void} onBroken This connection cannot be repaired; make another, in another session.
 * @property {() => void} onEnded The gateway has ended this connection; make another.
 *
 * @typedef {OwnHandlers & SectionHandlers} ConnectionHandlers
 */

/** One connection. Make a new one when it breaks. */
export class Connection {
  #pc;
  #handlers;
  #talker;
  #sections;
  #candidates;
  /** @type {'unwanted'|'wanted'|'agreed'|'refused'} The state of the section of the data channels. */
  #data = 'unwanted';
  /** @type {{id: number, fresh: Want[], data: boolean}|null} The offer in flight, and what is new in it. */
  #pending = null;
  #offers = 0;
  #busy = false;
  #restart = false;
  /** By which another session can continue this connection. */
  #secret = '';
  /** Whether this session has yet to continue it. */
  #resuming = false;
  #closed = false;
  #offeredAt = Infinity;
  #env;

  /**
   * @param {ConnectionHandlers} handlers
   * @param {import('../base/env.js').Env} env
   */
  constructor(handlers, env) {
    this.#handlers = handlers;
    this.#env = env;
    this.#talker = env.holder();
    this.#pc = env.openPeer({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    this.#sections = new Sections(this.#pc, handlers);
    this.#candidates = new Candidates(this.#pc, handlers.send);
  }

  /** State of the connection as the browser reports it; 'idle' while nothing is requested. */
  get state() {
    return this.#pending === null && this.#pc.remoteDescription === null ? 'idle' : this.#pc.connectionState;
  }

  /** Whether the browser has no candidates to offer. */
  get barren() {
    const looks = ['gathering', 'complete'].includes(this.#pc.iceGatheringState);
    const waited = this.#env.now() - this.#offeredAt >= BARREN_MS;
    return looks && this.#candidates.gathered === 0 && this.#pc.connectionState !== 'connected' && waited;
  }

  /** The browser's own object. */
  get peerConnection() {
    return this.#pc;
  }

  /**
   * STUN and TURN servers, known once the gateway has sent its welcome.
   * @param {RTCIceServer[]} servers
   */
  useIceServers(servers) {
    if (servers.length > 0) this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers: servers });
  }

  /**
   * Sets the complete list of wanted streams. Those refused before are requested again only after {@link forgive}.
   * @param {Want[]} wants
   */
  want(wants) {
    this.#sections.want(wants);
    this.#negotiate();
  }

  /**
   * Opens a data channel. The first one needs an offer.
   * @param {string} label
   * @param {RTCDataChannelInit} init
   * @returns {RTCDataChannel|null} Null if this connection is over.
   */
  openChannel(label, init) {
    if (this.#closed) return null;
    const channel = this.#pc.createDataChannel(label, init);
    if (this.#data === 'unwanted') {
      this.#data = 'wanted';
      this.#negotiate();
    }
    return channel;
  }

  /**
   * Lets refused streams of a device be requested again, because the device has changed.
   * @param {string} device
   */
  forgive(device) {
    if (this.#sections.forgive(device)) this.#negotiate();
  }

  /** Lets refused data channels be requested again. */
  forgiveData() {
    if (this.#data !== 'refused') return;
    this.#data = 'wanted';
    this.#negotiate();
  }

  /**
   * Whether another session can continue this connection. It cannot if a request was on its way: whether the gateway
   * got it is unknown.
   */
  get resumable() {
    const asked = this.#pending !== null && (this.#pending.data || this.#pending.fresh.length > 0);
    return this.#secret !== '' && !this.#closed && !asked && this.#pc.connectionState !== 'closed';
  }

  /**
   * Continues the connection in another session.
   * @param {boolean} restart Whether to look for a new network path.
   */
  resume(restart) {
    this.#restart ||= restart || this.#pending !== null;
    this.#pending = null;
    this.#resuming = true;
    this.#negotiate();
  }

  /** Looks for a new network path on the same connection. */
  restartIce() {
    this.#restart = true;
    this.#negotiate();
  }

  /**
   * The gateway's answer to an offer.
   * @param {import('../proto/signaling.js').Answer} answer
   */
  async answered({ id, sdp, connection = '' }) {
    const pending = this.#pending;
    if (pending?.id !== id) return;
    try {
      await this.#pc.setRemoteDescription({ type: 'answer', sdp });
    } catch (error) {
      this.#break(`unusable answer: ${error}`);
      return;
    }
    if (this.#closed) return;
    this.#pending = null;
    this.#resuming = false;
    this.#secret = connection;
    if (pending.data) this.#data = 'agreed';
    for (const want of pending.fresh) this.#sections.settle(want);
    this.#candidates.answered();
    this.#negotiate();
  }

  /**
   * The gateway's refusal of an offer.
   * @param {import('../proto/signaling.js').Refusal} refusal
   */
  async refused({ id, message }) {
    const pending = this.#pending;
    if (pending?.id !== id) return;
    if (this.#resuming) {
      this.#closed = true;
      this.#handlers.onEnded();
      return;
    }
    if (pending.fresh.length === 0 && !pending.data) {
      this.#break(message || 'offer refused');
      return;
    }
    try {
      await this.#pc.setLocalDescription({ type: 'rollback' });
    } catch (error) {
      this.#break(`cannot roll the offer back: ${error}`);
      return;
    }
    this.#pending = null;
    this.#candidates.takenBack();
    if (pending.fresh.length === 0) this.#data = 'refused';
    this.#sections.takeBack(pending.fresh, message);
    this.#negotiate();
  }

  /**
   * A candidate of the gateway.
   * @param {RTCIceCandidateInit} candidate
   */
  candidate(candidate) {
    this.#candidates.add(candidate);
  }

  /** @returns {Promise<RTCStatsReport>} */
  stats() {
    return this.#pc.getStats();
  }

  /**
   * Stops negotiating and calling handlers, but stays open: browsers blacken a video whose connection is closed, and
   * the last picture has to stay until there is another.
   */
  retire() {
    this.#closed = true;
    this.#candidates.close();
  }

  /**
   * Whether a track belongs to this connection.
   * @param {MediaStreamTrack} track
   */
  brought(track) {
    return this.#sections.brought(track);
  }

  /** Ends the connection, without calling a handler. */
  close() {
    this.retire();
    this.#pc.close();
  }

  /** Sends an offer if one is needed and none is in flight. */
  async #negotiate() {
    if (this.#closed || this.#busy || this.#pending) return;
    this.#busy = true;
    try {
      await null; // requests made in one go share an offer
      if (this.#closed || !this.#arrange()) return;
      const data = this.#data === 'wanted' || this.#data === 'refused';
      const offer = await this.#pc.createOffer({ iceRestart: this.#restart });
      this.#restart = false;
      this.#candidates.hold();
      await this.#pc.setLocalDescription({ type: 'offer', sdp: preferStereo(offer.sdp ?? '') });
      if (!this.#closed) this.#send(data);
    } catch (error) {
      this.#break(`no offer: ${error}`);
    } finally {
      this.#candidates.release();
      this.#busy = false;
    }
  }

  /** @returns {boolean} Whether an offer is needed. */
  #arrange() {
    const changed = this.#sections.arrange();
    return changed || this.#restart || this.#resuming || this.#data === 'wanted';
  }

  /** @param {boolean} data Whether the section of the data channels is new in this offer. */
  #send(data) {
    const { active } = this.#sections;
    this.#offers += 1;
    this.#offeredAt = Math.min(this.#offeredAt, this.#env.now());
    this.#pending = { id: this.#offers, fresh: active.filter(({ fresh }) => fresh).map(({ want }) => want), data };
    this.#handlers.send({
      offer: {
        id: this.#offers,
        sdp: this.#pc.localDescription?.sdp ?? '',
        tracks: active.map(({ want, mid }) => this.#track(want, mid)),
        ...(this.#secret !== '' && { connection: this.#secret }),
      },
    });
  }

  /** @param {Want} want @param {string} mid @returns {TrackJson} Describes a section to the gateway. */
  #track({ device, stream, take }, mid) {
    if (stream === 'video') return { mid, device };
    return { mid, device, stream, ...(isSent(stream) && { talker: this.#talker }), ...(take && { take }) };
  }

  /** @param {string} why */
  #break(why) {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.onBroken(why);
  }
}

/**
 * Offers to receive stereo; without this, browsers decode stereo sound to mono.
 * @param {string} sdp
 */
function preferStereo(sdp) {
  const opus = /^a=rtpmap:(\d+) opus\/48000\/2/im.exec(sdp)?.[1];
  if (opus === undefined) return sdp;
  return sdp.replace(new RegExp(`^(a=fmtp:${opus} (?!.*\\bstereo=).+)$`, 'gim'), '$1;stereo=1');
}

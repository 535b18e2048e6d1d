/**
 * @file One RTCPeerConnection with the gateway, for the streams of any number of devices and any number of data channels.
 *
 * We make the offers, the gateway answers. One offer is in flight at a time; what was asked for meanwhile goes into the
 * next. Each stream has a media section of its own, found by its `mid`; a section that is no longer wanted goes inactive
 * and is used again for the next of its kind, so the session description does not grow with use. Candidates trickle both
 * ways. All data channels share one section of their own, which is offered with the first of them.
 *
 * If the gateway refuses an offer, everything it asked for anew is taken back and asked for again one stream at a time,
 * so that one that cannot be had does not keep the others away.
 */

/** @import { PeerMessageJson, TrackJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */

/** Candidates of the machine itself are there at once. A browser without any network interface gathers for ever, and finds none, in ms. */
const BARREN_MS = 2000;
const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';

/**
 * @typedef {'video'|'audio'|'speaker'} MediaStreamName What a camera sees, what a microphone hears, what is to be played.
 *
 * @typedef {object} Want A stream of a device that is to go over the connection.
 * @property {string} device
 * @property {MediaStreamName} stream
 * @property {object} owner Who wants it.
 *
 * @typedef {object} ConnectionHandlers
 * @property {(message: PeerMessageJson) => void} send
 * @property {(want: Want, transceiver: RTCRtpTransceiver) => void} onTrack A stream has its section (nothing has come yet).
 * @property {(want: Want) => void} onFree A stream that had its section has none any more.
 * @property {(want: Want, message: string) => void} onRefused The gateway does not give this stream.
 * @property {(why: string) => void} onBroken This connection cannot be saved; make another.
 *
 * @typedef {object} Section A media section.
 * @property {RTCRtpTransceiver} transceiver
 * @property {MediaStreamName} stream What it can be for; sections never change their kind.
 * @property {Want|null} want What it is for; null for one that is free.
 */

/** @param {Want} want @returns {string} The same for the same stream. */
const keyOf = ({ device, stream }) => `${stream}/${device}`;
/** @param {MediaStreamName} stream @returns {RTCRtpTransceiverDirection} */
const directionOf = (stream) => (stream === 'speaker' ? 'sendonly' : 'recvonly');

/** One connection. Make a new one when it breaks. */
export class Connection {
  #pc;
  #handlers;
  #talker;
  /** @type {Section[]} All media sections ever made. */
  #sections = [];
  /** @type {Map<string, Want>} */
  #wanted = new Map();
  /** @type {Set<string>} Streams the gateway has accepted, on this connection. */
  #accepted = new Set();
  /** @type {Map<string, Want>} Those it has refused. */
  #refused = new Map();
  #oneByOne = false;
  /** @type {'unwanted'|'wanted'|'agreed'|'refused'} How it stands with the section of the data channels. */
  #data = 'unwanted';
  /** @type {{id: number, fresh: Want[], data: boolean}|null} The offer in flight, and what is new in it. */
  #pending = null;
  #offers = 0;
  #busy = false;
  #restart = false;
  #closed = false;
  /** @type {RTCIceCandidateInit[]} The gateway's candidates that came before its answer. */
  #early = [];
  /**
   * @type {PeerMessageJson[]} Our candidates, not sent yet: until its first answer the gateway has no use for them. Nothing is lost
   * by that, the gateway finds the way we come from by itself.
   */
  #own = [];
  /** How many candidates of ours there were. */
  #gathered = 0;
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
    this.#pc.onicecandidate = (event) => {
      const c = event.candidate;
      // The empty one ends a generation; the gateway waits for no end.
      if (!c || c.candidate === '') return;
      this.#gathered += 1;
      this.#own.push({ candidate: { candidate: c.candidate, sdpMid: c.sdpMid ?? '', sdpMlineIndex: c.sdpMLineIndex ?? 0 } });
      this.#tellOwn();
    };
  }

  /** State of the connection as the browser sees it; 'idle' while there is nothing to connect for. */
  get state() {
    return this.#pending === null && this.#pc.remoteDescription === null ? 'idle' : this.#pc.connectionState;
  }

  /** Whether the browser has no way to offer. */
  get barren() {
    const looks = ['gathering', 'complete'].includes(this.#pc.iceGatheringState);
    return looks && this.#gathered === 0 && this.#pc.connectionState !== 'connected' && this.#env.now() - this.#offeredAt >= BARREN_MS;
  }

  /** The browser's own object. */
  get peerConnection() {
    return this.#pc;
  }

  /**
   * STUN and TURN servers, known once the gateway has said welcome.
   * @param {RTCIceServer[]} servers
   */
  useIceServers(servers) {
    if (servers.length > 0) this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers: servers });
  }

  /**
   * Says which streams are wanted, all of them. Those refused before are asked for again only after {@link forgive}.
   * @param {Want[]} wants
   */
  want(wants) {
    this.#wanted = new Map(wants.map((want) => [keyOf(want), want]));
    for (const [key, want] of this.#wanted) {
      const section = this.#find(key);
      if (!section?.want || section.want.owner === want.owner) continue;
      // One has closed it, and another asked for it before it was given back.
      section.want = want;
      if (this.#accepted.has(key)) this.#handlers.onTrack(want, section.transceiver);
    }
    this.#negotiate();
  }

  /**
   * Opens a data channel, with the next offer if it is the first.
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
   * Lets what was refused of a device be asked for again: it has changed.
   * @param {string} device
   */
  forgive(device) {
    const before = this.#refused.size;
    for (const [key, want] of this.#refused) if (want.device === device) this.#refused.delete(key);
    if (this.#refused.size < before) this.#negotiate();
  }

  /** Lets refused data channels be asked for again. */
  forgiveData() {
    if (this.#data !== 'refused') return;
    this.#data = 'wanted';
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
  async answered({ id, sdp }) {
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
    if (pending.data) this.#data = 'agreed';
    for (const want of pending.fresh) this.#settle(want);
    for (const candidate of this.#early.splice(0)) this.#add(candidate);
    this.#tellOwn();
    this.#negotiate();
  }

  /**
   * The gateway's no to an offer.
   * @param {import('../proto/signaling.js').Refusal} refusal
   */
  async refused({ id, message }) {
    const pending = this.#pending;
    if (pending?.id !== id) return;
    if (pending.fresh.length === 0 && !pending.data) {
      this.#break(message || 'offer refused');
      return;
    }
    try {
      await this.#pc.setLocalDescription({ type: 'rollback' });
    } catch (error) {
      this.#break(`cannot take the offer back: ${error}`);
      return;
    }
    this.#pending = null;
    if (this.#pc.remoteDescription === null) this.#own = []; // they went back with the offer
    for (const want of pending.fresh) this.#free(keyOf(want));
    if (pending.fresh.length > 0) this.#oneByOne = true;
    else this.#data = 'refused';
    if (pending.fresh.length === 1) this.#refuse(pending.fresh[0], message);
    this.#negotiate();
  }

  /**
   * A candidate of the gateway.
   * @param {RTCIceCandidateInit} candidate
   */
  candidate(candidate) {
    if (this.#pc.remoteDescription === null) this.#early.push(candidate);
    else this.#add(candidate);
  }

  /** @returns {Promise<RTCStatsReport>} */
  stats() {
    return this.#pc.getStats();
  }

  /**
   * Negotiates no more and says nothing more, but lives: browsers blacken a video whose connection is closed, and the last
   * picture has to stay until there is another.
   */
  retire() {
    this.#closed = true;
    this.#pc.onicecandidate = null;
  }

  /**
   * Whether a track came with this connection.
   * @param {MediaStreamTrack} track
   */
  brought(track) {
    return this.#sections.some((s) => s.transceiver.receiver.track === track);
  }

  /** Ends the connection, without a word to the handlers. */
  close() {
    this.retire();
    this.#pc.close();
  }

  #tellOwn() {
    if (this.#pc.remoteDescription === null) return;
    for (const message of this.#own.splice(0)) this.#handlers.send(message);
  }

  /** @param {RTCIceCandidateInit} candidate */
  #add(candidate) {
    // A candidate of an earlier ICE generation, or one this browser cannot use, is no harm: there are others.
    this.#pc.addIceCandidate(candidate).catch(() => {});
  }

  /**
   * Brings the media sections in line with what is wanted; true if an offer is needed. What becomes free here is used
   * again in a later offer, not in the same: the far end has to see it inactive to know that it changes hands.
   */
  #arrange() {
    let changed = this.#restart || this.#data === 'wanted';
    const have = new Set(this.#sections.flatMap(({ want }) => (want ? [keyOf(want)] : [])));
    const missing = [...this.#wanted].filter(([key]) => !have.has(key) && !this.#refused.has(key));
    for (const [, want] of this.#oneByOne ? missing.slice(0, 1) : missing) {
      this.#claim(want);
      changed = true;
    }
    for (const key of have) {
      if (this.#wanted.has(key)) continue;
      this.#free(key);
      changed = true;
    }
    return changed;
  }

  /** @param {Want} want Gives the stream a free section, or a new one. */
  #claim(want) {
    const { stream } = want;
    const direction = directionOf(stream);
    const free = this.#sections.find((s) => s.want === null && s.stream === stream);
    if (free) {
      free.want = want;
      free.transceiver.direction = direction;
      return;
    }
    const transceiver = this.#pc.addTransceiver(stream === 'video' ? 'video' : 'audio', { direction });
    if (stream === 'video') {
      // Show each frame as soon as it can be decoded; the gateway asks for the same with the playout-delay extension. Sound
      // keeps its buffer: what comes late would be heard as a gap.
      if ('jitterBufferTarget' in transceiver.receiver) transceiver.receiver.jitterBufferTarget = 0;
      askCaptureTime(transceiver);
    }
    this.#sections.push({ transceiver, stream, want });
  }

  /** @param {string} key @returns {Section|undefined} The section of a stream. */
  #find(key) {
    return this.#sections.find(({ want }) => want && keyOf(want) === key);
  }

  /** @param {string} key */
  #free(key) {
    const section = this.#find(key);
    const want = section?.want;
    if (!section || !want) return;
    section.want = null;
    section.transceiver.direction = 'inactive';
    if (this.#accepted.delete(key)) this.#handlers.onFree(want);
  }

  /** @param {Want} want Looks at what the answer made of a new stream's section. */
  #settle(want) {
    const key = keyOf(want);
    const section = this.#find(key);
    if (!section) return;
    if (section.transceiver.currentDirection === directionOf(want.stream)) {
      this.#accepted.add(key);
      this.#handlers.onTrack(want, section.transceiver);
    } else {
      this.#free(key);
      this.#refuse(want, `the gateway has no ${want.stream} of it`);
    }
  }

  /** @param {Want} want @param {string} message */
  #refuse(want, message) {
    this.#refused.set(keyOf(want), want);
    this.#handlers.onRefused(want, message);
  }

  /** Sends an offer if one is needed and none is in flight. */
  async #negotiate() {
    if (this.#closed || this.#busy || this.#pending) return;
    this.#busy = true;
    try {
      await null; // what is asked for in one go is offered in one go
      if (this.#closed || !this.#arrange()) return;
      const data = this.#data === 'wanted' || this.#data === 'refused';
      const offer = await this.#pc.createOffer({ iceRestart: this.#restart });
      this.#restart = false;
      await this.#pc.setLocalDescription({ type: 'offer', sdp: preferStereo(offer.sdp ?? '') });
      if (!this.#closed) this.#send(data);
    } catch (error) {
      this.#break(`no offer: ${error}`);
    } finally {
      this.#busy = false;
    }
  }

  /** @param {boolean} data Whether the section of the data channels is new in this offer. */
  #send(data) {
    const active = this.#sections.flatMap(({ want, transceiver: { mid } }) => (want && mid !== null ? [{ want, mid }] : []));
    this.#offers += 1;
    this.#offeredAt = Math.min(this.#offeredAt, this.#env.now());
    this.#pending = {
      id: this.#offers,
      fresh: active.map(({ want }) => want).filter((want) => !this.#accepted.has(keyOf(want))),
      data,
    };
    this.#handlers.send({
      offer: {
        id: this.#offers,
        sdp: this.#pc.localDescription?.sdp ?? '',
        tracks: active.map(({ want, mid }) => this.#track(want, mid)),
      },
    });
  }

  /** @param {Want} want @param {string} mid @returns {TrackJson} What the gateway is told of a section. */
  #track({ device, stream }, mid) {
    if (stream === 'video') return { mid, device };
    return stream === 'speaker' ? { mid, device, stream, talker: this.#talker } : { mid, device, stream };
  }

  /** @param {string} why */
  #break(why) {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.onBroken(why);
  }
}

/**
 * Offers the header extension that carries each frame's capture time; Chromium knows it, but leaves it out unless asked.
 * @param {any} transceiver An RTCRtpTransceiver; not all browsers let extensions be chosen.
 */
function askCaptureTime(transceiver) {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.();
  const captureTime = extensions?.find((/** @type {any} */ e) => e.uri === CAPTURE_TIME);
  // Once negotiated, further transceivers of the connection have it by themselves.
  if (captureTime?.direction !== 'stopped') return;
  captureTime.direction = 'sendrecv';
  try {
    transceiver.setHeaderExtensionsToNegotiate(extensions);
  } catch {
    // Chromium refuses the whole list if the gateway's last answer left out another extension that it holds mandatory.
    // Without the extension only the age of the frames is not known.
  }
}

/**
 * Offers to hear both channels of what has two; without it browsers decode one.
 * @param {string} sdp
 */
function preferStereo(sdp) {
  const opus = /^a=rtpmap:(\d+) opus\/48000\/2/im.exec(sdp)?.[1];
  if (opus === undefined) return sdp;
  return sdp.replace(new RegExp(`^(a=fmtp:${opus} (?!.*\\bstereo=).+)$`, 'gim'), '$1;stereo=1');
}

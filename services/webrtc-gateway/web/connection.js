/**
 * @file One RTCPeerConnection with the gateway, for the videos of any number of devices and any number of data channels.
 *
 * We make the offers, the gateway answers. One offer is in flight at a time; what was asked for meanwhile goes into the
 * next. Each device has a media section of its own, found by its `mid`; a section that is no longer wanted goes inactive
 * and is used again for the next device, so the session description does not grow with use. Candidates trickle both ways.
 * All data channels share one section of their own, which is offered with the first of them.
 *
 * If the gateway refuses an offer, everything it asked for anew is taken back and asked for again one device at a time,
 * so that one device that cannot be had does not keep the others from being seen.
 */

const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';

/**
 * @typedef {object} ConnectionHandlers
 * @property {(message: object) => void} send Sends a PeerMessage.
 * @property {(device: string, receiver: RTCRtpReceiver) => void} onTrack A device's track is there (no frames yet).
 * @property {(device: string, message: string) => void} onRefused The gateway does not give this device's video.
 * @property {(why: string) => void} onBroken This connection cannot be saved; make another.
 */

/** @typedef {{transceiver: RTCRtpTransceiver, device: string}} Section */

/** One connection. Make a new one when it breaks. */
export class Connection {
  #pc;
  #handlers;
  /** @type {Section[]} All media sections ever made; `device` is empty for one that is free. */
  #sections = [];
  /** @type {Set<string>} */
  #wanted = new Set();
  /** @type {Set<string>} Devices the gateway has accepted, on this connection. */
  #accepted = new Set();
  /** @type {Set<string>} Devices the gateway has refused. */
  #refused = new Set();
  #oneByOne = false;
  /** @type {'unwanted'|'wanted'|'agreed'|'refused'} How it stands with the section of the data channels. */
  #data = 'unwanted';
  /** @type {{id: number, fresh: string[], data: boolean}|null} The offer in flight, and what is new in it. */
  #pending = null;
  #offers = 0;
  #busy = false;
  #restart = false;
  #closed = false;
  /** @type {RTCIceCandidateInit[]} The gateway's candidates that came before its answer. */
  #early = [];
  /**
   * @type {object[]} Our candidates, not sent yet: until its first answer the gateway has no use for them. Nothing is lost
   * by that, the gateway finds the way we come from by itself.
   */
  #own = [];

  /**
   * @param {ConnectionHandlers} handlers
   * @param {import('./env.js').Env} env
   */
  constructor(handlers, env) {
    this.#handlers = handlers;
    this.#pc = env.openPeer({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    this.#pc.onicecandidate = (event) => {
      const c = event.candidate;
      // The empty one ends a generation; the gateway waits for no end.
      if (!c || c.candidate === '') return;
      this.#own.push({ candidate: { candidate: c.candidate, sdpMid: c.sdpMid ?? '', sdpMlineIndex: c.sdpMLineIndex ?? 0 } });
      this.#tellOwn();
    };
  }

  /** State of the connection as the browser sees it; 'idle' while there is nothing to connect for. */
  get state() {
    return this.#pending === null && this.#pc.remoteDescription === null ? 'idle' : this.#pc.connectionState;
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
   * Says which devices to watch, all of them. Devices refused before are asked for again only after {@link forgive}.
   * @param {Iterable<string>} devices
   */
  want(devices) {
    this.#wanted = new Set(devices);
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
   * Lets a refused device be asked for again: it has changed.
   * @param {string} device
   */
  forgive(device) {
    if (this.#refused.delete(device)) this.#negotiate();
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
   * @param {import('./protocol.js').Answer} answer
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
    for (const device of pending.fresh) this.#settle(device);
    for (const candidate of this.#early.splice(0)) this.#add(candidate);
    this.#tellOwn();
    this.#negotiate();
  }

  /**
   * The gateway's no to an offer.
   * @param {import('./protocol.js').Refusal} refusal
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
    for (const device of pending.fresh) this.#free(device);
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
    const have = new Set(this.#sections.map((s) => s.device));
    const missing = [...this.#wanted].filter((d) => !have.has(d) && !this.#refused.has(d));
    for (const device of this.#oneByOne ? missing.slice(0, 1) : missing) {
      this.#claim(device);
      changed = true;
    }
    for (const device of have) {
      if (device === '' || this.#wanted.has(device)) continue;
      this.#free(device);
      changed = true;
    }
    return changed;
  }

  /** @param {string} device Gives the device a free section, or a new one. */
  #claim(device) {
    const free = this.#sections.find((s) => s.device === '');
    if (free) {
      free.device = device;
      free.transceiver.direction = 'recvonly';
      return;
    }
    const transceiver = this.#pc.addTransceiver('video', { direction: 'recvonly' });
    // Show each frame as soon as it can be decoded; the gateway asks for the same with the playout-delay extension.
    if ('jitterBufferTarget' in transceiver.receiver) transceiver.receiver.jitterBufferTarget = 0;
    askCaptureTime(transceiver);
    this.#sections.push({ transceiver, device });
  }

  /** @param {string} device */
  #free(device) {
    this.#accepted.delete(device);
    const section = this.#sections.find((s) => s.device === device);
    if (!section) return;
    section.device = '';
    section.transceiver.direction = 'inactive';
  }

  /** @param {string} device Looks at what the answer made of a new device's section. */
  #settle(device) {
    const section = this.#sections.find((s) => s.device === device);
    if (!section) return;
    if (section.transceiver.currentDirection === 'recvonly') {
      this.#accepted.add(device);
      this.#handlers.onTrack(device, section.transceiver.receiver);
    } else {
      this.#free(device);
      this.#refuse(device, 'the gateway has no video of it');
    }
  }

  /** @param {string} device @param {string} message */
  #refuse(device, message) {
    this.#refused.add(device);
    this.#handlers.onRefused(device, message);
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
      await this.#pc.setLocalDescription(offer);
      if (!this.#closed) this.#send(data);
    } catch (error) {
      this.#break(`no offer: ${error}`);
    } finally {
      this.#busy = false;
    }
  }

  /** @param {boolean} data Whether the section of the data channels is new in this offer. */
  #send(data) {
    const active = this.#sections.filter((s) => s.device !== '' && s.transceiver.mid !== null);
    this.#offers += 1;
    this.#pending = {
      id: this.#offers,
      fresh: active.map((s) => s.device).filter((d) => !this.#accepted.has(d)),
      data,
    };
    this.#handlers.send({
      offer: {
        id: this.#offers,
        sdp: this.#pc.localDescription?.sdp ?? '',
        tracks: active.map((s) => ({ mid: s.transceiver.mid, device: s.device })),
      },
    });
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

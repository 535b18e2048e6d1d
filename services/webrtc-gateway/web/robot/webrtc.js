/**
 * @file The WebRTC side of a robot: the connection of the session, its repair, and the videos, sounds, and channels
 * that it carries.
 */

import { ChannelSet } from '../channels/channelset.js';
import { SESSION_LABEL } from '../link/channelsocket.js';
import { Connection } from '../link/connection.js';
import { bytesReceived, Flow, isRelayed } from '../link/flow.js';
import { Detour } from '../media/detour.js';
import { Repair } from '../link/repair.js';
import { PerDevice } from '../media/perdevice.js';
import { Sharing } from '../media/sharing.js';
import { Sound } from '../media/sound.js';
import { VideoSet } from '../media/videoset.js';

/** How often the media path is judged, in ms. */
const REPAIR_MS = 250;
/** Refused streams and channels are requested again this often, in ms. */
const FORGIVE_MS = 5000;
/** On a detour, WebRTC is tried again after this, by the reason it failed, in ms. */
const RETRY_MS = { 'no-webrtc': 5000, 'no-interface': 5000, 'no-path': 15_000 };
/** A video without a new picture for this long makes the path doubtful, in ms. */
const DOUBT_MS = 500;
/** How long a change of the network makes it doubtful, in ms. */
const ALARM_MS = 5000;
/** How often the gateway is told what was shown, in ms, and of how many videos at most. */
const [SHOWN_MS, MOST_SHOWN] = [1000, 32];
/** Longest such attempt, in ms; less than the gateway's patience. */
const TRY_MS = 10_000;

/**
 * @typedef {object} WebRtcHandlers
 * @property {(message: import('../proto/gen/waldo/signaling/v1/signaling_pb.js').PeerMessageJson) => void} send
 * @property {() => void} onBroken Another session is needed: the gateway has one connection for each session.
 * @property {(result: import('../proto/signaling.js').CallResult) => void} onResult A result on the channel of calls.
 * @property {() => void} onDetour The detour around WebRTC begins or ends.
 * @property {((device: string, types: string[]) => WebSocket)|null} openPicture For a detour: opens the socket of a
 *   device's pictures, in one of these media types. Null: there are no detours.
 */

/** The WebRTC side of one robot. Videos, sounds, shares, and channels outlast its connections. */
export class WebRtc {
  videos;
  /** @type {PerDevice<Sound>} */
  sounds;
  /** @type {PerDevice<Sharing>} */
  shares;
  channels;
  /** The way around WebRTC, for when it finds no path. */
  detour;

  #handlers;
  #env;
  #repair = new Repair();
  #flow = new Flow();
  #alarmedAt = -Infinity;
  #looking = false;
  #lookedAt = -Infinity;
  /** Whether the session was lost and its connection waits for another one. */
  #suspended = false;
  #repairedAt = -Infinity;
  #forgivenAt = 0;
  /** @type {Connection|null} */
  #connection = null;
  /** @type {Connection[]} Lost connections that a last picture still depends on. */
  #retired = [];
  #greeted = false;
  /** Whether the gateway wants to know what is shown: earlier versions do not. */
  #asked = false;
  #toldAt = -Infinity;
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  /** On a detour: when the current attempt began, and when the next is due. */
  #triedAt = 0;
  #retryAt = 0;
  /**
   * @type {Map<string, RTCRtpReceiver>} On a detour: receivers, by device, that wait for the connection to come up.
   */
  #coming = new Map();

  /**
   * @param {WebRtcHandlers} handlers
   * @param {import('../link/clock.js').Clock} clock
   * @param {import('../base/env.js').Env} env
   */
  constructor(handlers, clock, env) {
    this.#handlers = handlers;
    this.#env = env;
    this.videos = new VideoSet(env, clock, () => this.#want());
    this.channels = new ChannelSet(env, handlers.onResult);
    this.sounds = new PerDevice((device, handlers) => new Sound(device, env, this.channels, handlers), () => this.#want());
    this.shares = new PerDevice((device, handlers) => new Sharing(device, env.holder(), handlers), () => this.#want());
    const { openPicture } = handlers;
    this.detour = new Detour((device, types) => /** @type {NonNullable<typeof openPicture>} */ (openPicture)(device, types), (device, receiver) => this.videos.use(device, receiver), env);
  }

  /** State of the WebRTC connection: 'idle', 'none', or what RTCPeerConnection says. */
  get state() {
    return this.#connection?.state ?? 'none';
  }

  /** The current connection, to inspect but not to change; null without one. */
  get peerConnection() {
    return this.#connection?.peerConnection ?? null;
  }

  /** Whether packets can get through. */
  get media() {
    return this.state === 'connected' ? 'ok' : this.#repair.broken ? 'broken' : 'connecting';
  }

  /** @returns {Promise<Record<string, import('../media/videostats.js').VideoStats>>} Numbers about each video. */
  stats() {
    return this.videos.stats(() => this.#connection?.stats());
  }

  /** A new session begins: prepares its connection before the gateway's first message, unless it continues one. */
  prepare() {
    if (this.#suspended) return;
    this.retire();
    this.#greeted = false;
    this.#connect();
  }

  #connect() {
    this.#triedAt = this.#env.now();
    this.#coming.clear();
    try {
      this.#connection = this.#newConnection();
    } catch {
      // RTCPeerConnection is missing, or an add-on makes it throw.
      this.#retryAt = this.#triedAt + RETRY_MS['no-webrtc'];
      this.#detourFor('no-webrtc');
    }
  }

  #newConnection() {
    return new Connection({
      send: this.#handlers.send,
      onTrack: (want, transceiver) => {
        if (want.stream === 'video') this.#show(want.device, transceiver.receiver);
        else this.#mediaOf(want).use(want, transceiver);
      },
      onFree: (want) => want.stream !== 'video' && this.#mediaOf(want).free(want),
      onRefused: (want, why) => {
        if (want.stream === 'video') this.videos.refuse(want.device, why);
        else this.#mediaOf(want).refuse(want, why);
      },
      onBroken: this.#handlers.onBroken,
      onEnded: () => this.#replace(),
    }, this.#env);
  }

  /** The gateway has no connection for this session: makes one. */
  #replace() {
    this.retire();
    this.#connect();
    this.#begin();
  }

  /**
   * Opens the channel of a session on the prepared connection, before anything else.
   * @param {RTCIceServer[]} iceServers
   */
  openSession(iceServers) {
    this.#connection?.useIceServers(iceServers);
    return this.#connection?.openChannel(SESSION_LABEL, { ordered: true }) ?? null;
  }

  /**
   * The session is open.
   * @param {RTCIceServer[]} iceServers
   * @param {boolean} same Whether it is with the same gateway as the one before.
   */
  greet(iceServers, same) {
    this.#greeted = true;
    this.#asked = false;
    this.#iceServers = iceServers;
    if (!this.#suspended) this.#begin();
    else if (same && this.#connection?.resumable) this.#resume();
    else this.#replace();
    this.#suspended = false;
  }

  /** Continues the connection of the session before, by a new path unless the old one still works. */
  #resume() {
    const now = this.#env.now();
    const works = this.state === 'connected' && this.#flow.flows(now);
    this.#connection?.useIceServers(this.#iceServers);
    this.#connection?.resume(!works);
    if (!works) this.#repair.restarted(now);
  }

  /** The session is open, and the connection made. */
  #begin() {
    this.#connection?.useIceServers(this.#iceServers);
    if (this.#connection) this.channels.use(this.#connection);
    // Do not wait for the list of devices: the gateway refuses streams of devices it does not know yet, and they are
    // requested again once the device is listed.
    this.#want();
  }

  /** @param {import('../proto/signaling.js').GatewayMessage} m Any message; those about the connection are handled. */
  receive(m) {
    if (m.kind === 'answer') void this.#connection?.answered(m);
    else if (m.kind === 'candidate') this.#connection?.candidate(m.init);
    else if (m.kind === 'error') void this.#connection?.refused(m);
    else if (m.kind === 'iceServers') void this.#renew(m.servers);
    else if (m.kind === 'path') {
      this.#asked = true;
      this.videos.usePath(m);
    }
  }

  /**
   * The credentials of the ICE servers are replaced. A connection that uses one needs a new way through it, before the
   * old credentials expire.
   * @param {RTCIceServer[]} iceServers
   */
  async #renew(iceServers) {
    const connection = this.#connection;
    this.#iceServers = iceServers;
    connection?.useIceServers(iceServers);
    const report = await connection?.stats().catch(() => null);
    if (report && isRelayed(report) && connection === this.#connection) connection?.restartIce();
  }

  /**
   * Devices have changed: their refused streams may be available now.
   * @param {string[]} devices
   */
  forgive(devices) {
    for (const device of devices) this.#connection?.forgive(device);
    if (devices.length > 0) this.channels.hurry();
  }

  /** Abandons the connection; it is closed once no picture depends on it. */
  retire() {
    this.#suspended = false;
    this.#flow.trust();
    this.channels.drop();
    if (!this.#connection) return;
    this.#connection.retire();
    this.#retired.push(this.#connection);
    this.#connection = null;
    this.videos.drop();
    this.sounds.drop();
    this.shares.drop();
    this.detour.restore();
    this.#closeUnused();
  }

  /** The network may have changed: a detour may be over. */
  hurry() {
    this.#retryAt = 0;
  }

  /** The network has changed: the path may be dead. */
  alarm() {
    this.#alarmedAt = this.#env.now();
  }

  /**
   * The session is lost, and maybe with it the path that it took. The connection can have another path: it waits for the
   * next session.
   * @param {boolean} resumes Whether that continues it.
   */
  pause(resumes) {
    this.#repair.reset();
    if (resumes && this.#connection?.resumable && this.detour.reason === '') this.#suspended = true;
    else this.retire();
  }

  /**
   * Repairs what is broken. Called every few dozen ms.
   * @param {boolean} live Whether the gateway answers.
   */
  tick(live) {
    const now = this.#env.now();
    this.channels.tick();
    this.#look(now);
    if (live && now - this.#repairedAt >= REPAIR_MS) {
      this.#repairedAt = now;
      this.#mend(now);
      this.#goAround(now);
    }
    if (live && this.#asked && now - this.#toldAt >= SHOWN_MS) void this.#tellShown(now);
    if (this.detour.reason !== '') this.detour.show(this.videos.wants.map(({ device }) => device));
    if (now - this.#forgivenAt >= FORGIVE_MS) {
      this.#forgivenAt = now;
      for (const { device } of this.#wants) this.#connection?.forgive(device);
      this.#connection?.forgiveData();
    }
    if (this.#retired.length > 0) this.#closeUnused();
  }

  /** Ends everything, for good. */
  close() {
    this.detour.end();
    this.sounds.close();
    this.shares.close();
    this.channels.close();
    this.retire();
    for (const connection of this.#retired.splice(0)) connection.close();
  }

  #closeUnused() {
    const { tracks } = this.videos;
    this.#retired = this.#retired.filter((connection) => {
      const used = tracks.some((track) => connection.brought(track));
      if (!used) connection.close();
      return used;
    });
  }

  get #wants() {
    return [...this.videos.wants, ...this.sounds.wants, ...this.shares.wants];
  }

  #want() {
    if (this.#greeted) this.#connection?.want(this.#wants);
  }

  /** @param {number} now */
  #mend(now) {
    if (!this.#connection || this.detour.reason !== '') return;
    const alarmed = now - this.#alarmedAt < ALARM_MS;
    const action = this.#repair.step(this.#connection.state, now, this.#flow.silentMs(now), alarmed);
    if (action === 'restart') this.#connection.restartIce();
    if (action !== 'rebuild') return;
    this.#detourFor('no-path');
    this.#handlers.onBroken();
  }

  /** Tells the gateway what was shown. @param {number} now */
  async #tellShown(now) {
    this.#toldAt = now;
    const videos = await this.videos.takeShown(() => this.#connection?.stats());
    if (videos.length > 0 && this.#asked) this.#handlers.send({ shown: { videos: videos.slice(0, MOST_SHOWN) } });
  }

  /** Looks whether anything comes, while there is a reason to doubt it. @param {number} now */
  #look(now) {
    const connection = this.#connection;
    if (!connection || connection.state !== 'connected' || !this.#doubtful(now)) {
      this.#flow.trust();
      return;
    }
    this.#flow.doubt(now - (this.videos.youngestMs ?? 0));
    if (this.#looking || now - this.#lookedAt < REPAIR_MS) return;
    this.#looking = true;
    this.#lookedAt = now;
    connection.stats().then((report) => {
      if (connection === this.#connection) this.#flow.count(bytesReceived(report), this.#env.now());
    }, () => {}).finally(() => (this.#looking = false));
  }

  /** @param {number} now */
  #doubtful(now) {
    const { youngestMs } = this.videos;
    const late = youngestMs !== null && youngestMs >= DOUBT_MS;
    return this.#suspended || late || now - this.#alarmedAt < ALARM_MS;
  }

  /** Begins and ends the detour, and retries WebRTC meanwhile. @param {number} now */
  #goAround(now) {
    if (this.#handlers.openPicture === null) return;
    const [connection, { reason }] = [this.#connection, this.detour];
    const connected = connection?.state === 'connected';
    // A driver must not lose both ways during the switch.
    if (connected && (this.channels.callable || now - this.#triedAt >= TRY_MS)) this.#detourFor('');
    else if (connected) return;
    else if (connection?.barren) this.#hangUp('no-interface', now);
    else if (reason === '') return;
    else if (!connection && now >= this.#retryAt && this.#greeted) {
      this.#connect();
      this.#begin();
    } else if (connection && now - this.#triedAt >= TRY_MS) this.#hangUp(reason, now);
  }

  /**
   * Abandons the connection, but not the session.
   * @param {import('../media/detour.js').DetourReason} reason @param {number} now
   */
  #hangUp(reason, now) {
    this.#detourFor(reason);
    this.#retryAt = now + RETRY_MS[reason];
    this.#repair.reset();
    this.retire();
    this.#handlers.send({ hangUp: {} });
  }

  /** @param {import('../media/detour.js').DetourReason|''} reason */
  #detourFor(reason) {
    if (this.detour.reason === reason || this.#handlers.openPicture === null) return;
    if (reason === '') this.detour.end();
    this.detour.reason = reason;
    for (const [device, receiver] of reason === '' ? this.#coming : []) this.videos.use(device, receiver);
    this.#handlers.onDetour();
  }

  /** @param {import('../link/sections.js').Want} want One of a stream other than video. */
  #mediaOf({ stream }) {
    return stream === 'camera' || stream === 'microphone' ? this.shares : this.sounds;
  }

  /** @param {string} device @param {RTCRtpReceiver} receiver Its packets would arrive here. */
  #show(device, receiver) {
    if (this.detour.reason === '') this.videos.use(device, receiver);
    else this.#coming.set(device, receiver);
  }
}

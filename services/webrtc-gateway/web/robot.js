/**
 * @file A robot seen from a page: its devices, their video, and the state of the way there.
 */

import { Clock } from './clock.js';
import { Connection } from './connection.js';
import { Link } from './link.js';
import { MediaPath } from './path.js';
import { Video } from './video.js';

/** How often pictures and the link are judged, in ms. */
const TICK_MS = 50;
/** How often the way of the media is judged, in ms. */
const PATH_MS = 250;
/** Refused devices are asked for again this often, in ms. */
const FORGIVE_MS = 5000;
/** A gateway that has just started has to hear of its devices before what it says of them counts, in ms. */
const HEARING_MS = 2500;
/** Looks at the statistics nearer than this to the last share its result, in ms. */
const STATS_MS = 500;

/**
 * A connection to one robot. Made by `waldo.connect()`; it reconnects by itself until {@link Robot.close}.
 *
 * Events: `state` when {@link Robot.state} changes (detail: `{state, why}`), `devices` when a device changes (detail: all
 * of them).
 */
export class Robot extends EventTarget {
  /** The gateway's clock against ours. */
  clock = new Clock();
  /** @type {import('./protocol.js').Device[]} Devices the gateway last listed, by name. */
  devices = [];
  /** Name of the robot; empty until the gateway has said it. */
  name = '';
  /** Version of the gateway; empty until known. */
  version = '';
  /** How often the connection was made anew since the first one. */
  reconnects = 0;

  #env;
  #link;
  #path = new MediaPath();
  #pathAt = -Infinity;
  #forgivenAt = 0;
  /** @type {Connection|null} */
  #connection = null;
  /** @type {Connection[]} Lost ones that a last picture still depends on. */
  #retired = [];
  #greeted = false;
  #greetedAt = 0;
  #gatewayEpoch = '';
  /** @type {Map<string, Video>} */
  #videos = new Map();
  /** @type {(() => void)[]} What to undo at the end. */
  #undo;
  /** @type {{atMs: number, result: Promise<Record<string, import('./stats.js').VideoStats>>}|null} */
  #stats = null;

  /**
   * @param {URL} base Where the gateway is.
   * @param {import('./env.js').Env} env
   */
  constructor(base, env) {
    super();
    this.#env = env;
    this.#link = new Link(base, {
      onOpening: () => this.#prepare(),
      onMessage: (m) => this.#receive(m),
      onTime: (sent, got, gateway) => this.clock.sample(sent, got, gateway),
      onState: (state, why) => this.#changed(state, why),
    }, env);
    this.#undo = [env.every(() => this.#tick(), TICK_MS), env.onWake(() => this.#wake())];
    this.#link.open();
  }

  /** State of the link to the gateway. */
  get state() {
    return this.#link.state;
  }

  /** Why the link is not live, for people; empty when it is. */
  get why() {
    return this.#link.why;
  }

  /** What the gateway says when it is there but takes no session (no token, too many viewers); empty otherwise. */
  get refusal() {
    return this.#link.refusal;
  }

  /** State of the WebRTC connection: 'idle', 'none', or what RTCPeerConnection says. */
  get mediaState() {
    return this.#connection?.state ?? 'none';
  }

  /** The connection the videos come on now, to look at and not to change; null while there is none. */
  get peerConnection() {
    return this.#connection?.peerConnection ?? null;
  }

  /** Gateway's time now, Unix time in ms; our own as long as the offset is not known. */
  get gatewayNowMs() {
    return this.#env.originMs + this.#env.now() + (this.clock.offsetMs ?? 0);
  }

  /**
   * The video of a device, which need not be there yet. The same name gives the same object.
   * @param {string} device
   * @returns {Video}
   */
  video(device) {
    let video = this.#videos.get(device);
    if (!video) {
      video = new Video(device, this.#env, this.clock, () => {
        this.#videos.delete(device);
        this.#want();
      });
      this.#videos.set(device, video);
      this.#want();
    }
    return video;
  }

  /**
   * Numbers about each video between this call and the one before; ask about once a second, while somebody looks.
   * @returns {Promise<Record<string, import('./stats.js').VideoStats>>} By name of the device.
   */
  stats() {
    const atMs = this.#env.now();
    if (this.#stats && atMs - this.#stats.atMs < STATS_MS) return this.#stats.result;
    this.#stats = { atMs, result: this.#collect() };
    return this.#stats.result;
  }

  /** Ends everything, for good. */
  close() {
    for (const undo of this.#undo.splice(0)) undo();
    this.#retire();
    for (const connection of this.#retired.splice(0)) connection.close();
    this.#link.close();
    this.#judge();
  }

  /** A new session begins: have its connection ready before the gateway has said a word. */
  #prepare() {
    this.#retire();
    this.#greeted = false;
    this.#connection = new Connection({
      send: (message) => this.#link.send(message),
      onTrack: (device, receiver) => this.#videos.get(device)?.useReceiver(receiver),
      onRefused: (device, why) => this.#videos.get(device)?.refuse(why),
      onBroken: () => this.#link.open(),
    }, this.#env);
  }

  /** Gives the connection up; it is closed when no picture depends on it any more. */
  #retire() {
    if (!this.#connection) return;
    this.#connection.retire();
    this.#retired.push(this.#connection);
    this.#connection = null;
    for (const video of this.#videos.values()) video.dropReceiver();
    this.#closeUnused();
  }

  #closeUnused() {
    const shown = [...this.#videos.values()].flatMap((v) => v.stream.getTracks());
    this.#retired = this.#retired.filter((connection) => {
      const used = shown.some((track) => connection.brought(track));
      if (!used) connection.close();
      return used;
    });
  }

  /** @param {import('./protocol.js').GatewayMessage} m */
  #receive(m) {
    if (m.kind === 'welcome') this.#greet(m);
    else if (m.kind === 'devices') this.#list(m.devices);
    else if (m.kind === 'answer') this.#connection?.answered(m);
    else if (m.kind === 'candidate') this.#connection?.candidate(m.init);
    else if (m.kind === 'error') this.#connection?.refused(m);
    // What is left is garbage, or the word of a newer gateway: nothing to do.
  }

  /** @param {import('./protocol.js').Welcome} welcome */
  #greet({ robot, version, epoch, iceServers }) {
    this.name = robot;
    this.version = version;
    if (this.#gatewayEpoch !== '') this.reconnects += 1;
    if (this.#gatewayEpoch !== epoch) this.clock.reset();
    this.#gatewayEpoch = epoch;
    this.#greeted = true;
    this.#greetedAt = this.#env.now();
    this.#connection?.useIceServers(iceServers);
    // Do not wait for the list: the gateway refuses what it does not know, and that is asked for again when it is listed.
    this.#want();
  }

  /** @param {import('./protocol.js').Device[]} devices */
  #list(devices) {
    const known = new Map(this.devices.map((d) => [d.name, d]));
    this.devices = devices;
    for (const d of devices) {
      const old = known.get(d.name);
      if (!old || old.epoch !== d.epoch || old.state !== d.state || old.gone !== d.gone) {
        this.#connection?.forgive(d.name);
      }
    }
    this.dispatchEvent(new CustomEvent('devices', { detail: devices }));
    this.#judge();
  }

  #want() {
    if (this.#greeted) this.#connection?.want(this.#videos.keys());
  }

  /** @param {import('./link.js').LinkState} state @param {string} why */
  #changed(state, why) {
    if (state !== 'live') {
      this.#retire();
      this.#path.reset();
    }
    this.dispatchEvent(new CustomEvent('state', { detail: { state, why } }));
    this.#judge();
  }

  #wake() {
    this.#link.hurry();
    this.#judge();
  }

  #tick() {
    this.#link.tick();
    const now = this.#env.now();
    if (this.#link.state === 'live' && now - this.#pathAt >= PATH_MS) {
      this.#pathAt = now;
      this.#repair(now);
    }
    if (now - this.#forgivenAt >= FORGIVE_MS) {
      this.#forgivenAt = now;
      for (const device of this.#videos.keys()) this.#connection?.forgive(device);
    }
    if (this.#retired.length > 0) this.#closeUnused();
    this.#judge();
  }

  /** @param {number} now */
  #repair(now) {
    if (!this.#connection) return;
    const action = this.#path.step(this.#connection.state, now);
    if (action === 'restart') this.#connection.restartIce();
    // The gateway knows one connection per session, so another connection needs another session.
    if (action === 'rebuild') this.#link.open();
  }

  #judge() {
    const settling = this.#env.now() - this.#greetedAt < HEARING_MS;
    const byName = new Map(this.devices.map((d) => [d.name, d]));
    const up = this.mediaState === 'connected';
    for (const [name, video] of this.#videos) {
      video.tick({
        link: this.#link.state,
        media: up ? 'ok' : this.#path.broken ? 'broken' : 'connecting',
        device: byName.get(name) ?? null,
        settling,
      });
    }
  }

  async #collect() {
    /** @type {any[]} */
    const report = [];
    const atMs = this.#env.now();
    // A connection that is being closed has no statistics; that is no error worth a word.
    (await this.#connection?.stats().catch(() => null))?.forEach((s) => report.push(s));
    return Object.fromEntries([...this.#videos].map(([name, video]) => [name, video.statsFrom(report, atMs)]));
  }
}

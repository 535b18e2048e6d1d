/**
 * @file A robot as a page sees it: its devices, their video, sound, streams, and calls, and the state of the link.
 */

import { lacks } from '../base/roles.js';
import { Calls } from '../channels/calls.js';
import { Clock } from '../link/clock.js';
import { Drive } from '../control/drive.js';
import { EStop } from '../control/estop.js';
import { Link } from '../link/link.js';
import { RemoteLink } from '../link/remotelink.js';
import { Roster } from './roster.js';
import { WebRtc } from './webrtc.js';

/** How often pictures and the link are judged, in ms. */
const TICK_MS = 50;
/**
 * A gateway that has just started needs this long to discover its devices; until then its list may be incomplete, in
 * ms.
 */
const HEARING_MS = 2500;

/**
 * The method is a full name, for example `waldo.device.v1.DeviceService/GetDevice`.
 * @typedef {<M extends string>(device: string, method: M, request?: import('../proto/types.js').RequestOf<M>,
 *   options?: import('../channels/calls.js').CallOptions)
 *   => Promise<import('../proto/types.js').ResponseOf<M>>} DeviceCall
 */

/**
 * A connection to one robot. Made by `waldo.connect()`; it reconnects by itself until {@link Robot.close}.
 *
 * Events: `state` when {@link Robot.state} changes (detail: `{state, why}`), `devices` when a device changes (detail:
 * all of them), `estop` when {@link Robot.eStopState} may have changed, `detour` when {@link Robot.detour} changes.
 */
export class Robot extends EventTarget {
  /** The offset between the gateway's clock and ours. */
  clock = new Clock();
  /** @type {import('../proto/signaling.js').Device[]} Devices the gateway last listed, by name. */
  devices = [];
  /** Name of the robot; empty until the gateway reports it. */
  name = '';
  /** Version of the gateway; empty until known. */
  version = '';
  /**
   * Who this page is to the gateway, by its token, and its role; null until that is known.
   * @type {import('../base/roles.js').Visitor|null}
   */
  visitor = null;
  /** Why the robot as a whole cannot be reached, at a gateway elsewhere that serves it; empty if it can. */
  away = '';
  /** How often the gateway was reached again after the first time. */
  reconnects = 0;

  #env;
  /** @type {Link|RemoteLink} */
  #link;
  #webrtc;
  #greetedAt = 0;
  #listed = false;
  #roster;
  #gatewayEpoch = '';
  #calls;
  #eStop;
  /** @type {Drive|null} */
  #drive = null;
  /** @type {import('../proto/signaling.js').DriveConfig|null} */
  #driveConfig = null;
  /** @type {(() => void)[]} What to undo at the end. */
  #undo;

  /**
   * @param {URL} base Where the gateway is.
   * @param {import('../base/env.js').Env} env
   * @param {string} [token] For pages of another origin.
   * @param {string} [key] Fingerprint of the robot's key: it is reached through a rendezvous server.
   */
  constructor(base, env, token = '', key = '') {
    super();
    this.#env = env;
    this.#webrtc = new WebRtc({
      send: (message) => this.#link.send(message),
      onBroken: () => this.#link.open(),
      onResult: (result) => this.#calls.settle(result),
      onDetour: () => this.dispatchEvent(new CustomEvent('detour', { detail: this.detour })),
      openPicture:
        key === '' ? (device, types) => env.openSocket(pictureUrl(base, device, types), this.#link.protocols) : null,
    }, this.clock, env);
    this.#calls = new Calls({
      send: (message) => this.#link.send(message),
      sendLossy: (text) => this.#webrtc.channels.sendCall(text),
      detour: () => this.#webrtc.detour.reason !== '' && this.#link.clear,
    }, env);
    const eStopChanged = () => this.dispatchEvent(new CustomEvent('estop', { detail: this.eStopState }));
    this.#roster = new Roster({
      stream: (device, stream) => this.stream(device, stream),
      call: this.call,
      onState: eStopChanged,
    }, env);
    this.#eStop = new EStop({
      names: () => this.actuators,
      known: () => this.#complete,
      control: (device) => this.control(device),
      call: this.call,
      holder: () => env.holder(),
      onChange: eStopChanged,
    }, env);
    const linked = {
      onOpening: () => this.#prepare(),
      onMessage: (/** @type {import('../proto/signaling.js').GatewayMessage} */ m) => this.#receive(m),
      onTime: (/** @type {[number, number, number]} */ ...times) => this.clock.sample(...times),
      onState: (/** @type {import('../link/link.js').LinkState} */ state, /** @type {string} */ why) =>
        this.#changed(state, why),
      openSession: (/** @type {RTCIceServer[]} */ servers) => this.#webrtc.openSession(servers),
    };
    this.#link = key === '' ? new Link(base, token, linked, env) : new RemoteLink(base, { key, token }, linked, env);
    this.#undo = [
      env.every(() => this.#tick(), TICK_MS), env.onWake(() => this.#wake()), env.onNetwork(() => this.#probe()),
    ];
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

  /**
   * Why a session is refused although something answers (no token, too many viewers, a proxy), and what to do; empty
   * otherwise.
   */
  get refusal() {
    return this.#link.refusal;
  }

  /** State of the WebRTC connection: 'idle', 'none', or what RTCPeerConnection says. */
  get mediaState() {
    return this.#webrtc.state;
  }

  /**
   * Why the browser goes around WebRTC, and whether it can show pictures then; null while WebRTC works or is still
   * being tried. Pictures, calls, and driving go over WebSockets meanwhile; sound, streams, and topics do not.
   * @returns {{reason: import('../media/detour.js').DetourReason, picture: boolean}|null}
   */
  get detour() {
    const { detour } = this.#webrtc;
    return detour.reason === '' ? null : { reason: detour.reason, picture: detour.picture };
  }

  /** The current WebRTC connection, to inspect but not to change; null without one. */
  get peerConnection() {
    return this.#webrtc.peerConnection;
  }

  /** The gateway's time now, Unix time in ms; our own time until the offset is known. */
  get gatewayNowMs() {
    return this.#env.originMs + this.#env.now() + (this.clock.offsetMs ?? 0);
  }

  /** The name under which this page drives and presses the e-stop. */
  get holder() {
    return this.#env.holder();
  }

  /**
   * Whether the list of devices is complete: the gateway is there, and has had the time to hear of all of them. Only
   * then a device that is not listed does not exist.
   */
  get complete() {
    return this.#complete;
  }

  /** Names of the devices that can move something. They are kept while the gateway is lost. */
  get actuators() {
    return this.#roster.names;
  }

  /**
   * The video of a device, which need not exist yet. The same name returns the same object.
   * @param {string} device
   */
  video(device) {
    return this.#webrtc.videos.get(device);
  }

  /**
   * The sound of a device, both ways; the device need not exist yet. The same name returns the same object.
   * @param {string} device
   */
  audio(device) {
    return this.#webrtc.sounds.get(device);
  }

  /**
   * Sending this page's own camera and microphone to a device of the kind `peer`, which need not exist yet. The same
   * name returns the same object.
   * @param {string} device
   */
  sharing(device) {
    return this.#webrtc.shares.get(device);
  }

  /**
   * Numbers about each video since the previous call; call it about once a second, while somebody reads them.
   * @returns {Promise<Record<string, import('../media/videostats.js').VideoStats>>} By name of the device.
   */
  stats() {
    return this.#webrtc.stats();
  }

  /**
   * Calls a method of a device, with the messages of its gRPC service in the protobuf JSON mapping. The promise rejects
   * with a CallError, at the latest when the session is lost.
   * @type {DeviceCall}
   */
  call = (device, method, request, options = {}) =>
    this.#calls.call(device, method, request ?? /** @type {any} */ ({}), options);

  /**
   * A channel to everybody who listens to a topic. The same topic returns the same object, whatever the options.
   * @param {string} topic
   * @param {import('../channels/topic.js').ChannelOptions} [options]
   */
  channel(topic, options = {}) {
    return this.#webrtc.channels.topic(topic, options);
  }

  /**
   * The messages a device publishes on a stream, from now on. The same stream and options return the same object.
   * @param {string} device
   * @param {string} stream
   * @param {import('../channels/stream.js').StreamOptions} [options]
   */
  stream(device, stream, options = {}) {
    return this.#webrtc.channels.stream(device, stream, options);
  }

  /**
   * Who commands an actuator, and whether it may move. The same name returns the same object.
   * @param {string} device
   */
  control(device) {
    return this.#roster.control(device);
  }

  /** Driving the robot as its robot.yaml says; always the same object. */
  drive() {
    if (!this.#drive) {
      const { calls } = this.#webrtc.channels; // commands use this channel; reading it opens it
      this.#drive = new Drive({
        call: this.call,
        control: (device) => this.control(device),
        ready: () => this.state === 'live' && (calls.state === 'open' || this.detour !== null),
        seen: (camera) => this.#webrtc.videos.seenMs(camera),
      }, this.#env);
      this.#drive.configure(this.#driveConfig);
    }
    return this.#drive;
  }

  /**
   * Why this page may not do what needs a role, for people; empty if it may. The gateway and the devices enforce it.
   * @param {import('../base/roles.js').Role} need
   * @param {string} what What needs it, for example `Driving`.
   */
  lacks(need, what) {
    return lacks(this.visitor, need, what);
  }

  /**
   * Stops everything that can move, until somebody clears it: repeated on every path, across reconnects, until each
   * actuator has confirmed it. Driving from this page ends.
   * @param {string} [reason] For people.
   * @returns {Promise<void>} Resolves when all actuators have confirmed it, or it was cleared.
   */
  eStop(reason = '') {
    // The e-stop goes first, and waits for nothing: not for the farewells of the drive, nor for its lease to be released.
    const done = this.#eStop.press(reason);
    this.#drive?.end('estop');
    return done;
  }

  /**
   * Clears the e-stops that this page has seen. One pressed since then is another, and stays.
   * @param {object} [options]
   * @param {string} [options.key] The override key, if one is configured.
   * @returns {Promise<void>} Rejects with the CallError of an actuator that refuses.
   */
  clearEStop({ key = '' } = {}) {
    return this.#eStop.clear(key);
  }

  /** Whether the e-stop is pressed, by whom, and whether all have confirmed it. */
  get eStopState() {
    return this.#eStop.state;
  }

  /** Ends everything, for good. */
  close() {
    this.#drive?.end('closed');
    for (const undo of this.#undo.splice(0)) undo();
    this.#webrtc.close();
    this.#link.close();
    this.#calls.lose('the connection was closed');
    this.#judge();
  }

  /** A new session begins; everything that was on its way in the previous one is stale. */
  #prepare() {
    this.#calls.lose('the connection was lost');
    this.#listed = false;
    this.#webrtc.prepare();
  }

  /** @param {import('../proto/signaling.js').GatewayMessage} m */
  #receive(m) {
    if (m.kind === 'welcome') this.#greet(m);
    else if (m.kind === 'devices') this.#list(m.devices, m.away);
    else if (m.kind === 'result') this.#calls.settle(m);
    else this.#webrtc.receive(m);
    // The rest is garbage, or a message of a newer gateway: nothing to do.
  }

  /** @param {import('../proto/signaling.js').Welcome} welcome */
  #greet({ robot, version, epoch, iceServers, drive, visitor }) {
    this.name = robot;
    this.visitor = visitor;
    this.version = version;
    if (this.#gatewayEpoch !== '') this.reconnects += 1;
    const same = this.#gatewayEpoch === epoch;
    if (!same) this.clock.reset();
    this.#gatewayEpoch = epoch;
    this.#greetedAt = this.#env.now();
    this.#driveConfig = drive;
    this.#drive?.configure(drive);
    this.#webrtc.greet(iceServers, same);
  }

  /** @param {import('../proto/signaling.js').Device[]} devices @param {string} away */
  #list(devices, away) {
    this.away = away;
    const known = new Map(this.devices.map((d) => [d.name, d]));
    this.devices = devices;
    this.#listed = true;
    this.#webrtc.forgive(devices.filter((d) => {
      const old = known.get(d.name);
      return !old || old.epoch !== d.epoch || old.state !== d.state || old.gone !== d.gone;
    }).map((d) => d.name));
    this.#roster.list(devices, this.#complete);
    this.dispatchEvent(new CustomEvent('devices', { detail: devices }));
    this.#judge();
  }

  /** @param {import('../link/link.js').LinkState} state @param {string} why */
  #changed(state, why) {
    if (state !== 'live') {
      this.#calls.lose('the connection was lost');
      this.#webrtc.pause(this.#link.resumes);
    }
    this.dispatchEvent(new CustomEvent('state', { detail: { state, why } }));
    this.#judge();
  }

  #wake() {
    this.#link.hurry();
    this.#webrtc.hurry();
    this.#judge();
  }

  #probe() {
    this.#link.probe();
    this.#webrtc.alarm();
  }

  #tick() {
    const live = this.#link.state === 'live';
    this.#link.tick();
    this.#calls.tick();
    this.#webrtc.tick(live);
    if (this.#complete) this.#roster.list(this.devices, true);
    this.#eStop.tick();
    if (live) this.#roster.tick(this.detour === null);
    this.#judge();
  }

  /** Whether the list of devices is complete. */
  get #complete() {
    return this.state === 'live' && this.#listed && !this.#settling;
  }

  /** Whether the gateway is so new that it may not have discovered all devices. */
  get #settling() {
    return this.#env.now() - this.#greetedAt < HEARING_MS;
  }

  #judge() {
    const { media, videos, sounds, shares } = this.#webrtc;
    const around = /** @type {const} */ ({ link: this.#link.state, media, settling: this.#settling });
    videos.judge(around, this.devices);
    sounds.judge(around, this.devices);
    shares.judge(around, this.devices);
  }
}

/**
 * @param {URL} base Where the gateway is.
 * @param {string} device
 * @param {string[]} types Media types that can be decoded.
 */
function pictureUrl(base, device, types) {
  const url = new URL(`picture/${encodeURIComponent(device)}`, base);
  url.search = new URLSearchParams({ types: types.join() }).toString();
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

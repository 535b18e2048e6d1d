/** @file A robot as a program in Node sees it: its devices, what they send, calls to them, and if it is reached. */

import { setTimeout as sleep } from 'node:timers/promises';
import { create, toJson } from '@bufbuild/protobuf';
import { AcknowledgeRequestSchema, DeviceService } from '#gen/waldo/device/v1/device_service_pb.js';
import { EStop } from '#web/control/estop.js';
import { Roster } from '#web/robot/roster.js';
import { Bus } from './bus.js';
import { Definitions } from './definitions.js';
import { Directory, Search } from './directory.js';
import { Drive } from './drive.js';
import { every, nodeEnv } from './env.js';
import { Reading } from './reading.js';
import { Sound } from './sound.js';
import { failure } from './status.js';
import { Stream } from './stream.js';
import { Channel } from './topic.js';
import { Video } from './video.js';
import { checked, key, requestOf, same } from './ways.js';
import { Wire } from './wire.js';

/** How often everything is judged, in ms. */
const TICK_MS = 50;
/** The default time limit of a call, in ms. */
const TIMEOUT_MS = 5000;
/** How long a device may take to note what was read, and calls under way when the robot is closed, in ms. */
const [ACKNOWLEDGE_MS, LAST_MS] = [5000, 500];

/**
 * @typedef {'connecting'|'live'|'bus-lost'|'device-lost'|'closed'} State Of the way to the robot. Lost: the bus, or the
 *   one device, was there and is not now.
 * @typedef {import('#web/proto/signaling.js').Device} Device
 * @typedef {import('@bufbuild/protobuf').Message} Message
 * @typedef {import('#web/channels/calls.js').CallOptions} CallOptions
 * @typedef {import('./ways.js').Ways} Ways
 */

/**
 * A connection to one robot. Made by `connect()`; it reconnects by itself until {@link Robot.close}. It keeps the
 * process alive until then.
 *
 * Events: `state` when {@link Robot.state} or {@link Robot.why} changes (detail: `{state, why}`), `devices` when a
 * device changes (detail: all of them), `estop` when {@link Robot.eStopState} may have changed.
 */
export class Robot extends EventTarget {
  /** @type {State} */
  state = 'connecting';
  /** Why it is not live, for people; empty when it is. */
  why = 'Connecting';
  /** Why nothing will ever be read, and what to do; empty otherwise. */
  refusal = '';
  /** How often the bus, or the one device, was reached again after the first time. */
  reconnects = 0;

  #settings;
  #env;
  #directory = new Directory();
  /** @type {Bus|null} */
  #bus = null;
  /** @type {Search|null} */
  #search = null;
  #wire;
  #definitions;
  #roster;
  #eStop;
  #wasLive = false;
  /** @type {Map<string, Video>} */
  #videos = new Map();
  /** @type {Map<string, Sound>} */
  #sounds = new Map();
  /** @type {Map<string, Stream>} */
  #streams = new Map();
  /** @type {Map<string, Channel>} */
  #channels = new Map();
  /** @type {Map<string, Drive>} */
  #drives = new Map();
  /** @type {Set<Reading<any>>} */
  #readings = new Set();
  /** @type {Set<{name: string, run: () => void}>} */
  #followers = new Set();
  /** @type {Set<string>} Devices that have a lossy call on its way. */
  #busy = new Set();
  /** @type {Set<Promise<any>>} */
  #calls = new Set();
  #closing = false;
  /** @type {Ways} */
  #ways;
  /** @type {(() => void)[]} */
  #undo;

  /** @param {import('./options.js').Settings} settings */
  constructor(settings) {
    super();
    this.#settings = settings;
    this.#env = nodeEnv(settings.holder);
    this.#wire = new Wire(settings.token, settings.trust);
    this.#definitions = new Definitions((device, method, request) => this.#ask(device, method, request, TIMEOUT_MS));
    this.#ways = this.#makeWays();
    const eStopChanged = () => this.dispatchEvent(new CustomEvent('estop', { detail: this.eStopState }));
    this.#roster = new Roster({
      stream: (device, stream) => /** @type {any} */ (this.stream(device, stream)), call: this.call,
      onState: eStopChanged,
    }, this.#env);
    this.#eStop = new EStop({
      names: () => this.actuators, known: () => this.#complete, control: (device) => this.control(device),
      call: this.call, holder: () => this.holder, onChange: eStopChanged,
    }, this.#env);
    this.#undo = [every(() => this.#tick(), TICK_MS)];
    if (settings.way === 'bus') this.#findBus();
    else this.#findDevice();
  }

  /** Name of the robot; empty until it is known. */
  get name() {
    return this.#search?.robot ?? this.devices[0]?.robot ?? '';
  }

  /** The devices that have been heard of, by name. They are kept while they are gone. */
  get devices() {
    return this.#directory.devices;
  }

  /** The name under which this program drives and presses the e-stop. */
  get holder() {
    return this.#env.holder();
  }

  /** Names of the devices that can move something. */
  get actuators() {
    return this.#roster.names;
  }

  /**
   * Waits until the robot is reached.
   * @param {{timeoutMs?: number}} [options]
   * @returns {Promise<this>} Rejects with a CallError that says why it is not.
   */
  async ready({ timeoutMs = TIMEOUT_MS } = {}) {
    await this.#until(() => this.state === 'live' && (this.devices.length > 0 || this.#complete), timeoutMs,
      () => this.why);
    return this;
  }

  /**
   * Waits for a device.
   * @param {string} name
   * @param {{timeoutMs?: number}} [options]
   * @returns {Promise<Device>} What it says of itself; rejects with a CallError that names the devices that there are.
   */
  async device(name, { timeoutMs = TIMEOUT_MS } = {}) {
    checked(name);
    await this.#until(() => this.#directory.get(name) !== undefined, timeoutMs, () => this.#unknown(name).message);
    return /** @type {Device} */ (this.#directory.get(name));
  }

  /**
   * The video of a device, which need not exist yet. The same name and options return the same object.
   * @param {string} device
   * @param {import('./frame.js').VideoOptions} [options]
   */
  video(device, options = {}) {
    return same(this.#videos, key(device, options), () => new Video(checked(device), options, this.#ways));
  }

  /**
   * The sound of a device, both ways; the device need not exist yet. The same name returns the same object.
   * @param {string} device
   */
  audio(device) {
    return same(this.#sounds, device,
      () => new Sound(checked(device), this.#ways, (stream) => this.stream(device, stream)));
  }

  /**
   * The messages that a device publishes on a stream, from now on. The same stream returns the same object.
   * @param {string} device
   * @param {string} stream
   */
  stream(device, stream) {
    const id = key(device, stream);
    return same(this.#streams, id,
      () => new Stream(checked(device), checked(stream, 'stream'), this.#ways, () => this.#streams.delete(id)));
  }

  /**
   * A channel to everybody who listens to a topic. The same topic returns the same object.
   * @param {string} topic
   */
  channel(topic) {
    return same(this.#channels, topic, () => {
      const onClose = () => this.#channels.delete(topic);
      const channel = new Channel(topic, { bus: this.#bus, sender: this.holder, onClose });
      channel.tick(this.name);
      return channel;
    });
  }

  /**
   * Who commands an actuator, and whether it may move. The same name returns the same object.
   * @param {string} device
   */
  control(device) {
    return this.#roster.control(checked(device));
  }

  /**
   * Driving an actuator. The same name returns the same object, whatever the options.
   * @param {string} device
   * @param {import('./drive.js').DriveOptions} [options]
   */
  drive(device, options = {}) {
    return same(this.#drives, device, () => new Drive(checked(device), options, {
      call: this.call,
      control: (name) => this.control(name),
      ready: () => this.state !== 'closed' && this.#directory.get(device)?.gone === false,
      seen: (camera) => this.#ways.seen.get(camera) ?? null,
    }, this.#env));
  }

  /**
   * Calls a method of a device, with the messages of its gRPC service in the protobuf JSON mapping. A device that has
   * not been heard of yet is waited for.
   *
   * A lossy call is sent now or never, and not at all while such a call is on its way. The promise rejects with a
   * CallError.
   * @type {import('#web/robot/robot.js').DeviceCall}
   */
  call = async (device, method, request, { lossy = false, timeoutMs = TIMEOUT_MS } = {}) => {
    if (this.#closing) throw failure('CANCELLED', 'the connection was closed');
    if (lossy && this.#busy.has(device)) {
      throw failure('UNAVAILABLE', `${device} has not answered the last call yet: nothing was sent`);
    }
    if (lossy) this.#busy.add(device);
    const called = this.#callJson(checked(device), method, request ?? {}, timeoutMs);
    this.#calls.add(called);
    return called.finally(() => {
      this.#calls.delete(called);
      if (lossy) this.#busy.delete(device);
    });
  };

  /**
   * Stops everything that can move, until somebody clears it: repeated until each actuator has confirmed it. Driving
   * from this program ends.
   * @param {string} [reason] For people.
   * @returns {Promise<void>} Resolves when all actuators have confirmed it, or it was cleared.
   */
  eStop(reason = '') {
    for (const drive of this.#drives.values()) drive.end('estop');
    return this.#eStop.press(reason);
  }

  /**
   * Clears the e-stops that this program has seen. One pressed since then is another, and stays.
   * @param {object} [options]
   * @param {string} [options.key] The override key, if one is configured.
   * @returns {Promise<void>} Rejects with the CallError of an actuator that refuses.
   */
  clearEStop({ key: override = '' } = {}) {
    return this.#eStop.clear(override);
  }

  /** Whether the e-stop is pressed, by whom, and whether all have confirmed it. */
  get eStopState() {
    return this.#eStop.state;
  }

  /** Ends everything, for good: driving first. Loops over videos end. */
  async close() {
    if (this.#closing) return;
    for (const drive of this.#drives.values()) drive.end('closed');
    this.#closing = true;
    // Leases are released on the way out.
    await Promise.race([Promise.allSettled(this.#calls), sleep(LAST_MS, undefined, { ref: false })]);
    for (const undo of this.#undo.splice(0)) undo();
    this.#become('closed', 'The connection was closed');
    for (const parts of [this.#videos, this.#sounds, this.#streams, this.#channels]) {
      for (const part of [...parts.values()]) part.close();
    }
    for (const reading of this.#readings) reading.close();
    this.#search?.close();
    for (const { run } of this.#followers) run();
    this.#wire.close();
    await this.#bus?.close();
  }

  /** The same as {@link Robot.close}, for `await using`. */
  [Symbol.asyncDispose]() {
    return this.close();
  }

  /** @returns {Ways} */
  #makeWays() {
    const robot = this;
    return {
      get bus() {
        return robot.#bus;
      },
      wire: this.#wire,
      definitions: this.#definitions,
      env: this.#env,
      device: (name) => this.#directory.get(name),
      address: (name) => this.#address(name),
      known: (name) => this.#until(() => this.#directory.get(name) !== undefined, Infinity, () => this.why),
      seen: new Map(),
      follow: (name, run) => {
        const follower = { name, run };
        this.#followers.add(follower);
        return () => this.#followers.delete(follower);
      },
      ask: (device, method, request, timeoutMs = TIMEOUT_MS) =>
        /** @type {Promise<any>} */ (this.#ask(device, method, request, timeoutMs)),
      read: (device, method, request, window, pick, handlers) =>
        this.#read(device, method, request, window, pick, handlers),
    };
  }

  #findBus() {
    const { address, token, trust, robot } = this.#settings;
    this.#bus = new Bus({ address, token, trust, name: this.holder }, () => this.#judgeBus());
    this.#search = new Search(this.#bus, robot, {
      onDevice: (said) => this.#heard(said),
      onChange: () => this.#judgeBus(),
    });
  }

  #judgeBus() {
    const [bus, search] = [this.#bus, this.#search];
    if (!bus || !search || this.state === 'closed') return;
    if (bus.connected && this.state !== 'live' && !this.refusal) search.connected(performance.now());
    this.refusal = bus.connected ? search.why : '';
    if (!bus.connected) this.#become(this.#wasLive ? 'bus-lost' : 'connecting', bus.why);
    else if (search.robot === '') this.#become('connecting', search.why || 'No robot has been heard on this bus yet');
    else this.#become('live', '');
    for (const channel of this.#channels.values()) channel.tick(search.robot);
  }

  /** One device, without a bus: it tells itself when it changes. */
  #findDevice() {
    const { address } = this.#settings;
    const lost = (/** @type {string} */ why) => {
      for (const { name } of this.#directory.devices) if (this.#directory.gone(name)) this.#changed(name);
      if (this.state !== 'closed') this.#become(this.#wasLive ? 'device-lost' : 'connecting', why);
    };
    const reading = new Reading(address, 4, ({ device }) => ({ value: device, dropped: 0 }), {
      known: () => Promise.resolve(),
      open: ({ window }) => this.#wire.read(address, DeviceService.method.watchDevice,
        create(DeviceService.method.watchDevice.input), this.#wire.windowed(window)),
      acknowledge: (id, messages) => this.#wire.call(address, DeviceService.method.acknowledge,
        create(AcknowledgeRequestSchema, { call: id, messages: BigInt(messages) }),
        { deviceName: address, timeoutMs: ACKNOWLEDGE_MS }),
      onLost: lost,
      onClose: () => {},
    });
    this.#readings.add(reading);
    const pump = async () => {
      for (let step = await reading.next(); !step.done; step = await reading.next()) {
        this.#heard(/** @type {any} */ (step.value));
        this.#become('live', '');
      }
    };
    pump().catch((error) => {
      this.refusal = error.message;
      lost(error.message);
    });
  }

  /** @param {import('#gen/waldo/device/v1/device_pb.js').Device} said */
  #heard(said) {
    if (!this.#directory.heard(said, performance.now())) return;
    this.#roster.list(this.devices, false);
    this.#changed(said.name);
  }

  /** @param {string} name */
  #changed(name) {
    for (const follower of this.#followers) if (follower.name === name || follower.name === '') follower.run();
    for (const reading of this.#readings) reading.hurry();
    this.dispatchEvent(new CustomEvent('devices', { detail: this.devices }));
  }

  /** @param {State} state @param {string} why */
  #become(state, why) {
    if (this.state === state && this.why === why) return;
    if (state === 'live' && this.state !== 'live') {
      if (this.#wasLive) this.reconnects += 1;
      this.#wasLive = true;
    }
    this.state = state;
    this.why = why;
    for (const { run } of [...this.#followers].filter((f) => f.name === '')) run();
    this.dispatchEvent(new CustomEvent('state', { detail: { state, why } }));
  }

  /** Whether all devices that run have been heard of. */
  get #complete() {
    if (this.state !== 'live') return false;
    return this.#search ? this.#search.complete(performance.now()) : true;
  }

  #tick() {
    const now = performance.now();
    this.#search?.tick(now);
    // While the bus is away nobody is heard, and nobody is gone because of that.
    if (this.#search && this.#complete && this.#directory.tick(now)) {
      for (const { name, gone } of this.devices) if (gone) this.#changed(name);
    }
    this.#eStop.tick();
    if (this.state === 'live') this.#roster.tick(true);
    const around = { link: this.state, why: this.why, settling: !this.#complete };
    for (const video of this.#videos.values()) video.tick({ ...around, device: this.#directory.get(video.device) });
    for (const sound of this.#sounds.values()) sound.tick({ ...around, device: this.#directory.get(sound.device) });
  }

  /** @param {string} name @returns {string} */
  #address(name) {
    const device = this.#directory.get(name);
    if (!device) throw this.#unknown(name);
    return this.#settings.way === 'device' ? this.#settings.address : device.grpcAddress;
  }

  /** @param {string} name */
  #unknown(name) {
    const names = this.devices.map((d) => d.name);
    return this.state === 'live'
      ? failure('NOT_FOUND', `there is no device "${name}"; there are: ${names.join(', ') || 'none yet'}`)
      : failure('UNAVAILABLE', this.why);
  }

  /**
   * @param {string} device @param {import('@bufbuild/protobuf').DescMethod} method
   * @param {Message} request @param {number} timeoutMs
   */
  async #ask(device, method, request, timeoutMs) {
    const until = performance.now() + timeoutMs;
    await this.#until(() => this.#directory.get(device) !== undefined, timeoutMs, () => this.#unknown(device).message);
    const left = Math.max(1, until - performance.now());
    return this.#wire.call(this.#address(device), method, request, { deviceName: device, timeoutMs: left });
  }

  /** @param {string} device @param {string} name @param {object} json @param {number} timeoutMs */
  async #callJson(device, name, json, timeoutMs) {
    await this.#until(() => this.#directory.get(device) !== undefined, timeoutMs, () => this.#unknown(device).message);
    const method = await this.#definitions.method(device, this.#directory.get(device)?.epoch ?? '', name);
    const answer = await this.#ask(device, method, requestOf(method, name, json), timeoutMs);
    return /** @type {any} */ (toJson(method.output, answer));
  }

  /** @type {Ways['read']} */
  #read(device, method, request, window, pick, { onLost, onArrival, onClose }) {
    const reading = new Reading(device, window, pick, {
      known: (name) => this.#ways.known(name),
      open: ({ window: most }) => this.#wire.read(this.#address(device), method, request, this.#wire.windowed(most)),
      acknowledge: (id, messages) => this.#ask(device, DeviceService.method.acknowledge,
        create(AcknowledgeRequestSchema, { call: id, messages: BigInt(messages) }), ACKNOWLEDGE_MS),
      onLost,
      onArrival,
      onClose: () => {
        this.#readings.delete(reading);
        onClose();
      },
    });
    this.#readings.add(reading);
    if (this.#closing) queueMicrotask(() => reading.close());
    return reading;
  }

  /**
   * Waits for something that changes of devices or of the state may bring about.
   * @param {() => boolean} met
   * @param {number} timeoutMs
   * @param {() => string} why
   * @returns {Promise<void>} Rejects with a CallError.
   */
  #until(met, timeoutMs, why) {
    return new Promise((resolve, reject) => {
      /** @type {ReturnType<typeof setTimeout>|undefined} */
      let timer;
      const end = (/** @type {Error|null} */ error) => {
        clearTimeout(timer);
        this.#followers.delete(follower);
        if (error) reject(error);
        else resolve();
      };
      const follower = {
        name: '',
        run: () => {
          if (met()) end(null);
          else if (this.state === 'closed') end(failure('CANCELLED', 'the connection was closed'));
          else if (this.refusal !== '') end(failure('FAILED_PRECONDITION', this.refusal));
        },
      };
      this.#followers.add(follower);
      if (timeoutMs !== Infinity) {
        timer = setTimeout(() => end(failure(this.state === 'live' ? 'NOT_FOUND' : 'UNAVAILABLE', why())), timeoutMs);
      }
      follower.run();
    });
  }
}

/**
 * @file The devices of one robot: which there are, where they are, and whether they still announce themselves.
 */

import { randomBytes } from 'node:crypto';
import { fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { DeviceSchema } from '#gen/waldo/device/v1/device_pb.js';
import { GetDeviceRequestSchema, GetDeviceResponseSchema } from '#gen/waldo/device/v1/device_service_pb.js';
import { parse } from '#web/proto/signaling.js';

/** A device announces itself once a second; after this silence it counts as gone, in ms. */
const GONE_MS = 2000;
/** After the bus came back, devices may need this long to be heard, in ms. */
const HEARING_MS = 2500;
/** How often they are asked for until the robot is known, in ms. */
const ASK_MS = 500;
/** When nobody has answered for this long, all have, in ms. */
const QUIET_MS = 60;
/** Bounds what strangers on the bus can make us keep. */
const [MOST_DEVICES, MOST_ROBOTS] = [1000, 100];

/** @typedef {import('#web/proto/signaling.js').Device} Device */

/**
 * @typedef {object} Entry
 * @property {Device} device
 * @property {string} text What it announced.
 * @property {number} heardMs
 */

/** Keeps what devices say of themselves. Pure: times are passed in. */
export class Directory {
  /** @type {Map<string, Entry>} */
  #entries = new Map();

  /** All devices, by name. */
  get devices() {
    return [...this.#entries.values()].map((e) => e.device).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @param {string} name @returns {Device|undefined} */
  get(name) {
    return this.#entries.get(name)?.device;
  }

  /**
   * @param {import('#gen/waldo/device/v1/device_pb.js').Device} said
   * @param {number} nowMs
   * @returns {boolean} Whether something has changed.
   */
  heard(said, nowMs) {
    const json = toJson(DeviceSchema, said);
    const text = JSON.stringify(json);
    const known = this.#entries.get(said.name);
    if (known) known.heardMs = nowMs;
    if (known?.text === text && !known.device.gone) return false;
    const device = decode(json);
    if (!device || (!known && this.#entries.size >= MOST_DEVICES)) return false;
    this.#entries.set(said.name, { device, text, heardMs: nowMs });
    return true;
  }

  /**
   * @param {string} name The device has said that it ends, or cannot be reached.
   * @returns {boolean} Whether that is new.
   */
  gone(name) {
    const entry = this.#entries.get(name);
    if (!entry || entry.device.gone) return false;
    entry.device = { ...entry.device, gone: true };
    return true;
  }

  /** @param {number} nowMs @returns {boolean} Whether a device has fallen silent. */
  tick(nowMs) {
    const silent = [...this.#entries].filter(([, e]) => nowMs - e.heardMs > GONE_MS).map(([name]) => this.gone(name));
    return silent.includes(true);
  }
}

/** @param {unknown} json @returns {Device|undefined} In the form of the page. */
function decode(json) {
  const list = parse(JSON.stringify({ devices: { devices: [{ device: json }] } }));
  return list.kind === 'devices' ? list.devices[0] : undefined;
}

/**
 * @typedef {object} SearchHandlers
 * @property {(device: import('#gen/waldo/device/v1/device_pb.js').Device) => void} onDevice A device of the robot has
 *   described itself.
 * @property {() => void} onChange The robot is known now, or why it is not.
 */

/** Looks for the devices of a robot on the bus, and listens to them. */
export class Search {
  /** Name of the robot; empty until it is known. */
  robot;
  /** Why it is not known although the bus is there; empty otherwise. */
  why = '';

  #bus;
  #handlers;
  /** @type {Set<string>} */
  #robots = new Set();
  /** @type {(() => void)[]} */
  #undo = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #quiet;
  #askedMs = -Infinity;
  #connectedMs = -Infinity;
  #inbox;

  /** @param {import('./bus.js').Bus} bus @param {string} robot @param {SearchHandlers} handlers */
  constructor(bus, robot, handlers) {
    this.#bus = bus;
    this.#handlers = handlers;
    this.robot = robot;
    this.#inbox = `${bus.inbox}.${randomBytes(12).toString('hex')}`;
    this.#undo.push(
      bus.subscribe(`waldo.v1.${robot || '*'}.*.state`,
        ({ type, data }) => type === DeviceSchema.typeName && this.#state(data)),
      bus.subscribe(`${this.#inbox}.info`, ({ data }) => this.#info(data)),
      bus.subscribe(`${this.#inbox}.device`,
        ({ type, data }) => type === GetDeviceResponseSchema.typeName && this.#described(data)),
    );
  }

  /** Whether all devices that run must have been heard. @param {number} nowMs */
  complete(nowMs) {
    return this.robot !== '' && nowMs - this.#connectedMs >= HEARING_MS;
  }

  /** The bus is there again. @param {number} nowMs */
  connected(nowMs) {
    this.#connectedMs = nowMs;
    this.#ask(nowMs);
  }

  /** Asks again while the robot is not known. @param {number} nowMs */
  tick(nowMs) {
    if (this.#bus.connected && this.robot === '' && nowMs - this.#askedMs >= ASK_MS) this.#ask(nowMs);
  }

  close() {
    clearTimeout(this.#quiet);
    for (const undo of this.#undo.splice(0)) undo();
  }

  /** @param {number} nowMs */
  #ask(nowMs) {
    this.#askedMs = nowMs;
    this.#bus.publish('$SRV.INFO', '', new Uint8Array(), `${this.#inbox}.info`);
  }

  /** A service on the bus has described itself. @param {Uint8Array} data */
  #info(data) {
    const found = serviceAddress(data);
    if (!found || (this.robot !== '' && found.robot !== this.robot)) return;
    this.#seen(found.robot, true);
    const subject = `waldo.v1.${found.robot}.${found.device}.rpc.waldo.device.v1.DeviceService.GetDevice`;
    const request = toBinary(GetDeviceRequestSchema,
      /** @type {any} */ ({ $typeName: GetDeviceRequestSchema.typeName }));
    this.#bus.publish(subject, GetDeviceRequestSchema.typeName, request, `${this.#inbox}.device`);
  }

  /** @param {Uint8Array} data */
  #described(data) {
    const said = decoded(GetDeviceResponseSchema, data)?.device;
    if (said) this.#heard(said);
  }

  /** @param {Uint8Array} data */
  #state(data) {
    const said = decoded(DeviceSchema, data);
    if (said) this.#heard(said);
  }

  /** @param {import('#gen/waldo/device/v1/device_pb.js').Device} said */
  #heard(said) {
    if (said.robot === '' || said.name === '') return;
    this.#seen(said.robot, false);
    if (said.robot === this.robot) this.#handlers.onDevice(said);
    else if (this.robot === '' && this.#waiting.size < MOST_DEVICES) {
      this.#waiting.set(`${said.robot}/${said.name}`, said);
    }
  }

  /** @type {Map<string, import('#gen/waldo/device/v1/device_pb.js').Device>} Heard before the robot was known. */
  #waiting = new Map();

  /**
   * Takes the only robot once all have answered. What devices say all the time puts that off no longer.
   * @param {string} robot
   * @param {boolean} answered
   */
  #seen(robot, answered) {
    if (this.robot !== '' || this.#robots.size >= MOST_ROBOTS) return;
    if (!answered && this.#quiet !== undefined && this.#robots.has(robot)) return;
    this.#robots.add(robot);
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#decide(), QUIET_MS);
  }

  #decide() {
    const names = [...this.#robots].sort();
    if (names.length === 1) {
      this.robot = names[0];
      this.why = '';
      for (const said of this.#waiting.values()) this.#handlers.onDevice(said);
    } else {
      this.why = `The bus has several robots (${names.join(', ')}): choose one with `
        + `connect(address, {robot: '${names[0]}'})`;
    }
    this.#waiting.clear();
    this.#handlers.onChange();
  }
}

/**
 * @param {Uint8Array} data Of a service of NATS micro.
 * @returns {{robot: string, device: string}|null} Null if it is none of ours.
 */
export function serviceAddress(data) {
  try {
    const { name, metadata } = JSON.parse(Buffer.from(data).toString());
    const { robot, device } = metadata;
    const isName = (/** @type {unknown} */ s) => typeof s === 'string' && /^[a-z0-9-]{1,63}$/.test(s);
    return String(name).startsWith('waldo-') && isName(robot) && isName(device) ? { robot, device } : null;
  } catch {
    return null;
  }
}

/**
 * @template {import('@bufbuild/protobuf').DescMessage} D
 * @param {D} schema
 * @param {Uint8Array} data
 * @returns {import('@bufbuild/protobuf').MessageShape<D>|null} Null if it cannot be read.
 */
export function decoded(schema, data) {
  try {
    return fromBinary(schema, data);
  } catch {
    return null;
  }
}

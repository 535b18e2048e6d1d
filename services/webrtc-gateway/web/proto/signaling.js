/**
 * @file The words of the gateway's WebSocket: waldo.signaling.v1 in the protobuf JSON mapping, made plain.
 *
 * Everything that arrives is outside input. {@link parse} never throws: what it cannot use becomes a message of kind
 * `garbage` or `unknown`, and a device without a usable name is left out. In the JSON mapping a field with its zero
 * value is simply absent and 64-bit integers are strings; the types below have every field, with 64-bit values kept as
 * strings because they are only compared.
 */

import { integer64, isObject, list, number, object, parseJson, strings, text, texts, timestamp } from './json.js';

/** @typedef {import('./json.js').Json} Json */

/**
 * @typedef {object} Stream One stream of a device.
 * @property {string} name
 * @property {'out'|'in'|'unknown'} direction Whether the device produces or accepts it.
 * @property {string} messageType Full name of the protobuf message.
 * @property {number} holders How many readers hold it now.
 */

/**
 * @typedef {object} Device One device, as the gateway sees it.
 * @property {string} robot
 * @property {string} name Unique in its robot.
 * @property {string} kind For example `camera`.
 * @property {string} version Of the program that runs it.
 * @property {string} epoch This life of its process; another value means that it restarted.
 * @property {'starting'|'ready'|'away'|'stopping'|'unknown'} state Whether its hardware is there.
 * @property {string} reason Why it is in this state; empty when ready.
 * @property {number} pid
 * @property {string} grpcAddress
 * @property {string} metricsAddress
 * @property {number|null} startMs When this life began, Unix time in ms on the device's clock.
 * @property {Stream[]} streams
 * @property {Record<string, string>} attributes What the hardware says of itself.
 * @property {boolean} gone True if nothing was heard of it for 2 s.
 */

/**
 * @typedef {object} DriveAxis Something that a driver moves between -1 and 1.
 * @property {string} name
 * @property {string[]} plusKeys KeyboardEvent.code of the keys that move it towards 1.
 * @property {string[]} minusKeys Those that move it towards -1.
 * @property {string} gamepad `axis0`, `-axis1`, `button7` …; empty for none.
 * @property {string} touch `x`, `y`, `-x`, `-y`; empty for none.
 *
 * @typedef {object} DriveValue A value of the message: `offset` plus the sum of each axis times its gain.
 * @property {string} key
 * @property {{axis: string, gain: number}[]} terms
 * @property {number} offset
 *
 * @typedef {object} DriveConfig How the robot is driven, as its robot.yaml says.
 * @property {string} device
 * @property {number} rateHz How many commands a second are sent.
 * @property {DriveAxis[]} axes
 * @property {DriveValue[]} values
 * @property {PadMap[]} [pads] What the numbers of gamepads stand for that the browser has no mapping for.
 *
 * @typedef {object} PadMap What the numbers of a pad without mapping stand for.
 * @property {string} id A part of the pad's name as the browser reports it; upper and lower case are the same.
 * @property {Record<string, string>} controls The pad's own control for each standard one, turned around by a `-` in front:
 *   `{axis2: '-axis3', button7: 'axis5'}`. An axis that stands for a button is a trigger, which rests at -1.
 */

/**
 * @typedef {object} RpcError The error of a call: a gRPC status.
 * @property {string} code For example `NOT_FOUND`.
 * @property {string} message What is wrong and what to do about it.
 * @property {Json[]} details Each with its type in `@type`.
 */

/**
 * @typedef {object} Welcome
 * @property {'welcome'} kind
 * @property {string} robot
 * @property {string} version
 * @property {string} epoch
 * @property {RTCIceServer[]} iceServers
 * @property {DriveConfig|null} drive Null if nobody says how the robot is driven.
 *
 * @typedef {{kind: 'answer', id: number, sdp: string}} Answer
 * @typedef {{kind: 'candidate', init: RTCIceCandidateInit}} Candidate
 * @typedef {{kind: 'pong', id: number, gatewayMs: number|null}} Pong
 * @typedef {{kind: 'devices', devices: Device[]}} DeviceList
 * @typedef {{kind: 'error', id: number, code: string, message: string}} Refusal
 * @typedef {{kind: 'result', id: number, response: Json|null, error: RpcError|null}} CallResult One of the two is null.
 * @typedef {{kind: 'unknown', name: string}} Unknown Something a newer gateway says.
 * @typedef {{kind: 'garbage', why: string}} Garbage
 * @typedef {Welcome|Answer|Candidate|Pong|DeviceList|Refusal|CallResult|Unknown|Garbage} GatewayMessage
 */

/**
 * Reads one message of the gateway.
 * @param {unknown} data What the WebSocket delivered.
 * @returns {GatewayMessage}
 */
export function parse(data) {
  if (typeof data !== 'string') return { kind: 'garbage', why: 'not text' };
  const value = parseJson(data);
  if (value === undefined) return { kind: 'garbage', why: 'not JSON' };
  if (!isObject(value)) return { kind: 'garbage', why: 'not an object' };
  const name = Object.keys(value)[0];
  if (name === undefined) return { kind: 'garbage', why: 'empty' };
  const body = value[name];
  if (!isObject(body)) return { kind: 'garbage', why: `${name} is not an object` };
  const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
  return read ? read(body) : { kind: 'unknown', name };
}

/** @type {Record<string, (body: Json) => GatewayMessage>} */
const readers = {
  welcome: (b) => ({
    kind: 'welcome',
    robot: text(b.robot),
    version: text(b.version),
    epoch: integer64(b.epoch),
    iceServers: list(b.iceServers).map(iceServer).filter((s) => s.urls.length > 0),
    drive: driveConfig(b.drive),
  }),
  answer: (b) => ({ kind: 'answer', id: number(b.id), sdp: text(b.sdp) }),
  candidate: (b) => ({
    kind: 'candidate',
    init: {
      candidate: text(b.candidate),
      // A section is named by its mid, or by its index when there is none.
      ...(text(b.sdpMid) !== '' ? { sdpMid: text(b.sdpMid) } : { sdpMLineIndex: number(b.sdpMlineIndex) }),
    },
  }),
  pong: (b) => ({ kind: 'pong', id: number(b.id), gatewayMs: timestamp(b.gatewayTime) }),
  devices: (b) => ({ kind: 'devices', devices: list(b.devices).flatMap(device) }),
  error: (b) => ({ kind: 'error', id: number(b.id), code: text(b.code), message: text(b.message) }),
  result: callResult,
};

/**
 * Reads the end of a call, which comes on the WebSocket and on the channel of calls alike.
 * @param {Json} b
 * @returns {CallResult}
 */
export function callResult(b) {
  const id = number(b.id);
  if (!isObject(b.error)) return { kind: 'result', id, response: object(b.response), error: null };
  return { kind: 'result', id, response: null, error: rpcError(b.error) };
}

/**
 * @param {Json} e
 * @returns {RpcError}
 */
export function rpcError(e) {
  return { code: text(e.code) || 'UNKNOWN', message: text(e.message), details: list(e.details).filter(isObject) };
}

/** @param {unknown} v @returns {DriveConfig|null} */
function driveConfig(v) {
  const d = object(v);
  const device = text(d.device);
  if (device === '') return null;
  const axes = list(d.axes).filter(isObject).map((a) => ({
    name: text(a.name),
    plusKeys: texts(a.plusKeys),
    minusKeys: texts(a.minusKeys),
    gamepad: text(a.gamepad),
    touch: text(a.touch),
  }));
  const values = list(d.values).filter(isObject).map((x) => ({
    key: text(x.key),
    terms: list(x.terms).filter(isObject).map((t) => ({ axis: text(t.axis), gain: number(t.gain) })),
    offset: number(x.offset),
  }));
  const pads = list(d.pads).filter(isObject).map((p) => ({ id: text(p.id), controls: strings(p.controls) }));
  return { device, rateHz: number(d.rateHz), axes, values, ...(pads.length > 0 && { pads }) };
}

/** @param {unknown} v @returns {{urls: string[], username?: string, credential?: string}} */
function iceServer(v) {
  const s = object(v);
  const urls = texts(s.urls);
  return text(s.username) ? { urls, username: text(s.username), credential: text(s.credential) } : { urls };
}

/** @type {Record<string, Device['state']>} */
const states = {
  DEVICE_STATE_STARTING: 'starting',
  DEVICE_STATE_READY: 'ready',
  DEVICE_STATE_AWAY: 'away',
  DEVICE_STATE_STOPPING: 'stopping',
};

/** @param {unknown} v @returns {Device[]} One device, or none. */
function device(v) {
  if (!isObject(v) || !isObject(v.device)) return [];
  const d = v.device;
  const name = text(d.name);
  if (name === '') return [];
  return [{
    robot: text(d.robot),
    name,
    kind: text(d.kind),
    version: text(d.version),
    epoch: integer64(d.epoch),
    state: states[text(d.state)] ?? 'unknown',
    reason: text(d.stateReason),
    pid: number(d.pid),
    grpcAddress: text(d.grpcAddress),
    metricsAddress: text(d.metricsAddress),
    startMs: timestamp(d.startTime),
    streams: list(d.streams).flatMap(stream),
    attributes: strings(d.attributes),
    gone: v.gone === true,
  }];
}

/** @param {unknown} v @returns {Stream[]} */
function stream(v) {
  if (!isObject(v) || text(v.name) === '') return [];
  const way = text(v.direction);
  return [{
    name: text(v.name),
    direction: way === 'STREAM_DIRECTION_OUT' ? 'out' : way === 'STREAM_DIRECTION_IN' ? 'in' : 'unknown',
    messageType: text(v.messageType),
    holders: number(v.holderCount),
  }];
}

/**
 * Whether the device produces video that can be watched.
 * @param {Device} d
 */
export function hasVideo(d) {
  return d.streams.some((s) => s.name === 'video' && s.direction === 'out');
}

/**
 * Whether the device has a microphone that can be heard.
 * @param {Device} d
 */
export function hasMicrophone(d) {
  return d.streams.some((s) => s.name === 'audio' && s.direction === 'out');
}

/**
 * Whether the device has a speaker to talk by.
 * @param {Device} d
 */
export function hasSpeaker(d) {
  return d.streams.some((s) => s.name === 'speaker' && s.direction === 'in');
}

/**
 * Whether the device can move something, and therefore wants a lease.
 * @param {Device} d
 */
export function isActuator(d) {
  return d.streams.some((s) => s.messageType === 'waldo.control.v1.ControlState' && s.direction === 'out');
}

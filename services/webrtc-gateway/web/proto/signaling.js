/**
 * @file Decodes the messages of the gateway, waldo.signaling.v1 in the protobuf JSON mapping.
 *
 * Everything that arrives is outside input. {@link parse} never throws: a message it cannot use becomes one of kind
 * `garbage` or `unknown`, and a device without a usable name is left out. In the JSON mapping a field with its zero
 * value is absent and 64-bit integers are strings; decoded messages have every field, with 64-bit values kept as
 * strings because they are only compared. The fields are documented in api/proto.
 */

import { bytes, fields, flag, integer64, isObject, list, maybe, messages, number, object, parseJson, strings, text, texts, timestamp, word } from './json.js';

/** @import { CallResultJson, DriveAxisJson, DriveJson, DrivePadJson } from './gen/waldo/signaling/v1/signaling_pb.js' */
/** @import { DriveValueJson, ErrorJson } from './gen/waldo/signaling/v1/signaling_pb.js' */
/** @import { DeviceStatusJson, GatewayMessageJson, IceServerJson } from './gen/waldo/signaling/v1/signaling_pb.js' */
/** @import { PathJson, PathVideoJson, RemoteJson, WelcomeJson } from './gen/waldo/signaling/v1/signaling_pb.js' */
/** @import { StreamInfoJson } from './gen/waldo/device/v1/device_pb.js' */
/** @import { Claim } from './types.js' */
/** @import { Json } from './json.js' */

/**
 * @typedef {ReturnType<typeof device>} Device A device, as the gateway reports it.
 * @typedef {ReturnType<typeof stream>} Stream A stream of a device.
 * @typedef {ReturnType<typeof driveConfig>} DriveConfig How the robot is driven, as its robot.yaml says.
 * @typedef {ReturnType<typeof driveAxis>} DriveAxis A value that a driver moves between -1 and 1.
 * @typedef {ReturnType<typeof padMap>} PadMap What a gamepad's numbers stand for if the browser has no mapping for it.
 * @typedef {ReturnType<typeof rpcError>} RpcError The error of a call: a gRPC status.
 *
 * @typedef {{kind: 'welcome'} & ReturnType<typeof welcome>} Welcome
 * @typedef {{kind: 'answer', id: number, sdp: string, signature: Uint8Array<ArrayBuffer>, connection: string}} Answer
 *   The connection is in base64, empty if it is not known.
 * @typedef {{kind: 'iceServers', servers: RTCIceServer[]}} IceServers Those to use from now on.
 * @typedef {{kind: 'candidate', init: RTCIceCandidateInit}} Candidate
 * @typedef {{kind: 'pong', id: number, gatewayMs: number|null}} Pong
 * @typedef {{kind: 'devices', devices: Device[], away: string}} DeviceList Away is why the robot as a whole cannot be
 *   reached, at a gateway elsewhere; empty if it can.
 * @typedef {{kind: 'error', id: number, code: string, message: string}} Refusal
 * @typedef {{kind: 'result', id: number, response: Json|null, error: RpcError|null}} CallResult One of the two is
 *   null.
 * @typedef {{kind: 'path'} & ReturnType<typeof path>} Path What the gateway knows of the path to this page.
 * @typedef {Path['videos'][number]} PathVideo How a video is sent.
 * @typedef {{kind: 'unknown', name: string}} Unknown A message of a newer gateway.
 * @typedef {{kind: 'garbage', why: string}} Garbage
 * @typedef {Welcome|Answer|IceServers|Candidate|Pong|DeviceList|Refusal|CallResult|Path|Unknown|Garbage} GatewayMessage
 */

/** @satisfies {Partial<Record<import('./gen/waldo/access/v1/access_pb.js').RoleJson, string>>} */
const ROLES = /** @type {const} */ ({
  ROLE_VIEWER: 'viewer', ROLE_DRIVER: 'driver', ROLE_OPERATOR: 'operator', ROLE_ADMIN: 'admin', ROLE_SERVICE: 'service',
});

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
  const read = Object.hasOwn(readers, name) ? readers[/** @type {keyof GatewayMessageJson} */ (name)] : undefined;
  return read?.(/** @type {Claim<any>} */ (body)) ?? { kind: 'unknown', name };
}

/** @type {{[K in keyof GatewayMessageJson]: (v: Claim<NonNullable<GatewayMessageJson[K]>>) => GatewayMessage}} */
const readers = {
  welcome: (v) => ({ kind: 'welcome', ...welcome(v) }),
  answer: (v) => {
    const { id, sdp, signature, connection } = fields(v);
    return { kind: 'answer', id: number(id), sdp: text(sdp), signature: bytes(signature), connection: text(connection) };
  },
  iceServers: (v) => ({ kind: 'iceServers', servers: list(fields(v).iceServers).map(iceServer).filter(hasUrl) }),
  candidate: (v) => {
    const { candidate, sdpMid, sdpMlineIndex } = fields(v);
    // A section is named by its mid, or by its index without one.
    const section = text(sdpMid) !== '' ? { sdpMid: text(sdpMid) } : { sdpMLineIndex: number(sdpMlineIndex) };
    return { kind: 'candidate', init: { candidate: text(candidate), ...section } };
  },
  pong: (v) => {
    const { id, gatewayTime } = fields(v);
    return { kind: 'pong', id: number(id), gatewayMs: timestamp(gatewayTime) };
  },
  devices: (v) => ({
    kind: 'devices',
    devices: messages(fields(v).devices).map(device).filter((d) => d.name !== ''),
    away: text(fields(v).robotAway),
  }),
  error: (v) => {
    const { id, code, message } = fields(v);
    return { kind: 'error', id: number(id), code: text(code), message: text(message) };
  },
  result: callResult,
  path: (v) => ({ kind: 'path', ...path(v) }),
};

/** @param {Claim<PathJson>} v */
function path(v) {
  const { roundTripMs, availableBps, queueMs, videos } = fields(v);
  return {
    /** Round trip of the media path; null if unknown. */
    rttMs: number(roundTripMs) || null,
    /** What the path is estimated to carry; null if unknown. */
    availableBps: Number(integer64(availableBps)) || null,
    /** How long packets wait in queues; null if unknown. */
    queueMs: number(queueMs) || null,
    videos: messages(videos).map(pathVideo),
  };
}

/** @param {Claim<PathVideoJson>} v */
function pathVideo(v) {
  const { device, stream, bitrateBps, minPlayoutMs, maxPlayoutMs, repaired, captureTime, rtpTimestamp } = fields(v);
  return {
    device: text(device),
    /** Name of the stream that is sent. */
    stream: text(stream),
    bitrateBps: Number(integer64(bitrateBps)),
    minPlayoutMs: number(minPlayoutMs),
    maxPlayoutMs: number(maxPlayoutMs),
    /** Share of packets that were sent again, 0 to 1. */
    repaired: number(repaired),
    /** When the picture that was sent last was captured, Unix time in ms, and its RTP timestamp; null if unknown. */
    captureMs: timestamp(captureTime),
    rtpTimestamp: Number(integer64(rtpTimestamp)),
  };
}

/** @param {Claim<WelcomeJson>} v */
function welcome(v) {
  const { robot, version, epoch, iceServers, drive, remote, visitor } = fields(v);
  return {
    robot: text(robot),
    version: text(version),
    epoch: integer64(epoch),
    iceServers: list(iceServers).map(iceServer).filter(hasUrl),
    /** Null if robot.yaml does not describe how the robot is driven. */
    drive: text(fields(drive).device) === '' ? null : driveConfig(drive),
    /** What the robot says of itself through a rendezvous server; null without one. */
    remote: maybe(remote, remoteRobot),
    /** Who this page is; null if the gateway does not tell. */
    visitor: maybe(visitor, (who) => ({ name: text(fields(who).name), role: word(fields(who).role, ROLES) })),
  };
}

/** @param {Claim<RemoteJson>} v */
function remoteRobot(v) {
  const { key, challenge } = fields(v);
  return { key: bytes(key), challenge: bytes(challenge) };
}

/**
 * Reads the result of a call, which has the same form on the WebSocket and on the data channel of calls.
 * @param {Claim<CallResultJson>} v
 * @returns {CallResult}
 */
export function callResult(v) {
  const { id, response, value, error } = fields(v);
  const failed = maybe(error, rpcError);
  // A few types, such as google.protobuf.DoubleValue, are not objects in JSON.
  const answer = /** @type {any} */ (value === undefined ? object(response) : value);
  return { kind: 'result', id: number(id), response: failed ? null : answer, error: failed };
}

/** @param {Claim<ErrorJson>} v */
export function rpcError(v) {
  const { code, message, details } = fields(v);
  return {
    /** For example `NOT_FOUND`. */
    code: text(code) || 'UNKNOWN',
    /** What is wrong and what to do about it. */
    message: text(message),
    /** Each with its type in `@type`. */
    details: /** @type {Json[]} */ (messages(details)),
  };
}

/** @param {Claim<DriveJson>} v */
function driveConfig(v) {
  const { device, method, rateHz, axes, values, pads } = fields(v);
  const maps = messages(pads).map(padMap);
  return {
    device: text(device),
    /** Full name of the method by which it is commanded; missing for a board, which is sent messages. */
    ...(text(method) !== '' && { method: text(method) }),
    rateHz: number(rateHz),
    axes: messages(axes).map(driveAxis),
    values: messages(values).map(driveValue),
    ...(maps.length > 0 && { pads: maps }),
  };
}

/** @param {Claim<DriveAxisJson>} v */
function driveAxis(v) {
  const { name, plusKeys, minusKeys, gamepad, touch } = fields(v);
  return { name: text(name), plusKeys: texts(plusKeys), minusKeys: texts(minusKeys), gamepad: text(gamepad), touch: text(touch) };
}

/** @param {Claim<DriveValueJson>} v */
function driveValue(v) {
  const { key, terms, offset } = fields(v);
  return {
    key: text(key),
    terms: messages(terms).map(fields).map(({ axis, gain }) => ({ axis: text(axis), gain: number(gain) })),
    offset: number(offset),
  };
}

/** @param {Claim<DrivePadJson>} v */
function padMap(v) {
  const { id, controls } = fields(v);
  return {
    /** A part of the pad's name as the browser reports it; case does not matter. */
    id: text(id),
    /**
     * The pad's own control for each standard one; a leading `-` inverts it: `{axis2: '-axis3', button7: 'axis5'}`. An
     * axis that stands for a button is a trigger, which rests at -1.
     */
    controls: strings(controls),
  };
}

/** @param {Claim<IceServerJson>} v @returns {{urls: string[], username?: string, credential?: string}} */
function iceServer(v) {
  const { urls, username, credential } = fields(v);
  return text(username) ? { urls: texts(urls), username: text(username), credential: text(credential) } : { urls: texts(urls) };
}

/** @param {{urls: string[]}} server */
function hasUrl({ urls }) {
  return urls.length > 0;
}

const states = /** @type {const} */ ({
  DEVICE_STATE_STARTING: 'starting',
  DEVICE_STATE_READY: 'ready',
  DEVICE_STATE_AWAY: 'away',
  DEVICE_STATE_STOPPING: 'stopping',
});

/** @param {Claim<DeviceStatusJson>} v */
function device(v) {
  const { device, gone } = fields(v);
  const d = fields(device);
  return {
    robot: text(d.robot),
    /** Unique in its robot. */
    name: text(d.name),
    /** For example `camera`. */
    kind: text(d.kind),
    version: text(d.version),
    /** Identifies this run of its process; another value means that it restarted. */
    epoch: integer64(d.epoch),
    state: word(d.state, states),
    /** Why it is in this state; empty when ready. */
    reason: text(d.stateReason),
    pid: number(d.pid),
    grpcAddress: text(d.grpcAddress),
    metricsAddress: text(d.metricsAddress),
    /** When this run began, Unix time in ms on the device's clock; null if it is unknown. */
    startMs: timestamp(d.startTime),
    streams: messages(d.streams).map(stream).filter((s) => s.name !== ''),
    /** What the hardware reports about itself. */
    attributes: strings(d.attributes),
    /** Whether it has been silent for 2 s. */
    gone: flag(gone),
  };
}

const directions = /** @type {const} */ ({ STREAM_DIRECTION_OUT: 'out', STREAM_DIRECTION_IN: 'in' });

/** @param {Claim<StreamInfoJson>} v */
function stream(v) {
  const { name, direction, messageType, holderCount } = fields(v);
  return {
    name: text(name),
    /** Whether the device produces it, or accepts it. */
    direction: word(direction, directions),
    /** Full name of the protobuf message. */
    messageType: text(messageType),
    /** How many readers hold it now. */
    holders: number(holderCount),
  };
}

/**
 * Whether the device produces video that can be watched.
 * @param {Device} d
 */
export function hasVideo(d) {
  return d.streams.some((s) => s.name === 'video' && s.direction === 'out');
}

/**
 * Whether the device has a microphone to listen to.
 * @param {Device} d
 */
export function hasMicrophone(d) {
  return d.streams.some((s) => s.name === 'audio' && s.direction === 'out');
}

/**
 * Whether the device has a speaker to talk through.
 * @param {Device} d
 */
export function hasSpeaker(d) {
  return d.streams.some((s) => s.name === 'speaker' && s.direction === 'in');
}

/**
 * Whether people can send their camera to the device.
 * @param {Device} d
 */
export function takesCamera(d) {
  return d.streams.some((s) => s.name === 'camera' && s.direction === 'in');
}

/**
 * Whether the device can move something, and therefore requires a lease. One that is replayed cannot.
 * @param {Device} d
 */
export function isActuator(d) {
  return d.attributes?.replay === undefined && d.streams.some((s) => s.messageType === 'waldo.control.v1.ControlState' && s.direction === 'out');
}

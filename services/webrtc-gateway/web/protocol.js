/**
 * @file The words of the gateway's WebSocket: waldo.signaling.v1 in the protobuf JSON mapping, made plain.
 *
 * Everything that arrives is outside input. {@link parse} never throws: what it cannot use becomes a message of kind
 * `garbage` or `unknown`, and a device without a usable name is left out. In the JSON mapping a field with its zero
 * value is simply absent and 64-bit integers are strings; the types below have every field, with 64-bit values kept as
 * strings because they are only compared.
 */

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
 * @typedef {{kind: 'welcome', robot: string, version: string, epoch: string, iceServers: RTCIceServer[]}} Welcome
 * @typedef {{kind: 'answer', id: number, sdp: string}} Answer
 * @typedef {{kind: 'candidate', init: RTCIceCandidateInit}} Candidate
 * @typedef {{kind: 'pong', id: number, gatewayMs: number|null}} Pong
 * @typedef {{kind: 'devices', devices: Device[]}} DeviceList
 * @typedef {{kind: 'error', id: number, code: string, message: string}} Refusal
 * @typedef {{kind: 'unknown', name: string}} Unknown Something a newer gateway says.
 * @typedef {{kind: 'garbage', why: string}} Garbage
 * @typedef {Welcome|Answer|Candidate|Pong|DeviceList|Refusal|Unknown|Garbage} GatewayMessage
 */

/** @typedef {Record<string, unknown>} Json */

/**
 * Reads one message of the gateway.
 * @param {unknown} data What the WebSocket delivered.
 * @returns {GatewayMessage}
 */
export function parse(data) {
  if (typeof data !== 'string') return { kind: 'garbage', why: 'not text' };
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(data);
  } catch {
    return { kind: 'garbage', why: 'not JSON' };
  }
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
};

/** @param {unknown} v @returns {{urls: string[], username?: string, credential?: string}} */
function iceServer(v) {
  const s = isObject(v) ? v : {};
  const urls = list(s.urls).filter((u) => typeof u === 'string');
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

/** @param {unknown} v @returns {v is Json} */
function isObject(v) {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

/** @param {unknown} v @returns {string} */
function text(v) {
  return typeof v === 'string' ? v : '';
}

/** @param {unknown} v @returns {number} */
function number(v) {
  return typeof v === 'number' && Number.isFinite(v) ? v : 0;
}

/** @param {unknown} v @returns {any[]} */
function list(v) {
  return Array.isArray(v) ? v : [];
}

/** @param {unknown} v @returns {string} Decimal digits; `0` if it is no integer. */
function integer64(v) {
  if (typeof v === 'number' && Number.isInteger(v)) return String(v);
  return typeof v === 'string' && /^-?\d{1,20}$/.test(v) ? v : '0';
}

/** @param {unknown} v @returns {Record<string, string>} */
function strings(v) {
  if (!isObject(v)) return {};
  return Object.fromEntries(Object.entries(v).flatMap(([k, s]) => (typeof s === 'string' ? [[k, s]] : [])));
}

/**
 * Reads an RFC 3339 time, down to the nanoseconds Go sends, as Unix time in ms with fractions.
 * @param {unknown} v
 * @returns {number|null} Null if it is none.
 */
export function timestamp(v) {
  const m = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.exec(text(v));
  if (!m) return null;
  // Date.parse would cut to whole milliseconds, and the clock wants better.
  const ms = Date.parse(m[1] + m[3]);
  return Number.isNaN(ms) ? null : ms + Number(`0${m[2] ?? ''}`) * 1000;
}

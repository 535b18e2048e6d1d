/** @file What the parts of a robot need from it, and how they are told apart. */

import { fromJson } from '@bufbuild/protobuf';
import { failure } from './status.js';

/**
 * @typedef {import('#web/proto/signaling.js').Device} Device
 * @typedef {import('@bufbuild/protobuf').Message} Message
 */

/**
 * What the parts of a robot need from it.
 * @typedef {object} Ways
 * @property {import('./bus.js').Bus|null} bus Null if only one device is reached.
 * @property {import('./wire.js').Wire} wire
 * @property {import('./definitions.js').Definitions} definitions
 * @property {import('#web/base/env.js').Env} env
 * @property {(name: string) => Device|undefined} device
 * @property {(name: string) => string} address Of its gRPC API; throws a CallError if it is not known.
 * @property {(name: string) => Promise<void>} known Resolves when the device is known; rejects with a CallError if it
 *   never will be.
 * @property {Map<string, number>} seen When the picture was captured that the program took last, by camera: Unix time
 *   in ms.
 * @property {(name: string, run: () => void) => () => void} follow Runs a function whenever the device changes.
 * @property {<I extends import('@bufbuild/protobuf').DescMessage, O extends import('@bufbuild/protobuf').DescMessage>(
 *   device: string, method: import('@bufbuild/protobuf').DescMethod & {input: I, output: O},
 *   request: import('@bufbuild/protobuf').MessageShape<I>, timeoutMs?: number,
 * ) => Promise<import('@bufbuild/protobuf').MessageShape<O>>} ask Calls a device.
 * @property {<T>(device: string, method: import('@bufbuild/protobuf').DescMethod, request: Message, window: number,
 *   pick: (message: any) => {value: T|undefined, dropped: number},
 *   handlers: {onLost: (why: string) => void, onArrival?: () => void, onClose: () => void},
 * ) => import('./reading.js').Reading<T>} read
 */

/** @param {string} device @param {unknown} options */
export const key = (device, options) => `${device} ${JSON.stringify(options)}`;

/**
 * @template V
 * @param {Map<string, V>} all
 * @param {string} name
 * @param {() => V} make
 * @returns {V}
 */
export function same(all, name, make) {
  const known = all.get(name);
  if (known) return known;
  const made = make();
  all.set(name, made);
  return made;
}

/** @param {string} name @param {string} [what] */
export function checked(name, what = 'device') {
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) {
    throw new TypeError(`${what} "${name}": use the name that waldo ls prints, such as "front"`);
  }
  return name;
}

/**
 * The request of a call in JSON, as a message.
 * @param {import('@bufbuild/protobuf').DescMethod} method
 * @param {string} name Of the method, for errors.
 * @param {object} json
 */
export function requestOf(method, name, json) {
  if (method.methodKind !== 'unary') {
    throw failure('UNIMPLEMENTED', `${name} is a stream: see robot.video, robot.audio, robot.stream`);
  }
  try {
    return fromJson(method.input, /** @type {any} */ (json));
  } catch (error) {
    throw failure('INVALID_ARGUMENT', `${name}: ${/** @type {Error} */ (error).message}`);
  }
}

/** @file What a program says about the robot that it wants. Pure, but for the file of authorities that it names. */

import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Options
 * @property {string} [robot] Name of the robot, if the bus has several; default `$WALDO_ROBOT`.
 * @property {string} [token] The robot's token; default `$WALDO_TOKEN`.
 * @property {string} [ca] PEM file of the authorities to trust for TLS, as `waldo trust --pem` prints the robot's own;
 *   default `$WALDO_CA`, else those of the system. With it, or with `tls://` in the address, devices on other machines
 *   are called with TLS.
 * @property {string} [holder] The name under which this program drives and presses the e-stop, for people to read.
 *
 * @typedef {object} Settings
 * @property {'bus'|'device'} way
 * @property {string} address
 * @property {string} robot Empty for the only one.
 * @property {string} token Empty for none.
 * @property {Trust|null} trust How TLS is used; null for not at all.
 * @property {string} holder Empty for a name of its own.
 *
 * @typedef {object} Trust
 * @property {string|undefined} ca Authorities in PEM; undefined for those of the system.
 */

const BUS = 'nats://127.0.0.1:4222';
const SCHEMES = /^(nats|tls|ws|wss):\/\//;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** Bounds of what people read, in bytes. */
const LONGEST_HOLDER = 128;

/**
 * @param {unknown} address
 * @param {Options} options
 * @param {Record<string, string|undefined>} env
 * @returns {Settings} Throws a TypeError that names what is wrong and what to write.
 */
export function readOptions(address, options, env) {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError('connect: options must be an object: connect(address, {token})');
  }
  const where = address === undefined ? env.WALDO_NATS || BUS : address instanceof URL ? address.href : address;
  if (typeof where !== 'string') throw new TypeError(`connect: the address must be text, such as "${BUS}"`);
  const robot = text('robot', options.robot ?? env.WALDO_ROBOT ?? '');
  if (robot !== '' && !NAME.test(robot)) {
    throw new TypeError(
      `connect: robot "${robot}" is not a name: use 1 to 63 lower-case letters, digits and inner hyphens`);
  }
  const holder = text('holder', options.holder ?? '');
  if (Buffer.byteLength(holder) > LONGEST_HOLDER) {
    throw new TypeError(`connect: holder is longer than ${LONGEST_HOLDER} bytes`);
  }
  return {
    ...way(where.trim()), robot, token: text('token', options.token ?? env.WALDO_TOKEN ?? ''), holder,
    trust: trust(text('ca', options.ca ?? env.WALDO_CA ?? ''), where.trim()),
  };
}

/** @param {string} file @param {string} where @returns {Trust|null} */
function trust(file, where) {
  if (file === '') return where.startsWith('tls://') ? { ca: undefined } : null;
  try {
    const ca = readFileSync(file, 'utf8');
    if (ca.includes('-----BEGIN CERTIFICATE-----')) return { ca };
  } catch (error) {
    throw new TypeError(`connect: ca: ${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  throw new TypeError(`connect: ca: ${file} holds no certificate in PEM: use the file that waldo trust --pem prints`);
}

/** @param {string} where @returns {Pick<Settings, 'way'|'address'>} */
function way(where) {
  if (SCHEMES.test(where)) return { way: 'bus', address: where };
  if (/^https?:\/\//.test(where)) {
    throw new TypeError(
      `connect: this is the address of a page; programs in Node connect to the bus, "${BUS}", or to the `
      + 'gRPC address of one device, "127.0.0.1:7101" (waldo ls prints them)');
  }
  const port = Number(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(where)?.[1] ?? 0);
  if (port < 1 || port > 65535) {
    // The address is not repeated: it may contain a password.
    throw new TypeError(
      `connect: the address is neither that of a bus, "${BUS}", nor that of a device, "127.0.0.1:7101"`);
  }
  return { way: 'device', address: where };
}

/** @param {string} field @param {unknown} value */
function text(field, value) {
  if (typeof value !== 'string') throw new TypeError(`connect: ${field} must be text`);
  return value;
}

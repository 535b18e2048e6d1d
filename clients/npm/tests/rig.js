/** @file Robots for the tests: the real programs, in the folder WALDO_BIN. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'waldo-robot';

/** Nothing that should happen takes this long, however busy the machine is, in ms. */
const PATIENCE_MS = 60_000;

/** Four devices that need no hardware. */
export const DEVICES = {
  front: '{kind: camera, source: test, width: 320, height: 240, fps: 30}',
  motors: `{kind: serial, port: sim, read: "<IhhiihHB", readKeys: [uptime, left, right, x, y, heading, battery, flags],
    startByte: 0x5A, checksum: crc8, write: "<hh", writeKeys: [left, right], writeStartByte: 0xA5, writeChecksum: crc8,
    control: {safe: {left: 0, right: 0}}}`,
  voice: '{kind: audio, source: tone}',
  pad: '{kind: input, source: sim}',
};

/** A folder that is removed after the test. */
export function folder(t) {
  const made = mkdtempSync(path.join(tmpdir(), 'waldo-npm-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** An address of this machine that nobody listens at. */
export async function freeAddress() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

/** Runs a program of WALDO_BIN until the test ends. */
export function run(t, program, args, env = {}) {
  const { WALDO_BIN } = process.env;
  if (!WALDO_BIN) {
    throw new Error('WALDO_BIN is not set: run the tests with "make test", or set it to the folder with waldo');
  }
  const child = spawn(path.join(WALDO_BIN, program), args, {
    env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = [];
  for (const out of [child.stdout, child.stderr]) out.on('data', (data) => said.push(data));
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
    if (!t.passed) console.error(`${program} ${args.join(' ')}\n${Buffer.concat(said)}`);
  });
  return child;
}

/** A bus alone, at an address where it can be started again. */
export function startBus(t, address) {
  return run(t, 'waldo', ['bus', '--listen', address]);
}

/** Runs a robot of some of DEVICES; returns the address of its bus. */
export async function startRobot(t, devices, { bus = '', token = '', name = 'rover', accessFile = '' } = {}) {
  const own = await freeAddress();
  const addressed = (text) => (text.includes('grpc:') ? text : text.replace('{', '{grpc: "127.0.0.1:0", '));
  const listed = Object.entries(devices).map(([device, text]) => `  ${device}: ${addressed(text)}\n`);
  const place = folder(t);
  const file = path.join(place, 'robot.yaml');
  writeFileSync(file, `robot: ${name}\ndevices:\n${listed.join('')}`
    + `gateway: {http: "${await freeAddress()}", ice: "${await freeAddress()}"}\n`
    + `nats: {${bus ? `url: "nats://${bus}"` : `listen: "${own}"`}}\n`);
  run(t, 'waldo', ['up', file], { XDG_STATE_HOME: place, WALDO_TOKEN: token, WALDO_ACCESS_FILE: accessFile });
  return `nats://${bus || own}`;
}

/** Makes a token in a file of tokens. */
export async function createToken(t, accessFile, name, role) {
  const child = run(t, 'waldo', ['token', 'create', name, '--role', role, '--access-file', accessFile]);
  const said = [];
  child.stdout.on('data', (data) => said.push(data));
  await once(child, 'close');
  return String(Buffer.concat(said)).trim();
}

/** Connects, and closes after the test. */
export function connected(t, address, options) {
  const robot = connect(address, options);
  t.after(() => robot.close());
  return robot;
}

/** Waits until something is true. */
export async function until(what, met) {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await met();
    if (found) return found;
    if (performance.now() > end) throw new Error(`this did not come about in ${PATIENCE_MS} ms: ${what}`);
    await sleep(20);
  }
}

/** The device, once it is ready. */
export function ready(robot, name) {
  return until(`${name} is ready`, () => robot.devices.find((d) => d.name === name && d.state === 'ready' && !d.gone));
}

/** Ends a device's process as a crash would. */
export function crash(device) {
  process.kill(device.pid, 'SIGKILL');
}

/** The first values of an iterable, at most so many. */
export async function take(iterable, count) {
  const values = [];
  for await (const value of iterable) if (values.push(value) === count) break;
  return values;
}

/** Collects the details of an event. */
export function events(target, type) {
  const seen = [];
  target.addEventListener(type, (event) => seen.push(event.detail));
  return seen;
}

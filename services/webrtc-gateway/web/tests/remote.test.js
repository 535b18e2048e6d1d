/** @file A robot through a rendezvous server, which may be hostile. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { dtlsFingerprint } from '../link/secrets.js';
import { Robot } from '../robot/robot.js';
import { FakeEnv, settle } from './fakes.js';

const { subtle } = globalThis.crypto;
const TOKEN = 'open sesame, please';
const certificate = (digit) => `\r\na=fingerprint:sha-256 ${`a${digit}:`.repeat(32).slice(0, -1)}\r\n`;
const base64 = (data) => Buffer.from(data).toString('base64');
const hex = (data) => Buffer.from(data).toString('hex');
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A robot as it is seen through the server. What it does is made with Node's own cryptography. */
class FakeRobot {
  challenges = 0;

  static async make(name = 'rover') {
    const robot = new FakeRobot();
    robot.name = name;
    robot.keys = await subtle.generateKey(ECDSA, true, ['sign', 'verify']);
    robot.public = new Uint8Array(await subtle.exportKey('spki', robot.keys.publicKey));
    robot.fingerprint = createHash('sha256').update(robot.public).digest('base64url');
    return robot;
  }

  /** A welcome, with a new challenge. */
  welcome(more = {}) {
    this.challenges += 1;
    this.challenge = new Uint8Array(16).fill(this.challenges);
    return { welcome: { robot: this.name, version: 'v1', epoch: '1', remote: { key: base64(this.public), challenge: base64(this.challenge) }, ...more } };
  }

  /** An answer with a signature. */
  async answer({ id, sdp }, own = `ok${certificate(7)}`, challenge = this.challenge) {
    const text = ['waldo answer', this.name, hex(challenge), dtlsFingerprint(sdp), dtlsFingerprint(own)].join('\n');
    const signature = await subtle.sign(ECDSA, this.keys.privateKey, Buffer.from(text));
    return { answer: { id, sdp: own, signature: base64(signature), connection: 'AQID' } };
  }

  /** Whether an offer has the proof for the last challenge. */
  async accepts({ sdp, proof }, token = TOKEN) {
    const raw = await subtle.importKey('raw', Buffer.from(token), 'PBKDF2', false, ['deriveBits']);
    const salt = Buffer.from(`waldo proof of ${this.name}`);
    const bits = await subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: 100_000 }, raw, 256);
    const key = await subtle.importKey('raw', bits, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const text = ['waldo offer', this.name, hex(this.challenge), dtlsFingerprint(sdp)].join('\n');
    return base64(await subtle.sign('HMAC', key, Buffer.from(text))) === proof;
  }
}

/** Waits for what takes real time: cryptography. */
async function until(what, holds) {
  for (let i = 0; i < 5000; i += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.fail(`${what} does not happen`);
}

/** Lets cryptography that is under way come to its end, to see that nothing follows. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 100));

let env, far, robot;

const BASE = new URL('https://server/r/rover/');

beforeEach(async () => {
  env = new FakeEnv();
  env.more = certificate(3);
  env.health = 200;
  far = await FakeRobot.make();
});

afterEach(() => robot.close());

function connect(trust = {}) {
  robot = new Robot(BASE, env, trust.token ?? TOKEN, trust.key ?? far.fingerprint);
}

/** The page sends its first offer. */
async function offered() {
  env.socket.open();
  env.socket.say(far.welcome({ iceServers: [{ urls: ['turn:server'], username: 'u', credential: 'c' }] }));
  await until('an offer', () => env.socket.of('offer').length > 0);
  return env.socket.of('offer')[0];
}

/** The session is there. */
async function live() {
  connect();
  const offer = await offered();
  env.socket.say(await far.answer(offer));
  await until('the answer is taken', () => env.peer.remoteDescription !== null);
  const channel = env.peer.channel('waldo.session');
  env.peer.connectionState = 'connected';
  channel.open();
  channel.say({ welcome: { robot: 'rover', version: 'v1', epoch: '1' } });
  channel.say({ devices: { devices: [{ device: { name: 'front', state: 'DEVICE_STATE_READY', streams: [{ name: 'video', direction: 'STREAM_DIRECTION_OUT' }] } }] } });
  return channel;
}

/** Time passes until the page has opened so many WebSockets. */
async function visited(count) {
  for (let i = 0; i < 100 && env.sockets.length < count; i += 1) await env.pass(100);
  assert.equal(env.sockets.length, count);
}

const sent = (channel, kind) => channel.sent.map((text) => JSON.parse(text)).filter((m) => kind in m).map((m) => m[kind]);

/** The robot answers pings on the channel. */
function answering(channel) {
  let seen = 0;
  return () => {
    for (const text of channel.sent.slice(seen)) {
      const { ping } = JSON.parse(text);
      if (ping) channel.say({ pong: { id: ping.id, gatewayTime: new Date(env.originMs + env.time).toISOString() } });
    }
    seen = channel.sent.length;
  };
}

describe('a robot behind a rendezvous server', () => {
  test('is reached, and the server learns neither the token nor what is wanted', async () => {
    connect();
    robot.video('front');
    assert.equal(env.socket.url, 'wss://server/r/rover/signal');
    assert.deepEqual(env.socket.protocols, []);
    const offer = await offered();
    assert.ok(await far.accepts(offer));
    assert.equal(offer.tracks, undefined);
    assert.deepEqual(env.peer.transceivers, []);
    assert.deepEqual(env.peer.configuration.iceServers, [{ urls: ['turn:server'], username: 'u', credential: 'c' }]);
    env.peer.onicecandidate({ candidate: { candidate: 'mine', sdpMid: '0', sdpMLineIndex: 0 } });
    const { socket } = env;
    socket.say({ candidate: { candidate: 'early', sdpMid: '0' } });
    socket.say(await far.answer(offer));
    socket.say({ candidate: { candidate: 'theirs', sdpMid: '0' } });
    await until('candidates', () => env.peer.candidates.length === 2 && socket.of('candidate').length === 1);
    assert.equal(robot.state, 'connecting');
    const channel = env.peer.channel('waldo.session');
    assert.deepEqual(channel.init, { ordered: true });
    channel.open();
    channel.say({ welcome: { robot: 'rover', version: 'v1', epoch: '1', drive: { device: 'motors', rateHz: 50 } } });
    await settle();
    assert.equal(robot.state, 'live');
    assert.ok(socket.closed);
    assert.deepEqual(sent(channel, 'offer')[0].tracks, [{ mid: '0', device: 'front' }]);
    assert.equal(sent(channel, 'offer')[0].proof, undefined);
    channel.say({ answer: { id: 2, sdp: 'ok' } }); // out of the server's reach: no signature
    await settle();
    assert.equal(env.peer.remoteDescription.sdp, 'ok');
    assert.ok(!JSON.stringify([socket.sent, env.fetches]).includes('sesame'));
  });

  test('calls go over the channel, in parts if they are large', async () => {
    const channel = await live();
    const call = robot.call('front', 'a.B/C', { text: 'x'.repeat(100_000) });
    const frames = channel.sent.filter((text) => /^[+.]/.test(text));
    assert.ok(frames.length > 1 && frames.every((f) => f.length < 64 * 1024));
    const { id } = JSON.parse(frames.map((f) => f.slice(1)).join('')).call;
    const result = JSON.stringify({ result: { id, response: { text: 'y'.repeat(50_000) } } });
    channel.say(`+${result.slice(0, 30_000)}`);
    channel.say(`.${result.slice(30_000)}`);
    assert.equal((await call).text.length, 50_000);
  });

  test('stays while the server is gone', async () => {
    const channel = await live();
    env.health = null;
    await env.pass(30_000, answering(channel));
    assert.equal(robot.state, 'live');
    assert.equal(env.sockets.length, 1);
    assert.deepEqual(env.fetches, []);
  });

  test('has no pictures over WebSockets', async () => {
    const channel = await live();
    robot.video('front');
    env.peer.connectionState = 'failed';
    await env.pass(3000, answering(channel));
    assert.equal(robot.detour, null);
    assert.equal(env.pictureSocket, undefined);
  });

  test('is asked through the server for another path, on the same connection', async () => {
    const channel = await live();
    await env.pass(1000, answering(channel));
    env.peer.connectionState = 'failed'; // and nothing answers
    await visited(2);
    const again = await offered();
    assert.ok(await far.accepts(again)); // a proof of the new challenge
    assert.equal(again.connection, 'AQID');
    assert.equal(again.tracks, undefined);
    assert.equal(env.peer.restarts, 1);
    env.socket.say(await far.answer(again, `new path${certificate(7)}`));
    await until('the answer is taken', () => env.peer.remoteDescription.sdp.startsWith('new path'));
    env.peer.connectionState = 'connected';
    await env.pass(5000, answering(channel));
    assert.equal(robot.state, 'live');
    assert.equal(env.peers.length, 1);
  });

  test('is asked over the channel for another path if the server is gone', async () => {
    const channel = await live();
    await env.pass(1000, answering(channel));
    env.peer.connectionState = 'failed';
    await visited(2);
    const before = sent(channel, 'offer').length;
    env.socket.drop();
    await settle();
    assert.equal(sent(channel, 'offer').length, before + 1);
    await env.pass(2000, answering(channel));
    assert.equal(robot.state, 'live');
  });

  test('is looked for when it is gone', async () => {
    const channel = await live();
    env.health = 503;
    channel.drop();
    await env.pass(5000);
    assert.equal(robot.state, 'gateway-lost');
    assert.equal(env.sockets.length, 1);
    assert.ok(env.fetches.every(({ url, init }) => url === 'https://server/r/rover/healthz' && init.headers === undefined));
    env.health = 200;
    await visited(2);
    await offered();
  });

  test('is looked for again if there is no path to it', async () => {
    connect();
    env.socket.say(await far.answer(await offered()));
    await until('the answer is taken', () => env.peer.remoteDescription !== null);
    await env.pass(16_000);
    assert.equal(robot.state, 'gateway-lost');
    assert.match(robot.why, /no path/);
    await visited(2);
  });
});

/** Whatever else happens, the page has nothing to do with it any more. */
async function refused(why) {
  await until('a refusal', () => robot.refusal !== '');
  assert.match(robot.refusal, why);
  assert.equal(robot.state, 'gateway-lost');
  const { sockets, socket } = env;
  await env.pass(60_000);
  assert.ok(socket.closed);
  assert.equal(sockets.length, env.sockets.length);
  assert.ok(env.peers.every((p) => p.remoteDescription === null));
}

describe('a hostile server', () => {
  test('cannot show another robot', async () => {
    const other = await FakeRobot.make();
    connect();
    env.socket.open();
    env.socket.say(other.welcome());
    await refused(/not the robot that the link is for: its key has the fingerprint [\w-]{43}/);
    assert.deepEqual(env.socket.of('offer'), []);
  });

  test('cannot be the robot, or say that there is no server', async () => {
    connect();
    env.socket.open();
    env.socket.say({ welcome: { robot: 'rover', epoch: '1' } });
    await refused(/in place of the robot/);
    assert.deepEqual(env.socket.of('offer'), []);
  });

  for (const [what, change] of [
    ['change the fingerprint in an answer', ({ answer }) => ({ answer: { ...answer, sdp: `ok${certificate(8)}` } })],
    ['add a fingerprint to an answer', ({ answer }) => ({ answer: { ...answer, sdp: `${answer.sdp}${certificate(8)}` } })],
    ['leave out the signature', ({ answer }) => ({ answer: { ...answer, signature: undefined } })],
    ['leave out the fingerprint', ({ answer }) => ({ answer: { ...answer, sdp: 'ok' } })],
  ]) {
    test(`cannot ${what}`, async () => {
      connect();
      env.socket.say(change(await far.answer(await offered())));
      await refused(/does not have the robot’s signature/);
    });
  }

  test('cannot use the answer to another session, or to another offer', async () => {
    connect();
    const offer = await offered();
    env.socket.say(await far.answer(offer, undefined, new Uint8Array(16).fill(99)));
    await refused(/signature/);
    robot.close();
    connect();
    const mine = await offered();
    env.socket.say(await far.answer({ ...mine, sdp: `offer${certificate(4)}` }));
    await until('a refusal', () => robot.refusal !== '');
    assert.match(robot.refusal, /signature/);
  });

  test('cannot use the session itself', async () => {
    connect();
    await offered();
    const { socket } = env;
    socket.say({ devices: { devices: [{ device: { name: 'trap', state: 'DEVICE_STATE_READY' } }] } });
    socket.say({ welcome: { robot: 'rover', epoch: '1', drive: { device: 'trap' } } });
    socket.say({ result: { id: 1, response: {} } });
    await quiet();
    assert.deepEqual(robot.devices, []);
    assert.equal(robot.state, 'connecting');
    await assert.rejects(robot.call('front', 'a.B/C'), /nothing was sent/);
    assert.deepEqual(socket.of('call'), []);
  });

  test('is not given a guess at the token when the robot refuses one', async () => {
    connect({ token: 'an old token' });
    const offer = await offered();
    assert.ok(!(await far.accepts(offer)));
    env.socket.say({ error: { id: offer.id, code: 'PERMISSION_DENIED', message: 'proof: wrong' } });
    await refused(/waldo link --token/);
  });
});

describe('without what is needed', () => {
  test('the page asks for the link', async () => {
    robot = new Robot(BASE, env);
    env.socket.open();
    env.socket.say(far.welcome());
    await refused(/open the link that `waldo link --token` prints/);
    assert.deepEqual(env.socket.of('offer'), []);
  });

  test('the page asks for the token', async () => {
    connect({ token: '' });
    await env.pass(10_000);
    assert.match(robot.refusal, /token is missing/);
    assert.equal(env.sockets.length, 0);
  });

  test('the page says that it has no cryptography', async () => {
    env.subtle = undefined;
    connect();
    await env.pass(10_000);
    assert.match(robot.refusal, /https/);
    assert.equal(env.sockets.length, 0);
  });
});

/** @file What a page does when its network changes: the connection stays, and finds another path. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { bytesReceived, Flow, isRelayed } from '../link/flow.js';
import { Repair } from '../link/repair.js';
import { Robot } from '../robot/robot.js';
import { FakeEnv, FakeVideo } from './fakes.js';

/** @type {FakeEnv} */ let env;
/** @type {Robot} */ let robot;
/** Why the gateway refuses offers; empty: it does not. */
let refusal = '';
/** Whether the gateway answers pings, and whether bytes come. */
let reached = true;
let flowing = true;
let bytes = 0;
let relayed = false;

const front = {
  device: { name: 'front', kind: 'camera', epoch: '1', state: 'DEVICE_STATE_READY', streams: [{ name: 'video', direction: 'STREAM_DIRECTION_OUT' }] },
};

/** The gateway does its work. */
const served = new Map();
function gateway() {
  const s = env.socket;
  if (flowing) bytes += 100;
  for (const m of reached ? s.sent.slice(served.get(s) ?? 0) : []) {
    if (m.ping) s.say({ pong: { id: m.ping.id, gatewayTime: new Date(env.originMs + env.time).toISOString() } });
    if (m.offer && refusal) s.say({ error: { id: m.offer.id, code: 'NOT_FOUND', message: refusal } });
    else if (m.offer) s.say({ answer: { id: m.offer.id, sdp: 'ok', connection: 'c2VjcmV0' } });
  }
  if (reached) served.set(s, s.sent.length);
}

/** A session begins. */
function greet(epoch = '1') {
  env.socket.open();
  env.socket.say({ welcome: { robot: 'demo', epoch } });
  env.socket.say({ devices: { devices: [front] } });
}

/** Time passes while pictures come, or not. */
async function frames(element, ms) {
  await env.pass(ms, (now) => {
    gateway();
    if (flowing && now % 30 === 0) element.frame(now);
  });
}

/** Connects, and watches a device. */
async function live() {
  greet();
  const element = new FakeVideo();
  robot.video('front').attach(element);
  await env.pass(50, gateway);
  connect(env.peer);
  await frames(element, 500);
  return element;
}

function connect(peer) {
  peer.connectionState = 'connected';
  peer.getStats = async () => new Map([
    ['t', { type: 'transport', id: 't', bytesReceived: bytes, selectedCandidatePairId: 'p' }],
    ['p', { type: 'candidate-pair', id: 'p', localCandidateId: 'l', remoteCandidateId: 'r' }],
    ['l', { type: 'local-candidate', id: 'l', candidateType: 'host' }],
    ['r', { type: 'remote-candidate', id: 'r', candidateType: relayed ? 'relay' : 'host' }],
  ]);
}

beforeEach(() => {
  env = new FakeEnv();
  env.health = 200;
  [refusal, reached, flowing, relayed, bytes] = ['', true, true, false, 0];
  served.clear();
  robot = new Robot(new URL('http://robot:8080/'), env);
});
afterEach(() => robot.close());

describe('another session', () => {
  test('continues the connection, by another path', async () => {
    const element = await live();
    flowing = false;
    env.socket.drop();
    await env.pass(100, () => {});
    assert.deepEqual([env.sockets.length, env.peers.length], [2, 1]);
    greet();
    await env.pass(50, gateway);
    const offer = env.socket.of('offer')[0];
    assert.equal(offer.connection, 'c2VjcmV0');
    assert.deepEqual(offer.tracks, [{ mid: '0', device: 'front' }]);
    assert.deepEqual([env.peers.length, env.peer.restarts, env.peer.closed], [1, 1, false]);
    flowing = true;
    await frames(element, 3000);
    assert.deepEqual([env.sockets.length, env.peers.length, env.peer.restarts], [2, 1, 1], 'that was all');
    assert.equal(robot.video('front').picture.state, 'live');
  });

  test('leaves a path alone that still works', async () => {
    const element = await live();
    env.health = null;
    env.socket.drop();
    await env.pass(1000, (now) => {
      if (now % 30 === 0) element.frame(now);
      bytes += 100;
    });
    env.health = 200;
    await env.pass(500, () => (bytes += 100));
    greet();
    await env.pass(50, gateway);
    assert.equal(env.socket.of('offer')[0].connection, 'c2VjcmV0');
    assert.deepEqual([env.peers.length, env.peer.restarts], [1, 0]);
  });

  test('is lost as well: the next one continues', async () => {
    await live();
    flowing = false;
    for (const n of [2, 3, 4]) {
      env.socket.drop();
      await env.pass(1200, () => {});
      assert.equal(env.sockets.length, n);
      greet();
      reached = false;
      await env.pass(50, gateway);
      reached = true;
      assert.equal(env.socket.of('offer')[0].connection, 'c2VjcmV0');
    }
    await env.pass(50, gateway);
    assert.deepEqual([env.peers.length, env.peer.restarts], [1, 3]);
  });

  test('of a gateway that has no such connection any more makes a new one', async () => {
    await live();
    env.socket.drop();
    await env.pass(100, () => {});
    greet();
    refusal = 'offer.connection: that connection has ended: make a new one';
    await env.pass(20, gateway);
    refusal = '';
    await env.pass(50, gateway);
    assert.deepEqual([env.sockets.length, env.peers.length], [2, 2]);
    const [, offer] = env.socket.of('offer');
    assert.ok(!('connection' in offer));
    assert.deepEqual(offer.tracks, [{ mid: '0', device: 'front' }]);
  });

  test('of another gateway makes a new connection', async () => {
    await live();
    env.socket.drop();
    await env.pass(100, () => {});
    greet('2');
    await env.pass(50, gateway);
    assert.equal(env.peers.length, 2);
    assert.ok(!('connection' in env.socket.of('offer')[0]));
  });

  test('makes a new connection if a request was on its way', async () => {
    await live();
    reached = false;
    robot.video('rear');
    await env.pass(50, gateway);
    env.socket.drop();
    reached = true;
    await env.pass(100, () => {});
    greet();
    await env.pass(50, gateway);
    assert.equal(env.peers.length, 2);
  });

  test('is what a page means that closes a silent one', async () => {
    await live();
    const codes = [];
    env.socket.close = (code) => codes.push(code);
    await env.pass(2000, () => {});
    assert.deepEqual(codes, [4001]);
    env.socket.close = (code) => codes.push(code);
    robot.close();
    assert.deepEqual(codes, [4001, 1000]);
  });
});

describe('a path that is dead although the session lives', () => {
  test('is replaced before the browser says so', async () => {
    const element = await live();
    flowing = false;
    await frames(element, 1300);
    assert.equal(env.peer.restarts, 0);
    await frames(element, 700);
    assert.deepEqual([env.peer.restarts, env.peers.length, env.sockets.length], [1, 1, 1]);
    flowing = true;
    await frames(element, 10_000);
    assert.deepEqual([env.peer.restarts, env.peers.length], [1, 1]);
  });

  test('is not what a camera without pictures has', async () => {
    await live();
    await env.pass(20_000, gateway);
    assert.deepEqual([env.peer.restarts, env.peers.length], [0, 1]);
  });

  test('is not known of a browser that does not count', async () => {
    const element = await live();
    env.peer.getStats = async () => new Map();
    flowing = false;
    await frames(element, 10_000);
    assert.deepEqual([env.peer.restarts, env.peers.length], [0, 1]);
  });

  test('is looked for when the network changes', async () => {
    const element = await live();
    for (const run of env.networks) run();
    flowing = false;
    await frames(element, 1300);
    assert.equal(env.peer.restarts, 1);
  });

  test('is not what a change of the network means', async () => {
    const element = await live();
    for (let i = 0; i < 10; i += 1) {
      for (const run of env.networks) run();
      await frames(element, 500);
    }
    assert.deepEqual([env.peer.restarts, env.sockets.length], [0, 1]);
  });
});

test('a network that changed under the session is noticed at once', async () => {
  await live();
  reached = false;
  await env.pass(300, gateway);
  for (const run of env.networks) run();
  await env.pass(900, () => {});
  assert.equal(env.sockets.length, 2);
});

describe('renewed credentials', () => {
  const servers = { iceServers: { iceServers: [{ urls: ['turn:example.org'], username: 'u2', credential: 'c2' }] } };

  test('are used, without a new path if the old one needs none', async () => {
    await live();
    env.socket.say(servers);
    await env.pass(50, gateway);
    assert.deepEqual(env.peer.configuration.iceServers, [{ urls: ['turn:example.org'], username: 'u2', credential: 'c2' }]);
    assert.equal(env.peer.restarts, 0);
  });

  test('are used for a new path through the relay', async () => {
    await live();
    relayed = true;
    env.socket.say(servers);
    await env.pass(50, gateway);
    assert.equal(env.peer.restarts, 1);
    await env.pass(5000, gateway);
    assert.deepEqual([env.peer.restarts, env.peers.length], [1, 1]);
  });
});

describe('a count of bytes', () => {
  const report = (...stats) => new Map(stats.map((s, i) => [String(i), { id: String(i), ...s }]));

  test('is that of all transports, or of all paths', () => {
    assert.equal(bytesReceived(report({ type: 'transport', bytesReceived: 1 }, { type: 'transport', bytesReceived: 2 },
      { type: 'candidate-pair', bytesReceived: 4 })), 3);
    assert.equal(bytesReceived(report({ type: 'candidate-pair', bytesReceived: 4 }, { type: 'codec' })), 4);
    assert.equal(bytesReceived(report({ type: 'transport' })), null);
    assert.equal(bytesReceived(new Map()), null);
  });

  test('shows silence only once it was looked at twice', () => {
    const f = new Flow();
    assert.equal(f.silentMs(1000), 0);
    f.doubt(1000);
    assert.deepEqual([f.silentMs(5000), f.flows(5000)], [0, false]);
    f.count(7, 5000);
    assert.equal(f.silentMs(5100), 0);
    f.count(7, 5200);
    assert.equal(f.silentMs(5200), 4200);
    f.count(8, 5300);
    assert.deepEqual([f.silentMs(5400), f.flows(5400)], [100, true]);
    f.trust();
    assert.equal(f.silentMs(9000), 0);
  });

  test('a relay on either side is a relay', () => {
    const pair = { type: 'candidate-pair', selected: true, localCandidateId: '1', remoteCandidateId: '2' };
    const ends = (a, b) => [{ type: 'local-candidate', candidateType: a }, { type: 'remote-candidate', candidateType: b }];
    assert.equal(isRelayed(report(pair, ...ends('relay', 'host'))), true);
    assert.equal(isRelayed(report(pair, ...ends('srflx', 'relay'))), true);
    assert.equal(isRelayed(report(pair, ...ends('srflx', 'prflx'))), false);
    assert.equal(isRelayed(new Map()), false);
  });
});

test('silence is repaired like a lost path', () => {
  const p = new Repair();
  assert.equal(p.step('connected', 0, 1400), 'none');
  assert.equal(p.step('connected', 100, 1000, true), 'restart');
  assert.equal(p.step('connected', 200, 1500), 'none');
  assert.equal(p.step('connected', 4100, 5000), 'rebuild');
  assert.equal(p.step('connected', 4200, 0), 'none');
  assert.equal(p.broken, false);
});
